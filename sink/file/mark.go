//go:build unix

package file

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/create"
)

// A mark is a small file next to the output, .NAME.end, that holds where the last
// whole batch in the output ends. A start after a crash needs to look only at what
// comes after that. All integers are little-endian:
//
//	0  magic "weirend1"
//	8  device and inode of the output
//	24 offset at which the last whole batch ends
//	32 flags: 1 if the output was closed in good order
//	36 CRC-32C of the 36 bytes before
//
// It is written after each batch and never synced: it outlives the process, and
// after a failure of the machine it is checked against the file.
const (
	markMagic  = "weirend1"
	markSize   = 40
	markClosed = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type mark struct {
	f   *os.File
	buf [markSize]byte
}

// markPath returns the path of an output's mark.
func markPath(output string) string {
	return filepath.Join(filepath.Dir(output), "."+filepath.Base(output)+".end")
}

// readMark returns what the mark of the output says, if it is about the file t:
// the offset, and whether the output was closed there. ok is false if there is no
// such mark.
func readMark(output string, t *target) (end int64, closed, ok bool) {
	var fd int
	err := restart(func() (err error) {
		fd, err = unix.Open(markPath(output), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
		return err
	})
	if err != nil {
		return 0, false, false
	}
	defer unix.Close(fd)
	var p [markSize]byte
	if readAt(fd, p[:], 0) != nil || string(p[:8]) != markMagic ||
		binary.LittleEndian.Uint32(p[36:]) != crc32.Checksum(p[:36], castagnoli) {
		return 0, false, false
	}
	if binary.LittleEndian.Uint64(p[8:]) != t.dev || binary.LittleEndian.Uint64(p[16:]) != t.ino {
		return 0, false, false
	}
	end = int64(binary.LittleEndian.Uint64(p[24:]))
	if end < 0 || end > t.size {
		return 0, false, false
	}
	return end, binary.LittleEndian.Uint32(p[32:])&markClosed != 0, true
}

// openMark opens the mark of an output for writing.
func openMark(output string) (*mark, error) {
	f, err := create.Own(markPath(output), 0o644)
	if err != nil {
		return nil, fmt.Errorf("open mark: %w", err)
	}
	return &mark{f: f}, nil
}

// set notes that the file t holds whole messages up to its write position. A mark
// that cannot be written stays as it was, which costs the next start some reading.
func (m *mark) set(t *target, end int64, flags uint32) {
	p := m.buf[:]
	copy(p, markMagic)
	binary.LittleEndian.PutUint64(p[8:], t.dev)
	binary.LittleEndian.PutUint64(p[16:], t.ino)
	binary.LittleEndian.PutUint64(p[24:], uint64(end))
	binary.LittleEndian.PutUint32(p[32:], flags)
	binary.LittleEndian.PutUint32(p[36:], crc32.Checksum(p[:36], castagnoli))
	_, _ = m.f.WriteAt(p, 0)
}

func (m *mark) close() { _ = m.f.Close() }

// marks reports whether the output has a mark.
func (f *File) marks() bool {
	return f.cfg.Path != "" && (f.cfg.Mark || f.cfg.LengthDelimited) && f.out.regular
}

// beginMark begins to mark the output in use, which holds whole messages only.
func (f *File) beginMark() {
	f.endMark(0)
	if !f.marks() {
		return
	}
	n, err := namesOf(f.cfg.Path)
	if err == nil {
		f.mark, err = openMark(n.current)
	}
	if err != nil {
		f.log.Warn("the end of the output is not marked: a start after a crash has to read all of it", "path", f.cfg.Path, "error", err)
		return
	}
	f.mark.set(&f.out, f.out.size, 0)
}

// markEnd notes that all of the output up to where the last write ended is whole.
func (f *File) markEnd(flags uint32) {
	if f.mark == nil || len(f.torn) > 0 {
		return
	}
	if end, err := unix.Seek(f.out.fd, 0, unix.SEEK_CUR); err == nil && end > 0 {
		f.mark.set(&f.out, end, flags)
	}
}

// endMark closes the mark.
func (f *File) endMark(flags uint32) {
	if f.mark == nil {
		return
	}
	if flags != 0 {
		f.markEnd(flags)
	}
	f.mark.close()
	f.mark = nil
}
