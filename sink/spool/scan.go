package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/create"
)

const (
	segmentPrefix = "spool-"
	segmentSuffix = ".wal"
	asideSuffix   = ".bad"
	// foreignSuffix is of segments of another spool. They are never removed: their
	// records may not have been delivered.
	foreignSuffix = ".foreign"
	// keepAside is how many damaged segments are kept for a look at them.
	keepAside = 4
	// scanChunk is how much is read at a time in search of an entry.
	scanChunk = 64 << 10
)

func segmentName(seq uint64) string {
	return fmt.Sprintf("%s%016x%s", segmentPrefix, seq, segmentSuffix)
}

// segmentSeq returns the number in a segment's name.
func segmentSeq(name, suffix string) (uint64, bool) {
	hex, ok := strings.CutPrefix(name, segmentPrefix)
	if !ok {
		return 0, false
	}
	hex, ok = strings.CutSuffix(hex, suffix)
	if !ok || len(hex) != 16 || strings.ToLower(hex) != hex {
		return 0, false
	}
	seq, err := strconv.ParseUint(hex, 16, 64)
	return seq, err == nil
}

// list returns the regular files of segments with the suffix, the oldest
// first.
func list(dir, suffix string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if _, ok := segmentSeq(f.Name(), suffix); ok && f.Type().IsRegular() {
			names = append(names, f.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// recover reads what an earlier run left.
func (l *Log) recover() error {
	s, err := l.loadAcks()
	if err != nil {
		return err
	}
	l.cursor, l.done, l.partial = s.cursor, s.done, s.partial
	found, err := l.gather(s.log)
	if err != nil {
		return err
	}
	foreign := l.losses.Corrupt
	var done, total int64
	for _, c := range found {
		total += c.size
	}
	for _, c := range found {
		if err := l.load(c); err != nil {
			return fmt.Errorf("read segment %s: %w", c.path, err)
		}
		if done += c.size; l.cfg.Progress != nil {
			l.cfg.Progress(done, total)
		}
	}
	// The list of a clean end knows whether entries are missing at the end.
	if s.next > l.next && s.count >= l.count {
		if !s.broken { // otherwise they may have been delivered
			l.between(s.next, s.count)
		}
		l.next, l.count = s.next, s.count
	}
	l.next = max(l.next, l.cursor)
	for seq := range l.done {
		if seq >= l.next {
			l.next = seq + 1
		}
	}
	if s.complete() {
		l.countMissing(s.settled, foreign)
	}
	l.forget()
	l.dropAllResolved()
	l.advance()
	l.tally.Recovered = l.waiting
	l.compact()
	return nil
}

// countMissing counts the records that were appended and are neither resolved nor
// waiting, wherever they were. settled is the number of resolved records, foreign the
// number of records that were never appended to this log.
func (l *Log) countMissing(settled, foreign uint64) {
	lost := max(l.count, settled+l.waiting) - settled - l.waiting
	if lost > 0 && l.losses.Corrupt == foreign {
		l.tally.Damages++
		l.damage.begin(l.cfg.Logger, "spool is damaged", fmt.Errorf("%d records are missing", lost))
	}
	// Instead of what the gaps between entries say, which may be resolved in part.
	l.losses.Corrupt, l.tally.Corrupt = lost+foreign, lost+foreign
}

// forget drops what is known about entries before the cursor, and of others that
// are not there.
func (l *Log) forget() {
	for seq := range l.done {
		if seq < l.cursor || seq >= l.next {
			delete(l.done, seq)
		}
	}
	for seq := range l.partial {
		if seq < l.cursor || seq >= l.next || l.resolved(seq) {
			delete(l.partial, seq)
		}
	}
}

// dropAllResolved removes all resolved segments, wherever they are.
func (l *Log) dropAllResolved() {
	all := l.segs
	l.segs = nil
	for _, seg := range all {
		if seg.open > 0 {
			l.segs = append(l.segs, seg)
			continue
		}
		rest := l.segs
		l.segs = []*segment{seg}
		l.dropFront()
		l.segs = rest
	}
}

// load reads the headers of a segment's entries.
func (l *Log) load(c *candidate) error {
	if c.head.seq < l.next {
		c.count()
		l.reject(c, "repeats entries of another")
		return nil
	}
	f, err := create.Read(c.path)
	if err != nil {
		return err
	}
	defer f.Close()
	seg := &segment{path: c.path, end: c.size, head: c.head, damaged: c.damaged}
	l.bytes += seg.end
	l.segs = append(l.segs, seg)
	if len(l.segs) > 1 {
		l.between(seg.head.seq, seg.head.count)
	}
	l.next, l.count = seg.head.seq, seg.head.count
	seg.next = l.next
	for off := int64(segmentHeader); off < seg.end; {
		at, e, err := findEntry(f, &l.reader.head, off, seg.end, seg.head.mark, l.next)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.cfg.Logger.Error("spool segment cannot be read", "path", c.path, "error", err)
			}
			l.torn(seg, off)
			return nil
		}
		if at != off {
			seg.damaged = true
			l.damaged(c.path, off, at-off)
		}
		l.gap(l.next, e.seq, e.count)
		for ; l.next < e.seq; l.next++ {
			l.done[l.next] = struct{}{}
		}
		l.admit(seg, &e)
		off = at + e.size()
	}
	return nil
}

// admit counts an entry that was found.
func (l *Log) admit(seg *segment, e *head) {
	l.next, l.count = e.seq+1, e.count+uint64(e.records)
	seg.next = l.next
	if l.resolved(e.seq) {
		return
	}
	left := uint64(e.records)
	if part, ok := l.partial[e.seq]; ok {
		if ascending(part, e.records) {
			left = uint64(len(part))
		} else {
			delete(l.partial, e.seq)
		}
	}
	seg.open++
	seg.waiting += left
	l.waiting += left
	seg.sample(e.seq, e.wroteNs)
}

// ascending reports whether the indices rise, are below n, and are some but
// not all.
func ascending(indices []uint32, n uint32) bool {
	next := uint32(0)
	for _, i := range indices {
		if i < next || i >= n {
			return false
		}
		next = i + 1
	}
	return len(indices) > 0
}

// gap counts the records of the entries from one seq up to another, which are
// not where they should be, unless all of them are resolved. count is how many
// records were ever appended before the entry to.
func (l *Log) gap(from, to, count uint64) {
	for seq := max(from, l.cursor); seq < to; seq++ {
		if _, ok := l.done[seq]; !ok {
			if count > l.count {
				l.losses.Corrupt += count - l.count
				l.tally.Corrupt += count - l.count
			}
			return
		}
	}
}

// between counts the entries that are missing between two segments or after
// the last.
func (l *Log) between(seq, count uint64) {
	lost := l.losses.Corrupt
	l.gap(l.next, seq, count)
	if l.losses.Corrupt > lost {
		l.tally.Damages++
		l.damage.begin(l.cfg.Logger, "spool is damaged", fmt.Errorf("entries %d to %d are missing", l.next, seq-1))
	}
}

// damaged takes note of bytes that are no entries.
func (l *Log) damaged(path string, off, n int64) {
	l.tally.Damages++
	l.damage.begin(l.cfg.Logger, "spool is damaged", fmt.Errorf("%s: %d bytes from %d on are no entries", path, n, off))
}

// torn takes note of a segment's end that is no entry, as is left by a crash
// in the midst of an Append.
func (l *Log) torn(seg *segment, off int64) {
	l.tally.Torn++
	seg.damaged = true
	l.damaged(seg.path, off, seg.end-off)
}

// findEntry returns the entry next of a segment, which begins at off, or the
// first after it if there is damage. It believes that entries are missing only
// if there is room for them. At the end it returns io.EOF. p is overwritten.
func findEntry(f io.ReaderAt, p *[entryHeader]byte, off, end int64, mark, next uint64) (int64, head, error) {
	var want [8]byte
	le.PutUint64(want[:], mark)
	var chunk []byte
	start := off
	for end-off >= entryHeader {
		if _, err := f.ReadAt(p[:], off); err != nil {
			return 0, head{}, shrunk(err)
		}
		if e, ok := parseHead(p[:], end-off); ok && e.mark == mark &&
			e.seq >= next && e.seq-next <= uint64(off-start)/entryHeader {
			return off, e, nil
		}
		off++
		if chunk == nil {
			chunk = make([]byte, scanChunk)
		}
		for {
			q := chunk[:min(int64(len(chunk)), end-off)]
			if _, err := f.ReadAt(q, off); err != nil {
				return 0, head{}, shrunk(err)
			}
			if at := bytes.Index(q, want[:]); at >= 0 {
				off += int64(at)
				break
			}
			if off+int64(len(q)) >= end {
				return 0, head{}, io.EOF
			}
			off += int64(len(q)) - int64(len(want)) + 1
		}
	}
	return 0, head{}, io.EOF
}

// shrunk turns an end of the file where there was none into an error of its
// own: the segment was cut by someone else.
func shrunk(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
