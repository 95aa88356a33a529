package xdp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// Frames of every shape that the program redirects arrive as they were sent.
func TestShapes(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t, 1, 0)
			c := l.open(Config{Mode: mode})
			for _, test := range goodFrames {
				p := test.spec
				p.dstMAC, p.srcMAC = l.dstMAC, l.srcMAC
				l.send(p.frame())
				gather(t, c.Worker(0), 1, func(f Frame) {
					if !bytes.Equal(f.Payload, p.payload) || f.Payload == nil || f.Src != p.src || f.Dst != p.dst || int(f.Tags) != len(p.tags) {
						t.Errorf("%s: got %+v", test.name, f)
					}
				})
			}
		})
	}
}

// Datagrams up to the largest that an MTU lets pass, in one chunk and in several.
func TestSizes(t *testing.T) {
	for _, test := range []struct {
		mtu, chunk int
		frags      bool
	}{{1500, 2048, false}, {1770, 2048, false}, {1771, 4096, false}, {3498, 4096, false}, {3499, 4096, true}, {3900, 4096, true}, {9000, 4096, true}} {
		for _, mode := range []Mode{Native, Generic} {
			t.Run(fmt.Sprintf("%d/%v", test.mtu, mode), func(t *testing.T) {
				l := newLab(t, 1, test.mtu)
				if test.frags {
					needMultiBuffer(t, l)
				}
				c := l.open(Config{Mode: mode, Workers: 2})
				if c.chunk != test.chunk || c.frags != test.frags || c.MaxFrame() != 0 {
					t.Errorf("chunks of %d, frags %v, frames of %d at most", c.chunk, c.frags, c.MaxFrame())
				}
				largest := test.mtu - ipv4Header - udpHeader
				sizes := []int{8, 100, test.chunk - chunkHeadroom - ethernetHeader - ipv4Header - udpHeader, largest / 2, largest - 1, largest}
				for number := range 100 { // more than a batch in all
					for i, size := range sizes {
						if size <= largest {
							wantSize(t, l, c, 4*i, number, size)
						}
					}
				}
				checkOwnership(t, c)
			})
		}
	}
}

// wantSize sends a datagram and wants it from the capture, which has two workers.
func wantSize(t *testing.T, l *lab, c *Capture, source, number, size int) {
	t.Helper()
	p := l.spec(source, number, size)
	if number%2 == 1 {
		p.tags = []uint16{1} // packet sockets send no longer ones
	}
	l.send(p.frame())
	w := int(bpf.Worker(p.src.Addr(), 2))
	gather(t, c.Worker(w), 1, func(f Frame) {
		if i, n, err := identify(l, f); err != nil || i != source || n != number || len(f.Payload) != size {
			t.Errorf("size %d: got %d bytes, source %d number %d: %v", size, len(f.Payload), i, n, err)
		}
	})
}

// needMultiBuffer skips a test on a kernel without frames of several buffers.
func needMultiBuffer(t *testing.T, l *lab) {
	t.Helper()
	var have Features
	_ = l.collector.Do(func() error { have = ProbeFeatures(); return nil })
	if !have.MultiBuffer {
		t.Skip("this kernel has no frames of several buffers (XDP_USE_SG): TestOneBuffer is for it")
	}
}

// Without frames of several buffers an interface of whatever MTU is captured: frames that
// fit come to the workers, longer ones to the stack, and none is lost.
func TestOneBuffer(t *testing.T) {
	without := func(f *Features) { f.MultiBuffer = false }
	l := newLab(t, 1, 9000)
	socket := l.listen("10.1.0.2:2055")
	var program *bpf.Program
	c := l.open(Config{Workers: 2, Load: loader(t, &program), without: without})
	if c.chunk != largeChunk || c.frags || c.MaxFrame() != largeFrame {
		t.Errorf("chunks of %d, frags %v, frames of %d at most", c.chunk, c.frags, c.MaxFrame())
	}
	if mode, _ := c.Mode(); mode != "generic" || c.PassedOver() == nil {
		t.Errorf("mode %s since %v: no driver runs a program for one buffer at this MTU", mode, c.PassedOver())
	}
	const headers = ethernetHeader + ipv4Header + udpHeader
	for number := range 4 {
		for _, size := range []int{8, 1400, largeFrame - headers - vlanTag} {
			wantSize(t, l, c, 0, number, size)
		}
	}
	for i, size := range []int{largeFrame - headers + 1, largeChunk, 8972} {
		wantUDP(t, l, socket, "10.1.0.2:2055", size)
		if v, err := program.Verdicts(); err != nil || v[bpf.PassTooLong] != uint64(i+1) {
			t.Errorf("%d bytes: verdicts %v, %v", size, v, err)
		}
	}
	checkOwnership(t, c)
	if s := c.Stats(); s.RXDropped != 0 {
		t.Errorf("%d frames dropped", s.RXDropped)
	}
	// The loopback interface, with its MTU of 65,536.
	if lo, err := l.tryOpen(Config{Interface: "lo", without: without}); err != nil || lo.MaxFrame() != largeFrame {
		t.Errorf("lo: %v", err)
	} else {
		lo.Close()
	}
}

// Bursts of jumbo frames: several a batch, more than it has room for.
func TestJumboBursts(t *testing.T) {
	l := newLab(t, 1, 9000)
	needMultiBuffer(t, l)
	deliver(t, l, Config{Mode: Native, Workers: 2}, 3000, 8900, nil)
}

// What is not for the collector reaches the stack as if there was no program: and
// so does what is, when its worker has no socket.
func TestOtherTraffic(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t, 1, 0)
			ours, other := l.listen("10.1.0.2:2055"), l.listen("10.1.0.2:2056")
			var program *bpf.Program
			c := l.open(Config{Mode: mode, Load: loader(t, &program)})

			var server net.Listener
			if err := l.collector.Do(func() (err error) {
				server, err = net.Listen("tcp", "10.1.0.2:2055")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			go func() {
				if conn, err := server.Accept(); err == nil {
					_, _ = io.Copy(conn, conn)
					conn.Close()
				}
			}()
			var conn net.Conn
			if err := l.exporter.Do(func() (err error) {
				conn, err = net.DialTimeout("tcp", "10.1.0.2:2055", patience)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			sent := bytes.Repeat([]byte("tcp"), 10_000)
			go conn.Write(sent)
			echo := make([]byte, len(sent))
			if _, err := io.ReadFull(conn, echo); err != nil || !bytes.Equal(echo, sent) {
				t.Errorf("TCP: %v", err)
			}

			// To another port; in fragments, to ours; and when the program has no socket.
			wantUDP(t, l, other, "10.1.0.2:2056", 100)
			wantUDP(t, l, ours, "10.1.0.2:2055", 4000)
			if n := c.Worker(0).Receive(); n != 0 {
				t.Errorf("%d frames came to the worker", n)
			}
			if err := program.ClearSocket(0, 0); err != nil {
				t.Fatal(err)
			}
			wantUDP(t, l, ours, "10.1.0.2:2055", 100)
		})
	}
}

// wantUDP sends a datagram from a socket of the exporter and wants it at one of the
// collector.
func wantUDP(t *testing.T, l *lab, at *net.UDPConn, to string, size int) {
	t.Helper()
	payload := bytes.Repeat([]byte{'x'}, size)
	l.sendUDP(to, payload)
	at.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, 65536)
	n, from, err := at.ReadFromUDPAddrPort(got)
	if err != nil || !bytes.Equal(got[:n], payload) || from.Addr() != netip.MustParseAddr("10.1.0.1") {
		t.Errorf("%d bytes to %s: %d from %v, %v", size, to, n, from, err)
	}
}

// sendUDP sends a datagram from an ordinary socket of the exporter.
func (l *lab) sendUDP(to string, payload []byte) {
	l.t.Helper()
	var conn net.Conn
	err := l.exporter.Do(func() (err error) {
		conn, err = net.Dial("udp", to)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(payload); err != nil {
		l.t.Fatal(err)
	}
}

// Detach sends the rest to the stack; what the sockets hold can still be received.
func TestDetachThenDrain(t *testing.T) {
	l := newLab(t, 1, 0)
	udp := l.listen("10.1.0.2:2055")
	c := l.open(Config{})
	for number := range 50 {
		l.send(l.from(1, number, 100))
	}
	waitRing(t, c, 50)
	if err := c.Detach(); err != nil {
		t.Fatal(err)
	}
	if id := l.programOn(); id != 0 {
		t.Errorf("program %d is still on the interface", id)
	}
	if err := c.Health(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Health = %v", err)
	}
	wantUDP(t, l, udp, "10.1.0.2:2055", 100)
	next := 0
	gather(t, c.Worker(0), 50, func(f Frame) {
		if _, number, err := identify(l, f); err != nil || number != next {
			t.Errorf("datagram %d: %v", number, err)
		}
		next++
	})
	before := c.Stats()
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := c.Stats(); after != before || after.FillLen == 0 {
		t.Errorf("after Close Stats = %+v, before %+v", after, before)
	}
	if n := c.Worker(0).Receive(); n != 0 {
		t.Errorf("Receive = %d after Close", n)
	}
}

// waitRing waits until the sockets of worker 0 hold n descriptors.
func waitRing(t *testing.T, c *Capture, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		sum := 0
		for _, q := range c.queues {
			sum += q.sockets[0].rx.Len()
		}
		if sum >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors of %d came", sum, n)
		}
	}
}

// Whatever the program takes for a datagram to our port, the reader of frames does
// too: a frame that was redirected and has no payload would be lost.
func TestReaderTakesWhatProgramTakes(t *testing.T) {
	program, err := bpf.Load(bpf.Config{Workers: 1, Queues: 1}, []bpf.Listen{{Port: port}})
	if errors.Is(err, unix.EPERM) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: with CI=true this test must run", err)
		}
		t.Skipf("%v: CAP_BPF and CAP_NET_ADMIN are missing: try as root", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	count := func() uint64 {
		v, err := program.Verdicts()
		if err != nil {
			t.Fatal(err)
		}
		return v[bpf.PassNoSocket]
	}
	rng := rand.New(rand.NewPCG(5, 6))
	taken := 0
	before := count()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	for i := 0; i < 20_000 && ctx.Err() == nil; i++ {
		b := mutate(rng, goodFrames[rng.IntN(len(goodFrames))].spec.frame())
		if len(b) < ethernetHeader {
			continue // the test run wants a whole Ethernet header
		}
		if _, _, err := program.XDP().Test(b); err != nil {
			t.Fatalf("run program on %d bytes: %v", len(b), err)
		}
		after := count()
		if after != before {
			taken++
			if f := parseFrame(b); f.Payload == nil || f.Dst.Port() != port {
				t.Fatalf("the program takes it, the reader does not: %x", b)
			}
		}
		before = after
	}
	if taken < 100 {
		t.Errorf("the program took only %d", taken)
	}
}
