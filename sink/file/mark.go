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
//	0  magic "weirend2"
//	8  inode of the output
//	16 offset at which the last whole batch ends
//	24 flags: 1 if the output was closed in good order
//	28 CRC-32C of the markTail bytes of the output before that offset, or of all
//	   bytes before it if there are fewer
//	32 CRC-32C of the 32 bytes before
//
// The inode alone does not identify the output: another program may write the same
// file again. The device number is not compared, because on some file systems (btrfs,
// overlay, NFS) it changes at a reboot.
//
// The mark is written after each batch and never synced. It outlives the process. After
// a failure of the machine it is checked against the output.
const (
	markMagic  = "weirend2"
	markSize   = 36
	markClosed = 1
	markTail   = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type mark struct {
	f    *os.File
	in   int // descriptor that reads the output
	buf  [markSize]byte
	tail [markTail]byte
}

// markPath returns the path of an output's mark.
func markPath(output string) string {
	return filepath.Join(filepath.Dir(output), "."+filepath.Base(output)+".end")
}

// readMark returns the offset in the mark of the output t, and whether the output was
// closed there. ok is false if there is no mark, or if the output changed before that
// offset since.
func readMark(output string, t *target) (end int64, closed, ok bool) {
	f, err := create.Read(markPath(output))
	if err != nil { // also one that another user may have put there
		return 0, false, false
	}
	defer f.Close()
	var p [markSize]byte
	if readAt(int(f.Fd()), p[:], 0) != nil || string(p[:8]) != markMagic ||
		binary.LittleEndian.Uint32(p[32:]) != crc32.Checksum(p[:32], castagnoli) {
		return 0, false, false
	}
	end = int64(binary.LittleEndian.Uint64(p[16:]))
	if binary.LittleEndian.Uint64(p[8:]) != t.ino || end < 0 || end > t.size {
		return 0, false, false
	}
	in, err := reopenForReading(output, t)
	if err != nil {
		return 0, false, false
	}
	defer unix.Close(in)
	var tail [markTail]byte
	sum, err := sumBefore(in, tail[:], end)
	if err != nil || sum != binary.LittleEndian.Uint32(p[28:]) {
		return 0, false, false
	}
	return end, binary.LittleEndian.Uint32(p[24:])&markClosed != 0, true
}

// sumBefore returns the CRC-32C of the bytes of a file that come before an offset, as
// many as p has room for.
func sumBefore(fd int, p []byte, end int64) (uint32, error) {
	p = p[:min(int64(len(p)), end)]
	if err := readAt(fd, p, end-int64(len(p))); err != nil {
		return 0, err
	}
	return crc32.Checksum(p, castagnoli), nil
}

// openMark opens the mark of the output t for writing.
func openMark(output string, t *target) (*mark, error) {
	in, err := reopenForReading(output, t)
	if err != nil {
		return nil, fmt.Errorf("open mark: %w", err)
	}
	f, err := create.Own(markPath(output), 0o644)
	if err != nil {
		unix.Close(in)
		return nil, fmt.Errorf("open mark: %w", err)
	}
	return &mark{f: f, in: in}, nil
}

// set stores that the file t holds whole messages up to an offset. If the mark cannot
// be written, or the output is shorter than that by now, the next start finds no valid
// mark, or an older one, and reads more of the output.
func (m *mark) set(t *target, end int64, flags uint32) {
	p := m.buf[:]
	copy(p, markMagic)
	sum, err := sumBefore(m.in, m.tail[:], end)
	if err != nil {
		end = -1 // never valid
	}
	binary.LittleEndian.PutUint64(p[8:], t.ino)
	binary.LittleEndian.PutUint64(p[16:], uint64(end))
	binary.LittleEndian.PutUint32(p[24:], flags)
	binary.LittleEndian.PutUint32(p[28:], sum)
	binary.LittleEndian.PutUint32(p[32:], crc32.Checksum(p[:32], castagnoli))
	_, _ = m.f.WriteAt(p, 0)
}

func (m *mark) close() {
	_ = m.f.Close()
	unix.Close(m.in)
}

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
		f.mark, err = openMark(n.current, &f.out)
	}
	if err != nil {
		f.log.Warn("the end of the output is not marked: a start after a crash has to read all of it", "path", f.cfg.Path, "error", err)
		return
	}
	f.mark.set(&f.out, f.out.size, 0)
}

// markEnd stores that the output is whole up to the end of the last write, or up to the
// size that it had when it was opened if nothing was written since: a descriptor for
// appending begins at offset 0.
func (f *File) markEnd(flags uint32) {
	if f.mark == nil || len(f.torn) > 0 {
		return
	}
	end, err := unix.Seek(f.out.fd, 0, unix.SEEK_CUR)
	if err != nil {
		return
	}
	if end == 0 {
		end = f.out.size
	}
	f.mark.set(&f.out, end, flags)
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
