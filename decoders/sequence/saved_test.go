package sequence

import (
	"encoding/binary"
	"testing"
)

// TestRestore continues each habit in another table: without loss where nothing was lost,
// with all of it in its place where something was, and without where that is not known.
func TestRestore(t *testing.T) {
	for kind := range NumKinds {
		for _, hy := range hypotheses[kind] {
			for gap, place := range map[Gap]Place{GapUnknown: Network, GapOrdinary: Socket, GapHere: Restart} {
				for _, drop := range []int{0, 1, 70} {
					s := newSender(Kind(kind), hy.name, 7)
					key := Key{Kind: Kind(kind), Domain: 5, Source: 9}
					before, set := NewTable(10), &Set{}
					for range 200 {
						o, _ := s.next()
						set.Observe(before, key, &o)
					}
					before.Sweep(s.nowNs, Network, true)
					after, again := NewTable(10), &Set{}
					saved := 0
					set.Saved(func(v *Saved) {
						saved++
						if !again.Restore(after, v, gap) {
							t.Fatalf("%v %s: not restored", Kind(kind), hy.name)
						}
					})
					if saved != 1 {
						t.Fatalf("%v %s: %d streams saved", Kind(kind), hy.name, saved)
					}
					missing := uint64(0)
					for range drop {
						_, units := s.next()
						missing += uint64(units)
					}
					for range 60 {
						o, _ := s.next()
						again.Observe(after, key, &o)
					}
					after.Sweep(s.nowNs, Socket, true)
					c := again.Counts()
					want := missing
					if gap == GapUnknown {
						want, place = 0, Socket
					}
					if got := c.Lost[place][hy.unit]; got != want || allLost(&c) != want {
						t.Errorf("%v %s, gap %d, %d datagrams dropped: lost %+v, want %d of %v", Kind(kind), hy.name, gap, drop, c.Lost, want, place)
					}
					if c.Restarts+c.Duplicates+c.Reordered != 0 {
						t.Errorf("%v %s: %+v", Kind(kind), hy.name, c)
					}
					// The restart is over: what is lost later was lost elsewhere.
					after.Sweep(s.nowNs+overNs+1, Socket, true)
					for range 3 {
						_, units := s.next()
						missing += uint64(units)
					}
					for range 60 {
						o, _ := s.next()
						again.Observe(after, key, &o)
					}
					after.Sweep(s.nowNs+2*overNs, Network, true)
					if c := again.Counts(); gap == GapHere && (c.Lost[Restart][hy.unit] != want || allLost(&c) != missing) {
						t.Errorf("%v %s: lost %+v, want %d in all, %d over the restart", Kind(kind), hy.name, c.Lost, missing, want)
					}
				}
			}
		}
	}
}

// TestRestoreRefused: what another version saved is left out.
func TestRestoreRefused(t *testing.T) {
	table, set := NewTable(1), &Set{}
	for _, v := range []Saved{{Key: Key{Kind: Kind(NumKinds)}, CountsBy: "datagrams"}, {CountsBy: "thirds"}, {}} {
		if set.Restore(table, &v, GapOrdinary) {
			t.Errorf("restored: %+v", v)
		}
	}
	if set.streams.Load() != 0 || table.Stats().Streams != 0 {
		t.Error("a stream was made")
	}
}

// TestAgent: the hash of an agent is the same with the same key, and another with another.
func TestAgent(t *testing.T) {
	a, b := NewTable(1), NewTable(1)
	agents := [][]byte{nil, {10, 0, 0, 1}, {10, 0, 0, 2}, append(make([]byte, 15), 1), make([]byte, 16), make([]byte, 4)}
	seen := map[uint64]bool{}
	for _, agent := range agents {
		for sub := range uint32(3) {
			seen[a.Agent(agent, sub)] = true
		}
	}
	if len(seen) != 3*len(agents) {
		t.Errorf("%d hashes of %d agents", len(seen), 3*len(agents))
	}
	if a.Agent(agents[1], 0) == b.Agent(agents[1], 0) {
		t.Error("two tables have one key")
	}
	b.SetKey(a.Key())
	if a.Agent(agents[1], 7) != b.Agent(agents[1], 7) {
		t.Error("the same key, and another hash")
	}
	n := 100_000
	hashes := make(map[uint64]bool, n)
	for i := range n {
		hashes[a.Agent(binary.BigEndian.AppendUint32(nil, uint32(i)), 0)] = true
	}
	if len(hashes) != n {
		t.Errorf("%d hashes of %d addresses", len(hashes), n)
	}
}
