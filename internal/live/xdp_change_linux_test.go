package live

import (
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"
)

// change is something that happens to an interface while it is captured.
type change struct {
	name   string
	do     func(l *xdpLab)
	log    string // that weir notices it by
	opened int    // how often the capture has been opened in the end
}

var changes = []change{
	{"down and up", func(l *xdpLab) {
		links := l.collector.Netlink()
		if err := links.LinkSetDown(l.link(l.collector)); err != nil {
			l.t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // longer than weir takes to see it
		if err := links.LinkSetUp(l.link(l.collector)); err != nil {
			l.t.Fatal(err)
		}
	}, "interface is up again", 1},
	{"MTU", func(l *xdpLab) { l.setMTU(l.collector, 3000) }, "network interface has changed", 2},
	{"program detached", (*xdpLab).detachProgram, "XDP program is detached", 2},
	{"created again", func(l *xdpLab) {
		l.disconnect()
		l.connect()
	}, "no such network interface", 2},
}

// detachProgram takes the program off the collector's interface, as an
// administrator would.
func (l *xdpLab) detachProgram() {
	l.t.Helper()
	id := l.programOn()
	all := new(link.Iterator)
	defer all.Close()
	for all.Next() {
		info, err := all.Link.Info()
		if err != nil || uint32(info.Program) != id {
			continue
		}
		if err := all.Link.Detach(); err != nil {
			l.t.Fatalf("detach program %d: %v", id, err)
		}
		return
	}
	l.t.Fatalf("no link of program %d: %v", id, all.Err())
}

// onePerDatagram is a stream of datagrams of one record, numbered.
func (l *xdpLab) onePerDatagram(first int) func(i int) []byte {
	return func(i int) []byte { return l.frame(source(i%16), netflow5(first+i, 1)) }
}

// atMostOnce checks that no number is there twice, and returns how many there are
// of those from first on.
func atMostOnce(t *testing.T, numbers []int, first, n int) int {
	t.Helper()
	seen := make([]bool, n)
	for _, v := range numbers {
		if v < first {
			continue
		}
		if v-first >= n {
			t.Fatalf("record %d was never sent", v)
		}
		if seen[v-first] {
			t.Fatalf("record %d is there twice", v)
		}
		seen[v-first] = true
	}
	got := 0
	for _, is := range seen {
		if is {
			got++
		}
	}
	return got
}

// TestXDPChanges: whatever happens to the interface, weir captures it again by
// itself; what comes meanwhile it receives over UDP, as far as the interface is
// there; nothing is written twice.
func TestXDPChanges(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"native", "generic"} {
		for _, c := range changes {
			t.Run(mode+", "+c.name, func(t *testing.T) {
				t.Parallel()
				l := newXDPLab(t, 2)
				w := startXDP(l, append(delimited, "-xdp.mode", mode, "-xdp.workers", "2")...)
				const before = 500
				var frames [][]byte
				for i := range before {
					frames = append(frames, l.onePerDatagram(0)(i))
				}
				l.deliver(w, frames)
				w.settleBoth(before)

				stop := func() int { return 0 }
				if c.name != "created again" { // its socket is gone with the interface
					stop = l.stream(2, l.onePerDatagram(before))
				}
				c.do(l)
				w.waitFor(c.log)
				eventually(t, "the interface is captured again", func() bool {
					m := w.scrape()
					return m.mode("eth0") == mode && m.count("capture_opened_total") == c.opened
				})
				base := w.scrape().path("xdp")
				if c.name == "created again" {
					stop = l.stream(2, l.onePerDatagram(before))
				}
				w.waitMetric(base+100, "datagrams_received_total", `path="xdp"`)
				meanwhile := stop()

				// From now on nothing is lost.
				m := w.settleBoth(w.quiet())
				const after = 500
				frames = frames[:0]
				for i := range after {
					frames = append(frames, l.onePerDatagram(before+meanwhile)(i))
				}
				l.deliver(w, frames)
				last := w.settleBoth(m.count("datagrams_received_total") + after)
				if n := last.path("xdp") - m.path("xdp"); n != after {
					t.Errorf("%d datagrams by AF_XDP in the end, want %d", n, after)
				}
				if c.opened == 2 && c.name != "created again" && last.path("udp") == 0 {
					t.Error("nothing came over UDP meanwhile")
				}
				w.stop()
				l.noProgram()
				numbers := delimitedNumbers(t, w.file)
				if len(numbers) != last.count("datagrams_received_total") {
					t.Errorf("%d records written, %d datagrams received", len(numbers), last.count("datagrams_received_total"))
				}
				if got := atMostOnce(t, numbers, 0, before+meanwhile+after); got != len(numbers) {
					t.Errorf("%d different records of %d", got, len(numbers))
				}
				if n := atMostOnce(t, numbers, before+meanwhile, after); n != after {
					t.Errorf("%d records of the last %d", n, after)
				}
				t.Logf("%d datagrams meanwhile: %d over UDP, %d not received", meanwhile, last.path("udp"), before+meanwhile+after-len(numbers))
			})
		}
	}
}

// TestXDPStop: what weir has received under load when it is told to stop is in its
// output, but for what it counts as dropped since it could not be decoded within a second,
// and the interface is left clean.
func TestXDPStop(t *testing.T) {
	t.Parallel()
	for _, kind := range xdpKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, kind.queues)
			w := startXDP(l, append(delimited, "-xdp.mode", kind.mode, "-xdp.workers", "2", "-batch.linger", "1s")...)
			stop := l.stream(burst, l.onePerDatagram(0))
			w.waitMetric(3000, "datagrams_received_total", `path="xdp"`)
			w.signal(syscall.SIGTERM)
			if code, took := w.waitEnd(); code != 0 || took > stopLimit {
				t.Errorf("ended with code %d after %v, want 0 within %v", code, took, stopLimit)
			}
			sent := stop()
			l.noProgram()
			received := lastWord(w, "datagrams_received") - lastWord(w, "datagrams_dropped_shutdown")
			for what, n := range map[string]int{"datagrams_decoded": received, "records_acknowledged": received,
				"records_produced": received, "records_dropped": 0, "records_in_flight": 0} {
				if got := lastWord(w, what); got != n {
					t.Errorf("%s=%d, want %d", what, got, n)
				}
			}
			numbers := delimitedNumbers(t, w.file)
			if n := atMostOnce(t, numbers, 0, sent); n != received || received < 3000 {
				t.Errorf("%d records in the output, %d received and not dropped", n, received)
			}
		})
	}
}

// lastWord returns a number of the ledger that weir logs at its end.
func lastWord(w *weir, name string) int {
	w.t.Helper()
	found := regexp.MustCompile(`msg=ledger .*\b` + name + `=(\d+)`).FindStringSubmatch(w.out.String())
	if found == nil {
		w.t.Fatalf("no %s in the ledger", name)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestXDPComesBackSoon: an interface that was away for long is captured as soon as it
// is back, and not only when the next attempt would be due.
func TestXDPComesBackSoon(t *testing.T) {
	t.Parallel()
	l := newXDPLab(t, 1)
	w := startXDP(l, append(delimited, "-xdp.workers", "1")...)
	l.disconnect()
	w.waitFor("no such network interface")
	time.Sleep(16 * time.Second) // attempts after 1, 3, 7 and 15 s; the next after 31
	l.connect()
	back := time.Now()
	eventually(t, "the interface is captured again", func() bool {
		return w.scrape().count("capture_opened_total") == 2
	})
	took := time.Since(back)
	if took > 10*time.Second {
		t.Errorf("captured %v after it was back", took)
	}
	t.Logf("captured %v after it was back", took)
	w.stop()
	l.noProgram()
}
