package sinktest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

const (
	lanes   = 4
	depth   = 4
	batches = 60
)

// Run tests a sink. newSink makes one with an output of its own, and a
// function that returns all that was written, in the order of the writes; it
// is called once, after the sink was closed. The sink must not lose records
// for want of space.
func Run(t *testing.T, newSink func(t *testing.T) (s sink.Sink, read func() []byte)) {
	t.Run("WholeOnceInOrder", func(t *testing.T) { testLoad(t, newSink, false) })
	t.Run("ReopenUnderLoad", func(t *testing.T) { testLoad(t, newSink, true) })
	t.Run("StopWithoutRun", func(t *testing.T) { testStopWithoutRun(t, newSink) })
	t.Run("EmptyBatch", func(t *testing.T) { testEmptyBatch(t, newSink) })
	t.Run("CloseTwice", func(t *testing.T) { testCloseTwice(t, newSink) })
	t.Run("WriteAfterClose", func(t *testing.T) { testWriteAfterClose(t, newSink) })
}

type maker = func(t *testing.T) (sink.Sink, func() []byte)

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func testLoad(t *testing.T, newSink maker, reopen bool) {
	ctx := testContext(t)
	s, read := newSink(t)
	ls := Lanes(lanes, depth)
	hub := sink.NewHub(s, ls, nil)
	ran := make(chan error, 1)
	go func() { ran <- hub.Run(ctx) }()

	worked := make(chan struct{})
	reopened := make(chan int)
	go func() {
		n := 0
		for reopen {
			if err := hub.Reopen(ctx); err != nil {
				t.Errorf("reopen: %v", err)
			}
			n++
			select {
			case <-worked:
				reopen = false
			case <-time.After(time.Millisecond):
			}
		}
		reopened <- n
	}()
	sent := Work(hub, ls, batches)
	close(worked)
	n := <-reopened
	if err := hub.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}

	out := read()
	if got := Read(t, out, lanes, false); !slices.Equal(got, sent) {
		t.Errorf("records read %v, sent %v (%d reopens)", got, sent, n)
	}
	c := hub.Counters()
	Balance(t, c, sent)
	if c.Dropped() != 0 {
		t.Errorf("%d records dropped", c.Dropped())
	}
	if c.Bytes() != uint64(len(out)) {
		t.Errorf("bytes counter %d, output has %d", c.Bytes(), len(out))
	}
	if c.Batches() != lanes*batches {
		t.Errorf("batches counter %d, want %d", c.Batches(), lanes*batches)
	}
	for i, l := range ls {
		if l.Empty.Len() != depth || l.Full.Len() != 0 {
			t.Errorf("lane %d: %d batches empty, %d full at the end", i, l.Empty.Len(), l.Full.Len())
		}
	}
}

func testStopWithoutRun(t *testing.T, newSink maker) {
	ctx := testContext(t)
	s, read := newSink(t)
	ls := Lanes(1, depth)
	hub := sink.NewHub(s, ls, nil)
	sent := Work(hub, ls, depth)
	if err := hub.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := hub.Stop(ctx); err != nil {
		t.Errorf("second stop: %v", err)
	}
	if err := hub.Run(ctx); err == nil {
		t.Error("run after stop: no error")
	}
	if err := hub.Reopen(ctx); !errors.Is(err, sink.ErrClosed) {
		t.Errorf("reopen after stop: %v, want ErrClosed", err)
	}
	if got := Read(t, read(), 1, false); !slices.Equal(got, sent) {
		t.Errorf("records read %v, sent %v", got, sent)
	}
	Balance(t, hub.Counters(), sent)
}

func testEmptyBatch(t *testing.T, newSink maker) {
	s, read := newSink(t)
	b := producer.NewBatch(0, 1024)
	if n, err := s.Write(testContext(t), b); n != 0 || err != nil {
		t.Errorf("write of an empty batch: %d, %v", n, err)
	}
	if err := s.Flush(); err != nil {
		t.Errorf("flush: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if out := read(); len(out) != 0 {
		t.Errorf("output of nothing: %q", out)
	}
}

func testCloseTwice(t *testing.T, newSink maker) {
	s, _ := newSink(t)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := s.Flush(); !errors.Is(err, sink.ErrClosed) {
		t.Errorf("flush after close: %v, want ErrClosed", err)
	}
	if err := s.Reopen(); !errors.Is(err, sink.ErrClosed) {
		t.Errorf("reopen after close: %v, want ErrClosed", err)
	}
}

func testWriteAfterClose(t *testing.T, newSink maker) {
	ctx := testContext(t)
	s, read := newSink(t)
	b := producer.NewBatch(0, 1024)
	Fill(b, 0, 3)
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if n, err := s.Write(ctx, b); n != 0 || !errors.Is(err, sink.ErrClosed) {
		t.Errorf("write after close: %d, %v, want 0 and ErrClosed", n, err)
	}

	ls := Lanes(lanes, depth)
	hub := sink.NewHub(s, ls, nil)
	go hub.Run(ctx)
	sent := Work(hub, ls, 3*depth)
	select {
	case <-hub.Closed():
	case <-ctx.Done():
		t.Error("the hub does not say that the output is closed")
	}
	hub.Stop(ctx)
	c := hub.Counters()
	Balance(t, c, sent)
	if c.Acked() != 0 || c.DroppedBy(sink.ReasonClosed) != Sum(sent) {
		t.Errorf("%d acknowledged, %d dropped as closed, want 0 and %d",
			c.Acked(), c.DroppedBy(sink.ReasonClosed), Sum(sent))
	}
	if out := read(); len(out) != 0 {
		t.Errorf("output after close: %q", out)
	}
}
