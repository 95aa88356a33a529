package sequence

import "testing"

// TestClockOff: an exporter's clock is off while the last datagram of one of its streams
// says so, and that datagram is not old.
func TestClockOff(t *testing.T) {
	const second = int64(1e9)
	table, set := NewTable(4), &Set{}
	now := int64(1e18)
	send := func(domain uint64, skew int64) {
		now += second
		o := Observation{NowNs: now, ExportNs: now + skew, Sequence: 1, Records: 1, Flows: 1}
		set.Observe(table, Key{Kind: NetFlow9, Domain: domain}, &o)
		table.Sweep(now, Network, false)
	}
	check := func(what string, want bool) {
		t.Helper()
		if set.ClockOff() != want {
			t.Errorf("%s: clock off is %v", what, set.ClockOff())
		}
	}
	send(1, 60*second)
	check("a minute ahead", false)
	send(1, 61*second)
	check("more than a minute ahead", true)
	send(2, -61*second)
	send(1, 0)
	check("one of two streams late", true)
	now += clockFreshNs
	table.Sweep(now, Network, false)
	check("no datagram for long", false)
	send(2, -61*second)
	check("again", true)
	set.Release(table)
	check("without streams", false)

	o := Observation{NowNs: now, Sequence: 1}
	set.Observe(table, Key{Kind: SFlow}, &o)
	table.Sweep(now, Network, false)
	check("a protocol without a clock", false)
}

// TestLostOfAll: what the table lost is what its sets lost, those of evicted streams too.
func TestLostOfAll(t *testing.T) {
	table, a, b := NewTable(8), &Set{}, &Set{}
	now := int64(1e18)
	for n := range uint32(40) {
		for i, set := range []*Set{a, b} {
			now += 1e6
			o := Observation{NowNs: now, Sequence: n, Records: 1, Flows: 1}
			if n >= 20 {
				o.Sequence += uint32(i + 1)
			}
			set.Observe(table, Key{Kind: NetFlow9, Domain: 1}, &o)
		}
	}
	table.Sweep(now, Socket, false)
	a.Release(table)
	table.Sweep(now+2e9, Network, true)
	sum := a.Counts()
	counts := b.Counts()
	sum.Add(&counts)
	if lost := table.Lost(); lost != sum.Lost || lost[Socket][Datagrams] != 1 || lost[Network][Datagrams] != 2 {
		t.Errorf("the table lost %v, its sets %v", lost, sum.Lost)
	}
}
