package main

import (
	"fmt"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/mapping"
	"github.com/weirflow/weir/producer"
)

// weir is this project's producer, as a worker uses it.
type weir struct {
	label    string
	producer *producer.Producer
	batch    *producer.Batch
}

// newWeir returns weir under a mapping file, "" for none.
func newWeir(format, label, file string) (*weir, error) {
	program, _, err := mapping.Load(file, producer.Settings{})
	if err != nil {
		return nil, fmt.Errorf("load mapping: %w", err)
	}
	cfg := producer.Config{Format: producer.FormatBin}
	if format == "json" {
		cfg = producer.Config{Format: producer.FormatJSON, Separator: []byte("\n")}
	}
	cfg.Programs = producer.NewPrograms(program)
	return &weir{
		label:    label,
		producer: producer.New(cfg, producer.NewStore(template.DefaultLimits())),
		batch:    producer.NewBatch(0, producer.DefaultBatchSize),
	}, nil
}

func (w *weir) name() string { return w.label }

func (w *weir) run(d *input) (records, bytes int) {
	before := len(w.batch.Buf)
	res := w.producer.Datagram(w.batch, producer.Meta{Source: d.source, ReceivedNs: receivedNs}, d.payload)
	bytes = len(w.batch.Buf) - before
	if len(w.batch.Buf) >= producer.DefaultBatchSize {
		w.batch.Reset()
	}
	return res.Records, bytes
}
