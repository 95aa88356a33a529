package collector

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// checkSums checks what holds in every ledger, also of a collector at work.
func checkSums(t *testing.T, l *Ledger) {
	t.Helper()
	w := &l.Workers
	decoded, failed, held := producer.Sum(w.Decode.Decoded[:]), producer.Sum(w.Decode.Failed[:]), w.Decode.Held.Datagrams
	if unaccounted(w) != 0 {
		t.Errorf("%d datagrams received, %d decoded + %d failed + %d held + %d denied + %d over the rate + %d at the stop",
			l.Received(), decoded, failed, held, w.Denied, w.Limited, w.Shutdown)
	}
	if n := producer.Sum(w.Decode.Datagrams[:]); n != decoded+failed+held {
		t.Errorf("%d datagrams by protocol, %d decoded, failed or held", n, decoded+failed+held)
	}
	if sum := l.Acknowledged + l.DroppedRecords() + l.InFlight; l.Produced() != sum {
		t.Errorf("%d records produced, %d acknowledged + %d dropped + %d in flight", l.Produced(), l.Acknowledged, l.DroppedRecords(), l.InFlight)
	}
	if l.InFlight > 1<<40 {
		t.Errorf("%d records in flight: fewer than none", int64(l.InFlight))
	}
}

// TestLedger: whenever one looks, every datagram and every record is in one place;
// at the end all are where they belong.
func TestLedger(t *testing.T) {
	const workers, sockets, senders, datagrams = 3, 2, 4, 600
	out := &fakeSink{refuse: 7}
	var lanes []*sink.Lane
	for i := range workers {
		lanes = append(lanes, sink.NewLane(i, 4, 4<<10))
	}
	hub := sink.NewHub(out, lanes, nil)
	hubDone := make(chan error, 1)
	go func() { hubDone <- hub.Run(context.Background()) }()

	exporters, store := NewExporters(), producer.NewStore(template.DefaultLimits())
	var rigs []*rig
	var list []*Worker
	for i := range workers {
		r := newRig(t, rigConfig{
			Config:  Config{BatchSize: 4 << 10, Linger: 5 * time.Millisecond, Latency: time.Millisecond},
			sockets: sockets, exporters: exporters, store: store, notify: hub.Notify, lane: lanes[i], index: i,
		})
		r.start()
		rigs, list = append(rigs, r), append(list, r.Worker)
	}

	payloads := [][]byte{v5(30), v9Template(), v9Data(), v5(1), []byte("garbage"), v5(30)[:100], nil, {0, 10}}
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range datagrams {
				to := rigs[(i+s)%workers]
				// Kernel drops are not in the ledger's sums: what is lost is lost.
				_, _ = to.conns[i%sockets].Write(payloads[(i/7+s)%len(payloads)])
				if i%16 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	sent := make(chan struct{})
	go func() {
		sending.Wait()
		close(sent)
	}()
	looks := 0
	for over := false; !over; looks++ {
		select {
		case <-sent:
			over = true
		case <-time.After(time.Millisecond):
		}
		checkSums(t, NewLedger(list, hub.Counters()))
		if t.Failed() {
			t.FailNow()
		}
	}
	for _, r := range rigs {
		r.end()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := errors.Join(hub.Stop(ctx), <-hubDone); err != nil {
		t.Fatal(err)
	}
	l := NewLedger(list, hub.Counters())
	checkSums(t, l)
	if lost := l.Workers.SocketDropped; l.Received()+lost != senders*datagrams {
		t.Errorf("%d datagrams received and %d dropped by the kernel of %d", l.Received(), lost, senders*datagrams)
	}
	byReason := map[string]uint64{}
	for _, d := range l.Dropped {
		byReason[d.Reason] = d.Records
	}
	if l.InFlight != 0 || l.Acknowledged != uint64(out.records) || l.SinkBytes != uint64(out.bytes) ||
		l.Workers.Sealed != uint64(out.batches) || byReason[sink.ReasonDiskFull] == 0 {
		t.Errorf("in flight %d; acknowledged %d, the sink has %d; bytes %d, %d; batches %d, %d; dropped %v",
			l.InFlight, l.Acknowledged, out.records, l.SinkBytes, out.bytes, l.Workers.Sealed, out.batches, byReason)
	}
	first, other := exporters.Stats(100)
	if len(first) != 1 || other.Datagrams != 0 || first[0].Datagrams != l.Received() || first[0].Records != l.Produced() ||
		first[0].Bytes != producer.Sum(l.Workers.ReceivedBytes[:]) {
		t.Errorf("by exporter %+v, in all %d datagrams of %d records", first, l.Received(), l.Produced())
	}
	if looks < 10 {
		t.Errorf("looked %d times only", looks)
	}
}

func TestPathNames(t *testing.T) {
	if PathUDP.String() != "udp" || PathXDP.String() != "xdp" {
		t.Errorf("%v, %v", PathUDP, PathXDP)
	}
}
