package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A frame is what both kinds of hub have around their work: being told of
// batches, running once, and coming to an end within a deadline.
type frame struct {
	lanes    []*Lane
	log      *slog.Logger
	counters *Counters
	before   uint64 // records that were dropped by shutdown before this hub
	name     string // of the output

	alert    func()        // has the hub look at stopping and ctx
	stopping chan struct{} // closed by Stop
	stopOnce sync.Once
	done     chan struct{} // closed by ended
	err      error         // result of the hub; written before done is closed

	// ctx is done when there is no more time: Run's context or Stop's is.
	ctx    context.Context
	cancel context.CancelFunc
	grace  time.Duration // for the output to notice that

	mu      sync.Mutex
	started bool
}

func (f *frame) init(name string, lanes []*Lane, counters *Counters, log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f.name, f.lanes, f.log = name, lanes, log.With("output", name)
	if counters == nil {
		counters = new(Counters)
	}
	f.counters, f.before = counters, counters.DroppedBy(ReasonShutdown)
	f.alert = func() {}
	f.stopping, f.done = make(chan struct{}), make(chan struct{})
	f.grace = stopGrace
	f.ctx, f.cancel = context.WithCancel(context.Background())
}

// Counters returns the hub's counters.
func (f *frame) Counters() *Counters { return f.counters }

var errRunTwice = errors.New("run hub: already run or stopped")

// start claims the one run of the hub.
func (f *frame) start() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started {
		return false
	}
	f.started = true
	return true
}

// giveUp says that there is no more time.
func (f *frame) giveUp() {
	f.cancel()
	f.alert()
}

// ended ends the run with the errors.
func (f *frame) ended(errs ...error) {
	f.err = errors.Join(errs...)
	close(f.done)
}

// end has the hub stop, or finish called if it never ran, and waits for that
// until ctx is done and so long after it. It reports whether the hub has ended.
func (f *frame) end(ctx context.Context, finish func(), after time.Duration) bool {
	defer context.AfterFunc(ctx, f.giveUp)()
	f.stopOnce.Do(func() { close(f.stopping) })
	f.alert()
	if f.start() {
		go finish()
	}
	select {
	case <-f.done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-f.done:
		return true
	case <-time.After(after):
		return false
	}
}

// verdict is what Stop returns.
func (f *frame) verdict(ctx context.Context, ended bool) error {
	var errs []error
	if ended {
		errs = append(errs, f.err)
	} else {
		errs = append(errs, fmt.Errorf("output does not come to an end: %w", ctx.Err()))
	}
	if n := f.counters.DroppedBy(ReasonShutdown) - f.before; n > 0 {
		errs = append(errs, fmt.Errorf("%d records dropped", n))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop output %s: %w", f.name, err)
	}
	return nil
}

// sweepFull takes what is in the lanes and counts it as dropped by shutdown.
// Nobody else may pop from them any more.
func (f *frame) sweepFull() {
	for _, lane := range f.lanes {
		for {
			b, ok := lane.Full.Pop()
			if !ok {
				break
			}
			f.counters.settle(Outcome{Dropped: b.Records(), Reason: ReasonShutdown}, 0)
		}
	}
}
