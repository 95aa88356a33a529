package sink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/sinktest"
)

// memory is a sink in memory whose faults are chosen by the test.
type memory struct {
	out     bytes.Buffer
	fault   func(ctx context.Context, b *producer.Batch) (int, error)
	reopens int
	ticks   int
	flushes int
	closed  bool
}

func (m *memory) Name() string { return "memory" }

func (m *memory) Write(ctx context.Context, b *producer.Batch) (int, error) {
	if m.closed {
		return 0, fmt.Errorf("write memory: %w", sink.ErrClosed)
	}
	n, err := b.Records(), error(nil)
	if m.fault != nil {
		n, err = m.fault(ctx, b)
	}
	for i := range max(min(n, b.Records()), 0) {
		m.out.Write(b.Message(i))
	}
	return n, err
}

func (m *memory) check() error {
	if m.closed {
		return sink.ErrClosed
	}
	return nil
}

func (m *memory) Flush() error  { m.flushes++; return m.check() }
func (m *memory) Reopen() error { m.reopens++; return m.check() }
func (m *memory) Close() error  { m.closed = true; return nil }
func (m *memory) Tick()         { m.ticks++ }

func TestMemoryConforms(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) (sink.Sink, func() []byte) {
		m := new(memory)
		return m, m.out.Bytes
	})
}

func TestJudge(t *testing.T) {
	other := errors.New("other")
	for _, tc := range []struct {
		records, written int
		err              error
		want             sink.Outcome
	}{
		{0, 0, nil, sink.Outcome{}},
		{5, 5, nil, sink.Outcome{Written: 5}},
		{5, 5, other, sink.Outcome{Written: 5}},
		{5, 2, other, sink.Outcome{Written: 2, Dropped: 3, Reason: sink.ReasonWriteError}},
		{5, 2, nil, sink.Outcome{Written: 2, Dropped: 3, Reason: sink.ReasonWriteError}},
		{5, -1, other, sink.Outcome{Dropped: 5, Reason: sink.ReasonWriteError}},
		{5, 9, other, sink.Outcome{Written: 5}},
		{5, 0, fmt.Errorf("a: %w", sink.ErrDiskFull), sink.Outcome{Dropped: 5, Reason: sink.ReasonDiskFull}},
		{5, 0, fmt.Errorf("a: %w", sink.ErrClosed), sink.Outcome{Dropped: 5, Reason: sink.ReasonClosed}},
		{5, 4, fmt.Errorf("a: %w", context.Canceled), sink.Outcome{Written: 4, Dropped: 1, Reason: sink.ReasonShutdown}},
		{5, 4, context.DeadlineExceeded, sink.Outcome{Written: 4, Dropped: 1, Reason: sink.ReasonShutdown}},
		{5, 0, fs.ErrClosed, sink.Outcome{Dropped: 5, Reason: sink.ReasonWriteError}},
	} {
		if got := sink.Judge(tc.records, tc.written, tc.err); got != tc.want {
			t.Errorf("Judge(%d, %d, %v) = %+v, want %+v", tc.records, tc.written, tc.err, got, tc.want)
		}
	}
}

func TestNewLane(t *testing.T) {
	for _, tc := range []struct{ depth, batches, capacity int }{
		{-1, 1, 1}, {0, 1, 1}, {1, 1, 1}, {2, 2, 2}, {3, 3, 4}, {8, 8, 8}, {9, 9, 16},
	} {
		l := sink.NewLane(7, tc.depth, 4096)
		if l.Empty.Len() != tc.batches || l.Empty.Cap() != tc.capacity || l.Full.Cap() != tc.capacity || l.Full.Len() != 0 {
			t.Errorf("depth %d: empty %d of %d, full %d of %d", tc.depth,
				l.Empty.Len(), l.Empty.Cap(), l.Full.Len(), l.Full.Cap())
		}
		if b, _ := l.Empty.Pop(); b.Worker != 7 || cap(b.Buf) < 4096 {
			t.Errorf("depth %d: batch of worker %d with %d bytes", tc.depth, b.Worker, cap(b.Buf))
		}
	}
}

// TestFaultsBalance has a sink fail in every way and asserts that each record
// is in one counter, and that the counters tell what is in the output.
func TestFaultsBalance(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	causes := []error{errors.New("input/output error"), sink.ErrDiskFull, sink.ErrClosed,
		context.DeadlineExceeded, nil}
	m := &memory{fault: func(_ context.Context, b *producer.Batch) (int, error) {
		switch rng.IntN(4) {
		case 0:
			return rng.IntN(b.Records() + 1), causes[rng.IntN(len(causes))]
		case 1:
			return rng.IntN(3*b.Records()) - b.Records(), causes[rng.IntN(len(causes))]
		}
		return b.Records(), nil
	}}
	lanes := sinktest.Lanes(4, 3)
	hub := sink.NewHub(m, lanes, nil)
	go hub.Run(t.Context())
	sent := sinktest.Work(hub, lanes, 150)
	hub.Stop(t.Context())

	c := hub.Counters()
	sinktest.Balance(t, c, sent)
	read := sinktest.Sum(sinktest.Read(t, m.out.Bytes(), 4, true))
	if c.Acked() != read {
		t.Errorf("%d records acknowledged, %d in the output", c.Acked(), read)
	}
	if c.Bytes() != uint64(m.out.Len()) {
		t.Errorf("%d bytes counted, %d in the output", c.Bytes(), m.out.Len())
	}
	var sum uint64
	var names []string
	c.EachDropped(func(reason string, n uint64) {
		names = append(names, reason)
		sum += n
		if n == 0 {
			t.Errorf("reason %s has not moved", reason)
		}
		if n != c.DroppedBy(reason) {
			t.Errorf("reason %s: %d and %d", reason, n, c.DroppedBy(reason))
		}
	})
	if want := []string{"write_error", "disk_full", "closed", "shutdown"}; !slices.Equal(names, want) {
		t.Errorf("reasons %v, want %v", names, want)
	}
	if sum != c.Dropped() || c.DroppedBy("none") != 0 {
		t.Errorf("dropped by reason %d, in all %d", sum, c.Dropped())
	}
}

// lockedBuffer takes the log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// push hands one batch over and waits until it came back.
func push(t *testing.T, hub *sink.Hub, lane *sink.Lane, seq, records int) int {
	t.Helper()
	before := hub.Counters().Batches()
	b, ok := lane.Empty.Pop()
	if !ok {
		t.Fatal("no empty batch")
	}
	seq = sinktest.Fill(b, seq, records)
	lane.Full.Push(b)
	hub.Notify()
	deadline := time.Now().Add(patience)
	for hub.Counters().Batches() == before || lane.Full.Len() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("batch does not come to its end")
		}
		time.Sleep(100 * time.Microsecond)
	}
	return seq
}

// TestFaultLoggedOnce: two lines a fault, however many batches it hits.
func TestFaultLoggedOnce(t *testing.T) {
	var full bool
	var mu sync.Mutex
	m := &memory{fault: func(_ context.Context, b *producer.Batch) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if full {
			return 1, fmt.Errorf("write memory: %w", sink.ErrDiskFull)
		}
		return b.Records(), nil
	}}
	setFull := func(v bool) { mu.Lock(); full = v; mu.Unlock() }
	var log lockedBuffer
	lanes := sinktest.Lanes(1, 2)
	hub := sink.NewHub(m, lanes, slog.New(slog.NewTextHandler(&log, nil)))
	hub.SetCalm(0)
	go hub.Run(t.Context())

	seq := push(t, hub, lanes[0], 0, 10)
	for range 2 {
		setFull(true)
		for range 20 {
			seq = push(t, hub, lanes[0], seq, 10)
		}
		setFull(false)
		for range 5 {
			seq = push(t, hub, lanes[0], seq, 10)
		}
	}
	setFull(true)
	seq = push(t, hub, lanes[0], seq, 4)
	if err := hub.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	text := log.String()
	for _, want := range []struct {
		text  string
		times int
	}{
		{`msg="output fails, records are being lost" output=memory reason=disk_full`, 3},
		{`msg="output recovered" output=memory lost_records=180`, 2},
		{`msg="output failed until the stop" output=memory lost_records=3`, 1},
	} {
		if n := strings.Count(text, want.text); n != want.times {
			t.Errorf("%q logged %d times, want %d", want.text, n, want.times)
		}
	}
	if n := strings.Count(text, "\n"); n != 6 {
		t.Errorf("%d lines logged, want 6:\n%s", n, text)
	}
	sinktest.Balance(t, hub.Counters(), []int{seq})
}

// TestFaultsLeft: a hub whose faults somebody else logs keeps the last error of each reason
// and logs nothing.
func TestFaultsLeft(t *testing.T) {
	full := fmt.Errorf("write memory: %w", sink.ErrDiskFull)
	m := &memory{fault: func(context.Context, *producer.Batch) (int, error) { return 0, full }}
	var log lockedBuffer
	lanes := sinktest.Lanes(1, 2)
	hub := sink.NewHub(m, lanes, slog.New(slog.NewTextHandler(&log, nil)))
	hub.Counters().LeaveFaults()
	if err := hub.Counters().LastError(sink.ReasonDiskFull); err != nil {
		t.Errorf("%v before the first", err)
	}
	go hub.Run(t.Context())
	push(t, hub, lanes[0], 0, 10)
	if err := hub.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if log.String() != "" {
		t.Errorf("logged: %s", log.String())
	}
	if err := hub.Counters().LastError(sink.ReasonDiskFull); err != full {
		t.Errorf("last error %v, want %v", err, full)
	}
	if err := hub.Counters().LastError(sink.ReasonWriteError); err != nil {
		t.Errorf("last error of another reason: %v", err)
	}
}

// TestFlappingFault: single batches that get through do not end the fault.
func TestFlappingFault(t *testing.T) {
	n := 0
	m := &memory{fault: func(_ context.Context, b *producer.Batch) (int, error) {
		if n++; n%2 == 0 {
			return b.Records(), nil
		}
		return 0, sink.ErrDiskFull
	}}
	var log lockedBuffer
	lanes := sinktest.Lanes(1, 2)
	hub := sink.NewHub(m, lanes, slog.New(slog.NewTextHandler(&log, nil)))
	hub.SetCalm(time.Hour)
	go hub.Run(t.Context())
	sinktest.Work(hub, lanes, 100)
	hub.Stop(t.Context())
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines logged, want 2:\n%s", n, log.String())
	}
}

// TestStopDeadline: what cannot be written in time is counted.
func TestStopDeadline(t *testing.T) {
	for _, tc := range []struct {
		name  string
		block func(ctx context.Context, release chan struct{})
	}{
		{"sink heeds the context", func(ctx context.Context, _ chan struct{}) { <-ctx.Done() }},
		{"sink is stuck", func(_ context.Context, release chan struct{}) { <-release }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			release := make(chan struct{})
			writes := make(chan struct{}, 100)
			m := &memory{fault: func(ctx context.Context, b *producer.Batch) (int, error) {
				writes <- struct{}{}
				tc.block(ctx, release)
				return 0, context.Cause(ctx)
			}}
			lanes := sinktest.Lanes(3, 4)
			hub := sink.NewHub(m, lanes, nil)
			hub.SetGrace(50 * time.Millisecond)
			ran := make(chan struct{})
			go func() { hub.Run(context.Background()); close(ran) }()
			sent := make([]int, 3)
			for i, l := range lanes {
				for range 4 {
					b, _ := l.Empty.Pop()
					sent[i] = sinktest.Fill(b, sent[i], 10)
					l.Full.Push(b)
				}
			}
			hub.Notify()
			<-writes
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			if err := hub.Stop(ctx); err == nil {
				t.Error("no error from a stop that lost records")
			}
			c := hub.Counters()
			sinktest.Balance(t, c, sent)
			if c.DroppedBy(sink.ReasonShutdown) != 120 || c.Batches() != 12 {
				t.Errorf("%d records dropped by shutdown in %d batches", c.DroppedBy(sink.ReasonShutdown), c.Batches())
			}
			close(release)
			<-ran
			sinktest.Balance(t, c, sent)
			if !m.closed {
				t.Error("sink was not closed")
			}
		})
	}
}

// TestRunCancelled: a hub whose context ends gives up, and Stop counts what
// was pushed after that.
func TestRunCancelled(t *testing.T) {
	m := new(memory)
	lanes := sinktest.Lanes(1, 4)
	hub := sink.NewHub(m, lanes, nil)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- hub.Run(ctx) }()
	push(t, hub, lanes[0], 0, 10)
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	b, _ := lanes[0].Empty.Pop()
	sinktest.Fill(b, 10, 5)
	lanes[0].Full.Push(b)
	if err := hub.Stop(context.Background()); err == nil {
		t.Error("no error from a stop that lost records")
	}
	c := hub.Counters()
	if c.Acked() != 10 || c.DroppedBy(sink.ReasonShutdown) != 5 {
		t.Errorf("%d acknowledged, %d dropped by shutdown", c.Acked(), c.DroppedBy(sink.ReasonShutdown))
	}
}

func TestReopenAndTick(t *testing.T) {
	m := new(memory)
	hub := sink.NewHub(m, sinktest.Lanes(1, 1), nil)
	hub.SetTick(time.Millisecond)

	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := hub.Reopen(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reopen before run: %v", err)
	}
	go hub.Run(t.Context())
	for range 3 {
		if err := hub.Reopen(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := hub.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if m.reopens != 3 || m.ticks == 0 || m.flushes != 1 || !m.closed {
		t.Errorf("%d reopens, %d ticks, %d flushes, closed %v", m.reopens, m.ticks, m.flushes, m.closed)
	}
}

// TestIdleHubIsWoken: a hub that waits with nothing to do, and no tick to come, is told about
// all that it waits for.
func TestIdleHubIsWoken(t *testing.T) {
	for what, alert := range map[string]func(hub *sink.Hub, lane *sink.Lane, cancel func()) error{
		"batch": func(hub *sink.Hub, lane *sink.Lane, _ func()) error {
			push(t, hub, lane, 0, 10)
			for hub.Counters().Acked() != 10 {
				time.Sleep(time.Millisecond)
			}
			return nil
		},
		"reopen":   func(hub *sink.Hub, _ *sink.Lane, _ func()) error { return hub.Reopen(t.Context()) },
		"stop":     func(hub *sink.Hub, _ *sink.Lane, _ func()) error { return hub.Stop(t.Context()) },
		"canceled": func(_ *sink.Hub, _ *sink.Lane, cancel func()) error { cancel(); return nil },
	} {
		t.Run(what, func(t *testing.T) {
			lanes := sinktest.Lanes(1, 4)
			hub := sink.NewHub(new(memory), lanes, nil)
			hub.SetTick(time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			ran, told := make(chan error, 1), make(chan error, 1)
			go func() { ran <- hub.Run(ctx) }()
			time.Sleep(20 * time.Millisecond) // it waits by now
			go func() { told <- alert(hub, lanes[0], cancel) }()
			soon := func(c <-chan error, of string) {
				t.Helper()
				select {
				case err := <-c:
					if err != nil {
						t.Errorf("%s: %v", of, err)
					}
				case <-time.After(patience):
					t.Fatalf("%s: not within %v", of, patience)
				}
			}
			soon(told, what)
			if what == "batch" || what == "reopen" {
				cancel()
			}
			soon(ran, "end of Run")
			cancel()
		})
	}
}

// TestFair: a busy lane does not keep others waiting.
func TestFair(t *testing.T) {
	m := new(memory)
	lanes := sinktest.Lanes(3, 8)
	hub := sink.NewHub(m, lanes, nil)
	for i, n := range []int{8, 2, 2} {
		for seq := range n {
			b, _ := lanes[i].Empty.Pop()
			sinktest.Fill(b, seq, 1)
			lanes[i].Full.Push(b)
		}
	}
	if err := hub.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var order []byte
	for line := range bytes.Lines(m.out.Bytes()) {
		order = append(order, line[len(`{"lane":`)])
	}
	if string(order) != "012012000000" {
		t.Errorf("lanes were drained in the order %s", order)
	}
}

// TestRest: batches gather only where they come often, and not more of them than
// there is room for.
func TestRest(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		since       time.Duration
		moved, room int
		want        time.Duration
	}{
		{100 * ms, 1, 2, 0},              // seldom
		{100 * ms, 19, 2, 0},             // as seldom
		{10 * ms, 0, 2, 0},               // none
		{10 * ms, 2, 2, 5 * ms},          // often
		{10 * ms, 4, 2, 5 * ms},          // as many as there is room for
		{10 * ms, 10, 2, 2 * ms},         // more
		{10 * ms, 20, 2, ms},             // even more
		{10 * ms, 21, 2, 0},              // so many that it would have to be shorter than a sleep is
		{10 * ms, 2, 0, 0},               // no room
		{10 * ms, 1000, 1 << 20, 5 * ms}, // any
	} {
		if got := sink.RestFor(c.since, c.moved, c.room); got != c.want {
			t.Errorf("after %v with %d batches and room for %d: rests %v, want %v", c.since, c.moved, c.room, got, c.want)
		}
	}
}

// TestRestWhereRoom: lanes of several depths at several rates, with a ring for each
// batch and stale ones, in a time of the test's own.
func TestRestWhereRoom(t *testing.T) {
	for _, c := range []struct {
		name   string
		depth  int
		every  time.Duration // a batch
		behind int           // batches that wait when the bell rings
		rests  bool
	}{
		{"often, deep", 64, 3 * time.Millisecond, 1, true},
		{"very often, deep", 64, 300 * time.Microsecond, 1, true},
		{"seldom", 64, 30 * time.Millisecond, 1, false},
		{"often, shallow", 8, 2 * time.Millisecond, 1, true},
		{"very often, shallow", 8, 200 * time.Microsecond, 1, false},
		{"too shallow", 4, 3 * time.Millisecond, 1, false},
		{"much waiting", 64, 4 * time.Millisecond, 9, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			lane := sink.NewLane(0, c.depth, 1<<10)
			hub := sink.NewHub(&memory{}, []*sink.Lane{lane}, nil)
			now, rested := time.Unix(1_700_000_000, 0), 0
			for ring := range 1000 {
				for range c.behind {
					b, _ := lane.Empty.Pop()
					sinktest.Fill(b, ring, 1)
					lane.Full.Push(b)
				}
				if hub.Rest(now) > 0 {
					rested++
				}
				for hub.Sweep() {
				}
				if c.behind == 1 && hub.Rest(now) > 0 { // for what was taken already
					rested++
				}
				now = now.Add(c.every)
			}
			if (rested > 500) != c.rests || rested > 0 && !c.rests {
				t.Errorf("rested %d times of 1000, want it to: %v", rested, c.rests)
			}
		})
	}
}
