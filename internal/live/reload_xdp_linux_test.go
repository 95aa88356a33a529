package live

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/testnet"
)

// TestXDPReloadInterfaces adds and removes captured interfaces and the addresses that their
// datagrams are for, in a running weir that receives: interfaces that stay are not attached
// again, what is not captured comes over the sockets, and nothing is lost unsaid.
func TestXDPReloadInterfaces(t *testing.T) {
	t.Parallel()
	l := newXDPLab(t, 2)
	testnet.Veth(t, l.exporter, "eth1", "10.8.1.1/24", "", l.collector, "eth1", "10.8.1.2/24", "", 2)
	file := filepath.Join(t.TempDir(), "flows.json")
	config := func(listen, interfaces string) string {
		return fmt.Sprintf("listen: %s\nxdp: {interface: %s, workers: 2}\ntransport.file: %s\nbatch.linger: 20ms\n", listen, interfaces, file)
	}
	r := startReloadable(t, l.collector, file, config("netflow://:2055", "[eth0]"))
	eventually(t, "eth0 is captured", func() bool { return r.w.scrape().mode("eth0") != "udp" && l.programOn() != 0 })
	src := netip.MustParseAddrPort("10.2.0.1:5000")
	other := func(i int) []byte {
		return l.frameTo(src, netip.AddrPortFrom(netip.MustParseAddr(collector4), 2056), netflow5(i*frameRecords, frameRecords))
	}
	next := 0
	deliver := func(n int, frame func(i int) []byte) {
		t.Helper()
		var frames [][]byte
		for range n {
			frames = append(frames, frame(next))
			next++
		}
		l.deliver(r.w, frames)
	}
	own := func(i int) []byte { return l.frame(src, netflow5(i*frameRecords, frameRecords)) }
	deliver(40, own)
	first := l.programOn()

	// Another address: the program is replaced on its link, the capture goes on.
	r.reload(config("netflow://:2055,flow://:2056", "[eth0]"), 0)
	deliver(40, own)
	deliver(40, other)
	m := r.w.settleBoth(next)
	if m.path("udp") != 0 || m.count("capture_opened_total") != 1 || l.programOn() == first {
		t.Errorf("another address: %d over the sockets, opened %d times", m.path("udp"), m.count("capture_opened_total"))
	}

	// Another interface.
	if text := r.reload(config("netflow://:2055,flow://:2056", "[eth0, eth1]"), 0); !strings.Contains(text, "changed: xdp.interface\n") {
		t.Errorf("weir reload says %q", text)
	}
	m = r.w.scrape()
	if m.mode("eth1") == "udp" || m.count("capture_opened_total", `interface="eth0"`) != 1 {
		t.Errorf("eth1 is captured as %q, eth0 opened %d times", m.mode("eth1"), m.count("capture_opened_total", `interface="eth0"`))
	}
	conn := dialOn(t, l.exporter, "10.8.1.1", "10.8.1.2:2055")
	for range 20 {
		send(t, conn, netflow5(next*frameRecords, frameRecords))
		next++
	}
	deliver(40, own)
	if m = r.w.settleBoth(next); m.path("udp") != 0 {
		t.Errorf("two interfaces: %d over the sockets", m.path("udp"))
	}

	// Without the first, and then without any: their datagrams come over the sockets.
	r.reload(config("netflow://:2055,flow://:2056", "[eth1]"), 0)
	l.noProgram()
	deliver(40, own)
	if m = r.w.settleBoth(next); m.path("udp") != 40 || m.verdict("redirect") == 0 {
		t.Errorf("without eth0: %d over the sockets, want 40", m.path("udp"))
	}
	r.reload(config("netflow://:2055,flow://:2056", "[]"), 0)
	deliver(40, other)
	if m = r.w.settleBoth(next); m.path("udp") != 80 {
		t.Errorf("without interfaces: %d over the sockets, want 80", m.path("udp"))
	}

	// Back again, with other rings: counts go on.
	r.reload(strings.Replace(config("netflow://:2055", "[eth0, eth1]"), "workers: 2", "workers: 2, ring: 1024", 1), 0)
	deliver(40, own)
	if m = r.w.settleBoth(next); m.path("udp") != 80 || m.path("xdp")+80 != next || m.mode("eth0") == "udp" {
		t.Errorf("back again: %d over the sockets, %d over XDP, %d sent", m.path("udp"), m.path("xdp"), next)
	}
	if _, page, err := r.w.get("/__health"); err != nil || strings.Count(page, "capture ") != 2 {
		t.Errorf("/__health: %v\n%s", err, page)
	}
	r.w.stop()
	eachNumberOnce(t, "all", numbersOf(readLines(t, file)), 0, next*frameRecords)
	l.noProgram()
}

// TestXDPReloadFirstInterface: a weir that captures nothing has given up what that takes, and
// says that it has to be started again.
func TestXDPReloadFirstInterface(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	file := filepath.Join(t.TempDir(), "flows.json")
	rest := "listen: netflow://:2055\ntransport.file: " + file + "\n"
	r := startReloadable(t, host, file, rest)
	text := r.reload(rest+"xdp.interface: lo\nloglevel: debug\n", 0)
	if text != "reloaded\nchanged: loglevel\nchanged at the next start of weir: xdp.interface\n" {
		t.Errorf("weir reload says %q", text)
	}
	r.w.stop()
}
