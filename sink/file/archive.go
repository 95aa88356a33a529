//go:build unix

package file

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
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

// owns reports whether name is one that rotation gives.
func (n names) owns(name string) bool {
	rest, ok := strings.CutPrefix(name, n.stem+"-")
	if !ok {
		return false
	}
	rest, ok = strings.CutSuffix(rest, n.ext)
	if !ok {
		return false
	}
	stamp, seq, ok := strings.Cut(rest, "-")
	if !ok || len(seq) < 4 || strings.Trim(seq, "0123456789") != "" {
		return false
	}
	_, err := time.Parse(stampLayout, stamp)
	return err == nil
}

// archive looks after the rotated files of one output, with a goroutine that
// compresses them.
type archive struct {
	log *slog.Logger

	// mu keeps the compressor from listing the directory in the middle of a
	// rotation. The fields under it are written by the sink's goroutine.
	mu sync.Mutex
	names
	// writing is the rotated name under which the output is still written,
	// after a rotation that failed half way.
	writing string

	bell    chan struct{} // one slot; nil without compression
	closing chan struct{}
	wg      sync.WaitGroup
}

// newArchive prepares rotation of the file at path, which exists, and with
// compress starts the compressor, which first sees to what an earlier run
// has left.
func newArchive(path string, compress bool, log *slog.Logger) (*archive, error) {
	n, err := namesOf(path)
	if err != nil {
		return nil, err
	}
	a := &archive{log: log, names: n}
	if compress {
		a.bell = make(chan struct{}, 1)
		a.closing = make(chan struct{})
		a.ring()
		a.wg.Go(a.compressor)
	}
	return a, nil
}

// ring tells the compressor, if there is one, to look for rotated files.
func (a *archive) ring() {
	if a.bell == nil {
		return
	}
	select {
	case a.bell <- struct{}{}:
	default:
	}
}

// opened tells that the output has been opened anew at path, which may be a
// link that leads elsewhere now. The caller holds mu.
func (a *archive) opened(path string) {
	if n, err := namesOf(path); err == nil {
		a.names = n
	}
	a.writing = ""
	a.ring()
}

// close returns when the compressor has finished all there is.
func (a *archive) close() {
	if a.bell != nil {
		close(a.closing)
		a.wg.Wait()
	}
}
