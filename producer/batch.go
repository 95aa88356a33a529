package producer

import "github.com/weirflow/weir/producer/columns"

// DefaultBatchSize is the number of bytes at which an open batch is sealed.
const DefaultBatchSize = 256 << 10

// A Batch holds encoded messages on their way from one worker to the sink.
//
// It has one owner at a time: the worker that fills it, then (after the
// batch crossed the full ring) the sink, then (after it came back over the
// empty ring) the worker again. Nothing in it is synchronized; handing it
// over a ring is what orders the accesses. Slices taken from a batch are
// valid until it is handed back.
type Batch struct {
	// Buf holds whole messages, one after the other, each followed by the
	// separator that the producer was configured with (none for Kafka).
	Buf []byte

	// Ends holds, for each message, the offset in Buf at which it ends,
	// its separator included. len(Ends) is the number of messages, which
	// is the number of flow records.
	Ends []uint32

	// Keys holds the key of each message where messages have one: four bytes
	// that are written in big-endian order, of equal value for messages that
	// belong together. It is empty, or as long as Ends.
	Keys []uint32

	// Columns holds the flows in FormatColumns: a row for each of Ends, whose values have no
	// meaning then. It is nil in other formats.
	Columns *columns.Batch

	// FirstNs is the receive time, in Unix nanoseconds, of the datagram
	// that the batch's first message came from.
	FirstNs int64

	// Worker is the index of the worker that owns the batch's life cycle.
	Worker int

	// Lent is how many bytes of memory the batch had when its worker handed it
	// over. It belongs to the worker; Reset keeps it.
	Lent int
}

// Memory returns how many bytes of memory the batch holds.
func (b *Batch) Memory() int {
	n := cap(b.Buf) + 4*cap(b.Ends) + 4*cap(b.Keys)
	if b.Columns != nil {
		n += b.Columns.Memory()
	}
	return n
}

// NewBatch returns an empty batch that can take size bytes, and some slack
// for the message that goes over it, before it has to grow.
func NewBatch(worker, size int) *Batch {
	return &Batch{
		Buf:    make([]byte, 0, size+64<<10),
		Ends:   make([]uint32, 0, size/64),
		Worker: worker,
	}
}

// Records returns the number of messages in the batch.
func (b *Batch) Records() int { return len(b.Ends) }

// Message returns message i with its separator. The slice is valid until the
// batch is handed back.
func (b *Batch) Message(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = b.Ends[i-1]
	}
	return b.Buf[start:b.Ends[i]]
}

// maxKeep is the capacity above which a batch's memory is not kept: datagrams
// of tiny records can make one batch far larger than the rest.
const maxKeep = 8 << 20

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	poison(b)
	if b.Columns != nil {
		b.Columns.Reset()
	}
	if cap(b.Buf) > maxKeep {
		lent, cols := b.Lent, b.Columns
		*b = *NewBatch(b.Worker, DefaultBatchSize)
		b.Lent, b.Columns = lent, cols
		return
	}
	b.Buf = b.Buf[:0]
	b.Ends = b.Ends[:0]
	b.Keys = b.Keys[:0]
	b.FirstNs = 0
}
