package state

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/internal/create"
)

// Config says how a File works.
type Config struct {
	// Path is the file.
	Path string
	// Pause is the shortest time from one save to the next; a second if zero.
	Pause time.Duration
	// Interval is how often the file is saved where nothing changed but
	// Activity.
	Interval time.Duration
	// Activity returns a number that changes while there is something to save
	// that is no change of any section. It may be nil.
	Activity func() uint64
	// Unsynced leaves it to the kernel when the file is on the disk: for content that
	// the end of the machine may take.
	Unsynced bool
	Logger   *slog.Logger
}

// File keeps sections in a file. Register and Load are called before Run; Stats
// may be called by any goroutine.
type File struct {
	cfg      Config
	sections []Section

	saves, failures, aside atomic.Uint64
	bytes, savedNs, tookNs atomic.Int64

	stop chan struct{}
	done chan struct{}
	once sync.Once

	// Of Load, then of Run's goroutine.
	changes uint64 // when all was as in the file
	failed  bool   // the last save
}

// Stats is what a File did.
type Stats struct {
	// Saves and Failures count how often the file was written, and was not.
	Saves, Failures uint64
	// SetAside counts files that could not be used at the start.
	SetAside uint64
	// Bytes is the size of the last file, and Took how long it took.
	Bytes int64
	Took  time.Duration
	// Saved is when; the zero Time for never.
	Saved time.Time
}

// New returns a File. Nothing is read or written yet.
func New(cfg Config) *File {
	if cfg.Pause == 0 {
		cfg.Pause = time.Second
	}
	return &File{cfg: cfg, stop: make(chan struct{}), done: make(chan struct{})}
}

// Register adds a section. Sections are saved and loaded by their names.
func (f *File) Register(s Section) { f.sections = append(f.sections, s) }

// Path returns the file's path.
func (f *File) Path() string { return f.cfg.Path }

// Stats returns what the file did so far.
func (f *File) Stats() Stats {
	s := Stats{
		Saves: f.saves.Load(), Failures: f.failures.Load(), SetAside: f.aside.Load(),
		Bytes: f.bytes.Load(), Took: time.Duration(f.tookNs.Load()),
	}
	if ns := f.savedNs.Load(); ns != 0 {
		s.Saved = time.Unix(0, ns)
	}
	return s
}

// Load reads the file, if there is one. A file that cannot be used is renamed,
// and one that cannot be read is left; both are logged.
func (f *File) Load() {
	defer func() { f.changes = f.sum() }()
	log := f.cfg.Logger
	f.removeTemps()
	file, err := create.Input(f.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		log.Info("no saved state yet", "path", f.cfg.Path)
		return
	}
	var info os.FileInfo
	if err == nil {
		defer file.Close()
		info, err = file.Stat()
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.failures.Add(1)
		log.Warn("saved state not read: exporters have to announce their templates", "path", f.cfg.Path, "error", err)
		return
	}
	began := time.Now()
	if err = Read(file, info.Size(), f.sections); err == nil {
		log.Info("saved state loaded", "path", f.cfg.Path, "bytes", info.Size(), "age", began.Sub(info.ModTime()).Round(time.Second), "took", time.Since(began).Round(time.Millisecond))
		return
	}
	f.aside.Add(1)
	name, moved := setAside(f.cfg.Path, err, began)
	if moved != nil {
		log.Warn("saved state not used, and not set aside: it will be written over", "path", f.cfg.Path, "error", err, "rename_error", moved)
		return
	}
	log.Warn("saved state not used: set aside", "path", f.cfg.Path, "renamed_to", name, "error", err)
}

// removeTemps removes what a crash left of files half written.
func (f *File) removeTemps() {
	dir, base := filepath.Split(f.cfg.Path)
	names, _ := filepath.Glob(filepath.Join(dir, "."+escape(base)+tempPattern)) // the pattern is a good one
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			f.cfg.Logger.Debug("leftover not removed", "path", name, "error", err)
		}
	}
}

// escape takes the meaning for patterns out of a name.
func escape(name string) string {
	var b []byte
	for _, c := range []byte(name) {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(b)
}

// poll is how often Run looks for changes.
const poll = 20 * time.Millisecond

// share is how much longer than a save the time between two is at least, so that a
// flood of changes in a full table does not have it saved all the time.
const share = 16

// Run saves what changes until Stop.
func (f *File) Run() {
	defer close(f.done)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	activity := f.activity()
	var began time.Time
	last := time.Now() // when activity was saved
	for {
		stopping := false
		select {
		case <-tick.C:
		case <-f.stop:
			stopping = true
		}
		now := time.Now()
		seen, active := f.sum(), f.activity()
		due := seen != f.changes || f.failed || active != activity && (stopping || now.Sub(last) >= f.cfg.Interval)
		pause := max(f.cfg.Pause, share*time.Duration(f.tookNs.Load()))
		if due && (stopping || now.Sub(began) >= pause) {
			began = now
			if f.save(now) {
				f.changes, activity, last = seen, active, now
			}
		}
		if stopping {
			return
		}
	}
}

// Stop has Run save what is not saved yet, and waits for its end until ctx is
// done.
func (f *File) Stop(ctx context.Context) error {
	f.once.Do(func() { close(f.stop) })
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *File) sum() uint64 {
	sum := uint64(0)
	for _, s := range f.sections {
		if s.Changes != nil {
			sum += s.Changes()
		}
	}
	return sum
}

func (f *File) activity() uint64 {
	if f.cfg.Activity == nil {
		return 0
	}
	return f.cfg.Activity()
}

// save writes the file. Trouble is logged when it begins and when it is over.
func (f *File) save(now time.Time) bool {
	size, err := write(f.cfg.Path, f.sections, now, !f.cfg.Unsynced)
	if err != nil {
		f.failures.Add(1)
		if !f.failed {
			f.cfg.Logger.Error("state not saved: trying again until it is", "path", f.cfg.Path, "error", err)
		}
		f.failed = true
		return false
	}
	if f.failed {
		f.cfg.Logger.Info("state saved again", "path", f.cfg.Path)
	}
	f.failed = false
	f.saves.Add(1)
	f.bytes.Store(size)
	f.savedNs.Store(now.UnixNano())
	f.tookNs.Store(int64(time.Since(now)))
	return true
}
