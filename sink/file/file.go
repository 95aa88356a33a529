//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/sink"
)

// File is a [sink.Sink] on a file, a FIFO, a device or standard output. Its
// methods, but for Name and Repairs, are for one goroutine at a time.
type File struct {
	cfg    Config
	log    *slog.Logger
	stdout int // descriptor that an empty path stands for

	out    target
	open   bool // out is valid; false while a FIFO has no reader
	left   bool // a FIFO had a reader, which has closed it
	closed bool

	mark     *mark // of out; nil where it has none
	repairs  repairs
	torn     []byte // rest of a message whose beginning is in out
	unsynced bool   // written to since the last Flush

	period     int64                   // rotation period of the data in out
	rotateFrom time.Time               // after a failed rotation: not before this
	rotateBad  bool                    // the last rotation failed
	archive    *archive                // rotated files; nil without rotation
	keptBy     atomic.Pointer[archive] // the same, for Kept
	rotations  atomic.Uint64
	unlooked   int64 // bytes written since the archive looked at the disk
}

var (
	_ sink.Sink   = (*File)(nil)
	_ sink.Ticker = (*File)(nil)
)

// Repairs says what was done to outputs that an earlier run had not finished.
type Repairs struct {
	Files uint64 // outputs that were cut or set aside
	Bytes uint64 // bytes cut off or set aside
}

type repairs struct{ files, bytes atomic.Uint64 }

func (r *repairs) count(bytes int64) {
	r.files.Add(1)
	r.bytes.Add(uint64(bytes))
}

// Repairs returns what was repaired since New. Anyone may call it at any time.
func (f *File) Repairs() Repairs { return Repairs{f.repairs.files.Load(), f.repairs.bytes.Load()} }

// New opens the output. The errors of opening read `open output "x": ...` and
// wrap the system's.
func New(cfg Config) (*File, error) { return newFile(cfg, 1) }

func newFile(cfg Config, stdout int) (*File, error) {
	f := &File{cfg: cfg, log: cfg.Logger, stdout: stdout}
	if err := cfg.Validate(); err != nil {
		return nil, f.wrap("open", err)
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.cfg.now == nil {
		f.cfg.now = time.Now
	}
	t, err := f.openTarget()
	switch {
	case errors.Is(err, ErrNoReader) && !cfg.rotates():
		f.log.Info("fifo has no reader yet, waiting at the first write", "path", cfg.Path)
		return f, nil
	case err != nil:
		return nil, f.wrap("open", err)
	}
	if cfg.rotates() {
		f.archive, err = newArchive(cfg.Path, &t, cfg.care(), f.log, f.cfg.now)
		if err != nil {
			unix.Close(t.fd)
			return nil, f.wrap("open", err)
		}
		f.keptBy.Store(f.archive)
	}
	f.adopt(t)
	return f, nil
}

// Reconfigure changes rotation, compression and which rotated files are kept to what cfg
// says; the rest of cfg does not count. It is called between two writes. After an error
// nothing is changed.
func (f *File) Reconfigure(cfg Config) error {
	next := f.cfg
	next.RotateSize, next.RotateInterval, next.Compress, next.Keep = cfg.RotateSize, cfg.RotateInterval, cfg.Compress, cfg.Keep
	if err := next.Validate(); err != nil {
		return f.wrap("reconfigure", err)
	}
	if f.closed {
		return f.fail("reconfigure", sink.ErrClosed)
	}
	if next.rotates() && (!f.open || !f.out.regular) {
		return f.wrap("reconfigure", errors.New("only a regular file can be rotated"))
	}
	if next.rotates() && f.archive == nil {
		a, err := newArchive(f.cfg.Path, &f.out, next.care(), f.log, f.cfg.now)
		if err != nil {
			return f.wrap("reconfigure", err)
		}
		f.archive = a
		f.keptBy.Store(a)
	}
	if f.cfg.RotateInterval != next.RotateInterval {
		f.cfg.RotateInterval = next.RotateInterval
		f.period = f.periodOf(f.cfg.now())
	}
	f.cfg = next
	if f.archive != nil {
		f.archive.mu.Lock()
		f.archive.care = next.care()
		f.archive.mu.Unlock()
		f.archive.ring()
	}
	return nil
}

// openTarget opens what the configuration names and brings a file that an earlier
// run did not finish in order.
func (f *File) openTarget() (target, error) {
	if f.cfg.Path == "" {
		return openStdout(f.stdout)
	}
	for {
		t, err := openPath(f.cfg.Path)
		if err != nil {
			return target{}, err
		}
		moved := false
		switch {
		case !t.regular:
			if f.cfg.rotates() {
				err = errors.New("only a regular file can be rotated")
			}
		case t.size == 0:
		case f.cfg.LineDelimited:
			var cut int64
			cut, err = cutLastLine(f.cfg.Path, &t)
			if cut > 0 {
				f.repairs.count(cut)
				f.log.Warn("unfinished last line cut off", "path", f.cfg.Path, "bytes", cut)
			}
		default:
			moved, err = f.repair(&t)
		}
		if err == nil && !moved {
			return t, nil
		}
		unix.Close(t.fd)
		if err != nil {
			return target{}, err
		}
	}
}

// adopt makes t the output in use.
func (f *File) adopt(t target) {
	if f.open {
		if !t.same(&f.out) || t.regular && (f.cfg.LineDelimited || f.cfg.LengthDelimited || f.cfg.Mark) {
			f.torn = f.torn[:0] // another file, or the beginning was cut off
		}
		if err := unix.Close(f.out.fd); err != nil && !errors.Is(err, unix.EINTR) {
			f.log.Error("closing the previous output failed", "path", f.cfg.Path, "error", err)
		}
	}
	f.out, f.open = t, true
	f.period = f.periodOf(t.mtime)
	f.beginMark()
}

// Name implements [sink.Sink]: "file" or "stdout".
func (f *File) Name() string {
	if f.cfg.Path == "" {
		return "stdout"
	}
	return "file"
}

// Flush implements [sink.Sink]: the data of a regular file (the one being
// written, not those rotated before) is on disk when it returns. Nothing is
// held back in memory, so for other outputs there is nothing to do.
func (f *File) Flush() error {
	if f.closed {
		return f.fail("flush", sink.ErrClosed)
	}
	if !f.unsynced {
		return nil
	}
	if err := f.out.sync(); err != nil {
		return f.fail("flush", err)
	}
	f.unsynced = false
	return nil
}

// Reopen implements [sink.Sink]. It opens the path again. Standard output is
// left as it is.
func (f *File) Reopen() error {
	if f.closed {
		return f.fail("reopen", sink.ErrClosed)
	}
	if f.cfg.Path == "" || !f.open {
		return nil // a FIFO that waits for its reader opens the path anyway
	}
	// While the old output is still there: a message is not to be left torn
	// in it.
	f.settleTorn()
	t, err := f.openTarget()
	if err != nil {
		return f.fail("reopen", err)
	}
	if f.archive != nil {
		f.archive.mu.Lock()
		defer f.archive.mu.Unlock()
		f.archive.opened(f.cfg.Path, &t)
	}
	f.adopt(t)
	return nil
}

// settleTorn gives a torn message a moment to be completed.
func (f *File) settleTorn() {
	ctx, cancel := context.WithTimeout(context.Background(), finishGrace)
	defer cancel()
	if err := f.finishTorn(ctx); err != nil {
		f.log.Warn("last message in the output remains unfinished", "path", f.cfg.Path, "error", err)
	}
}

// Tick implements [sink.Ticker]: it rotates a file whose period is over.
func (f *File) Tick() {
	if f.closed || !f.open || f.cfg.RotateInterval == 0 || len(f.torn) > 0 || !f.periodOver() {
		return
	}
	if size, err := f.out.currentSize(); err == nil && size == 0 {
		f.period = f.periodOf(f.cfg.now())
	} else if err == nil {
		f.tryRotation()
	}
}

// Close implements [sink.Sink]. It waits for the compression of rotated files.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	var err error
	if f.open {
		f.settleTorn()
		f.endMark(markClosed)
		f.open = false
		err = unix.Close(f.out.fd)
	}
	if f.archive != nil {
		f.archive.close()
	}
	if err != nil {
		return f.fail("close", err)
	}
	return nil
}

func (f *File) wrap(verb string, err error) error {
	if f.cfg.Path == "" {
		return fmt.Errorf("%s output stdout: %w", verb, err)
	}
	return fmt.Errorf("%s output %q: %w", verb, f.cfg.Path, err)
}
