package spool

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/weirflow/weir/internal/create"
)

// The list of acknowledgements is a file of records, all integers
// little-endian, to which each acknowledgement is appended, and which is
// rewritten when it has become long. Later records override earlier ones.
//
//	0  CRC-32C of the rest of the record
//	4  length of what follows the kind, in bytes
//	8  kind
//	9  seq
//	17 for ackPart: the indices of the messages left, 4 bytes each
//	   for ackEnd: records ever appended, 8 bytes
//	   for ackCursor and ackDone: records ever resolved, 8 bytes; not there in
//	   lists of older versions
//
// For ackSettled seq is the number of records ever resolved, for ackLog the id of
// the log, and for ackBoot a number that the machine has until it starts again.
//
// Reading ends at the first record that is damaged: what is acknowledged
// after it is delivered again.
const (
	ackCursor = 'c' // all entries before seq are resolved
	ackDone   = 'd' // the entry seq is resolved
	ackPart   = 'p' // of the entry seq the given messages are left
	ackEnd    = 'e' // seq is the next entry's
	ackBoot   = 'b' // the list was written while the machine had this number
	ackClosed = 'z' // the log was closed: the list is complete
	ackLog    = 'i'
	// ackBroken is written over an ackBoot of the same size when acknowledgements
	// cannot be appended: the list does not have all of them.
	ackBroken = 'x'
	// ackSettled precedes an ackPart. If a crash leaves only the ackSettled, some
	// records are delivered again, but none is counted as lost.
	ackSettled = 's'
	ackHeader  = 9

	acksName = "spool.acks"
	lockName = "spool.lock"

	// acksKeep is the size at which the list is rewritten.
	acksKeep = 256 << 10
	// acksRetry is how long a list that cannot be written is left alone.
	acksRetry = time.Second
)

func appendAck(p []byte, kind byte, seq uint64, rest func([]byte) []byte) []byte {
	at := len(p)
	p = append(p, 0, 0, 0, 0, 0, 0, 0, 0, kind)
	p = le.AppendUint64(p, seq)
	if rest != nil {
		p = rest(p)
	}
	le.PutUint32(p[at+4:], uint32(len(p)-at-ackHeader))
	le.PutUint32(p[at:], crc32.Checksum(p[at+4:], castagnoli))
	return p
}

func appendCursor(p []byte, seq, settled uint64) []byte {
	return appendAck(p, ackCursor, seq, func(p []byte) []byte { return le.AppendUint64(p, settled) })
}

func appendDone(p []byte, seq, settled uint64) []byte {
	return appendAck(p, ackDone, seq, func(p []byte) []byte { return le.AppendUint64(p, settled) })
}

func appendPart(p []byte, seq, settled uint64, left []uint32) []byte {
	return appendAck(appendAck(p, ackSettled, settled, nil), ackPart, seq, func(p []byte) []byte {
		for _, i := range left {
			p = le.AppendUint32(p, i)
		}
		return p
	})
}

func appendEnd(p []byte, seq, count uint64) []byte {
	return appendAck(p, ackEnd, seq, func(p []byte) []byte { return le.AppendUint64(p, count) })
}

// ackState is what a list says.
type ackState struct {
	cursor  uint64
	done    map[uint64]struct{}
	partial map[uint64][]uint32
	next    uint64 // of ackEnd
	count   uint64
	// settled is the number of records ever resolved; known is false in lists of
	// older versions.
	settled uint64
	known   bool
	log     uint32 // id of the log; 0 if unknown
	boot    uint64
	closed  bool // nothing follows the end in good order
	broken  bool // acknowledgements are missing
}

// settle takes note of the number of records ever resolved.
func (s *ackState) settle(n uint64) {
	if n < limit {
		s.settled, s.known = max(s.settled, n), true
	}
}

// complete reports whether the list has all acknowledgements that there were: the
// log was closed, or its process ended while the machine went on.
func (s *ackState) complete() bool {
	return s.known && !s.broken && (s.closed || s.boot != 0 && s.boot == bootNumber())
}

// parseAcks reads a list and returns how many of its bytes are in order.
func parseAcks(p []byte) (s ackState, good int) {
	s = ackState{cursor: 1, done: map[uint64]struct{}{}, partial: map[uint64][]uint32{}}
	for {
		q := p[good:]
		if len(q) < ackHeader {
			return s, good
		}
		n := le.Uint32(q[4:])
		if uint64(n) > uint64(len(q)-ackHeader) || n < 8 ||
			le.Uint32(q) != crc32.Checksum(q[4:ackHeader+n], castagnoli) {
			return s, good
		}
		kind, q := q[8], q[ackHeader:ackHeader+n]
		seq, rest := le.Uint64(q), q[8:]
		s.closed = kind == ackClosed
		if (kind == ackCursor || kind == ackDone) && len(rest) == 8 {
			s.settle(le.Uint64(rest))
		}
		switch {
		case kind == ackBoot:
			s.boot = seq
		case kind == ackBroken:
			s.broken = true
		case seq >= limit:
		case kind == ackSettled:
			s.settle(seq)
		case kind == ackLog:
			s.log = uint32(seq)
		case kind == ackCursor:
			s.cursor = max(s.cursor, seq)
		case kind == ackDone:
			s.done[seq] = struct{}{}
			delete(s.partial, seq)
		case kind == ackPart:
			left := make([]uint32, len(rest)/4)
			for i := range left {
				left[i] = le.Uint32(rest[4*i:])
			}
			s.partial[seq] = left
		case kind == ackEnd && len(rest) == 8 && le.Uint64(rest) < limit:
			s.next, s.count = seq, le.Uint64(rest)
		}
		good += ackHeader + int(n)
	}
}

// acks is the file of the list.
type acks struct {
	path    string
	f       *os.File
	size    int64
	limit   int64     // the size at which it is rewritten
	bootAt  int64     // offset of the ackBoot; 0 if there is none
	broken  bool      // it lacks acknowledgements
	retryAt time.Time // when to rewrite it after a failure
	state   state
	buf     []byte
}

func (a *acks) close() error {
	if a.f == nil {
		return nil
	}
	err := a.f.Close()
	a.f = nil
	return err
}

// readOwn reads a file. It refuses one that another user may have put there.
func readOwn(path string) ([]byte, error) {
	f, err := create.Read(path)
	if err != nil {
		return nil, err
	}
	p, err := io.ReadAll(f)
	return p, errors.Join(err, f.Close())
}

// loadAcks reads the list; that it is not there is no error.
func (l *Log) loadAcks() (ackState, error) {
	p, err := readOwn(l.acks.path)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case unreadable(err):
		l.tally.Damages++
		l.cfg.Logger.Warn("list of acknowledgements cannot be read and is set aside, records may be delivered again",
			"path", l.acks.path, "error", err)
		if err := os.Rename(l.acks.path, l.acks.path+asideSuffix); err != nil {
			return ackState{}, fmt.Errorf("set acknowledgements aside: %w", err)
		}
	default:
		return ackState{}, fmt.Errorf("read acknowledgements: %w", err)
	}
	s, good := parseAcks(p)
	if good < len(p) {
		s.known = false // how many are missing is not known
		l.tally.Damages++
		l.cfg.Logger.Warn("list of acknowledgements is damaged, some records may be delivered again",
			"path", l.acks.path, "good_bytes", good, "bytes", len(p))
	}
	return s, nil
}

// ack appends one record to the list. Failing that, the list is rewritten
// a little later; what it lacks until then would be delivered again.
func (l *Log) ack(record func([]byte) []byte) {
	a := &l.acks
	if a.broken || a.f == nil || a.size >= a.limit {
		if a.broken && time.Now().Before(a.retryAt) {
			l.tally.AckErrors++
			return
		}
		l.compact() // includes what this record says
		return
	}
	a.buf = record(a.buf[:0])
	if _, err := a.f.WriteAt(a.buf, a.size); err != nil {
		l.ackFailed(err)
		return
	}
	a.size += int64(len(a.buf))
}

func (l *Log) ackFailed(err error) {
	l.tally.AckErrors++
	// Best effort: to overwrite a record needs no space, but the disk may be gone.
	if a := &l.acks; !a.broken && a.f != nil && a.bootAt > 0 {
		_, _ = a.f.WriteAt(appendAck(a.buf[:0], ackBroken, 0, nil), a.bootAt)
	}
	l.acks.broken, l.acks.retryAt = true, time.Now().Add(acksRetry)
	l.acks.state.begin(l.cfg.Logger, "acknowledgements are not noted, records may be delivered again after a crash", err)
}

// settled returns the number of records ever appended that are resolved.
func (l *Log) settled() uint64 { return l.count - l.waiting }

// bootNumber returns a number that the machine has until it starts again, 0 if that
// is not known.
var bootNumber = sync.OnceValue(func() uint64 {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write(id) // never fails
	return h.Sum64()
})

// compact rewrites the list, under another name that is then moved over
// the list, so that one of both is there at any time.
func (l *Log) compact() {
	a := &l.acks
	p := appendEnd(appendCursor(a.buf[:0], l.cursor, l.settled()), l.next, l.count)
	p = appendAck(p, ackLog, uint64(l.id), nil)
	bootAt := int64(len(p))
	p = appendAck(p, ackBoot, bootNumber(), nil)
	for _, seq := range slices.SortedFunc(maps.Keys(l.done), cmp.Compare) {
		p = appendDone(p, seq, l.settled())
	}
	for _, seq := range slices.SortedFunc(maps.Keys(l.partial), cmp.Compare) {
		p = appendPart(p, seq, l.settled(), l.partial[seq])
	}
	if l.closing {
		p = appendAck(p, ackClosed, 0, nil)
	}
	a.buf = p
	f, err := writeAside(a.path, p)
	if err != nil {
		l.ackFailed(fmt.Errorf("write acknowledgements: %w", err))
		return
	}
	if a.f != nil {
		_ = a.f.Close() // nothing of it is needed any more
	}
	a.f, a.size, a.bootAt, a.broken = f, int64(len(p)), bootAt, false
	a.limit = 2*a.size + acksKeep
	a.state.end(l.cfg.Logger, "acknowledgements are noted again")
}

// writeAside writes p to a new file at path and returns the file, open.
func writeAside(path string, p []byte) (f *os.File, err error) {
	tmp := path + ".new"
	f, err = create.Fresh(tmp, 0o640)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(p); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(tmp))
	}
	return f, nil
}
