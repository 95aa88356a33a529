package main

import (
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// weir is this project's producer, as a worker uses it.
type weir struct {
	producer *producer.Producer
	batch    *producer.Batch
}

func newWeir(format string) *weir {
	cfg := producer.Config{Format: producer.FormatBin}
	if format == "json" {
		cfg = producer.Config{Format: producer.FormatJSON, Separator: []byte("\n")}
	}
	return &weir{
		producer: producer.New(cfg, producer.NewStore(template.DefaultLimits())),
		batch:    producer.NewBatch(0, producer.DefaultBatchSize),
	}
}

func (w *weir) name() string { return "weir" }

func (w *weir) run(d *input) (records, bytes int) {
	before := len(w.batch.Buf)
	res := w.producer.Datagram(w.batch, producer.Meta{Source: d.source, ReceivedNs: receivedNs}, d.payload)
	bytes = len(w.batch.Buf) - before
	if len(w.batch.Buf) >= producer.DefaultBatchSize {
		w.batch.Reset()
	}
	return res.Records, bytes
}
