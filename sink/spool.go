package sink

import "github.com/weirflow/weir/producer"

// A Spool is a log on disk in which batches wait, in order, until an
// [AsyncSink] has acknowledged them.
//
// An [AsyncHub] appends at the end and reads, as often as it must, from the
// oldest entry that is not resolved. An entry is one batch; it is resolved
// when none of its messages is left to deliver. All methods but Close are
// called from one goroutine at a time.
type Spool interface {
	// Append writes b after all others and returns its sequence number,
	// which grows with each and is never 0. On an error nothing was
	// written; it wraps ErrDiskFull where there is no space. b is the
	// caller's again on return. Append may have evicted the oldest entries
	// to make room: see First and TakeLosses.
	Append(b *producer.Batch) (seq uint64, err error)

	// Commit ends a group of Appends and makes them as safe as the spool
	// was told to.
	Commit() error

	// Unread reports whether Next may have an entry.
	Unread() bool

	// Next reads the next unresolved entry, of which it leaves the
	// messages that are to be delivered, into b. It returns io.EOF at the
	// end. Entries that cannot be read are skipped and resolved; see
	// TakeLosses. Any other error leaves the position as it was.
	Next(b *producer.Batch) (Entry, error)

	// SkipUnread has Next go on after all that was appended so far.
	SkipUnread()

	// Rewind has Next go on with the oldest unresolved entry.
	Rewind()

	// Resolve notes that of an entry's was messages only those with the
	// indices left, ascending, are still to be delivered. The indices are
	// those of the batch as it was appended; left is copied.
	Resolve(seq uint64, was int, left []uint32)

	// First returns the sequence number of the oldest entry that is still
	// there; those before it are resolved or were evicted.
	First() uint64

	// Waiting returns the number of unresolved messages.
	Waiting() uint64

	// TakeLosses returns what was lost since the last call.
	TakeLosses() SpoolLosses

	// Trim gives the disk's space back if all entries are resolved.
	Trim()

	// Close ends the use. What is unresolved is there at the next start.
	Close() error
}

// An Entry is what [Spool.Next] has read.
type Entry struct {
	Seq uint64

	// Left holds, for each message of the batch, its index in the batch as
	// it was appended. It is nil if that is its index anyway. It is valid
	// until the entry is resolved.
	Left []uint32
}

// SpoolLosses counts messages that left a spool undelivered.
type SpoolLosses struct {
	Evicted uint64 // made way for newer ones
	Corrupt uint64 // cannot be read
	Batches uint64 // entries that came to their end by that
}

// Keep shrinks b to the messages of the given ascending indices, with their
// keys.
func Keep(b *producer.Batch, indices []uint32) {
	keyed := len(b.Keys) == len(b.Ends)
	buf := b.Buf[:0]
	for n, i := range indices {
		if keyed {
			b.Keys[n] = b.Keys[i]
		}
		// n <= i, and the messages to come need Ends from i on: Ends[n]
		// is either before that or keeps its value.
		buf = append(buf, b.Message(int(i))...)
		b.Ends[n] = uint32(len(buf))
	}
	b.Buf, b.Ends = buf, b.Ends[:len(indices)]
	if keyed {
		b.Keys = b.Keys[:len(indices)]
	}
}
