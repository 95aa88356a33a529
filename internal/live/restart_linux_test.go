package live

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// restartLoad is how often weir is restarted, and how many datagrams a second are sent
// meanwhile, unless WEIR_RESTARTS and WEIR_RESTART_RATE say.
func restartLoad(t *testing.T) (restarts, rate int) {
	restarts, rate = 5, 1000
	for name, p := range map[string]*int{"WEIR_RESTARTS": &restarts, "WEIR_RESTART_RATE": &rate} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				t.Fatalf("%s: %q", name, text)
			}
			*p = n
		}
	}
	return restarts, rate
}

// stream sends datagrams of one numbered record each at a rate, until it is ended.
type stream struct {
	t     *testing.T
	conn  net.Conn
	sent  atomic.Int64
	quit  chan struct{}
	ended chan struct{}
}

func startStream(t *testing.T, conn net.Conn, rate int) *stream {
	t.Helper()
	s := &stream{t: t, conn: conn, quit: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		began := time.Now()
		for {
			select {
			case <-s.quit:
				return
			case <-time.After(time.Millisecond):
			}
			due := int64(time.Since(began).Seconds() * float64(rate))
			// What a busy machine delayed is not sent at once: that is another test.
			due = min(due, s.sent.Load()+int64(rate/500+1))
			for n := s.sent.Load(); n < due; n++ {
				if _, err := conn.Write(netflow5(int(n), 1)); err != nil {
					t.Errorf("datagram %d: %v: nobody has the port", n, err)
					return
				}
				s.sent.Store(n + 1)
			}
		}
	}()
	t.Cleanup(s.end)
	return s
}

// end ends it. It may be called again.
func (s *stream) end() {
	select {
	case <-s.quit:
	default:
		close(s.quit)
	}
	<-s.ended
}

// wait waits until n more datagrams were sent.
func (s *stream) wait(n int) {
	s.t.Helper()
	until := s.sent.Load() + int64(n)
	eventually(s.t, "datagrams are sent", func() bool { return s.sent.Load() >= until })
}

var numberInLine = regexp.MustCompile(`"bytes":(\d+)`)

// numbersIn returns the numbers of the records in a file of JSON lines.
func numbersIn(t *testing.T, file string) []int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []int
	for line := range bytes.Lines(data) {
		m := numberInLine.FindSubmatch(line)
		if m == nil {
			t.Fatalf("no number in %.200s", line)
		}
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

// lives sums up what the processes of a test counted.
type livesOf struct {
	received, decoded, written int
	gaps                       []time.Duration // from the end of one to the readiness of the next
}

func (l *livesOf) ended(w *weir) {
	w.t.Helper()
	n := w.lastLedger()
	l.received += n("datagrams_received")
	l.decoded += n("datagrams_decoded")
	l.written += n("records_acknowledged")
	for _, name := range []string{"datagrams_failed", "datagrams_dropped_shutdown", "socket_dropped", "records_dropped", "records_in_flight"} {
		if v := n(name); v != 0 {
			w.t.Errorf("%s=%d", name, v)
		}
	}
}

// check compares with what was sent, and with the file.
func (l *livesOf) check(t *testing.T, sent int, file string) {
	t.Helper()
	if l.received != sent || l.decoded != sent || l.written != sent {
		t.Errorf("%d datagrams sent, %d received, %d decoded, %d written", sent, l.received, l.decoded, l.written)
	}
	eachOnce(t, numbersIn(t, file), sent)
	if len(l.gaps) > 0 {
		slices.Sort(l.gaps)
		n := len(l.gaps)
		t.Logf("%d restarts, %d datagrams, none lost; from signal to readiness: p50 %v, p99 %v",
			n, sent, l.gaps[n/2].Round(time.Millisecond), l.gaps[min(n-1, n*99/100)].Round(time.Millisecond))
	}
}

// TestRestart restarts weir again and again under load, as systemd does with a store of
// descriptors: each datagram is in the output once, and in one of the ledgers.
func TestRestart(t *testing.T) {
	t.Parallel()
	restarts, rate := restartLoad(t)
	host := newHost(t)
	m := newManager(t, host)
	file, state := filepath.Join(t.TempDir(), "flows.json"), filepath.Join(t.TempDir(), "templates.json")
	args := []string{"-templates.json.path", state}
	w := m.start(file, args...)
	s := startStream(t, dial(t, host), rate)
	var sum livesOf
	for range restarts {
		s.wait(rate / 5)
		began := time.Now()
		w.stop()
		sum.ended(w)
		w = m.start(file, args...)
		sum.gaps = append(sum.gaps, time.Since(began))
		if n := len(m.names()); n != 1 {
			t.Fatalf("%d descriptors are stored: %q", n, m.names())
		}
	}
	s.wait(rate / 5)
	s.end()
	// The last one keeps its socket too: it has to read all of it before.
	w.waitMetric(int(s.sent.Load())-sum.received, "datagrams_received_total")
	w.stop()
	sum.ended(w)
	sum.check(t, int(s.sent.Load()), file)
}

// TestHandover starts weir again and again under load, each taking over from the one
// before.
func TestHandover(t *testing.T) {
	t.Parallel()
	restarts, rate := restartLoad(t)
	host := newHost(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "flows.json")
	args := []string{"-templates.json.path", filepath.Join(dir, "templates.json"), "-handover", filepath.Join(dir, "handover")}
	w := startWeirTo(t, host, file, args...)
	s := startStream(t, dial(t, host), rate)
	var sum livesOf
	for range restarts {
		s.wait(rate / 5)
		began := time.Now()
		next := startWeirTo(t, host, file, args...)
		sum.gaps = append(sum.gaps, time.Since(began))
		if code, _ := w.waitEnd(); code != 0 {
			t.Fatalf("the one before ended with code %d", code)
		}
		sum.ended(w)
		w = next
		w.waitFor("adopted=1")
	}
	s.wait(rate / 5)
	s.end()
	w.stop()
	sum.ended(w)
	sum.check(t, int(s.sent.Load()), file)
}

// TestHandoverOfPassed: the socket comes from a socket unit as well as from the process before: it
// is one socket, and nothing is lost or counted twice.
func TestHandoverOfPassed(t *testing.T) {
	t.Parallel()
	restarts, rate := restartLoad(t)
	host := newHost(t)
	var passed *os.File
	if err := host.Do(func() error {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2055})
		if err != nil {
			return err
		}
		defer c.Close() // the copy stays
		passed, err = c.File()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "flows.json")
	start := func() *weir {
		cmd := host.Command(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, program, "-listen", "netflow://127.0.0.1:2055", "-transport.file", file,
			"-batch.linger", "20ms", "-templates.json.path", filepath.Join(dir, "templates.json"), "-handover", filepath.Join(dir, "handover"))
		cmd.Env = append(environment(), "LISTEN_FDS=1", "LISTEN_FDNAMES=flows")
		cmd.ExtraFiles = []*os.File{passed}
		return startWeirCommand(t, host, file, cmd)
	}
	w := start()
	s := startStream(t, dial(t, host), rate)
	var sum livesOf
	for range restarts {
		s.wait(rate / 5)
		next := start()
		if code, _ := w.waitEnd(); code != 0 {
			t.Fatalf("the one before ended with code %d", code)
		}
		sum.ended(w)
		w = next
	}
	s.wait(rate / 5)
	s.end()
	w.rest() // what is not taken waits for another weir
	w.stop()
	sum.ended(w)
	sum.check(t, int(s.sent.Load()), file)
}

var atMost = regexp.MustCompile(`records_at_most=(\d+) datagrams_at_most=(\d+)`)

// TestKilledRestart kills weir under load. What was in its memory is lost, nothing else,
// and the next one says how much that is at most.
func TestKilledRestart(t *testing.T) {
	t.Parallel()
	_, rate := restartLoad(t)
	host := newHost(t)
	m := newManager(t, host)
	file, state := filepath.Join(t.TempDir(), "flows.json"), filepath.Join(t.TempDir(), "templates.json")
	// Records wait in a batch for long.
	args := []string{"-templates.json.path", state, "-batch.linger", "300ms"}
	w := m.start(file, args...)
	s := startStream(t, dial(t, host), rate)
	s.wait(rate / 2)
	w.waitMetric(1, "records_in_flight")
	w.signal(syscall.SIGKILL)
	w.waitEnd()
	s.wait(rate / 5)
	w = m.start(file, args...)
	w.waitFor("the last weir ended without a stop")
	found := atMost.FindStringSubmatch(w.out.String())
	if found == nil {
		t.Fatal("no count of what was lost")
	}
	records, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	datagrams, err := strconv.Atoi(found[2])
	if err != nil {
		t.Fatal(err)
	}
	s.wait(rate / 5)
	s.end()
	sent := int(s.sent.Load())
	eventually(t, "the last datagram is in the output", func() bool {
		return slices.Contains(numbersIn(t, file), sent-1)
	})
	w.stop()
	numbers := numbersIn(t, file)
	seen := map[int]bool{}
	for _, n := range numbers {
		if seen[n] {
			t.Fatalf("record %d is there twice", n)
		}
		seen[n] = true
	}
	lost := sent - len(numbers)
	if most := records + datagrams; lost < 1 || lost > most {
		t.Errorf("%d of %d lost, at most %d records and %d datagrams were said", lost, sent, records, datagrams)
	}
	t.Logf("%d of %d lost, said were at most %d records and %d datagrams", lost, sent, records, datagrams)
	first, last := sent, 0
	for n := range sent {
		if !seen[n] {
			first, last = min(first, n), n
		}
	}
	if last-first+1 != lost {
		t.Errorf("%d are lost between %d and %d: not only what was in memory", lost, first, last)
	}
	if crashed := w.lastLedger(); crashed("socket_dropped") != 0 {
		t.Errorf("%d dropped by the kernel", crashed("socket_dropped"))
	}
}

// TestRestartElsewhere starts weir again with another address: what waits in the socket
// of before is decoded, and the socket leaves the store.
func TestRestartElsewhere(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	m := newManager(t, host)
	file := filepath.Join(t.TempDir(), "flows.json")
	w := m.start(file)
	before := m.names()
	conn := dial(t, host)
	send(t, conn, numbered(3)...)
	w.settle(3)
	w.stop()
	send(t, conn, netflow5(3*recordsPerDatagram, recordsPerDatagram), netflow5(4*recordsPerDatagram, recordsPerDatagram))
	// The same port with other options: the old socket must be gone first.
	w = m.start(file, "-listen", "flow://127.0.0.1:2055")
	if !strings.Contains(w.out.String(), "adopted=0") {
		t.Error("the socket was adopted")
	}
	send(t, conn, netflow5(5*recordsPerDatagram, recordsPerDatagram))
	w.settle(3)
	if after := m.names(); len(before) != 1 || len(after) != 1 || after[0] == before[0] {
		t.Errorf("%q was stored, now %q", before, after)
	}
	w.stop()
	eachOnce(t, numbersOf(readLines(t, file)), 6*recordsPerDatagram)
}

// TestSocketUnit passes weir a socket that the manager opened. It is adopted, never
// stored, and never drained.
func TestSocketUnit(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	m := newManager(t, host)
	var conn net.PacketConn
	if err := host.Do(func() (err error) {
		conn, err = net.ListenPacket("udp", ":2055")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	f, err := conn.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	m.passed = append(m.passed, stored{"weir.socket", f})
	file := filepath.Join(t.TempDir(), "flows.json")
	to := dial(t, host)
	send(t, to, numbered(2)...) // before the first start
	w := m.start(file)
	w.waitFor("adopted=1")
	w.settle(2)
	w.stop()
	// The store may have the same socket: one descriptor is used.
	twin, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	m.stored = append(m.stored, stored{"weir#udp#twin", os.NewFile(uintptr(twin), "twin")})
	for life := range 3 {
		first := (2 + 2*life) * recordsPerDatagram
		send(t, to, netflow5(first, recordsPerDatagram))
		w = m.start(file)
		send(t, to, netflow5(first+recordsPerDatagram, recordsPerDatagram))
		w.settle(2)
		if names := m.names(); len(names) != 0 {
			t.Errorf("stored: %q", names)
		}
		w.stop()
		if n := w.lastLedger()("socket_dropped"); n != 0 {
			t.Errorf("%d dropped by the kernel", n)
		}
	}
	eachOnce(t, numbersOf(readLines(t, file)), 8*recordsPerDatagram)
}
