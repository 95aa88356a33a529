package live

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStopDrains: what was sent before the signal is in the output, however soon
// the signal follows.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			t.Parallel()
			host := newHost(t)
			// More than the batches hold, so that the worker has to wait for
			// the output; no more than a busy machine decodes in the second that
			// a stop has for it.
			w := startWeir(t, host, "-sink.depth", "4", "-batch.size", "64KiB")
			const datagrams = 100
			load := numbered(datagrams)
			send(t, dial(t, host), load...)
			w.signal(s)
			if code, took := w.waitEnd(); code != 0 || took > stopLimit {
				t.Errorf("ended with code %d after %v, want 0 within %v", code, took, stopLimit)
			}
			eachOnce(t, numbersOf(readLines(t, w.file)), datagrams*recordsPerDatagram)
			for _, want := range []string{"datagrams_received=100 ", "records_acknowledged=3000 ", "records_dropped=0 ", "records_in_flight=0 "} {
				if w.out.count(want) != 1 {
					t.Errorf("no %q in what weir wrote", want)
				}
			}
		})
	}
}

// TestStopEcho: the same signal twice at once, as timeout(1) sends it to the
// process and to its group, is one.
func TestStopEcho(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host)
	send(t, dial(t, host), numbered(10)...)
	w.signal(syscall.SIGTERM)
	_ = w.cmd.Process.Signal(syscall.SIGTERM) // an error says that it has ended
	if code, _ := w.waitEnd(); code != 0 {
		t.Errorf("ended with code %d, want 0", code)
	}
	eachOnce(t, numbersOf(readLines(t, w.file)), 10*recordsPerDatagram)
}

// fifo makes a FIFO that nobody reads.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSecondSignal: a stop that hangs is ended by a second signal, at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeirTo(t, host, fifo(t))
	send(t, dial(t, host), numbered(1)...)
	w.waitMetric(recordsPerDatagram, "records_in_flight")
	w.signal(syscall.SIGTERM)
	w.waitFor("stopping")
	time.Sleep(time.Second) // more than 300 ms, in which it would count as the same signal
	if !w.running() {
		t.Fatal("the stop did not hang")
	}
	w.signal(syscall.SIGINT)
	if code, took := w.waitEnd(); code != 1 {
		t.Errorf("ended with code %d after %v, want 1 at once", code, took)
	}
	if n := w.out.count("second signal"); n != 1 || !strings.Contains(w.out.String(), "records=30") {
		t.Errorf("%d lines of a second signal, or they do not count the 30 records", n)
	}
}

// TestKilled: killed under load and started again, weir leaves whole lines only,
// also where the machine's end tore the last line.
func TestKilled(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-batch.size", "4KiB")
	conn := dial(t, host)
	stop := make(chan struct{})
	sent := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				sent <- n
				return
			default:
			}
			if _, err := conn.Write(netflow5(n*recordsPerDatagram, recordsPerDatagram)); err == nil {
				n++
			}
		}
	}()
	w.waitMetric(2000, "records_sink_total", "acknowledged")
	w.signal(syscall.SIGKILL)
	w.waitEnd()
	close(stop)
	most := <-sent * recordsPerDatagram
	before := countLines(w.file)

	f, err := os.OpenFile(w.file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"type":"NETFLOW_V5","time_rec`); err != nil {
		t.Fatal(err)
	}
	f.Close()

	again := startWeirTo(t, host, w.file)
	again.waitFor("unfinished last line cut off")
	send(t, dial(t, host), netflow5(most, recordsPerDatagram))
	again.settle(1)
	again.stop()
	records := readLines(t, w.file)
	if len(records) != before+recordsPerDatagram {
		t.Errorf("%d lines, want the %d of before and %d", len(records), before, recordsPerDatagram)
	}
	seen := map[int]bool{}
	for _, n := range numbersOf(records) {
		if seen[n] {
			t.Fatalf("record %d is there twice", n)
		}
		seen[n] = true
	}
}
