package output

import "golang.org/x/sys/unix"

// FreeSpace returns how many bytes the file system of a directory has left for this
// process.
func FreeSpace(dir string) (uint64, error) {
	free, _, err := DiskSpace(dir)
	return free, err
}

// DiskSpace returns how many bytes the file system of a directory has left for this
// process, and how many it has in all.
func DiskSpace(dir string) (free, total uint64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, 0, err
	}
	return uint64(fs.Bavail) * uint64(fs.Bsize), uint64(fs.Blocks) * uint64(fs.Bsize), nil
}
