package collector

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/internal/wake"
	"github.com/weirflow/weir/xdp"
)

const (
	// gatherMost is how many datagrams may gather while the worker lets them, at the
	// rate at which they came before: with more, the first have left the caches near the
	// CPU when it comes back. gatherShare is the part of what a socket's buffer or a ring
	// holds that may be.
	gatherMost  = 256
	gatherShare = 4
	// burst is how many datagrams a second may begin to come while the worker lets
	// them gather. Half a buffer, or a ring whose capture cannot wake the worker up,
	// must last for that, or for shortNap.
	burst    = 1_000_000
	shortNap = time.Millisecond
	// bufferShare is what a datagram of up to some 1500 bytes takes of a receive
	// buffer, as the kernel counts (skb->truesize). It doubles what was asked for.
	bufferShare = 2304
	// fewGather is how many datagrams may be expected at most where a worker gives its
	// place in the scheduler up while they gather. Where more come, waiting for a place
	// could cost some, and a nap's price is shared by many; but not beyond maxRawNap, where
	// a sleep gives the place up too, and is more expensive.
	fewGather = 128
	// leastAlarm is the shortest nap for which that pays.
	leastAlarm = 2 * time.Millisecond
)

// gathering lets datagrams gather. It belongs to the worker's goroutine.
type gathering struct {
	room  int             // how many may
	most  time.Duration   // for how long
	bells []*xdp.Receiver // those that end it when so many have come that a ring fills up
	fds   []unix.PollFd   // of them
	roams bool            // the worker need not stay on its thread
	alarm *wake.Alarm     // to sleep by; nil: the worker keeps its place

	napped time.Time // when the last nap began, or a longer wait ended
	since  int       // datagrams taken from then on
	expect int       // how many will have come at the end of the nap, as they did before
}

// limit sets for how long datagrams may gather in these sockets and rings.
func (g *gathering) limit(latency time.Duration, socks []*udp.Socket, frames []*xdp.Receiver) {
	g.room, g.most = gatherMost, latency
	for _, s := range socks {
		if _, granted := s.ReceiveBuffer(); granted > 0 {
			g.holds(2*granted/bufferShare, false)
		}
	}
	g.close()
	g.alarm = nil
	g.bells, g.fds = g.bells[:0], g.fds[:0]
	var bells []int
	for _, r := range frames {
		fd := r.BellFd()
		if fd >= 0 {
			g.bells = append(g.bells, r)
			bells = append(bells, fd)
			g.fds = append(g.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
		g.holds(r.RingSize(), fd >= 0)
	}
	if g.roams && g.most >= leastAlarm {
		// Without an alarm it works as well, only at a higher price.
		g.alarm, _ = wake.NewAlarm(g.arm, bells)
	}
}

// holds says that so many datagrams fit a buffer or ring, and whether the worker is
// woken up before it is full.
func (g *gathering) holds(n int, wakes bool) {
	g.room = min(g.room, gatherRoom(n))
	if !wakes {
		g.most = min(g.most, max(shortNap, time.Second/burst*time.Duration(min(n, burst)/2)))
	}
}

// gatherRoom returns how many datagrams may gather where n fit.
func gatherRoom(n int) int { return max(1, min(gatherMost, n/gatherShare)) }

// bellRoom returns how many frames may wait in a ring of n before it is time to look.
func bellRoom(n int) int { return max(1, n/gatherShare) }

// napFor returns how long to let datagrams gather, where n came in the time before:
// the latency, or as long as it takes for room of them to come.
func napFor(latency, before time.Duration, n, room int) time.Duration {
	if n == 0 || before >= latency*time.Duration(n)/time.Duration(room) {
		return latency
	}
	return before * time.Duration(room) / time.Duration(n)
}

// expected returns how many will have come after a time, where n came in the time
// before.
func expected(length, before time.Duration, n int) int {
	if before <= 0 {
		return n
	}
	return int(int64(n) * int64(length) / int64(before))
}

// pause has datagrams gather, from now on.
func (g *gathering) pause(now time.Time) {
	before, came := now.Sub(g.napped), g.since
	length := napFor(g.most, before, came, g.room)
	g.expect = expected(length, before, came)
	g.napped, g.since = now, 0
	switch {
	case (g.expect <= fewGather || length > maxRawNap) && g.alarm != nil && g.alarm.Sleep(length):
	case len(g.bells) == 0:
		nap(length)
	case !g.arm():
		napOrPoll(g.fds, length)
	}
	for _, r := range g.bells {
		r.SetBell(0)
	}
}

// arm has the bells ring when more come than is expected, and reports whether so many
// wait already. First the one and then the other, so that none is missed but those that
// the kernel has counted and not yet shown: a batch of its own.
func (g *gathering) arm() (enough bool) {
	for _, r := range g.bells {
		n := min(2*g.expect+xdp.Batch, bellRoom(r.RingSize()))
		r.SetBell(n)
		enough = enough || r.Waiting() >= n
	}
	return enough
}

// close closes the alarm. Whoever sleeps by it still is woken up, and can no more.
func (g *gathering) close() {
	if g.alarm != nil {
		g.alarm.Close()
	}
}
