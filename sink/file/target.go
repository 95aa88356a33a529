//go:build unix

package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/create"
)

// target is an open output. Descriptors are used without os.File so that
// EPIPE on standard output is an error and not the end of the process.
type target struct {
	fd      int
	dev     uint64
	ino     uint64
	kind    uint32 // S_IFREG and the like
	careful bool   // a pipe that blocks: see write
	regular bool
	size    int64     // when it was opened
	mtime   time.Time // when it was opened
}

// ErrNoReader reports that the output is a FIFO without a reader.
var ErrNoReader = errors.New("fifo has no reader")

// openPath opens the path for appending. O_NONBLOCK keeps a FIFO from holding
// up the open and the writes; a regular file ignores it.
func openPath(path string) (target, error) {
	care, err := create.CheckOutput(path)
	if err != nil {
		return target{}, err
	}
	var fd int
	err = restart(func() (err error) {
		fd, err = unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NONBLOCK|care, 0o644)
		return err
	})
	if err != nil {
		return target{}, explainOpen(path, err)
	}
	if err := create.CheckOpenedFd(fd, path, care); err != nil {
		unix.Close(fd)
		return target{}, err
	}
	t, err := inspect(fd)
	if err != nil {
		unix.Close(fd)
		return target{}, err
	}
	return t, nil
}

// explainOpen makes plain what an open's errno leaves in the dark.
func explainOpen(path string, err error) error {
	var st unix.Stat_t
	switch {
	case errors.Is(err, unix.ENXIO) && unix.Stat(path, &st) == nil && fileType(&st) == unix.S_IFIFO:
		return ErrNoReader
	case errors.Is(err, unix.ENOENT):
		dir := filepath.Dir(path)
		if unix.Stat(dir, &st) != nil {
			return fmt.Errorf("directory %q: %w", dir, err)
		}
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: user %d may not write it: change its owner or mode, or choose another -transport.file", err, os.Geteuid())
	}
	return err
}

// inspect fills a target from its descriptor and refuses what is no output.
func inspect(fd int) (target, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return target{}, err
	}
	if fileType(&st) == unix.S_IFBLK {
		return target{}, errors.New("is a block device")
	}
	return target{
		fd:      fd,
		dev:     uint64(st.Dev),
		ino:     uint64(st.Ino),
		kind:    fileType(&st),
		regular: fileType(&st) == unix.S_IFREG,
		size:    st.Size,
		mtime:   time.Unix(st.Mtim.Unix()),
	}, nil
}

// same reports whether both are the same file.
func (t *target) same(o *target) bool { return t.dev == o.dev && t.ino == o.ino }

// id identifies the file.
func (t *target) id() fileID { return fileID{t.dev, t.ino} }

// isAt reports whether the path still leads to this file.
func (t *target) isAt(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && uint64(st.Dev) == t.dev && uint64(st.Ino) == t.ino
}

// currentSize asks the kernel, since other programs may truncate the file.
func (t *target) currentSize() (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(t.fd, &st); err != nil {
		return 0, err
	}
	return st.Size, nil
}

// cutBack removes the last n bytes, which this process has just written, from
// a regular file and reports whether it could. It does not where the write
// did not end at the file's end: others have written after it.
func (t *target) cutBack(n int64) bool {
	pos, err := unix.Seek(t.fd, 0, unix.SEEK_CUR)
	if err != nil {
		return false
	}
	size, err := t.currentSize()
	if err != nil || pos != size || size < n {
		return false
	}
	if restart(func() error { return unix.Ftruncate(t.fd, size-n) }) != nil {
		return false
	}
	// Standard output may be a file without O_APPEND.
	_, err = unix.Seek(t.fd, size-n, unix.SEEK_SET)
	return err == nil
}

// sync makes a regular file's data durable.
func (t *target) sync() error {
	if !t.regular {
		return nil
	}
	return restart(func() error { return unix.Fsync(t.fd) })
}

// fileType returns the S_IFMT bits; Mode has different widths on different
// systems.
func fileType(st *unix.Stat_t) uint32 { return uint32(st.Mode) & unix.S_IFMT }

// restart calls f until it is not interrupted by a signal.
func restart(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
