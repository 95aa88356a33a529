package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/internal/weirtest"
)

// Where frames are sent to.
var (
	collectorPort4 = netip.MustParseAddrPort(collector4 + ":2055")
	collectorPort6 = netip.MustParseAddrPort("[" + collector6 + "]:2055")
)

const (
	// linkMTU is that of a veth pair unless a test says otherwise.
	linkMTU = 1500
	// burst is how many frames are sent before a pause: the ring of a veth holds
	// 256, and what does not fit is lost without a trace.
	burst = 32
	// window is how many datagrams may be on the way to weir. Its rings hold 2048
	// for each worker and queue.
	window = 1024
)

// xdpLab is the network of a test with frames of the test's own making: they go
// from a packet socket on the exporter's eth0 to the collector's.
type xdpLab struct {
	t                   *testing.T
	exporter, collector *testnet.Host
	queues              int
	socket              int // packet socket
	srcMAC, dstMAC      net.HardwareAddr
	datagramID          uint32 // of the next datagram in fragments
	sent                int    // frames
}

// newXDPLab makes the network, or skips the test where this process may not use
// XDP. The collector's stack takes datagrams of any source, and neither host says
// anything of its own accord: IPv6 is off on the exporter, and each knows the
// other's address.
func newXDPLab(t *testing.T, queues int) *xdpLab {
	t.Helper()
	n := testnet.New(t)
	needXDP(t)
	l := &xdpLab{t: t, exporter: n.AddHost("exporter"), collector: n.AddHost("collector"), queues: queues, socket: -1}
	t.Cleanup(l.disconnect)
	l.connect()
	return l
}

// needXDP skips a test where programs or AF_XDP sockets cannot be had, or fails it
// where CI=true.
func needXDP(t *testing.T) {
	t.Helper()
	if err := tryXDP(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW or the kernel's AF_XDP sockets are missing, and with CI=true this test must run", err)
		}
		t.Skipf("%v: CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW or the kernel's AF_XDP sockets are missing: try as root", err)
	}
}

var tryXDP = sync.OnceValue(func() error {
	program, err := bpf.Load(bpf.Config{Workers: 1, Queues: 1}, []bpf.Listen{{Port: 2055}})
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	return errors.Join(err, program.Close())
})

// connect joins the hosts. It may be called again after disconnect.
func (l *xdpLab) connect() {
	l.t.Helper()
	testnet.Veth(l.t, l.exporter, "eth0", exporter4+"/24", "", l.collector, "eth0", collector4+"/24", collector6+"/64", l.queues)
	l.setting(l.exporter, "ipv6/conf/eth0/disable_ipv6", "1")
	for _, name := range []string{"all", "eth0"} {
		// Sources of all kinds, of loopback too, which captures have.
		for setting, value := range map[string]string{"rp_filter": "0", "accept_local": "1", "route_localnet": "1"} {
			l.setting(l.collector, "ipv4/conf/"+name+"/"+setting, value)
		}
	}
	from, to := l.link(l.exporter), l.link(l.collector)
	l.srcMAC, l.dstMAC = from.Attrs().HardwareAddr, to.Attrs().HardwareAddr
	l.neighbour(l.collector, to, exporter4, l.srcMAC)
	l.neighbour(l.exporter, from, collector4, l.dstMAC)
	_, everything, _ := net.ParseCIDR("0.0.0.0/0")
	if err := l.collector.Netlink().RouteAdd(&netlink.Route{LinkIndex: to.Attrs().Index, Dst: everything}); err != nil {
		l.t.Fatalf("add route: %v", err)
	}
	err := l.exporter.Do(func() (err error) {
		if l.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return os.NewSyscallError("socket", err)
		}
		return os.NewSyscallError("bind", unix.Bind(l.socket, &unix.SockaddrLinklayer{Ifindex: from.Attrs().Index}))
	})
	if err != nil {
		l.t.Fatalf("open packet socket: %v", err)
	}
}

// disconnect removes the veth pair, if it is there.
func (l *xdpLab) disconnect() {
	if l.socket >= 0 {
		unix.Close(l.socket)
		l.socket = -1
	}
	if link, err := l.exporter.Netlink().LinkByName("eth0"); err == nil {
		if err := l.exporter.Netlink().LinkDel(link); err != nil {
			l.t.Errorf("remove eth0: %v", err)
		}
	}
}

func (l *xdpLab) setting(host *testnet.Host, name, value string) {
	l.t.Helper()
	err := host.Do(func() error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0) })
	if err != nil {
		l.t.Fatalf("set %s of %s: %v", name, host.Name, err)
	}
}

// link returns a host's eth0 as it is now.
func (l *xdpLab) link(host *testnet.Host) netlink.Link {
	l.t.Helper()
	link, err := host.Netlink().LinkByName("eth0")
	if err != nil {
		l.t.Fatalf("find eth0 of %s: %v", host.Name, err)
	}
	return link
}

// neighbour tells a host where an address is, so that it need not ask.
func (l *xdpLab) neighbour(host *testnet.Host, link netlink.Link, addr string, mac net.HardwareAddr) {
	l.t.Helper()
	err := host.Netlink().NeighSet(&netlink.Neigh{
		LinkIndex: link.Attrs().Index, IP: net.ParseIP(addr), HardwareAddr: mac,
		Family: unix.AF_INET, State: netlink.NUD_PERMANENT,
	})
	if err != nil {
		l.t.Fatalf("set neighbour %s of %s: %v", addr, host.Name, err)
	}
}

// setMTU sets the MTU of an end.
func (l *xdpLab) setMTU(host *testnet.Host, mtu int) {
	l.t.Helper()
	if err := host.Netlink().LinkSetMTU(l.link(host), mtu); err != nil {
		l.t.Fatalf("set MTU of %s to %d: %v", host.Name, mtu, err)
	}
}

// programOn returns the kernel's number of the XDP program on the collector's
// eth0, 0 if there is none.
func (l *xdpLab) programOn() uint32 {
	l.t.Helper()
	if x := l.link(l.collector).Attrs().Xdp; x != nil {
		return x.ProgId
	}
	return 0
}

// noProgram checks that nothing is left on the interface. The kernel takes the
// program off when the last descriptor of it is closed, which may be a moment
// after the end of the process.
func (l *xdpLab) noProgram() {
	l.t.Helper()
	eventually(l.t, "no XDP program on the interface", func() bool { return l.programOn() == 0 })
}

// send sends frames. After each burst it waits until the other end has taken them off the
// ring of the veth, which the kernel does late on a busy machine.
func (l *xdpLab) send(frames ...[]byte) {
	l.t.Helper()
	for _, f := range frames {
		if l.sent++; l.sent%burst == 0 {
			time.Sleep(time.Millisecond)
			l.taken()
		}
		if _, err := unix.Write(l.socket, f); err != nil {
			l.t.Fatalf("send frame of %d bytes: %v", len(f), err)
		}
	}
}

// taken waits until the collector's end has taken all frames that the exporter's has sent,
// for a second at most: the counts differ where the interface was down in between.
func (l *xdpLab) taken() {
	l.t.Helper()
	sent := l.link(l.exporter).Attrs().Statistics.TxPackets
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if at := l.link(l.collector).Attrs().Statistics; at.RxPackets+at.RxDropped >= sent {
			return
		}
	}
}

// stream sends frames on and on, so many at a time with a pause after them, until
// the returned function is called, which returns how many. Those that the interface
// does not take are lost: it may be down.
func (l *xdpLab) stream(atOnce int, frame func(i int) []byte) (stop func() int) {
	var stopping atomic.Bool
	sent := make(chan int)
	socket := l.socket
	go func() {
		n := 0
		for ; !stopping.Load(); n++ {
			if n%atOnce == 0 {
				time.Sleep(time.Millisecond)
			}
			_, _ = unix.Write(socket, frame(n))
		}
		sent <- n
	}()
	stop = sync.OnceValue(func() int {
		stopping.Store(true)
		return <-sent
	})
	l.t.Cleanup(func() { stop() })
	return stop
}

// deliver sends frames, each of which is a datagram for weir, as fast as weir
// receives them, and returns when it has them all.
func (l *xdpLab) deliver(w *weir, frames [][]byte) {
	l.t.Helper()
	base := w.received()
	for sent := 0; sent < len(frames); {
		n := min(window/2, len(frames)-sent)
		l.send(frames[sent : sent+n]...)
		sent += n
		w.waitMetric(base+sent-window/2, "datagrams_received_total")
	}
	w.waitMetric(base+len(frames), "datagrams_received_total")
}

func (w *weir) received() int { return w.scrape().count("datagrams_received_total") }

// ethernet puts an Ethernet header before an IP packet, with VLAN tags: of two the
// first is that of a provider (IEEE 802.1ad).
func (l *xdpLab) ethernet(packet []byte, tags ...uint16) []byte {
	b := append(append([]byte{}, l.dstMAC...), l.srcMAC...)
	for i, tag := range tags {
		kind := uint16(unix.ETH_P_8021Q)
		if i < len(tags)-1 {
			kind = unix.ETH_P_8021AD
		}
		b = be.AppendUint16(b, kind)
		b = be.AppendUint16(b, tag)
	}
	kind := uint16(unix.ETH_P_IP)
	if packet[0]>>4 == 6 {
		kind = unix.ETH_P_IPV6
	}
	return append(be.AppendUint16(b, kind), packet...)
}

// frame returns a datagram to weir in one frame.
func (l *xdpLab) frame(src netip.AddrPort, payload []byte, tags ...uint16) []byte {
	return l.frameTo(src, collectorFor(src), payload, tags...)
}

func (l *xdpLab) frameTo(src, dst netip.AddrPort, payload []byte, tags ...uint16) []byte {
	return l.ethernet(ipPacket(src.Addr(), dst.Addr(), unix.IPPROTO_UDP, udpDatagram(src, dst, payload)), tags...)
}

// fragments returns a datagram in the frames that an MTU allows.
func (l *xdpLab) fragments(src netip.AddrPort, payload []byte, mtu int) [][]byte {
	dst := collectorFor(src)
	l.datagramID++
	var out [][]byte
	for _, packet := range ipFragments(src.Addr(), dst.Addr(), unix.IPPROTO_UDP, udpDatagram(src, dst, payload), mtu, l.datagramID) {
		out = append(out, l.ethernet(packet))
	}
	return out
}

func collectorFor(src netip.AddrPort) netip.AddrPort {
	if src.Addr().Is4() {
		return collectorPort4
	}
	return collectorPort6
}

// source returns an address that datagrams are sent from: number i of 10.2.0.0/16
// or fd00:2::/112.
func source(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), 5000)
}

func source6(i int) netip.AddrPort {
	a := netip.MustParseAddr("fd00:2::").As16()
	binary.BigEndian.PutUint16(a[14:], uint16(i))
	return netip.AddrPortFrom(netip.AddrFrom16(a), 5000)
}

// numberedFrames returns frames of NetFlow v5 from a few exporters, whose records
// are numbered from first*recordsPerDatagram on.
func (l *xdpLab) numberedFrames(first, n int) [][]byte {
	var frames [][]byte
	for i := first; i < first+n; i++ {
		frames = append(frames, l.frame(source(i%16), netflow5(i*recordsPerDatagram, recordsPerDatagram)))
	}
	return frames
}

// startXDP starts a collector that captures eth0, or does not start.
func startXDP(l *xdpLab, args ...string) *weir {
	l.t.Helper()
	return startWeir(l.t, l.collector, append([]string{"-xdp.interface", "eth0", "-xdp.require"}, args...)...)
}

// mode returns the capture mode that the metrics say is in force on an interface.
func (m metrics) mode(name string) string { return weirtest.Mode(m, name) }

func (m metrics) verdict(label string) int {
	return m.count("xdp_verdicts_total", `verdict="`+label+`"`)
}

func (m metrics) path(name string) int {
	return m.count("datagrams_received_total", `path="`+name+`"`)
}

// settleBoth waits until n datagrams were received over both paths together, nothing is
// in flight and the books balance. A page is read while workers count: that one does not
// balance says nothing, that none does is a fault.
func (w *weir) settleBoth(n int) metrics {
	w.t.Helper()
	w.waitMetric(n, "datagrams_received_total")
	var m metrics
	var wrong []string
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		m = w.scrape()
		if wrong = m.bothPaths(); len(wrong) == 0 {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("books do not balance: %s", strings.Join(wrong, "; "))
		}
	}
	if got := m.count("datagrams_received_total"); got != n {
		w.t.Errorf("%d datagrams received, want %d", got, n)
	}
	return m
}

// bothPaths returns which of the sums do not hold that hold over both paths together when
// nothing is in flight.
func (m metrics) bothPaths() (wrong []string) {
	decoded := m.count("datagrams_total", `outcome="decoded"`) + m.count("datagrams_total", `outcome="failed"`)
	denied, limited := m.count("datagrams_total", `reason="denied"`), m.count("datagrams_total", `reason="rate"`)
	produced := m.count("records_produced_total")
	for _, sum := range []struct {
		what      string
		got, want int
	}{
		{"records in flight, and none", m.count("records_in_flight"), 0},
		{"received over udp and xdp, and decoded + failed + denied + over the rate", m.path("udp") + m.path("xdp"), decoded + denied + limited},
		{"received, and the sum of all paths", m.count("datagrams_received_total"), m.path("udp") + m.path("xdp")},
		{"redirected, and received over xdp + dropped on the way", m.verdict("redirect"), m.path("xdp") + m.count("xdp_dropped_total")},
		{"decoded + failed, and by protocol", decoded, m.count("protocol_datagrams_total")},
		{"decoded + failed, and by exporter", decoded, m.count("exporter_datagrams_total")},
		{"over the rate, and by exporter", limited, m.count("exporter_limited_total")},
		{"records, and acknowledged + dropped", produced, m.count("records_sink_total")},
		{"records, and by exporter", produced, m.count("exporter_records_total")},
	} {
		if sum.got != sum.want {
			wrong = append(wrong, fmt.Sprintf("%s: %d and %d", sum.what, sum.got, sum.want))
		}
	}
	return wrong
}

// raceDetector says that weir was built with the race detector and is slow.
var raceDetector = sync.OnceValue(func() bool {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			if s.Key == "-race" {
				return s.Value == "true"
			}
		}
	}
	return false
})

// xdpKinds are the captures that tests are run with.
var xdpKinds = []struct {
	name   string
	mode   string
	queues int
}{
	{"native 4 queues", "native", 4},
	{"native 1 queue", "native", 1},
	{"generic 4 queues", "generic", 4},
	{"generic 1 queue", "generic", 1},
}
