package collector

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestCharge: a datagram that becomes more than is written at one turn takes more of
// them, and no more than a clock that was set back would be taken for.
func TestCharge(t *testing.T) {
	const now = int64(1_700_000_000e9)
	for _, test := range []struct {
		records, bytes, rate int
		after                int // datagrams that are admitted at the same time, of a burst of 64
	}{
		{255, 256<<10 - 1, 100, 64},
		{256, 0, 100, 63},
		{0, 256 << 10, 100, 63},
		{256, 10 << 20, 100, 24},
		{10_000, 0, 100, 25},
		{65_000, 0, 100, 0},
		{65_000, 0, 1, 0},
		{65_000, 1 << 30, 0, 1000}, // without a rate
	} {
		a := NewAdmission(nil, nil, test.rate)
		var next atomic.Int64
		a.charge(&next, now, test.records, test.bytes)
		n := 0
		for n < 1000 && a.admit(&next, now) {
			n++
		}
		if n != test.after {
			t.Errorf("%+v: %d are admitted", test, n)
		}
		if next.Load() > now+setBack {
			t.Errorf("%+v: the clock would be taken to have been set back", test)
		}
	}
	// What XDP admitted is refused only while there is a debt.
	a := NewAdmission(nil, nil, 100)
	var next atomic.Int64
	for range 10_000 {
		a.charge(&next, now, 255, 0)
		if a.owes(&next, now) {
			t.Fatal("datagrams of a turn each make a debt")
		}
	}
	for a.admit(&next, now) { // what comes over sockets makes none
	}
	if a.owes(&next, now) {
		t.Error("datagrams over sockets make a debt")
	}
	a.charge(&next, now, 256*20, 0)
	if !a.owes(&next, now) || a.owes(&next, now+int64(time.Second)) {
		t.Error("20 turns are no debt, or one for ever")
	}
}

// TestRateBoundsRecords: the rate bounds what is written for an exporter, whatever the
// length of its datagrams.
func TestRateBoundsRecords(t *testing.T) {
	for _, xdp := range []bool{false, true} {
		a := newAdversary(t, adversaryConfig{rate: 1000})
		w := a.workers[0]
		from := forged(1)
		a.send(&packet{from: from, data: message(1, 0, templates(256, 1, 8))})
		large := message(1, 0, dataSet(256, make([]byte, 60_000)...))
		const seconds, each = 3, 500
		for range seconds * each {
			a.nowNs += int64(time.Second) / each
			if xdp {
				w.frame(from, large, a.nowNs)
				a.turn()
			} else {
				a.send(&packet{from: from, data: large})
			}
		}
		a.turn()
		records := uint64(0)
		for _, n := range w.Snapshot().Decode.Records {
			records += n
		}
		// 1,000 turns a second, and a burst of 100.
		if most := uint64((1000*(seconds+1) + 100) * recordsPerTurn); records == 0 || records > most || w.Snapshot().Limited == 0 {
			t.Errorf("xdp %v: %d records, at most %d; %d datagrams limited", xdp, records, most, w.Snapshot().Limited)
		}
	}
}
