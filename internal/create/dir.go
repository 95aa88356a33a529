package create

import (
	"io/fs"
	"os"
	"path/filepath"
)

// A Dir is a folder that is open, for deleting files in it. Names are those of entries of
// this folder, wherever it may be moved to or replaced meanwhile, and a name that is a
// link stands for the link.
type Dir struct{ root *os.Root }

// OpenDir opens a folder.
func OpenDir(path string) (*Dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Dir{root}, nil
}

// Close closes the folder.
func (d *Dir) Close() error { return d.root.Close() }

// Regular returns the names of the regular files in the folder, in order.
func (d *Dir) Regular() ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Lstat describes an entry, a link as a link.
func (d *Dir) Lstat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }

// Remove deletes a regular file. It refuses anything else, and what another user put into
// a folder that all may write to.
func (d *Dir) Remove(name string) error {
	info, err := d.root.Lstat(name)
	if err != nil {
		return err
	}
	path := filepath.Join(d.root.Name(), name)
	if !info.Mode().IsRegular() {
		return foreign("remove", path, "not a regular file")
	}
	if err := checkOwner(path, info); err != nil {
		return err
	}
	return d.root.Remove(name)
}
