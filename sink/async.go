package sink

import (
	"context"
	"errors"

	"github.com/weirflow/weir/producer"
)

// Errors that an [AsyncSink] wraps in [Done.Err].
var (
	// ErrUnavailable says that the output could not be reached or did not
	// answer. The messages may be offered again.
	ErrUnavailable = errors.New("output is unavailable")

	// ErrRefused says that the output will never take the messages, for
	// instance because they are too large. Offering them again is useless.
	ErrRefused = errors.New("output refuses the messages")
)

// An AsyncSink is an output that takes batches and says later what became of
// them.
//
// Messages that share a partition are delivered in the order of Submit. The
// hub offers again, in order, what came back with ErrUnavailable, and for
// that the sink keeps two rules:
//
//   - when it gives up a message with ErrUnavailable, those of the same
//     partition that were submitted later, and are not yet delivered, come
//     back with ErrUnavailable too;
//   - from that moment on, Submit returns false until all that was submitted
//     has come back and has been received from the channel of Done. No newer
//     message therefore overtakes one of which the hub does not yet know that
//     it failed. A [Returns] keeps this rule for a sink.
type AsyncSink interface {
	// Name returns a short constant name of the kind of output, fit for a
	// metric's label and for logs. Anyone may call it at any time.
	Name() string

	// Submit hands b over without waiting for the output. If it returns
	// false the output cannot take b now, for instance because a queue is
	// full, and the caller keeps b. It is called from one goroutine. b
	// belongs to the sink until it comes back over Done; the sink does not
	// alter it, and the caller may read it.
	Submit(b *producer.Batch) bool

	// Done returns the channel that delivers each submitted batch exactly
	// once. It is buffered for all batches that Submit has taken, so that
	// the sink never waits on it, and never closed.
	Done() <-chan Done

	// OnDone has f called after each batch that was put into the channel
	// of Done. It is called once, before the first Submit. f never blocks.
	OnDone(f func())

	// Available reports whether the output takes batches at present; it is
	// false while the output cannot be reached. Anyone may call it at any
	// time. The sink finds out by itself when the output is back.
	Available() bool

	// Flush returns when all submitted batches have been put into the
	// channel of Done, or with ctx's error when ctx is done. It may be
	// called while another goroutine receives from Done.
	Flush(ctx context.Context) error

	// Close releases everything. Batches still with the sink come back
	// over Done with ErrClosed before Close returns. Submit returns false
	// from then on. Closing again does nothing and returns nil.
	Close() error
}

// Done says what became of a batch.
type Done struct {
	Batch *producer.Batch

	// Failed holds the indices, ascending, of the messages that were not
	// acknowledged. It is nil if all were.
	Failed []uint32

	// Err says why, if Failed is not empty. It wraps ErrUnavailable,
	// ErrRefused or ErrClosed. Where messages of one batch failed for
	// different reasons it is ErrUnavailable, and those that are to be
	// refused are when they are offered again.
	Err error
}
