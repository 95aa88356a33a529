package sequence

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestCrowd: while forged streams keep all places where observations wait busy, and all
// lists of gaps, the loss of an exporter is known: exactly where the crowd is of few
// addresses; where it is of many, all of the loss, and with it what came late.
func TestCrowd(t *testing.T) {
	for _, c := range []struct {
		sources      int
		kind         Kind
		late, proven bool
	}{
		{sources: 1, kind: NetFlow9, late: true},
		{sources: 20, kind: IPFIX, late: true},
		{sources: 400, kind: NetFlow9},
		{sources: 400, kind: SFlow},
		{sources: 400, kind: NetFlow9, late: true, proven: true},
	} {
		t.Run(fmt.Sprintf("%d sources/%v/late %v", c.sources, c.kind, c.late), func(t *testing.T) {
			table, set := NewTable(100_000), &Set{}
			table.mostWaiting, table.mostGaps = 200, 400
			crowd, rnd := make([]Set, c.sources), rand.New(rand.NewPCG(3, 3))
			s := newSender(c.kind, hypotheses[c.kind][0].name, 1)
			s.constant = 1
			n := &network{drop: 0.1, rnd: rand.New(rand.NewPCG(2, 2))}
			if c.late {
				n.reorder = 0.02
			}
			key := Key{Kind: c.kind, Domain: 7}
			deliver := func(o Observation) { set.Observe(table, key, &o) }
			for range 100 {
				if c.proven {
					o, _ := s.next()
					deliver(o)
				}
			}
			for i := range 2000 {
				for j := range 20 { // streams that nobody understands, two numbers each
					o := Observation{NowNs: s.nowNs, Sequence: rnd.Uint32()}
					crowd[(10*i+j/2)%c.sources].Observe(table, Key{Kind: FlowSample, Source: uint64(10*i + j/2)}, &o)
				}
				o, units := s.next()
				n.pass(o, units, deliver)
				if i%100 == 99 {
					table.Sweep(s.nowNs, Network, false)
				}
			}
			n.flush(deliver)
			table.Sweep(s.nowNs, Network, true)
			got, info := set.Counts(), set.Streams()[0]
			if n.lost < 100 || table.Stats().Overflowed == 0 {
				t.Fatalf("%d lost, %d overflowed: nothing to look at", n.lost, table.Stats().Overflowed)
			}
			if !near(lostOf(&got, info.Unit), n.lost, 0.01) {
				t.Errorf("lost %d of %d, %+v", lostOf(&got, info.Unit), n.lost, info)
			}
			if !near(info.Reordered, n.reordered, 0.02) {
				t.Errorf("reordered %d of %d, %+v", info.Reordered, n.reordered, info)
			}
		})
	}
}

// TestCrowdShare: one exporter has half of the places where observations wait at most,
// and of the lists of gaps, and any other its share of the rest; where all are in use,
// nobody has more.
func TestCrowdShare(t *testing.T) {
	const most, share = 4 * crowdShare, 4
	rnd := rand.New(rand.NewPCG(5, 5))
	for name, c := range map[string]struct {
		fill func(table *Table, s *Set, key Key)
		used func(table *Table, s *Set) (all int64, own int32)
	}{
		"waiting": {
			func(table *Table, s *Set, key Key) { // numbers that nobody understands
				for range 2 {
					s.Observe(table, key, &Observation{NowNs: 1e18, Sequence: rnd.Uint32()})
				}
			},
			func(table *Table, s *Set) (int64, int32) { return table.waiting.Load(), s.waiting.Load() },
		},
		"gaps": {
			func(table *Table, s *Set, key Key) { // one of many in a row is missing
				for i := range uint32(60) {
					if i != 40 {
						s.Observe(table, key, &Observation{NowNs: 1e18 + int64(i)*1e9, Sequence: i, Records: 7, Flows: 7})
					}
				}
			},
			func(table *Table, s *Set) (int64, int32) { return table.gaps.Load(), s.gaps.Load() },
		},
	} {
		table := NewTable(100_000)
		table.mostWaiting, table.mostGaps = most, most
		sets := make([]Set, 1+crowdShare)
		for i := range sets {
			for domain := range uint64(2 * most) {
				c.fill(table, &sets[i], Key{Kind: SFlow, Domain: domain})
			}
			all, own := c.used(table, &sets[i])
			want := int32(share)
			switch {
			case i == 0:
				want = most / 2
			case i > crowdShare/2:
				want = 0
			}
			if own != want || all > most {
				t.Errorf("%s: exporter %d has %d, want %d; all have %d of %d", name, i, own, want, all, most)
			}
		}
	}
}
