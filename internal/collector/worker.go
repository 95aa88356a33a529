package collector

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

const (
	// idleWait is how long a worker with nothing to seal waits for a
	// datagram before it looks after its other duties.
	idleWait = time.Second
	// drainRounds bounds how many receive batches a stopping worker takes
	// from a socket that never runs dry.
	drainRounds = 1024
	// sinkPatience is how long a worker waits for a batch once the sink has
	// them all. A burst waits in the socket's receive buffer meanwhile. A sink
	// that is stuck for longer costs the records of what comes, but not the
	// templates, until it gives a batch back.
	sinkPatience = 250 * time.Millisecond
	// drainPatience is the same for a stopping worker. It leaves time to
	// write what the sink has.
	drainPatience = 2 * time.Second
	// batchPoll is how often a waiting worker looks for a batch.
	batchPoll = time.Millisecond
)

// Config says how workers work.
type Config struct {
	// BatchSize is the number of bytes at which a batch is sealed.
	BatchSize int
	// Linger is how long a record waits in an open batch at most.
	Linger time.Duration
}

// A Worker receives on one socket. Run is called once, on a goroutine of its
// own; Stop and Snapshot may be called by any goroutine.
type Worker struct {
	index     int
	listen    string
	cpu       int // -1: not pinned
	cfg       Config
	sock      *udp.Socket
	prod      *producer.Producer
	lane      *sink.Lane
	notify    func()
	exporters *Exporters
	log       *slog.Logger

	stopping atomic.Bool
	turns    atomic.Uint64 // of the loop; written by the worker

	// The rest belongs to the worker's thread.
	batch *producer.Batch // open batch; nil while the sink has them all
	// free holds empty batches. The one that came back last is taken first:
	// its memory is warm, and those below it are touched only when the sink
	// falls behind.
	free     []*producer.Batch
	spare    *producer.Batch // records go here, and nowhere else, meanwhile
	openedAt time.Time       // when the open batch got its first record
	patience time.Duration   // how long to wait for a batch
	behind   bool            // waited in vain since the last batch came back
	known    map[netip.Addr]*Exporter
	counters Snapshot
	polledAt time.Time

	mu        sync.Mutex // guards published
	published Snapshot
}

// Snapshot is a consistent copy of a worker's counters.
type Snapshot struct {
	// Received and ReceivedBytes count datagrams and their payload.
	Received, ReceivedBytes uint64
	// SocketDropped counts what the kernel dropped at the worker's socket.
	SocketDropped uint64
	// Sealed counts the batches handed to the sink.
	Sealed uint64
	// SinkBehind counts the records that were dropped because the sink had
	// all of the worker's batches.
	SinkBehind uint64
	// Decode holds the producer's counters.
	Decode producer.Counters
}

// NewWorker returns a worker that receives on sock for the listen address
// named listen, pinned to a CPU unless cpu is negative. notify is called after
// each batch pushed to lane.
func NewWorker(index int, listen string, cpu int, cfg Config, sock *udp.Socket, prod *producer.Producer,
	lane *sink.Lane, notify func(), exporters *Exporters, log *slog.Logger) *Worker {
	return &Worker{
		index:     index,
		listen:    listen,
		cpu:       cpu,
		cfg:       cfg,
		sock:      sock,
		prod:      prod,
		lane:      lane,
		notify:    notify,
		exporters: exporters,
		log:       log,
		spare:     producer.NewBatch(index, 0),
		free:      make([]*producer.Batch, 0, lane.Empty.Cap()),
		known:     map[netip.Addr]*Exporter{},
		patience:  sinkPatience,
	}
}

// Listen returns the listen address that the worker belongs to.
func (w *Worker) Listen() string { return w.listen }

// Snapshot returns the counters as they were after the last receive batch.
func (w *Worker) Snapshot() Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.published
}

// Turns returns a number that grows while the worker is alive, at least once a
// second.
func (w *Worker) Turns() uint64 { return w.turns.Load() }

// Stop has Run drain the socket, seal its batch and return.
func (w *Worker) Stop() {
	w.stopping.Store(true)
	w.sock.Wake()
}

// Run works until Stop, or until the socket fails for good.
func (w *Worker) Run() error {
	runtime.LockOSThread() // never unlocked: a pinned thread is not reused
	if w.cpu >= 0 {
		if err := pinThread(w.cpu); err != nil {
			w.log.Warn("worker not pinned", "worker", w.index, "cpu", w.cpu, "error", err)
		}
	}
	defer w.publish(true)
	for !w.stopping.Load() {
		n, err := w.sock.Receive(w.wait())
		if err != nil {
			w.seal()
			return fmt.Errorf("receive on %s: %w", w.listen, err)
		}
		w.take(n)
		w.turns.Add(1)
	}
	return w.drain()
}

// drain takes what the socket still holds and seals the last batch.
func (w *Worker) drain() error {
	defer w.seal()
	w.patience, w.behind = drainPatience, false
	for range drainRounds {
		n, err := w.sock.Receive(0)
		if err != nil {
			return fmt.Errorf("drain %s: %w", w.listen, err)
		}
		if n == 0 {
			break
		}
		w.take(n)
	}
	w.counters.SocketDropped = w.sock.PollDrops()
	return nil
}

// wait returns how long to wait for the next datagram.
func (w *Worker) wait() time.Duration {
	if w.batch == nil || w.batch.Records() == 0 {
		return idleWait
	}
	return max(w.cfg.Linger-time.Since(w.openedAt), 0)
}

// take decodes the n datagrams that were received, and does what is due.
func (w *Worker) take(n int) {
	for i := range n {
		d := w.sock.Datagram(i)
		w.datagram(&d)
	}
	now := time.Now()
	if w.batch != nil && w.batch.Records() > 0 && now.Sub(w.openedAt) >= w.cfg.Linger {
		w.seal()
	}
	if now.Sub(w.polledAt) >= time.Second {
		w.polledAt = now
		w.counters.SocketDropped = w.sock.PollDrops()
	}
	w.publish(n == 0)
}

func (w *Worker) datagram(d *udp.Datagram) {
	w.counters.Received++
	w.counters.ReceivedBytes += uint64(len(d.Payload))

	batch := w.open()
	first := batch.Records() == 0
	res := w.prod.Datagram(batch, producer.Meta{
		Source:     d.Src,
		ReceivedNs: d.ReceivedNs,
		Truncated:  d.Truncated,
	}, d.Payload)
	w.exporter(d.Src.Addr()).count(len(d.Payload), &res, d.ReceivedNs)

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

// collect takes the batches that came back and reports whether one is free.
func (w *Worker) collect() bool {
	for {
		b, ok := w.lane.Empty.Pop()
		if !ok {
			break
		}
		w.free = append(w.free, b)
	}
	if len(w.free) == 0 {
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
	for began := time.Now(); time.Since(began) < w.patience; {
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
		return
	}
	w.counters.Decode = w.prod.Counters
	w.published = w.counters
	w.mu.Unlock()
}

// exporter returns the counters of a source address. The worker keeps those
// that it has met in a table of its own.
func (w *Worker) exporter(addr netip.Addr) *Exporter {
	e, ok := w.known[addr]
	if !ok {
		e = w.exporters.Get(addr)
		if e != w.exporters.other {
			w.known[addr] = e
		}
	}
	return e
}
