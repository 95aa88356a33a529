package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 5 * time.Second

func listenTest(t testing.TB, cfg Config) *Socket {
	t.Helper()
	if !cfg.Addr.Addr().IsValid() && cfg.Addr.Port() == 0 {
		cfg.Addr = netip.MustParseAddrPort("127.0.0.1:0")
	}
	s, err := Listen(cfg)
	if err != nil {
		if cfg.Addr.Addr().Is6() && errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Skip("no IPv6 on the loopback interface")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// dial connects a sender to the socket; host replaces a wildcard address.
func dial(t testing.TB, s *Socket, host string) *net.UDPConn {
	t.Helper()
	addr := s.LocalAddr()
	if host != "" {
		addr = netip.AddrPortFrom(netip.MustParseAddr(host), addr.Port())
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Skipf("no way to %s: %v", addr, err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// collect receives until want datagrams came, handing each to visit.
func collect(t testing.TB, s *Socket, want int, visit func(Datagram)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for got := 0; got < want; {
		n, err := s.Receive(100 * time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			visit(s.Datagram(i))
		}
		if got += n; n == 0 && time.Now().After(deadline) {
			t.Fatalf("%d of %d datagrams came", got, want)
		}
	}
}

func send(t testing.TB, conn *net.UDPConn, payload []byte) {
	t.Helper()
	if _, err := conn.Write(payload); err != nil {
		t.Fatal(err)
	}
}

func TestReceive(t *testing.T) {
	tests := []struct{ listen, to, from string }{
		{"127.0.0.1:0", "", "127.0.0.1"},
		{"0.0.0.0:0", "127.0.0.1", "127.0.0.1"},
		{"[::1]:0", "", "::1"},
		{"[::]:0", "127.0.0.1", "127.0.0.1"},
		{"[::]:0", "::1", "::1"},
		{"[::ffff:127.0.0.1]:0", "", "127.0.0.1"},
	}
	for _, test := range tests {
		t.Run(test.listen+" from "+test.from, func(t *testing.T) {
			s := listenTest(t, Config{Addr: netip.MustParseAddrPort(test.listen)})
			conn := dial(t, s, test.to)
			before := time.Now()
			const n = 50
			for i := range n {
				send(t, conn, fmt.Appendf(nil, "datagram %d", i))
			}
			want := netip.AddrPortFrom(netip.MustParseAddr(test.from), conn.LocalAddr().(*net.UDPAddr).AddrPort().Port())
			i, last := 0, int64(0)
			collect(t, s, n, func(d Datagram) {
				if string(d.Payload) != fmt.Sprintf("datagram %d", i) || d.Src != want || d.Truncated {
					t.Errorf("got %q from %v, truncated %v; want number %d from %v", d.Payload, d.Src, d.Truncated, i, want)
				}
				at := time.Unix(0, d.ReceivedNs)
				if at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) || d.ReceivedNs < last {
					t.Errorf("received at %v, sent after %v, the one before at %d", at, before, last)
				}
				i, last = i+1, d.ReceivedNs
			})
		})
	}
}

// ":port" is both families at one socket.
func TestInvalidAddrIsEveryFamily(t *testing.T) {
	free := listenTest(t, Config{})
	port := free.LocalAddr().Port()
	free.Close()
	s := listenTest(t, Config{Addr: netip.AddrPortFrom(netip.Addr{}, port)})
	send(t, dial(t, s, "127.0.0.1"), []byte("four"))
	collect(t, s, 1, func(d Datagram) {
		if !d.Src.Addr().Is4() {
			t.Errorf("from %v", d.Src)
		}
	})
	send(t, dial(t, s, "::1"), []byte("six"))
	collect(t, s, 1, func(d Datagram) {
		if !d.Src.Addr().Is6() {
			t.Errorf("from %v", d.Src)
		}
	})
}

func TestTruncation(t *testing.T) {
	s := listenTest(t, Config{BufferSize: 100})
	conn := dial(t, s, "")
	for _, n := range []int{99, 100, 101, 9000, 0, 100} {
		payload := make([]byte, n)
		for i := range payload {
			payload[i] = byte(i)
		}
		send(t, conn, payload)
		collect(t, s, 1, func(d Datagram) {
			if len(d.Payload) != min(n, 100) || d.Truncated != (n > 100) || cap(d.Payload) != len(d.Payload) {
				t.Errorf("of %d bytes: got %d, truncated %v, capacity %d", n, len(d.Payload), d.Truncated, cap(d.Payload))
			}
			if string(d.Payload) != string(payload[:min(n, 100)]) {
				t.Errorf("of %d bytes: other bytes came", n)
			}
		})
	}
}

func TestLargestDatagram(t *testing.T) {
	s := listenTest(t, Config{ReceiveBuffer: 1 << 20})
	conn := dial(t, s, "")
	send(t, conn, make([]byte, 65507))
	collect(t, s, 1, func(d Datagram) {
		if len(d.Payload) != 65507 || d.Truncated {
			t.Errorf("got %d bytes, truncated %v", len(d.Payload), d.Truncated)
		}
	})
}

func TestTimeout(t *testing.T) {
	s := listenTest(t, Config{})
	for _, timeout := range []time.Duration{0, 30 * time.Millisecond} {
		start := time.Now()
		if n, err := s.Receive(timeout); n != 0 || err != nil {
			t.Errorf("timeout %v: got %d, %v", timeout, n, err)
		}
		if took := time.Since(start); took < timeout/2 {
			t.Errorf("timeout %v: returned after %v", timeout, took)
		}
	}
}

func TestWake(t *testing.T) {
	s := listenTest(t, Config{})
	done := make(chan error)
	for range 20 {
		go func() {
			n, err := s.Receive(-1)
			if n != 0 {
				err = fmt.Errorf("got %d datagrams", n)
			}
			done <- err
		}()
		s.Wake()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatal("Wake did not end Receive")
		}
	}
	// The socket still receives.
	send(t, dial(t, s, ""), []byte("after"))
	collect(t, s, 1, func(Datagram) {})
}

func TestCloseEndsReceive(t *testing.T) {
	s := listenTest(t, Config{})
	started, done := make(chan struct{}), make(chan error)
	go func() {
		close(started)
		for {
			if _, err := s.Receive(-1); err != nil {
				done <- err
				return
			}
		}
	}()
	<-started
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Close did not end Receive")
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	s.Wake()
	s.PollDrops()
	if _, err := s.Receive(0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestDatagramOutOfRange(t *testing.T) {
	s := listenTest(t, Config{})
	defer func() {
		if recover() == nil {
			t.Error("a datagram that is not there was handed out")
		}
	}()
	s.Datagram(0)
}

func TestListenErrors(t *testing.T) {
	taken := listenTest(t, Config{})
	tests := []struct {
		name string
		cfg  Config
		is   error
		says []string
	}{
		{"port taken", Config{Addr: taken.LocalAddr()}, syscall.EADDRINUSE,
			[]string{taken.LocalAddr().String(), "another socket", "ss -ulpn", "another port"}},
		{"address of nobody", Config{Addr: netip.MustParseAddrPort("192.0.2.77:2055")}, syscall.EADDRNOTAVAIL,
			[]string{"192.0.2.77:2055", "no interface"}},
		{"all faults at once", Config{Batch: -1, BufferSize: 70000, ReceiveBuffer: -5}, nil,
			[]string{"listen udp :0", "batch of -1", "buffer of 70000", "receive buffer of -5"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := Listen(test.cfg)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v", err)
			}
			for _, word := range test.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
}
