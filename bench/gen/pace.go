package main

import "time"

// pacer says when datagrams are due. It keeps to the schedule start + n/pps and
// so is right on average whatever the clock's grain: what a sleep took too long
// is made up for at once. Only a delay over maxLag is not made up for, so that a
// stopped process does not come back with a flood.
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

// wait returns how long to wait for the next datagram, 0 if it is due.
func (p *pacer) wait(now time.Time) time.Duration {
	if p.pps == 0 {
		return 0
	}
	behind := now.Sub(p.start).Seconds()*p.pps - p.sent // datagram n is due at n/pps
	if most := maxLag.Seconds()*p.pps + 1; behind > most {
		p.sent += behind - most
	}
	if behind >= 0 {
		return 0
	}
	return max(time.Duration(min(-behind/p.pps, 3600)*float64(time.Second)), minSleep)
}

// took says that a datagram was sent.
func (p *pacer) took() { p.sent++ }
