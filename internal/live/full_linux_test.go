package live

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, options)
	switch {
	case err == nil:
	case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES):
		t.Fatal(err)
	case os.Getenv("CI") == "true":
		t.Fatalf("mount tmpfs: %v: CAP_SYS_ADMIN is missing, and with CI=true this test must run", err)
	default:
		t.Skipf("mount tmpfs: %v: CAP_SYS_ADMIN is missing: try as root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskFull: a full disk costs the records that do not fit, each of which is
// counted; it is said once; and the file has whole lines only.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	disk := smallDisk(t, "size=1m")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 600<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	w := startWeirTo(t, host, filepath.Join(disk, "flows.json"), "-batch.size", "16KiB")
	conn := dial(t, host)
	const first = 40 // datagrams, of more lines than fit
	send(t, conn, numbered(first)...)
	m := w.settle(first)
	if m.count("records_dropped_total", `reason="disk_full"`) == 0 {
		t.Fatalf("nothing dropped by a full disk: %v", seriesOf(m, "records_dropped_total"))
	}
	if lines := countLines(w.file); lines != m.count("records_sink_total", "acknowledged") {
		t.Errorf("%d lines on the full disk, %d acknowledged", lines, m.count("records_sink_total", "acknowledged"))
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	n := first + 10
	send(t, conn, numbered(n)[first:]...)
	m = w.settle(n)
	lost := m.count("records_dropped_total")
	w.stop()
	if begin := w.out.count("place=disk loss=begins"); begin != 1 || w.out.count("no space left on device") != 1 {
		t.Errorf("%d lines of the beginning, want one with the error", begin)
	}
	records := readLines(t, w.file)
	if len(records)+lost != n*recordsPerDatagram {
		t.Errorf("%d lines + %d dropped, %d records sent", len(records), lost, n*recordsPerDatagram)
	}
	last := map[int]bool{}
	for _, v := range numbersOf(records) {
		last[v] = true
	}
	for v := first * recordsPerDatagram; v < n*recordsPerDatagram; v++ {
		if !last[v] {
			t.Fatalf("record %d, sent when there was space again, is not there", v)
		}
	}
}

// TestStuckOutput: a FIFO without a reader, with few and small batches. What does
// not fit is dropped and counted; what waits is written once a reader comes; a
// stop without one ends in time and says what it cost.
func TestStuckOutput(t *testing.T) {
	t.Parallel()
	small := []string{"-batch.size", "4KiB", "-sink.depth", "2"}
	const datagrams = 20
	t.Run("reader comes", func(t *testing.T) {
		t.Parallel()
		host := newHost(t)
		path := fifo(t)
		w := startWeirTo(t, host, path, small...)
		send(t, dial(t, host), numbered(datagrams)...)
		w.waitMetric(datagrams, "datagrams_received_total")
		m := w.balance()
		waiting, lost := m.count("records_in_flight"), m.count("records_dropped_total", "sink_behind")
		if waiting == 0 || lost == 0 || waiting+lost != datagrams*recordsPerDatagram {
			t.Fatalf("%d records in flight and %d dropped of %d", waiting, lost, datagrams*recordsPerDatagram)
		}
		reader, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		w.settle(datagrams)
		buf := make([]byte, 1<<20)
		n := 0
		for lines := 0; lines < waiting; lines = strings.Count(string(buf[:n]), "\n") {
			k, err := reader.Read(buf[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
		w.stop()
		if got := len(parseLines(t, "fifo", buf[:n])); got != waiting {
			t.Errorf("%d lines, %d records were in flight", got, waiting)
		}
	})
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		host := newHost(t)
		w := startWeirTo(t, host, fifo(t), small...)
		send(t, dial(t, host), numbered(datagrams)...)
		m := w.waitMetric(datagrams, "datagrams_received_total")
		w.signal(unix.SIGTERM)
		code, took := w.waitEnd()
		if code != 1 || took > stopLimit {
			t.Errorf("ended with code %d after %v, want 1 within %v", code, took, stopLimit)
		}
		waiting := m.count("records_in_flight")
		for _, want := range []string{
			"records_produced=600", "records_acknowledged=0", "records_dropped=600", "records_in_flight=0",
			"dropped_shutdown=" + itoa(waiting), "dropped_sink_behind=" + itoa(600-waiting),
			itoa(waiting) + " records dropped",
		} {
			if !strings.Contains(w.out.String(), want) {
				t.Errorf("no %q in what weir wrote", want)
			}
		}
	})
}

// TestKernelDrops: with weir held still, the kernel drops what its receive buffer
// cannot hold; received and dropped are what was sent, exactly.
func TestKernelDrops(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-receive.buffer", "64KiB")
	w.hold()
	conn := dial(t, host)
	const datagrams = 500
	send(t, conn, numbered(datagrams)...)
	w.signal(unix.SIGCONT)
	var m metrics
	eventually(t, "received + dropped by the kernel is what was sent", func() bool {
		m = w.scrape()
		return m.count("datagrams_received_total")+m.count("socket_dropped_total") == datagrams
	})
	if m.count("socket_dropped_total") == 0 || m.count("datagrams_received_total") == 0 {
		t.Errorf("%d received, %d dropped", m.count("datagrams_received_total"), m.count("socket_dropped_total"))
	}
	m = w.settle(m.count("datagrams_received_total"))
	w.stop()
	if n := countLines(w.file); n != m.count("datagrams_received_total")*recordsPerDatagram {
		t.Errorf("%d lines of %d datagrams", n, m.count("datagrams_received_total"))
	}
	w.waitFor("socket_dropped=" + itoa(m.count("socket_dropped_total")))
}
