//go:build unix

package file

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	stampLayout = "20060102T150405Z"
	maxSeq      = 99_999
	zstSuffix   = ".zst"
	tmpSuffix   = ".zst.tmp"
)

// names are the names of an output's file and of what it is rotated to.
type names struct {
	current string // path of the file, symbolic links resolved
	dir     string
	stem    string // a rotated file is stem-STAMP-SEQ + ext
	ext     string
}

// namesOf derives the names from the path of a file that exists.
func namesOf(path string) (names, error) {
	// Rotation renames the file, not a link to it.
	current, err := filepath.EvalSymlinks(path)
	if err != nil {
		return names{}, fmt.Errorf("resolve path: %w", err)
	}
	n := names{current: current, dir: filepath.Dir(current)}
	base := filepath.Base(current)
	n.ext = filepath.Ext(base)
	if n.ext == base {
		n.ext = "" // a hidden file without an extension
	}
	n.stem = strings.TrimSuffix(base, n.ext)
	return n, nil
}

// at returns the name of a file rotated at t.
func (n names) at(t time.Time, seq int) string {
	return fmt.Sprintf("%s-%s-%04d%s", n.stem, t.UTC().Format(stampLayout), seq, n.ext)
}

func (n names) path(name string) string { return filepath.Join(n.dir, name) }

// parse returns when a file of this name was rotated, and its number. ok is false if
// rotation would not give a file this name, to the byte.
func (n names) parse(name string) (at time.Time, seq int, ok bool) {
	rest, ok := strings.CutPrefix(name, n.stem+"-")
	if !ok {
		return at, 0, false
	}
	stamp, number, ok := strings.Cut(strings.TrimSuffix(rest, n.ext), "-")
	if !ok {
		return at, 0, false
	}
	at, err := time.Parse(stampLayout, stamp)
	if err != nil {
		return at, 0, false
	}
	if seq, err = strconv.Atoi(number); err != nil {
		return at, 0, false
	}
	return at, seq, seq >= 1 && seq <= maxSeq && n.at(at, seq) == name
}

// owns reports whether name is one that rotation gives.
func (n names) owns(name string) bool {
	_, _, ok := n.parse(name)
	return ok
}

// archive looks after the rotated files of one output, with a goroutine that compresses
// them and one that deletes the oldest.
type archive struct {
	log *slog.Logger
	now func() time.Time

	// mu keeps the goroutines from listing the directory in the middle of a
	// rotation. The fields under it are written by the sink's goroutine.
	mu sync.Mutex
	names
	// writing is the rotated name under which the output is still written,
	// after a rotation that failed half way.
	writing string
	output  fileID // of the output in use
	lastAt  int64  // second of the last rotation
	lastSeq int    // and number in it
	care    Care

	compressing string      // rotated name that is compressed now; under mu
	removing    string      // rotated name that is deleted now; under mu
	doomed      atomic.Bool // what is compressed is deleted; set under mu

	bell    chan struct{} // one slot: rotated files to compress
	trimmer trimmer
	closing chan struct{}
	wg      sync.WaitGroup
}

// fileID identifies a file.
type fileID struct{ dev, ino uint64 }

// newArchive prepares rotation of the file at path, which is open as t, and starts the
// goroutines, which first see to what an earlier run has left.
func newArchive(path string, t *target, care Care, log *slog.Logger, now func() time.Time) (*archive, error) {
	n, err := namesOf(path)
	if err != nil {
		return nil, err
	}
	a := &archive{
		log: log, now: now, names: n, output: t.id(), care: care,
		bell: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	a.trimmer.init()
	a.ring()
	a.wg.Go(a.compressor)
	a.wg.Go(a.trimAlways)
	return a, nil
}

// ring has the goroutines look for rotated files.
func (a *archive) ring() {
	ringBell(a.bell)
	a.trimmer.wanted.Store(true)
	ringBell(a.trimmer.bell)
}

func ringBell(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// opened tells that the output has been opened again as t at path, which may be a link
// that leads elsewhere now. The caller holds mu.
func (a *archive) opened(path string, t *target) {
	if n, err := namesOf(path); err == nil && n != a.names {
		a.names, a.lastSeq = n, 0
	}
	a.writing, a.output = "", t.id()
	a.ring()
}

// caring returns what to do with rotated files.
func (a *archive) caring() Care {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.care
}

// close returns when the goroutines have finished all there is.
func (a *archive) close() {
	close(a.closing)
	a.wg.Wait()
	a.trim(true)
}
