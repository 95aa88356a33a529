package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink/spool"
)

// terminal returns both ends of a pseudo terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// onTerminal runs a command with standard error on a terminal, and returns what it shows.
func onTerminal(t *testing.T, environ []string, args ...string) (shown string, code int) {
	t.Helper()
	master, slave := terminal(t)
	out := make(chan string)
	go func() {
		text, _ := io.ReadAll(master) // ends with an error when the other end is closed
		out <- string(text)
	}()
	code = Main(Env{Args: args, Environ: environ, Stdout: io.Discard, Stderr: slave})
	slave.Close()
	return <-out, code
}

// TestDecodeProgress: decoding for more than half a second to a file shows how far it is,
// and ends with a summary; not so where standard error is no terminal, or a dumb one.
func TestDecodeProgress(t *testing.T) {
	const name = "../corpus/testdata/softflowd-v5.pcap"
	files := []string{"decode", "-transport.file", filepath.Join(t.TempDir(), "flows"), name}
	var shown string
	// As many captures as take a second, however fast this machine is.
	for n, took := 1<<13, time.Duration(0); took < time.Second; n *= 2 {
		all := files[:3:3]
		for range n {
			all = append(all, name)
		}
		started, code := time.Now(), 0
		if shown, code = onTerminal(t, nil, all...); code != ExitOK {
			t.Fatalf("exit code %d: %q", code, shown)
		}
		took = time.Since(started)
	}
	if !regexp.MustCompile(`\r\x1b\[Kdecode: [0-9.]+ [kMG]?B of [0-9.]+ [kM]B \([0-9]+ %\), [0-9.]+ [kMG]?B/s`).MatchString(shown) {
		t.Errorf("no progress in a second: %.400q", shown)
	}
	summary := regexp.MustCompile(`weir: [0-9,]{5,} datagrams, [0-9,]+ flows of [0-9.]+ [kM]B in [0-9.]+m?s: [0-9,]+ datagrams/s, [0-9,]+ flows/s, [0-9.]+ [kMG]?B/s\r\n$`)
	if !summary.MatchString(shown) {
		t.Errorf("no summary: %q", shown[max(0, len(shown)-300):])
	}
	if shown, _ := onTerminal(t, []string{"TERM=dumb"}, files[:4]...); strings.Contains(shown, "\x1b") || !strings.Contains(shown, " datagrams, ") {
		t.Errorf("on a dumb terminal: %q", shown)
	}
	var log strings.Builder
	if code := Main(Env{Args: files[:4], Stdout: io.Discard, Stderr: &log}); code != ExitOK || log.Len() > 0 {
		t.Errorf("exit code %d without a terminal: %q", code, log.String())
	}
}

// TestSpoolProgress: an output that recovers reports all bytes of its segments.
func TestSpoolProgress(t *testing.T) {
	dir := t.TempDir()
	l, err := spool.Open(spool.Config{Dir: dir, SegmentBytes: 4 << 10, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b := producer.NewBatch(0, 4<<10)
	b.Buf = append(b.Buf, make([]byte, 2<<10)...)
	b.Ends = append(b.Ends, 2<<10)
	for range 10 {
		if _, err := l.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var steps, last, total int64
	l, err = spool.Open(spool.Config{Dir: dir, SegmentBytes: 4 << 10, MaxBytes: 1 << 20, Progress: func(done, of int64) {
		if steps++; done <= last {
			t.Errorf("%d after %d", done, last)
		}
		last, total = done, of
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if steps < 5 || last != total || total < 20<<10 {
		t.Errorf("%d steps to %d of %d", steps, last, total)
	}
}
