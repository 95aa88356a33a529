//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

const (
	// pollEvery is how long a wait for a pipe to take more goes on before
	// the context is looked at.
	pollEvery = 100 * time.Millisecond
	// finishGrace is what a message that is partly in a pipe gets to be
	// completed in when the context is done.
	finishGrace = 250 * time.Millisecond
)

// Write implements [sink.Sink]. On a regular file it blocks for as long as
// the disk does; on a FIFO or a pipe that is full it waits until ctx is done.
//
// A message of which a pipe took only the beginning is counted as not
// written; its rest is kept, and goes out before anything else should the
// pipe work again, so that what a reader gets stays whole.
func (f *File) Write(ctx context.Context, b *producer.Batch) (int, error) {
	if f.closed {
		return 0, f.fail("write", sink.ErrClosed)
	}
	if len(b.Ends) == 0 {
		return 0, nil
	}
	if !f.open {
		if err := f.findReader(ctx); err != nil {
			return 0, f.fail("write", err)
		}
	}
	if err := f.finishTorn(ctx); err != nil {
		return 0, f.fail("write", f.orphaned(err))
	}
	done := 0
	for done < len(b.Ends) {
		ends := b.Ends[:done+f.roomFor(b.Ends, done)]
		deleted := f.deleted()
		var err error
		if done, err = f.writeUpTo(ctx, b.Buf, ends, done); err != nil {
			if isFull(err) && f.madeRoom(deleted) {
				continue
			}
			return done, f.fail("write", f.orphaned(err))
		}
	}
	return done, nil
}

// orphaned closes a FIFO whose reader has closed it, and returns ErrNoReader then. What was in
// the FIFO is lost, so the next reader begins with a whole message.
func (f *File) orphaned(err error) error {
	if !errors.Is(err, unix.EPIPE) || f.cfg.Path == "" || f.out.kind != unix.S_IFIFO || !isNamed(f.cfg.Path) {
		return err
	}
	f.open, f.left = false, true
	f.torn, f.unsynced = f.torn[:0], false
	unix.Close(f.out.fd)
	what := "flows are dropped until it has one"
	if f.cfg.FIFO == FIFOWait {
		what = "waiting for one"
	}
	f.log.Warn("fifo has no reader any more, "+what, "path", f.cfg.Path)
	return ErrNoReader
}

// isNamed reports whether a path leads to a file with a name. /dev/stdout of a pipe does not:
// nobody can open that pipe to read from it.
func isNamed(path string) bool {
	_, err := filepath.EvalSymlinks(path)
	return err == nil
}

// findReader opens a FIFO that has a reader. It waits for the first one, and for others
// with FIFOWait.
func (f *File) findReader(ctx context.Context) error {
	if !f.left || f.cfg.FIFO == FIFOWait {
		return f.awaitReader(ctx)
	}
	t, err := f.openTarget()
	if err == nil {
		f.adopt(t)
		f.log.Info("fifo has a reader", "path", f.cfg.Path)
	}
	return err
}

// writeUpTo writes the messages with these ends, of which the first done are written.
// It returns how many are written now; all, if it returns no error.
func (f *File) writeUpTo(ctx context.Context, buf []byte, ends []uint32, done int) (int, error) {
	start := endOf(ends, done)
	n, err := f.out.writeAll(ctx, buf[start:endOf(ends, len(ends))])
	if n > 0 {
		f.unsynced = true
		f.lookAtDisk(n)
	}
	if err == nil {
		f.markEnd(0)
		return len(ends), nil
	}
	n += start
	whole := messagesIn(ends, n)
	if start = endOf(ends, whole); n > start && f.mend(buf[start:n], buf[n:ends[whole]]) {
		whole++
	}
	f.markEnd(0)
	if whole == len(ends) {
		return whole, nil
	}
	return whole, err
}

// endOf returns where the first n messages end.
func endOf(ends []uint32, n int) int {
	if n == 0 {
		return 0
	}
	return int(ends[n-1])
}

// messagesIn returns how many messages lie wholly in the first n bytes.
func messagesIn(ends []uint32, n int) int {
	return sort.Search(len(ends), func(i int) bool { return int(ends[i]) > n })
}

// mend deals with a message whose head is the last thing in the output and
// whose rest is not. It reports whether the message is whole now; if not, it
// is either gone altogether or its rest is kept.
func (f *File) mend(head, rest []byte) bool {
	if f.out.regular {
		if f.out.cutBack(int64(len(head))) {
			return false
		}
		f.torn = append(f.torn[:0], rest...)
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), finishGrace)
	defer cancel()
	n, err := f.out.writeAll(ctx, rest)
	if err == nil {
		return true
	}
	f.torn = append(f.torn[:0], rest[n:]...)
	return false
}

// finishTorn writes the rest of a message that is partly in the output.
func (f *File) finishTorn(ctx context.Context) error {
	if len(f.torn) == 0 {
		return nil
	}
	n, err := f.out.writeAll(ctx, f.torn)
	f.torn = f.torn[:copy(f.torn, f.torn[n:])]
	return err
}

// awaitReader opens a FIFO as soon as somebody reads it.
func (f *File) awaitReader(ctx context.Context) error {
	wait := time.NewTicker(pollEvery)
	defer wait.Stop()
	for {
		t, err := f.openTarget()
		if err == nil {
			f.adopt(t)
			f.log.Info("fifo has a reader", "path", f.cfg.Path)
			return nil
		}
		if !errors.Is(err, ErrNoReader) {
			return err
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeAll writes p and returns how much of it got out. An output that takes
// nothing at the moment is waited for until ctx is done.
func (t *target) writeAll(ctx context.Context, p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := t.write(p[done:])
		if n > 0 {
			done += n
		}
		switch {
		case err == nil && n <= 0:
			return done, io.ErrShortWrite
		case err == nil, errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if err := waitWritable(ctx, t.fd); err != nil {
				return done, err
			}
		default:
			return done, err
		}
	}
	return done, nil
}

// waitWritable returns when the descriptor takes bytes, or has an error that
// the next write will tell.
func waitWritable(ctx context.Context, fd int) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := unix.Poll(fds, int(pollEvery.Milliseconds()))
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// fail gives an error the sentinel that the hub goes by, and says what could
// not be done to which output.
func (f *File) fail(verb string, err error) error {
	switch {
	case errors.Is(err, sink.ErrClosed):
	case errors.Is(err, unix.EPIPE):
		err = fmt.Errorf("%w: %w", sink.ErrClosed, err)
	case isFull(err):
		err = fmt.Errorf("%w: %w", sink.ErrDiskFull, err)
	}
	return f.wrap(verb, err)
}

// isFull reports whether an error says that the disk, or the user's part of it, is full.
func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
