package collector

import (
	"time"

	"github.com/weirflow/weir/producer"
)

const (
	// heldPause is how long a worker waits at most while data waits for its
	// template: another worker may learn it.
	heldPause = 10 * time.Millisecond
	// heldBatches is how many batches a worker fills in a turn with data that
	// waited; after that it looks for datagrams again.
	heldBatches = 2
)

// heldWork is what a worker has to do about data that waited for its template.
type heldWork struct {
	done func(*producer.Released)
	more bool // there is more to decode than a turn's work
}

// heldWait returns how long the worker may wait, limit at most.
func (w *Worker) heldWait(limit time.Duration) time.Duration {
	switch {
	case w.held.more:
		return 0
	case w.prod.Holds():
		return min(limit, heldPause)
	}
	return limit
}

// tendHeld decodes data whose template has become known, by whichever worker,
// and gives up what has waited for too long.
func (w *Worker) tendHeld(now time.Time) {
	w.held.more = false
	if !w.prod.Holds() {
		return
	}
	w.prod.Expire(now.UnixNano(), w.held.done)
	for range heldBatches {
		if w.batch == nil && !w.collect() {
			return // it may wait for the sink as well
		}
		batch := w.open()
		first := batch.Records() == 0
		w.held.more = w.prod.Release(batch, w.cfg.BatchSize, w.held.done)
		switch {
		case len(batch.Buf) >= w.cfg.BatchSize:
			w.seal()
		case first && batch.Records() > 0:
			w.openedAt = now
		}
		if !w.held.more {
			return
		}
	}
}

// endHeld decodes what can be, and gives up the rest: the worker stops.
func (w *Worker) endHeld() {
	for w.held.more = true; w.held.more; {
		w.tendHeld(time.Now())
	}
	w.prod.Abandon(w.held.done)
}

// released counts what became of a data set by its exporter.
func (w *Worker) released(r *producer.Released) {
	s := w.sender(r.Meta.Source.Addr())
	if s == nil {
		return // it may not send any more
	}
	s.ignore(w.prod.Tally())
	if r.Records > 0 {
		s.records.Add(uint64(r.Records))
		w.admission.charge(s.next, r.Meta.ReceivedNs, r.Records, 0)
	}
	if r.Expired {
		s.expired.Add(1)
	}
	if r.Failed {
		s.failed.Add(1)
	}
	w.keep(s)
}
