//go:build unix

package file

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// retryRotation is how long after a failed rotation the next is tried; until
// then the file just grows.
const retryRotation = 10 * time.Second

// periodOf returns the number of the rotation period that t is in.
func (f *File) periodOf(t time.Time) int64 {
	if f.cfg.RotateInterval == 0 {
		return 0
	}
	return t.UnixNano() / int64(f.cfg.RotateInterval)
}

// roomFor returns how many messages of a batch may go into the file at hand, of those
// after the first done: as many as RotateSize has room for, and one where the file is
// empty. Before that it rotates a file that has room for none, or whose period is over.
func (f *File) roomFor(ends []uint32, done int) int {
	all := len(ends) - done
	if !f.cfg.rotates() {
		return all
	}
	for {
		size, err := f.out.currentSize()
		if err != nil {
			return all // the write will tell
		}
		fit := all
		if f.cfg.RotateSize > 0 {
			fit = messagesIn(ends, endOf(ends, done)+int(max(f.cfg.RotateSize-size, 0))) - done
		}
		if size == 0 {
			f.period = f.periodOf(f.cfg.now())
			return max(fit, 1)
		}
		if fit > 0 && !f.periodOver() {
			return fit
		}
		if !f.tryRotation() {
			if fit == 0 {
				fit = all
			}
			return fit
		}
	}
}

// periodOver reports whether the file at hand belongs to a period that is over.
func (f *File) periodOver() bool { return f.periodOf(f.cfg.now()) > f.period }

// tryRotation rotates and reports whether it could. A failed rotation costs no message:
// the file at hand is written on. It is logged when it begins and when it is over.
func (f *File) tryRotation() bool {
	now := f.cfg.now()
	if f.rotateBad && now.Before(f.rotateFrom) {
		return false
	}
	if err := f.rotate(now); err != nil {
		f.rotateFrom = now.Add(retryRotation)
		if !f.rotateBad {
			f.log.Error("rotation fails, still writing to the old file", "path", f.cfg.Path, "error", err)
		}
		f.rotateBad = true
		return false
	}
	f.period = f.periodOf(now)
	if f.rotateBad {
		f.rotateBad = false
		f.log.Info("rotation works again", "path", f.cfg.Path)
	}
	return true
}

// rotate renames the file and opens a new one in its place.
func (f *File) rotate(now time.Time) error {
	a := f.archive
	a.mu.Lock()
	defer a.mu.Unlock()

	// If another program has moved the file away, what is at the path now is
	// not ours to rename.
	ours := f.out.isAt(a.current)
	rotated := ""
	if ours {
		var err error
		if rotated, err = a.rename(now); err != nil {
			return err
		}
	}
	t, err := f.openTarget()
	if err != nil {
		if rotated != "" {
			if back := renameNoReplace(a.path(rotated), a.current); back != nil {
				// The output goes on under its new name.
				a.writing = rotated
				err = errors.Join(err, fmt.Errorf("rename back: %w", back))
			}
		}
		return fmt.Errorf("open new file: %w", err)
	}
	f.adopt(t)
	a.opened(f.cfg.Path, &t)
	if rotated != "" {
		f.rotations.Add(1)
		f.log.Info("output rotated", "path", f.cfg.Path, "to", rotated)
	}
	return nil
}

// rename moves the current file to the next free rotated name, which it
// returns. A name is free if neither it nor its compressed form exists, nor was given in
// the same second: the order of names stays that of files, whatever is deleted. The
// caller holds mu.
func (a *archive) rename(now time.Time) (string, error) {
	first := 1
	if a.lastAt == now.Unix() {
		first = a.lastSeq + 1
	}
	for seq := first; seq <= maxSeq; seq++ {
		name := a.at(now, seq)
		if _, err := os.Lstat(a.path(name + zstSuffix)); err == nil {
			continue
		}
		err := renameNoReplace(a.current, a.path(name))
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("rename to %q: %w", name, err)
		}
		a.lastAt, a.lastSeq = now.Unix(), seq
		return name, nil
	}
	return "", fmt.Errorf("no free name for %v", now.UTC())
}

// renameIfFree renames without an atomic check that the new name is free, for
// systems and file systems that have none.
func renameIfFree(from, to string) error {
	var st unix.Stat_t
	if unix.Lstat(to, &st) == nil {
		return unix.EEXIST
	}
	return unix.Rename(from, to)
}
