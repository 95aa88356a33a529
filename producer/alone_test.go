package producer_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

// alone runs a sequence of datagrams through two producers with a common store, and
// decodes each datagram, and each data set that waited, once more alone: by a new
// producer whose store has the templates and rates of this moment. The messages
// must be the same, byte for byte, and so must be all that is said of the datagram.
type alone struct {
	g       grammar
	cfg     producer.Config
	cache   *geo.Cache // of the producers that decode alone
	store   *producer.TemplateStore
	batches [2]*producer.Batch // of each
	batch   *producer.Batch    // of the producer that is at work
	prods   [2]*producer.Producer
	current [2]*producer.Program // of each
	force   *producer.Program    // in force
	nowNs   int64
	room    bool // data waits
	stats   aloneStats
}

// aloneStats says what a sequence was about, so that a test can tell that the
// grammar makes something of each.
type aloneStats struct{ datagrams, messages, waited, released, swaps, exact int }

// alonePrograms are the programs that take turns, made once.
var alonePrograms = sync.OnceValue(func() []*producer.Program {
	key := func(fields ...string) *producer.Mapping { return &producer.Mapping{Key: fields} }
	columns := &producer.Mapping{Fields: []string{"time_flow_start_ns", "src_addr", "bytes"}}
	shared := &producer.Mapping{Fields: []string{"bytes", "time_received_ns", "type", "sampler_address", "time_flow_end_ns"}, Key: []string{"sampler_address", "sequence_num"}}
	var all []*producer.Program
	for _, m := range []struct {
		mapping *producer.Mapping
		compat  bool
	}{
		{nil, false}, {columns, false}, {shared, false}, {fullMapping(), false}, {usualMapping(), false}, {key("sampler_address"), false},
		{key("src_addr", "dst_addr", "proto", "src_port", "dst_port"), false}, {key("time_flow_start_ns", "as_path", "sampling_rate"), false},
		{fullMapping(), true}, {nil, true},
	} {
		p, err := producer.NewProgram(m.mapping, producer.Settings{Compat: m.compat})
		if err != nil {
			panic(err)
		}
		all = append(all, p)
	}
	return all
})

// aloneCaches are the caches of the two producers, and of those that decode alone.
// They are large, and what they know is the same at all times.
var aloneCaches = sync.OnceValue(func() (caches [3]*geo.Cache) {
	source := &geo.Source{Find: whereabouts}
	for i := range caches {
		caches[i] = geo.NewCache(source)
	}
	return caches
})

func newAlone(b []byte) *alone {
	a := &alone{g: grammar{b: b, lengths: map[uint16]int{}}, nowNs: receivedNs}
	g := &a.g
	how := g.byte()
	a.cfg = producer.Config{Format: producer.Format(how % 3), Raw: how>>2&7 == 7, Separator: [][]byte{nil, []byte("\n"), []byte("\n"), []byte("123456789")}[how>>5&3]}
	how = g.byte()
	a.cfg.SamplingRate = []uint64{0, 7, 1 << 40, 0}[how&3]
	caches := [3]*geo.Cache{}
	if how&4 != 0 {
		caches = aloneCaches()
	}
	a.cache = caches[2]
	a.store = producer.NewStore(template.DefaultLimits())
	a.store.UsePorts(template.Ports(how >> 3 % 3))
	a.cfg.Programs = producer.NewPrograms(a.program())
	if a.room = how>>5&3 != 0; a.room {
		a.cfg.Held = producer.NewHeld(producer.HeldLimits{Bytes: 1 << 20, Sets: 1 + int(how>>5&3)*8, AgeNs: 5e9})
	}
	for i := range a.prods {
		cfg := a.cfg
		cfg.Geo = caches[i]
		a.prods[i], a.current[i] = producer.New(cfg, a.store), a.force
		a.batches[i] = producer.NewBatch(i, 4<<10)
	}
	return a
}

func (a *alone) program() *producer.Program {
	all := alonePrograms()
	a.force = all[a.g.below(len(all))]
	return a.force
}

// run plays the sequence to its end.
func (a *alone) run() error {
	for steps := 0; len(a.g.b) > 0 && steps < 40; steps++ {
		i := int(a.g.byte())
		at := fmt.Sprintf("step %d, datagram %d", steps, a.g.n)
		if err := a.step(i&1, i>>1&15); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if err := sums(&a.prods[i&1].Counters); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	for i := range a.prods {
		a.batch = a.batches[i]
		if err := a.release(i); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
		a.prods[i].Abandon(nil)
		if err := sums(&a.prods[i].Counters); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return nil
}

// step does one thing with a producer.
func (a *alone) step(i, what int) error {
	p := a.prods[i]
	a.batch = a.batches[i]
	switch what {
	case 0:
		a.cfg.Programs.Set(a.program())
		a.stats.swaps++
		return nil
	case 1:
		return a.release(i)
	case 2: // time passes
		a.nowNs += int64(a.g.byte()) * 1e8
		before := len(a.batch.Ends)
		p.Expire(a.nowNs, nil)
		if len(a.batch.Ends) != before {
			return fmt.Errorf("messages of expired data")
		}
		a.store.Expire(a.nowNs, 20e9, a.g.oneIn(2))
		return nil
	case 3:
		meta, d := a.arrival()
		fresh := producer.NewStore(template.DefaultLimits())
		fresh.UsePorts(a.store.PortPolicy())
		want := producer.New(a.cfg, fresh)
		if got, want := fmt.Sprintf("%+v", *p.Peek(meta, d)), fmt.Sprintf("%+v", *want.Peek(meta, d)); got != want {
			return fmt.Errorf("peek at %x: got %s, alone %s", d, got, want)
		}
		return nil
	case 4:
		a.batch.Reset()
		return nil
	}
	return a.datagram(i)
}

func (a *alone) arrival() (producer.Meta, []byte) {
	a.nowNs += int64(a.g.n)
	meta := producer.Meta{Source: a.g.from(), ReceivedNs: a.nowNs, Override: a.g.override(), Truncated: a.g.oneIn(32)}
	return meta, a.g.datagram()
}

// clone returns a store with the templates and rates that the address has now, and
// with t under key if that is not nil.
func (a *alone) clone(from netip.Addr, key *template.Key, t *producer.Template) (*producer.TemplateStore, error) {
	s := producer.NewStore(template.DefaultLimits())
	s.UsePorts(a.store.PortPolicy())
	var failed error
	a.store.Each(func(d *producer.TemplateDomain) {
		if d.Key().Exporter != from.As16() {
			return
		}
		var v template.Saved
		d.Save(&v)
		if left, err := s.Restore(&v); err != nil || left > 0 {
			failed = fmt.Errorf("restore: %d left, %v", left, err)
		}
	})
	if t != nil && failed == nil {
		var defs template.Definitions
		defs.Init(t.Raw(), key.Version, t.Options)
		defs.Next()
		change, fault := template.Moved, template.FaultNone
		for change == template.Moved {
			change, fault = s.Domain(key, a.nowNs).Put(&defs.Def, key.Port, a.nowNs)
		}
		if change == template.Refused {
			failed = fmt.Errorf("put: %v", fault)
		}
	}
	return s, failed
}

// decode decodes one datagram alone, with a program.
func (a *alone) decode(store *producer.TemplateStore, prog *producer.Program, meta producer.Meta, d []byte) (*producer.Producer, *producer.Batch, producer.Result) {
	cfg := a.cfg
	cfg.Geo = a.cache
	cfg.Programs = producer.NewPrograms(prog)
	if a.room {
		cfg.Held = producer.NewHeld(roomy)
	}
	p, b := producer.New(cfg, store), &producer.Batch{}
	return p, b, p.Datagram(b, meta, bytes.Clone(d))
}

// datagram gives the next datagram to a producer.
func (a *alone) datagram(i int) error {
	p := a.prods[i]
	if p.Stale() { // as a worker does
		a.batch.Reset()
		p.Refresh()
		a.current[i] = a.force
	}
	meta, d := a.arrival()
	store, err := a.clone(meta.Source.Addr(), nil, nil)
	if err != nil {
		return err
	}
	again, err := a.clone(meta.Source.Addr(), nil, nil)
	if err != nil {
		return err
	}
	q, want, wantRes := a.decode(store, a.current[i], meta, d)
	before, waited, first := p.Counters, p.WaitingSets(), a.batch.Records()
	kept := bytes.Clone(d)
	res := p.Datagram(a.batch, meta, d)
	for j := range d { // no view of it may be left
		d[j] ^= 0xff
	}
	a.g.last = kept
	a.stats.datagrams++
	a.stats.messages += res.Records
	waiting := p.WaitingSets()
	a.stats.waited += len(waiting) - len(waited)
	describe := func(err error) error {
		return fmt.Errorf("%w\n%+v from %v, program %d, %+v:\n%x", err, a.cfg.Format, meta.Source, a.programIndex(i), res, kept)
	}
	if !sameSets(waiting, waited, q.WaitingSets()) {
		// Sets wait behind others, or found no room to: all else is as alone, but
		// for rates that options data which waits would have set.
		for _, w := range waiting {
			if w.Template != nil && w.Template.Options {
				return nil
			}
		}
		if q.Counters.Faults[producer.ReasonSmallRecords] > 0 {
			return nil // others of them than where no set waits
		}
		for q.Release(want, 1<<20, nil) {
		}
		err := a.part(first, want)
		if err != nil && len(kept) > 4 && kept[1] == 9 {
			// Zeros beyond the header's count are padding. Records that wait are not
			// counted, so those after them may be within it.
			d := bytes.Clone(kept)
			d[2], d[3] = 0xff, 0xff
			q, want, _ := a.decode(again, a.current[i], meta, d)
			for q.Release(want, 1<<20, nil) {
			}
			err = a.part(first, want)
		}
		if err != nil {
			return describe(err)
		}
		return nil
	}
	a.stats.exact++
	if err := a.same(first, want); err != nil {
		return describe(err)
	}
	if res != wantRes {
		return describe(fmt.Errorf("alone: %+v", wantRes))
	}
	if err := sameCounters(&before, &p.Counters, &q.Counters); err != nil {
		return describe(err)
	}
	// Facts hold a view of the datagram, which is not the same any more.
	got, alone := *p.Facts(), *q.Facts()
	got.Agent, alone.Agent = nil, nil
	if got, alone := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", alone); got != alone {
		return describe(fmt.Errorf("facts: got %s, alone %s", got, alone))
	}
	tally, other := *p.Tally(), *q.Tally()
	tally.Agent, other.Agent = nil, nil
	if !reflect.DeepEqual(tally, other) {
		return describe(fmt.Errorf("tally: got %+v, alone %+v", tally, other))
	}
	return nil
}

func (a *alone) programIndex(i int) int {
	for j, p := range alonePrograms() {
		if p == a.current[i] {
			return j
		}
	}
	return -1
}

// release has a producer release what it can, and decodes each set alone.
func (a *alone) release(i int) error {
	p := a.prods[i]
	waiting := p.WaitingSets()
	if len(waiting) == 0 {
		return nil
	}
	// The sets that wait are cloned: their memory is used again.
	for k, w := range waiting {
		w.Body = bytes.Clone(w.Body)
		waiting[k] = w
	}
	var failed error
	stores := map[*byte]*producer.TemplateStore{}
	stock := func() {
		for k, w := range waiting {
			var err error
			if stores[k], err = a.clone(w.Meta.Source.Addr(), &w.Key, w.Template); err != nil && failed == nil {
				failed = err
			}
		}
	}
	stock()
	before := p.Counters
	done := func(r *producer.Released) {
		left := p.WaitingSets()
		for k, w := range waiting {
			if _, still := left[k]; still || failed != nil {
				continue
			}
			delete(waiting, k)
			failed = a.released(p, i, r, w, stores[k], &before)
		}
		stock() // options data changes rates
		before = p.Counters
	}
	for turns := 0; p.Release(a.batch, 1<<20, done); turns++ {
		if turns > 1000 {
			return fmt.Errorf("no end of releases")
		}
	}
	return failed
}

// released compares what a set became with what it becomes alone.
func (a *alone) released(p *producer.Producer, i int, r *producer.Released, w producer.Waiting, store *producer.TemplateStore, before *producer.Counters) error {
	d := u32(nil, uint32(w.ExportNs/1e9), w.Sequence, w.Key.Domain)
	if w.Key.Version == 9 {
		d = join(u16(nil, 9, w.Count), u32(nil, w.UptimeMs, uint32(w.ExportNs/1e9), w.Sequence, w.Key.Domain), set(w.ID, w.Body))
	} else {
		d = join(u16(nil, 10, uint16(16+4+len(w.Body))), d, set(w.ID, w.Body))
	}
	w.Meta.Truncated = false
	q, want, _ := a.decode(store, a.current[i], w.Meta, d)
	a.stats.released++
	describe := func(err error) error {
		return fmt.Errorf("released set %d of %v, program %d: %w\n%x", w.ID, w.Meta.Source, a.programIndex(i), err, d)
	}
	if n := len(q.WaitingSets()); n != 0 {
		return describe(fmt.Errorf("alone it waits"))
	}
	if c := &q.Counters.Faults; c[producer.ReasonSmallRecords]+p.Counters.Faults[producer.ReasonSmallRecords]-before.Faults[producer.ReasonSmallRecords] > 0 {
		// How many there may be follows from the whole datagram.
		if err := a.prefix(a.batch.Records()-r.Records, want); err != nil {
			return describe(err)
		}
		return nil
	}
	if err := a.same(a.batch.Records()-r.Records, want); err != nil {
		return describe(err)
	}
	if r.Meta.Source != w.Meta.Source || r.Meta.ReceivedNs != w.Meta.ReceivedNs || r.Sequence != w.Sequence {
		return describe(fmt.Errorf("said to be of %+v, %d", r.Meta, r.Sequence))
	}
	now := p.Counters
	if now.Sampling != sumOf(before.Sampling, q.Counters.Sampling) || now.OptionsRecords != before.OptionsRecords+q.Counters.OptionsRecords {
		return describe(fmt.Errorf("counters: before %+v, now %+v, alone %+v", before, now, q.Counters))
	}
	return nil
}

// TestAlone runs sequences of random bytes, the same each time.
func TestAlone(t *testing.T) {
	n := uint64(1500)
	if testing.Short() || raceDetector {
		n = 300
	}
	var all aloneStats
	for seed := range n {
		a := newAlone(randomBytes(seed, 400))
		if err := a.run(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		s := &a.stats
		all = aloneStats{all.datagrams + s.datagrams, all.messages + s.messages, all.waited + s.waited, all.released + s.released, all.swaps + s.swaps, all.exact + s.exact}
	}
	t.Logf("%+v", all)
	if all.messages < all.datagrams/2 || all.waited < all.datagrams/20 || all.released < all.waited/10 || all.swaps < all.datagrams/40 || all.exact < all.datagrams/2 {
		t.Errorf("too little of something: %+v", all)
	}
}

// FuzzAlone does so with the bytes of the fuzzer.
func FuzzAlone(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(randomBytes(seed, 100+10*int(seed)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := newAlone(b[:min(len(b), 2000)]).run(); err != nil {
			t.Fatal(err)
		}
	})
}
