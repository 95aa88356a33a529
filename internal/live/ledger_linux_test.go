package live

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// readme returns those of the README's sums that do not hold on the page. They must
// hold on every one, whatever weir does at the time.
func (m metrics) readme() (wrong []string) {
	equal := func(what string, a float64, other string, b float64) {
		if a != b {
			wrong = append(wrong, fmt.Sprintf("%v %s, %v %s", a, what, b, other))
		}
	}
	ended := 0.0
	for _, outcome := range []string{"decoded", "failed", "dropped"} {
		ended += m.sum("datagrams_total", `outcome="`+outcome+`"`)
	}
	equal("datagrams received", m.sum("datagrams_received_total"), "decoded + failed + dropped + held", ended+m.sum("datagrams_held"))
	equal("frames redirected", float64(m.verdict("redirect")), "received + dropped + waiting",
		m.sum("datagrams_received_total", `path="xdp"`)+m.sum("xdp_dropped_total")+m.sum("xdp_frames_waiting"))
	equal("records produced", m.sum("records_produced_total"), "acknowledged + dropped + in flight + spooled - recovered",
		m.sum("records_sink_total", `outcome="acknowledged"`)+m.sum("records_sink_total", `outcome="dropped"`)+
			m.sum("records_in_flight")+m.sum("records_spooled")-m.sum("spool_recovered_records"))
	return wrong
}

// lastLedger returns the numbers of the ledger that weir logs at its end.
func (w *weir) lastLedger() func(name string) int {
	w.t.Helper()
	line := regexp.MustCompile(`msg=ledger .*`).FindString(w.out.String())
	if line == "" {
		w.t.Fatal("weir has logged no ledger")
	}
	return func(name string) int {
		for _, word := range strings.Fields(line) {
			if value, ok := strings.CutPrefix(word, name+"="); ok {
				n, err := strconv.Atoi(value)
				if err != nil {
					w.t.Fatalf("%s: %v", word, err)
				}
				return n
			}
		}
		w.t.Fatalf("no %s in the ledger: %s", name, line)
		return 0
	}
}

// allAccounted checks the last ledger, of a weir that was sent so many datagrams:
// each is in one place.
func (w *weir) allAccounted(sent int) {
	w.t.Helper()
	n := w.lastLedger()
	if got := n("datagrams_received") + n("socket_dropped"); got != sent {
		w.t.Errorf("%d datagrams received + %d dropped by the kernel of %d", n("datagrams_received"), n("socket_dropped"), sent)
	}
	ended := n("datagrams_decoded") + n("datagrams_failed") + n("datagrams_held") + n("datagrams_dropped_denied") + n("datagrams_dropped_rate") + n("datagrams_dropped_shutdown")
	if got := n("datagrams_received"); got != ended {
		w.t.Errorf("%d datagrams received, %d ended somewhere", got, ended)
	}
	if n("records_produced") != n("records_acknowledged")+n("records_dropped") || n("records_in_flight") != 0 {
		w.t.Errorf("%d records produced, %d written + %d dropped + %d in flight",
			n("records_produced"), n("records_acknowledged"), n("records_dropped"), n("records_in_flight"))
	}
}

// TestEveryPage reads page after page while frames and fragments come in plenty, the
// mapping is read again and again, and weir stops: every sum of the README holds on
// each.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	l := newXDPLab(t, 2)
	mapping := filepath.Join(t.TempDir(), "map.yaml")
	if err := os.WriteFile(mapping, []byte("formatter:\n  fields: [src_port, bytes]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := startXDP(l, "-xdp.workers", "2", "-xdp.ring", "64", "-mapping", mapping, "-batch.size", "4KiB", "-exporters.rate", "20000")
	kinds := [][]byte{
		netflow5(0, recordsPerDatagram), []byte("garbage"), netflow9(1, 1, set(300, flowRecord(1))), netflow5(0, 3),
	}
	stop := l.stream(40, func(i int) []byte {
		payload := kinds[i%len(kinds)]
		if i%8 == 0 { // too large for the interface: by way of the stack
			pieces := l.fragments(source(i%16), kinds[0], 576)
			for _, piece := range pieces[1:] {
				_, _ = unix.Write(l.socket, piece)
			}
			return pieces[0]
		}
		return l.frame(source(i%16), payload)
	})
	pages, waited := 0, 0
	look := func() bool {
		m, err := w.tryScrape()
		if err != nil {
			return false
		}
		if pages++; m.sum("xdp_frames_waiting") > 0 {
			waited++
		}
		for _, wrong := range m.readme() {
			t.Errorf("page %d: %s", pages, wrong)
		}
		return true
	}
	began, enough := time.Now(), func() bool { return pages >= 20 && w.out.count("mapping reloaded") >= 5 }
	for (time.Since(began) < 3*time.Second || !enough()) && time.Since(began) < patience && !t.Failed() {
		w.signal(syscall.SIGHUP)
		if !look() {
			t.Fatal("no page")
		}
	}
	w.signal(syscall.SIGTERM)
	for look() && !t.Failed() {
	}
	if code, took := w.waitEnd(); code != 0 || took > stopLimit {
		t.Errorf("ended with code %d after %v", code, took)
	}
	stop()
	n := w.lastLedger()
	if got := n("xdp_verdicts_redirect"); got == 0 || got > n("datagrams_received")+n("xdp_dropped") {
		t.Errorf("%d frames redirected, %d datagrams received and %d frames dropped", got, n("datagrams_received"), n("xdp_dropped"))
	}
	if !enough() {
		t.Errorf("%d pages, %d reloads", pages, w.out.count("mapping reloaded"))
	}
	t.Logf("%d pages, frames waited on %d of them, %d reloads", pages, waited, w.out.count("mapping reloaded"))
}

// TestStopAccounts stops weir while datagrams wait, with an output that nobody reads
// or that is read slowly: each that was sent is in the last ledger, and the stop takes
// no longer than it may.
func TestStopAccounts(t *testing.T) {
	t.Parallel()
	const datagrams = 10_000
	for name, pause := range map[string]time.Duration{"stuck": 0, "slow": 2 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newHost(t)
			path := fifo(t)
			readSlowly(t, path, pause)
			w := startWeirTo(t, host, path, "-batch.size", "16KiB", "-sink.depth", "4", "-receive.buffer", "32MiB")
			w.hold() // so that all of them wait when it stops
			send(t, dial(t, host), numbered(datagrams)...)
			w.signal(syscall.SIGTERM)
			w.signal(syscall.SIGCONT)
			if _, took := w.waitEnd(); took > stopLimit {
				t.Errorf("the stop took %v", took)
			}
			w.allAccounted(datagrams)
			if w.lastLedger()("datagrams_dropped_shutdown") == 0 {
				t.Error("nothing was dropped by the stop: the output was not slow")
			}
		})
	}
}

// readSlowly opens a FIFO and reads 4 KiB at a time with a pause between; without a
// pause it reads nothing.
func readSlowly(t *testing.T, path string, pause time.Duration) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if pause == 0 {
		return
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			time.Sleep(pause)
			if _, err := f.Read(buf); err != nil && !os.IsTimeout(err) {
				return // closed by the test's end
			}
		}
	}()
}

// TestStopAccountsFrames is TestStopAccounts with frames in AF_XDP rings and
// datagrams in sockets.
func TestStopAccountsFrames(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"native", "generic"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, 1)
			path := fifo(t)
			readSlowly(t, path, 0)
			w := startWeirTo(t, l.collector, path, "-xdp.interface", "eth0", "-xdp.require", "-xdp.mode", mode, "-xdp.workers", "1",
				"-xdp.ring", "1024", "-batch.size", "16KiB", "-sink.depth", "4")
			const datagrams = 1500
			for i := range datagrams {
				payload := netflow5(i*recordsPerDatagram, recordsPerDatagram)
				whole, pieces := l.both(source(1), payload)
				l.send(whole...)
				l.send(pieces...)
			}
			w.signal(syscall.SIGTERM)
			if _, took := w.waitEnd(); took > stopLimit {
				t.Errorf("the stop took %v", took)
			}
			n := w.lastLedger()
			if got := n("xdp_verdicts_redirect"); got != datagrams {
				t.Errorf("%d frames redirected of %d", got, datagrams)
			}
			// Of both kinds as many were sent; the frames dropped were not received.
			w.allAccounted(2*datagrams - n("xdp_dropped"))
		})
	}
}
