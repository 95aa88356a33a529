package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/xdp"
)

const (
	// healthEvery is how often a capture is looked after.
	healthEvery = time.Second
	// retryMin and retryMax bound the back-off between attempts to open one.
	retryMin = time.Second
	retryMax = 30 * time.Second
)

// Captures keeps the interfaces attached: it opens a capture on each, gives the
// workers their ends, looks after it, and opens it again when it was lost. What
// comes meanwhile goes to the sockets. Methods may be called by any goroutine.
type Captures struct {
	cfg     CaptureConfig // a reload changes it, with change and mu held
	workers []*Worker
	system  system
	until   context.Context    // see begin
	stop    context.CancelFunc // of until
	ended   sync.WaitGroup

	// change is held while a capture is opened or closed, which may take
	// seconds; mu only while the fields of captures change, so that who looks
	// at them does not wait.
	change sync.Mutex
	mu     sync.Mutex
	list   []*capture // changed with mu held, while nothing is supervised
	gone   []*capture // those that a reload took from the list
}

// capture is one interface.
type capture struct {
	name string
	log  *slog.Logger

	// Written with Captures.change and mu held, read with one of them.
	open    *xdp.Capture // nil while there is none
	counted *xdp.Capture // whose counts are not in past: open, or the one that is being closed
	program *bpf.Program // of counted
	// lastRead is what the program had counted when it could last be read.
	lastRead bpf.Verdicts
	opened   uint64
	// past holds the counts of captures that are closed.
	past     bpf.Verdicts
	pastXDP  xdp.Stats
	failed   uint64 // redirects that reached no worker, as far as it is certain
	still    stillness
	lastFail string // the last refusal that was logged
	deaf     bool   // it is open, and yet nothing is received by it

	supervisor supervisor // of lookAfter, and of attach before that runs
}

// StartCaptures opens the captures and looks after them until Stop. The workers
// must be running. With Require a refusal is an error; otherwise it is logged,
// and tried again later.
func StartCaptures(cfg CaptureConfig, workers []*Worker) (*Captures, error) {
	return startCaptures(cfg, workers, system{open: xdp.Open, observe: observe})
}

// startCaptures does the same with another system.
func startCaptures(cfg CaptureConfig, workers []*Worker, sys system) (*Captures, error) {
	c := &Captures{cfg: cfg, workers: workers, system: sys}
	for _, name := range cfg.Interfaces {
		c.add(name)
	}
	c.begin()
	for _, one := range c.list {
		if err := c.attach(one); err != nil && cfg.Require {
			c.Stop()
			return nil, fmt.Errorf("capture as -xdp.require asks: %w", err)
		}
	}
	c.supervise()
	return c, nil
}

// attach opens a capture and gives the workers their ends of it.
func (c *Captures) attach(one *capture) error {
	c.change.Lock()
	defer c.change.Unlock()
	mode, err := xdp.ParseMode(c.cfg.Mode)
	if err != nil {
		return err
	}
	zeroCopy, err := xdp.ParseZeroCopy(c.cfg.ZeroCopy)
	if err != nil {
		return err
	}
	remedy := one.supervisor.remedy
	if remedy.generic {
		mode = xdp.Generic
	}
	if remedy.copying {
		zeroCopy = xdp.ZeroCopyOff
	}
	var program *bpf.Program
	open, err := c.system.open(xdp.Config{
		Interface: one.name,
		Queues:    c.cfg.Queues,
		Workers:   len(c.workers),
		Mode:      mode,
		ZeroCopy:  zeroCopy,
		RingSize:  c.cfg.RingSize,
		BusyPoll:  c.cfg.BusyPoll,
		Done:      c.until.Done(),
		Links:     c.cfg.Links,

		Load: func(t xdp.Target) (xdp.Program, error) {
			p, err := bpf.Load(bpf.Config{
				Workers: t.Workers,
				Queues:  t.Queues,
				Allow:   c.cfg.Allow,
				Deny:    c.cfg.Deny,
				Host:    t.Interface.Host,
				RatePPS: uint32(c.cfg.Rate),
				Frags:   t.Frags,

				MaxFrame: t.MaxFrame,
			}, listens(c.cfg.Listens))
			if err != nil {
				return nil, err
			}
			program = p
			return p, nil
		},
	})
	if err != nil {
		if program != nil {
			err = errors.Join(err, program.Close())
		}
		if text := err.Error(); text != one.lastFail {
			one.lastFail = text
			one.log.Warn("not captured by XDP: its datagrams are received on the sockets", "error", err)
		}
		return err
	}
	c.mu.Lock()
	one.open, one.counted, one.program, one.lastFail = open, open, program, ""
	one.opened++
	c.mu.Unlock()
	one.supervisor.opened(modeOf(open))
	if why := open.NotAdopted(); why != nil {
		one.log.Warn("the program of the last weir was not taken over: attached again, and some drivers lose frames while they attach", "error", why)
	}
	if why := open.PassedOver(); why != nil {
		one.log.Info("a better mode was refused", "error", why)
	}
	if why := program.NoBells(); why != nil && !errors.Is(why, bpf.ErrNoBells) {
		one.log.Warn("workers are not woken when a ring fills up: they look for frames more often, which costs some CPU time", "error", why)
	}
	if n := open.MaxFrame(); n > 0 {
		one.log.Info(fmt.Sprintf("frames longer than %d bytes are received on UDP sockets, because this kernel has no multi-buffer AF_XDP (XDP_USE_SG, Linux 6.6)", n),
			"bytes", n, "mtu", open.Interface().MTU)
	}
	one.log.Info("capturing, bypassing the kernel network stack", "mode", modeOf(open), "queues", open.Queues(),
		"workers", len(c.workers), "busy_polling", open.BusyPolling(), "huge_pages", open.HugePages(), "driver", open.Interface().Driver, "adopted", open.Adopted())
	c.handOut()
	return nil
}

// listens turns listen addresses into those of the program.
func listens(addrs []netip.AddrPort) []bpf.Listen {
	var list []bpf.Listen
	for _, a := range addrs {
		l := bpf.Listen{Addr: a.Addr(), Port: a.Port()}
		if a.Addr() == netip.IPv6Unspecified() {
			l.Addr = netip.Addr{} // the sockets take both families
		}
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list
}

func modeOf(x *xdp.Capture) string {
	attach, zeroCopy := x.Mode()
	if zeroCopy {
		return ModeNativeZeroCopy
	}
	return attach
}

// handOut gives every worker its ends of all captures, and takes back those that
// are no more. c.mu is held.
func (c *Captures) handOut() {
	for i, w := range c.workers {
		var receivers []*xdp.Receiver
		for _, one := range c.list {
			if one.open != nil {
				receivers = append(receivers, one.open.Worker(i))
			}
		}
		w.SetFrames(receivers)
	}
}

// detach ends a capture: the program passes all to the stack, the workers empty
// their rings and let go, and it is closed. With leave the program stays on the
// interface for a successor, if there may be one.
func (c *Captures) detach(one *capture, leave bool) {
	c.change.Lock()
	defer c.change.Unlock()
	if one.open == nil {
		return
	}
	open, program := one.open, one.program
	end := open.Detach
	if leave {
		end = func() error { _, err := open.Leave(); return err }
	}
	if err := end(); err != nil {
		one.log.Warn("xdp program not detached", "error", err)
	}
	c.mu.Lock()
	one.open = nil
	c.mu.Unlock()
	c.handOut()
	if err := open.Close(); err != nil {
		one.log.Warn("capture not closed cleanly", "error", err)
	}
	c.mu.Lock()
	one.past = addVerdicts(one.past, one.verdicts())
	one.lastRead = bpf.Verdicts{}
	one.pastXDP = addStats(one.pastXDP, open.Stats())
	one.pastXDP.Waiting = 0 // nobody will read it
	one.failed = max(one.failed, missing(one.past, one.pastXDP))
	one.program, one.counted = nil, nil
	c.mu.Unlock()
	if err := program.Close(); err != nil {
		one.log.Warn("xdp program not closed cleanly", "error", err)
	}
}

// lookAfter keeps one interface captured until ctx is done. Where it is not, each
// attempt waits twice as long as the one before, unless the interface has changed.
func (c *Captures) lookAfter(ctx context.Context, one *capture, changed <-chan struct{}) {
	retry, eager, down := retryMin, eagerMost, false
	tried := time.Now()
	for wait := healthEvery; ; {
		poked := false
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-changed:
			poked = true
		}
		c.mu.Lock()
		open := one.open
		c.mu.Unlock()
		if open != nil {
			if c.healthy(one, open, &down) {
				wait = one.supervisor.judge.every()
				continue
			}
			poked, eager, retry = true, eagerMost, retryMin
		}
		if poked {
			if eager == 0 {
				wait = max(retry-time.Since(tried), 0)
				continue
			}
			eager--
			if !sleep(ctx, eagerPause-time.Since(tried)) {
				return
			}
		}
		tried = time.Now()
		if c.attach(one) == nil {
			wait, retry, eager, down = healthEvery, retryMin, eagerMost, false
			continue
		}
		wait = retry
		if retry = min(2*retry, retryMax); retry == retryMax {
			eager = eagerMost
		}
	}
}

// healthy looks after a capture that is open, and ends one that was lost.
func (c *Captures) healthy(one *capture, open *xdp.Capture, down *bool) bool {
	err := open.Health()
	switch {
	case err == nil:
		if *down {
			one.log.Info("interface is up again")
		}
		*down = false
		return c.receives(one, open)
	case errors.Is(err, xdp.ErrDown):
		if !*down {
			one.log.Warn("interface is down")
		}
		*down = true
		return true
	}
	one.log.Warn("capture lost: its datagrams are received on the sockets until it is back", "error", err)
	c.detach(one, false)
	return false
}

// sleep waits, and reports whether ctx is not done.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Stop ends all captures, after the workers have emptied their rings.
func (c *Captures) Stop() {
	c.halt()
	for _, one := range c.list {
		c.detach(one, true)
	}
}

// Stats returns what became of the frames of each interface.
func (c *Captures) Stats() []CaptureStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []CaptureStats
	for i, one := range slices.Concat(c.list, c.gone) {
		s := CaptureStats{Interface: one.name, Removed: i >= len(c.list), Mode: ModeUDP, Opened: one.opened}
		verdicts, x := one.past, one.pastXDP
		if one.open != nil && !one.deaf {
			s.Mode = modeOf(one.open)
		}
		if one.counted != nil {
			before := addVerdicts(verdicts, one.verdicts())
			x = addStats(x, one.counted.Stats())
			// What is on its way at this moment is not lost.
			n, onWay := missing(before, x), uint64(redirectBulk*runtime.NumCPU())
			if one.still.since(before[bpf.Redirect], time.Now()) >= settled && x.Waiting == 0 {
				onWay = 0
			}
			one.failed = max(one.failed, max(n, onWay)-onWay)
			// Last of all, so that no frame that was received or lost is missing in them.
			verdicts = addVerdicts(verdicts, one.verdicts())
		}
		for v, n := range verdicts {
			s.Verdicts = append(s.Verdicts, Count{bpf.Verdict(v).String(), n})
		}
		s.Dropped = []Count{
			{"rx_dropped", x.RXDropped},
			{"rx_ring_full", x.RXRingFull},
			{"rx_invalid_descs", x.RXInvalidDescs},
			{"redirect_failed", one.failed},
		}
		s.Rings = []RingFill{{"rx", x.RXHighWater, x.RXRingSize}}
		all = append(all, s)
	}
	return all
}

// Rated reports whether the programs limit the rate of exporters.
func (c *Captures) Rated() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.Rate != 0
}

// Limited calls f for the exporters of which datagrams were dropped by the rate
// limit in the programs, up to limit of them.
func (c *Captures) Limited(limit int, f func(exporter netip.Addr, n uint64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sums := map[netip.Addr]uint64{}
	for _, one := range c.list {
		if one.program == nil || c.cfg.Rate == 0 {
			continue
		}
		// An error leaves the counts of the others.
		_ = one.program.RateLimited(func(addr netip.Addr, n uint64) bool {
			if _, ok := sums[addr]; n > 0 && (ok || len(sums) < limit) {
				sums[addr] += n
			}
			return true
		})
	}
	for addr, n := range sums {
		f(addr, n)
	}
}

// verdicts returns the program's counts, those of the last time where they cannot be
// read. c.mu is held.
func (one *capture) verdicts() bpf.Verdicts {
	if v, err := one.program.Verdicts(); err == nil {
		one.lastRead = v
	}
	return one.lastRead
}

func addVerdicts(a, b bpf.Verdicts) bpf.Verdicts {
	for i := range b {
		a[i] += b[i]
	}
	return a
}

// settled is after how long without a redirect none is on its way to a ring.
const settled = time.Second

// stillness is since when a count has not changed, as far as was seen.
type stillness struct {
	count uint64
	at    time.Time
}

// since takes note of the count and returns for how long it has been the same.
func (s *stillness) since(count uint64, now time.Time) time.Duration {
	if s.at.IsZero() || count != s.count {
		*s = stillness{count, now}
	}
	return now.Sub(s.at)
}

// redirectBulk is how many frames a CPU has decided about at most and not yet put into
// a ring: those of a NAPI poll.
const redirectBulk = 64

// missing returns how many frames were redirected that no worker has had and of which
// no socket says that it dropped them. The kernel does not count them: of a socket
// that is bound to another queue, or closed at that moment.
func missing(v bpf.Verdicts, x xdp.Stats) uint64 {
	known := x.Received + x.RXDropped + x.RXRingFull + uint64(x.Waiting)
	return max(v[bpf.Redirect], known) - known
}

// addStats adds the counts of b to a; of how full the rings were it takes the
// greater.
func addStats(a, b xdp.Stats) xdp.Stats {
	a.Received += b.Received
	a.Waiting += b.Waiting
	a.RXDropped += b.RXDropped
	a.RXRingFull += b.RXRingFull
	a.RXInvalidDescs += b.RXInvalidDescs
	a.RXFillRingEmpty += b.RXFillRingEmpty
	a.RXHighWater = max(a.RXHighWater, b.RXHighWater)
	a.RXRingSize = max(a.RXRingSize, b.RXRingSize)
	return a
}
