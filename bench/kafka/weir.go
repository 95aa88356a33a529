package main

import (
	"context"
	"fmt"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink/kafka"
)

type weir struct{ sink *kafka.Sink }

func newWeir(s setup) (client, error) {
	k, err := kafka.New(kafka.Config{
		Brokers: s.brokers, Topic: s.topic, Acks: s.acks,
		Shape: kafka.Shape(s.shape), Compression: s.compression, CompressionLevel: s.level,
	})
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(15 * time.Second); !k.Available(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			k.Close()
			return nil, fmt.Errorf("kafka is not available")
		}
	}
	return &weir{k}, nil
}

func (w *weir) deliver(batches []*producer.Batch) error {
	waiting := 0
	take := func() error {
		d := <-w.sink.Done()
		waiting--
		return d.Err
	}
	for _, b := range batches {
		for !w.sink.Submit(b) {
			if err := take(); err != nil {
				return err
			}
		}
		waiting++
	}
	go w.sink.Flush(context.Background())
	for waiting > 0 {
		if err := take(); err != nil {
			return err
		}
	}
	return nil
}

func (w *weir) close() { w.sink.Close() }
