package weir_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir"
)

// TestReceiver: what several exporters send to several sockets is handed over, all that had
// arrived at the stop included.
func TestReceiver(t *testing.T) {
	const exporters, each = 8, 200
	var mu sync.Mutex
	got := map[netip.AddrPort]int{}
	kept := &memory{}
	d := mustNew(t, weir.Options{Storage: kept})
	r, err := weir.NewReceiver(d, weir.ReceiverConfig{
		Listen: []string{"127.0.0.1:0", "localhost:0"}, Sockets: 2, ReceiveBuffer: 4 << 20,
		Handle: func(source netip.AddrPort, _ time.Time, flows []*weir.Flow, err error) {
			mu.Lock()
			defer mu.Unlock()
			got[source] += len(flows)
			if err != nil {
				t.Errorf("%v: %v", source, err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	addrs := r.Addrs()
	if len(addrs) != 4 || addrs[0] != addrs[1] || addrs[2] != addrs[3] || addrs[0] == addrs[2] {
		t.Fatalf("addresses %v", addrs)
	}
	want := map[netip.AddrPort]int{}
	for i := range exporters {
		c, err := net.Dial("udp", addrs[2*(i%2)].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range each {
			if _, err := c.Write(datagram); err != nil {
				t.Fatal(err)
			}
		}
		want[c.LocalAddr().(*net.UDPAddr).AddrPort()] = each
	}
	if err := r.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := r.Stats()
	if s.Datagrams+s.Dropped != exporters*each {
		t.Errorf("%+v, sent %d", s, exporters*each)
	}
	total := 0
	for source, n := range got {
		total += n
		if n > want[source] {
			t.Errorf("%v: %d flows, sent %d", source, n, want[source])
		}
	}
	if uint64(total) != s.Datagrams {
		t.Errorf("%d flows of %d datagrams", total, s.Datagrams)
	}
	if kept.saves == 0 {
		t.Error("templates are not saved")
	}
}

func TestReceiverRefusals(t *testing.T) {
	d := mustNew(t, weir.Options{})
	handle := func(netip.AddrPort, time.Time, []*weir.Flow, error) {}
	for _, c := range []weir.ReceiverConfig{
		{Listen: []string{":0"}},
		{Handle: handle},
		{Handle: handle, Listen: []string{":0"}, Sockets: -1},
	} {
		if _, err := weir.NewReceiver(d, c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, bad := range []string{taken.LocalAddr().String(), "127.0.0.1", "127.0.0.1:http2055"} {
		free := "127.0.0.1:0"
		r, err := weir.NewReceiver(d, weir.ReceiverConfig{Handle: handle, Listen: []string{free, bad}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context()); err == nil || len(r.Addrs()) != 0 {
			t.Errorf("%s: error %v, sockets %v", bad, err, r.Addrs())
		}
	}
}

// TestReceiverContext: the context ends what Start began, and Stop comes to its end when
// a handler does not return.
func TestReceiverContext(t *testing.T) {
	block := make(chan struct{})
	entered := make(chan struct{}, 1)
	r, err := weir.NewReceiver(mustNew(t, weir.Options{}), weir.ReceiverConfig{
		Listen: []string{"127.0.0.1:0"},
		Handle: func(netip.AddrPort, time.Time, []*weir.Flow, error) {
			entered <- struct{}{}
			<-block
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp", r.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write(datagram)
	<-entered
	cancel()
	gone, end := context.WithCancel(context.Background())
	end()
	done := make(chan error)
	go func() { done <- r.Stop(gone) }()
	close(block)
	if err := <-done; err == nil {
		t.Log("the handler had returned")
	}
}
