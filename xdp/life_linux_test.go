package xdp

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/internal/testnet"
)

// openFiles counts the descriptors of this process, and its mappings of sockets.
func openFiles(t *testing.T) (files, mappings int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries), strings.Count(string(maps), "socket:")
}

// A queue that is opened and closed over and over, also halfway, leaves nothing.
func TestOpenCloseLeavesNothing(t *testing.T) {
	l := newLab(t, 1, 0)
	var shared Program // loaded once: it is not what is tested
	cfg := Config{Workers: 2, RingSize: 64}
	cfg.Load = func(target Target) (p Program, err error) {
		if shared == nil {
			shared, err = loader(t, nil)(target)
		}
		return shared, err
	}
	l.open(cfg).Close()
	runtime.GC()
	goroutines := runtime.NumGoroutine()
	files, mappings := openFiles(t)
	for i := range 100 {
		if i%10 == 9 { // fails at the last step but one
			if _, err := l.tryOpen(Config{ZeroCopy: ZeroCopyOn, Load: cfg.Load, Workers: 2}); err == nil {
				t.Fatal("zero-copy on veth")
			}
		}
		c, err := l.tryOpen(cfg)
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if i%20 == 0 {
			l.send(l.from(0, i, 100))
			waitEither(t, c)
		}
		if err := c.Close(); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	if f, m := openFiles(t); f != files || m != mappings {
		t.Errorf("%d descriptors and %d mappings of sockets, were %d and %d", f, m, files, mappings)
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, were %d", runtime.NumGoroutine(), goroutines)
		}
	}
	if id := l.programOn(); id != 0 {
		t.Errorf("program %d is left on the interface", id)
	}
}

// waitEither waits until one of two workers gets a frame.
func waitEither(t *testing.T, c *Capture) {
	t.Helper()
	for deadline := time.Now().Add(patience); c.Worker(0).Receive()+c.Worker(1).Receive() == 0; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatal("no frame came")
		}
	}
}

const holdEnv = "WEIR_TEST_XDP_HOLD"

// TestHoldUntilKilled is not a test but the process that TestKilled kills.
func TestHoldUntilKilled(t *testing.T) {
	if os.Getenv(holdEnv) == "" {
		t.Skip("run by TestKilled")
	}
	if _, err := Open(Config{Interface: "veth0", Workers: 2, Load: loader(t, nil)}); err != nil {
		t.Fatal(err)
	}
	fmt.Println("holding")
	select {}
}

// A process that is killed leaves the interface as it was.
func TestKilled(t *testing.T) {
	l := newLab(t, 2, 0)
	l.open(Config{}).Close() // or skip
	udp := l.listen("10.1.0.2:2055")
	cmd := l.collector.Command(t.Context(), os.Args[0], "-test.run=^TestHoldUntilKilled$")
	cmd.Env = append(os.Environ(), holdEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "holding\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	if l.programOn() == 0 {
		t.Fatal("no program on the interface")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if id := l.programOn(); id != 0 {
		t.Errorf("program %d is left on the interface", id)
	}
	wantUDP(t, l, udp, "10.1.0.2:2055", 100)
	l.open(Config{})
}

func TestHealth(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  Config
		do   func(t *testing.T, l *lab, c *Capture) error
		want error
		back func(l *lab) error // ends it
	}{
		{name: "well"},
		{
			name: "down and up",
			do:   func(_ *testing.T, l *lab, _ *Capture) error { return l.setUp(false) },
			want: ErrDown,
			back: func(l *lab) error { return l.setUp(true) },
		},
		{
			name: "no carrier",
			do: func(_ *testing.T, l *lab, _ *Capture) error {
				link, err := l.exporter.Netlink().LinkByName("veth0")
				if err == nil {
					err = l.exporter.Netlink().LinkSetDown(link)
				}
				return err
			},
			want: ErrDown,
			back: func(l *lab) error {
				link, err := l.exporter.Netlink().LinkByName("veth0")
				if err == nil {
					err = l.exporter.Netlink().LinkSetUp(link)
				}
				return err
			},
		},
		{
			name: "more queues",
			cfg:  Config{Mode: Generic}, // for native the exporter has too many
			do:   func(t *testing.T, l *lab, _ *Capture) error { setChannels(t, l, 2); return nil },
			want: ErrChanged,
		},
		{
			name: "MTU",
			cfg:  Config{Mode: Generic},
			do: func(_ *testing.T, l *lab, _ *Capture) error {
				link, err := l.collector.Netlink().LinkByName("veth0")
				if err == nil {
					err = l.collector.Netlink().LinkSetMTU(link, 9000)
				}
				return err
			},
			want: ErrChanged,
		},
		{
			name: "program detached",
			do: func(_ *testing.T, _ *lab, c *Capture) error {
				return c.link.Detach()
			},
			want: ErrDetached,
		},
		{
			name: "removed",
			do:   func(_ *testing.T, l *lab, _ *Capture) error { return l.remove() },
			want: ErrNoInterface,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t, 2, 0)
			if test.want == ErrChanged {
				setChannels(t, l, 1)
			}
			c := l.open(test.cfg)
			if err := c.Health(); err != nil {
				t.Fatalf("at first: %v", err)
			}
			if test.do == nil {
				return
			}
			if err := test.do(t, l, c); err != nil {
				t.Fatal(err)
			}
			want := func(err error) {
				t.Helper()
				// Changes of the carrier are told with a delay.
				for deadline := time.Now().Add(patience); !errors.Is(c.Health(), err); time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("Health = %v, want %v", c.Health(), err)
					}
				}
			}
			want(test.want)
			if test.back != nil {
				if err := test.back(l); err != nil {
					t.Fatal(err)
				}
				want(nil)
				for number := 0; ; number++ { // it goes on by itself
					l.sendQuietly(l.from(0, number, 100))
					wait(c.Worker(0))
					if c.Worker(0).Receive() > 0 {
						break
					}
					if number == 1000 {
						t.Fatal("no frame comes any more")
					}
				}
			}
			if err := c.Close(); err != nil && test.want == nil {
				t.Error(err)
			}
			if err := c.Health(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Health = %v after Close", err)
			}
		})
	}
}

// setUp sets the collector's interface up or down.
func (l *lab) setUp(up bool) error {
	links := l.collector.Netlink()
	link, err := links.LinkByName("veth0")
	if err != nil {
		return err
	}
	if up {
		return links.LinkSetUp(link)
	}
	return links.LinkSetDown(link)
}

// remove removes the veth pair.
func (l *lab) remove() error {
	link, err := l.collector.Netlink().LinkByName("veth0")
	if err == nil {
		err = l.collector.Netlink().LinkDel(link)
	}
	return err
}

// sendQuietly sends a frame that may be refused.
func (l *lab) sendQuietly(frame []byte) { _, _ = unix.Write(l.sender, frame) }

// An interface that is created again under its name is another one: the old capture can
// be closed and a new one opened.
func TestInterfaceMadeAnew(t *testing.T) {
	l := newLab(t, 1, 0)
	c := l.open(Config{})
	if err := l.remove(); err != nil {
		t.Fatal(err)
	}
	if err := c.Health(); !errors.Is(err, ErrNoInterface) {
		t.Errorf("Health = %v", err)
	}
	if n := c.Worker(0).Receive(); n != 0 {
		t.Errorf("Receive = %d", n)
	}
	c.Close() // what it detaches from is gone: an error is no surprise
	if _, err := l.tryOpen(Config{}); !errors.Is(err, ErrNoInterface) {
		t.Errorf("Open = %v", err)
	}
	testnet.Veth(t, l.exporter, "veth0", "10.1.0.1/24", "", l.collector, "veth0", "10.1.0.2/24", "", 1)
	if err := c.Health(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Health = %v", err)
	}
	c = l.open(Config{})
	l.sendUDP("10.1.0.2:2055", []byte("hello"))
	gather(t, c.Worker(0), 1, func(f Frame) {
		if string(f.Payload) != "hello" {
			t.Errorf("%+v", f)
		}
	})
}

func TestStats(t *testing.T) {
	l := newLab(t, 1, 0)
	const ring = 64
	c := l.open(Config{Workers: 2, RingSize: ring})
	const source = 0
	w := int(bpf.Worker(l.spec(source, 0, 0).src.Addr(), 2))
	r := c.Worker(w)
	number := 0
	send := func(n int) {
		for range n {
			l.send(l.from(source, number, 100))
			number++
		}
	}
	until := func(what string, done func(Stats) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); !done(c.Stats()); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v", what, c.Stats())
			}
		}
	}
	chunks, ready := mostUsed(2, ring), leastUsed(2, ring)
	if s := c.Stats(); s != (Stats{RXRingSize: ring, FillLen: ready, SpareLen: chunks - ready}) {
		t.Errorf("at first: %+v", s)
	}
	send(ring + 30)
	until("a full ring", func(s Stats) bool { return s.RXRingFull == 30 && s.RXDropped == 0 })
	gather(t, r, ring, func(Frame) {})
	if s := c.Stats(); s.RXHighWater != ring || s.FillLen < ready || s.FillLen+s.SpareLen != chunks {
		t.Errorf("after a full ring: %+v", s)
	}

	// Chunks that are never returned, which takes a fault: all but ten.
	s := c.queues[0].sockets[w]
	var kept []uint64
	for len(kept) < chunks-10 {
		n := min(ring, chunks-10-len(kept))
		send(n)
		waitRx(t, s, n)
		if got := r.Receive(); got != n {
			t.Fatalf("Receive = %d, want %d", got, n)
		}
		kept = append(kept, s.held[:s.n]...)
		s.n, r.taken = 0, 0
		if got := r.Receive(); got != 0 { // has the kernel given more, where it has few
			t.Fatalf("Receive = %d of nothing", got)
		}
	}
	send(12)
	until("an empty fill ring", func(s Stats) bool {
		// Twice counted would be four: the two sockets report the same fill ring.
		return s.RXDropped == 2 && s.RXFillRingEmpty == 2 && s.FillLen == 0
	})
	c.queues[0].chunks.put(kept)
	gather(t, r, 10, func(Frame) {})
	checkOwnership(t, c)
	final := c.Stats()
	c.Close()
	if s := c.Stats(); s != final {
		t.Errorf("after Close: %+v, before %+v", s, final)
	}
}

// What comes when a worker's ring and hands are full is lost as that, and not for want of chunks:
// the operator is told that a worker is behind.
func TestFullRingIsSaid(t *testing.T) {
	l := newLab(t, 1, 0)
	c := l.open(Config{RingSize: Batch})
	r, s := c.Worker(0), c.queues[0].sockets[0]
	number := 0
	send := func(n int) {
		for range n {
			l.send(l.from(0, number, 100))
			number++
		}
	}
	send(Batch)
	waitRx(t, s, Batch)
	if n := r.Receive(); n != Batch {
		t.Fatalf("Receive = %d, want %d", n, Batch)
	}
	send(Batch + 30)
	for deadline := time.Now().Add(patience); c.Stats().RXRingFull+c.Stats().RXDropped < 30; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing was lost: %+v", c.Stats())
		}
	}
	if s := c.Stats(); s.RXRingFull != 30 || s.RXDropped != 0 || s.RXFillRingEmpty != 0 {
		t.Errorf("%+v", s)
	}
	r.Release()
	gather(t, r, Batch, func(Frame) {})
}

func waitRx(t *testing.T, s *socket, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); s.rx.Len() < n; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors of %d came", s.rx.Len(), n)
		}
	}
}

func TestBusyPolling(t *testing.T) {
	l := newLab(t, 2, 0)
	c := l.open(Config{Workers: 2, BusyPoll: 20 * time.Microsecond})
	if !c.BusyPolling() {
		t.Error("the kernel did not take it")
	}
	// Once frames have come it is known whether the card can be polled, and if not, no more
	// system calls are made for it. A veth has a NAPI instance to be polled on some kernels
	// (6.1, 6.12) and none on others (6.18).
	source := l.from(0, 0, 100)
	r := c.Worker(int(bpf.Worker(l.spec(0, 0, 0).src.Addr(), 2)))
	l.send(source)
	gather(t, r, 1, func(Frame) {})
	r.Receive()
	came := 0
	for _, s := range r.sockets {
		if s.rx.HighWater() > 0 {
			came++
			want := pollNever
			if id, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID); err == nil && id != 0 {
				want = pollBusily
			}
			if s.polling != want {
				t.Errorf("queue %d: polling %d, want %d", s.queue.id, s.polling, want)
			}
		} else if s.polling != pollUnknown {
			t.Errorf("queue %d, without a frame: %d", s.queue.id, s.polling)
		}
	}
	if came != 1 {
		t.Errorf("frames came by %d queues, want one", came)
	}
	deliver(t, newLab(t, 2, 0), Config{Workers: 2, BusyPoll: 20 * time.Microsecond, BusyPollBudget: 16}, 2000, 64, nil)
	if l.open(Config{Interface: "lo"}).BusyPolling() {
		t.Error("nobody asked for it")
	}
}

func TestReceiveAllocs(t *testing.T) {
	for _, mtu := range []int{1500, 9000} {
		l := newLab(t, 1, mtu)
		if mtu > largeFrame {
			needMultiBuffer(t, l)
		}
		c := l.open(Config{})
		r := c.Worker(0)
		frames := [][]byte{l.from(0, 1, 100), l.from(3, 2, mtu-100)}
		got := 0
		if n := testing.AllocsPerRun(200, func() {
			for _, f := range frames {
				_, _ = unix.Write(l.sender, f)
			}
			for want := got + len(frames); got < want; {
				n := r.Receive()
				for i := range n {
					if f := r.frame(i); f.Payload == nil {
						t.Error("no payload")
					}
				}
				r.Release()
				got += n
			}
		}); n != 0 {
			t.Errorf("MTU %d: %v allocations", mtu, n)
		}
	}
}
