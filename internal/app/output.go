package app

import (
	"context"
	"log/slog"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/file"
	"github.com/weirflow/weir/sink/kafka"
	"github.com/weirflow/weir/sink/spool"
)

// hub carries batches from the workers' lanes to the output: a sink.Hub or a
// sink.AsyncHub.
type hub interface {
	Notify()
	Run(ctx context.Context) error
	Stop(ctx context.Context) error
	Reopen(ctx context.Context) error
	Closed() <-chan struct{}
	Counters() *sink.Counters
}

// output is where flows go.
type output struct {
	file *file.File // one of these
	// kafka, and its spool, which may be nil.
	kafka *kafka.Sink
	spool *spool.Log
	// separator follows every message.
	separator string
}

// openOutput opens what the configuration says.
func openOutput(cfg *config.Config, log *slog.Logger) (*output, error) {
	if cfg.Transport == "kafka" {
		return openKafka(cfg, log)
	}
	lines := cfg.Format != "bin" && cfg.TransportFileSep == "\n"
	f, err := file.New(file.Config{
		Path:            cfg.TransportFile,
		LineDelimited:   lines,
		LengthDelimited: cfg.Format == "bin",
		Separator:       cfg.TransportFileSep,
		Mark:            !lines,
		RotateSize:      cfg.TransportFileRotateSize,
		RotateInterval:  cfg.TransportFileRotateInterval,
		Compress:        cfg.TransportFileCompress,
		Logger:          log,
	})
	if err != nil {
		return nil, err
	}
	return &output{file: f, separator: cfg.TransportFileSep}, nil
}

// producerConfig returns how records become messages for this output.
func (o *output) producerConfig(cfg *config.Config, programs *producer.Programs) producer.Config {
	return producerConfig(cfg.Produce, cfg.Format, o.separator, cfg.SamplingRateDefault, programs)
}

// newHub makes the hub, which owns the output from here on.
func (o *output) newHub(cfg *config.Config, lanes []*sink.Lane, log *slog.Logger) hub {
	if o.file != nil {
		return sink.NewHub(o.file, lanes, log)
	}
	async := sink.AsyncConfig{Always: cfg.Spool.Mode == "always", Logger: log}
	if o.spool != nil {
		async.Spool = o.spool
	}
	return sink.NewAsyncHub(o.kafka, lanes, async)
}

// close closes an output that no hub was made of.
func (o *output) close() {
	// Nothing was written: there is nothing to lose.
	if o.file != nil {
		_ = o.file.Close()
	}
	if o.kafka != nil {
		_ = o.kafka.Close()
	}
	if o.spool != nil {
		_ = o.spool.Close()
	}
}
