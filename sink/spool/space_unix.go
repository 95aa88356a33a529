//go:build unix

package spool

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/create"
	"github.com/weirflow/weir/sink"
)

// lockDir takes the directory's lock file. The lock ends with the process,
// whatever ends it.
func lockDir(path string) (*os.File, error) {
	f, err := create.Own(path, 0o640)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// space returns the bytes that an unprivileged user may still write, and the size
// of the file system.
func space(dir string) (free, size int64, err error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
		}
		if !errors.Is(err, unix.EINTR) {
			return 0, 0, fmt.Errorf("look for free space in %s: %w", dir, err)
		}
	}
}

// spaceError has errors for want of space wrap [sink.ErrDiskFull].
func spaceError(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return fmt.Errorf("%w: %w", sink.ErrDiskFull, err)
	}
	return err
}
