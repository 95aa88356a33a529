//go:build !udpportable

package udp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// leave opens a socket as another process would, and returns a descriptor of it that
// outlives it.
func leave(t *testing.T, cfg Config) (fd int, local netip.AddrPort) {
	t.Helper()
	s := listenTest(t, cfg)
	fd, err := unix.Dup(s.Fd())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	s.Close()
	return fd, s.LocalAddr()
}

// TestAdopt receives what waited while no process read, with the time at which it came.
func TestAdopt(t *testing.T) {
	s := listenTest(t, Config{})
	conn := dial(t, s, "")
	cookie := s.Cookie()
	fd, err := unix.Dup(s.Fd())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Refuse(); err != nil { // this is undone
		t.Fatal(err)
	}
	s.Close()
	early, err := AdoptAny(fd)
	if err != nil {
		t.Fatal(err)
	}
	fd, err = unix.Dup(early.Fd())
	if err != nil {
		t.Fatal(err)
	}
	early.Close()
	send(t, conn, []byte("waits"))
	sent := time.Now()
	time.Sleep(20 * time.Millisecond)
	a, err := Adopt(fd, Config{Addr: s.LocalAddr(), ReceiveBuffer: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if a.Cookie() != cookie || cookie == 0 || a.LocalAddr() != s.LocalAddr() {
		t.Errorf("cookie %d, %d before; address %v", a.Cookie(), cookie, a.LocalAddr())
	}
	if _, granted := a.ReceiveBuffer(); granted < 1<<20 {
		t.Skipf("the receive buffer is %d bytes: set net.core.rmem_max or run as root", granted)
	}
	collect(t, a, 1, func(d Datagram) {
		if string(d.Payload) != "waits" || time.Unix(0, d.ReceivedNs).After(sent) {
			t.Errorf("%q, received %v after it was sent", d.Payload, time.Unix(0, d.ReceivedNs).Sub(sent))
		}
	})
	flags, err := unix.FcntlInt(uintptr(a.Fd()), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("children inherit the socket: flags %x, %v", flags, err)
	}
}

// TestAdoptFits is a table of what was left and what is asked for.
func TestAdoptFits(t *testing.T) {
	for _, test := range []struct {
		left, want string // port 0 in want is the same port
		other      bool   // ask for another port
		fits       bool
	}{
		{"127.0.0.1:0", "127.0.0.1:0", false, true},
		{"127.0.0.1:0", "[::ffff:127.0.0.1]:0", false, true},
		{"127.0.0.1:0", "127.0.0.1:0", true, false},
		{"127.0.0.1:0", "127.0.0.2:0", false, false},
		{"127.0.0.1:0", "0.0.0.0:0", false, false},
		{"127.0.0.1:0", "[::]:0", false, false},
		{"0.0.0.0:0", "0.0.0.0:0", false, true},
		{"0.0.0.0:0", "[::]:0", false, false}, // it would miss IPv6
		{"[::]:0", "[::]:0", false, true},
		{"[::]:0", "0.0.0.0:0", false, false},
		{"[::]:0", "[::1]:0", false, false},
		{"[::1]:0", "[::1]:0", false, true},
		{"[::1]:0", "[::]:0", false, false},
	} {
		t.Run(test.left+" for "+test.want, func(t *testing.T) {
			fd, local := leave(t, Config{Addr: netip.MustParseAddrPort(test.left)})
			port := local.Port()
			if test.other {
				port ^= 1
			}
			want := netip.AddrPortFrom(netip.MustParseAddrPort(test.want).Addr(), port)
			s, err := Adopt(fd, Config{Addr: want})
			if err == nil {
				s.Close()
			} else if !errors.Is(err, ErrUnfit) {
				t.Fatal(err)
			} else if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
				t.Error("the descriptor was closed though the socket does not fit")
			}
			if fits := err == nil; fits != test.fits {
				t.Errorf("fits: %v, want %v: %v", fits, test.fits, err)
			}
		})
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, fd := range []int{fd, 1 << 20} {
		if _, err := Adopt(fd, Config{Addr: netip.MustParseAddrPort("127.0.0.1:2055")}); !errors.Is(err, ErrUnfit) {
			t.Errorf("descriptor %d: %v", fd, err)
		}
	}
}

// TestAdoptMore adopts a socket that was alone on its port for one of two that share it.
func TestAdoptMore(t *testing.T) {
	fd, local := leave(t, Config{})
	first, err := Adopt(fd, Config{Addr: local, ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := Listen(Config{Addr: local, ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

// TestAdoptKeepsBuffer has the larger of two receive buffers.
func TestAdoptKeepsBuffer(t *testing.T) {
	fd, local := leave(t, Config{ReceiveBuffer: 128 << 10})
	s, err := Adopt(fd, Config{Addr: local, ReceiveBuffer: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, granted := s.ReceiveBuffer(); granted != 128<<10 {
		t.Errorf("granted %d", granted)
	}
}

// TestAdoptDrops counts drops once over two processes.
func TestAdoptDrops(t *testing.T) {
	s := listenTest(t, Config{ReceiveBuffer: 4096})
	conn := dial(t, s, "")
	flood := func() {
		for range 100 {
			send(t, conn, make([]byte, 1000))
		}
	}
	flood()
	first := s.PollDrops()
	fd, err := unix.Dup(s.Fd())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	flood()
	a, err := Adopt(fd, Config{Addr: s.LocalAddr()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.DropsFrom(s.DropsSeen())
	second := a.PollDrops()
	if first == 0 || first >= 100 || second != 100 {
		t.Errorf("%d dropped, then %d, want some and 100", first, second)
	}
}

// TestAdoptAny takes what is bound anywhere.
func TestAdoptAny(t *testing.T) {
	fd, local := leave(t, Config{Addr: netip.MustParseAddrPort("0.0.0.0:0")})
	s, err := AdoptAny(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.LocalAddr() != local {
		t.Errorf("address %v, want %v", s.LocalAddr(), local)
	}
	conn, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), local.Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	collect(t, s, 1, func(Datagram) {})
}

// TestDetach: of two sockets of a port one stops receiving, keeps what it has, and the other
// gets all that follows.
func TestDetach(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			first, err := Listen(Config{Addr: netip.MustParseAddrPort(addr)})
			if err != nil {
				t.Skip(err)
			}
			defer first.Close()
			if err := first.SharePort(); err != nil {
				t.Fatal(err)
			}
			second, err := Listen(Config{Addr: netip.AddrPortFrom(first.LocalAddr().Addr(), first.LocalAddr().Port()), ReusePort: true})
			if err != nil {
				t.Fatal(err)
			}
			defer second.Close()
			to := first.LocalAddr()
			if to.Addr().IsUnspecified() {
				to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to.Port())
			}
			send := func(n int) {
				for range n { // another source each time: the kernel chooses by it
					c, err := net.Dial("udp", to.String())
					if err != nil {
						t.Fatal(err)
					}
					if _, err := c.Write([]byte("x")); err != nil {
						t.Fatal(err)
					}
					c.Close()
				}
			}
			count := func(s *Socket) (n int) {
				for {
					got, err := s.TryReceive()
					if err != nil {
						t.Fatal(err)
					}
					if got == 0 {
						return n
					}
					n += got
				}
			}
			send(100)
			if err := first.Detach(); err != nil {
				t.Fatal(err)
			}
			a := count(first)
			send(100)
			if b := count(second); a == 0 || a == 100 || a+b != 200 {
				t.Errorf("%d and %d of 200 datagrams", a, b)
			}
			if n := count(first); n != 0 {
				t.Errorf("%d came to the socket that is detached", n)
			}
		})
	}
}
