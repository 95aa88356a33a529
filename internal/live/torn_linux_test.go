package live

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/producer/flowpb"
)

// tornRounds is how often TestKilledProtobuf kills weir, unless WEIR_KILLS says.
const tornRounds = 5

// readDelimited reads length-delimited messages, each with the separator after it, to
// the end of a file, and returns how many there are. It fails where it cannot.
func readDelimited(t *testing.T, path, separator string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var flow flowpb.FlowMessage
	for at := 0; at < len(data); n++ {
		length, size := binary.Uvarint(data[at:])
		begin := at + size
		end := begin + int(length)
		if size <= 0 || end+len(separator) > len(data) || string(data[end:end+len(separator)]) != separator {
			t.Fatalf("%s: message %d at byte %d of %d is not whole", path, n, at, len(data))
		}
		if err := proto.Unmarshal(data[begin:end], &flow); err != nil {
			t.Fatalf("%s: message %d at byte %d: %v", path, n, at, err)
		}
		at = end + len(separator)
	}
	return n
}

// TestKilledProtobuf kills weir again and again while it writes protobuf messages to
// one file: after each start all of the file can be read, and it has at least what was
// acknowledged.
func TestKilledProtobuf(t *testing.T) {
	rounds := tornRounds
	if text := os.Getenv("WEIR_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("WEIR_KILLS: %v", err)
		}
		rounds = n
	} else {
		t.Parallel()
	}
	for name, separator := range map[string]string{"lengths alone": "", "with a separator": "\n"} {
		t.Run(name, func(t *testing.T) {
			host := newHost(t)
			conn := dial(t, host)
			file := filepath.Join(t.TempDir(), "flows.bin")
			var stop atomic.Bool
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				load := numbered(64)
				for n := 0; !stop.Load(); n++ {
					_, _ = conn.Write(load[n%len(load)]) // weir is away at times
					if n%500 == 499 {
						time.Sleep(time.Millisecond)
					}
				}
			}()
			t.Cleanup(func() { stop.Store(true); <-ended })
			rng := rand.New(rand.NewPCG(1, uint64(len(separator))))
			least := 0
			for range rounds {
				w := startWeirTo(t, host, file, "-format", "bin", "-transport.file.sep", separator, "-batch.size", "1MiB", "-batch.linger", "50ms")
				w.waitMetric(3000, "records_sink_total", `"acknowledged"`)
				time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
				acknowledged := w.scrape().count("records_sink_total", `"acknowledged"`)
				w.signal(syscall.SIGKILL)
				w.waitEnd()
				least += acknowledged
			}
			stop.Store(true)
			<-ended
			w := startWeirTo(t, host, file, "-format", "bin", "-transport.file.sep", separator)
			w.stop()
			if n := readDelimited(t, file, separator); n < least {
				t.Errorf("%d messages, %d were acknowledged", n, least)
			}
			torn, err := filepath.Glob(file + ".torn-*")
			if err != nil {
				t.Fatal(err)
			}
			if more, _ := filepath.Glob(file + ".unfinished-*"); len(more) > 0 {
				t.Errorf("set aside as a whole: %v", more)
			}
			t.Logf("%d kills, %d of them in the middle of a message", rounds, len(torn))
		})
	}
}

// TestTornProtobuf starts weir on a protobuf file that a kill has torn: it says so,
// counts it, and appends after the last whole message.
func TestTornProtobuf(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	file := filepath.Join(t.TempDir(), "flows.bin")
	args := []string{"-format", "bin", "-transport.file.sep", ""}
	w := startWeirTo(t, host, file, args...)
	conn := dial(t, host)
	send(t, conn, numbered(2)...)
	w.settle(2)
	w.signal(syscall.SIGKILL)
	w.waitEnd()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, data[:20]...), 0o644); err != nil {
		t.Fatal(err)
	}
	again := startWeirTo(t, host, file, args...)
	again.waitFor("unfinished last message set aside")
	again.waitMetric(20, "output_repaired_bytes_total")
	again.waitMetric(1, "output_repairs_total")
	send(t, dial(t, host), numbered(1)...)
	again.settle(1)
	again.stop()
	if n := readDelimited(t, file, ""); n != 3*recordsPerDatagram {
		t.Errorf("%d messages, want %d", n, 3*recordsPerDatagram)
	}
}

// TestStoppedReader stops the reader of weir's standard output, a pipe that blocks,
// and then weir: it ends in time, and each line that was written is counted as
// written.
func TestStoppedReader(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	writer.Fd() // sets the descriptor to blocking
	cmd := weirCommand(host, "-listen", "flow://:2055", "-batch.linger", "20ms", "-batch.size", "1MiB")
	cmd.Stdout = writer
	w := startWeirCommand(t, host, "", cmd)
	writer.Close()
	const datagrams = 100
	send(t, dial(t, host), numbered(datagrams)...)
	w.waitMetric(datagrams, "datagrams_received_total")
	w.signal(syscall.SIGTERM)
	if _, took := w.waitEnd(); took > stopLimit {
		t.Errorf("the stop took %v", took)
	}
	text := make([]byte, 1<<20)
	n := 0
	for {
		m, err := reader.Read(text[n:])
		n += m
		if err != nil || m == 0 {
			break
		}
	}
	lines := strings.Count(string(text[:n]), "\n")
	w.allAccounted(datagrams)
	if written := w.lastLedger()("records_acknowledged"); written != lines || lines == 0 {
		t.Errorf("%d lines were written, %d are counted", lines, written)
	}
}
