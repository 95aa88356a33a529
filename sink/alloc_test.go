package sink_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/sinktest"
	"github.com/weirflow/weir/sink/spool"
)

// discard takes everything.
type discard struct{}

func (discard) Name() string                                            { return "discard" }
func (discard) Write(_ context.Context, b *producer.Batch) (int, error) { return b.Records(), nil }
func (discard) Flush() error                                            { return nil }
func (discard) Reopen() error                                           { return nil }
func (discard) Close() error                                            { return nil }

func passage(hub *sink.Hub, lane *sink.Lane) {
	b, ok := lane.Empty.Pop()
	if !ok {
		panic("no empty batch")
	}
	b.Buf = append(b.Buf, "{}\n"...)
	b.Ends = append(b.Ends, 3)
	lane.Full.Push(b)
	hub.Notify()
	if !hub.Sweep() {
		panic("nothing was swept")
	}
}

func TestPassageAllocs(t *testing.T) {
	lanes := sinktest.Lanes(1, 2)
	hub := sink.NewHub(discard{}, lanes, nil)
	if n := testing.AllocsPerRun(1000, func() { passage(hub, lanes[0]) }); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

func BenchmarkPassage(b *testing.B) {
	lanes := sinktest.Lanes(1, 2)
	hub := sink.NewHub(discard{}, lanes, nil)
	for b.Loop() {
		passage(hub, lanes[0])
	}
}

// instant takes everything and acknowledges it at once.
type instant struct{ *sink.Returns }

func (instant) Name() string                { return "instant" }
func (s instant) Done() <-chan sink.Done    { return s.C() }
func (instant) Available() bool             { return true }
func (instant) Flush(context.Context) error { return nil }
func (instant) Close() error                { return nil }

func (s instant) Submit(b *producer.Batch) bool {
	if !s.Admit() {
		return false
	}
	s.Put(sink.Done{Batch: b})
	return true
}

func asyncPassage(hub *sink.AsyncHub, lane *sink.Lane, now time.Time) {
	b, ok := lane.Empty.Pop()
	if !ok {
		panic("no empty batch")
	}
	b.Buf = append(b.Buf, "{}\n"...)
	b.Ends = append(b.Ends, 3)
	lane.Full.Push(b)
	hub.Notify()
	if !hub.Step(now) {
		panic("nothing was moved")
	}
	hub.Step(now)
}

func asyncHub(t testing.TB, mode bool) (*sink.AsyncHub, []*sink.Lane) {
	lanes := sinktest.Lanes(1, 2)
	cfg := sink.AsyncConfig{Always: mode}
	if mode {
		log, err := spool.Open(spool.Config{Dir: t.TempDir(), Reserve: -1})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Spool = log
	}
	return sink.NewAsyncHub(instant{sink.NewReturns(4)}, lanes, cfg), lanes
}

func TestAsyncPassageAllocs(t *testing.T) {
	for _, always := range []bool{false, true} {
		hub, lanes := asyncHub(t, always)
		now := time.Now()
		if n := testing.AllocsPerRun(200, func() { asyncPassage(hub, lanes[0], now) }); n != 0 {
			t.Errorf("always %v: %v allocations a batch", always, n)
		}
		if err := hub.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkAsyncPassage(b *testing.B) {
	for _, always := range []bool{false, true} {
		b.Run(fmt.Sprintf("always=%v", always), func(b *testing.B) {
			hub, lanes := asyncHub(b, always)
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				asyncPassage(hub, lanes[0], now)
			}
		})
	}
}
