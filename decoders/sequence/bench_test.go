package sequence

import (
	"runtime"
	"sync"
	"testing"
)

// BenchmarkObserve is the cost of a datagram of a steady stream, of one among
// many, and of one with loss.
func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct {
		name    string
		kind    Kind
		streams int
		every   int // datagrams of which one is lost
	}{{"v9", NetFlow9, 1, 0}, {"ipfix", IPFIX, 1, 0}, {"samples", FlowSample, 1, 0}, {"v5-10000", NetFlow5, 10000, 0}, {"v9-loss", NetFlow9, 1, 100}} {
		b.Run(c.name, func(b *testing.B) {
			table := NewTable(1 << 20)
			sets := make([]Set, c.streams)
			o := Observation{NowNs: 1e18, Records: 24, Flows: 24, HasUptime: true}
			o.Sequence = 5
			step := uint32(24)
			if hypotheses[c.kind][0].measure == byDatagram {
				step = 1
			}
			b.ReportAllocs()
			for i := range b.N {
				at := i % c.streams
				if at == 0 {
					o.Sequence += step
					o.NowNs += 1e6
					if c.every > 0 && i%c.every == 0 {
						o.Sequence += step
					}
				}
				sets[at].Observe(table, Key{Kind: c.kind, Domain: 9}, &o)
			}
		})
	}
}

// TestNoAllocation: a steady stream costs no memory.
func TestNoAllocation(t *testing.T) {
	for kind := range NumKinds {
		s := newSender(Kind(kind), hypotheses[kind][0].name, 1)
		table, set := NewTable(10), &Set{}
		step := func() {
			o, _ := s.next()
			set.Observe(table, Key{Kind: Kind(kind), Source: 3}, &o)
		}
		for range 100 {
			step()
		}
		if n := testing.AllocsPerRun(1000, step); n != 0 {
			t.Errorf("%v: %v allocations a datagram", Kind(kind), n)
		}
	}
}

// TestConcurrently: any worker may have any datagram, while others sweep, evict
// and read. The numbers of a stream are told apart all the same.
func TestConcurrently(t *testing.T) {
	const workers, streams, rounds = 4, 40, 2000
	table := NewTable(streams / 2)
	var set [2]Set
	var ended sync.WaitGroup
	var mu sync.Mutex
	sequence := [streams]uint32{}
	for w := range workers {
		ended.Go(func() {
			for i := range rounds {
				at := (i*7 + w) % streams
				mu.Lock()
				o := Observation{NowNs: 1e18 + int64(i)*1e9, Sequence: sequence[at]}
				sequence[at]++
				mu.Unlock()
				set[at%2].Observe(table, Key{Kind: FlowSample, Source: uint64(at)}, &o)
				switch i % 100 {
				case 0:
					table.Sweep(o.NowNs, Network, false)
				case 50:
					set[0].Streams()
					set[1].Counts()
				case 99:
					if w == 0 && i%500 == 499 {
						set[1].Release(table)
					}
				}
			}
		})
	}
	ended.Wait()
	if st := table.Stats(); st.Streams > streams/2 || st.Evicted == 0 {
		t.Errorf("%+v", st)
	}
	set[0].Release(table)
	set[1].Release(table)
	if st := table.Stats(); st.Streams != 0 {
		t.Errorf("%d streams after the release of all", st.Streams)
	}
}

// TestCaps: streams of one exporter, and of all, are bounded, and what goes over
// is counted.
func TestCaps(t *testing.T) {
	table, set := NewTable(DefaultStreams), &Set{}
	o := Observation{NowNs: 1e18}
	for i := range StreamsPerExporter + 100 {
		set.Observe(table, Key{Kind: FlowSample, Source: uint64(i)}, &o)
	}
	if st := table.Stats(); st.Streams != StreamsPerExporter || st.Overflowed != 100 || st.Evicted != 0 {
		t.Errorf("one exporter: %+v", st)
	}
	table.Sweep(o.NowNs+idleNs, Network, false)
	for range 20 { // one that takes the place of another has its turn next time
		table.Sweep(o.NowNs+idleNs, Network, false)
	}
	if st := table.Stats(); st.Streams != 0 {
		t.Errorf("%d streams are idle and stay", st.Streams)
	}

	table = NewTable(100)
	sets := make([]Set, 1000)
	for i := range sets {
		o.NowNs++
		sets[i].Observe(table, Key{Kind: NetFlow5}, &o)
		for range 3 { // this one is used all the time
			sets[0].Observe(table, Key{Kind: NetFlow5}, &o)
		}
	}
	if st := table.Stats(); st.Streams != 100 || st.Evicted < 900 || st.Overflowed != 0 {
		t.Errorf("all exporters: %+v", st)
	}
	if list := sets[0].Streams(); len(list) != 1 || list[0].Observations < 2000 {
		t.Errorf("the one in use was evicted: %+v", list)
	}
}

// TestMemory: a stream takes what the memory limit reckons with.
func TestMemory(t *testing.T) {
	const n = 50_000
	sets := make([]Set, n)
	table := NewTable(n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range sets {
		o := Observation{NowNs: 1e18}
		sets[i].Observe(table, Key{Kind: NetFlow5}, &o)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := int64(after.HeapAlloc-before.HeapAlloc) / n; each > 400 {
		t.Errorf("%d bytes a stream", each)
	} else {
		t.Logf("%d bytes a stream", each)
	}
	runtime.KeepAlive(sets)
}

// TestWaitingCaps: numbers that wait to be understood, and gaps, are bounded for
// all streams together, and streams go on without.
func TestWaitingCaps(t *testing.T) {
	const maxWaiting, maxGapLists = 200, 400
	newTable := func(limit int) *Table {
		table := NewTable(limit)
		table.mostWaiting, table.mostGaps = maxWaiting, maxGapLists
		return table
	}
	// Streams that nothing explains do not keep what they have.
	mad := newTable(maxWaiting + 100)
	wild := make([]Set, maxWaiting+100)
	for n := range uint32(holdMax + 4) {
		for i := range wild {
			o := Observation{NowNs: 1e18, Sequence: n * n * 7919}
			wild[i].Observe(mad, Key{Kind: FlowSample}, &o)
		}
	}
	if n := mad.waiting.Load(); n > 100 {
		t.Errorf("%d streams without a habit wait", n)
	}
	for n := range uint32(40) { // and are heard again when they make sense
		o := Observation{NowNs: 1e18, Sequence: n + n/36}
		wild[0].Observe(mad, Key{Kind: FlowSample}, &o)
	}
	mad.Sweep(1e18, Network, true)
	if c := wild[0].Counts(); lostOf(&c, Samples) != 1 {
		t.Errorf("%+v, %+v", c, wild[0].Streams())
	}

	const more = 100
	table := newTable(maxGapLists + more)
	sets := make([]Set, maxGapLists+more)
	o := Observation{NowNs: 1e18}
	step := func(sets []Set, sequence uint32) {
		for i := range sets {
			o.Sequence = sequence
			sets[i].Observe(table, Key{Kind: NetFlow9}, &o)
		}
	}
	step(sets, 0)
	step(sets, 1000) // not understood: it waits
	if n, over := table.waiting.Load(), table.Stats().Overflowed; n != maxWaiting || over != maxGapLists+more-maxWaiting {
		t.Errorf("%d wait, %d overflowed", n, over)
	}
	table.Sweep(o.NowNs+holdNs, Network, true)
	for from := 0; from < len(sets); from += maxWaiting / 2 { // a part at a time
		part := sets[from:min(from+maxWaiting/2, len(sets))]
		for n := range uint32(32) {
			step(part, 2000+n)
		}
		for n := range uint32(12) {
			step(part, 2040+n) // eight are lost
		}
		table.Sweep(o.NowNs+holdNs, Network, true)
	}
	if n := table.gaps.Load(); n != maxGapLists {
		t.Errorf("%d lists of gaps", n)
	}
	for i := range sets {
		// Of those that could wait, the first numbers are known, too.
		if c := sets[i].Counts(); lostOf(&c, Datagrams)%999 != 8 {
			t.Fatalf("stream %d: %+v, %+v", i, c, sets[i].Streams())
		}
	}
	for range 20 {
		table.Sweep(o.NowNs+gapNs, Network, false)
	}
	if n := table.gaps.Load(); n != 0 {
		t.Errorf("%d lists of gaps after a minute", n)
	}
}
