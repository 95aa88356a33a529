package collector

import (
	"fmt"
	"time"
)

// drainTime is how long a stopping worker decodes what its rings and sockets
// hold, unless EndBy set another time.
const drainTime = time.Second

// EndBy sets the time of a coming Stop after which the worker decodes nothing
// more: what it receives from then on is counted as dropped by shutdown, and a
// wait for the sink ends. Until Stop the worker receives as before. It may be
// called by any goroutine; the first call counts.
func (w *Worker) EndBy(end time.Time) { w.endBy.CompareAndSwap(nil, &end) }

// Stop makes Run empty the rings and sockets, seal its batch and return. What
// arrives at a socket from then on is dropped by the kernel, which counts it.
func (w *Worker) Stop() {
	w.EndBy(time.Now().Add(drainTime))
	w.stopping.Store(true)
	w.src.wake()
}

// ready prepares for the datagrams of one receive call, before the first of
// them is counted, and reports whether they are to be decoded.
func (w *Worker) ready() bool {
	if w.prod.Stale() { // a mapping was loaded: no batch holds messages of both
		w.seal()
		w.prod.Refresh()
	}
	return !w.late()
}

// late reports whether no time is left to decode.
func (w *Worker) late() bool {
	end := w.endBy.Load()
	return end != nil && !time.Now().Before(*end)
}

// discard counts a datagram that was received when no time was left to decode
// it.
func (w *Worker) discard(path Path, bytes int) {
	w.counters.Received[path]++
	w.counters.ReceivedBytes[path] += uint64(bytes)
	w.counters.Shutdown++
}

// patient reports whether the worker, having waited so long for a batch to come
// back from the sink, waits on.
func (w *Worker) patient(waited time.Duration) bool {
	if end := w.endBy.Load(); end != nil {
		return time.Now().Before(*end)
	}
	return waited < sinkPatience
}

// drain takes what rings and sockets still hold: it decodes that until the time
// of EndBy and only counts the rest. Then it seals the last batch.
func (w *Worker) drain() error {
	defer w.seal()
	w.behind = false
	n, err := 1, error(nil)
	for n > 0 && err == nil && time.Now().Before(*w.endBy.Load()) {
		if n, err = w.src.sweep(w); err == nil {
			w.tend(n)
		}
	}
	w.src.finish(w)
	w.endHeld()
	if err != nil {
		return fmt.Errorf("drain worker %d: %w", w.index, err)
	}
	return nil
}

// fail ends a worker whose sources have failed. What they still hold is counted
// as dropped by shutdown.
func (w *Worker) fail(err error) error {
	now := time.Now()
	w.endBy.Store(&now)
	w.src.finish(w)
	w.prod.Abandon(w.held.done)
	w.seal()
	return fmt.Errorf("receive in worker %d: %w", w.index, err)
}
