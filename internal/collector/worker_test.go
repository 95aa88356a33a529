package collector

import (
	"net/netip"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/producer"
)

// A record waits for the linger, and not much longer, when nothing else comes.
func TestLingerSeals(t *testing.T) {
	const linger = 60 * time.Millisecond
	r := newRig(t, rigConfig{Config: Config{Linger: linger}})
	r.start()
	const rounds = 3
	best := time.Hour // of a busy machine's times the best says what the worker does
	for range rounds {
		began := time.Now()
		r.send(v5(3))
		r.send(v5(4))
		b := r.take()
		took := time.Since(began)
		if took < linger {
			t.Errorf("sealed after %v, want %v", took, linger)
		}
		best = min(best, took)
		if b.Records() != 7 {
			t.Errorf("%d records in the batch, want 7", b.Records())
		}
		r.giveBack(b)
	}
	if best > linger+idleWait/4 {
		t.Errorf("sealed after %v at best, want %v", best, linger)
	}
	if s := r.Snapshot(); s.Sealed != rounds || s.Decode.Records[producer.ProtocolNetFlowV5] != rounds*7 {
		t.Errorf("%d batches sealed of %d records", s.Sealed, s.Decode.Records[producer.ProtocolNetFlowV5])
	}
}

// A batch lingers from its first record on, not from its last.
func TestLingerUnderTraffic(t *testing.T) {
	const linger = 50 * time.Millisecond
	r := newRig(t, rigConfig{Config: Config{Linger: linger}, depth: 64})
	r.start()
	began := time.Now()
	sent := 0
	for ; time.Since(began) < 10*linger; sent++ {
		r.send(v5(1))
		time.Sleep(linger / 10)
	}
	r.waitReceived(sent)
	n, took := int(r.Snapshot().Sealed), time.Since(began)
	if most := int(took/linger) + 1; n < 2 || n > most {
		t.Errorf("%d batches sealed in %v, want 2 to %d", n, took, most)
	}
}

// What was received can be read at once, also by one who looks all the time.
func TestSnapshotIsFresh(t *testing.T) {
	r := newRig(t, rigConfig{})
	r.start()
	best := time.Hour
	for i := range 10 {
		began := time.Now()
		r.send(v5(1))
		r.waitReceived(i + 1)
		best = min(best, time.Since(began))
	}
	if best > idleWait/4 {
		t.Errorf("a datagram is counted after %v at best", best)
	}
}

// A full batch does not wait.
func TestBatchSizeSeals(t *testing.T) {
	const size = 4 << 10
	r := newRig(t, rigConfig{Config: Config{BatchSize: size}, depth: 64})
	r.start()
	const datagrams = 50
	for i := range datagrams {
		r.send(v5(30))
		r.waitReceived(i + 1) // the receive buffer may be small
	}
	s := r.waitReceived(datagrams)
	if s.Sealed < 2 {
		t.Fatalf("%d batches sealed", s.Sealed)
	}
	for range s.Sealed {
		b := r.take()
		if n := len(b.Buf); n < size || n > size+30*512 {
			t.Errorf("a batch of %d bytes, want %d and at most a datagram more", n, size)
		}
	}
	if b, ok := r.lane.Full.Pop(); ok {
		t.Errorf("another batch, of %d records", b.Records())
	}
}

// With all batches at the sink, records are dropped and counted; templates are not
// missed; and a batch that comes back is used at once.
func TestSinkBehind(t *testing.T) {
	r := newRig(t, rigConfig{Config: Config{BatchSize: 1 << 10}, depth: 2})
	r.start()
	r.send(v5(30))
	r.send(v5(30)) // both batches are sealed
	if s := r.waitReceived(2); s.Sealed != 2 || s.SinkBehind != 0 {
		t.Fatalf("%d sealed, %d records dropped", s.Sealed, s.SinkBehind)
	}
	began := time.Now()
	r.send(v5(30))
	if s := r.waitReceived(3); s.SinkBehind != 30 {
		t.Errorf("%d records dropped, want 30", s.SinkBehind)
	}
	if took := time.Since(began); took < sinkPatience {
		t.Errorf("dropped after %v, want %v", took, sinkPatience)
	}
	began = time.Now()
	for range 20 {
		r.send(v5(30))
	}
	r.send(v9Template())
	r.send(v9Data())
	s := r.waitReceived(25)
	if want := uint64(21*30 + 1); s.SinkBehind != want {
		t.Errorf("%d records dropped, want %d", s.SinkBehind, want)
	}
	if took := time.Since(began); took > 20*sinkPatience/2 {
		t.Errorf("22 datagrams took %v: the worker waits for each", took)
	}
	if s.Sealed != 2 || s.Decode.TemplatesAdded != 1 {
		t.Errorf("%d batches sealed, %d templates", s.Sealed, s.Decode.TemplatesAdded)
	}

	b := r.take()
	if b.Records() != 30 {
		t.Errorf("%d records in a batch, want 30", b.Records())
	}
	r.giveBack(b)
	for range 5 { // one record is less than a batch
		r.send(v9Data())
	}
	s = r.waitReceived(30)
	if s.SinkBehind != 21*30+1 || s.Decode.SetsWithoutTemplate != 0 {
		t.Errorf("%d records dropped after a batch came back, %d sets without template", s.SinkBehind-21*30-1, s.Decode.SetsWithoutTemplate)
	}
	r.end()
	produced, got := s.Decode.Records[producer.ProtocolNetFlowV5]+s.Decode.Records[producer.ProtocolNetFlowV9], s.SinkBehind+30
	for {
		b, ok := r.lane.Full.Pop()
		if !ok {
			break
		}
		got += uint64(b.Records())
	}
	if produced != got {
		t.Errorf("%d records produced, %d in batches or dropped", produced, got)
	}
}

// A sink that is behind for a moment costs nothing.
func TestSinkBehindForAMoment(t *testing.T) {
	for range 20 { // until the test gets a CPU in time
		r := newRig(t, rigConfig{Config: Config{BatchSize: 1 << 10}, depth: 2})
		r.start()
		r.send(v5(30))
		r.send(v5(30))
		r.waitReceived(2)
		began := time.Now()
		r.send(v5(30))
		time.Sleep(sinkPatience / 5)
		r.giveBack(r.take())
		if time.Since(began) >= sinkPatience {
			continue // the worker may have given up
		}
		if s := r.waitReceived(3); s.SinkBehind != 0 || s.Sealed != 3 {
			t.Errorf("%d records dropped, %d batches sealed", s.SinkBehind, s.Sealed)
		}
		return
	}
	t.Errorf("no batch was returned within %v: the machine is too busy", sinkPatience)
}

// Letting datagrams gather neither loses nor holds them back for longer than it
// says.
func TestLatency(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			const linger, slack = 20 * time.Millisecond, 2 * time.Second
			r := newRig(t, rigConfig{Config: Config{Linger: linger, Latency: latency}, depth: 64})
			r.start()
			const datagrams = 300
			go func() {
				for i := range datagrams {
					_, _ = r.conns[0].Write(v5(1 + i%3)) // what is lost is missed below
					if i%10 == 0 {
						time.Sleep(3 * time.Millisecond)
					}
				}
			}()
			for records := 0; records < 2*datagrams; {
				b := r.take()
				if waited := time.Since(time.Unix(0, b.FirstNs)); waited > linger+latency+slack {
					t.Errorf("a record waited %v", waited)
				}
				records += b.Records()
				r.giveBack(b)
			}
			if s := r.waitReceived(datagrams); s.Received[PathUDP] != datagrams || s.SinkBehind != 0 {
				t.Errorf("%d datagrams received of %d, %d records dropped", s.Received[PathUDP], datagrams, s.SinkBehind)
			}
			// And one on its own, after a pause.
			time.Sleep(3 * latency)
			began := time.Now()
			r.send(v5(1))
			r.take()
			if took := time.Since(began); took > linger+latency+slack {
				t.Errorf("one on its own took %v", took)
			}
		})
	}
}

// What was in the sockets when Stop was called is in the batches when Run returns.
func TestStopDrains(t *testing.T) {
	for _, running := range []bool{true, false} {
		r := newRig(t, rigConfig{depth: 8})
		if running {
			r.start()
			r.send(v5(1))
			r.waitReceived(1)
		}
		const datagrams = 60
		for range datagrams {
			r.send(v5(2))
		}
		if !running {
			r.Stop() // before Run: it drains and returns
			r.start()
		}
		r.end()
		want := uint64(datagrams)
		records := 2 * datagrams
		if running {
			want, records = want+1, records+1
		}
		s := r.Snapshot()
		got := 0
		for {
			b, ok := r.lane.Full.Pop()
			if !ok {
				break
			}
			got += b.Records()
		}
		if s.Received[PathUDP] != want || got != records || s.Sealed != 1 {
			t.Errorf("running %v: %d datagrams received of %d, %d records of %d, in %d batches", running, s.Received[PathUDP], want, got, records, s.Sealed)
		}
	}
}

// The worker says that it is alive, also when nothing comes, and however long its
// batch may linger.
func TestTurns(t *testing.T) {
	for _, records := range []int{0, 1} {
		r := newRig(t, rigConfig{Config: Config{Linger: time.Hour}})
		r.start()
		if records > 0 {
			r.send(v5(records))
			r.waitReceived(1)
		}
		before, began := r.Turns(), time.Now()
		eventually(t, "the worker turns", func() bool { return r.Turns() > before })
		if took := time.Since(began); took > 3*idleWait {
			t.Errorf("%d records in the batch: a turn after %v, want %v", records, took, idleWait)
		}
	}
}

// What cannot be used is counted, as is what may not come; neither makes a batch.
func TestRefusedAndGarbage(t *testing.T) {
	r := newRig(t, rigConfig{
		Config:    Config{Linger: 10 * time.Millisecond},
		admission: NewAdmission(prefixes("10.0.0.0/8"), prefixes("10.1.0.0/16"), 10),
	})
	from := func(addr string, payload []byte) *udp.Datagram {
		return &udp.Datagram{Src: netip.AddrPortFrom(netip.MustParseAddr(addr), 1), Payload: payload, ReceivedNs: int64(epoch)}
	}
	for range 100 {
		r.datagram(from("10.2.0.1", v5(2)))
	}
	for range 3 {
		r.datagram(from("10.1.0.1", v5(2)))
		r.datagram(from("192.0.2.1", v5(2)))
		r.datagram(from("2001:db8::1", v5(2)))
		r.datagram(from("10.2.0.2", []byte("garbage")))
		r.datagram(from("10.2.0.2", nil))
	}
	// The program in the kernel has looked at these, but for those that another
	// version of it let through.
	for range 200 {
		r.frame(netip.MustParseAddrPort("10.2.0.3:1"), v5(1), int64(epoch))
	}
	r.frame(netip.MustParseAddrPort("10.1.0.3:1"), v5(1), int64(epoch))
	r.publish(true)
	s := r.Snapshot()
	d := &s.Decode
	if s.Received != [NumPaths]uint64{115, 201} || s.Denied != 9+1 || s.Limited != 100-minBurst {
		t.Errorf("received %v, denied %d, limited %d", s.Received, s.Denied, s.Limited)
	}
	decoded, failed := producer.Sum(d.Decoded[:]), producer.Sum(d.Failed[:])
	if decoded != minBurst+200 || failed != 6 {
		t.Errorf("%d decoded, %d failed", decoded, failed)
	}
	if sum := decoded + failed + s.Denied + s.Limited; sum != s.Received[PathUDP]+s.Received[PathXDP] {
		t.Errorf("%d of %v accounted for", sum, s.Received)
	}
	if n := r.exporters.Len(); n != 3 {
		t.Errorf("%d exporters, want the three that may send", n)
	}
	first, _ := r.exporters.Stats(10)
	if e := first[0]; e.Limited != 100-minBurst || e.Datagrams != minBurst || e.Failed != 0 {
		t.Errorf("%+v", e)
	}
	if e := first[1]; e.Datagrams != 6 || e.Failed != 6 {
		t.Errorf("%+v", e)
	}
}

// The table of senders forgets those whose exporter was evicted, and nobody loses
// his counts.
func TestSendersAreBounded(t *testing.T) {
	r := newRig(t, rigConfig{})
	const maxKnown = DefaultMaxExporters * sweepEach / (sweepEach - 1)
	addr := netip.MustParseAddr("192.0.2.1")
	r.sender(addr)
	for i := range 4 * DefaultMaxExporters {
		r.sender(numberedAddr(i))
	}
	if n := len(r.senders.all); n > maxKnown {
		t.Errorf("%d senders are known, want %d at most", n, maxKnown)
	}
	before := r.sender(addr) // another may have taken its place
	if after := r.sender(addr); after.Exporter != before.Exporter || after.next != before.next {
		t.Error("an exporter that came back is another")
	}
	if n := r.exporters.Len(); n != DefaultMaxExporters {
		t.Errorf("%d exporters have entries, want %d", n, DefaultMaxExporters)
	}
	// Those without an entry each have a limit of their own.
	r.exporters.limit = 0
	r.exporters.slots = nil
	a, b := r.sender(numberedAddr(4*DefaultMaxExporters)), r.sender(numberedAddr(4*DefaultMaxExporters+1)) // which nobody has met
	if a.Exporter != b.Exporter || a.next == b.next {
		t.Error("two exporters without entries share a limit, or have counts of their own")
	}
}

// Who has made room for another is not found any more, nor is he in place of another
// whose address has the same slot.
func TestMetSenders(t *testing.T) {
	r := newRig(t, rigConfig{})
	addr := netip.MustParseAddr("192.0.2.1")
	first := r.sender(addr)
	if r.sender(addr) != first {
		t.Fatal("another sender of the same address")
	}
	twin := 0
	for metSlot(numberedAddr(twin)) != metSlot(addr) {
		twin++
	}
	if r.sender(numberedAddr(twin)).Exporter == first.Exporter {
		t.Error("two addresses in one slot are one exporter")
	}
	if r.sender(addr) != first {
		t.Error("a sender is lost to another in its slot")
	}

	r.exporters.mu.Lock()
	r.exporters.evict(first.Exporter)
	r.exporters.mu.Unlock()
	r.frame(netip.AddrPortFrom(addr, 1000), v5(1), int64(epoch))
	again := r.sender(addr)
	if again.Exporter == first.Exporter {
		t.Error("the entry that was evicted is still in use")
	}
	r.frame(netip.AddrPortFrom(addr, 1000), v5(1), int64(epoch))
	if n := again.datagrams.Load(); n != 1 {
		t.Errorf("%d datagrams counted, want 1", n)
	}
}

func TestNoAllocations(t *testing.T) {
	r := newRig(t, rigConfig{
		Config:    Config{BatchSize: 8 << 10},
		admission: NewAdmission(nil, prefixes("192.0.2.66/32"), 1_000_000),
	})
	payloads := [][]byte{v9Template(), v9Data(), v5(30), []byte("garbage"), v5(1)}
	sources := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("[2001:db8::1]:1000"), netip.MustParseAddrPort("192.0.2.66:1")}
	now := int64(epoch)
	round := func() {
		for _, src := range sources {
			for _, p := range payloads {
				now += int64(time.Millisecond)
				d := udp.Datagram{Src: src, Payload: p, ReceivedNs: now}
				r.datagram(&d)
				r.frame(src, p, now)
			}
		}
		r.tend(1)
		for {
			b, ok := r.lane.Full.Pop()
			if !ok {
				break
			}
			r.giveBack(b)
		}
	}
	for range 20 {
		round() // templates, exporters and batches are made
	}
	if n := testing.AllocsPerRun(500, round); n != 0 {
		t.Errorf("%v allocations in %d datagrams", n, 2*len(payloads)*len(sources))
	}
	if r.counters.Sealed < 100 || r.counters.Denied == 0 {
		t.Errorf("%d batches sealed, %d datagrams denied", r.counters.Sealed, r.counters.Denied)
	}
}

// TestLargeBatches: the memory of what a sink keeps is bounded, however much is written
// for a datagram.
func TestLargeBatches(t *testing.T) {
	const depth = 16
	r := newRig(t, rigConfig{depth: depth})
	src := netip.MustParseAddrPort("192.0.2.1:2055")
	for i := range depth {
		d := message(1, uint32(i), dataSet(2, be(nil, 256, 1, 4, 8)...), dataSet(256, make([]byte, 65_000)...))
		r.datagram(&udp.Datagram{Src: src, Payload: d, ReceivedNs: 1})
	}
	kept := 0
	for b, ok := r.lane.Full.Pop(); ok; b, ok = r.lane.Full.Pop() {
		kept += b.Memory()
		if b.Memory() < 400_000 {
			t.Errorf("a batch of %d bytes is not large", b.Memory())
		}
	}
	if most := r.mostLent(); kept == 0 || kept > 2*most {
		t.Errorf("%d bytes in batches, want at most %d and a batch", kept, most)
	}
	if r.counters.SinkBehind == 0 {
		t.Error("nothing was dropped")
	}
}
