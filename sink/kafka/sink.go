package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// maxBatches is how many batches the sink holds at most.
const maxBatches = 1024

// A Sink delivers batches to a topic. It is a [sink.AsyncSink]: Submit is for
// one goroutine; all else may be called by anyone at any time.
type Sink struct {
	set            *settings
	log            *slog.Logger
	counters       Counters
	produceVersion int16

	in     chan *producer.Batch
	done   chan sink.Done
	onDone func() // after each batch put into done; the loop's after the first Submit
	events chan event
	flush  chan chan struct{}

	available atomic.Bool
	// barred is set when a batch comes back with ErrUnavailable. It is
	// cleared by Submit when all that was submitted has been received.
	barred atomic.Bool
	count  atomic.Int64 // batches with the sink

	ctx       context.Context // done when Close begins
	cancel    context.CancelFunc
	loopEnded chan struct{}
	wg        sync.WaitGroup

	// mu orders Submit and Close.
	mu     sync.Mutex
	closed bool

	loop loop
}

// New returns a sink and begins to connect. The cluster need not be there: the
// sink goes on trying, and is not [Sink.Available] until it is. The error
// tells of all faults of the configuration.
func New(c Config) (*Sink, error) {
	set, err := c.withDefaults().resolve()
	if err != nil {
		return nil, fmt.Errorf("configure kafka: %w", err)
	}
	s := &Sink{
		set:            set,
		log:            set.Logger,
		produceVersion: 3,
		in:             make(chan *producer.Batch, maxBatches),
		done:           make(chan sink.Done, maxBatches),
		events:         make(chan event, 256),
		flush:          make(chan chan struct{}),
		loopEnded:      make(chan struct{}),
		onDone:         func() {},
	}
	if set.version.IsAtLeast(sarama.V2_1_0_0) {
		s.produceVersion = 7
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.loop.init(s)
	if set.codec.id != codecNone {
		for range min(4, max(1, runtime.GOMAXPROCS(0)-1)) {
			p, err := newPacker(set.codec)
			if err != nil {
				s.cancel()
				close(s.loop.toPack)
				return nil, fmt.Errorf("configure kafka: %w", err)
			}
			s.wg.Add(1)
			go s.packAll(p)
		}
	}
	go s.loop.run()
	return s, nil
}

// Name returns "kafka".
func (s *Sink) Name() string { return "kafka" }

// Counters returns the sink's counters.
func (s *Sink) Counters() *Counters { return &s.counters }

// Control returns what sarama measured of the requests that it makes.
func (s *Sink) Control() *Control { return &s.set.control }

// Submit hands b over. It returns false, and the caller keeps b, while the
// cluster is away, while the sink holds as much as it may, and after a batch
// came back with ErrUnavailable until all others have come back too.
func (s *Sink) Submit(b *producer.Batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.available.Load() {
		return false
	}
	// Counted before barred is read: the loop sets barred before it looks
	// at what is in the queue.
	n := s.count.Add(1)
	held := s.counters.held.Add(int64(len(b.Buf)))
	if n > maxBatches || held > int64(s.set.BufferBytes) && n > 1 || s.blocked(n-1) {
		s.release(len(b.Buf))
		return false
	}
	s.in <- b
	return true
}

// blocked reports whether Submit must wait; others is the number of batches
// that have not come back.
func (s *Sink) blocked(others int64) bool {
	if !s.barred.Load() {
		return false
	}
	if others > 0 || len(s.done) > 0 {
		return true
	}
	s.barred.Store(false)
	return false
}

func (s *Sink) release(size int) {
	s.count.Add(-1)
	s.counters.held.Add(-int64(size))
}

// Done returns the channel over which every batch comes back.
func (s *Sink) Done() <-chan sink.Done { return s.done }

// OnDone implements [sink.AsyncSink].
func (s *Sink) OnDone(f func()) { s.onDone = f }

// Available reports whether the cluster takes messages.
func (s *Sink) Available() bool { return s.available.Load() }

// Flush sends what is open and returns when all batches have come back.
func (s *Sink) Flush(ctx context.Context) error {
	flushed := make(chan struct{})
	select {
	case s.flush <- flushed:
	case <-s.loopEnded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush kafka: %w", ctx.Err())
	}
	select {
	case <-flushed:
		return nil
	case <-s.loopEnded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush kafka: %w", ctx.Err())
	}
}

// Close hands back what has not been acknowledged and ends all connections.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.available.Store(false)
	s.cancel()
	<-s.loopEnded
	s.wg.Wait()
	return nil
}

// packAll compresses sets until there are no more.
func (s *Sink) packAll(p *packer) {
	defer s.wg.Done()
	for set := range s.loop.toPack {
		set.compress(p)
		s.post(event{packed: set})
	}
}

// finish sends a batch back. There is always room.
func (s *Sink) finish(t *tracked, now time.Time) {
	d := t.done()
	if isUnavailable(d.Err) {
		s.barred.Store(true)
	}
	if ok := t.batch.Records() - len(d.Failed); ok > 0 {
		s.counters.latency.observe(now.Sub(t.came), ok)
	}
	s.done <- d
	// Counted down after: Submit must not find neither of both.
	s.release(t.size)
	s.onDone()
}
