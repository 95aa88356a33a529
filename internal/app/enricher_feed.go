package app

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/internal/enrich"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/output"
)

const (
	// feedPoll is how often a feed looks for an empty batch while the output
	// has them all.
	feedPoll = 100 * time.Microsecond
	// settleLimit is how long a feed waits for the output to take all.
	settleLimit = 30 * time.Second
)

// A feed is the way from a source of messages to the hub: it fills batches and
// waits for the output where that is behind. It belongs to one goroutine.
type feed struct {
	transformer *enrich.Transformer
	lane        *sink.Lane
	hub         output.Hub
	size        int
	linger      time.Duration

	batch    *producer.Batch // open; nil after it was sealed
	openedAt time.Time
	sealed   uint64 // messages handed to the hub
}

func newFeed(t *enrich.Transformer, lane *sink.Lane, h output.Hub, size int, linger time.Duration) *feed {
	return &feed{transformer: t, lane: lane, hub: h, size: size, linger: linger}
}

// add enriches a message.
func (f *feed) add(encoding enrich.Encoding, msg []byte) error {
	if f.batch == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	f.transformer.Append(f.batch, encoding, msg)
	if len(f.batch.Buf) >= f.size {
		f.seal()
	}
	return nil
}

// open waits for an empty batch.
func (f *feed) open() error {
	for {
		if b, ok := f.lane.Empty.Pop(); ok {
			f.batch = b
			f.openedAt = time.Now()
			b.FirstNs = f.openedAt.UnixNano()
			f.transformer.Begin()
			return nil
		}
		if err := f.closed(); err != nil {
			return err
		}
		time.Sleep(feedPoll)
	}
}

// closed returns an error once the output has gone away.
func (f *feed) closed() error {
	select {
	case <-f.hub.Closed():
		return fmt.Errorf("write flows: %w", sink.ErrClosed)
	default:
		return nil
	}
}

// tick hands a batch over that has been open for long enough.
func (f *feed) tick() {
	if f.batch != nil && time.Since(f.openedAt) >= f.linger {
		f.seal()
	}
}

// seal hands the open batch to the hub.
func (f *feed) seal() {
	if f.batch == nil || f.batch.Records() == 0 {
		return
	}
	f.sealed += uint64(f.batch.Records())
	f.lane.Full.Push(f.batch) // the lane has no more batches than slots
	f.batch = nil
	f.hub.Notify()
}

// settle hands everything over and waits until the output, or the spool, has it.
// It fails if something was dropped, or the output does not take it in time.
func (f *feed) settle() error {
	f.seal()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		l := f.hub.Counters().Ledger()
		switch {
		case l.Dropped > 0:
			return fmt.Errorf("%d messages were not written", l.Dropped)
		case l.InFlight(f.sealed) == 0:
			return nil
		case time.Since(began) > settleLimit:
			return fmt.Errorf("%d messages wait for the output for %v", l.InFlight(f.sealed), settleLimit)
		}
		if err := f.closed(); err != nil {
			return err
		}
	}
}
