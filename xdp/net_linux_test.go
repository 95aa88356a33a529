package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/internal/testnet"
)

const (
	port = 2055
	// inFlight is how many frames a test has on the way at most: a veth queue holds
	// 256, and what does not fit is lost without a trace.
	inFlight = 128
	patience = 30 * time.Second
)

// lab is an exporter and a collector, joined by a veth pair.
type lab struct {
	t                   testing.TB
	exporter, collector *testnet.Host
	sender              int // packet socket of the exporter
	srcMAC, dstMAC      [6]byte
}

func newLab(t testing.TB, queues, mtu int) *lab {
	t.Helper()
	n := testnet.New(t)
	l := &lab{t: t, exporter: n.AddHost("exporter"), collector: n.AddHost("collector"), sender: -1}
	testnet.Veth(t, l.exporter, "veth0", "10.1.0.1/24", "fd00:1::1/64", l.collector, "veth0", "10.1.0.2/24", "fd00:1::2/64", queues)
	index := 0
	for _, end := range []struct {
		host *testnet.Host
		mac  *[6]byte
	}{{l.collector, &l.dstMAC}, {l.exporter, &l.srcMAC}} {
		link, err := end.host.Netlink().LinkByName("veth0")
		if err != nil {
			t.Fatal(err)
		}
		if mtu != 0 {
			if err := end.host.Netlink().LinkSetMTU(link, mtu); err != nil {
				t.Fatal(err)
			}
		}
		copy(end.mac[:], link.Attrs().HardwareAddr)
		index = link.Attrs().Index // of the exporter, at last
	}
	err := l.exporter.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		l.sender = fd
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(l.sender) })
	return l
}

// send sends a frame from the exporter.
func (l *lab) send(frame []byte) {
	if _, err := unix.Write(l.sender, frame); err != nil {
		l.t.Errorf("send: %v", err)
	}
}

// from is a frame from source i with a payload that tells it and a number.
func (l *lab) from(i, number, size int) []byte {
	return l.spec(i, number, size).frame()
}

func (l *lab) spec(i, number, size int) packetSpec {
	payload := make([]byte, max(size, 8))
	binary.BigEndian.PutUint32(payload, uint32(i))
	binary.BigEndian.PutUint32(payload[4:], uint32(number))
	for j := 8; j < len(payload); j++ {
		payload[j] = byte(i + number + j)
	}
	p := packetSpec{dstMAC: l.dstMAC, srcMAC: l.srcMAC, payload: payload}
	if i%4 != 3 {
		p.src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), 5000)
		p.dst = netip.MustParseAddrPort("10.1.0.2:2055")
	} else {
		p.src = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)}), 5000)
		p.dst = netip.MustParseAddrPort("[fd00:1::2]:2055")
	}
	return p
}

// identify reads what from wrote, and checks the rest of the frame.
func identify(l *lab, f Frame) (i, number int, err error) {
	if len(f.Payload) < 8 {
		return 0, 0, fmt.Errorf("payload of %d bytes from %v", len(f.Payload), f.Src)
	}
	i, number = int(binary.BigEndian.Uint32(f.Payload)), int(binary.BigEndian.Uint32(f.Payload[4:]))
	want := l.spec(i, number, 0)
	if f.Src != want.src || f.Dst != want.dst {
		return i, number, fmt.Errorf("source %d: %v to %v, want %v to %v", i, f.Src, f.Dst, want.src, want.dst)
	}
	for j := 8; j < len(f.Payload); j++ {
		if f.Payload[j] != byte(i+number+j) {
			return i, number, fmt.Errorf("source %d datagram %d: byte %d is %#x", i, number, j, f.Payload[j])
		}
	}
	return i, number, nil
}

// loader loads the real program for port 2055 and closes it when the test ends.
func loader(t testing.TB, program **bpf.Program) func(Target) (Program, error) {
	return func(target Target) (Program, error) {
		p, err := bpf.Load(bpf.Config{Workers: target.Workers, Queues: target.Queues, Host: target.Interface.Host, Frags: target.Frags, MaxFrame: target.MaxFrame},
			[]bpf.Listen{{Port: port}})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { p.Close() })
		if program != nil {
			*program = p
		}
		return p, nil
	}
}

// open opens a capture on the collector, or skips the test where this process may
// not. It is closed when the test ends.
func (l *lab) open(cfg Config) *Capture {
	l.t.Helper()
	c, err := l.tryOpen(cfg)
	if err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EAFNOSUPPORT) {
			if os.Getenv("CI") == "true" {
				l.t.Fatalf("%v: with CI=true this test must run", err)
			}
			l.t.Skipf("%v: try as root", err)
		}
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	return c
}

func (l *lab) tryOpen(cfg Config) (c *Capture, err error) {
	if cfg.Interface == "" {
		cfg.Interface = "veth0"
	}
	if cfg.Load == nil {
		cfg.Load = loader(l.t, nil)
	}
	if cfg.Workers == 0 {
		cfg.Workers = 1
	}
	err = l.collector.Do(func() error {
		c, err = Open(cfg)
		return err
	})
	return c, err
}

// wait waits until one of a receiver's sockets has something, or a moment.
func wait(r *Receiver) {
	set := make([]unix.PollFd, 0, 8)
	for _, fd := range r.Fds() {
		set = append(set, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	_, _ = unix.Poll(set, 5)
}

// gather receives n frames with one worker and calls f for each.
func gather(t testing.TB, r *Receiver, n int, f func(Frame)) {
	t.Helper()
	for deadline := time.Now().Add(patience); n > 0; {
		got := r.Receive()
		for i := range got {
			f(r.frame(i))
		}
		r.Release()
		if n -= got; n <= 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d frames did not come", n)
		}
		if got == 0 {
			wait(r)
		}
	}
	if n < 0 {
		t.Fatalf("%d frames too many", -n)
	}
}

// programOn returns the id of the XDP program on the collector's interface.
func (l *lab) programOn() (id uint32) {
	l.t.Helper()
	err := l.collector.Do(func() error {
		i, err := Probe("veth0")
		id = i.ProgramID
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// listen opens an ordinary socket on the collector.
func (l *lab) listen(address string) *net.UDPConn {
	l.t.Helper()
	var conn *net.UDPConn
	err := l.collector.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	return conn
}

// window lets a sender run no further ahead of the receivers than a number.
type window struct {
	mu   sync.Mutex
	cond *sync.Cond
	free int
	over bool
}

func newWindow(n int) *window {
	w := &window{free: n}
	w.cond = sync.NewCond(&w.mu)
	return w
}

// take waits for room; it is false when the test is over.
func (w *window) take() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.free == 0 && !w.over {
		w.cond.Wait()
	}
	w.free--
	return !w.over
}

func (w *window) give(n int) {
	w.mu.Lock()
	w.free += n
	w.mu.Unlock()
	w.cond.Signal()
}

func (w *window) end() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.cond.Signal()
}
