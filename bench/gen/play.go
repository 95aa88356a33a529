package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/bench/pace"
)

// output takes datagrams.
type output interface {
	// put takes a datagram, or counts why it could not and returns false. An
	// error ends the run.
	put(d *workload.Datagram, c *counters) (bool, error)
	// close ends the output; everything that put took is out then.
	close() error
}

// defaultPPS is the rate that a simulated clock supposes where none was asked
// for.
const defaultPPS = 1000

// play makes datagrams and gives them to the output until the count or the time
// is over or ctx is done.
func play(ctx context.Context, o options, progress io.Writer) (*summary, error) {
	cfg := o.workload
	started := time.Now()
	following := o.now && o.write == "" // the host's clock, all the way
	if o.now {
		cfg.StartNs = started.UnixNano()
	}
	pps := o.pps
	if pps == 0 {
		pps = defaultPPS
	}
	if !following {
		cfg.IntervalNs = max(int64(1e9/pps), 1)
	}
	gen, err := workload.New(cfg)
	if err != nil {
		return nil, err
	}
	if o.write != "" && o.duration > 0 {
		// Of the simulated time; the datagram at its end is not in it.
		n := uint64((int64(o.duration)-1)/cfg.IntervalNs + 1)
		if o.count == 0 || n < o.count {
			o.count = n
		}
		o.duration = 0
	}
	var out output
	if o.write != "" {
		out, err = newCapture(o.write)
	} else {
		out, err = newSender(o.to, o.toSFlow, gen.Streams())
	}
	if err != nil {
		return nil, err
	}
	c := &counters{}
	if !o.quiet {
		stop := c.report(progress, started)
		defer stop()
	}
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	pacer := pace.New(o.pps, time.Now())
	if o.write != "" {
		pacer = pace.New(0, time.Now())
	}
	err = loop(ctx, gen, pacer, out, c, o.count, following)
	took := time.Since(started)
	if err := errors.Join(err, out.close()); err != nil {
		return nil, err
	}
	s := c.summary(o, took)
	s.Interrupted = errors.Is(ctx.Err(), context.Canceled)
	if cfg.IDs {
		// As many flows as were made, the skipped ones too. The number wraps.
		s.FirstID, s.NextID = cfg.FirstID, gen.NextID()
	}
	return s, nil
}

// loop is where datagrams are made. It ends without error when ctx is done.
func loop(ctx context.Context, gen *workload.Generator, pacer *pace.Pacer, out output, c *counters, count uint64, following bool) error {
	done := ctx.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var d workload.Datagram
	for made := uint64(0); count == 0 || made < count; made++ {
		for {
			n, wait := pacer.Due(time.Now(), 1)
			if n > 0 {
				break
			}
			timer.Reset(wait)
			select {
			case <-done:
				return nil
			case <-timer.C:
			}
		}
		if made%64 == 0 {
			select {
			case <-done:
				return nil
			default:
			}
		}
		if following {
			gen.SetClock(time.Now().UnixNano())
		}
		gen.Next(&d)
		taken, err := out.put(&d, c)
		if err != nil {
			return err
		}
		if taken {
			c.took(&d)
		} else {
			c.skip(&d)
		}
		pacer.Took(1)
	}
	return nil
}
