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
// arrives at a socket from then on is dropped by the kernel, which counts it. A
// socket that a successor keeps (udp.Socket.Keep) is left as it is.
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
	if a := w.parts.Gate.admission.Load(); a != w.admission { // other exporters may send
		w.admission = a
		w.senders.clear()
	}
	return !w.late()
}

// late reports whether no time is left to decode.
func (w *Worker) late() bool {
	end := w.endBy.Load()
	return end != nil && !time.Now().Before(*end)
}

// takeWaited takes what was received before the worker began.
func (w *Worker) takeWaited() {
	w.ready()
	w.goflow2.from(0)
	for i := range w.parts.Waited {
		if w.late() {
			w.discard(PathUDP, len(w.parts.Waited[i].Payload))
		} else {
			w.datagram(&w.parts.Waited[i])
		}
	}
	for _, bytes := range w.parts.WaitedDropped {
		w.discard(PathUDP, bytes)
	}
	w.parts.Waited, w.parts.WaitedDropped = nil, nil
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

// Abandon counts what waits in sockets as dropped by shutdown. It is for a worker that
// has left them to a successor, which does not take them. Run has returned.
func (w *Worker) Abandon() {
	for _, s := range w.sockets() {
		// What cannot be received is in no counter, as what is sent to a closed socket.
		_ = s.Refuse()
		for end := time.Now().Add(drainTime); time.Now().Before(end); {
			n, err := s.Receive(0)
			if n == 0 || err != nil {
				break
			}
			for i := range n {
				w.discard(PathUDP, len(s.Datagram(i).Payload))
			}
		}
	}
	w.pollDrops()
	w.publish(true)
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
