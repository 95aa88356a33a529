package spool

import (
	"cmp"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/weirflow/weir/internal/create"
)

// candidate is a file with the name of a segment, and what its header says.
type candidate struct {
	path    string
	size    int64
	head    segHead
	damaged bool // the header is
	records uint64
}

// gather looks at all files that have the name of a segment and returns the
// segments of this log in their order. Others are set aside: what cannot be read,
// what is no segment, and what is another log's. id is this log's, 0 if unknown.
func (l *Log) gather(id uint32) ([]*candidate, error) {
	names, err := list(l.cfg.Dir, segmentSuffix)
	if err != nil {
		return nil, err
	}
	var found []*candidate
	for _, name := range names {
		c := &candidate{path: filepath.Join(l.cfg.Dir, name)}
		ok, err := c.look()
		switch {
		case err != nil && !unreadable(err):
			return nil, err
		case err != nil:
			l.cfg.Logger.Error("spool segment cannot be read", "path", c.path, "error", err)
			l.reject(c, "cannot be read")
		case ok:
			found = append(found, c)
		case c.size <= segmentHeader:
			// A crash between making and filling a segment leaves less than a header.
			if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				l.cfg.Logger.Error("spool segment is not removed", "path", c.path, "error", err)
			}
		default:
			l.reject(c, "has no header")
		}
	}
	l.id = logID(id, found)
	found = slices.DeleteFunc(found, func(c *candidate) bool {
		if c.head.log == 0 || c.head.log == l.id {
			return false
		}
		// It was never this log's: its records are in no other sum.
		c.count()
		l.rejectAs(c, "is of another spool", foreignSuffix)
		l.losses.Corrupt += c.records
		l.tally.Corrupt += c.records
		return true
	})
	if kept, err := list(l.cfg.Dir, foreignSuffix); err == nil && len(kept) > 0 {
		l.cfg.Logger.Warn("segments of another spool are kept and not delivered: to deliver them, move them to a folder of their own, rename them to *"+
			segmentSuffix+", and use that as spool folder", "dir", l.cfg.Dir, "files", len(kept), "first", kept[0])
	}
	// Of copies the one with the most records comes first, and is read.
	for i, c := range found {
		for _, o := range found[:i] {
			if o.head.seq == c.head.seq {
				c.count()
				o.count()
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(a.head.seq, b.head.seq), cmp.Compare(b.records, a.records))
	})
	return found, nil
}

// unreadable reports whether an error is a file's own, and not the process's or the
// system's: other files can be read.
func unreadable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EISDIR) || errors.Is(err, create.ErrForeign)
}

// logID returns the id of the log: the one that is known, that of most segments, or
// a new one.
func logID(known uint32, segs []*candidate) uint32 {
	if known != 0 {
		return known
	}
	best, votes := uint32(0), map[uint32]int{}
	for _, c := range segs {
		if id := c.head.log; id != 0 {
			if votes[id]++; votes[id] > votes[best] {
				best = id
			}
		}
	}
	for best == 0 {
		var p [4]byte
		_, _ = rand.Read(p[:]) // never fails
		best = le.Uint32(p[:])
	}
	return best
}

// look reads the header. If that is damaged, the first entry has all that is
// needed.
func (c *candidate) look() (bool, error) {
	f, err := create.Read(c.path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	c.size = info.Size()
	p := make([]byte, segmentHeader+entryHeader)
	n, err := f.ReadAt(p, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	p = p[:n]
	if head, ok := parseSegHead(p); ok {
		c.head = head
		return true, nil
	}
	if n < segmentHeader+entryHeader {
		return false, nil
	}
	e, ok := parseHead(p[segmentHeader:], c.size-segmentHeader)
	if !ok {
		return false, nil
	}
	c.damaged = true
	c.head = segHead{mark: e.mark, seq: e.seq, count: e.count}
	return true, nil
}

// count counts the records of the entries whose headers can be read.
func (c *candidate) count() {
	f, err := create.Read(c.path)
	if err != nil {
		return // there are none that can be read
	}
	defer f.Close()
	c.records = 0
	var p [entryHeader]byte
	next := c.head.seq
	for off := int64(segmentHeader); off < c.size; {
		at, e, err := findEntry(f, &p, off, c.size, c.head.mark, next)
		if err != nil {
			return
		}
		c.records += uint64(e.records)
		off, next = at+e.size(), e.seq+1
	}
}

// reject sets a file aside that is of no use to this log.
func (l *Log) reject(c *candidate, why string) { l.rejectAs(c, why, asideSuffix) }

func (l *Log) rejectAs(c *candidate, why, suffix string) {
	l.tally.Damages++
	l.cfg.Logger.Warn("spool segment is not used: it "+why, "path", c.path, "bytes", c.size, "records", c.records)
	if err := l.setAside(c.path, suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.cfg.Logger.Error("spool segment is not set aside", "path", c.path, "error", err)
	}
}

// setAside renames a segment that is of no use to a free name with that suffix.
func (l *Log) setAside(path, suffix string) error {
	seq, _ := segmentSeq(filepath.Base(path), segmentSuffix)
	aside := ""
	for n := range uint64(maxNames) {
		aside = filepath.Join(l.cfg.Dir, strings.TrimSuffix(segmentName(seq+n), segmentSuffix)+suffix)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	l.cfg.Logger.Warn("spool segment is set aside", "path", aside)
	return nil
}

// thinOut removes the oldest of the segments that were set aside.
func (l *Log) thinOut() error {
	names, err := list(l.cfg.Dir, asideSuffix)
	if err != nil {
		return err
	}
	for len(names) > keepAside {
		if err := os.Remove(filepath.Join(l.cfg.Dir, names[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		names = names[1:]
	}
	return nil
}
