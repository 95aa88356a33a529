package capture

import (
	"io"
	"os"
)

// position counts what is read of a file.
type position struct {
	in   io.Reader
	read int64
}

func (p *position) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	p.read += int64(n)
	return n, err
}

// Position returns how many bytes of the capture's file have been read, compressed ones
// where it is compressed: the reader buffers, so it is ahead of [Reader.Next]. It is 0 for
// a reader that [Open] did not make.
func (r *Reader) Position() int64 {
	if r.position == nil {
		return 0
	}
	return r.position.read
}

// Size returns the size of all files together, 0 if one of them has none, such as standard
// input.
func Size(paths []string) int64 {
	var total int64
	for _, path := range paths {
		info, err := os.Stat(path)
		if path == "-" || err != nil || !info.Mode().IsRegular() {
			return 0
		}
		total += info.Size()
	}
	return total
}
