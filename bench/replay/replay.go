package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"time"

	"github.com/weirflow/weir/bench/pace"
)

// window is how many datagrams are taken at once; each source's share of them is
// sent by as few system calls as can be.
const window = 256

// replayer is one run.
type replayer struct {
	options
	load  *workload
	out   output
	next  int       // in load.datagrams
	loops int       // finished
	bad   *impairer // nil: all is sent as it is
	counters
}

// replay loads, opens, sends until done, and sums up.
func replay(ctx context.Context, o options, stderr io.Writer) (*summary, error) {
	load, err := loadWorkload(o, stderr)
	if err != nil {
		return nil, err
	}
	r := &replayer{options: o, load: load}
	if o.impair.any() {
		r.bad = newImpairer(o.impair, load)
	}
	if o.iface != "" {
		// The thread has the network namespace, and sleeps exactly.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		timeExactly()
		r.out, err = newWire(o, load, stderr)
	} else {
		r.out, err = r.openSockets()
	}
	if err != nil {
		return nil, err
	}
	defer r.out.close()
	r.explainSources(stderr)
	start := time.Now()
	reporting := r.report(stderr, start)
	interrupted := r.run(ctx, start)
	if r.bad != nil {
		r.bad.finish(func(i, pass int) { r.out.put(i, pass, time.Now(), &r.counters) })
		r.out.flush(&r.counters)
	}
	took := time.Since(start)
	r.out.finish(&r.counters)
	reporting()
	return r.summary(took, interrupted), nil
}

// openSockets opens a socket for each source.
func (r *replayer) openSockets() (_ *socketOutput, err error) {
	if r.keepSource {
		own, err := ownAddresses()
		if err != nil {
			return nil, err
		}
		if err := assignSources(r.load.sources, r.to.Addr(), own); err != nil {
			return nil, err
		}
	}
	out := newSocketOutput(r.load, r.rewriteTime)
	defer func() {
		if err != nil {
			out.close()
		}
	}()
	for i := range r.load.sources {
		from := &r.load.sources[i]
		if from.local == r.to { // a socket connected to itself
			from.local = netip.AddrPortFrom(from.local.Addr(), 0)
		}
		s, err := openSocket(from.local, r.to)
		if err != nil && from.local.Port() != 0 && errors.Is(err, errPortRefused) {
			from.local = netip.AddrPortFrom(from.local.Addr(), 0)
			s, err = openSocket(from.local, r.to)
		}
		if err != nil {
			return nil, err
		}
		out.sockets = append(out.sockets, s)
	}
	return out, nil
}

// explainSources says which addresses were exchanged for others.
func (r *replayer) explainSources(w io.Writer) {
	const most = 20
	lines := 0
	for _, s := range r.load.sources {
		if !r.keepSource || s.local == s.captured {
			continue
		}
		if lines++; lines <= most {
			port := fmt.Sprint(s.local.Port())
			if s.local.Port() == 0 {
				port = "any port"
			}
			fmt.Fprintf(w, "replay: source %s sends from %s, %s\n", s.captured, s.local.Addr(), port)
		}
	}
	if lines > most {
		fmt.Fprintf(w, "replay: and %d more sources\n", lines-most)
	}
}

// run sends until the loops or the time are over, or ctx is; it reports the last.
func (r *replayer) run(ctx context.Context, start time.Time) (interrupted bool) {
	pacer := pace.New(r.pps, start)
	for {
		now := time.Now()
		if r.loop > 0 && r.loops >= r.loop || r.duration > 0 && now.Sub(start) >= r.duration {
			return false
		}
		if ctx.Err() != nil {
			return true
		}
		n, wait := pacer.Due(now, window)
		if n == 0 {
			if r.duration > 0 {
				wait = min(wait, r.duration-now.Sub(start))
			}
			r.out.sleep(ctx, wait)
			continue
		}
		pacer.Took(r.sendNext(n, now))
	}
}

// sendNext sends the next n datagrams, beginning again at the workload's end as
// long as loops are left, and returns how many it went over, failed ones too.
func (r *replayer) sendNext(n int, now time.Time) int {
	taken := 0
	for taken < n && (r.loop == 0 || r.loops < r.loop) {
		if r.bad != nil {
			r.bad.next(r.next, r.loops, r.load.datagrams[r.next].source, func(i, pass int) { r.out.put(i, pass, now, &r.counters) })
		} else {
			r.out.put(r.next, r.loops, now, &r.counters)
		}
		taken++
		if r.next++; r.next == len(r.load.datagrams) {
			r.next = 0
			r.loops++
		}
	}
	r.out.flush(&r.counters)
	return taken
}
