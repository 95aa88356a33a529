package collector

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/internal/life"
	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

const (
	// idleWait is how long a worker waits for a datagram at most before it
	// looks after its other duties.
	idleWait = time.Second
	// stalePause is the same where a reader kept it from publishing its
	// counters.
	stalePause = time.Millisecond
	// drainRounds bounds how many receive calls empty the rings of a capture
	// that ends.
	drainRounds = 1024
	// sinkPatience is how long a worker waits for a batch once the sink has
	// them all. A burst waits in the socket's receive buffer meanwhile. A sink
	// that is stuck for longer costs the records of what comes, but not the
	// templates, until it gives a batch back.
	sinkPatience = 250 * time.Millisecond
	// batchSlack is the memory that a batch of ordinary messages may have beyond
	// its size.
	batchSlack = 128 << 10
	// batchPoll is how often a waiting worker looks for a batch.
	batchPoll = time.Millisecond
)

// Config says how workers work.
type Config struct {
	// BatchSize is the number of bytes at which a batch is sealed.
	BatchSize int
	// Linger is how long a record waits in an open batch at most.
	Linger time.Duration
	// Latency is how long datagrams may gather before the worker looks for
	// them; 0 has it wake up for each.
	Latency time.Duration
}

// A Worker receives on its sockets, and on its ends of the captures that are
// attached. Run is called once, on a goroutine of its own; EndBy, Stop, SetFrames,
// Turns and Snapshot may be called by any goroutine.
type Worker struct {
	index  int
	parts  Parts
	cfg    Config
	lane   *sink.Lane
	notify func()
	prod   *producer.Producer
	log    *slog.Logger

	stopping atomic.Bool
	endBy    atomic.Pointer[time.Time] // see EndBy; nil before a stop
	turns    atomic.Uint64             // of the loop; written by the worker
	done     chan struct{}             // closed when Run returns
	// places are the listen addresses; each change is a new slice, made by the worker.
	places atomic.Pointer[[]place]
	// errand is what the worker is asked to do next; whoever asks has asking.
	errand atomic.Pointer[errand]
	asking sync.Mutex

	// The rest belongs to the worker's thread.
	src   *sources
	batch *producer.Batch // open batch; nil while the sink has them all
	// free holds empty batches. The one that came back last is taken first:
	// its memory is warm, and those below it are touched only when the sink
	// falls behind.
	free     []*producer.Batch
	spare    *producer.Batch // records go here, and nowhere else, meanwhile
	lent     int             // bytes of memory of the batches that the sink has
	openedAt time.Time       // when the open batch got its first record
	behind   bool            // waited in vain since the last batch came back
	senders  senders
	// admission is the one in force, of Parts.Gate.
	admission *Admission
	goflow2   *Goflow2 // nil unless goflow2's metrics are wanted
	counters  Snapshot
	stale     bool // the counters are newer than what was published
	held      heldWork
	polledAt  time.Time

	mu        sync.Mutex // guards published
	published Snapshot
}

// Parts is what a worker works with.
type Parts struct {
	// Sockets are the worker's own, for Listens, the listen addresses that
	// they belong to.
	Sockets []*udp.Socket
	Listens []string
	// Waited are datagrams that were received before the worker begins, and
	// WaitedDropped counts those that no memory or time was left for.
	Waited        []udp.Datagram
	WaitedDropped []int // payload bytes of each
	// WaitedDrops is what the kernel dropped at the sockets that these came by.
	WaitedDrops uint64
	// CPU is the one to pin the worker to, -1 for none.
	CPU      int
	Producer *producer.Producer
	// Lane takes the batches; Notify is called after each that is pushed.
	Lane      *sink.Lane
	Notify    func()
	Exporters *Exporters
	Gate      *Gate
	Errors    *ErrorSamples // nil: none are kept
	// Names has who gets goflow2's metrics, nil where they are not wanted.
	Names *Goflow2Names
	// Life is where the worker stores its counts for the next process; nil for nowhere.
	Life   *life.Worker
	Logger *slog.Logger
}

// pinned reports whether the worker is bound to a CPU, and so to a thread.
func (p *Parts) pinned() bool { return p.CPU >= 0 }

// Snapshot is a consistent copy of a worker's counters.
type Snapshot struct {
	// Received counts the datagrams that came, by Path; ReceivedBytes their
	// payload.
	Received, ReceivedBytes [NumPaths]uint64
	// Denied and Limited count the datagrams that were dropped before anything
	// else was done with them: of exporters that may not send, and of those
	// that sent more than they may.
	Denied, Limited uint64
	// Shutdown counts the datagrams that waited in rings and sockets when the
	// worker stopped and that no time was left to decode. They are in Received.
	Shutdown uint64
	// FramesMalformed counts frames that hold no whole datagram. They are not
	// in Received.
	FramesMalformed uint64
	// SocketDropped counts what the kernel dropped at the worker's sockets.
	SocketDropped uint64
	// Sealed counts the batches handed to the sink.
	Sealed uint64
	// SinkBehind counts the records that were dropped because the sink had
	// all of the worker's batches.
	SinkBehind uint64
	// Decode holds the producer's counters.
	Decode producer.Counters
}

// NewWorker returns a worker.
func NewWorker(index int, cfg Config, parts Parts) (*Worker, error) {
	src, err := newSources(parts.Sockets, cfg.Latency, !parts.pinned())
	if err != nil {
		return nil, fmt.Errorf("make worker %d: %w", index, err)
	}
	w := &Worker{
		index:     index,
		parts:     parts,
		cfg:       cfg,
		lane:      parts.Lane,
		notify:    parts.Notify,
		prod:      parts.Producer,
		log:       parts.Logger,
		done:      make(chan struct{}),
		src:       src,
		spare:     producer.NewBatch(index, 0),
		free:      make([]*producer.Batch, 0, parts.Lane.Empty.Cap()),
		senders:   newSenders(parts.Exporters.limit),
		admission: parts.Gate.admission.Load(),
		goflow2:   newGoflow2(parts.Names, len(parts.Sockets)),
	}
	places := newPlaces(parts.Sockets, parts.Listens)
	w.places.Store(&places)
	w.held.done = w.released
	return w, nil
}

// Index returns the worker's number.
func (w *Worker) Index() int { return w.index }

// Snapshot returns the counters as they were after the last receive batch.
func (w *Worker) Snapshot() Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.published
}

// Turns returns a number that grows while the worker is alive, at least once a
// second.
func (w *Worker) Turns() uint64 { return w.turns.Load() }

// Run works until Stop, or until a socket fails for good.
func (w *Worker) Run() error {
	if w.parts.pinned() {
		runtime.LockOSThread() // never unlocked: a pinned thread is not reused
		if err := pinThread(w.parts.CPU); err != nil {
			w.log.Warn("worker not pinned", "worker", w.index, "cpu", w.parts.CPU, "error", err)
		}
	}
	defer close(w.done)
	defer w.publish(true)
	defer w.goflow2.end()
	w.takeWaited()
	for !w.stopping.Load() {
		n, err := w.src.next(w, w.wait())
		if err != nil {
			return w.fail(err)
		}
		w.tend(n)
		if w.errand.Load() != nil {
			w.run()
		}
		w.turns.Add(1)
	}
	return w.drain()
}

// Close releases what NewWorker made. Run has returned, or was never called.
func (w *Worker) Close() { w.src.close() }

// pollDrops asks the kernel what it dropped.
func (w *Worker) pollDrops() {
	total := w.parts.WaitedDrops
	for _, p := range *w.places.Load() {
		if p.sock != nil {
			p.sock.PollDrops()
		}
		total += p.drops()
	}
	w.counters.SocketDropped = total
}

// wait returns how long to wait for the next datagram: not so long that the worker
// would pass for dead, or its counters grow old.
func (w *Worker) wait() time.Duration {
	limit := w.heldWait(idleWait)
	if w.stale {
		limit = stalePause
	}
	if w.batch == nil || w.batch.Records() == 0 {
		return limit
	}
	return min(max(w.cfg.Linger-time.Since(w.openedAt), 0), limit)
}

// tend does what is due after a round that had n datagrams.
func (w *Worker) tend(n int) {
	now := time.Now()
	w.tendHeld(now)
	if w.batch != nil && w.batch.Records() > 0 && now.Sub(w.openedAt) >= w.cfg.Linger {
		w.seal()
	}
	if now.Sub(w.polledAt) >= time.Second {
		w.polledAt = now
		w.pollDrops()
	}
	w.goflow2.release()
	w.publish(n == 0)
}

// datagram takes one that came over a socket.
func (w *Worker) datagram(d *udp.Datagram) {
	w.counters.Received[PathUDP]++
	w.counters.ReceivedBytes[PathUDP] += uint64(len(d.Payload))
	addr := d.Src.Addr()
	s := w.sender(addr)
	if s == nil {
		w.counters.Denied++
		return
	}
	meta := producer.Meta{Source: d.Src, ReceivedNs: d.ReceivedNs, Truncated: d.Truncated, Override: s.override.Load()}
	if !w.admission.admit(s.next, d.ReceivedNs) {
		w.limited(s, meta, d.Payload)
		w.goflow2.dropped(s.goflow2, len(d.Payload))
		return
	}
	w.produce(s, meta, d.Payload)
}

// frame takes a datagram that came past the stack. The program has looked at
// who may send, and how much.
func (w *Worker) frame(src netip.AddrPort, payload []byte, receivedNs int64) {
	w.counters.Received[PathXDP]++
	w.counters.ReceivedBytes[PathXDP] += uint64(len(payload))
	s := w.sender(src.Addr())
	if s == nil {
		w.counters.Denied++
		return
	}
	meta := producer.Meta{Source: src, ReceivedNs: receivedNs, Override: s.override.Load()}
	if w.admission.owes(s.next, receivedNs) {
		w.limited(s, meta, payload)
		w.goflow2.dropped(s.goflow2, len(payload))
		return
	}
	w.produce(s, meta, payload)
}

// produce decodes a datagram into the open batch.
func (w *Worker) produce(s *sender, meta producer.Meta, payload []byte) {
	batch := w.open()
	first, before := batch.Records() == 0, len(batch.Buf)
	began := w.goflow2.begin()
	res := w.prod.Datagram(batch, meta, payload)
	w.admission.charge(s.next, meta.ReceivedNs, res.Records, len(batch.Buf)-before)
	s.count(len(payload), &res, meta.ReceivedNs)
	s.ignore(w.prod.Tally())
	facts := w.prod.Facts()
	w.follow(s, facts)
	if facts.Faults.Any() && w.parts.Errors != nil {
		w.parts.Errors.keep(&facts.Faults, meta, w.src.localAddr(), payload)
	}
	w.keep(s)
	if w.goflow2 != nil {
		w.goflow2.count(s.goflow2, w.prod.Tally(), &res, len(payload), meta.ReceivedNs, began)
	}

	switch {
	case batch == w.spare:
		w.counters.SinkBehind += uint64(batch.Records())
		batch.Reset()
	case len(batch.Buf) >= w.cfg.BatchSize:
		w.seal()
	case first && res.Records > 0:
		w.openedAt = time.Now()
	}
}

// open returns the batch to append to: the open one, one that came back from
// the sink, or, where the sink keeps them all for too long, one whose records
// are counted as dropped. Decoding goes on all the same, as templates must not
// be missed.
func (w *Worker) open() *producer.Batch {
	if w.batch != nil {
		return w.batch
	}
	if !w.collect() && !w.await() {
		return w.spare
	}
	n := len(w.free)
	w.batch, w.free = w.free[n-1], w.free[:n-1]
	return w.batch
}

// mostLent is the memory that batches may have which the sink keeps: that of as many
// as there are. A datagram may be written as a thousand times its bytes, so that
// their number does not bound it.
func (w *Worker) mostLent() int { return w.lane.Empty.Cap() * (w.cfg.BatchSize + batchSlack) }

// collect takes the batches that came back and reports whether one may be used.
func (w *Worker) collect() bool {
	for {
		b, ok := w.lane.Empty.Pop()
		if !ok {
			break
		}
		w.lent -= b.Lent
		b.Lent = 0
		w.free = append(w.free, b)
	}
	if len(w.free) == 0 || w.lent > w.mostLent() {
		return false
	}
	w.behind = false
	return true
}

// await waits for a batch to come back, once until one does.
func (w *Worker) await() bool {
	if w.behind {
		return false
	}
	w.goflow2.release() // nobody waits for who waits
	for began := time.Now(); w.patient(time.Since(began)); {
		time.Sleep(batchPoll)
		if w.collect() {
			return true
		}
	}
	w.behind = true
	return false
}

// seal hands the open batch to the sink.
func (w *Worker) seal() {
	if w.batch == nil || w.batch.Records() == 0 {
		return
	}
	w.counters.Sealed++
	// First, so that the sink never acknowledges what was not yet produced.
	w.publish(true)
	// There is room: the lane has no more batches than slots.
	w.batch.Lent = w.batch.Memory()
	w.lent += w.batch.Lent
	w.lane.Full.Push(w.batch)
	w.batch = nil
	w.notify()
}

// publish copies the counters for others to read. The lock is taken once a
// receive batch and once a sealed one; only a scrape that copies the other way
// contends for it, and the worker waits for that only where it must.
func (w *Worker) publish(wait bool) {
	if wait {
		w.mu.Lock()
	} else if !w.mu.TryLock() {
		w.stale = true
		return
	}
	w.stale = false
	w.counters.Decode = w.prod.Counters
	w.published = w.counters
	w.mu.Unlock()
	if l := w.parts.Life; l != nil {
		d := &w.counters.Decode
		l.Received.Store(w.counters.Received[PathUDP] + w.counters.Received[PathXDP])
		l.Produced.Store(producer.Sum(d.Records[:]))
		l.Dropped.Store(w.counters.SinkBehind)
		l.Held.Store(d.Held.Datagrams)
	}
}
