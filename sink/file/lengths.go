//go:build unix

package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/create"
)

const (
	// maxMessage bounds the length that a message may claim.
	maxMessage = 64 << 20
	// maxTorn is how much of a file's end is copied to another file. More than
	// that is not what a crash leaves: the file is set aside as a whole.
	maxTorn = 64 << 20
	// maxWalk is how much of a file without a mark is read at a start.
	maxWalk = 1 << 30
	// walkChunk is how much is read at a time.
	walkChunk = 1 << 20
)

// walkLengths reads messages, each of which has its length in front and the
// separator after it, from one offset up to another, and returns where the last
// whole one ends. An empty message is none: zeros are what a failure of the machine
// leaves.
func walkLengths(fd int, from, to int64, separator []byte) (int64, error) {
	r := window{fd: fd, end: to, buf: make([]byte, walkChunk)}
	for at := from; ; {
		head, err := r.at(at, binary.MaxVarintLen64)
		if err != nil {
			return at, err
		}
		length, n := binary.Uvarint(head)
		body := at + int64(n) + int64(min(length, maxMessage))
		next := body + int64(len(separator))
		if n <= 0 || length == 0 || length > maxMessage || next > to {
			return at, nil
		}
		after, err := r.at(body, len(separator))
		if err != nil {
			return at, err
		}
		if !bytes.HasPrefix(after, separator) {
			return at, nil
		}
		at = next
	}
}

// window is a piece of a file in memory.
type window struct {
	fd    int
	end   int64 // of the file
	buf   []byte
	have  []byte
	start int64 // of have
}

// at returns what the file holds from an offset on: n bytes at least, unless it
// ends before. It is valid until the next call.
func (w *window) at(offset int64, n int) ([]byte, error) {
	want := min(int64(n), w.end-offset)
	if offset < w.start || offset+want > w.start+int64(len(w.have)) {
		w.start, w.have = offset, w.buf[:min(int64(len(w.buf)), w.end-offset)]
		if err := readAt(w.fd, w.have, offset); err != nil {
			return nil, err
		}
	}
	return w.have[offset-w.start:], nil
}

// repair brings an output of messages that are not lines in order after a crash:
// what follows the last whole message goes to another file. Where that cannot be
// told, or not without reading too much, the whole file is set aside, and moved
// is true: the caller opens a new one. It updates t.size.
func (f *File) repair(t *target) (moved bool, err error) {
	n, err := namesOf(f.cfg.Path)
	if err != nil {
		return false, err
	}
	good, closed, marked := readMark(n.current, t)
	if marked && closed && (good == t.size || !f.cfg.LengthDelimited) {
		return false, nil
	}
	if !f.cfg.LengthDelimited {
		if !marked || t.size-good > maxTorn {
			return false, nil // there is no telling where a message begins
		}
		return f.setTornAside(n, t, good)
	}
	fd, err := reopenForReading(n.current, t)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	separator := []byte(f.cfg.Separator)
	if marked {
		if good, err = walkLengths(fd, good, t.size, separator); err != nil {
			return false, fmt.Errorf("read its last messages: %w", err)
		}
	}
	switch {
	case marked && good == t.size:
	case t.size <= maxWalk:
		// Also where there is a mark: it may be in the middle of a message that
		// another program wrote since.
		all, err := walkLengths(fd, 0, t.size, separator)
		if err != nil {
			return false, fmt.Errorf("read its messages: %w", err)
		}
		good = max(good, all)
	case !marked || t.size-good > maxTorn:
		return true, f.setFileAside(n, t, "the end of its last whole message is not known, and it is too large to be read at the start")
	}
	switch {
	case good == t.size:
		return false, nil
	case good == 0:
		return true, f.setFileAside(n, t, "it does not begin with a message of this format")
	case t.size-good > maxTorn:
		return true, f.setFileAside(n, t, fmt.Sprintf("no messages can be read from byte %d on", good))
	}
	return f.setTornAside(n, t, good)
}

// reopenForReading opens the output, which is open for appending only, a second
// time.
func reopenForReading(path string, t *target) (int, error) {
	var fd int
	err := restart(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("read what it holds: %w", err)
	}
	reader, err := inspect(fd)
	if err == nil && !reader.same(t) {
		err = errors.New("file was replaced")
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("read what it holds: %w", err)
	}
	return fd, nil
}

// asideName returns a name for what is set aside of the output.
func (f *File) asideName(n names, kind string) string {
	return fmt.Sprintf("%s.%s-%s", n.current, kind, f.cfg.now().UTC().Format("20060102T150405.000000000Z"))
}

// setTornAside moves what follows the offset, which is no whole message, to another
// file. If it cannot be copied, for want of room for instance, the whole file is set
// aside, which needs none, and moved is true.
func (f *File) setTornAside(n names, t *target, good int64) (moved bool, err error) {
	if good == t.size {
		return false, nil
	}
	aside := f.asideName(n, "torn")
	if err := f.copyTail(n.current, t, good, aside); err != nil {
		return true, f.setFileAside(n, t, fmt.Sprintf("its unfinished last message cannot be copied: %v", err))
	}
	torn, err := cutAt(t, good)
	if err != nil {
		return false, err
	}
	f.repairs.count(torn)
	f.log.Warn("unfinished last message set aside", "path", f.cfg.Path, "bytes", torn, "to", aside)
	return false, nil
}

// copyTail writes what follows the offset to a new file and syncs it.
func (f *File) copyTail(path string, t *target, from int64, aside string) (err error) {
	fd, err := reopenForReading(path, t)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	tail := make([]byte, t.size-from)
	if err := readAt(fd, tail, from); err != nil {
		return err
	}
	out, err := create.Exclusive(aside, 0o644)
	if err != nil {
		return err
	}
	_, err = out.Write(tail)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = syncDir(filepath.Dir(aside))
	}
	if err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	return nil
}

// setFileAside renames the output, so that a new one can be begun.
func (f *File) setFileAside(n names, t *target, why string) error {
	aside := f.asideName(n, "unfinished")
	if err := renameNoReplace(n.current, aside); err != nil {
		return fmt.Errorf("set it aside, since %s: %w", why, err)
	}
	f.repairs.count(t.size)
	f.log.Warn("output set aside and a new one begun", "path", f.cfg.Path, "to", aside, "bytes", t.size, "why", why)
	return nil
}
