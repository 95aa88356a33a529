package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/sinktest"
)

// TestPipeFull: nobody reads. Write gives up with its context, and tells how
// many messages are whole in the pipe.
func TestPipeFull(t *testing.T) {
	path := fifo(t)
	r := openReader(t, path)
	f := mustNew(t, Config{Path: path})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	written, err := f.Write(ctx, lines(0, 2000))
	if !errors.Is(err, context.DeadlineExceeded) || written == 0 || written == 2000 {
		t.Fatalf("wrote %d: %v", written, err)
	}
	if len(f.torn) == 0 {
		t.Fatal("the pipe was filled to the end of a message: the test needs another size")
	}
	// A second try does not get in either, and harms nothing.
	if n, err := f.Write(ctx, lines(5000, 1)); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("wrote %d: %v", n, err)
	}

	read := drain(r)
	mustWrite(t, f, `{"lane":0,"seq":9000}`+"\n")
	f.Close()
	data := read()
	// All that was counted, the one whose rest was kept, and the last.
	if n := sinktest.Read(t, data, 1, true)[0]; n != written+2 {
		t.Errorf("%d records read, %d counted as written before", n, written)
	}
}

// TestPipeFinishesMessage: the context ends while a message is half in the
// pipe, and a slow reader comes in time for the rest.
func TestPipeFinishesMessage(t *testing.T) {
	r, w := pipe(t, true)
	f, err := newFile(Config{}, w)
	unix.Close(w)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	read := make(chan []byte, 1)
	go func() {
		time.Sleep(50 * time.Millisecond)
		data, _ := io.ReadAll(r)
		read <- data
	}()
	written, err := f.Write(ctx, lines(0, 2000))
	if !errors.Is(err, context.Canceled) || written == 0 || written == 2000 || len(f.torn) != 0 {
		t.Errorf("wrote %d, %d bytes torn: %v", written, len(f.torn), err)
	}
	f.Close()
	if n := sinktest.Read(t, <-read, 1, false)[0]; n != written {
		t.Errorf("%d records read, %d counted as written", n, written)
	}
}

// TestPipeClosed: nobody will ever read standard output again.
func TestPipeClosed(t *testing.T) {
	r, w := pipe(t, false)
	f, err := newFile(Config{}, w)
	unix.Close(w)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "{}\n")
	r.Close()
	n, err := f.Write(context.Background(), lines(0, 10))
	if n != 0 || !errors.Is(err, sink.ErrClosed) || !errors.Is(err, unix.EPIPE) {
		t.Errorf("wrote %d: %v", n, err)
	}
	if !strings.HasPrefix(err.Error(), "write output stdout: output is closed: ") {
		t.Errorf("error %q", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestStdoutSIGPIPE: the process lives on when its real standard output is
// closed, and the hub says so.
func TestStdoutSIGPIPE(t *testing.T) {
	if os.Getenv("WEIR_TEST_SIGPIPE") != "" {
		f, err := New(Config{})
		if err != nil {
			os.Exit(10)
		}
		lanes := sinktest.Lanes(1, 2)
		hub := sink.NewHub(f, lanes, nil)
		go hub.Run(context.Background())
		go sinktest.Work(hub, lanes, 1000)
		select {
		case <-hub.Closed():
			os.Exit(0)
		case <-time.After(20 * time.Second):
			os.Exit(11)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess("/proc/self/exe", []string{os.Args[0], "-test.run=^TestStdoutSIGPIPE$"}, &os.ProcAttr{
		Env:   append(os.Environ(), "WEIR_TEST_SIGPIPE=1"),
		Files: []*os.File{nil, w, os.Stderr},
	})
	w.Close()
	if err != nil {
		t.Skipf("cannot start this test again: %v", err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Error(err)
	}
	r.Close()
	state, err := p.Wait()
	if err != nil || !state.Success() {
		t.Errorf("process ended with %v, %v", state, err)
	}
}

// TestFIFOReaderLate: the output waits for its reader, and gives up with its
// context.
func TestFIFOReaderLate(t *testing.T) {
	path := fifo(t)
	f := mustNew(t, Config{Path: path})
	if err := f.Reopen(); err != nil {
		t.Errorf("reopen without a reader: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if n, err := f.Write(ctx, batchOf("1\n")); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wrote %d: %v", n, err)
	}
	time.AfterFunc(20*time.Millisecond, func() { openReader(t, path) })
	mustWrite(t, f, "2\n")
	f.Flush()
}

// TestFIFONewReader: a reader leaves in the middle of a message; the next one
// gets whole messages.
func TestFIFONewReader(t *testing.T) {
	path := fifo(t)
	r := openReader(t, path)
	log := &logBuffer{}
	f := mustNew(t, Config{Path: path, Logger: log.logger()})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	written, err := f.Write(ctx, lines(0, 2000))
	if err == nil || len(f.torn) == 0 {
		t.Fatalf("wrote %d: %v", written, err)
	}
	r.Close()
	for range 3 { // nothing is left of what the reader did not read
		n, err := f.Write(context.Background(), lines(3000, 1))
		if n != 0 || !errors.Is(err, ErrNoReader) || errors.Is(err, sink.ErrClosed) {
			t.Fatalf("wrote %d without a reader: %v", n, err)
		}
		if err := errors.Join(f.Flush(), f.Reopen()); err != nil {
			t.Fatal(err)
		}
	}
	if n := log.count("fifo has no reader any more, flows are dropped until it has one"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log)
	}
	r = openReader(t, path)
	n, err := f.Write(context.Background(), lines(4000, 10))
	if n != 10 || err != nil {
		t.Fatalf("wrote %d for a new reader: %v", n, err)
	}
	read := drain(r)
	f.Close()
	if n := sinktest.Read(t, read(), 1, true)[0]; n != 10 {
		t.Errorf("%d records read, want 10", n)
	}
}

// TestPipeByPath: the reader of a pipe without a name does not come back.
func TestPipeByPath(t *testing.T) {
	r, w := pipe(t, false)
	f := mustNew(t, Config{Path: fmt.Sprintf("/proc/self/fd/%d", w)})
	mustWrite(t, f, "1\n")
	r.Close()
	if n, err := f.Write(context.Background(), batchOf("2\n")); n != 0 || !errors.Is(err, sink.ErrClosed) {
		t.Errorf("wrote %d without a reader: %v", n, err)
	}
}

// TestFIFOWait: with FIFOWait a write waits for the next reader, which gets all of it.
func TestFIFOWait(t *testing.T) {
	path := fifo(t)
	r := openReader(t, path)
	f := mustNew(t, Config{Path: path, FIFO: FIFOWait})
	mustWrite(t, f, "1\n")
	r.Close()
	// The write that finds the reader gone cannot know what the reader had read.
	if n, err := f.Write(context.Background(), batchOf("2\n")); n != 0 || !errors.Is(err, ErrNoReader) {
		t.Fatalf("wrote %d without a reader: %v", n, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if n, err := f.Write(ctx, batchOf("3\n")); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("wrote %d: %v", n, err)
	}
	next := make(chan *os.File, 1)
	time.AfterFunc(20*time.Millisecond, func() { next <- openReader(t, path) })
	mustWrite(t, f, "4\n")
	read := drain(<-next)
	f.Close()
	if got := string(read()); got != "4\n" {
		t.Errorf("read %q", got)
	}
}

// TestStoppedReader: the reader of standard output stops reading. Although the
// descriptor blocks, Write gives up with its context and tells how many messages are
// whole in the output.
func TestStoppedReader(t *testing.T) {
	for _, kind := range []string{"pipe", "pipe that cannot be opened again", "socket"} {
		t.Run(kind, func(t *testing.T) {
			var r *os.File
			var w int
			if kind == "socket" {
				pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
				if err != nil {
					t.Fatal(err)
				}
				r, w = os.NewFile(uintptr(pair[0]), "socket"), pair[1]
				t.Cleanup(func() { r.Close() })
			} else {
				r, w = pipe(t, false)
			}
			f, err := newFile(Config{}, w)
			if err != nil {
				t.Fatal(err)
			}
			if kind == "pipe that cannot be opened again" {
				unix.Close(f.out.fd)
				if f.out.fd, err = unix.FcntlInt(uintptr(w), unix.F_DUPFD_CLOEXEC, 3); err != nil {
					t.Fatal(err)
				}
				f.out.careful = true
			}
			if flags, err := unix.FcntlInt(uintptr(w), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
				t.Errorf("the flags of the descriptor are %#x: others share it (%v)", flags, err)
			}
			unix.Close(w)
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			type result struct {
				written int
				err     error
			}
			done := make(chan result, 1)
			go func() {
				n, err := f.Write(ctx, lines(0, 20_000))
				done <- result{n, err}
			}()
			var got result
			select {
			case got = <-done:
			case <-time.After(10 * time.Second):
				t.Fatal("Write does not come back")
			}
			if !errors.Is(got.err, context.DeadlineExceeded) || got.written == 0 || got.written == 20_000 {
				t.Fatalf("wrote %d: %v", got.written, got.err)
			}
			torn := len(f.torn) > 0
			f.Close()
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(data), "\n"); n != got.written {
				t.Errorf("%d whole lines are in the output, %d counted as written (one torn: %v)", n, got.written, torn)
			}
		})
	}
}
