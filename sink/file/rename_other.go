//go:build unix && !linux

package file

// renameNoReplace renames and returns EEXIST where the new name is taken.
func renameNoReplace(from, to string) error { return renameIfFree(from, to) }
