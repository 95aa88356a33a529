package collector

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/producer"
)

func TestDistribution(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var d, sum Distribution
	var all []float64
	for range 5000 {
		v := math.Exp(rng.NormFloat64()*2 + 15) // about 3 ms
		all = append(all, v)
		d.Observe(uint64(v))
	}
	slices.Sort(all)
	sum.Add(&d)
	sum.Add(&d)
	for _, q := range []float64{0.5, 0.9, 0.99} {
		want := all[int(q*float64(len(all)))]
		for _, got := range []float64{d.Quantile(q), sum.Quantile(q)} {
			if got < want*0.85 || got > want*1.15 {
				t.Errorf("quantile %v is %v, want %v", q, got, want)
			}
		}
	}
	if d.Count != 5000 || sum.Count != 10000 || sum.Sum != 2*d.Sum {
		t.Errorf("%d and %d observations", d.Count, sum.Count)
	}
	// The old fades.
	for range 50_000 {
		d.Observe(1000)
	}
	if got := d.Quantile(0.99); got > 1300 {
		t.Errorf("quantile is %v after 50,000 observations of 1000", got)
	}
	for _, v := range []uint64{0, 1, 63, 1 << 40, math.MaxUint64} {
		d.Observe(v) // of any size
	}
	if got := (&Distribution{}).Quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}

// TestGoflow2Bounded: neither exporters nor agents make the tables grow without
// bound, and nothing is lost on the way to those without a name.
func TestGoflow2Bounded(t *testing.T) {
	names := NewGoflow2Names(3)
	g := newGoflow2(names, 1)
	g.from(0)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
	const exporters, agents = 10, 20
	for i := range exporters {
		e := g.exporter(addr(i))
		for j := range agents {
			agent := addr(j).As4()
			tally := &producer.Tally{Agent: agent[:]}
			tally.Samples[producer.SampleFlow] = 2
			tally.SampleRecords[producer.SampleFlow] = 4
			g.count(e, tally, &producer.Result{Protocol: producer.ProtocolSFlow, Decoded: true}, 100, 1, time.Time{})
		}
		tally := &producer.Tally{WithoutTemplate: 3, FlowEndNs: 5}
		tally.Sets[producer.SetData], tally.SetRecords[producer.SetData] = 2, 48
		g.count(e, tally, &producer.Result{Protocol: producer.ProtocolNetFlowV9, Decoded: true, Reason: producer.ReasonTemplateMissing}, 1000, 1005, time.Time{})
		g.dropped(e, 10)
	}
	g.release()
	g.release() // twice is once
	w := &Worker{goflow2: g}
	var named, packets, bytes, samples, records, missing, dropped int
	if _, ok := w.Goflow2(func(e *Goflow2Exporter) {
		if e.Addr.IsValid() {
			named++
		}
		if len(e.Agents) > maxAgents+1 {
			t.Errorf("%d agents of %v", len(e.Agents), e.Addr)
		}
		for i := range e.Sockets {
			for p := range e.Sockets[i] {
				packets += int(e.Sockets[i][p].Packets)
				bytes += int(e.Sockets[i][p].Bytes)
				d, want := e.Sockets[i][p].Sizes, e.Sockets[i][p].Packets
				if want == 0 && d == nil {
					continue
				}
				mean := float64(e.Sockets[i][p].Bytes) / float64(want)
				if q := d.Quantile(0.5); d.Count != want || d.Sum != e.Sockets[i][p].Bytes || q < 0.85*mean || q > 1.15*mean {
					t.Errorf("%d sizes of %d datagrams, median %v of %v", d.Count, want, q, mean)
				}
			}
		}
		for _, a := range e.Agents {
			samples += int(a.Samples[producer.SampleFlow])
		}
		p := &e.Protocols[producer.ProtocolNetFlowV9]
		records += int(p.SetRecords[producer.SetData])
		missing += int(p.WithoutTemplate)
		dropped += int(e.Dropped)
		if p.Delay.Sum != 1000*p.Decoded {
			t.Errorf("delay %d", p.Delay.Sum)
		}
	}); !ok {
		t.Fatal("no counts")
	}
	if named != 3 || packets != exporters*(agents+1) || bytes != exporters*(100*agents+1000) ||
		samples != 2*exporters*agents || records != 48*exporters || missing != exporters || dropped != exporters {
		t.Errorf("named %d, packets %d, bytes %d, samples %d, records %d, missing %d, dropped %d", named, packets, bytes, samples, records, missing, dropped)
	}
	if names.Has(addr(9)) || !names.Has(addr(0)) {
		t.Error("the wrong exporters have names")
	}
	// Another worker shares the names.
	if e := newGoflow2(names, 1).exporter(addr(9)); e.Addr.IsValid() {
		t.Error("a second worker has names of its own")
	}
}

func TestGoflow2DoesNotAllocate(t *testing.T) {
	g := newGoflow2(NewGoflow2Names(3), 1)
	e := g.exporter(netip.AddrFrom4([4]byte{192, 0, 2, 1}))
	tally := &producer.Tally{FlowEndNs: 1, Agent: []byte{192, 0, 2, 1}}
	nf := &producer.Result{Protocol: producer.ProtocolIPFIX, Decoded: true}
	sf := &producer.Result{Protocol: producer.ProtocolSFlow, Decoded: true}
	one := func() {
		began := g.begin()
		g.count(e, tally, nf, 100, 1000, began)
		g.count(e, tally, sf, 100, 1000, began)
		g.release()
	}
	one()
	if n := testing.AllocsPerRun(1000, one); n != 0 {
		t.Errorf("%v allocations", n)
	}
	// Without the metrics nothing happens.
	var none *Goflow2
	none.from(1)
	none.dropped(nil, 1)
	none.release()
	if !none.begin().IsZero() || none.exporter(netip.Addr{}) != nil {
		t.Error("a nil Goflow2 counts")
	}
}

func BenchmarkGoflow2(b *testing.B) {
	g := newGoflow2(NewGoflow2Names(3), 1)
	g.from(0)
	e := g.exporter(netip.AddrFrom4([4]byte{192, 0, 2, 1}))
	tally := &producer.Tally{FlowEndNs: 1}
	tally.Sets[producer.SetData], tally.SetRecords[producer.SetData] = 1, 24
	res := &producer.Result{Protocol: producer.ProtocolNetFlowV9, Decoded: true}
	for i := 0; b.Loop(); i++ {
		g.count(e, tally, res, 1464, 1_000_000, g.begin())
		if i%32 == 0 {
			g.release()
		}
	}
}

// TestGoflow2NeverWaits: a worker that waits for the output has no lock, and a
// scrape that takes its time does not hold the worker up.
func TestGoflow2NeverWaits(t *testing.T) {
	r := newRig(t, rigConfig{names: NewGoflow2Names(3)})
	g := r.goflow2
	r.EndBy(time.Now()) // the output takes nothing, and the worker does not wait for it
	datagram := udp.Datagram{Src: netip.MustParseAddrPort("192.0.2.1:2055"), Payload: v5(30), ReceivedNs: 1}
	counted := func() (n uint64) {
		r.Worker.Goflow2(func(e *Goflow2Exporter) {
			for i := range e.Sockets {
				n += e.Sockets[i][producer.ProtocolNetFlowV5].Packets
			}
		})
		return n
	}
	waited := false
	for i := range 3 * goflow2Journal {
		before := r.behind
		r.datagram(&datagram)
		if r.behind && !before { // it has waited, and counted what it waited with
			waited = true
			r.behind = false
			if !g.locked {
				t.Fatal("nothing of the batch was counted")
			}
			r.await()
			if !g.mu.TryLock() {
				t.Fatalf("the lock is taken while the worker waits for the output, after datagram %d", i+1)
			}
			g.mu.Unlock()
		}
	}
	if !waited {
		t.Error("the worker never waited for the output")
	}
	r.tend(1)
	if n := counted(); n != 3*goflow2Journal {
		t.Errorf("%d datagrams counted, want %d", n, 3*goflow2Journal)
	}
	g.mu.Lock() // a scrape
	for range goflow2Journal {
		r.datagram(&datagram)
		r.tend(1)
	}
	g.mu.Unlock()
	if n := counted(); n != 3*goflow2Journal {
		t.Errorf("%d datagrams counted by one who had no lock", n)
	}
	r.tend(0)
	if n := counted(); n != 4*goflow2Journal {
		t.Errorf("%d datagrams counted in the end, want %d", n, 4*goflow2Journal)
	}
	if r.Snapshot().SinkBehind == 0 {
		t.Error("the output was not behind: not what was to be tested")
	}
}
