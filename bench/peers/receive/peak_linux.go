package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bench/peers/figures"
)

// settle is how long nothing must come for all to have come.
const settle = 60 * time.Millisecond

// listener runs a receiver on a CPU of its own.
type listener struct {
	thread int
	stop   atomic.Bool
	ended  chan error
}

func (w *way) listen(o options) *listener {
	l := &listener{ended: make(chan error, 1)}
	ready := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: it is pinned
		ready <- unix.Gettid()
		l.ended <- l.run(w, o.recvCPU)
	}()
	l.thread = <-ready
	return l
}

func (l *listener) run(w *way, cpu int) error {
	if err := pin(0, cpu, mostNice); err != nil {
		return err
	}
	received := &w.generator.state.received
	for !l.stop.Load() {
		n, err := w.receiver.receive()
		if err != nil {
			return err
		}
		if n > 0 {
			received.Store(received.Load() + uint64(n)) // it has no other writer
		}
	}
	return nil
}

// settled waits until nothing comes any more, and returns how much has come.
func (w *way) settled() uint64 {
	received := &w.generator.state.received
	last, since := received.Load(), time.Now()
	for time.Since(since) < settle {
		time.Sleep(settle / 10)
		if now := received.Load(); now != last {
			last, since = now, time.Now()
		}
	}
	return last
}

func (l *listener) end() error {
	l.stop.Store(true)
	return <-l.ended
}

// peak is the outcome of one search, in datagrams a second.
type peak struct {
	lossless float64 // highest
	lossy    float64 // lowest; 0 if no more could be offered
}

// peaks searches for the highest lossless rate of every way in turn.
func peaks(o options, list []*way) error {
	lossless, lossy, bound := newSeries(list), newSeries(list), make([]int, len(list))
	for range o.peakRounds {
		for i, w := range list {
			p, err := w.peak(o)
			if err != nil {
				return fmt.Errorf("receive by %s: %w", w.name, err)
			}
			lossless[i].ns = append(lossless[i].ns, p.lossless/1000)
			if p.lossy > 0 {
				lossy[i].ns = append(lossy[i].ns, p.lossy/1000)
			} else {
				bound[i]++
			}
		}
	}
	fmt.Printf("\n# peak: highest rate of which nothing was lost in %v, sender and softirq on CPU %d, receiver on CPU %d; median (min-max) of %d\n",
		o.peakTime, o.sendCPU, o.recvCPU, o.peakRounds)
	fmt.Printf("# searches with %d attempts at each rate, and the lowest rate at which all lost something; sender-bound: searches in which no\n", tries)
	fmt.Println("# more could be offered, without loss")
	fmt.Printf("peak %-12s %22s %22s %13s\n", "receiver", "lossless kpps", "loss begins kpps", "sender-bound")
	for i, w := range list {
		begins := "-"
		if len(lossy[i].ns) > 0 {
			begins = spread(lossy[i].ns)
		}
		fmt.Printf("peak %-12s %22s %22s %8d of %d\n", w.name, spread(lossless[i].ns), begins, bound[i], o.peakRounds)
	}
	for _, name := range []string{native, generic, asavieX} {
		if a, b := find(lossless, name), find(lossless, recvmmsg); a != nil && b != nil {
			fmt.Printf("ratio peak %s/%s %.2f\n", name, recvmmsg, figures.Median(a)/figures.Median(b))
		}
	}
	return nil
}

func (w *way) peak(o options) (p peak, err error) {
	l := w.listen(o)
	defer func() { err = errors.Join(err, l.end()) }()
	// Upwards in steps, until it loses or the sender is at its end.
	const step, enough = 1.3, 0.95
	short := o.peakTime / 4
	bound := false
	for rate := 50_000.0; p.lossy == 0 && !bound; rate *= step {
		got, lossless, err := w.offer(rate, short)
		switch {
		case err != nil:
			return p, err
		case !lossless:
			p.lossy = rate
		default:
			p.lossless = max(p.lossless, got)
			bound = got < enough*rate
		}
	}
	// Between the two.
	for range 3 {
		if p.lossy == 0 || p.lossy <= p.lossless {
			break
		}
		rate := (p.lossless + p.lossy) / 2
		got, lossless, err := w.offer(rate, short)
		if err != nil {
			return p, err
		}
		if lossless {
			p.lossless = max(p.lossless, got)
		} else {
			p.lossy = rate
		}
	}
	// For the whole time.
	const back, least = 0.93, 10_000
	for rate := max(p.lossless, least); ; rate *= back {
		got, lossless, err := w.offer(rate, o.peakTime)
		switch {
		case err != nil:
			return p, err
		case lossless:
			p.lossless = got
			return p, nil
		}
		p.lossy = rate
		if rate < least {
			p.lossless = 0
			return p, nil
		}
	}
}

// tries is how often a rate is offered: what else runs on the machine may take a
// CPU away for longer than a ring lasts, or keep the sender from its rate.
const tries = 3

// offer sends at a rate for a while, and returns the highest rate that was kept
// without loss, if there was any.
func (w *way) offer(rate float64, d time.Duration) (best float64, lossless bool, err error) {
	const close = 0.98
	for range tries {
		before := w.settled()
		o, err := w.generator.send(flow{rate: rate, group: 1}, d)
		if err != nil {
			return 0, false, err
		}
		if w.settled()-before >= o.sent {
			best, lossless = max(best, o.rate), true
			if o.rate >= close*rate {
				break
			}
		}
	}
	return best, lossless, nil
}
