package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	defaultMaxBytes     = 8 << 30
	defaultSegmentBytes = 64 << 20
	defaultReserve      = 512 << 20
	defaultSyncEvery    = time.Second
	minSegmentBytes     = 4 << 10
	// leastSegment is how small a disk that is nearly full makes a segment.
	leastSegment = 1 << 20
)

// Config says where and how a [Log] keeps its entries.
type Config struct {
	// Dir is the directory, made if it is not there. Files in it that are
	// not the log's own are left alone.
	Dir string

	// MaxBytes bounds the size of all segments together: the oldest makes
	// way for a new entry. It is at least four segments. 0 means 8 GiB.
	MaxBytes int64

	// SegmentBytes is the size at which a new segment is begun; it is cut
	// down to a quarter of MaxBytes, and to an eighth of the disk's free
	// space. 0 means 64 MiB.
	SegmentBytes int64

	// Reserve is how many bytes of the file system's free space the log
	// leaves to others: below it nothing is appended. 0 means 512 MiB, or a
	// tenth of the file system if that is less, and a negative value none.
	Reserve int64

	// SyncEvery says when appended entries are forced to the disk. Whatever
	// it is, entries survive the end of the process by any means as soon
	// as Append has returned; syncing matters when the machine fails. A
	// positive value syncs in the background so often, 0 means once a
	// second. A negative value syncs in Commit, before it returns.
	SyncEvery time.Duration

	// Progress is told in Open how many bytes of the segments have been recovered, last
	// when all are. Nil is told nothing.
	Progress func(done, total int64)

	// Logger is told about the begin and the end of faults and of what was
	// found at the start. Nil discards.
	Logger *slog.Logger
}

// check fills in the defaults and returns all that is wrong with c.
func (c Config) check() (Config, error) {
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = defaultSegmentBytes
	}
	c.SegmentBytes = min(c.SegmentBytes, max(c.MaxBytes/4, 0))
	if c.SyncEvery == 0 {
		c.SyncEvery = defaultSyncEvery
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("spool directory is not given"))
	}
	if c.SegmentBytes < minSegmentBytes {
		errs = append(errs, fmt.Errorf("spool of %d bytes in segments of %d bytes is too small: a segment has at least %d bytes, and a spool four of them",
			c.MaxBytes, c.SegmentBytes, minSegmentBytes))
	}
	return c, errors.Join(errs...)
}
