//go:build unix

package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/weirflow/weir/internal/create"
)

// compressor compresses rotated files whenever the bell rings, if it is to. The directory
// is its queue: what an earlier run, or an earlier failure, has left is found
// like what was just rotated.
func (a *archive) compressor() {
	a.removeLeftovers()
	failed := map[string]bool{}
	for {
		select {
		case <-a.bell:
			a.compressAll(failed)
		case <-a.closing:
			a.compressAll(failed)
			return
		}
	}
}

// removeLeftovers removes compressed files that were never finished.
func (a *archive) removeLeftovers() {
	n, found, err := a.list(tmpSuffix)
	if err != nil {
		a.log.Error("looking for unfinished compressed files failed", "dir", n.dir, "error", err)
		return
	}
	for _, name := range found {
		if err := os.Remove(n.path(name + tmpSuffix)); err != nil {
			a.log.Error("removing an unfinished compressed file failed", "error", err)
		}
	}
}

// compressAll compresses every rotated file, oldest first. One that fails is
// left as it is, logged once, and tried again the next time.
func (a *archive) compressAll(failed map[string]bool) {
	if a.caring().Compress != CompressZstd {
		return
	}
	n, found, err := a.list("")
	if err != nil {
		a.log.Error("looking for rotated files failed", "dir", n.dir, "error", err)
		return
	}
	for _, name := range found {
		if a.caring().Compress != CompressZstd {
			return
		}
		err := a.compress(n, name)
		if err == nil {
			delete(failed, name)
			continue
		}
		if !failed[name] {
			a.log.Error("compressing a rotated file failed", "file", name, "error", err)
		}
		failed[name] = true
	}
}

// list returns the rotated names for which there is a regular file with that
// suffix, sorted, but for the one that is still being written, and the names
// that these belong to.
func (a *archive) list(suffix string) (names, []string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return a.names, nil, err
	}
	var found []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if ok && a.owns(name) && name != a.writing && e.Type().IsRegular() {
			found = append(found, name)
		}
	}
	return a.names, found, nil
}

// compress replaces a rotated file by its compressed form. At any moment of a
// crash one of them is there and whole: the original goes only after the
// other is on disk under its final name. If the file is deleted meanwhile, what was
// compressed of it goes too.
func (a *archive) compress(n names, name string) (err error) {
	a.setCompressing(name)
	defer a.setCompressing("")
	in, err := create.Read(n.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed by someone since the listing
	}
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}

	tmp := n.path(name + tmpSuffix)
	out, err := create.Fresh(tmp, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp)
		}
		if errors.Is(err, errDoomed) {
			err = nil
		}
	}()
	err = encode(out, abortable{in, &a.doomed})
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Chtimes(tmp, info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	// A .zst of this name can only be this file's, from a run that ended
	// before it removed the original: names with a .zst are never given out.
	if err := a.finishCompressed(tmp, n.path(name+zstSuffix)); err != nil {
		return err
	}
	if err := syncDir(n.dir); err != nil {
		return err
	}
	if err := os.Remove(n.path(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// errDoomed says that the file that is compressed was deleted.
var errDoomed = errors.New("file was deleted")

// setCompressing notes which file is compressed, "" for none.
func (a *archive) setCompressing(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.compressing = name
	a.doomed.Store(name != "" && name == a.removing)
	if name == "" {
		a.trimmer.wanted.Store(true)
		ringBell(a.trimmer.bell)
	}
}

// finishCompressed gives a compressed file its name, unless the original was deleted.
func (a *archive) finishCompressed(tmp, final string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.doomed.Load() {
		return errDoomed
	}
	return os.Rename(tmp, final)
}

// abortable is a file to compress.
type abortable struct {
	in     io.Reader
	doomed *atomic.Bool
}

// Read implements io.Reader.
func (r abortable) Read(p []byte) (int, error) {
	if r.doomed.Load() {
		return 0, errDoomed
	}
	return r.in.Read(p)
}

func encode(out io.Writer, in io.Reader) error {
	enc, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("make encoder: %w", err)
	}
	if _, err := enc.ReadFrom(in); err != nil {
		enc.Close()
		return fmt.Errorf("compress: %w", err)
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}

// syncDir makes a rename in the directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
