//go:build linux

package collector

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// TestListenAndLeave: a running worker takes sockets and gives them up, nothing that was
// sent to them is lost, and counts by listen address go on when an address comes back.
func TestListenAndLeave(t *testing.T) {
	ctx := context.Background()
	names := NewGoflow2Names(10)
	r := newRig(t, rigConfig{names: names})
	r.start()
	w := r.Worker
	sent := 0
	for round := range 5 {
		s, err := udp.Listen(udp.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("udp", s.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		send := func(n int) {
			for range n {
				if _, err := conn.Write([]byte{0, 5, 0, 0}); err != nil {
					t.Fatal(err)
				}
			}
			sent += n
		}
		send(20) // they wait
		if err := w.Listen(ctx, s, "netflow://added"); err != nil {
			t.Fatal(err)
		}
		send(50)
		if got := w.Sockets(); got != 2 {
			t.Errorf("%d sockets", got)
		}
		own, err := w.Leave(ctx, s)
		if err != nil || !own {
			t.Fatalf("%v, %v", own, err)
		}
		if own, err := w.Leave(ctx, s); own || err != nil {
			t.Errorf("left twice: %v, %v", own, err)
		}
		if got, _ := w.SocketDrops(); len(got) != 2 || got[1] != "netflow://added" || w.Sockets() != 1 {
			t.Errorf("round %d: %v, %d sockets", round, got, w.Sockets())
		}
		if l := NewLedger([]*Worker{w}, new(sink.Counters)); l.Received() != uint64(sent) {
			t.Errorf("%d received of %d", l.Received(), sent)
		}
	}
	r.end()
	if l := NewLedger([]*Worker{w}, new(sink.Counters)); l.Received() != uint64(sent) || l.Workers.SocketDropped != 0 {
		t.Errorf("%d received of %d, %d dropped", l.Received(), sent, l.Workers.SocketDropped)
	}
	packets := uint64(0)
	w.Goflow2(func(e *Goflow2Exporter) {
		if len(e.Sockets) > 2 {
			packets += e.Sockets[2][producer.ProtocolNetFlowV5].Packets
		}
	})
	if packets != uint64(sent) {
		t.Errorf("goflow2's metrics have %d of %d", packets, sent)
	}
	if err := w.Listen(ctx, nil, ""); !errors.Is(err, errEnded) {
		t.Errorf("a worker that has ended: %v", err)
	}
}

// TestHalt: a worker that stands still has handed its batch over, receives nothing until it
// goes on, and then uses the other lane and configuration.
func TestHalt(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, rigConfig{})
	r.start()
	r.send(v5(1))
	r.waitReceived(1)
	h, err := r.Halt(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b, ok := r.lane.Full.Pop()
	if !ok || b.Records() != 1 {
		t.Fatal("no batch was sealed")
	}
	r.send(v5(2))
	next := sink.NewLane(0, 2, 64<<10)
	h.Lane(next, func() {})
	h.Configure(Config{BatchSize: 64 << 10, Linger: time.Minute}, producer.Config{Separator: []byte("\n")})
	h.Resume()
	r.waitReceived(2)
	r.end()
	b, ok = next.Full.Pop()
	if !ok || b.Records() != 2 || b.Buf[0] != '{' || r.lane.Full.Len() != 0 {
		t.Fatalf("in the other lane: %v", ok)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.Halt(canceled); err == nil {
		t.Error("halted a worker that has ended")
	}
}
