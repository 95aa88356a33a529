package collector

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
)

// unaccounted returns how many of the datagrams received are in no other counter.
func unaccounted(s *Snapshot) int64 {
	d := &s.Decode
	ended := producer.Sum(d.Decoded[:]) + producer.Sum(d.Failed[:]) + d.Held.Datagrams + s.Denied + s.Limited + s.Shutdown
	return int64(producer.Sum(s.Received[:]) - ended)
}

// TestSnapshotOnSeal replaces the mapping under a worker while it receives: each
// snapshot that it publishes before it hands a batch over has every datagram in
// one place.
func TestSnapshotOnSeal(t *testing.T) {
	var all [2]*producer.Program
	for i := range all {
		p, err := producer.NewProgram(nil, producer.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = p
	}
	programs := producer.NewPrograms(all[0])
	var r *rig
	var wrong atomic.Int64
	const changes = 30
	r = newRig(t, rigConfig{programs: programs, depth: 2 * changes, notify: func() {
		s := r.Snapshot()
		if n := unaccounted(&s); n != 0 {
			wrong.Add(1)
		}
	}})
	r.start()
	for i := range changes {
		programs.Set(all[i%2])
		r.send(v5(3))
		r.waitReceived(i + 1)
	}
	r.end()
	if s := r.Snapshot(); s.Sealed < changes-1 || wrong.Load() != 0 {
		t.Errorf("%d of the snapshots at %d seals leave datagrams out", wrong.Load(), s.Sealed)
	}
}

// TestStopCounts stops a worker while the sink has all of its batches and gives
// none back: the stop ends in time, and every datagram sent is in one counter.
func TestStopCounts(t *testing.T) {
	for _, sockets := range []int{1, 3} {
		r := newRig(t, rigConfig{Config: Config{BatchSize: 1 << 10}, depth: 2, sockets: sockets})
		r.start()
		r.send(v5(30))
		r.send(v5(30)) // both batches are sealed
		r.waitReceived(2)
		r.EndBy(time.Now().Add(drainTime))
		const datagrams = 900
		for i := range datagrams {
			r.sendTo(i%sockets, v5(1))
		}
		began := time.Now()
		r.end()
		if took := time.Since(began); took > 10*drainTime { // far below what decoding with such a sink takes
			t.Errorf("the stop took %v", took)
		}
		s := r.Snapshot()
		if got := producer.Sum(s.Received[:]) + s.SocketDropped; got != datagrams+2 {
			t.Errorf("%d received or dropped by the kernel of %d", got, datagrams+2)
		}
		if n := unaccounted(&s); n != 0 || s.Shutdown == 0 {
			t.Errorf("%d datagrams in no counter, %d dropped by shutdown", n, s.Shutdown)
		}
	}
}

// TestStopLate: a worker that is stopped long after the time of EndBy, since detaching
// the captures took longer, still counts what its socket holds.
func TestStopLate(t *testing.T) {
	r := newRig(t, rigConfig{})
	const datagrams = 20
	for range datagrams {
		r.send(v5(1))
	}
	r.EndBy(time.Now().Add(-3 * drainTime))
	r.Stop()
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
	s := r.Snapshot()
	if s.Received[PathUDP] != datagrams || s.Shutdown != datagrams {
		t.Errorf("%d received, %d dropped by shutdown, want %d of each", s.Received[PathUDP], s.Shutdown, datagrams)
	}
}

// TestStopRefuses: what is sent to a worker that has ended is counted as dropped
// by the kernel.
func TestStopRefuses(t *testing.T) {
	r := newRig(t, rigConfig{})
	r.start()
	r.send(v5(1))
	r.end()
	before := r.Snapshot()
	const late = 5
	for range late {
		r.send(v5(1))
	}
	for _, s := range r.parts.Sockets {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := dropsOf(r.Worker); before.Received[PathUDP] != 1 || n != late {
		t.Errorf("%d received, %d dropped, want 1 and %d", before.Received[PathUDP], n, late)
	}
}

// TestFailCounts: where a socket fails for good, what the others hold is counted.
func TestFailCounts(t *testing.T) {
	r := newRig(t, rigConfig{sockets: 2})
	const datagrams = 20
	for range datagrams {
		r.sendTo(1, v5(1))
	}
	if err := r.parts.Sockets[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(); err == nil {
		t.Error("a worker with a closed socket ends without an error")
	}
	s := r.Snapshot()
	if s.Received[PathUDP] != datagrams || unaccounted(&s) != 0 {
		t.Errorf("%d datagrams received of %d, %d in no counter", s.Received[PathUDP], datagrams, unaccounted(&s))
	}
}

// dropsOf returns what the kernel dropped at a worker's first listen address.
func dropsOf(w *Worker) uint64 {
	_, drops := w.SocketDrops()
	return drops[0]
}
