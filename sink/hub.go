package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/weirflow/weir/internal/wake"
	"github.com/weirflow/weir/producer"
)

const (
	tickEvery = time.Second
	// stopGrace is what a sink gets, after the deadline of Stop, to notice
	// that its context is done.
	stopGrace = time.Second

	// gatherMost is how long batches may gather in the lanes before the hub
	// wakes for them, where they come often: a wake-up costs as much as
	// writing many. No shorter than gatherLeast, as a sleep of less takes as
	// long; and no more of them than 1/gatherShare of a lane, as the sleep may
	// become several times as long where the CPUs are busy.
	gatherMost  = 5 * time.Millisecond
	gatherLeast = time.Millisecond
	gatherShare = 8
)

// A Hub moves batches from the lanes of all workers into one sink.
//
// [Hub.Run] is called once, on a goroutine of its own. [Hub.Notify] is for
// the workers; it, [Hub.Reopen], [Hub.Stop], [Hub.Closed] and [Hub.Counters]
// may be called by anyone at any time.
type Hub struct {
	frame
	sink   Sink
	ticker Ticker // the sink, if it is one

	bell  *wake.Bell  // rung by all that the hub waits for
	alarm *wake.Alarm // for rests; nil: a timer of Go's, which costs more

	reopens    chan reopening // requests of Do, one slot
	closed     chan struct{}  // closed at the sink's first ErrClosed
	closedSeen bool           // hub goroutine only

	fault     fault // hub goroutine only
	tickEvery time.Duration

	// How long batches gather: hub goroutine only.
	pause    time.Duration
	measured time.Time // when pause was last set
	sweeps   int       // that moved anything from then on, at most one batch of a lane each
	room     int       // how many batches of a lane may gather

	// The frame's mu also orders the hub's goroutine and a Stop that gave up
	// on it, and guards these. It is taken twice a batch and never held
	// while the sink is at work.
	abandoned bool // Stop has counted all that was left
	inHand    int  // records in the batch that the sink has
}

// reopening is a request of Do.
type reopening struct {
	ctx    context.Context // whoever asked has gone when it is done
	do     func() error
	result chan<- error // one slot
}

// NewHub returns a hub that will drain lanes into s. The hub owns s from here
// on. Nothing happens before [Hub.Run]. A nil log discards.
func NewHub(s Sink, lanes []*Lane, log *slog.Logger) *Hub {
	return ContinueHub(s, lanes, nil, log)
}

// ContinueHub is NewHub for a hub that counts on with the counters of another one, which has
// ended or is about to.
func ContinueHub(s Sink, lanes []*Lane, counters *Counters, log *slog.Logger) *Hub {
	h := &Hub{
		sink:      s,
		bell:      wake.NewBell(),
		reopens:   make(chan reopening, 1),
		closed:    make(chan struct{}),
		fault:     fault{calm: calm},
		tickEvery: tickEvery,
	}
	h.init(s.Name(), lanes, counters, log)
	h.fault.counters = h.counters
	h.alert = h.bell.Ring
	h.alarm, _ = wake.NewAlarm(nil, nil)
	h.ticker, _ = s.(Ticker)
	h.room = math.MaxInt32
	for _, l := range lanes {
		h.room = min(h.room, l.depth/gatherShare)
	}
	return h
}

// Closed returns a channel that is closed when the sink says for the first
// time that its output has gone away ([ErrClosed]). The hub goes on, so that
// no worker is held up; whether the program does is the caller's choice.
func (h *Hub) Closed() <-chan struct{} { return h.closed }

// Run writes what comes over the lanes until [Hub.Stop] ends it in good
// order. If ctx is done before, Run gives up: what is in the lanes is dropped
// by shutdown and the sink is closed. It returns what Stop returns.
func (h *Hub) Run(ctx context.Context) error {
	if !h.start() {
		return errRunTwice
	}
	defer context.AfterFunc(ctx, h.giveUp)()

	due := time.Now().Add(h.tickEvery) // before the timer: once that fires, the tick is due
	tick := time.AfterFunc(h.tickEvery, h.bell.Ring)
	defer tick.Stop()
	for {
		more := h.sweep()
		if h.ctx.Err() != nil {
			break
		}
		select {
		case r := <-h.reopens:
			if r.ctx.Err() == nil {
				r.result <- r.do()
			}
		default:
		}
		if now := time.Now(); !now.Before(due) {
			due = now.Add(h.tickEvery)
			tick.Reset(h.tickEvery)
			h.tick()
		}
		if more {
			continue
		}
		select {
		case <-h.stopping:
			h.finish()
			return h.err
		default:
		}
		h.bell.Wait()
		h.sleep(h.rest(time.Now()))
	}
	h.finish()
	return h.err
}

// Notify tells the hub that a batch was pushed. A worker calls it once after
// each push to Full. It never blocks.
func (h *Hub) Notify() { h.bell.Ring() }

// sleep sleeps for d.
func (h *Hub) sleep(d time.Duration) {
	if d > 0 && (h.alarm == nil || !h.alarm.Sleep(d)) {
		time.Sleep(d)
	}
}

// rest returns how long to let batches gather, after the bell rang.
func (h *Hub) rest(now time.Time) time.Duration {
	if since := now.Sub(h.measured); since >= 2*gatherMost {
		h.pause = restFor(since, h.sweeps, h.room)
		h.measured, h.sweeps = now, 0
	}
	for _, l := range h.lanes {
		if l.Full.Len() > h.room {
			return 0
		}
	}
	return h.pause
}

// restFor returns how long to rest where in that time so many batches of a lane
// were moved, and as many as room may gather; 0 for not at all.
func restFor(since time.Duration, moved, room int) time.Duration {
	if since > gatherMost*time.Duration(moved) {
		return 0 // seldom
	}
	length := min(gatherMost, since*time.Duration(room)/time.Duration(moved))
	if length < gatherLeast {
		return 0
	}
	return length
}

func (h *Hub) tick() {
	if h.ticker != nil {
		h.ticker.Tick()
	}
}

// sweep moves one batch of every lane that has one and reports whether any
// had.
func (h *Hub) sweep() bool {
	more := false
	for _, lane := range h.lanes {
		b := h.take(lane)
		if b == nil {
			continue
		}
		more = true
		h.move(b)
		b.Reset()
		// There is room: the lane has no more batches than slots.
		lane.Empty.Push(b)
	}
	if more {
		h.sweeps++
	}
	return more
}

// take pops the lane's next batch, nil if there is none or no longer ours.
func (h *Hub) take(lane *Lane) *producer.Batch {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.abandoned {
		return nil
	}
	b, ok := lane.Full.Pop()
	if !ok {
		return nil
	}
	h.inHand = b.Records()
	return b
}

// move writes one batch and counts what became of it.
func (h *Hub) move(b *producer.Batch) {
	records := b.Records()
	var written int
	err := h.ctx.Err()
	if err == nil && records > 0 {
		written, err = h.sink.Write(h.ctx, b)
	}
	out := Judge(records, written, err)
	bytes := 0
	if out.Written > 0 {
		bytes = int(b.Ends[out.Written-1])
	}

	h.mu.Lock()
	if !h.abandoned {
		h.counters.settle(out, bytes)
	}
	h.inHand = 0
	h.mu.Unlock()

	if records > 0 && out.Reason != ReasonShutdown {
		h.fault.observe(h.log, out, err)
	}
	if !h.closedSeen && errors.Is(err, ErrClosed) {
		h.closedSeen = true
		close(h.closed)
	}
}

// finish drains the lanes, flushes and closes the sink.
func (h *Hub) finish() {
	for h.sweep() {
	}
	h.fault.end(h.log)
	var errs []error
	if h.ctx.Err() == nil {
		if err := h.sink.Flush(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := h.sink.Close(); err != nil {
		errs = append(errs, err)
	}
	h.bell.Close()
	if h.alarm != nil {
		h.alarm.Close()
	}
	h.ended(errs...)
}

// Reopen has the sink reopen its output between two batches and returns the
// sink's error, ctx's if the sink was busy for too long, or [ErrClosed] if
// the hub has stopped.
func (h *Hub) Reopen(ctx context.Context) error {
	err := h.Do(ctx, h.sink.Reopen)
	if errors.Is(err, ErrClosed) || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("reopen output: %w", err)
	}
	return err
}

// Do calls f in the hub's goroutine, between two batches, and returns its error, ctx's if
// the sink was busy for too long, or [ErrClosed] if the hub has stopped.
func (h *Hub) Do(ctx context.Context, do func() error) error {
	result := make(chan error, 1)
	select {
	case h.reopens <- reopening{ctx, do, result}:
		h.bell.Ring()
	case <-h.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-result:
		return err
	case <-h.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-result: // just before the end
		return err
	default:
		return ErrClosed
	}
}

// Stop ends the hub. The workers must have stopped pushing before. What is in
// the lanes is written until ctx is done; what is left then is dropped by
// shutdown, as is, a moment later, a batch that the sink does not come back
// with. The sink is flushed and closed. The error reports a failed flush or
// close and of records that were dropped for want of time.
func (h *Hub) Stop(ctx context.Context) error {
	ended := h.end(ctx, h.finish, h.grace)
	h.abandon()
	return h.verdict(ctx, ended)
}

// abandon counts all that is still in the lanes, and the batch that the sink
// does not come back with, as dropped by shutdown. From then on the hub's
// goroutine, should it still be there, counts nothing.
func (h *Hub) abandon() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.abandoned {
		return
	}
	h.abandoned = true
	if h.inHand > 0 {
		h.counters.settle(Outcome{Dropped: h.inHand, Reason: ReasonShutdown}, 0)
	}
	h.sweepFull()
}
