package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"

	"github.com/weirflow/weir/internal/create"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// reader is the place at which Next goes on.
type reader struct {
	seq uint64 // the next entry to give out, if it is not resolved

	// The rest is of no meaning while seg is nil.
	seg   *segment
	f     *os.File
	off   int64
	at    uint64 // seq of the entry that should be at off
	count uint64 // records appended before that entry

	head [entryHeader]byte // for findEntry
}

// leave closes the segment.
func (r *reader) leave() {
	if r.f != nil {
		_ = r.f.Close() // it was only read
	}
	*r = reader{seq: r.seq}
}

// find returns the segment that has the entry seq or, if none has, the one
// after; nil at the end.
func (l *Log) find(seq uint64) *segment {
	at := sort.Search(len(l.segs), func(i int) bool { return l.segs[i].next > seq })
	if at == len(l.segs) {
		return nil
	}
	return l.segs[at]
}

func (l *Log) resolved(seq uint64) bool {
	if seq < l.cursor {
		return true
	}
	_, ok := l.done[seq]
	return ok
}

// Unread implements [sink.Spool].
func (l *Log) Unread() bool { return l.reader.seq < l.next && !l.closed }

// SkipUnread implements [sink.Spool].
func (l *Log) SkipUnread() {
	r := &l.reader
	r.seq = l.next
	if r.seg != nil && r.seg == l.segs[len(l.segs)-1] {
		r.off, r.at, r.count = r.seg.end, l.next, l.count
	} else {
		r.leave()
	}
}

// Rewind implements [sink.Spool].
func (l *Log) Rewind() {
	l.reader.leave()
	l.reader.seq = l.cursor
}

// Next implements [sink.Spool].
func (l *Log) Next(b *producer.Batch) (sink.Entry, error) {
	lost := l.tally.Corrupt
	e, err := l.read(b)
	if l.tally.Corrupt != lost || err != nil {
		l.publish()
	}
	return e, err
}

func (l *Log) read(b *producer.Batch) (sink.Entry, error) {
	r := &l.reader
	for l.Unread() {
		if r.seg == nil {
			if err := l.enter(); err != nil {
				return sink.Entry{}, err
			}
			continue
		}
		seg := r.seg
		at, e, err := r.entry()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.damage.begin(l.cfg.Logger, "spool segment cannot be read", fmt.Errorf("%s: %w", seg.path, err))
				seg.damaged = true
			}
			l.miss(seg, seg.next, l.countAfter(seg))
			r.seq = max(r.seq, seg.next)
			if r.seg == seg {
				r.leave()
			}
			continue
		}
		if at != r.off || e.seq != r.at {
			seg.damaged = true
			l.miss(seg, e.seq, e.count)
			if r.seg != seg {
				continue // that was the last of it
			}
		}
		r.off, r.at, r.count = at+e.size(), e.seq+1, e.count+uint64(e.records)
		if e.seq < r.seq || l.resolved(e.seq) {
			continue
		}
		r.seq = e.seq + 1
		if err := r.batch(at, &e, b); err != nil {
			l.damage.begin(l.cfg.Logger, "spool is damaged", fmt.Errorf("%s: entry at %d: %w", seg.path, at, err))
			l.tally.Damages++
			seg.damaged = true
			l.lose(seg, e.seq, uint64(l.left(e.seq, e.records)))
			continue
		}
		l.damage.end(l.cfg.Logger, "spool can be read again")
		left := l.partial[e.seq]
		if left != nil {
			sink.Keep(b, left)
		}
		return sink.Entry{Seq: e.seq, Left: left}, nil
	}
	return sink.Entry{}, io.EOF
}

// enter opens the segment with the next entry to read.
func (l *Log) enter() error {
	r := &l.reader
	seg := l.find(r.seq)
	if seg == nil {
		r.seq = l.next
		return nil
	}
	f, err := create.Read(seg.path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, create.ErrForeign) {
		// Someone removed or replaced it. All records in it are lost.
		l.damage.begin(l.cfg.Logger, "spool segment is missing or was replaced", err)
		l.tally.Damages++
		r.seq = seg.next
		l.loseAll(seg)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	r.seg, r.f, r.off, r.at, r.count = seg, f, segmentHeader, seg.head.seq, seg.head.count
	return nil
}

// entry finds the header of the entry at the reader's place, or after it if
// there is damage.
func (r *reader) entry() (int64, head, error) {
	at, e, err := findEntry(r.f, &r.head, r.off, r.seg.end, r.seg.head.mark, r.at)
	if err == nil && e.seq >= r.seg.next {
		err = io.EOF
	}
	return at, e, err
}

// batch reads an entry's batch.
func (r *reader) batch(at int64, e *head, b *producer.Batch) error {
	// The payload's size was checked against the segment's.
	b.Buf = slices.Grow(b.Buf[:0], int(e.payload()))[:e.payload()]
	if _, err := r.f.ReadAt(b.Buf, at+entryHeader); err != nil {
		return shrunk(err)
	}
	return e.parseBatch(b)
}

// countAfter returns the number of records appended up to a segment's end.
func (l *Log) countAfter(seg *segment) uint64 {
	if next := l.find(seg.next); next != nil && next.head.seq == seg.next {
		return next.head.count
	}
	return l.count
}

// left returns how many of an entry's records are to be delivered.
func (l *Log) left(seq uint64, records uint32) int {
	if part, ok := l.partial[seq]; ok {
		return len(part)
	}
	return int(records)
}

// miss gives up the entries between the reader's place and the entry to,
// before which count records were appended. How many records were lost is
// known if none of them was resolved; it comes out when the whole segment is
// resolved otherwise.
func (l *Log) miss(seg *segment, to, count uint64) {
	from := l.reader.at
	whole, some := true, false
	for seq := from; seq < to; seq++ {
		_, part := l.partial[seq]
		resolved := l.resolved(seq)
		whole = whole && !part && !resolved
		some = some || !resolved
	}
	if !some {
		return
	}
	l.tally.Damages++
	l.damage.begin(l.cfg.Logger, "spool is damaged", fmt.Errorf("%s: entries %d to %d are missing", seg.path, from, to-1))
	records := uint64(0)
	if whole && count > l.reader.count {
		records = count - l.reader.count
	}
	for seq := from; seq < to; seq++ {
		if !l.resolved(seq) {
			l.lose(seg, seq, records)
			records = 0
		}
	}
}

// lose resolves an entry that cannot be delivered.
func (l *Log) lose(seg *segment, seq, records uint64) {
	records = min(records, seg.waiting)
	l.losses.Corrupt += records
	l.losses.Batches++
	l.tally.Corrupt += records
	l.settle(seg, seq, records)
}

// loseAll gives up all of a segment.
func (l *Log) loseAll(seg *segment) {
	for seq := seg.head.seq; seq < seg.next && seg.open > 0; seq++ {
		if !l.resolved(seq) {
			l.lose(seg, seq, 0)
		}
	}
}

// Resolve implements [sink.Spool].
func (l *Log) Resolve(seq uint64, was int, left []uint32) {
	seg := l.find(seq)
	if l.closed || seg == nil || seq < seg.head.seq || l.resolved(seq) {
		return
	}
	n := min(uint64(max(was-len(left), 0)), seg.waiting)
	if len(left) == 0 {
		l.settle(seg, seq, n)
	} else if n > 0 {
		seg.waiting -= n
		l.waiting -= n
		l.partial[seq] = append(l.partial[seq][:0], left...)
		l.ack(func(p []byte) []byte { return appendPart(p, seq, l.settled(), left) })
	}
	l.publish()
}

// settle resolves an entry of which so many records were left.
func (l *Log) settle(seg *segment, seq, records uint64) {
	seg.open--
	seg.waiting -= records
	l.waiting -= records
	l.done[seq] = struct{}{}
	delete(l.partial, seq)
	if seg.open == 0 && seg.waiting > 0 {
		// Records of entries that were missed without their number.
		l.losses.Corrupt += seg.waiting
		l.tally.Corrupt += seg.waiting
		l.waiting -= seg.waiting
		seg.waiting = 0
	}
	l.advance()
	l.ack(func(p []byte) []byte { return appendDone(p, seq, l.settled()) })
	l.dropResolved()
}

// advance moves the cursor over all that is resolved.
func (l *Log) advance() {
	jumped := false
	for l.cursor < l.next {
		if _, ok := l.done[l.cursor]; ok {
			delete(l.done, l.cursor)
			l.cursor++
			continue
		}
		seg := l.find(l.cursor)
		switch {
		case seg == nil:
			l.cursor = l.next
		case l.cursor < seg.head.seq:
			l.cursor = seg.head.seq
		case seg.open == 0:
			l.cursor = seg.next
		default:
			if jumped {
				l.forget()
			}
			return
		}
		jumped = true
	}
	if jumped {
		l.forget()
	}
}
