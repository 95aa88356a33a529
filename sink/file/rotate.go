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

// rotateIfDue rotates before next bytes are written if that is due. A failed
// rotation costs no message: the file at hand is written on. It is logged
// when it begins and when it is over.
func (f *File) rotateIfDue(next int) {
	now := f.cfg.now()
	size, err := f.out.currentSize()
	if err != nil {
		return // the write will tell
	}
	if size == 0 {
		f.period = f.periodOf(now)
		return
	}
	full := f.cfg.RotateSize > 0 && size > f.cfg.RotateSize-int64(next)
	if next == 0 {
		full = false // idle: only time counts
	}
	if !full && f.periodOf(now) <= f.period {
		return
	}
	if f.rotateBad && now.Before(f.rotateFrom) {
		return
	}
	if err := f.rotate(now); err != nil {
		f.rotateFrom = now.Add(retryRotation)
		if !f.rotateBad {
			f.log.Error("rotation fails, writing on", "path", f.cfg.Path, "error", err)
		}
		f.rotateBad = true
		return
	}
	f.period = f.periodOf(now)
	if f.rotateBad {
		f.rotateBad = false
		f.log.Info("rotation works again", "path", f.cfg.Path)
	}
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
	a.opened(f.cfg.Path)
	if rotated != "" {
		f.log.Info("output rotated", "path", f.cfg.Path, "to", rotated)
	}
	return nil
}

// rename moves the current file to the next free rotated name, which it
// returns. A name is free if neither it nor its compressed form exists.
func (n names) rename(now time.Time) (string, error) {
	for seq := 1; seq <= maxSeq; seq++ {
		name := n.at(now, seq)
		if _, err := os.Lstat(n.path(name + zstSuffix)); err == nil {
			continue
		}
		err := renameNoReplace(n.current, n.path(name))
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("rename to %q: %w", name, err)
		}
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
