// Package create makes and opens the files that weir writes. All product code makes
// files here; a test in internal/lint forbids os.Create and its kin elsewhere.
//
// A folder may be writable for other users, such as /tmp. In such a folder another user
// may have placed a symbolic link, hard link, FIFO or file under a name that weir is
// about to open. weir could then overwrite another file, block, or write to a file that
// this user can read. What weir names itself (temporary files, segments, captures) is therefore
// made with O_EXCL, or opened with O_NOFOLLOW and looked at. What the operator names
// (an output) may be a link, FIFO or device, but in a folder that all may write to
// only one of the operator's own, of root, or of the folder's owner.
//
// All functions may be called by any goroutine.
package create

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrForeign is wrapped by errors about files that somebody else may have put there.
var ErrForeign = errors.New("it is not safe to use")

func foreign(op, path, why string) error {
	return &fs.PathError{Op: op, Path: path, Err: fmt.Errorf("%w: %s", ErrForeign, why)}
}

// Exclusive makes a file for writing that is not there yet.
func Exclusive(path string, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, perm)
}

// Fresh makes a file for writing in the place of what an earlier run may have left
// under that name. A link is removed, not followed.
func Fresh(path string, perm fs.FileMode) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return Exclusive(path, perm)
}

// Temp makes a file of a new name in a folder, as os.CreateTemp does, for writing.
func Temp(dir, pattern string) (*os.File, error) { return os.CreateTemp(dir, pattern) }

// Own opens a regular file for reading and writing, and makes it if it is not there.
// It refuses symbolic links, and what other users put into a folder that all may write
// to.
func Own(path string, perm fs.FileMode) (*os.File, error) {
	return own(path, os.O_RDWR|os.O_CREATE, perm)
}

// Read opens a regular file for reading, with the same care as Own.
func Read(path string) (*os.File, error) { return own(path, os.O_RDONLY, 0) }

func own(path string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|noFollow|nonBlock, perm)
	if err != nil {
		return nil, explainLink("open", path, err)
	}
	if err := checkOwn(f, path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// explainLink says about an error whether it is because of a link.
func explainLink(op, path string, err error) error {
	if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 && noFollow != 0 {
		return foreign(op, path, "a symbolic link")
	}
	return err
}

func checkOwn(f *os.File, path string) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return foreign("open", path, "not a regular file")
	}
	return checkOwner(path, info)
}

// Output opens what the operator named for writing, with these flags of os.OpenFile,
// and makes it if it is not there.
func Output(path string, flag int, perm fs.FileMode) (*os.File, error) {
	care, err := CheckOutput(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flag|os.O_CREATE|care, perm)
	if err != nil {
		return nil, err
	}
	if err := checkOpened(f, path, care); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkOpened checks the owner of a file that was opened with the flags of CheckOutput:
// another user may have put it there since.
func checkOpened(f *os.File, path string, care int) error {
	if care == 0 {
		return nil // a link that was checked
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return checkOwner(path, info)
}

// CheckOutput says whether what the operator named may be opened for writing, and
// returns the flags to add to those of the open.
func CheckOutput(path string) (flags int, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noFollow, nil
	case err != nil:
		return 0, nil // the open says what is wrong
	}
	if err := checkOwner(path, info); err != nil {
		return 0, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return 0, nil
	}
	return noFollow, nil
}

// Input opens what the operator named for reading, with the care of Output. It does
// not wait for the other end of a FIFO.
func Input(path string) (*os.File, error) {
	care, err := CheckOutput(path)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDONLY|nonBlock|care, 0)
}

// WriteFile writes a file that the operator named.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	f, err := Output(path, os.O_WRONLY|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// Folder makes a folder, and those that it is in, if they are not there. A link to a
// folder has to be of those who may be trusted, as with Output.
func Folder(path string, perm fs.FileMode) error {
	if err := os.MkdirAll(path, perm); err != nil {
		return err
	}
	path = filepath.Clean(path)
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return checkOwner(path, info)
}
