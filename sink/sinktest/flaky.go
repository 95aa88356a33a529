package sinktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// Faults are the probabilities, per step and partition, of what a [Flaky] does
// wrong.
type Faults struct {
	Fail   float64 // a partition's messages come back with ErrUnavailable
	Refuse float64 // a message comes back with ErrRefused
	Away   float64 // all fails, and the sink is unavailable for a while
	Idle   float64 // nothing happens for a while
}

// Flaky is an [sink.AsyncSink] in memory with several partitions, which
// deliver independently of each other and fail at random. It keeps the rules
// of order.
type Flaky struct {
	returns *sink.Returns
	part    func(message []byte) int
	wake    chan struct{}
	ended   chan struct{}
	deliver func(part int, message []byte) // nil: into out

	mu      sync.Mutex
	rng     *rand.Rand
	faults  Faults
	parts   [][]pending
	out     [][][]byte
	refused map[string]bool
	flight  int
	away    bool
	stuck   bool
	closed  bool
}

// carried is a batch with the sink.
type carried struct {
	b      *producer.Batch
	left   int // messages without a result
	failed map[uint32]error
}

// pending is a message of a partition.
type pending struct {
	c *carried
	i uint32
}

// NewFlaky returns a Flaky that takes depth batches at a time. part says where
// a message belongs; nil goes by its lane and number, see [Fill]. deliver is
// called for each delivered message; nil keeps them for Delivered.
func NewFlaky(seed uint64, depth, parts int, part func([]byte) int, deliver func(part int, message []byte)) *Flaky {
	if part == nil {
		part = func(m []byte) int { return PartOf(m, parts) }
	}
	f := &Flaky{
		returns: sink.NewReturns(depth),
		part:    part,
		deliver: deliver,
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		rng:     rand.New(rand.NewPCG(seed, 9)),
		parts:   make([][]pending, parts),
		out:     make([][][]byte, parts),
		refused: map[string]bool{},
	}
	go f.run()
	return f
}

// PartOf returns the partition of a message of [Fill].
func PartOf(m []byte, parts int) int {
	var rec struct{ Lane, Seq int }
	if err := json.Unmarshal(m, &rec); err != nil {
		panic(fmt.Sprintf("message %q: %v", m, err))
	}
	return (rec.Lane + rec.Seq%5) % parts
}

// Set changes the faults.
func (f *Flaky) Set(faults Faults) { f.mu.Lock(); f.faults = faults; f.mu.Unlock() }

// SetAway makes the sink unavailable, and fails what it has, or available.
func (f *Flaky) SetAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
	if away {
		f.failAll(sink.ErrUnavailable)
	}
}

// SetSilent makes the sink unavailable, with what it has kept until Close.
func (f *Flaky) SetSilent() { f.mu.Lock(); f.away, f.stuck = true, true; f.mu.Unlock() }

// SetStuck has nothing happen any more, or again.
func (f *Flaky) SetStuck(stuck bool) { f.mu.Lock(); f.stuck = stuck; f.mu.Unlock(); f.ring() }

// Delivered returns the messages delivered so far, by partition.
func (f *Flaky) Delivered() [][][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([][][]byte, len(f.out))
	for p := range out {
		out[p] = append(out[p], f.out[p]...)
	}
	return out
}

// Refused returns the number of messages refused.
func (f *Flaky) Refused() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.refused) }

// InFlight returns the number of messages that the sink has.
func (f *Flaky) InFlight() int { f.mu.Lock(); defer f.mu.Unlock(); return f.flight }

// Name implements [sink.AsyncSink].
func (f *Flaky) Name() string { return "flaky" }

// Done implements [sink.AsyncSink].
func (f *Flaky) Done() <-chan sink.Done { return f.returns.C() }

// OnDone implements [sink.AsyncSink].
func (f *Flaky) OnDone(ring func()) { f.returns.OnDone(ring) }

// Available implements [sink.AsyncSink].
func (f *Flaky) Available() bool { f.mu.Lock(); defer f.mu.Unlock(); return !f.away && !f.closed }

// Submit implements [sink.AsyncSink].
func (f *Flaky) Submit(b *producer.Batch) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away || f.closed || !f.returns.Admit() {
		return false
	}
	checkKeys(b)
	c := &carried{b: b, left: b.Records(), failed: map[uint32]error{}}
	f.flight += c.left
	for i := range b.Records() {
		p := f.part(b.Message(i))
		f.parts[p] = append(f.parts[p], pending{c, uint32(i)})
	}
	f.ring()
	return true
}

func (f *Flaky) ring() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Flush implements [sink.AsyncSink].
func (f *Flaky) Flush(ctx context.Context) error {
	for f.returns.Outstanding() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("flush flaky: %w", ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// Close implements [sink.AsyncSink].
func (f *Flaky) Close() error {
	f.mu.Lock()
	first := !f.closed
	f.closed = true
	f.failAll(sink.ErrClosed)
	f.mu.Unlock()
	if first {
		close(f.ended)
	}
	return nil
}

func (f *Flaky) run() {
	for {
		select {
		case <-f.ended:
			return
		case <-f.wake:
		case <-time.After(time.Millisecond):
		}
		for f.step() {
		}
	}
}

// step lets each partition deliver or fail a few messages.
func (f *Flaky) step() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away && f.faults.Away > 0 && f.rng.Float64() < 0.05 {
		f.away = false
	}
	if f.stuck || f.flight == 0 || f.rng.Float64() < f.faults.Idle {
		return false
	}
	if f.rng.Float64() < f.faults.Away {
		f.away = true
		f.failAll(sink.ErrUnavailable)
		return false
	}
	for p := range f.parts {
		if f.rng.Float64() < f.faults.Fail {
			f.failPart(p, sink.ErrUnavailable)
			continue
		}
		for range f.rng.IntN(100) {
			if len(f.parts[p]) == 0 {
				break
			}
			m := f.parts[p][0]
			f.parts[p] = f.parts[p][1:]
			f.one(p, m)
		}
	}
	return true
}

// one delivers or refuses a message.
func (f *Flaky) one(p int, m pending) {
	message := m.c.b.Message(int(m.i))
	switch {
	case f.rng.Float64() < f.faults.Refuse || f.refused[string(message)]:
		f.refused[string(message)] = true
		f.result(m, sink.ErrRefused)
		return
	case f.deliver != nil:
		f.deliver(p, message)
	default:
		f.out[p] = append(f.out[p], bytes.Clone(message))
	}
	f.result(m, nil)
}

func (f *Flaky) failAll(err error) {
	for p := range f.parts {
		f.failPart(p, err)
	}
}

func (f *Flaky) failPart(p int, err error) {
	all := f.parts[p]
	f.parts[p] = nil
	if len(all) > 0 && errors.Is(err, sink.ErrUnavailable) {
		f.returns.Fail()
	}
	for _, m := range all {
		f.result(m, err)
	}
}

// result notes what became of a message and gives the batch back after the
// last.
func (f *Flaky) result(m pending, err error) {
	c := m.c
	c.left--
	f.flight--
	if err != nil {
		c.failed[m.i] = err
	}
	if c.left > 0 {
		return
	}
	d := sink.Done{Batch: c.b}
	for i := range uint32(c.b.Records()) {
		switch err := c.failed[i]; {
		case err == nil:
			continue
		case d.Err == nil || err == sink.ErrUnavailable:
			d.Err = fmt.Errorf("deliver: %w", err)
		}
		d.Failed = append(d.Failed, i)
	}
	f.returns.Put(d)
}
