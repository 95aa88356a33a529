package file

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/sinktest"
)

func TestConformRegular(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) (sink.Sink, func() []byte) {
		path := filepath.Join(t.TempDir(), "flows.json")
		f := mustNew(t, Config{Path: path, LineDelimited: true})
		return f, func() []byte { return []byte(contents(t, path)) }
	})
}

func TestConformRotating(t *testing.T) {
	for _, compress := range []string{CompressNone, CompressZstd} {
		t.Run(compress, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) (sink.Sink, func() []byte) {
				path := filepath.Join(t.TempDir(), "flows.json")
				f := mustNew(t, Config{Path: path, LineDelimited: true, Compress: compress,
					RotateSize: 512 << 10, RotateInterval: time.Second})
				return f, func() []byte { return readRotated(t, path) }
			})
		})
	}
}

func TestConformStdoutFile(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) (sink.Sink, func() []byte) {
		out, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { out.Close() })
		f, err := newFile(Config{}, int(out.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		return f, func() []byte { return []byte(contents(t, out.Name())) }
	})
}

// drain reads r to its end in the background.
func drain(r io.Reader) (read func() []byte) {
	got := make(chan []byte, 1)
	go func() {
		data, _ := io.ReadAll(r)
		got <- data
	}()
	return func() []byte { return <-got }
}

// pipe returns a pipe whose writing end blocks, or does not.
func pipe(t *testing.T, nonblock bool) (r *os.File, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(p[1], nonblock); err != nil {
		t.Fatal(err)
	}
	r = os.NewFile(uintptr(p[0]), "pipe")
	t.Cleanup(func() { r.Close() })
	return r, p[1]
}

func TestConformStdoutPipe(t *testing.T) {
	for _, tc := range []struct {
		name     string
		nonblock bool
	}{{"blocking", false}, {"nonblocking", true}} {
		t.Run(tc.name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) (sink.Sink, func() []byte) {
				r, w := pipe(t, tc.nonblock)
				f, err := newFile(Config{}, w)
				unix.Close(w) // the sink has its own
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { f.Close() })
				return f, drain(r)
			})
		})
	}
}

// fifo makes a FIFO in a directory of its own.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// openReader opens a FIFO for reading without waiting for a writer.
func openReader(t *testing.T, path string) *os.File {
	t.Helper()
	r, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestConformFIFO(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) (sink.Sink, func() []byte) {
		path := fifo(t)
		r := openReader(t, path)
		f := mustNew(t, Config{Path: path})
		return f, drain(r)
	})
}
