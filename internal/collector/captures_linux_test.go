package collector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/decoders/template"
	pcap "github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/xdp"
)

// frameOf is an Ethernet frame with a UDP datagram by IPv4, without checksums: the
// XDP path verifies none.
func frameOf(src, dst netip.AddrPort, payload []byte) []byte {
	b := make([]byte, 12, 42+len(payload))
	for i := range b {
		b[i] = 2
	}
	b = append(b, 8, 0, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(28+len(payload)))
	b = append(b, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0)
	b = append(append(b, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

// captureLab is a sender and a receiver joined by a veth pair, and workers.
type captureLab struct {
	t        *testing.T
	receiver *testnet.Host
	socket   int // packet socket of the sender
	port     netip.AddrPort
	rigs     []*rig
	workers  []*Worker
}

func newCaptureLab(t *testing.T, queues, workers int, edit ...func(*rigConfig)) *captureLab {
	t.Helper()
	n := testnet.New(t)
	sender, receiver := n.AddHost("sender"), n.AddHost("receiver")
	testnet.Veth(t, sender, "eth0", "10.1.0.1/24", "", receiver, "eth0", "10.1.0.2/24", "", queues)
	l := &captureLab{t: t, receiver: receiver, port: netip.MustParseAddrPort("10.1.0.2:2055")}
	to, err := receiver.Netlink().LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	// What frameOf makes is to this address: others are the stack's.
	if err := receiver.Netlink().LinkSetHardwareAddr(to, net.HardwareAddr{2, 2, 2, 2, 2, 2}); err != nil {
		t.Fatal(err)
	}
	link, err := sender.Netlink().LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Do(func() (err error) {
		if l.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err == nil {
			err = unix.Bind(l.socket, &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index})
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(l.socket) })
	exporters := NewExporters()
	for i := range workers {
		cfg := rigConfig{index: i, depth: 64, exporters: exporters}
		for _, e := range edit {
			e(&cfg)
		}
		r := newRig(t, cfg)
		r.start()
		l.rigs, l.workers = append(l.rigs, r), append(l.workers, r.Worker)
	}
	return l
}

// capture starts to capture, or skips the test where this process may not.
func (l *captureLab) capture(cfg CaptureConfig) *Captures {
	l.t.Helper()
	return l.captureIn(cfg, system{open: xdp.Open, observe: observe})
}

// captureIn does the same in another system.
func (l *captureLab) captureIn(cfg CaptureConfig, sys system) *Captures {
	l.t.Helper()
	cfg.Interfaces, cfg.Listens = []string{"eth0"}, []netip.AddrPort{l.port}
	cfg.RingSize, cfg.Require = 1024, true
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Mode == "" {
		cfg.Mode = "auto"
	}
	cfg.ZeroCopy = "auto"
	var c *Captures
	err := l.receiver.Do(func() (err error) {
		c, err = startCaptures(cfg, l.workers, sys)
		return err
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EAFNOSUPPORT) {
		if os.Getenv("CI") == "true" {
			l.t.Fatalf("%v: with CI=true this test must run", err)
		}
		l.t.Skipf("%v: try as root", err)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

func (l *captureLab) send(i int, src netip.AddrPort, payload []byte) {
	l.t.Helper()
	if i%32 == 31 {
		time.Sleep(time.Millisecond) // a veth holds 256
	}
	if _, err := unix.Write(l.socket, frameOf(src, l.port, payload)); err != nil {
		l.t.Fatal(err)
	}
}

// received sums up what the workers received by AF_XDP.
func (l *captureLab) received() (n int) {
	for _, w := range l.workers {
		n += int(w.Snapshot().Received[PathXDP])
	}
	return n
}

func verdict(stats []CaptureStats, v bpf.Verdict) (n uint64) {
	for _, s := range stats {
		for _, c := range s.Verdicts {
			if c.Label == v.String() {
				n += c.N
			}
		}
	}
	return n
}

// TestExporterHasOneWorker: on however many queues an exporter's datagrams come, one
// worker gets them all.
func TestExporterHasOneWorker(t *testing.T) {
	const queues, workers, sources, ports, datagrams = 4, 3, 256, 4, 4096
	l := newCaptureLab(t, queues, workers)
	c := l.capture(CaptureConfig{})
	for i := range datagrams {
		// Another port is another flow, and often another queue.
		src := netip.AddrPortFrom(numberedAddr(i%sources), uint16(5000+i/sources%ports))
		l.send(i, src, v5(1))
		if i%512 == 511 {
			eventually(t, "the workers keep up", func() bool { return l.received() > i-512 })
		}
	}
	eventually(t, "all is received", func() bool { return l.received() == datagrams })
	stats := c.Stats()
	if len(stats) != 1 || stats[0].Mode != ModeNative || stats[0].Opened != 1 || verdict(stats, bpf.Redirect) != datagrams {
		t.Errorf("%+v", stats)
	}
	c.Stop()
	for _, r := range l.rigs {
		r.end() // now its table may be looked at
	}
	owner := map[netip.Addr]int{}
	for i, r := range l.rigs {
		if len(r.senders.all) == 0 {
			t.Errorf("worker %d has no exporter", i)
		}
		for addr := range r.senders.all {
			if other, ok := owner[addr]; ok {
				t.Errorf("%v is received by workers %d and %d", addr, other, i)
			}
			owner[addr] = i
			if want := bpf.Worker(addr, workers); i != int(want) {
				t.Errorf("%v is received by worker %d, want %d", addr, i, want)
			}
		}
	}
	if len(owner) != sources {
		t.Errorf("%d exporters, want %d", len(owner), sources)
	}
	// The counts outlive the capture.
	after := c.Stats()
	if after[0].Mode != ModeUDP || verdict(after, bpf.Redirect) != datagrams {
		t.Errorf("after the end: %+v", after)
	}
}

// TestCapturesComeAndGo: workers take over and let go of their ends while frames
// come, and what they were given is received.
func TestCapturesComeAndGo(t *testing.T) {
	l := newCaptureLab(t, 2, 2)
	var total uint64
	for range 5 {
		c := l.capture(CaptureConfig{})
		stop := make(chan struct{})
		var sending sync.WaitGroup
		var failed atomic.Bool
		sending.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if i%32 == 0 {
					time.Sleep(time.Millisecond)
				}
				if _, err := unix.Write(l.socket, frameOf(netip.AddrPortFrom(numberedAddr(i%64), 1), l.port, v5(1))); err != nil {
					failed.Store(true)
					return
				}
			}
		})
		before := l.received()
		eventually(t, "frames come", func() bool { return failed.Load() || l.received() > before+500 })
		c.Stop() // while frames come
		close(stop)
		sending.Wait()
		if failed.Load() {
			t.Fatal("frames were not sent")
		}
		stats := c.Stats()
		total += verdict(stats, bpf.Redirect)
		for _, d := range stats[0].Dropped {
			total -= d.N
		}
		for i, w := range l.workers {
			if n := len(w.src.had.receivers); n != 0 {
				t.Errorf("worker %d has %d ends left", i, n)
			}
		}
	}
	eventually(t, "the counts are published", func() bool { return l.received() >= int(total) })
	if n := l.received(); n != int(total) {
		t.Errorf("%d frames received, %d were redirected and not dropped", n, total)
	}
}

// checkWaiting looks once at what became of the frames, which must be in one place
// each, and returns how many wait.
func (l *captureLab) checkWaiting(c *Captures) uint64 {
	l.t.Helper()
	received := uint64(l.received())
	redirected, dropped := SumCaptures(c.Stats())
	waiting := FramesWaiting(redirected, received, dropped)
	if received+dropped+waiting != redirected {
		l.t.Errorf("%d redirected, %d received + %d dropped + %d waiting", redirected, received, dropped, waiting)
	}
	return waiting
}

// TestFramesWaiting: whenever one looks, under load, while rings overflow and at the
// end of a capture, each frame that was redirected was received, dropped or waits.
func TestFramesWaiting(t *testing.T) {
	l := newCaptureLab(t, 2, 2, func(cfg *rigConfig) { cfg.depth, cfg.BatchSize = 2, 1<<10 }) // a sink that is stuck
	c := l.capture(CaptureConfig{})
	stop := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if i%200 == 0 {
				time.Sleep(time.Millisecond)
			}
			_, _ = unix.Write(l.socket, frameOf(netip.AddrPortFrom(numberedAddr(i%64), 1), l.port, v5(30)))
		}
	})
	most, looks := uint64(0), 0
	for began := time.Now(); (time.Since(began) < time.Second || looks < 20) && !t.Failed(); looks++ {
		most = max(most, l.checkWaiting(c))
	}
	ended := make(chan struct{})
	go func() { c.Stop(); close(ended) }()
	for over := false; !over && !t.Failed(); looks++ {
		select {
		case <-ended:
			over = true
		default:
		}
		l.checkWaiting(c)
	}
	close(stop)
	sending.Wait()
	if most == 0 {
		t.Errorf("no frame waited in %d looks", looks)
	}
	eventually(t, "nothing waits", func() bool { return l.checkWaiting(c) == 0 })
}

// TestStopCountsFrames: a worker that stops while the sink is stuck counts what its
// rings hold.
func TestStopCountsFrames(t *testing.T) {
	l := newCaptureLab(t, 1, 1, func(cfg *rigConfig) { cfg.depth, cfg.BatchSize = 2, 1<<10 })
	c := l.capture(CaptureConfig{})
	w := l.workers[0]
	l.send(0, source1, v5(30))
	l.send(0, source1, v5(30)) // the sink has all batches from here on
	eventually(t, "both frames are received", func() bool { return l.received() == 2 })
	w.EndBy(time.Now().Add(50 * time.Millisecond))
	const frames = 800
	for i := range frames {
		l.send(i, source1, v5(30))
	}
	c.Stop()
	l.rigs[0].end()
	s := w.Snapshot()
	stats := c.Stats()
	if got := int(verdict(stats, bpf.Redirect)); got != frames+2 || unaccounted(&s) != 0 || s.Shutdown == 0 {
		t.Errorf("%d frames redirected of %d, %d datagrams in no counter, %d dropped by shutdown", got, frames+2, unaccounted(&s), s.Shutdown)
	}
	if n := l.checkWaiting(c); n != 0 {
		t.Errorf("%d frames wait after the end", n)
	}
}

// source1 is an exporter.
var source1 = netip.AddrPortFrom(numberedAddr(1), 1)

// TestErrorSamplesOfFrames: a sample of a frame has the addresses of its headers, one that came
// over a socket after it the socket's.
func TestErrorSamplesOfFrames(t *testing.T) {
	dir := t.TempDir()
	samples := NewErrorSamples(dir, 10, retain.Limits{}, producer.NewStore(template.DefaultLimits()), slog.New(slog.DiscardHandler))
	l := newCaptureLab(t, 1, 1, func(cfg *rigConfig) { cfg.errors = samples })
	c := l.capture(CaptureConfig{})
	defer c.Stop()
	src := netip.MustParseAddrPort("10.9.0.1:7")
	l.send(0, src, v5(1))
	l.send(1, src, []byte{0, 99, 1})
	eventually(t, "both frames were received", func() bool { return l.received() == 2 })
	if _, err := l.rigs[0].conns[0].Write([]byte{0, 99, 2}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both samples are written", func() bool { return samples.Stats().Written == 2 })
	samples.Close()
	list, _, err := pcap.Load(filepath.Join(dir, "unknown_version.pcap"))
	if err != nil || len(list) != 2 {
		t.Fatalf("%d datagrams, %v", len(list), err)
	}
	if d := list[0]; d.Src != src || d.Dst != l.port || !bytes.Equal(d.Payload, []byte{0, 99, 1}) {
		t.Errorf("of the frame: %+v", d)
	}
	if d := list[1]; d.Dst.String() != l.rigs[0].sockets()[0].LocalAddr().String() || !bytes.Equal(d.Payload, []byte{0, 99, 2}) {
		t.Errorf("of the socket: %+v", d)
	}
}

// TestLimitedByProgram: the exporters that the program held to their rate can be
// asked for, as many as one wants.
func TestLimitedByProgram(t *testing.T) {
	l := newCaptureLab(t, 1, 1)
	c := l.capture(CaptureConfig{Rate: 1, Deny: prefixes("10.9.0.0/16")})
	defer c.Stop()
	const sources, each = 10, 100
	for i := range sources * each {
		l.send(i, netip.AddrPortFrom(numberedAddr(i%sources), 1), v5(1))
	}
	for i := range 5 {
		l.send(i, netip.MustParseAddrPort("10.9.0.1:1"), v5(1))
	}
	eventually(t, "all frames have a verdict", func() bool {
		s := c.Stats()
		return verdict(s, bpf.Redirect)+verdict(s, bpf.DropRate)+verdict(s, bpf.DropDenied) == sources*each+5
	})
	if n := verdict(c.Stats(), bpf.DropDenied); n != 5 {
		t.Errorf("%d denied, want 5", n)
	}
	for limit, want := range map[int]int{0: 0, 3: 3, 100: sources} {
		exporters, sum := 0, uint64(0)
		c.Limited(limit, func(addr netip.Addr, n uint64) {
			if n == 0 || n > each-minBurst || addr.As4()[0] != 10 {
				t.Errorf("%d datagrams of %v", n, addr)
			}
			exporters++
			sum += n
		})
		if exporters != want || limit == 100 && sum != verdict(c.Stats(), bpf.DropRate) {
			t.Errorf("limit %d: %d exporters, %d datagrams", limit, exporters, sum)
		}
	}
}

// TestSetFramesAfterEnd: a worker that has ended holds nobody up.
func TestSetFramesAfterEnd(t *testing.T) {
	r := newRig(t, rigConfig{})
	r.start()
	r.end()
	done := make(chan struct{})
	go func() {
		r.SetFrames(nil)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("SetFrames waits for a worker that has ended")
	}
}

// TestRedirectFailed: what was redirected to a socket that cannot take it is counted,
// though the kernel does not.
func TestRedirectFailed(t *testing.T) {
	l := newCaptureLab(t, 1, 1)
	c := l.capture(CaptureConfig{})
	unbound, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(unbound)
	if err := unix.SetsockoptInt(unbound, unix.SOL_XDP, unix.XDP_RX_RING, 64); err != nil { // or 7.3 refuses it
		t.Fatal(err)
	}
	const good, bad = 50, 1000
	send := func(n int) {
		for i := range n {
			l.send(i, netip.AddrPortFrom(numberedAddr(i%16), 1), v5(1))
		}
	}
	send(good)
	eventually(t, "the first come", func() bool { return l.received() == good })
	if err := c.list[0].program.SetSocket(0, 0, unbound); err != nil {
		t.Fatal(err)
	}
	send(bad)
	failed := func() (n uint64) {
		for _, d := range c.Stats()[0].Dropped {
			if d.Label == "redirect_failed" {
				n = d.N
			}
		}
		return n
	}
	eventually(t, "most are counted", func() bool { n := failed(); return n > bad/2 && n <= bad })
	eventually(t, "all are counted once nothing comes", func() bool { return failed() == bad })
	c.Stop()
	if n := failed(); n != bad {
		t.Errorf("%d counted in the end, want %d", n, bad)
	}
	if n := l.received(); n != good {
		t.Errorf("%d received, want %d", n, good)
	}
}

// TestRatedDuringReload: a page may be asked for while a reload changes the rate (for the
// race detector).
func TestRatedDuringReload(t *testing.T) {
	c := &Captures{}
	done := make(chan bool)
	go func() { done <- c.Rated() }()
	commit, _, err := c.Prepare(CaptureConfig{Rate: 5})
	if err != nil {
		t.Fatal(err)
	}
	commit()
	<-done
	if !c.Rated() {
		t.Error("the new rate is not in force")
	}
}
