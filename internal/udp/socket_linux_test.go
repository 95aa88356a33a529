//go:build !udpportable

package udp

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestBatches(t *testing.T) {
	s := listenTest(t, Config{Batch: 8, ReceiveBuffer: 1 << 20})
	conn := dial(t, s, "")
	for i := range 20 {
		send(t, conn, []byte{byte(i)})
	}
	next := byte(0)
	for _, want := range []int{8, 8, 4, 0} {
		n, err := s.Receive(0)
		if err != nil || n != want {
			t.Fatalf("got %d, %v; want %d", n, err, want)
		}
		for i := range n {
			if d := s.Datagram(i); len(d.Payload) != 1 || d.Payload[0] != next {
				t.Fatalf("datagram %d: %v", next, d.Payload)
			}
			next++
		}
	}
	if !s.drained {
		t.Error("an empty socket is not known as drained")
	}
}

// After a full batch that emptied the socket, Receive waits as ever.
func TestFullBatchThenTimeout(t *testing.T) {
	s := listenTest(t, Config{Batch: 2})
	conn := dial(t, s, "")
	send(t, conn, []byte("a"))
	send(t, conn, []byte("b"))
	if n, err := s.Receive(patience); n != 2 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	start := time.Now()
	if n, err := s.Receive(30 * time.Millisecond); n != 0 || err != nil || time.Since(start) < 15*time.Millisecond {
		t.Errorf("got %d, %v after %v", n, err, time.Since(start))
	}
}

// Every datagram sent to a small queue is received or counted as dropped, with
// the drops at the end seen by PollDrops alone.
func TestKernelDropsAreExact(t *testing.T) {
	for _, poll := range []bool{false, true} {
		s := listenTest(t, Config{Batch: 4, ReceiveBuffer: 4096})
		conn := dial(t, s, "")
		const rounds, each = 20, 100
		received := 0
		drain := func() {
			for {
				n, err := s.Receive(0)
				if err != nil {
					t.Fatal(err)
				}
				if received += n; n == 0 {
					return
				}
			}
		}
		for range rounds {
			for range each {
				send(t, conn, make([]byte, 200))
			}
			if poll {
				s.PollDrops()
			}
			drain()
			if poll {
				s.PollDrops()
			}
		}
		before := s.KernelDrops()
		total := s.PollDrops()
		if total == 0 || received == 0 {
			t.Fatalf("received %d, dropped %d: the test needs both", received, total)
		}
		if uint64(received)+total != rounds*each {
			t.Errorf("poll %v: received %d + dropped %d != sent %d", poll, received, total, rounds*each)
		}
		if !poll && before >= total {
			t.Errorf("the last drops were known before PollDrops: %d of %d", before, total)
		}
		if again := s.PollDrops(); again != total || s.KernelDrops() != total {
			t.Errorf("counted twice: %d, then %d", total, again)
		}
		if s.Close(); s.KernelDrops() != total {
			t.Errorf("%d drops after Close, %d before", s.KernelDrops(), total)
		}
	}
}

// Datagrams alone tell of the drops before them.
func TestKernelDropsWithDatagrams(t *testing.T) {
	s := listenTest(t, Config{ReceiveBuffer: 4096})
	conn := dial(t, s, "")
	for range 100 {
		send(t, conn, make([]byte, 200))
	}
	received, err := s.Receive(patience)
	if err != nil {
		t.Fatal(err)
	}
	if s.KernelDrops() != 0 {
		t.Errorf("datagrams queued before any drop told of %d", s.KernelDrops())
	}
	send(t, conn, []byte("and one more"))
	n, err := s.Receive(patience)
	if err != nil || n != 1 {
		t.Fatalf("got %d, %v", n, err)
	}
	if got := s.KernelDrops(); got != uint64(100-received) {
		t.Errorf("%d received of 100, %d drops", received, got)
	}
}

func TestDropCounter(t *testing.T) {
	tests := []struct {
		name   string
		last   uint32
		values []uint32
		want   uint64
	}{
		{"nothing", 0, []uint32{0, 0}, 0},
		{"first counts from zero", 0, []uint32{7}, 7},
		{"same again", 0, []uint32{7, 7, 9}, 9},
		{"older after newer", 0, []uint32{100, 40, 70, 100, 101}, 101},
		{"wraps", math.MaxUint32 - 4, []uint32{math.MaxUint32, 0, 5}, 10},
		{"older than the wrap", math.MaxUint32 - 4, []uint32{5, math.MaxUint32 - 1, 6}, 11},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var d dropCounter
			d.last.Store(test.last)
			for _, v := range test.values {
				d.observe(v)
			}
			if got := d.total.Load(); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
	// Over several wraps the total goes on.
	var d dropCounter
	for step := range uint64(20) {
		d.observe(uint32((step + 1) << 30))
	}
	if got := d.total.Load(); got != 20<<30 {
		t.Errorf("got %d, want %d", got, 20<<30)
	}
}

func TestReusePort(t *testing.T) {
	const sockets, senders, each = 4, 64, 5
	first := listenTest(t, Config{ReusePort: true})
	group := []*Socket{first}
	for len(group) < sockets {
		group = append(group, listenTest(t, Config{Addr: first.LocalAddr(), ReusePort: true}))
	}
	if s, err := Listen(Config{Addr: first.LocalAddr()}); err == nil {
		s.Close()
		t.Error("a socket without reuse port joined the port")
	}
	for range senders {
		conn := dial(t, first, "")
		for range each {
			send(t, conn, []byte("x"))
		}
	}
	owner := map[netip.AddrPort]int{}
	total, busy := 0, 0
	for i, s := range group {
		here := 0
		for {
			n, err := s.Receive(0)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			for j := range n {
				src := s.Datagram(j).Src
				if was, seen := owner[src]; seen && was != i {
					t.Errorf("sender %v reached sockets %d and %d", src, was, i)
				}
				owner[src] = i
			}
			here += n
		}
		if total += here; here > 0 {
			busy++
		}
	}
	if total != senders*each || busy < 2 {
		t.Errorf("%d of %d datagrams on %d sockets", total, senders*each, busy)
	}
}

func TestReceiveBuffer(t *testing.T) {
	plain := listenTest(t, Config{})
	if asked, granted := plain.ReceiveBuffer(); asked != 0 || granted <= 0 {
		t.Errorf("default: asked %d, granted %d", asked, granted)
	}
	var log bytes.Buffer
	const want = 300_000
	s := listenTest(t, Config{ReceiveBuffer: want, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	asked, granted := s.ReceiveBuffer()
	if asked != want || granted <= 0 || granted > want {
		t.Errorf("asked %d, granted %d", asked, granted)
	}
	if capped := granted < want; capped != strings.Contains(log.String(), "net.core.rmem_max=300000") {
		t.Errorf("granted %d of %d, log %q", granted, want, log.String())
	}
}

// Without CAP_NET_ADMIN the system's limit caps what is asked, and the log says
// what to do. The capability is taken from one thread, which dies afterwards.
func TestReceiveBufferCapped(t *testing.T) {
	const want = 1 << 29
	var log bytes.Buffer
	var asked, granted int
	var err error
	var group sync.WaitGroup
	group.Go(func() {
		runtime.LockOSThread() // and never unlocked
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err = unix.Capset(&header, &none[0]); err != nil {
			return
		}
		var s *Socket
		cfg := Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), ReceiveBuffer: want, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if s, err = Listen(cfg); err == nil {
			asked, granted = s.ReceiveBuffer()
			s.Close()
		}
	})
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	limit, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		t.Skipf("no limit to compare with: %v", err)
	}
	if rmemMax, err := strconv.Atoi(strings.TrimSpace(string(limit))); err != nil || asked != want || granted != min(want, rmemMax) {
		t.Errorf("asked %d, granted %d under a limit of %s", asked, granted, limit)
	}
	if granted < want && !strings.Contains(log.String(), fmt.Sprintf("asked %d granted %d; set net.core.rmem_max=%d or give CAP_NET_ADMIN", want, granted, want)) {
		t.Errorf("log %q", log.String())
	}
}

// A host without IPv6 is played by a kernel that refuses the family.
func TestFallbackToIPv4(t *testing.T) {
	noIPv6 := func(domain, typ, proto int) (int, error) {
		if domain == unix.AF_INET6 {
			return -1, unix.EAFNOSUPPORT
		}
		return unix.Socket(domain, typ, proto)
	}
	for _, addr := range []netip.AddrPort{{}, netip.MustParseAddrPort("[::]:0")} {
		var log bytes.Buffer
		s, err := listen(Config{Addr: addr, Logger: slog.New(slog.NewTextHandler(&log, nil))}, noIPv6)
		if err != nil {
			t.Fatal(err)
		}
		if s.LocalAddr().Addr() != netip.IPv4Unspecified() || !strings.Contains(log.String(), "IPv4 only") {
			t.Errorf("listens on %v, log %q", s.LocalAddr(), log.String())
		}
		send(t, dial(t, s, "127.0.0.1"), []byte("x"))
		collect(t, s, 1, func(Datagram) {})
		s.Close()
	}
	if _, err := listen(Config{Addr: netip.MustParseAddrPort("[::1]:0")}, noIPv6); !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("an explicit IPv6 address: got %v", err)
	}
}

// 0.0.0.0 leaves the IPv6 side of the port free, [::1] the IPv4 side.
func TestFamiliesApart(t *testing.T) {
	v4 := listenTest(t, Config{Addr: netip.MustParseAddrPort("0.0.0.0:0")})
	v6, err := Listen(Config{Addr: netip.AddrPortFrom(netip.IPv6Loopback(), v4.LocalAddr().Port())})
	if err != nil {
		t.Skipf("no IPv6 on the loopback interface: %v", err)
	}
	defer v6.Close()
	send(t, dial(t, v4, "127.0.0.1"), []byte("four"))
	collect(t, v4, 1, func(d Datagram) {})
	if n, err := v6.Receive(0); n != 0 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestReceiveAllocatesNothing(t *testing.T) {
	s := listenTest(t, Config{})
	conn := dial(t, s, "")
	payload, sum := make([]byte, 1400), 0
	if got := testing.AllocsPerRun(200, func() {
		for range 10 {
			if _, err := conn.Write(payload); err != nil {
				t.Fatal(err)
			}
		}
		for {
			n, err := s.Receive(0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				d := s.Datagram(i)
				sum += len(d.Payload) + int(d.Src.Port())
			}
			if n == 0 {
				break
			}
		}
		s.PollDrops()
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if sum == 0 {
		t.Error("nothing was received")
	}
}

func TestConcurrentReceiveIsRefused(t *testing.T) {
	s := listenTest(t, Config{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := s.Receive(-1); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	deadline := time.Now().Add(patience)
	for s.state.Load()&stateBusy == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if _, err := s.Receive(0); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	s.PollDrops() // harmless meanwhile
	s.Close()
	<-done
}

// Waking, asking and closing from many goroutines while one receives.
func TestConcurrentUse(t *testing.T) {
	for range 20 {
		s := listenTest(t, Config{Batch: 4})
		conn := dial(t, s, "")
		var group sync.WaitGroup
		group.Go(func() {
			for {
				n, err := s.Receive(-1)
				for i := range n {
					_ = s.Datagram(i)
				}
				if err != nil {
					return
				}
				s.PollDrops()
			}
		})
		for range 3 {
			group.Go(func() {
				for range 50 {
					s.Wake()
					_ = s.KernelDrops()
					_, _ = conn.Write([]byte("x"))
				}
			})
		}
		group.Go(func() { s.Close() })
		group.Go(func() { s.Close() })
		group.Wait()
	}
}

func BenchmarkReceive(b *testing.B) {
	s := listenTest(b, Config{ReceiveBuffer: 8 << 20})
	conn := dial(b, s, "")
	payload := make([]byte, 1400)
	b.SetBytes(1400)
	received := 0
	for b.Loop() {
		b.StopTimer()
		for range 64 {
			if _, err := conn.Write(payload); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		n, err := s.Receive(0)
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			if d := s.Datagram(i); len(d.Payload) != 1400 {
				b.Fatal("short")
			}
		}
		received += n
	}
	b.ReportMetric(float64(received)/float64(b.N), "datagrams/op")
}

// TestRefuse: what was queued before is received, what comes after is counted as
// dropped.
func TestRefuse(t *testing.T) {
	s, err := Listen(Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.Dial("udp", s.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	write := func(n int) {
		for range n {
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(5)
	if err := s.Refuse(); err != nil {
		t.Fatal(err)
	}
	write(7)
	got := 0
	for n := 1; n > 0; got += n {
		if n, err = s.TryReceive(); err != nil {
			t.Fatal(err)
		}
	}
	if drops := s.PollDrops(); got != 5 || drops != 7 {
		t.Errorf("%d received and %d dropped, want 5 and 7", got, drops)
	}
	s.Close()
	if err := s.Refuse(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("refuse after close: %v", err)
	}
}
