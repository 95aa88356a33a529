package spool

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weirflow/weir/internal/create"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// ErrLocked says that another process, or another Log of this one, has the
// directory.
var ErrLocked = errors.New("spool directory is in use")

// A Log is a [sink.Spool] in a directory. Its methods are called from one
// goroutine at a time, but for [Log.Stats], which anyone may call at any time.
type Log struct {
	cfg    Config
	lock   *os.File
	segs   []*segment // the oldest first
	active *os.File   // open for writing: the last of segs; nil if none is
	// segment is the size at which the next one is begun.
	segment int64
	bytes   int64 // of all segments

	id      uint32 // of the log, in its segments
	next    uint64 // seq of the next entry
	count   uint64 // records ever appended
	waiting uint64 // records that are not resolved
	cursor  uint64 // all entries before it are resolved
	done    map[uint64]struct{}
	partial map[uint64][]uint32 // what is left of entries resolved in part

	acks   acks
	reader reader
	syncer syncer

	losses  sink.SpoolLosses
	scratch []byte
	full    state // Append refuses
	damage  state // entries cannot be read
	closing bool  // the list of acknowledgements that is written is the last
	closed  bool

	mu    sync.Mutex // guards stats
	stats Stats
	tally Stats // the counters in stats, changed by the log's goroutine alone
}

// segment is what is known about a segment's file.
type segment struct {
	path    string
	f       *os.File // as it was written; nil if an earlier run did that
	head    segHead
	end     int64  // where to read up to
	next    uint64 // seq after its last entry
	open    int    // entries that are not resolved
	waiting uint64 // records that are not resolved
	damaged bool
	times   []sample
}

// sample is the time at which an entry was written.
type sample struct {
	seq uint64
	ns  int64
}

// oneWrite is up to how many bytes copying a batch costs less than a second
// write(2).
const oneWrite = 16 << 10

// sampleEvery is how far apart samples are.
const sampleEvery = int64(time.Second)

func (s *segment) sample(seq uint64, ns int64) {
	if n := len(s.times); n == 0 || ns >= s.times[n-1].ns+sampleEvery {
		s.times = append(s.times, sample{seq, ns})
	}
}

// Open opens the log in cfg.Dir and recovers what an earlier run left. It
// reads the headers of all entries. The error wraps ErrLocked if the directory
// is in use; damage is no error.
func Open(cfg Config) (*Log, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, err
	}
	if err := create.Folder(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if cfg.Reserve, err = reserve(cfg); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	lock, err := lockDir(filepath.Join(cfg.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("open spool %s: %w", cfg.Dir, err)
	}
	l := &Log{
		cfg:     cfg,
		lock:    lock,
		next:    1,
		cursor:  1,
		done:    map[uint64]struct{}{},
		partial: map[uint64][]uint32{},
	}
	l.acks.path = filepath.Join(cfg.Dir, acksName)
	if err := l.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), lock.Close())
	}
	l.syncer.start(cfg)
	l.Rewind()
	l.publish()
	return l, nil
}

// reserve returns how many bytes to leave free.
func reserve(cfg Config) (int64, error) {
	switch {
	case cfg.Reserve < 0:
		return 0, nil
	case cfg.Reserve > 0:
		return cfg.Reserve, nil
	}
	_, size, err := space(cfg.Dir)
	return min(defaultReserve, size/10), err
}

// Append implements [sink.Spool].
func (l *Log) Append(b *producer.Batch) (uint64, error) {
	if l.closed {
		return 0, fmt.Errorf("append to spool: %w", sink.ErrClosed)
	}
	err := l.append(b)
	l.publish()
	if err != nil {
		l.tally.AppendErrors++
		l.full.begin(l.cfg.Logger, "spool takes nothing", err)
		return 0, err
	}
	l.full.end(l.cfg.Logger, "spool takes records again")
	return l.next - 1, nil
}

func (l *Log) append(b *producer.Batch) error {
	n := b.Records()
	if n == 0 {
		return errors.New("append to spool: batch is empty")
	}
	buf := b.Buf[:b.Ends[n-1]]
	e := head{
		seq:     l.next,
		count:   l.count,
		firstNs: b.FirstNs,
		wroteNs: time.Now().UnixNano(),
		worker:  uint32(b.Worker),
		records: uint32(n),
		bytes:   uint32(len(buf)),
	}
	if len(b.Keys) == n {
		e.flags = flagKeys
	}
	if segmentHeader+e.size() > l.cfg.MaxBytes {
		return fmt.Errorf("append to spool: batch of %d bytes is larger than the spool", len(buf))
	}
	if err := l.checkSpace(e.size()); err != nil {
		// All that is written may be of no use any more.
		if l.waiting > 0 || l.active == nil {
			return err
		}
		l.retire()
		l.dropResolved()
		if err := l.checkSpace(e.size()); err != nil {
			return err
		}
	}
	if err := l.makeRoom(e.size()); err != nil {
		return err
	}
	seg := l.segs[len(l.segs)-1]
	e.mark = seg.head.mark

	// The header is written in front of the tables as soon as their
	// checksum is known.
	l.scratch = appendTable(append(l.scratch[:0], make([]byte, entryHeader)...), b.Ends)
	if e.flags&flagKeys != 0 {
		l.scratch = appendTable(l.scratch, b.Keys)
	}
	e.crc = checksum(l.scratch[entryHeader:], buf)
	e.put(l.scratch)
	if len(buf) <= oneWrite {
		l.scratch, buf = append(l.scratch, buf...), nil
	}
	_, err := l.active.WriteAt(l.scratch, seg.end)
	if err == nil && len(buf) > 0 {
		_, err = l.active.WriteAt(buf, seg.end+int64(len(l.scratch)))
	}
	if err != nil {
		// What was written of the entry is no entry; the next one is
		// written over it.
		_ = l.active.Truncate(seg.end)
		return fmt.Errorf("append to spool: %w", spaceError(err))
	}

	l.syncer.wrote()
	seg.end += e.size()
	seg.next = e.seq + 1
	seg.open++
	seg.waiting += uint64(n)
	seg.sample(e.seq, e.wroteNs)
	l.bytes += e.size()
	l.waiting += uint64(n)
	l.next++
	l.count += uint64(n)
	l.tally.Appended += uint64(n)
	return nil
}

// checkSpace fails if the file system's free space does not allow size more
// bytes.
func (l *Log) checkSpace(size int64) error {
	if l.cfg.Reserve == 0 {
		return nil
	}
	free, _, err := space(l.cfg.Dir)
	if err != nil {
		return fmt.Errorf("append to spool: %w", err)
	}
	if free-size < l.cfg.Reserve {
		return fmt.Errorf("append to spool: %d bytes of %s are free and %d reserved: %w",
			free, l.cfg.Dir, l.cfg.Reserve, sink.ErrDiskFull)
	}
	return nil
}

// makeRoom sees to it that an entry of size bytes fits into the active
// segment and under the bound.
func (l *Log) makeRoom(size int64) error {
	if l.active != nil {
		if seg := l.segs[len(l.segs)-1]; seg.end+size > l.segment || l.syncer.failed.Swap(false) {
			l.retire()
			l.dropResolved()
		}
	}
	need := size
	if l.active == nil {
		need += segmentHeader
	}
	for l.bytes+need > l.cfg.MaxBytes && len(l.segs) > 0 {
		if len(l.segs) == 1 && l.active != nil {
			l.retire()
			need = size + segmentHeader
		}
		l.evict()
	}
	if l.active == nil {
		return l.begin()
	}
	return nil
}

// begin begins a segment.
func (l *Log) begin() error {
	var mark [8]byte
	_, _ = rand.Read(mark[:]) // never fails
	seg := &segment{
		head: segHead{mark: binary.LittleEndian.Uint64(mark[:]), seq: l.next, count: l.count, log: l.id},
		end:  segmentHeader,
		next: l.next,
	}
	f, err := l.create(seg)
	if err != nil {
		return fmt.Errorf("begin spool segment: %w", spaceError(err))
	}
	var p [segmentHeader]byte
	seg.head.put(&p)
	if _, err := f.WriteAt(p[:], 0); err != nil {
		return errors.Join(fmt.Errorf("begin spool segment: %w", spaceError(err)), f.Close(), os.Remove(seg.path))
	}
	// What is resolved takes space until its segment ends: on a small disk
	// that must not be much.
	l.segment = l.cfg.SegmentBytes
	if free, _, err := space(l.cfg.Dir); err == nil {
		l.segment = min(l.segment, max((free-l.cfg.Reserve)/8, leastSegment))
	}
	seg.f = f
	l.segs = append(l.segs, seg)
	l.active = f
	l.bytes += segmentHeader
	l.syncer.began(f)
	return nil
}

// create makes the file of a segment, named by its first seq or, where another file
// has that name, by the next number that is free.
func (l *Log) create(seg *segment) (*os.File, error) {
	for n := uint64(0); ; n++ {
		seg.path = filepath.Join(l.cfg.Dir, segmentName(seg.head.seq+n))
		f, err := create.Exclusive(seg.path, 0o640)
		if n == maxNames || !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// maxNames is how many names are tried for a file.
const maxNames = 1000

// retire ends writing to the active segment.
func (l *Log) retire() {
	if l.active != nil {
		l.syncer.retire(l.active)
		l.active = nil
	}
}

// evict gives up the oldest segment, which is not the active one.
func (l *Log) evict() {
	seg := l.segs[0]
	l.losses.Evicted += seg.waiting
	l.losses.Batches += uint64(seg.open)
	l.tally.Evicted += seg.waiting
	l.waiting -= seg.waiting
	seg.open, seg.waiting = 0, 0
	l.dropFront()
	l.advance()
	l.ack(func(p []byte) []byte { return appendCursor(p, l.cursor, l.settled()) })
}

// dropResolved removes the oldest segments as long as they are resolved.
func (l *Log) dropResolved() {
	for len(l.segs) > 0 && l.segs[0].open == 0 && (len(l.segs) > 1 || l.active == nil) {
		l.dropFront()
	}
	l.advance()
}

// dropFront removes the oldest segment's file, or sets it aside if it is
// damaged.
func (l *Log) dropFront() {
	seg := l.segs[0]
	l.segs[0] = nil
	l.segs = l.segs[1:]
	l.bytes -= seg.end
	if l.reader.seg == seg {
		l.reader.leave()
		l.reader.seq = max(l.reader.seq, seg.next)
	}
	l.syncer.discard(seg.f)
	var err error
	if seg.damaged {
		err = l.setAside(seg.path, asideSuffix)
		if err == nil {
			err = l.thinOut()
		}
	} else {
		err = os.Remove(seg.path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.cfg.Logger.Error("spool segment is not removed", "path", seg.path, "error", err)
	}
}

// Trim implements [sink.Spool].
func (l *Log) Trim() {
	if l.closed || l.waiting > 0 || len(l.segs) == 0 {
		return
	}
	l.retire()
	l.dropResolved()
	l.compact()
	l.publish()
}

// Commit implements [sink.Spool].
func (l *Log) Commit() error {
	if l.cfg.SyncEvery > 0 || l.closed {
		return nil
	}
	err := l.syncer.sync()
	l.publish()
	return err
}

// First implements [sink.Spool].
func (l *Log) First() uint64 {
	if len(l.segs) == 0 {
		return l.next
	}
	return l.segs[0].head.seq
}

// Waiting implements [sink.Spool].
func (l *Log) Waiting() uint64 { return l.waiting }

// TakeLosses implements [sink.Spool].
func (l *Log) TakeLosses() sink.SpoolLosses {
	lost := l.losses
	l.losses = sink.SpoolLosses{}
	return lost
}

// Close implements [sink.Spool]. Closing again does nothing.
func (l *Log) Close() error {
	if l.closed {
		return nil
	}
	l.retire()
	l.dropResolved()
	l.closing = true
	l.compact()
	l.reader.leave()
	l.publish()
	l.closed = true
	err := errors.Join(l.syncer.stop(), l.acks.close(), l.lock.Close())
	if err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}
