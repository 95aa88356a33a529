package sink

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// settle books what the sink says about a batch.
func (h *AsyncHub) settle(d Done, now time.Time) {
	at := slices.IndexFunc(h.flight, func(it *item) bool { return it.b == d.Batch })
	if at < 0 {
		if !h.stranger {
			h.stranger = true
			h.log.Error("output returned a batch that it did not have")
		}
		return
	}
	it := h.flight[at]
	h.progress = now
	d.Failed = sane(d.Failed, it.b.Records())
	if n := it.b.Records() - len(d.Failed); n > 0 {
		h.backoff = 0
	}
	if len(d.Failed) > 0 && h.temporary(d.Err) {
		h.fail(it, d)
	} else {
		h.resolve(it, d)
		h.land(it)
		h.release(it)
	}
	if h.draining && len(h.flight) == 0 {
		h.drained(now)
	}
}

// land takes an item out of the flight.
func (h *AsyncHub) land(it *item) {
	if at := slices.Index(h.flight, it); at >= 0 {
		h.flight = slices.Delete(h.flight, at, at+1)
	}
	if it.read {
		h.reads--
	}
}

// sane returns those of the indices that are below n and ascending.
func sane(failed []uint32, n int) []uint32 {
	next := uint32(0)
	return slices.DeleteFunc(failed, func(i uint32) bool {
		if i < next || int(i) >= n {
			return true
		}
		next = i + 1
		return false
	})
}

// temporary reports whether messages that failed so are to be offered again.
// Those that a closed sink returns stay in the spool for the next start.
func (h *AsyncHub) temporary(err error) bool {
	return errors.Is(err, ErrUnavailable) || (errors.Is(err, ErrClosed) && h.spool != nil)
}

// resolve books a batch of which nothing is to be offered again.
func (h *AsyncHub) resolve(it *item, d Done) {
	ch := h.acked(it, d.Failed)
	ch.batches = 1
	if ch.dropped = len(d.Failed); ch.dropped > 0 {
		ch.reason = reasonOf(d.Err)
		if h.finishing && ch.reason == ReasonClosed {
			ch.reason = ReasonShutdown // closed by the hub
		}
	}
	if it.seq != 0 {
		h.spool.Resolve(it.seq, it.b.Records(), nil)
	}
	h.bookLosses(ch)
	h.fault.observe(h.log, Outcome{Written: ch.acked, Dropped: ch.dropped, Reason: ch.reason}, d.Err)
}

// acked returns the change by a batch's acknowledged messages.
func (h *AsyncHub) acked(it *item, failed []uint32) change {
	ch := change{acked: it.b.Records() - len(failed), bytes: len(it.b.Buf)}
	for _, i := range failed {
		ch.bytes -= len(it.b.Message(int(i)))
	}
	return ch
}

// fail keeps the failed messages of an item that is with the sink no more.
func (h *AsyncHub) fail(it *item, d Done) {
	h.draining = true
	if h.spool == nil {
		h.counters.book(h.acked(it, d.Failed), &h.spooled, 0)
		h.land(it)
		Keep(it.b, d.Failed)
		h.held = append(h.held, it)
		return
	}

	// All that is with the sink goes to the spool before the item leaves
	// its place among it.
	h.preserve()
	ch := h.acked(it, d.Failed)
	h.land(it)
	if it.seq == 0 {
		ch.dropped, ch.batches = len(d.Failed), 1
		ch.reason = ReasonSpoolFull
		if !it.evicted {
			ch.reason = h.spoolReason()
		}
		h.fault.observe(h.log, Outcome{Written: ch.acked, Dropped: ch.dropped, Reason: ch.reason}, d.Err)
	} else {
		if it.left != nil {
			for n, i := range d.Failed {
				d.Failed[n] = it.left[i]
			}
		}
		h.spool.Resolve(it.seq, it.b.Records(), d.Failed)
	}
	h.bookLosses(ch)
	h.release(it)
}

// drained ends the wait that began with a failure: everything came back, and
// what failed is to be offered again, after a pause.
func (h *AsyncHub) drained(now time.Time) {
	h.draining = false
	h.backoff = min(max(2*h.backoff, h.minBackoff), h.maxBackoff)
	h.retryAt = now.Add(h.backoff)
	slices.SortFunc(h.held, func(a, b *item) int { return cmp.Compare(a.order, b.order) })
	if h.spool != nil {
		if h.read != nil {
			h.release(h.read)
			h.read = nil
		}
		h.spool.Rewind()
	}
}

// lose books messages of an item as dropped.
func (h *AsyncHub) lose(it *item, records int, reason string, err error) {
	ch := change{dropped: records, reason: reason, batches: 1}
	h.bookLosses(ch)
	if reason != ReasonShutdown {
		h.fault.observe(h.log, Outcome{Dropped: records, Reason: reason}, err)
	}
}
