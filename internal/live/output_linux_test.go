package live

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/weirflow/weir/producer/flowpb"
)

// sendFromMany sends the datagrams from so many sockets at once, each a share.
func sendFromMany(t *testing.T, conns []net.Conn, datagrams [][]byte) {
	t.Helper()
	var wg sync.WaitGroup
	for i, conn := range conns {
		wg.Go(func() {
			for at := i; at < len(datagrams); at += len(conns) {
				if _, err := conn.Write(datagrams[at]); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestFourSockets: four workers write one file, and no line gets into another.
func TestFourSockets(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-listen", "netflow://:2055/?count=4", "-batch.size", "16KiB")
	var conns []net.Conn
	for range 32 {
		conns = append(conns, dial(t, host))
	}
	const datagrams = 320
	sendFromMany(t, conns, numbered(datagrams))
	m := w.settle(datagrams)
	m.lossless(t)
	if n := len(seriesOf(m, "socket_dropped_total")); n != 4 {
		t.Errorf("%d workers, want 4", n)
	}
	w.stop()
	eachOnce(t, numbersOf(readLines(t, w.file)), datagrams*recordsPerDatagram)
	if info, err := os.Stat(w.file); err != nil || m.count("sink_bytes_total") != int(info.Size()) {
		t.Errorf("file of %d bytes, metrics say %d", info.Size(), m.count("sink_bytes_total"))
	}
}

func seriesOf(m metrics, name string) []string {
	var out []string
	for series := range m {
		if strings.HasPrefix(series, "weir_"+name+"{") {
			out = append(out, series)
		}
	}
	return out
}

// TestDelimited: protobuf without a separator is a stream of messages that begin
// with their length.
func TestDelimited(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-format", "bin", "-transport.file.sep", "")
	send(t, dial(t, host), numbered(50)...)
	w.settle(50).lossless(t)
	w.stop()
	data, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int
	for _, m := range parseDelimited(t, bytes.NewReader(data)) {
		if m.Type != flowpb.FlowMessage_NETFLOW_V5 || !net.IP(m.SamplerAddress).Equal(net.IPv4(127, 0, 0, 1)) || m.SrcPort != 1000 {
			t.Fatalf("message %v", m)
		}
		numbers = append(numbers, int(m.Bytes))
	}
	eachOnce(t, numbers, 50*recordsPerDatagram)
}

// loadWhile sends numbered datagrams, not too fast, until done returns true, and
// returns how many.
func loadWhile(t *testing.T, conn net.Conn, done func(sent int) bool) int {
	t.Helper()
	for n := 0; ; n++ {
		if done(n) {
			return n
		}
		send(t, conn, netflow5(n*recordsPerDatagram, recordsPerDatagram))
		if n%4 == 3 {
			time.Sleep(8 * time.Millisecond)
		}
	}
}

// TestReopen: log rotation by others, under load. Every record is in one of the
// files, once.
func TestReopen(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-batch.size", "8KiB", "-batch.linger", "2ms")
	const turns = 8
	var files []string
	enough := 0 // when to end; set after the last turn
	sent := loadWhile(t, dial(t, host), func(sent int) bool {
		// Not an empty one: a worker may wait for a CPU longer than the loop takes.
		if sent%25 == 24 && len(files) < turns && w.out.count("output reopened") == len(files) && countLines(w.file) > 0 {
			moved := fmt.Sprintf("%s.%d", w.file, len(files))
			if err := os.Rename(w.file, moved); err != nil {
				t.Fatal(err)
			}
			files = append(files, moved)
			w.signal(syscall.SIGHUP)
		}
		if enough == 0 && len(files) == turns && w.out.count("output reopened") == turns {
			enough = sent + 25
		}
		return enough > 0 && sent >= enough
	})
	w.settle(sent).lossless(t)
	w.stop()
	for _, f := range append(files, w.file) {
		if countLines(f) == 0 {
			t.Errorf("%s is empty", filepath.Base(f))
		}
	}
	eachOnce(t, numbersOf(readLines(t, append(files, w.file)...)), sent*recordsPerDatagram)
}

// TestRotation: rotation by size and time with compression, under load. The
// pieces together hold every record once.
func TestRotation(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	const size = 512 << 10
	w := startWeir(t, host, "-batch.size", "32KiB", "-transport.file.rotate.size", fmt.Sprint(size),
		"-transport.file.rotate.interval", "1s", "-transport.file.compress", "zstd")
	began := time.Now()
	sent := loadWhile(t, dial(t, host), func(sent int) bool { return sent >= 200 && time.Since(began) > 1200*time.Millisecond })
	w.settle(sent).lossless(t)
	w.stop()
	pieces, err := filepath.Glob(filepath.Join(filepath.Dir(w.file), "*"))
	if err != nil {
		t.Fatal(err)
	}
	var records []record
	compressed := 0
	for _, path := range pieces {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".zst") {
			compressed++
			dec, err := zstd.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(dec); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			dec.Close()
		} else if path != w.file {
			t.Errorf("%s is neither compressed nor the output", filepath.Base(path))
		}
		if len(data) > size {
			t.Errorf("%s holds %d bytes, more than %d", filepath.Base(path), len(data), size)
		}
		records = append(records, parseLines(t, path, data)...)
	}
	if want := sent * recordsPerDatagram * 800 / size; compressed < 3 || compressed < want {
		t.Errorf("%d compressed pieces, want %d or more", compressed, max(want, 3))
	}
	eachOnce(t, numbersOf(records), sent*recordsPerDatagram)
}

// TestStdoutGone: a reader of standard output that goes away ends weir, with a
// word and a code.
func TestStdoutGone(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := weirCommand(host, "-listen", "flow://:2055", "-batch.linger", "10ms")
	cmd.Stdout = out
	w := startWeirCommand(t, host, "", cmd)
	out.Close()
	conn := dial(t, host)
	send(t, conn, numbered(1)...)
	first := make([]byte, 9)
	if _, err := io.ReadFull(r, first); err != nil || string(first) != `{"type":"` {
		t.Fatalf("standard output begins %q: %v", first, err)
	}
	r.Close()
	send(t, conn, netflow5(30, 30))
	if code, took := w.waitEnd(); code != 1 || took > stopLimit {
		t.Errorf("ended with code %d after %v, want 1", code, took)
	}
	for _, want := range []string{"weir: write flows: ", "records_dropped=30", "dropped_closed=30"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("no %q in what weir wrote", want)
		}
	}
}
