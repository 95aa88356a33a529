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
	// webTimeout is how long requests may take that are at work when a successor asks.
	webTimeout = 200 * time.Millisecond
)

// stop ends everything in the order of the data: detach the captures and empty
// their rings, drain and close the sockets, seal batches, write them, close.
// Sockets that a successor keeps are left as they are, and handed over as soon as
// the workers have ended and what they know is saved.
func (c *collection) stop(workers *sync.WaitGroup) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	c.watcher.beginStop()
	for _, s := range c.sockets() {
		if c.keeper.outlives(socketName(s)) {
			s.Keep()
		}
	}
	if c.web != nil {
		c.web.SetHealthy(false)
	}
	if c.keeper.succeeded() && c.web != nil { // the successor serves, under the same address
		c.stopWeb(ctx)
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
		if !c.keeper.succeeded() {
			// At once, so that nothing is sent to a socket that nobody reads.
			c.closeSockets()
		}
	}
	c.watcher.stop()
	saved := make(chan error, 1)
	go func() { saved <- c.stopKeeping(ctx, ended) }()
	if ended && c.keeper.succeeded() {
		errs = append(errs, <-saved) // the successor loads it
		saved <- nil
		c.handOver()
	}
	errs = append(errs, c.outlet.Load().hub.Stop(ctx), <-saved)
	c.watcher.finish()
	c.life.stop()
	if ended {
		for _, w := range c.workers {
			w.Close()
		}
	}
	if c.web != nil && !c.keeper.succeeded() {
		if err := c.web.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, fmt.Errorf("stop http server: %w", err))
		}
	}
	c.keeper.report(c.sockets())
	c.summary()
	return errors.Join(errs...)
}

// stopWeb frees the address of the web server for a successor, which does not wait long.
func (c *collection) stopWeb(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, webTimeout)
	defer cancel()
	if err := c.web.Stop(ctx); err != nil {
		c.log.Debug("http server stopped with requests at work", "error", err)
	}
}

// handOver gives the sockets to the successor. The workers have ended.
func (c *collection) handOver() {
	for _, s := range c.sockets() {
		s.PollDrops()
	}
	c.life.end()
	if !c.keeper.handOver() {
		for _, w := range c.workers {
			w.Abandon()
		}
	}
	c.closeSockets()
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
