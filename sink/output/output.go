package output

import (
	"context"
	"log/slog"

	"github.com/weirflow/weir/sink"
)

// An Output is an output that is open.
type Output struct {
	// Sink writes batches, or Async takes them and reports later: one of the two is set.
	Sink  sink.Sink
	Async sink.AsyncSink
	// Spool keeps on disk what Async does not take; nil for none.
	Spool Spool
	// Always sends every batch through Spool.
	Always bool
	// Separator follows every message in a batch.
	Separator string
	// Files is true if the process needs its right to write files for as long as it runs.
	Files bool
	// Reconfigure takes over from settings of the same kind the options that these adapt
	// ([Settings.Adapts]), or changes nothing and returns an error. The output loop calls it,
	// between two batches. nil where there are none.
	Reconfigure func(next Settings) error
	// Collect emits the metrics of the kind; nil emits none. spooled and recovered are the
	// records that wait in the spool, and those that were found in it at the start. Any
	// goroutine may call it.
	Collect func(e Emitter, spooled, recovered uint64)
}

// Spool is a [sink.Spool] that can be closed.
type Spool interface {
	sink.Spool
	Close() error
}

// A Hub carries batches from the workers' lanes to the output: a [sink.Hub] or a
// [sink.AsyncHub].
type Hub interface {
	Notify()
	Run(ctx context.Context) error
	Stop(ctx context.Context) error
	Reopen(ctx context.Context) error
	Closed() <-chan struct{}
	Counters() *sink.Counters
}

// NewHub makes the hub, which owns the output from here on.
//
// counters are those of the hub before it, which it counts on, nil for its own. sameSpool says
// that the spool was that one's.
func (o *Output) NewHub(lanes []*sink.Lane, counters *sink.Counters, sameSpool bool, log *slog.Logger) Hub {
	if o.Sink != nil {
		return sink.ContinueHub(o.Sink, lanes, counters, log)
	}
	cfg := sink.AsyncConfig{Always: o.Always, Counters: counters, SameSpool: sameSpool, Logger: log}
	if o.Spool != nil {
		cfg.Spool = o.Spool
	}
	return sink.NewAsyncHub(o.Async, lanes, cfg)
}

// Close closes an output of which no hub was made. Nothing was written to it, so that
// nothing can be lost.
func (o *Output) Close() {
	if o.Sink != nil {
		_ = o.Sink.Close()
	}
	if o.Async != nil {
		_ = o.Async.Close()
	}
	if o.Spool != nil {
		_ = o.Spool.Close()
	}
}
