package sink_test

import (
	"context"
	"testing"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/sinktest"
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
