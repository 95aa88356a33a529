package producer_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

var roomy = producer.HeldLimits{Bytes: 4 << 20, Sets: 1000, AgeNs: 10e9}

// sums says whether the ledger adds up at this moment.
func sums(c *producer.Counters) error {
	received, held := producer.Sum(c.Datagrams[:]), c.Held.Datagrams
	decoded, failed := producer.Sum(c.Decoded[:]), producer.Sum(c.Failed[:])
	if received != decoded+failed+held {
		return fmt.Errorf("received %d != decoded %d + failed %d + held %d", received, decoded, failed, held)
	}
	h := &c.Held
	if h.Kept != h.Sets+h.Released+h.Expired {
		return fmt.Errorf("sets kept %d != %d waiting + %d released + %d expired", h.Kept, h.Sets, h.Released, h.Expired)
	}
	if h.Datagrams > h.Sets {
		return fmt.Errorf("%d datagrams held with %d sets", h.Datagrams, h.Sets)
	}
	return nil
}

// holder decodes with data held, fast and slow.
type holder struct {
	slow  *slow
	store *producer.TemplateStore
	prod  *producer.Producer
	batch *producer.Batch
}

func newHolder(rate uint64, room *producer.Held, store *producer.TemplateStore) *holder {
	h := &holder{slow: newSlow(rate), store: store, batch: producer.NewBatch(0, 64<<10)}
	h.slow.held = &slowHeld{}
	h.prod = producer.New(producer.Config{Format: producer.FormatBin, SamplingRate: rate, Held: room}, store)
	return h
}

// decode gives one datagram to both, and has both release what can be.
func (h *holder) decode(a arrival) ([]*flowpb.FlowMessage, producer.Result, error) {
	h.batch.Reset()
	want := h.slow.datagram(a.meta, a.data)
	want = append(want, h.slow.release()...)
	res := h.prod.Datagram(h.batch, a.meta, a.data)
	if err := sums(&h.prod.Counters); err != nil {
		return nil, res, err
	}
	var failed error
	for h.prod.Release(h.batch, 1<<30, func(*producer.Released) {
		if err := sums(&h.prod.Counters); err != nil && failed == nil {
			failed = err
		}
	}) {
	}
	if failed != nil {
		return nil, res, failed
	}
	if got := int(h.prod.Counters.Held.Sets); got != len(h.slow.held.sets) {
		return nil, res, fmt.Errorf("%d sets wait, want %d", got, len(h.slow.held.sets))
	}
	if got := h.batch.Records(); got != len(want) {
		return nil, res, fmt.Errorf("got %d records, want %d", got, len(want))
	}
	for i, m := range want {
		if err := checkBin(h.batch.Message(i), m); err != nil {
			return nil, res, fmt.Errorf("record %d: %w", i, err)
		}
	}
	if got := producer.Sum(h.prod.Counters.Records[:]); got < uint64(len(want)) {
		return nil, res, fmt.Errorf("%d records counted", got)
	}
	return want, res, nil
}

// TestHeldAgrees has the scenarios come in every rotation and backwards, so that
// templates come late.
func TestHeldAgrees(t *testing.T) {
	released := uint64(0)
	for _, s := range scenarios() {
		n := len(s.datagrams)
		for turn := range 2 * n {
			var all [][]byte
			for i := range n {
				if turn < n {
					all = append(all, s.datagrams[(turn+i)%n])
				} else {
					all = append(all, s.datagrams[(turn-i)%n])
				}
			}
			h := newHolder(3, producer.NewHeld(roomy), producer.NewStore(template.DefaultLimits()))
			for i, a := range arrivals(append(all, all...)...) {
				if _, _, err := h.decode(a); err != nil {
					t.Fatalf("%s, turn %d, datagram %d: %v", s.name, turn, i, err)
				}
			}
			released += h.prod.Counters.Held.Released
		}
	}
	if released == 0 {
		t.Error("nothing was ever released")
	}
}

func TestHeldOrder(t *testing.T) {
	room := producer.NewHeld(roomy)
	h := newHolder(0, room, producer.NewStore(template.DefaultLimits()))
	step := func(held bool, datagram []byte, at int64, want ...uint64) {
		t.Helper()
		a := arrivals(datagram)[0]
		a.meta.ReceivedNs += at
		flows, res, err := h.decode(a)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, f := range flows {
			got = append(got, f.TimeReceivedNs-receivedNs)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || res.Held != held || held && (res.Decoded || res.Records != 0) {
			t.Fatalf("got flows received at %v (%+v), want %v, held %v", got, res, want, held)
		}
	}
	step(true, ipfix(set(256, flowRecord(1), flowRecord(2))), 1)
	step(true, ipfix(set(256, flowRecord(3)), set(257, flowRecord(9))), 2)
	step(true, ipfix(set(257, flowRecord(9))), 3)
	// The data in the announcement's own datagram comes after what waited.
	step(false, ipfix(set(2, tpl(256, flowFields...)), set(256, flowRecord(4))), 4, 1, 1, 2, 4)
	step(false, ipfix(set(256, flowRecord(5))), 5, 5)
	step(false, ipfix(set(2, tpl(257, flowFields...))), 6, 2, 3)
	c := &h.prod.Counters
	equal(t, "kept", c.Held.Kept, 5)
	equal(t, "released", c.Held.Released, 5)
	equal(t, "decoded", c.Decoded[producer.ReasonNone], 6)
	equal(t, "without template", c.SetsWithoutTemplate, 0)
	equal(t, "holds", h.prod.Holds(), false)
	equal(t, "batch's first", h.batch.FirstNs, receivedNs+2)
}

// TestHeldOptions: options data waits too, and says the rate of what follows.
func TestHeldOptions(t *testing.T) {
	h := newHolder(0, producer.NewHeld(roomy), producer.NewStore(template.DefaultLimits()))
	for _, d := range [][]byte{
		ipfix(set(300, u32(nil, 7, 1000))),
		ipfix(set(3, opt(300, 1, 149, 4, 34, 4))),
	} {
		if _, _, err := h.decode(arrivals(d)[0]); err != nil {
			t.Fatal(err)
		}
	}
	flows, _, err := h.decode(arrivals(ipfix(set(2, tpl(256, flowFields...)), set(256, flowRecord(1))))[0])
	if err != nil || len(flows) != 1 || flows[0].SamplingRate != 1000 {
		t.Fatalf("%v, %v", flows, err)
	}
	equal(t, "options records", h.prod.Counters.OptionsRecords, 1)
}

func TestHeldExpires(t *testing.T) {
	p := producer.New(producer.Config{Held: producer.NewHeld(roomy)}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<10)
	at := func(seconds int64) producer.Meta {
		return producer.Meta{Source: v4source, ReceivedNs: receivedNs + seconds*1e9}
	}
	var ends []producer.Released
	note := func(r *producer.Released) { ends = append(ends, *r) }
	p.Datagram(batch, at(0), ipfix(set(256, flowRecord(1)), set(257, flowRecord(1))))
	p.Datagram(batch, at(5), ipfix(set(2, tpl(300, flowFields...)), set(256, flowRecord(1))))
	p.Datagram(batch, at(6), ipfix(set(2, tpl(257, flowFields...))))
	p.Release(batch, 1<<20, note)
	equal(t, "held datagrams, one decoded by its other set", p.Counters.Held.Datagrams, 0)
	p.Datagram(batch, at(7), ipfix(set(256, flowRecord(1))))
	equal(t, "held datagrams", p.Counters.Held.Datagrams, 1)
	p.Expire(receivedNs+9e9, note)
	equal(t, "ended before their time", len(ends), 1)
	p.Expire(receivedNs+16e9, note)
	equal(t, "ended at 16s", len(ends), 3)
	p.Abandon(note)
	equal(t, "ended", len(ends), 4)
	last := ends[3]
	if !last.Expired || !last.Failed || last.Meta != at(7) || last.Sequence != 88 || last.Protocol != producer.ProtocolIPFIX || ends[1].Failed || !ends[0].Decoded || ends[0].Records != 1 || ends[0].DataRecords != 1 {
		t.Errorf("%+v", ends)
	}
	if err := sums(&p.Counters); err != nil {
		t.Error(err)
	}
	equal(t, "failed", p.Counters.Failed[producer.ReasonTemplateMissing], 1)
	equal(t, "without template", p.Counters.SetsWithoutTemplate, 3)
	equal(t, "expired", p.Counters.Held.Expired, 3)
	// A clock that was set back ends the wait as well.
	p.Datagram(batch, at(3600), ipfix(set(256, flowRecord(1))))
	p.Expire(receivedNs, nil)
	equal(t, "holds", p.Holds(), false)
}

// TestHeldLimits reaches each limit of the room that producers share.
func TestHeldLimits(t *testing.T) {
	big := make([]byte, 60000)
	source := func(i int) producer.Meta {
		return producer.Meta{Source: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1), ReceivedNs: receivedNs}
	}
	for name, tc := range map[string]struct {
		limits producer.HeldLimits
		data   []byte
		one    bool // one exporter
		kept   uint64
	}{
		"sets":            {producer.HeldLimits{Bytes: 64 << 20, Sets: 10, AgeNs: 1}, big[:100], false, 10},
		"bytes":           {producer.HeldLimits{Bytes: 1 << 20, Sets: 1000, AgeNs: 1}, big, false, 16},
		"one exporter":    {producer.HeldLimits{Bytes: 1 << 20, Sets: 1000, AgeNs: 1}, big, true, 2},
		"small bytes":     {producer.HeldLimits{Bytes: 1 << 20, Sets: 1 << 20, AgeNs: 1}, big[:1000], false, 8 * 131},
		"nothing is held": {producer.HeldLimits{}, big, false, 0},
	} {
		room := producer.NewHeld(tc.limits)
		store := producer.NewStore(template.DefaultLimits())
		var all producer.Counters
		producers := []*producer.Producer{}
		batch := producer.NewBatch(0, 1<<10)
		for range 2 {
			producers = append(producers, producer.New(producer.Config{Held: room}, store))
		}
		const datagrams = 3000
		for i := range datagrams {
			from := i / 2
			if tc.one {
				from = 0
			}
			producers[i%2].Datagram(batch, source(from), ipfix(set(256, tc.data)))
		}
		for _, p := range producers {
			all.Add(&p.Counters)
		}
		if err := sums(&all); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantKept := tc.kept
		if name == "one exporter" {
			wantKept *= 2 // a producer has a list of its own
		}
		overflow := datagrams - wantKept
		if tc.kept == 0 {
			overflow = 0
		}
		if all.Held.Kept != wantKept || all.Held.Overflow != overflow || all.SetsWithoutTemplate != datagrams-wantKept {
			t.Errorf("%s: kept %d, want %d; %+v, without %d", name, all.Held.Kept, wantKept, all.Held, all.SetsWithoutTemplate)
		}
		// All comes free again.
		for range 3 {
			for _, p := range producers {
				p.Abandon(nil)
				before := p.Counters.Held.Kept
				p.Datagram(batch, source(1), ipfix(set(256, big[:100])))
				if kept := p.Counters.Held.Kept - before; (kept == 1) != (room != nil) {
					t.Errorf("%s: no room after all was given up", name)
				}
			}
		}
	}
}

// TestHeldByAnother: data that one worker holds is decoded once another has
// learned the template, also where that one learned more than is remembered.
func TestHeldByAnother(t *testing.T) {
	for _, ports := range []template.Ports{template.PortsOff, template.PortsOn, template.PortsAuto} {
		for _, others := range []int{0, 3000} {
			store := producer.NewStore(template.DefaultLimits())
			store.UsePorts(ports)
			room := producer.NewHeld(roomy)
			holds := producer.New(producer.Config{Held: room}, store)
			learns := producer.New(producer.Config{Held: room}, store)
			batch := producer.NewBatch(0, 1<<10)
			meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
			holds.Datagram(batch, meta, ipfix(set(256, flowRecord(1))))
			holds.Release(batch, 1<<20, nil)
			for i := range others {
				learns.Datagram(batch, meta, ipfixDomain(uint32(100+i), set(2, tpl(256, flowFields...))))
			}
			learns.Datagram(batch, meta, ipfix(set(2, tpl(256, flowFields...))))
			equal(t, "records before", batch.Records(), 0)
			holds.Release(batch, 1<<20, nil)
			equal(t, "records", batch.Records(), 1)
		}
	}
}

// TestHeldWithdrawn: data that came after a withdrawal waits for the next
// template and is not decoded by the old one.
func TestHeldWithdrawn(t *testing.T) {
	h := newHolder(0, producer.NewHeld(roomy), producer.NewStore(template.DefaultLimits()))
	records := 0
	for _, d := range [][]byte{
		ipfix(set(256, flowRecord(1))),
		ipfix(set(2, tpl(256, flowFields...)), set(2, tpl(256)), set(256, make([]byte, 8))),
		ipfix(set(2, tpl(256, 8, 4)), set(256, make([]byte, 4)), set(2, tpl(256, 1, 2)), set(256, make([]byte, 6))),
	} {
		flows, _, err := h.decode(arrivals(d)[0])
		if err != nil {
			t.Fatal(err)
		}
		records += len(flows)
	}
	equal(t, "records", records, 1+2+1+3)
}

// TestReleaseInPieces: a batch is not filled beyond its size by what waited.
func TestReleaseInPieces(t *testing.T) {
	limits := roomy
	limits.Sets = 8 * 200 // one template may have an eighth
	p := producer.New(producer.Config{Held: producer.NewHeld(limits)}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 64<<10)
	meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
	for range 200 {
		p.Datagram(batch, meta, ipfix(set(256, flowRecord(1), flowRecord(2))))
	}
	p.Datagram(batch, meta, ipfix(set(2, tpl(256, flowFields...))))
	rounds, records := 0, 0
	for more := true; more; rounds++ {
		more = p.Release(batch, 10<<10, nil)
		if len(batch.Buf) > 16<<10 {
			t.Fatalf("a batch of %d bytes", len(batch.Buf))
		}
		records += batch.Records()
		batch.Reset()
	}
	equal(t, "records", records, 400)
	if rounds < 10 {
		t.Errorf("%d rounds", rounds)
	}
}

// TestHeldChurn compares the sums after each step of random datagrams of many
// exporters, with short limits of all kinds, by two producers that share a store.
func TestHeldChurn(t *testing.T) {
	for _, ports := range []template.Ports{template.PortsOff, template.PortsOn, template.PortsAuto} {
		churn(t, rand.New(rand.NewPCG(1, uint64(ports))), ports, 20_000)
	}
}

func churn(t *testing.T, r *rand.Rand, ports template.Ports, steps int) {
	t.Helper()
	c := newChurner(ports)
	for range steps {
		id := 256 + uint16(r.IntN(3))
		var d []byte
		switch r.IntN(6) {
		case 0:
			d = ipfix(set(2, tpl(id, flowFields[:2*(1+r.IntN(8))]...)))
		case 1:
			d = ipfix(set(2, tpl(id)))
		case 2:
			d = ipfix(set(3, opt(id, 1, 302, 2, 34, 2)))
		default:
			d = ipfix(set(id, make([]byte, r.IntN(60))), set(256+uint16(r.IntN(3)), make([]byte, r.IntN(60))))
		}
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(8))}), 1+uint16(r.IntN(2)))
		if err := c.step(from, d, r.Int64N(3e8)); err != nil {
			t.Fatalf("policy %d: %v", ports, err)
		}
	}
	if err := c.end(); err != nil {
		t.Fatalf("policy %d: %v", ports, err)
	}
	h, totals := c.all().Held, c.store.Totals()
	if h.Released == 0 || h.Expired == 0 || h.Overflow == 0 || totals.Evicted == 0 || totals.Expired == 0 {
		t.Errorf("policy %d: not all happened: %+v, %+v", ports, h, totals)
	}
}

// churner is two producers with a common store whose limits are all short.
type churner struct {
	store *producer.TemplateStore
	prods [2]*producer.Producer
	batch *producer.Batch
	nowNs int64
	steps int
}

func newChurner(ports template.Ports) *churner {
	c := &churner{nowNs: receivedNs, batch: producer.NewBatch(0, 64<<10)}
	c.store = producer.NewStore(template.Limits{Domains: 6, TemplatesPerDomain: 2, FieldsPerTemplate: 6, Bytes: 12 << 10, Samplers: 4})
	c.store.UsePorts(ports)
	room := producer.NewHeld(producer.HeldLimits{Bytes: 1 << 20, Sets: 12, AgeNs: 2e9})
	for i := range c.prods {
		c.prods[i] = producer.New(producer.Config{Format: producer.FormatBin, Held: room}, c.store)
	}
	return c
}

func (c *churner) all() *producer.Counters {
	var sum producer.Counters
	for _, p := range c.prods {
		sum.Add(&p.Counters)
	}
	return &sum
}

// step gives a datagram to one of the producers, some time later.
func (c *churner) step(from netip.AddrPort, data []byte, laterNs int64) error {
	c.nowNs += laterNs
	c.steps++
	p := c.prods[c.steps%2]
	c.batch.Reset()
	before := producer.Sum(p.Counters.Records[:])
	p.Datagram(c.batch, producer.Meta{Source: from, ReceivedNs: c.nowNs}, data)
	p.Expire(c.nowNs, nil)
	for p.Release(c.batch, 1<<30, nil) {
	}
	if got := producer.Sum(p.Counters.Records[:]) - before; got != uint64(c.batch.Records()) {
		return fmt.Errorf("step %d: %d records counted, %d in the batch", c.steps, got, c.batch.Records())
	}
	if c.steps%7 == 0 {
		c.store.Expire(c.nowNs, 3e9, c.steps%2 == 0)
	}
	return sums(&p.Counters)
}

// end gives up what waits.
func (c *churner) end() error {
	for _, p := range c.prods {
		p.Abandon(nil)
	}
	all := c.all()
	if all.Held.Sets != 0 || all.Held.Bytes != 0 || all.Held.Datagrams != 0 {
		return fmt.Errorf("something waits still: %+v", all.Held)
	}
	if n := c.store.Totals().Domains; n > c.store.Limits().Domains {
		return fmt.Errorf("%d domains", n)
	}
	return sums(all)
}

// TestHoldingDoesNotAllocate: what waits goes into memory that is there.
func TestHoldingDoesNotAllocate(t *testing.T) {
	p := producer.New(producer.Config{Format: producer.FormatBin, Held: producer.NewHeld(roomy)}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 64<<10)
	meta := producer.Meta{Source: v4source, ReceivedNs: receivedNs}
	known := ipfix(set(256, flowRecord(1)))
	unknown := ipfix(set(300, flowRecord(1)))
	p.Datagram(batch, meta, ipfix(set(2, tpl(256, flowFields...))))
	other := ipfix(set(301, flowRecord(1)))
	p.Datagram(batch, meta, other) // one is always waiting
	round := func() {
		batch.Reset()
		p.Datagram(batch, meta, known)
		p.Datagram(batch, meta, unknown)
		p.Datagram(batch, meta, unknown)
		p.Abandon(nil)
		p.Datagram(batch, meta, other)
	}
	for range 10 {
		round()
	}
	if n := testing.AllocsPerRun(100, round); n != 0 && !raceDetector {
		t.Errorf("%v allocations", n)
	}
}

// TestHeldShares: however many sets one template, or one address, sends, and in
// however few datagrams, others find room to wait.
func TestHeldShares(t *testing.T) {
	limits := producer.HeldLimits{Bytes: 4 << 20, Sets: 1600, AgeNs: 10e9}
	source := func(i int) producer.Meta {
		return producer.Meta{Source: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1), ReceivedNs: receivedNs}
	}
	for name, tc := range map[string]struct {
		ids, size, producers int // a producer has a list of its own
		kept                 uint64
	}{
		"sets of a template":   {1, 1, 1, 200},
		"sets of an address":   {50, 1, 2, 400},
		"bytes of a template":  {1, 10_000, 1, 52},
		"bytes of an address":  {50, 10_000, 2, 104},
		"sets of two, in turn": {2, 1, 2, 400},
	} {
		room := producer.NewHeld(limits)
		store := producer.NewStore(template.DefaultLimits())
		batch := producer.NewBatch(0, 1<<10)
		var all producer.Counters
		for range tc.producers {
			p := producer.New(producer.Config{Held: room}, store)
			for i := range 2000 / min(tc.ids, 50) {
				var sets [][]byte
				for id := range tc.ids {
					sets = append(sets, set(256+uint16((id+i)%tc.ids), make([]byte, tc.size)))
				}
				for len(sets) > 0 { // as many as a datagram has room for
					n := min(len(sets), max(60_000/(tc.size+4), 1))
					p.Datagram(batch, source(1), ipfix(sets[:n]...))
					sets = sets[n:]
				}
			}
			all.Add(&p.Counters)
			defer p.Abandon(nil)
		}
		equal(t, name+": kept", all.Held.Kept, tc.kept)
		other := producer.New(producer.Config{Held: room}, store)
		for i := range 20 {
			other.Datagram(batch, source(2+i), ipfix(set(256, make([]byte, 100))))
		}
		equal(t, name+": kept of others", other.Counters.Held.Kept, 20)
		other.Abandon(nil)
	}
}

// TestHeldCompact: what still waits after most has expired is released in order.
func TestHeldCompact(t *testing.T) {
	limits := producer.HeldLimits{Bytes: 64 << 20, Sets: 80_000, AgeNs: 10e9}
	p := producer.New(producer.Config{Format: producer.FormatBin, Held: producer.NewHeld(limits)}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 64<<10)
	at := func(n int64) producer.Meta { return producer.Meta{Source: v4source, ReceivedNs: receivedNs + n} }
	const sets, left = 9000, 30
	for i := range int64(sets) {
		p.Datagram(batch, at(i), ipfix(set(256+uint16(i%3), flowRecord(1)), set(300, flowRecord(1))))
	}
	p.Expire(receivedNs+limits.AgeNs+sets-left-1, nil)
	equal(t, "sets that wait", p.Counters.Held.Sets, 2*left)
	var got []int64
	note := func(r *producer.Released) { got = append(got, r.Meta.ReceivedNs-receivedNs) }
	for id := range uint16(3) {
		p.Datagram(batch, at(sets), ipfix(set(2, tpl(256+id, flowFields...))))
		p.Release(batch, 1<<20, note)
	}
	for i, n := range got {
		if want := int64(sets - left + i%10*3 + i/10); n != want {
			t.Fatalf("release %d is of datagram %d, want %d", i, n, want)
		}
	}
	equal(t, "released", len(got), left)
	p.Abandon(nil)
	equal(t, "holds", p.Holds(), false)
	if err := sums(&p.Counters); err != nil {
		t.Error(err)
	}
}
