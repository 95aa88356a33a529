package live

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// resets counts how often the interface had no program while f ran.
func (l *xdpLab) resets(f func()) (without int) {
	l.t.Helper()
	quit, ended := make(chan struct{}), make(chan struct{})
	updates := make(chan netlink.LinkUpdate, 64)
	var err error
	_ = l.collector.Do(func() error {
		err = netlink.LinkSubscribe(updates, quit)
		return nil
	})
	if err != nil {
		l.t.Fatalf("subscribe to links: %v", err)
	}
	go func() {
		defer close(ended)
		for u := range updates {
			if x := u.Attrs().Xdp; u.Attrs().Name == "eth0" && (x == nil || !x.Attached) {
				without++
			}
		}
	}()
	f()
	close(quit)
	<-ended
	return without
}

// TestRestartXDP restarts weir under load that comes by AF_XDP: the program stays on the
// interface, what comes meanwhile waits in the kept socket.
func TestRestartXDP(t *testing.T) {
	restarts, rate := restartLoad(t)
	for _, way := range []string{"store", "handover"} {
		for _, mode := range []string{"native", "generic"} {
			t.Run(way+" "+mode, func(t *testing.T) {
				l := newXDPLab(t, 2)
				m := newManager(t, l.collector)
				dir := t.TempDir()
				file := filepath.Join(dir, "flows.json")
				args := []string{"-templates.json.path", filepath.Join(dir, "templates.json"), "-xdp.interface", "eth0", "-xdp.mode", mode, "-xdp.require"}
				begin := func() *weir { return m.start(file, args...) }
				if way == "handover" {
					args = append(args, "-handover", filepath.Join(dir, "handover"))
					begin = func() *weir { return startWeirTo(t, l.collector, file, args...) }
				}
				w := begin()
				s := startStream(t, dialOn(t, l.exporter, "", collectorPort4.String()), rate)
				var sum livesOf
				byXDP, byUDP := 0, 0
				missing := l.resets(func() {
					for range restarts {
						s.wait(rate / 5)
						byXDP += w.scrape().count("datagrams_received_total", `path="xdp"`)
						began := time.Now()
						if way == "store" {
							w.stop()
							sum.ended(w)
							if l.programOn() == 0 {
								t.Fatal("no program on the interface after a stop")
							}
						}
						next := begin()
						sum.gaps = append(sum.gaps, time.Since(began))
						if way == "handover" {
							w.waitEnd()
							sum.ended(w)
						}
						w = next
						// The line comes over another pipe than the word that weir is ready.
						w.waitFor("adopted=true")
					}
				})
				s.wait(rate / 5)
				s.end()
				w.waitMetric(int(s.sent.Load())-sum.received, "datagrams_received_total")
				byUDP = w.scrape().count("datagrams_received_total", `path="udp"`)
				w.stop()
				sum.ended(w)
				sum.check(t, int(s.sent.Load()), file)
				if byXDP == 0 {
					t.Error("nothing came by AF_XDP")
				}
				if missing > 0 {
					t.Errorf("the interface was without a program %d times", missing)
				}
				t.Logf("%d datagrams by AF_XDP before the signals, the last life had %d over its socket", byXDP, byUDP)
			})
		}
	}
}

// TestRestartWithoutXDP starts weir again without -xdp.interface: the program that the
// last one left is detached.
func TestRestartWithoutXDP(t *testing.T) {
	l := newXDPLab(t, 1)
	m := newManager(t, l.collector)
	file := filepath.Join(t.TempDir(), "flows.json")
	w := m.start(file, "-xdp.interface", "eth0", "-xdp.require")
	w.stop()
	if l.programOn() == 0 || len(m.names()) != 2 {
		t.Fatalf("program %d, stored %q", l.programOn(), m.names())
	}
	w = m.start(file)
	eventually(t, "no program on the interface", func() bool { return l.programOn() == 0 })
	if len(m.names()) != 1 {
		t.Errorf("stored: %q", m.names())
	}
	w.stop()
	// A stop without a store takes the program along.
	alone := startWeirTo(t, l.collector, file, "-xdp.interface", "eth0", "-xdp.require", "-listen", "flow://:2056")
	if l.programOn() == 0 {
		t.Error("no program")
	}
	alone.stop()
	l.noProgram() // nobody keeps it
}

// TestDetachLeft removes what a weir left of which nobody starts the next, and nothing
// else.
func TestDetachLeft(t *testing.T) {
	l := newXDPLab(t, 1)
	m := newManager(t, l.collector)
	detach := func() (int, string) {
		code, out, errs := runWeir(t, weirCommand(l.collector, "xdp", "detach", "eth0"))
		return code, out + errs
	}
	if code, text := detach(); code != 1 || !strings.Contains(text, "no XDP program") {
		t.Errorf("nothing there: code %d: %s", code, text)
	}
	w := m.start(filepath.Join(t.TempDir(), "flows.json"), "-xdp.interface", "eth0", "-xdp.require")
	if code, text := detach(); code != 1 || l.programOn() == 0 {
		t.Errorf("of a running weir: code %d: %s", code, text)
	}
	w.stop()
	code, text, _ := runWeir(t, weirCommand(l.collector, "check", "-listen", "flow://:2056", "-xdp.interface", "eth0", "-xdp.require"))
	if code == 0 || !strings.Contains(text, "weir xdp detach eth0") {
		t.Errorf("check: code %d: %s", code, text)
	}
	if code, text := detach(); code != 0 || l.programOn() != 0 {
		t.Errorf("left by a weir: code %d, program %d: %s", code, l.programOn(), text)
	}
	if code, _, _ := runWeir(t, weirCommand(l.collector, "xdp", "attach")); code != 2 {
		t.Errorf("wrong usage: code %d", code)
	}
}
