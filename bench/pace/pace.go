// Package pace is what the load generators share: when datagrams are due, and a line of
// progress a second.
package pace

import (
	"sync"
	"time"
)

// A Pacer reports how many datagrams are due. It keeps to the schedule start + n/pps, so that
// the rate is right on average whatever the clock's grain: what a sleep took too long is made
// up for at once. Only a delay over MaxLag is not made up for, so that a stopped process does
// not come back with a flood.
type Pacer struct {
	pps   float64 // 0: everything is due always
	start time.Time
	sent  float64 // datagrams since start
}

const (
	// MaxLag is the longest delay that is made up for.
	MaxLag = 100 * time.Millisecond
	// MinSleep is the shortest wait: shorter sleeps cost more than they gain.
	MinSleep = 100 * time.Microsecond
)

// New returns a pacer of so many datagrams a second, 0 for no limit.
func New(pps float64, now time.Time) *Pacer { return &Pacer{pps: pps, start: now} }

// Due returns how many datagrams, at most limit, may be sent now, and if none, how long to
// wait.
func (p *Pacer) Due(now time.Time, limit int) (int, time.Duration) {
	if p.pps == 0 {
		return limit, 0
	}
	elapsed := now.Sub(p.start).Seconds()
	// Datagram n, counted from 0, is due at n/pps.
	behind := elapsed*p.pps + 1 - p.sent
	if most := MaxLag.Seconds()*p.pps + 1; behind > most {
		p.sent += behind - most
		behind = most
	}
	if behind >= 1 {
		return min(int(min(behind, 1<<30)), limit), 0
	}
	wait := time.Duration(min((1-behind)/p.pps, 3600) * float64(time.Second))
	return 0, max(wait, MinSleep)
}

// Took counts datagrams that were sent.
func (p *Pacer) Took(n int) { p.sent += float64(n) }

// Report calls print once a second, with the time since start and the rate at which total
// grew since the last call, until stop is called, which returns when the last call has.
func Report(start time.Time, total func() uint64, print func(since time.Duration, total uint64, pps float64)) (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		lastTime, last := start, uint64(0)
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				n := total()
				print(now.Sub(start), n, float64(n-last)/now.Sub(lastTime).Seconds())
				lastTime, last = now, n
			}
		}
	})
	return func() {
		close(done)
		ended.Wait()
	}
}

// RootCause returns an error's text without the addresses around it.
func RootCause(err error) string {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			return err.Error()
		}
		err = inner.Unwrap()
	}
}
