package sequence

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// sender numbers datagrams by a habit.
type sender struct {
	kind     Kind
	habit    string // name of a hypothesis
	odd      func(records, templates int) uint32
	sequence uint32
	uptimeMs uint32
	nowNs    int64
	sent     int
	constant int // records of each; 0: any
	every    int // datagrams with templates; 0: none
	rnd      *rand.Rand
	unsure   float64
}

func newSender(kind Kind, habit string, seed uint64) *sender {
	return &sender{kind: kind, habit: habit, uptimeMs: 1000, nowNs: 1e18, rnd: rand.New(rand.NewPCG(seed, 1)), every: 20}
}

func hypothesisOf(kind Kind, habit string) *hypothesis {
	for i := range hypotheses[kind] {
		if hy := &hypotheses[kind][i]; hy.name == habit {
			return hy
		}
	}
	return nil
}

// next makes a datagram, and says how many units it has.
func (s *sender) next() (Observation, int) {
	o := Observation{NowNs: s.nowNs, UptimeMs: s.uptimeMs, HasUptime: s.kind != IPFIX, Records: uint16(1 + s.rnd.IntN(30))}
	if s.constant > 0 {
		o.Records = uint16(s.constant)
	}
	o.Flows = o.Records
	if s.kind == NetFlow9 || s.kind == IPFIX {
		if s.every > 0 && s.sent%s.every == 3 {
			o.Templates = 2
			o.Flows--
		}
		if s.every > 0 && s.sent%(2*s.every) == 7 {
			o.Templates, o.Records, o.Flows = 3, 0, 0
		}
	}
	count := uint32(0)
	if s.odd != nil {
		count = s.odd(int(o.Records), int(o.Templates))
		o.Sequence = s.sequence
		s.sequence += count
	} else {
		hy := hypothesisOf(s.kind, s.habit)
		h := o.hold(0)
		count = uint32(h.count[hy.measure])
		o.Sequence = s.sequence + count*hy.own
		s.sequence += count
	}
	if s.unsure > 0 && s.rnd.Float64() < s.unsure {
		o.Uncertain = true
		o.Records /= 2
		o.Flows = min(o.Flows, o.Records)
		count = 0
	}
	s.sent++
	s.uptimeMs += 10
	s.nowNs += 10e6
	return o, int(count)
}

// network drops, delays and repeats.
type network struct {
	drop, reorder, duplicate float64
	rnd                      *rand.Rand
	late                     []delayed
	lost                     int // units, but of the last datagrams
	pending                  int
	reordered, duplicated    int
}

type delayed struct {
	o  Observation
	in int
}

func (n *network) pass(o Observation, units int, deliver func(Observation)) {
	switch p := n.rnd.Float64(); {
	case p < n.drop:
		n.pending += units
		return
	case p < n.drop+n.reorder:
		n.late = append(n.late, delayed{o, 1 + n.rnd.IntN(8)})
		if units > 0 {
			n.reordered++
		}
		return
	}
	deliver(o)
	n.lost += n.pending
	n.pending = 0
	if n.rnd.Float64() < n.duplicate {
		deliver(o)
		if units > 0 {
			n.duplicated++
		}
	}
	kept := n.late[:0]
	for _, d := range n.late {
		if d.in--; d.in <= 0 {
			d.o.NowNs = o.NowNs
			deliver(d.o)
			continue
		}
		kept = append(kept, d)
	}
	n.late = kept
}

func (n *network) flush(deliver func(Observation)) {
	for _, d := range n.late {
		deliver(d.o)
	}
	n.late = nil
}

func near(got uint64, want int, share float64) bool {
	return math.Abs(float64(got)-float64(want)) <= share*float64(want)+2
}

func lostOf(c *Counts, unit Unit) (n uint64) {
	for p := range c.Lost {
		n += c.Lost[p][unit]
	}
	return n
}

func allLost(c *Counts) (n uint64) {
	for u := range NumUnits {
		n += lostOf(c, Unit(u))
	}
	return n
}

// datagrams is how many a test of habits sends.
const datagrams = 8000

// TestHabits: for every habit of every kind, what is injected is what is told.
func TestHabits(t *testing.T) {
	for kind := range NumKinds {
		for _, hy := range hypotheses[kind] {
			for _, rate := range []float64{0, 0.001, 0.01, 0.05} {
				for _, constant := range []int{0, 1, 30} {
					t.Run(fmt.Sprintf("%v/%s/%v/%d", Kind(kind), hy.name, rate, constant), func(t *testing.T) {
						s := newSender(Kind(kind), hy.name, 1)
						s.constant = constant
						s.sequence = math.MaxUint32 - 8000 // the number wraps
						n := &network{drop: rate, reorder: rate, duplicate: rate, rnd: rand.New(rand.NewPCG(2, 2))}
						table, set := NewTable(10), &Set{}
						key := Key{Kind: Kind(kind), Domain: 7}
						deliver := func(o Observation) { set.Observe(table, key, &o) }
						for i := range datagrams {
							o, units := s.next()
							n.pass(o, units, deliver)
							if i%100 == 99 {
								table.Sweep(s.nowNs, Network, false)
							}
						}
						n.flush(deliver)
						table.Sweep(s.nowNs, Network, true)
						c := set.Counts()
						info := set.Streams()[0]
						if rate > 0.001 && n.lost < 10 {
							t.Fatal("nothing was lost")
						}
						if !near(lostOf(&c, info.Unit), n.lost, 0.01) || lostOf(&c, info.Unit) != allLost(&c) {
							t.Errorf("lost %v, want %d %v", c.Lost, n.lost, hy.unit)
						}
						c.Reordered, c.Duplicates, c.Restarts = info.Reordered, info.Duplicates, info.Restarts
						if !near(c.Reordered, n.reordered, 0.02) || !near(c.Duplicates, n.duplicated, 0.02) || c.Restarts > 0 {
							t.Errorf("reordered %d, want %d; duplicates %d, want %d; restarts %d; strays %d",
								c.Reordered, n.reordered, c.Duplicates, n.duplicated, c.Restarts, info.Strays)
						}
						if constant == 0 && info.CountsBy != hy.name {
							t.Errorf("counts by %s", info.CountsBy)
						}
					})
				}
			}
		}
	}
}

// TestOddHabits: a way to count that nobody knows is never loss.
func TestOddHabits(t *testing.T) {
	for name, odd := range map[string]func(records, templates int) uint32{
		"templates count twice":      func(r, t int) uint32 { return uint32(r + 2*t) },
		"a message of templates one": func(r, t int) uint32 { return uint32(r + min(t, 1)) },
		"twice":                      func(r, _ int) uint32 { return uint32(2 * r) },
		"one to three":               func(r, _ int) uint32 { return uint32(r%3 + 1) },
		"never":                      func(int, int) uint32 { return 0 },
	} {
		for _, kind := range []Kind{NetFlow9, IPFIX} {
			t.Run(fmt.Sprint(name, kind), func(t *testing.T) {
				s := newSender(kind, "", 1)
				s.odd = odd
				table, set := NewTable(10), &Set{}
				for i := range 5000 {
					o, _ := s.next()
					set.Observe(table, Key{Kind: kind}, &o)
					if i%50 == 0 {
						table.Sweep(s.nowNs, Network, false)
					}
				}
				table.Sweep(s.nowNs, Network, true)
				c := set.Counts()
				if allLost(&c) != 0 {
					t.Errorf("lost %v by %s", c.Lost, set.Streams()[0].CountsBy)
				}
				t.Logf("%+v", set.Streams()[0])
			})
		}
	}
}

// TestUncertain: datagrams that could not be read whole are neither lost nor
// duplicates.
func TestUncertain(t *testing.T) {
	for _, hy := range hypotheses[IPFIX] {
		s := newSender(IPFIX, hy.name, 1)
		s.unsure = 0.2
		table, set := NewTable(10), &Set{}
		for range 5000 {
			o, _ := s.next()
			set.Observe(table, Key{Kind: IPFIX}, &o)
		}
		table.Sweep(s.nowNs, Network, true)
		c := set.Counts()
		if allLost(&c) != 0 || c.Duplicates+c.Restarts+c.Reordered > 0 || set.Streams()[0].CountsBy != hy.name {
			t.Errorf("%s: %+v, counts by %s", hy.name, c, set.Streams()[0].CountsBy)
		}
	}
}

// TestRestarts: an exporter that begins again lost nothing.
func TestRestarts(t *testing.T) {
	for kind := range NumKinds {
		for _, hy := range hypotheses[kind] {
			for _, after := range []int{40, 3000} {
				s := newSender(Kind(kind), hy.name, 1)
				table, set := NewTable(10), &Set{}
				for i := range 4 * after {
					if i%after == 0 && i > 0 {
						s.sequence, s.uptimeMs = 0, 10
						s.nowNs += 60e9
					}
					o, _ := s.next()
					set.Observe(table, Key{Kind: Kind(kind)}, &o)
				}
				table.Sweep(s.nowNs, Network, true)
				c, info := set.Counts(), set.Streams()[0]
				if allLost(&c) != 0 || info.Duplicates+info.Reordered > 0 || info.Restarts != 3 {
					t.Errorf("%v %s after %d: %+v", Kind(kind), hy.name, after, c)
				}
			}
		}
	}
}

// TestStray: a number from elsewhere is no loss and no restart.
func TestStray(t *testing.T) {
	s := newSender(NetFlow9, "datagrams", 1)
	table, set := NewTable(10), &Set{}
	for i := range 5000 {
		o, _ := s.next()
		set.Observe(table, Key{Kind: NetFlow9}, &o)
		if i%100 == 50 {
			stray := o
			stray.Sequence = rand.Uint32() | 1<<24
			set.Observe(table, Key{Kind: NetFlow9}, &stray)
		}
	}
	table.Sweep(s.nowNs, Network, true)
	c := set.Counts()
	if allLost(&c) != 0 || c.Duplicates+c.Reordered+c.Restarts > 0 || set.Streams()[0].Strays != 50 {
		t.Errorf("%+v, %+v", c, set.Streams()[0])
	}
}

// TestOutage: a long one is loss in full.
func TestOutage(t *testing.T) {
	for _, kind := range []Kind{NetFlow5, NetFlow9, IPFIX, SFlow} {
		hy := &hypotheses[kind][0]
		s := newSender(kind, hy.name, 1)
		table, set := NewTable(10), &Set{}
		want := 0
		for i := range 200_000 {
			o, units := s.next()
			if i > 1000 && i < 190_000 {
				want += units
				continue
			}
			set.Observe(table, Key{Kind: kind}, &o)
		}
		table.Sweep(s.nowNs, Network, true)
		if c := set.Counts(); lostOf(&c, hy.unit) != uint64(want) {
			t.Errorf("%v: %+v, want %d", kind, c, want)
		}
	}
}

// TestLossNeverTakenBack: what came late was not reported as lost meanwhile, but
// for what is on its way at the moment.
func TestLossNeverTakenBack(t *testing.T) {
	s := newSender(NetFlow9, "datagrams", 1)
	n := &network{drop: 0.02, reorder: 0.2, rnd: rand.New(rand.NewPCG(2, 2))}
	table, set := NewTable(10), &Set{}
	deliver := func(o Observation) { set.Observe(table, Key{Kind: NetFlow9}, &o) }
	last := uint64(0)
	for i := range 20_000 {
		o, units := s.next()
		n.pass(o, units, deliver)
		if i%100 == 0 {
			table.Sweep(s.nowNs, Network, false)
			c := set.Counts()
			if lost := lostOf(&c, Datagrams); lost < last || lost > uint64(n.lost+n.pending+8) {
				t.Fatalf("after %d: lost %d, before %d, injected %d", i, lost, last, n.lost)
			} else {
				last = lost
			}
		}
	}
}

// What a number that is as expected needs is in two cache lines, and a stream begins
// with one.
func TestStreamLayout(t *testing.T) {
	const line = 64
	s := reflect.TypeFor[Stream]()
	hot := 0
	for i := range s.NumField() {
		f := s.Field(i)
		if f.Name == "hits" {
			hot = int(f.Offset)
		}
	}
	if hot == 0 || hot > 2*line {
		t.Errorf("what is needed always ends at %d, want %d at most", hot, 2*line)
	}
	if s.Size()%line != 0 {
		t.Errorf("a stream has %d bytes, no whole number of cache lines", s.Size())
	}
}

// TestLossBehindTemplates: a datagram that is lost next to one with templates and
// options counts as soon as it is clear how records are counted: more is missing than
// any way to count those explains.
func TestLossBehindTemplates(t *testing.T) {
	for _, hy := range hypotheses[IPFIX] {
		for lost := 2; lost < 110; lost++ {
			s := newSender(IPFIX, hy.name, 1)
			s.constant = 16
			table, set := NewTable(10), &Set{}
			want := 0
			for i := range 200 {
				o, units := s.next()
				if i == lost {
					want = units
					continue
				}
				set.Observe(table, Key{Kind: IPFIX}, &o)
			}
			table.Sweep(s.nowNs, Network, true)
			c := set.Counts()
			// What has few units is not told from templates that count.
			if got := lostOf(&c, hy.unit); want > 6 && !near(got, want, 0) || got != allLost(&c) {
				t.Errorf("%s, datagram %d: lost %v, want %d", hy.name, lost, c.Lost, want)
			}
		}
	}
}

// TestAddedStreamStays: a stream is locked from the moment that others can find it
// until its observation, so that none is observed after it was evicted.
func TestAddedStreamStays(t *testing.T) {
	table := NewTable(1)
	var s Set
	for range 2 { // made, then found
		st := table.add(&s, Key{Kind: IPFIX}, 1)
		if st == nil || st.own.CompareAndSwap(0, 1) || st.gone {
			t.Fatal("the stream can be evicted before its observation")
		}
		st.unlock()
	}
}
