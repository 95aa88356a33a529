package file

import (
	"errors"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames and returns EEXIST where the new name is taken
// (renameat2(2), RENAME_NOREPLACE; some file systems do not have it).
func renameNoReplace(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return renameIfFree(from, to)
	}
	return err
}
