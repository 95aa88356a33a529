//go:build unix

package create

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	noFollow = syscall.O_NOFOLLOW
	nonBlock = syscall.O_NONBLOCK // a FIFO holds up nobody; regular files do not care
)

// checkOwner refuses what stands in a folder that all may write to, unless this
// process's user, root or the folder's owner put it there, and nobody else can replace
// it (the folder has the sticky bit). The kernel does the same where
// fs.protected_symlinks, fs.protected_regular and fs.protected_fifos are set.
func checkOwner(path string, info fs.FileInfo) error {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if dir.Mode().Perm()&0o002 == 0 {
		return nil
	}
	file, ok := info.Sys().(*syscall.Stat_t)
	folder, ok2 := dir.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !ok2:
		return nil
	case info.Mode()&fs.ModeSymlink != 0 && dir.Mode()&fs.ModeSticky == 0:
		return foreign("open", path, "a symbolic link in a folder in which all users may rename files")
	case file.Uid != uint32(os.Geteuid()) && file.Uid != 0 && file.Uid != folder.Uid:
		return foreign("open", path, "another user put it into a folder that all may write to")
	case info.Mode().IsRegular() && file.Nlink > 1:
		return foreign("open", path, "a file with other names (hard links) in a folder that all may write to")
	}
	return nil
}

// CheckOpenedFd does for a descriptor without os.File what Output does after the open: it
// checks the owner of what was opened with the flags that CheckOutput returned, as another
// user may have put it there since. The descriptor stays open.
func CheckOpenedFd(fd int, path string, care int) error {
	// A descriptor of its own, so that closing f leaves fd as it is.
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(own), path)
	return errors.Join(checkOpened(f, path, care), f.Close())
}
