package main

import "time"

// pacer says how many datagrams are due. It keeps to the schedule start + n/pps
// and so is right on average whatever the clock's grain: what a sleep took too
// long is made up for by the next batch. Only a delay over maxLag is not made up
// for, so that a stopped process does not come back with a flood.
type pacer struct {
	pps   float64 // 0: everything is due always
	start time.Time
	sent  float64 // datagrams since start
}

const (
	maxLag   = 100 * time.Millisecond
	minSleep = 100 * time.Microsecond // shorter sleeps cost more than they give
)

func newPacer(pps float64, now time.Time) *pacer { return &pacer{pps: pps, start: now} }

// due returns how many datagrams, at most limit, may be sent now, and if none,
// how long to wait.
func (p *pacer) due(now time.Time, limit int) (int, time.Duration) {
	if p.pps == 0 {
		return limit, 0
	}
	elapsed := now.Sub(p.start).Seconds()
	// Datagram n, counted from 0, is due at n/pps.
	behind := elapsed*p.pps + 1 - p.sent
	if most := maxLag.Seconds()*p.pps + 1; behind > most {
		p.sent += behind - most
		behind = most
	}
	if behind >= 1 {
		return min(int(min(behind, 1<<30)), limit), 0
	}
	wait := time.Duration(min((1-behind)/p.pps, 3600) * float64(time.Second))
	return 0, max(wait, minSleep)
}

func (p *pacer) took(n int) { p.sent += float64(n) }
