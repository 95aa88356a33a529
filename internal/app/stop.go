package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// stopTimeout is how long a stop may take: workers, output and web server
	// together. With what an output gets beyond it to notice that, it leaves
	// room below the five seconds that a stop may last.
	stopTimeout = 3500 * time.Millisecond
	// capturesTimeout and workersTimeout are when, of that time, the captures must be
	// detached and the workers must have ended. The rest is for the output.
	capturesTimeout = 2 * time.Second
	workersTimeout  = 3 * time.Second
	// drainTimeout is how much of it the workers may take to decode what waits
	// in rings and sockets.
	drainTimeout = time.Second
)

// stop ends everything in the order of the data: detach the captures and empty
// their rings, drain and close the sockets, seal batches, write them, close.
func (c *collection) stop(workers *sync.WaitGroup) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if c.web != nil {
		c.web.SetHealthy(false)
	}
	began := time.Now()
	end := began.Add(drainTimeout)
	for _, w := range c.workers {
		w.EndBy(end)
	}
	var errs []error
	if captures := c.captures.Load(); captures != nil {
		if err := waitUntil(ctx, began.Add(capturesTimeout), captures.Stop); err != nil {
			errs = append(errs, fmt.Errorf("stop captures: %w", err))
		}
	}
	for _, w := range c.workers {
		w.Stop()
	}
	ended := true
	if err := waitUntil(ctx, began.Add(workersTimeout), workers.Wait); err != nil {
		errs = append(errs, fmt.Errorf("stop workers: %w", err))
		ended = false // they use their sockets, and the process ends soon
	} else {
		if c.errors != nil {
			c.errors.Close()
		}
		// At once, so that nothing is sent to a socket that nobody reads.
		c.closeSockets()
	}
	c.watcher.stop()
	saved := make(chan error, 1)
	go func() { saved <- c.stopKeeping(ctx) }()
	errs = append(errs, c.hub.Stop(ctx), <-saved)
	if ended {
		for _, w := range c.workers {
			w.Close()
		}
	}
	if c.web != nil {
		if err := c.web.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, fmt.Errorf("stop http server: %w", err))
		}
	}
	c.summary()
	return errors.Join(errs...)
}

// waitUntil calls wait and returns when it has returned. If ctx is done or the time comes
// before that, it returns the context's error and wait continues.
func waitUntil(ctx context.Context, end time.Time, wait func()) error {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	done := make(chan struct{})
	go func() {
		wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
