package template_test

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
)

const (
	second = int64(time.Second)
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
)

// source returns the key of the i-th exporter.
func source(i int) *template.Key {
	k := &template.Key{Version: template.V9}
	binary.BigEndian.PutUint64(k.Exporter[8:], uint64(i))
	return k
}

// announce makes the domain of the i-th exporter, with one template.
func announce(s *template.Store[any], i int, nowNs int64) *template.Domain[any] {
	d := s.Domain(source(i), nowNs)
	if d != nil {
		d.Put(data(256, 8, 4), 0, nowNs)
	}
	return d
}

// use notes that a data set of the domain was decoded.
func use(d *template.Domain[any], nowNs int64) { d.Used(d.Template(256), 1, nowNs) }

func known(s *template.Store[any], i int) bool {
	d := s.Lookup(source(i))
	return d != nil && d.Template(256) != nil
}

func TestEvictionOrder(t *testing.T) {
	limits := template.DefaultLimits()
	limits.Domains = 4
	s := template.NewStore[any](limits, nil)
	now := hour
	use(announce(s, 1, now), now) // in use for long
	use(s.Lookup(source(1)), now+3*minute)
	now += 3 * minute
	use(announce(s, 2, now), now)          // used, first
	use(announce(s, 3, now), now+second)   // used, later
	announce(s, 4, now)                    // never used
	announce(s, 5, now+2*second)           // pushes 4 out
	announce(s, 6, now+2*second)           // pushes 5 out
	use(s.Lookup(source(6)), now+3*second) // now all are used
	announce(s, 7, now+4*second)           // pushes 2 out
	want := map[int]bool{1: true, 2: false, 3: true, 4: false, 5: false, 6: true, 7: true}
	for i, is := range want {
		if known(s, i) != is {
			t.Errorf("domain %d: known %v, want %v", i, known(s, i), is)
		}
	}
	if got := s.Totals(); got.Evicted != 3 || got.EvictedTemplates != 3 || got.Domains != 4 || got.Templates != 4 {
		t.Errorf("totals %+v", got)
	}
	// One that is used over some time stays before those used once, later.
	use(s.Lookup(source(3)), now+10*second)
	for i := 10; i < 30; i++ {
		use(announce(s, i, now+20*second), now+20*second+int64(i))
	}
	if !known(s, 3) || !known(s, 1) || !known(s, 29) {
		t.Error("a domain that is used again and again made room for others")
	}
	for _, i := range []int{6, 7} { // in the place of two of those
		use(announce(s, i, now+30*second), now+30*second)
	}
	now += 30 * second
	// Where all are in use, the newcomer is refused.
	for _, i := range []int{1, 3, 6, 7} {
		use(s.Lookup(source(i)), now+5*second)
		use(s.Lookup(source(i)), now+4*minute)
	}
	if d := announce(s, 8, now+4*minute); d != nil {
		t.Error("a domain in use made room")
	}
	// Until one was not used for long.
	for _, i := range []int{1, 3, 6} {
		use(s.Lookup(source(i)), now+2*hour)
	}
	if d := announce(s, 8, now+2*hour); d == nil || known(s, 7) || !known(s, 1) {
		t.Error("a domain that was not used for an hour made no room")
	}
}

// TestSpoofedSources: however many forged sources announce templates, and send
// data, those in use stay, and each of their look-ups succeeds meanwhile.
func TestSpoofedSources(t *testing.T) {
	limits := template.DefaultLimits()
	limits.Domains = 1000
	s := template.NewStore[any](limits, nil)
	now := hour
	const live = 100
	for i := range live {
		d := announce(s, i, now)
		use(d, now)
		use(d, now+3*minute)
	}
	now += 3 * minute
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if !known(s, i%live) {
					t.Errorf("domain %d was evicted", i%live)
					return
				}
			}
		})
	}
	for i := range 30_000 {
		d := announce(s, 1000+i, now)
		if d == nil {
			t.Fatal("no room")
		}
		if i%3 == 0 {
			use(d, now)
		}
		now += int64(time.Millisecond)
		if i%100 == 0 {
			for j := range live {
				use(s.Lookup(source(j)), now)
			}
		}
	}
	close(stop)
	readers.Wait()
	got := s.Totals()
	if got.Domains != 1000 || got.Evicted != 30_000+live-1000 || len(s.Domains()) != 1000 {
		t.Errorf("totals %+v, %d domains listed", got, len(s.Domains()))
	}
}

// TestTotals compares the totals with what is there after many changes of all
// kinds, where bytes and domains are short.
func TestTotals(t *testing.T) {
	limits := template.Limits{Domains: 30, TemplatesPerDomain: 5, FieldsPerTemplate: 10, Bytes: 64 << 10, Samplers: 40}
	for _, ports := range []template.Ports{template.PortsOff, template.PortsOn, template.PortsAuto} {
		s := template.NewStore[any](limits, nil)
		s.UsePorts(ports)
		r := rand.New(rand.NewPCG(1, uint64(ports)))
		now := hour
		refused := map[template.Fault]int{}
		for range 30_000 {
			now += r.Int64N(second)
			k := source(r.IntN(60))
			k.Port = uint16(1 + r.IntN(3))
			d := s.Domain(k, now)
			if d == nil {
				refused[template.FaultDomainLimit]++
				continue
			}
			var def *template.Definition
			switch n := r.IntN(20); {
			case n < 12:
				fields := make([]uint16, 2*(1+r.IntN(12)))
				for i := range fields {
					fields[i] = uint16(1 + r.IntN(4))
				}
				def = data(256+uint16(r.IntN(7)), fields...)
			case n == 12:
				def = define(template.IPFIX, false, words(2, 0))
			case n == 13:
				def = define(template.IPFIX, true, words(400+uint16(r.IntN(3)), 2, 1, 1, 4, 2, 4))
			case n == 14:
				d.Sampling().SetSampler(uint64(r.IntN(5)), 1)
				continue
			case n == 15 && r.IntN(50) == 0:
				s.Expire(now, minute, r.IntN(2) == 0)
				continue
			default:
				if tpl := d.Template(256 + uint16(r.IntN(7))); tpl != nil {
					d.Used(tpl, 1, now)
				}
				continue
			}
			change, fault := d.Put(def, k.Port, now)
			if change == template.Moved {
				if d = s.Domain(k, now); d != nil {
					_, fault = d.Put(def, k.Port, now)
				}
			}
			refused[fault]++
		}
		got := s.Totals()
		var want template.Totals
		for _, d := range s.Domains() {
			want.Domains++
			want.Templates += len(d.Templates())
			d.Sampling().EachSampler(func(uint64, uint64) { want.Samplers++ })
			for _, tpl := range d.Templates() {
				if k := d.Key(); (ports == template.PortsOff) != (k.Port == 0) || tpl == nil {
					t.Errorf("policy %d: key %+v", ports, k)
				}
			}
		}
		if got.Domains != want.Domains || got.Templates != want.Templates || got.Samplers != want.Samplers {
			t.Errorf("policy %d: totals %+v, counted %+v", ports, got, want)
		}
		if got.Bytes > limits.Bytes || got.Domains > limits.Domains || got.Samplers > limits.Samplers {
			t.Errorf("policy %d: over the limits: %+v", ports, got)
		}
		if got.Evicted == 0 || got.Expired == 0 || refused[template.FaultTemplateFields] == 0 || (ports == template.PortsAuto) != (got.Split > 0) {
			t.Errorf("policy %d: not all limits were reached: %+v, %v", ports, got, refused)
		}
		// All that is left can be let go, and then nothing is.
		s.Expire(now+48*hour, minute, true)
		s.Expire(now+48*hour, minute, true)
		if got := s.Totals(); got.Templates != 0 || got.Bytes != int64(got.Domains)*512 || got.Samplers > 0 && got.Domains == 0 {
			t.Errorf("policy %d: after all expired: %+v", ports, got)
		}
	}
}

func TestByteLimits(t *testing.T) {
	limits := template.DefaultLimits()
	limits.Bytes = 1 << 20
	s := template.NewStore[any](limits, nil)
	d := announce(s, 1, 1)
	fault := template.FaultNone
	n := 0
	for fault == template.FaultNone && n < 4096 {
		n++
		id := 256 + uint16(n)
		if _, fault = d.Put(data(id, 8, 4), 0, 1); fault == template.FaultNone {
			d.Used(d.Template(id), 1, second)
		}
	}
	if fault != template.FaultTemplateBytes || n > 140 || n < 90 {
		t.Errorf("one domain got %d templates, then %v", n, fault)
	}
	// Templates that are not used make room in their domain.
	for i := range uint16(1000) {
		if _, fault = d.Put(data(5000+i, 8, 4), 0, hour+2*second); fault != template.FaultNone {
			t.Fatalf("template %d after an hour without use: %v", i, fault)
		}
	}
	// Others evict what is not in use.
	for i := range 1000 {
		if d := announce(s, 2+i, 1); d == nil || d.Template(256) == nil {
			t.Fatalf("domain %d: no room", i)
		}
	}
	if got := s.Totals(); got.Bytes > 1<<20 || got.Evicted == 0 {
		t.Errorf("%+v", got)
	}
}

// TestSharedBytes: what templates share counts once, for as long as one of them is
// there, whichever came first.
func TestSharedBytes(t *testing.T) {
	s := template.NewStore[any](template.DefaultLimits(), func(t *template.Template[any]) any { return t.Fields[0] })
	a, b := s.Domain(source(1), 1), s.Domain(source(2), 1)
	empty := s.Totals().Bytes
	a.Put(data(256, 8, 4), 0, 1)
	one := s.Totals().Bytes - empty
	b.Put(data(300, 8, 4), 0, 1)
	two := s.Totals().Bytes - empty
	a.Put(define(template.IPFIX, false, words(256, 0)), 0, 1)
	if left := s.Totals().Bytes - empty; left != one || two >= 2*one || two <= one {
		t.Errorf("one template takes %d bytes, two %d, without the first %d", one, two, left)
	}
	b.Put(data(300, 12, 4), 0, 1)
	if got := s.Totals().Bytes - empty; got != one {
		t.Errorf("another one takes %d, want %d", got, one)
	}
	b.Put(define(template.IPFIX, false, words(300, 0)), 0, 1)
	if got := s.Totals().Bytes; got != empty {
		t.Errorf("%d bytes are left, want %d", got, empty)
	}
}

func TestExpire(t *testing.T) {
	s := template.NewStore[any](template.DefaultLimits(), nil)
	d, other := announce(s, 1, 10*minute), announce(s, 2, 10*minute)
	d.Put(data(257, 8, 4), 0, 20*minute)
	held := d.Template(256)
	use(d, 25*minute)
	if n := s.Expire(30*minute, 10*minute, true); n != 1 || d.Template(256) != held || s.Lookup(source(2)) != nil {
		t.Errorf("%d expired with use counted", n)
	}
	if n := s.Expire(30*minute, 10*minute, false); n != 1 || d.Template(256) != nil || d.Template(257) == nil {
		t.Errorf("%d expired", n)
	}
	if held.Length != 4 {
		t.Error("a template that is still held changed")
	}
	// A writer that holds a domain that is gone is told to ask again.
	if c, _ := other.Put(data(256, 8, 4), 0, 30*minute); c != template.Moved {
		t.Errorf("put into a domain that is gone: %v", c)
	}
	if d := announce(s, 2, 30*minute); d == other || d.Template(256) == nil {
		t.Error("not made anew")
	}
	if got := s.Totals(); got.Expired != 2 || got.Templates != 2 {
		t.Errorf("%+v", got)
	}
}

func TestSamplerLimit(t *testing.T) {
	limits := template.DefaultLimits()
	limits.Samplers = 3
	limits.Domains = 2
	s := template.NewStore[any](limits, nil)
	a, b := announce(s, 1, 1).Sampling(), announce(s, 2, 1).Sampling()
	if !a.SetSampler(1, 1) || !a.SetSampler(2, 1) || !b.SetSampler(1, 1) || b.SetSampler(2, 1) || !b.SetSampler(1, 5) {
		t.Error("the limit does not hold")
	}
	announce(s, 3, 1) // evicts 1
	if !b.SetSampler(2, 1) || a.SetSampler(9, 1) {
		t.Error("entries of an evicted domain are not given back")
	}
}

func TestNews(t *testing.T) {
	s := template.NewStore[any](template.DefaultLimits(), nil)
	var got []uint16
	note := func(_ template.Key, id uint16) { got = append(got, id) }
	since := s.Added()
	d := announce(s, 1, 1)
	d.Put(data(256, 8, 4, 1, 4), 0, 1) // replaced: it was known
	d.Put(data(300, 8, 4), 0, 1)
	now, all := s.AddedSince(since, note)
	if all || now != s.Added() || len(got) != 2 || got[0] != 256 || got[1] != 300 {
		t.Errorf("%d, %v, %v", now, all, got)
	}
	for i := range uint16(2000) {
		d.Put(data(1000+i, 8, 4), 0, 1)
	}
	if _, all := s.AddedSince(now, note); !all || len(got) != 2 {
		t.Error("the ring does not say that it has forgotten")
	}
}

// TestUsedLately: of domains that were made first and are used all the time none makes
// room for those that were used once, from the first eviction on.
func TestUsedLately(t *testing.T) {
	limits := template.DefaultLimits()
	limits.Domains = 1000
	s := template.NewStore[any](limits, nil)
	now := hour
	const live = 4
	for i := range live {
		announce(s, i, now)
	}
	for i := range 5000 {
		now += int64(time.Millisecond) / 10
		if i%50 == 0 {
			for j := range live {
				if !known(s, j) {
					t.Fatalf("domain %d was evicted after %d others", j, i)
				}
				use(s.Lookup(source(j)), now)
			}
		}
		use(announce(s, 1000+i, now), now)
	}
}

// TestEvictionLayout: what is asked of a domain that might be evicted is in one cache line.
func TestEvictionLayout(t *testing.T) {
	const line = 64
	domain := reflect.TypeFor[template.Domain[any]]()
	lines := map[uintptr][]string{}
	for _, name := range []string{"firstUse", "lastUse", "place", "mates"} {
		f, ok := domain.FieldByName(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		for at := f.Offset / line; at <= (f.Offset+f.Type.Size()-1)/line; at++ {
			lines[at] = append(lines[at], name)
		}
	}
	if len(lines) != 1 {
		t.Errorf("in %d cache lines: %v; a domain has %d bytes", len(lines), lines, domain.Size())
	}
}
