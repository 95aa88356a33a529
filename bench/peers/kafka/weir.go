package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/kafka"
)

// weir is its output behind a worker, with the defaults of its flags.
type weir struct {
	lane  *sink.Lane
	hub   *sink.AsyncHub
	ended chan error
	sent  uint64
}

func newWeir(o options, shape string) (*weir, error) {
	k, err := kafka.New(kafka.Config{
		Brokers: strings.Split(o.brokers, ","), Topic: o.topic, Compression: o.compression, Shape: kafka.Shape(shape), Format: kafka.FormatProtobuf,
	})
	if err != nil {
		return nil, fmt.Errorf("open weir's output: %w", err)
	}
	w := &weir{lane: sink.NewLane(0, 64, producer.DefaultBatchSize), ended: make(chan error, 1)}
	w.hub = sink.NewAsyncHub(k, []*sink.Lane{w.lane}, sink.AsyncConfig{})
	go func() { w.ended <- w.hub.Run(context.Background()) }()
	return w, nil
}

// deliver does what a worker does when its batches are full.
func (w *weir) deliver(load []*producer.Batch) error {
	for _, from := range load {
		b, ok := w.lane.Empty.Pop()
		for ; !ok; b, ok = w.lane.Empty.Pop() {
			time.Sleep(200 * time.Microsecond)
		}
		b.Buf = append(b.Buf, from.Buf...)
		b.Ends = append(b.Ends, from.Ends...)
		b.FirstNs = from.FirstNs
		w.sent += uint64(b.Records())
		w.lane.Full.Push(b)
		w.hub.Notify()
		runtime.Gosched()
	}
	return nil
}

func (w *weir) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.hub.Stop(ctx); err != nil {
		return fmt.Errorf("stop weir's output: %w", err)
	}
	if got := w.hub.Counters().Acked(); got != w.sent {
		return fmt.Errorf("stop weir's output: %d flows acknowledged of %d", got, w.sent)
	}
	return <-w.ended
}
