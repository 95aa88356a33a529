package sink

import (
	"context"
	"errors"

	"github.com/weirflow/weir/producer"
)

// Errors that a [Sink] wraps, so that others can tell what happened.
var (
	// ErrClosed says that the output has gone away or was closed: nobody
	// reads the pipe any more, or Close was called.
	ErrClosed = errors.New("output is closed")

	// ErrDiskFull says that there is no space for more, by the device or
	// by quota. Space may come back: the next batch is worth a try.
	ErrDiskFull = errors.New("disk is full")
)

// A Sink writes batches to one output.
//
// All methods are called from one goroutine at a time: the hub's once
// [Hub.Run] has begun. A Sink needs no lock of its own for them.
type Sink interface {
	// Name returns a short constant name of the kind of output, fit for a
	// metric's label and for logs. Anyone may call it at any time.
	Name() string

	// Write puts the batch's messages into the output, whole and in order.
	// It returns how many, from the first on, the output has taken; the
	// error is nil if and only if that is all of them. It wraps ErrClosed
	// or ErrDiskFull where one of these is the cause, and the context's
	// error if it gave up because ctx was done. A fault is the batch's
	// alone: the sink stays usable and tries again with the next batch.
	//
	// b belongs to the sink until Write returns and not after; a sink that
	// needs the bytes for longer copies them. Write does not alter b.
	Write(ctx context.Context, b *producer.Batch) (written int, err error)

	// Flush returns after all that was written is as safe as the output
	// can make it.
	Flush() error

	// Reopen opens the output again, for instance after another program
	// moved the file away. If that fails the sink keeps the output that it
	// has and returns the error. Where there is nothing to reopen it does
	// nothing.
	Reopen() error

	// Close releases everything, after finishing what runs in the
	// background. Write, Flush and Reopen return ErrClosed from then on.
	// Closing again does nothing and returns nil.
	Close() error
}

// A Ticker is a Sink with work to do while no batches come.
type Ticker interface {
	// Tick is called by the hub's goroutine about once a second between
	// batches. It does not block for long.
	Tick()
}

// Reasons for which records are dropped. There are no others.
const (
	ReasonWriteError = "write_error" // the output failed to take them
	ReasonDiskFull   = "disk_full"   // see ErrDiskFull
	ReasonClosed     = "closed"      // see ErrClosed
	ReasonShutdown   = "shutdown"    // no time was left to write them
)

// Further reasons, those of an [AsyncHub].
const (
	ReasonRefused      = "refused"       // see ErrRefused
	ReasonSpoolFull    = "spool_full"    // the oldest in the spool made way for newer ones
	ReasonSpoolError   = "spool_error"   // the spool failed to take them
	ReasonSpoolCorrupt = "spool_corrupt" // the spool cannot read them any more
)

// reasons fixes the order of the counters. A Hub has only the first
// syncReasons of them.
var reasons = [...]string{
	ReasonWriteError, ReasonDiskFull, ReasonClosed, ReasonShutdown,
	ReasonRefused, ReasonSpoolFull, ReasonSpoolError, ReasonSpoolCorrupt,
}

const syncReasons = 4

// Outcome says what became of a batch's records. Written + Dropped is the
// number of records in the batch.
type Outcome struct {
	Written int    // records acknowledged: the batch's first
	Dropped int    // records lost: the rest
	Reason  string // why, one of the Reason constants; empty if none was lost
}

// Judge turns the result of a [Sink.Write] of a batch of records messages
// into an Outcome. A sink that breaks its promise about written cannot bring
// the sum out of balance.
func Judge(records, written int, err error) Outcome {
	written = min(max(written, 0), records)
	out := Outcome{Written: written, Dropped: records - written}
	if out.Dropped > 0 {
		out.Reason = reasonOf(err)
	}
	return out
}

func reasonOf(err error) string {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ReasonShutdown
	case errors.Is(err, ErrClosed):
		return ReasonClosed
	case errors.Is(err, ErrDiskFull):
		return ReasonDiskFull
	case errors.Is(err, ErrRefused):
		return ReasonRefused
	}
	return ReasonWriteError
}
