package sink

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/weirflow/weir/producer"
)

// takeRounds is how many batches of a lane are taken in before the hub looks
// at the sink again.
const takeRounds = 8

// step does what can be done now and reports whether that was anything.
func (h *AsyncHub) step(now time.Time) bool {
	moved := h.receive(now)
	h.judge(now)
	if h.offerWaiting(now) {
		moved = true
	}
	for range takeRounds {
		if !h.takeIn(now) {
			break
		}
		moved = true
	}
	return moved
}

// receive settles what came back.
func (h *AsyncHub) receive(now time.Time) bool {
	for n := 0; ; n++ {
		select {
		case d := <-h.sink.Done():
			h.settle(d, now)
		default:
			return n > 0
		}
	}
}

// waits reports whether the hub waits for something that rings no bell.
func (h *AsyncHub) waits() bool {
	return h.spooling || len(h.flight) > 0 || len(h.held) > 0 || h.backlog()
}

// backlog reports whether the spool has entries to be offered before
// everything else.
func (h *AsyncHub) backlog() bool {
	return h.read != nil || (h.spool != nil && h.spool.Unread())
}

// judge decides whether the lanes' batches go to the sink or to the spool.
func (h *AsyncHub) judge(now time.Time) {
	if h.spool == nil {
		return
	}
	trouble := h.trouble(now)
	switch {
	case trouble != "" && !h.spooling:
		h.spooling, h.since = true, now
		h.log.Warn("output is too slow or away, spooling", "why", trouble)
		h.storeHeld(now)
	case h.spooling:
		answers := len(h.flight) == 0 || h.progress.After(h.since)
		if trouble == "" && answers && !h.backlog() && len(h.held) == 0 {
			h.spooling = false
			h.log.Info("spool is delivered", "after", now.Sub(h.since).Round(time.Millisecond))
		} else {
			h.storeHeld(now)
		}
	}
	if h.spooling {
		h.preserve()
	}
}

// trouble says why the sink is not to be relied upon; empty if it is.
func (h *AsyncHub) trouble(now time.Time) string {
	h.lookForStarved(now)
	if len(h.held) == 0 && !h.backlog() {
		h.blocked = time.Time{} // nothing is refused any more
	}
	switch {
	case h.draining, now.Before(h.retryAt):
		return "failed"
	case !h.blocked.IsZero() && now.Sub(h.blocked) > h.cfg.Grace:
		return "full"
	case !h.sink.Available():
		return "unavailable"
	case len(h.flight) > 0 && now.Sub(h.progress) > h.cfg.Stall:
		return "stalled"
	case !h.starved.IsZero() && now.Sub(h.starved) > h.cfg.Grace:
		return "slow"
	}
	return ""
}

// lookForStarved notes since when nearly all batches of a lane have been here,
// so that there are hardly any that the worker could fill. The rest is for the
// time that the first writes to the spool take.
func (h *AsyncHub) lookForStarved(now time.Time) {
	for i, l := range h.lanes {
		if h.away[i] >= l.depth-l.depth/8 {
			if h.starved.IsZero() {
				h.starved = now
			}
			return
		}
	}
	h.starved = time.Time{}
}

// offerWaiting offers the spool's entries and then what is held in memory.
func (h *AsyncHub) offerWaiting(now time.Time) bool {
	if h.draining || now.Before(h.retryAt) {
		return false
	}
	moved := false
	for range h.cfg.Window {
		if h.read == nil && !h.readNext(now) {
			break
		}
		if !h.offer(h.read, now) {
			return moved
		}
		h.read, moved = nil, true
	}
	if h.backlog() {
		return moved
	}
	for len(h.held) > 0 {
		if !h.offer(h.held[0], now) {
			return moved
		}
		h.held, moved = slices.Delete(h.held, 0, 1), true
	}
	return moved
}

// readNext reads the spool's next entry and reports whether there is one.
func (h *AsyncHub) readNext(now time.Time) bool {
	if h.finishing || h.spool == nil || h.reads >= h.cfg.Window || !h.spool.Unread() {
		return false
	}
	it := h.newItem(h.takePooled(), -1)
	e, err := h.spool.Next(it.b)
	h.bookLosses(change{})
	if err != nil {
		h.release(it)
		if !errors.Is(err, io.EOF) {
			h.spoolFault.observe(h.log, Outcome{Reason: ReasonSpoolError}, err)
			h.retryAt = now.Add(maxBackoff)
		}
		return false
	}
	it.seq, it.left = e.Seq, e.Left
	h.read = it
	return true
}

// offer hands an item to the sink.
func (h *AsyncHub) offer(it *item, now time.Time) bool {
	if h.draining || now.Before(h.retryAt) || !h.sink.Available() || !h.sink.Submit(it.b) {
		if h.blocked.IsZero() {
			h.blocked = now
		}
		return false
	}
	h.blocked = time.Time{}
	if len(h.flight) == 0 {
		h.progress = now
	}
	if it == h.read {
		it.read = true
		h.reads++
	}
	h.flight = append(h.flight, it)
	return true
}

// takeIn takes batches from the lanes, one of each that has one.
func (h *AsyncHub) takeIn(now time.Time) bool {
	moved := false
	for i, lane := range h.lanes {
		if !h.spooling && (len(h.held) > 0 || h.draining || now.Before(h.retryAt)) {
			break
		}
		if h.spooling && len(h.held) > 0 {
			break // the spool refuses, and the sink is only slow
		}
		b, ok := lane.Full.Pop()
		if !ok {
			continue
		}
		moved = true
		h.take(h.newItem(b, i), now)
	}
	if moved && h.spool != nil && (h.spooling || h.cfg.Always) {
		if err := h.spool.Commit(); err != nil {
			h.spoolFault.observe(h.log, Outcome{Reason: ReasonSpoolError}, err)
		}
	}
	return moved
}

// take sends a lane's batch to the sink or to the spool.
func (h *AsyncHub) take(it *item, now time.Time) {
	if it.b.Records() == 0 {
		h.counters.empty()
		h.release(it)
		return
	}
	if h.spooling || h.backlog() {
		h.store(it, now)
		return
	}
	if h.cfg.Always && h.spool != nil && h.preserve() && h.append(it) {
		if h.offer(it, now) {
			h.spool.SkipUnread()
		} else {
			h.release(it) // it is the spool's now
		}
		return
	}
	if !h.offer(it, now) {
		h.held = append(h.held, it)
	}
}

// store puts an item after all others into the spool, and gives its batch
// back. If the spool refuses it, it is held where the sink may still take it,
// and dropped where it may not.
func (h *AsyncHub) store(it *item, now time.Time) {
	if h.preserve() && h.append(it) {
		h.release(it)
		return
	}
	if h.sink.Available() && !h.draining && !now.Before(h.retryAt) && !h.finishing {
		h.held = append(h.held, it)
		return
	}
	h.lose(it, it.b.Records(), h.spoolReason(), h.spoolErr)
	h.release(it)
}

// storeHeld puts what is held in memory into the spool.
func (h *AsyncHub) storeHeld(now time.Time) {
	held := h.held
	h.held = h.held[len(h.held):]
	for _, it := range held {
		h.store(it, now)
	}
}

// storeAll puts everything that is in memory into the spool.
func (h *AsyncHub) storeAll() {
	now := time.Now()
	h.spooling = true
	h.storeHeld(now)
	for h.takeIn(now) {
	}
	h.preserve()
	if err := h.spool.Commit(); err != nil {
		h.spoolFault.observe(h.log, Outcome{Reason: ReasonSpoolError}, err)
	}
}

// preserve sees to it that all that is with the sink is in the spool too, in
// its order, and that lanes whose batches are with the sink have others
// meanwhile. It reports whether all is there.
//
// Items that are not in the spool were offered after all of the spool's
// entries had been. What is appended for them is therefore not to be read
// before something fails.
func (h *AsyncHub) preserve() bool {
	if h.spooling {
		h.replace()
	}
	for _, it := range h.flight {
		if it.seq == 0 && !it.evicted {
			if !h.append(it) {
				return false
			}
			h.spool.SkipUnread()
		}
	}
	return true
}

// replace gives the lanes other batches for those that are with the sink, before
// these are written: a disk may be slow, and a worker waits for a moment only.
// How much memory that takes is up to how many batches the sink takes.
func (h *AsyncHub) replace() {
	for _, it := range h.flight {
		if it.lane >= 0 {
			spare := h.takePooled()
			spare.Worker = it.b.Worker
			h.home(it, spare)
			it.lane = -1
		}
	}
}

// append writes an item into the spool.
func (h *AsyncHub) append(it *item) bool {
	seq, err := h.spool.Append(it.b)
	if err != nil {
		h.spoolErr = err
		h.bookLosses(change{})
		return false
	}
	it.seq, it.left = seq, nil
	h.bookLosses(change{})
	return true
}

func (h *AsyncHub) spoolReason() string {
	if errors.Is(h.spoolErr, ErrDiskFull) {
		return ReasonDiskFull
	}
	return ReasonSpoolError
}

// bookLosses books a change together with what the spool lost. Evicted items
// that are with the sink are not lost yet.
func (h *AsyncHub) bookLosses(ch change) {
	if h.spool == nil {
		h.counters.book(ch, &h.spooled, 0)
		return
	}
	lost := h.spool.TakeLosses()
	if lost.Evicted > 0 {
		first := h.spool.First()
		for _, it := range h.flight {
			if it.seq != 0 && it.seq < first {
				it.seq, it.evicted = 0, true
				lost.Evicted -= uint64(it.b.Records())
				lost.Batches--
			}
		}
		if h.read != nil && h.read.seq < first {
			h.release(h.read)
			h.read = nil
		}
		if lost.Evicted > 0 {
			h.spoolFault.observe(h.log, Outcome{Dropped: int(lost.Evicted), Reason: ReasonSpoolFull}, errEvicted)
		}
	}
	if lost.Corrupt > 0 {
		h.spoolFault.observe(h.log, Outcome{Dropped: int(lost.Corrupt), Reason: ReasonSpoolCorrupt}, errCorrupt)
	}
	ch.evicted += lost.Evicted
	ch.corrupt += lost.Corrupt
	ch.batches += int(lost.Batches)
	h.counters.book(ch, &h.spooled, h.spool.Waiting())
}

var (
	errEvicted = errors.New("spool is full, the oldest records make way")
	errCorrupt = errors.New("spool is corrupt")
)

// newItem wraps a batch.
func (h *AsyncHub) newItem(b *producer.Batch, lane int) *item {
	var it *item
	if n := len(h.items); n > 0 {
		it, h.items = h.items[n-1], h.items[:n-1]
	} else {
		it = new(item)
	}
	h.order++
	*it = item{b: b, lane: lane, order: h.order}
	if lane >= 0 {
		h.away[lane]++
	}
	return it
}

// release sends an item's batch home.
func (h *AsyncHub) release(it *item) {
	it.b.Reset()
	if it.lane >= 0 {
		h.home(it, it.b)
	} else if len(h.pool) < h.room {
		h.pool = append(h.pool, it.b)
	}
	*it = item{}
	h.items = append(h.items, it)
}

// home sends a batch to the lane that the item's batch is from.
func (h *AsyncHub) home(it *item, b *producer.Batch) {
	// There is room: the lane has no more batches than slots.
	h.lanes[it.lane].Empty.Push(b)
	h.away[it.lane]--
}

func (h *AsyncHub) takePooled() *producer.Batch {
	if n := len(h.pool); n > 0 {
		b := h.pool[n-1]
		h.pool = h.pool[:n-1]
		return b
	}
	return producer.NewBatch(0, producer.DefaultBatchSize)
}
