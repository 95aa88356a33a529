package sink

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/weirflow/weir/internal/wake"
	"github.com/weirflow/weir/producer"
)

const (
	// defaultGrace is under the time for which a worker waits for a batch
	// before it counts records as lost.
	defaultGrace = 100 * time.Millisecond
	defaultStall = 2 * time.Second
	// DefaultWindow is the default of AsyncConfig.Window.
	DefaultWindow = 32

	// asyncPoll is how often a hub that waits for its output looks again.
	asyncPoll = 10 * time.Millisecond
	// minBackoff and maxBackoff bound the pause after a failure.
	minBackoff = 20 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// AsyncConfig says how an [AsyncHub] works. The zero value has no spool.
type AsyncConfig struct {
	// Spool takes the batches that the output does not. It belongs to the
	// hub from NewAsyncHub on. If it is nil, batches that failed with
	// ErrUnavailable stay in memory and are offered again, and the workers
	// find no empty batches meanwhile.
	Spool Spool

	// Always has every batch written to the spool before it is offered.
	Always bool

	// Grace is for how long the output may refuse batches, or nearly all of
	// a lane's may be under way, before the spool is used. 0 means 100 ms.
	Grace time.Duration

	// Stall is for how long batches may be with the output without any of
	// them coming back before the spool is used. 0 means 2 s.
	Stall time.Duration

	// Window is how many batches read from the spool may be with the
	// output at a time. 0 means 32.
	Window int

	// Counters are those that the hub counts on, of another one that has ended, or is
	// about to; nil for its own. SameSpool says that Spool was that one's.
	Counters  *Counters
	SameSpool bool

	// Logger is told about the begin and the end of each fault. Nil discards.
	Logger *slog.Logger
}

// An AsyncHub moves batches from the lanes of all workers into one
// [AsyncSink], through a [Spool] while the output is away.
//
// It is used like a [Hub]: [AsyncHub.Run] is called once, on a goroutine of
// its own; the other methods may be called by anyone at any time.
type AsyncHub struct {
	frame
	sink  AsyncSink
	spool Spool // nil if there is none
	// spooled is what of the counters' is this hub's; their mu guards it.
	spooled uint64
	cfg     AsyncConfig
	swept   bool       // Stop has counted what came too late; the frame's mu guards it
	bell    *wake.Bell // rung by all that the hub waits for

	// The rest is the hub goroutine's alone.

	flight []*item // with the sink, in the order of Submit
	held   []*item // in memory, refused by the sink; they follow the spool's unread entries
	read   *item   // read from the spool, refused by the sink
	reads  int     // how many of flight are from the spool
	items  []*item // for reuse
	pool   []*producer.Batch
	order  uint64 // of the last item
	room   int    // how many batches pool keeps

	spooling  bool          // the lanes' batches go to the spool
	finishing bool          // nothing more is read from the spool
	draining  bool          // a batch failed: nothing is offered until all came back
	blocked   time.Time     // since when something is refused; zero: nothing is
	away      []int         // how many of each lane's batches are here
	starved   time.Time     // since when nearly all of a lane's batches are; zero: they are not
	progress  time.Time     // when a batch came back, or the first was handed over
	retryAt   time.Time     // nothing is offered before
	backoff   time.Duration // the last pause; 0 after a success

	minBackoff, maxBackoff time.Duration

	fault      fault
	spoolFault fault
	since      time.Time // begin of spooling
	stranger   bool      // the sink gave a batch back that it did not have
	spoolErr   error     // why the spool refused the last time
}

// item is a batch on its way, and what is known about it.
type item struct {
	b       *producer.Batch
	lane    int      // where the batch goes home; -1: the hub's pool
	order   uint64   // of being offered
	seq     uint64   // in the spool; 0: it is not there
	left    []uint32 // indices of b's messages in the spool's entry; nil: the same
	evicted bool     // it was in the spool, which gave it up
	read    bool     // it counts in reads
}

// NewAsyncHub returns a hub that will drain lanes into s. The hub owns s and
// cfg.Spool from here on. Nothing happens before [AsyncHub.Run].
func NewAsyncHub(s AsyncSink, lanes []*Lane, cfg AsyncConfig) *AsyncHub {
	if cfg.Grace <= 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.Stall <= 0 {
		cfg.Stall = defaultStall
	}
	if cfg.Window <= 0 {
		cfg.Window = DefaultWindow
	}
	h := &AsyncHub{
		sink:       s,
		spool:      cfg.Spool,
		cfg:        cfg,
		minBackoff: minBackoff,
		maxBackoff: maxBackoff,
		fault:      fault{calm: calm},
		spoolFault: fault{calm: calm},
		bell:       wake.NewBell(),
	}
	h.init(s.Name(), lanes, cfg.Counters, cfg.Logger)
	h.fault.counters, h.spoolFault.counters = h.counters, h.counters
	h.alert = h.bell.Ring
	s.OnDone(h.bell.Ring)
	h.grace = stopGrace / 3 // Stop waits for the sink up to three times
	h.away = make([]int, len(lanes))
	h.counters.reasons.Store(int64(len(reasons)))
	h.room = cfg.Window
	for _, l := range lanes {
		h.room += l.Empty.Cap()
	}
	if h.spool != nil {
		lost := h.spool.TakeLosses()
		n := h.spool.Waiting() + lost.Corrupt + lost.Evicted
		n = h.counters.recover(n, change{evicted: lost.Evicted, corrupt: lost.Corrupt}, &h.spooled, h.spool.Waiting(), cfg.SameSpool)
		if n > 0 {
			h.log.Info("records of an earlier run are in the spool", "records", n, "lost_records", lost.Corrupt+lost.Evicted)
		}
	}
	return h
}

// Notify tells the hub that a batch was pushed. A worker calls it once after
// each push to Full. It never blocks.
func (h *AsyncHub) Notify() { h.bell.Ring() }

// Closed returns a channel that is never closed: an output that is away may
// come back. It is there so that both kinds of hub are used alike.
func (h *AsyncHub) Closed() <-chan struct{} { return nil }

// Reopen does nothing: there is no file that others might have moved away.
func (h *AsyncHub) Reopen(context.Context) error { return nil }

// Run moves what comes over the lanes until [AsyncHub.Stop] ends it in good
// order. If ctx is done before, Run gives up at once, as Stop does at its
// deadline. It returns the errors of closing sink and spool.
func (h *AsyncHub) Run(ctx context.Context) error {
	if !h.start() {
		return errRunTwice
	}
	defer context.AfterFunc(ctx, h.giveUp)()

	due := time.Now().Add(tickEvery) // before the timer: once that fires, the tick is due
	tick := time.AfterFunc(tickEvery, h.bell.Ring)
	defer tick.Stop()
	poll := time.AfterFunc(asyncPoll, h.bell.Ring)
	defer poll.Stop()
	for {
		now := time.Now()
		moved := h.step(now)
		if !now.Before(due) {
			due = now.Add(tickEvery)
			tick.Reset(tickEvery)
			h.tick()
		}
		select {
		case <-h.stopping:
			h.finish()
			return h.err
		case <-h.ctx.Done():
			h.finish()
			return h.err
		default:
		}
		if moved {
			continue
		}
		if h.waits() {
			poll.Reset(asyncPoll)
		}
		h.bell.Wait()
	}
}

// tick gives disk space back while nothing waits in the spool, and notes that
// nothing was lost there for a while.
func (h *AsyncHub) tick() {
	h.spoolFault.observe(h.log, Outcome{}, nil)
	if h.spool != nil && !h.spooling && !h.cfg.Always && h.spool.Waiting() == 0 {
		h.spool.Trim()
	}
}

// Stop ends the hub. The workers must have stopped pushing before. What is in
// the lanes is delivered or spooled until ctx is done; what is with the sink
// then is spooled, or dropped by shutdown if there is no spool. What waits in
// the spool is left to the next start. The error reports a failed close and
// of records that were dropped for want of time.
func (h *AsyncHub) Stop(ctx context.Context) error {
	// finish waits for the sink up to three times, no longer than grace each.
	ended := h.end(ctx, h.finish, 3*h.grace)
	if ended {
		h.sweep()
	}
	return h.verdict(ctx, ended)
}

// sweep counts what was pushed after the end as dropped by shutdown.
func (h *AsyncHub) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.swept {
		h.swept = true
		h.sweepFull()
	}
}

// finish brings in what is in the lanes and closes sink and spool.
func (h *AsyncHub) finish() {
	h.finishing = true
	h.bringIn()
	if h.spool != nil {
		h.storeAll()
	}
	errs := []error{h.closeSink()}
	if h.read != nil {
		h.release(h.read) // its entry stays in the spool
		h.read = nil
	}
	for _, it := range h.flight {
		if it.seq == 0 {
			h.lose(it, it.b.Records(), ReasonShutdown, nil)
		}
	}
	for _, it := range h.held {
		h.lose(it, it.b.Records(), ReasonShutdown, nil)
		h.release(it)
	}
	h.held = nil
	h.fault.end(h.log)
	h.spoolFault.end(h.log)
	if h.spool != nil {
		if n := h.spool.Waiting(); n > 0 {
			h.log.Info("records wait in the spool for the next start", "records", n)
		}
		errs = append(errs, h.spool.Close())
	}
	h.bell.Close()
	h.ended(errs...)
}

// bringIn works until all that is in memory came to its end or into the spool,
// or the time is over.
func (h *AsyncHub) bringIn() {
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		// Batches that do not come back are seen by themselves.
		_ = h.sink.Flush(h.ctx)
	}()
	defer func() {
		select {
		case <-flushed:
		case <-time.After(h.grace):
		}
	}()
	poll := time.NewTicker(asyncPoll)
	defer poll.Stop()
	for h.ctx.Err() == nil {
		moved := h.step(time.Now())
		if moved {
			continue
		}
		if len(h.held) == 0 && !h.lanesHold() && (len(h.flight) == 0 || h.pointless()) {
			return
		}
		select {
		case d := <-h.sink.Done():
			h.settle(d, time.Now())
		case <-poll.C:
		case <-h.ctx.Done():
		}
	}
}

// pointless reports whether there is no use in waiting for what is with the
// sink: it cannot reach its output, and the spool has all of it.
func (h *AsyncHub) pointless() bool {
	return h.spooling && !h.sink.Available() && h.preserve()
}

func (h *AsyncHub) lanesHold() bool {
	for _, l := range h.lanes {
		if l.Full.Len() > 0 {
			return true
		}
	}
	return false
}

// closeSink closes the sink and takes back what it has, for as long as grace
// lasts.
func (h *AsyncHub) closeSink() error {
	closed := make(chan error, 1)
	go func() { closed <- h.sink.Close() }()
	late := time.NewTimer(h.grace)
	defer late.Stop()
	for {
		select {
		case d := <-h.sink.Done():
			h.settle(d, time.Now())
		case err := <-closed:
			h.receive(time.Now())
			return err
		case <-late.C:
			return errors.New("close output: does not come to an end")
		}
	}
}
