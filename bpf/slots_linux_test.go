package bpf

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/testnet"
)

// Each exporter is redirected if and only if the socket of its own worker is there.
func TestWorkerSlots(t *testing.T) {
	const workers = 4
	p := load(t, Config{Workers: workers}, listens())
	fds := make([]int, workers)
	for w := range fds {
		fds[w] = socket(t)
	}
	first4, first6 := netip.MustParseAddr("192.0.2.0"), netip.MustParseAddr("2001:db8::")
	for range 24 {
		for _, frame := range [][]byte{v4(datagram{src: first4}), v6(datagram{src: first6})} {
			src := first4
			if frame[12] == 0x86 {
				src = first6
			}
			own := Worker(src, workers)
			for w := range uint32(workers) {
				if err := p.SetSocket(0, w, fds[w]); err != nil {
					t.Fatal(err)
				}
				want := PassNoSocket
				if w == own {
					want = Redirect
				}
				if v := run(t, p, frame, nil); v != want {
					t.Errorf("%s of worker %d with a socket of %d: %v, want %v", src, own, w, v, want)
				}
				if err := p.ClearSocket(0, w); err != nil {
					t.Fatal(err)
				}
			}
		}
		first4, first6 = first4.Next(), first6.Next()
	}
}

// The receive queue chooses the slots; one that has none goes to the stack.
func TestQueues(t *testing.T) {
	const queues, workers = 3, 2
	net := testnet.New(t)
	host := net.AddHost("collector")
	testnet.Veth(t, host, "in0", "", "", net.AddHost("exporter"), "out0", "", "", queues+1)
	link, err := host.Netlink().LinkByName("in0")
	if err != nil {
		t.Fatal(err)
	}
	p := load(t, Config{Queues: queues, Workers: workers}, listens())
	frame, own := v4(datagram{}), Worker(exporter4, workers)
	for socketQueue := range uint32(queues) {
		if err := p.SetSocket(socketQueue, own, socket(t)); err != nil {
			t.Fatal(err)
		}
		for queue := range uint32(queues + 1) {
			want := PassNoSocket
			if queue == socketQueue {
				want = Redirect
			}
			ctx := &xdpMD{DataEnd: uint32(len(frame)), IngressIfindex: uint32(link.Attrs().Index), RxQueueIndex: queue}
			v := runOn(t, p, frame, ctx, host.Do)
			if v != want {
				t.Errorf("queue %d with a socket on queue %d: %v, want %v", queue, socketQueue, v, want)
			}
		}
		if err := p.ClearSocket(socketQueue, own); err != nil {
			t.Fatal(err)
		}
	}
}

// A closed socket leaves its slot, and its frames go to the stack.
func TestClosedSocket(t *testing.T) {
	p := load(t, Config{}, listens())
	fd := openSocket(t)
	if err := p.SetSocket(0, 0, fd); err != nil {
		t.Fatal(err)
	}
	if v := run(t, p, v4(datagram{}), nil); v != Redirect {
		t.Errorf("with the socket: %v", v)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if v := run(t, p, v4(datagram{}), nil); v != PassNoSocket {
		t.Errorf("with the socket closed: %v", v)
	}
}

func TestSocketErrors(t *testing.T) {
	p := load(t, Config{Queues: 2, Workers: 3}, listens())
	for _, at := range [][2]uint32{{2, 0}, {0, 3}, {1 << 31, 0}} {
		if err := p.SetSocket(at[0], at[1], socket(t)); !errors.Is(err, ErrSlot) {
			t.Errorf("set socket at %v: %v, want %v", at, err, ErrSlot)
		}
		if err := p.ClearSocket(at[0], at[1]); !errors.Is(err, ErrSlot) {
			t.Errorf("clear socket at %v: %v, want %v", at, err, ErrSlot)
		}
	}
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(udp)
	if err := p.SetSocket(1, 2, udp); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("set a UDP socket: %v, want %v", err, unix.EOPNOTSUPP)
	}
	if err := p.SetSocket(1, 2, 1<<20); !errors.Is(err, unix.EBADF) {
		t.Errorf("set a descriptor that is none: %v, want %v", err, unix.EBADF)
	}
	for range 2 {
		if err := p.ClearSocket(1, 2); err != nil {
			t.Errorf("clear an empty slot: %v", err)
		}
	}
}

// The Ethernet and IP headers must lie in the linear part of a frame, the others need not.
func TestLinearPart(t *testing.T) {
	p := load(t, Config{Frags: true}, listens())
	fillSlots(t, p)
	frame := v4(datagram{payload: 4000})
	for _, c := range []struct {
		linear uint32
		want   Verdict
	}{{42, Redirect}, {41, Redirect}, {34, Redirect}, {33, PassMalformed}, {14, PassMalformed}} {
		ctx := &xdpMD{DataEnd: c.linear}
		// Kernels before this can be tested say that the length is not the frame's.
		if _, err := p.XDP().Run(options(frame, ctx)); errors.Is(err, unix.EINVAL) {
			t.Skipf("this kernel makes no frame with a linear part of %d bytes: %v", c.linear, err)
		}
		if v := run(t, p, frame, ctx); v != c.want {
			t.Errorf("linear part of %d bytes: %v, want %v", c.linear, v, c.want)
		}
	}
}
