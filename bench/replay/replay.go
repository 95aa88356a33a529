package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// window is how many datagrams are taken at once; each source's share of them is
// sent by as few system calls as can be.
const window = 256

// replayer is one run.
type replayer struct {
	options
	load    *workload
	sockets []*socket // one for each of load.sources
	batch   *batch    // memory of a system call, shared by the sockets
	queues  [][][]byte
	active  []int // sources with something in queues
	next    int   // in load.datagrams
	loops   int   // finished
	counters
}

// replay loads, opens, sends until done, and sums up.
func replay(ctx context.Context, o options, stderr io.Writer) (*summary, error) {
	load, err := loadWorkload(o, stderr)
	if err != nil {
		return nil, err
	}
	r := &replayer{options: o, load: load, batch: newBatch(window), queues: make([][][]byte, len(load.sources))}
	defer r.close()
	if err := r.open(stderr); err != nil {
		return nil, err
	}
	start := time.Now()
	reporting := r.report(stderr, start)
	interrupted := r.run(ctx, start)
	took := time.Since(start)
	for _, s := range r.sockets {
		s.checkPending(&r.counters)
	}
	reporting()
	return r.summary(took, interrupted), nil
}

// open opens the sockets.
func (r *replayer) open(stderr io.Writer) error {
	if r.keepSource {
		own, err := ownAddresses()
		if err != nil {
			return err
		}
		if err := assignSources(r.load.sources, r.to.Addr(), own); err != nil {
			return err
		}
	}
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
			return err
		}
		r.sockets = append(r.sockets, s)
	}
	r.explainSources(stderr)
	return nil
}

// explainSources says which addresses were exchanged for others.
func (r *replayer) explainSources(w io.Writer) {
	const most = 20
	lines := 0
	for _, s := range r.load.sources {
		if s.local == s.captured {
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

func (r *replayer) close() {
	for _, s := range r.sockets {
		s.close()
	}
}

// run sends until the loops or the time are over, or ctx is; it reports the last.
func (r *replayer) run(ctx context.Context, start time.Time) (interrupted bool) {
	pace := newPacer(r.pps, start)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		if r.loop > 0 && r.loops >= r.loop || r.duration > 0 && now.Sub(start) >= r.duration {
			return false
		}
		if ctx.Err() != nil {
			return true
		}
		n, wait := pace.due(now, window)
		if n == 0 {
			if r.duration > 0 {
				wait = min(wait, r.duration-now.Sub(start))
			}
			timer.Reset(wait)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
			continue
		}
		pace.took(r.sendNext(n, now))
	}
}

// sendNext sends the next n datagrams, beginning again at the workload's end as
// long as loops are left, and returns how many it went over, failed ones too.
func (r *replayer) sendNext(n int, now time.Time) int {
	taken := 0
	for taken < n && (r.loop == 0 || r.loops < r.loop) {
		d := &r.load.datagrams[r.next]
		if r.rewriteTime {
			rewriteTime(d.payload, now)
		}
		if len(r.queues[d.source]) == 0 {
			r.active = append(r.active, d.source)
		}
		r.queues[d.source] = append(r.queues[d.source], d.payload)
		taken++
		if r.next++; r.next == len(r.load.datagrams) {
			r.next = 0
			r.loops++
		}
	}
	for _, at := range r.active {
		r.sockets[at].send(r.batch, r.queues[at], &r.counters)
		r.queues[at] = r.queues[at][:0]
	}
	r.active = r.active[:0]
	return taken
}
