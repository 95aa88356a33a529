//go:build unix

package file

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"
)

// maxLine is the most that an unfinished last line can be. Where there is no
// line end in the last maxLine bytes the file is not one of ours, and cutting
// would destroy it.
const maxLine = 1 << 20

// cutLastLine removes what follows the last '\n' of a regular file and
// returns how many bytes that were. It updates t.size.
func cutLastLine(path string, t *target) (int64, error) {
	// The output is open for appending only; reading takes a descriptor of
	// its own.
	var fd int
	err := restart(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read its last line: %w", err)
	}
	defer unix.Close(fd)
	reader, err := inspect(fd)
	if err != nil {
		return 0, fmt.Errorf("read its last line: %w", err)
	}
	if !reader.same(t) {
		return 0, fmt.Errorf("read its last line: file was replaced")
	}

	buf := make([]byte, 64<<10)
	end := t.size
	for end > 0 && t.size-end < maxLine {
		start := max(end-int64(len(buf)), 0)
		chunk := buf[:end-start]
		if err := readAt(fd, chunk, start); err != nil {
			return 0, fmt.Errorf("read its last line: %w", err)
		}
		if i := bytes.LastIndexByte(chunk, '\n'); i >= 0 {
			return cutAt(t, start+int64(i)+1)
		}
		end = start
	}
	if end > 0 {
		return 0, fmt.Errorf("is not a file of lines: no line end in its last %d bytes", maxLine)
	}
	return cutAt(t, 0)
}

func cutAt(t *target, size int64) (int64, error) {
	cut := t.size - size
	if cut == 0 {
		return 0, nil
	}
	if err := restart(func() error { return unix.Ftruncate(t.fd, size) }); err != nil {
		return 0, fmt.Errorf("cut off its unfinished end: %w", err)
	}
	t.size = size
	return cut, nil
}

func readAt(fd int, p []byte, at int64) error {
	for len(p) > 0 {
		var n int
		err := restart(func() (err error) {
			n, err = unix.Pread(fd, p, at)
			return err
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("file shrank to under %d bytes", at)
		}
		p, at = p[n:], at+int64(n)
	}
	return nil
}
