package collector

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// patience is how long anything that must happen may take. Tests do not wait for
// it unless they fail.
const patience = 20 * time.Second

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// rig is a worker with its sockets, whose other end the test has.
type rig struct {
	*Worker
	t         *testing.T
	lane      *sink.Lane
	exporters *Exporters
	conns     []net.Conn // one to each socket
	ended     chan error
}

// rigConfig says how to make a rig. What is zero has a default.
type rigConfig struct {
	Config
	sockets   int
	depth     int // batches
	admission *Admission
	exporters *Exporters
	store     *producer.TemplateStore
	programs  *producer.Programs // nil for no mapping
	notify    func()
	lane      *sink.Lane
	index     int
	errors    *ErrorSamples // nil for none
	names     *Goflow2Names // nil for no metrics of goflow2's
}

// newRig makes a worker that does not run yet.
func newRig(t *testing.T, cfg rigConfig) *rig {
	t.Helper()
	if cfg.BatchSize == 0 {
		cfg.BatchSize = 64 << 10
	}
	if cfg.Linger == 0 {
		cfg.Linger = time.Minute
	}
	if cfg.admission == nil {
		cfg.admission = NewAdmission(nil, nil, 0)
	}
	if cfg.exporters == nil {
		cfg.exporters = NewExporters()
	}
	if cfg.store == nil {
		cfg.store = producer.NewStore(template.DefaultLimits())
	}
	if cfg.notify == nil {
		cfg.notify = func() {}
	}
	if cfg.lane == nil {
		cfg.lane = sink.NewLane(cfg.index, max(cfg.depth, 2), cfg.BatchSize)
	}
	r := &rig{t: t, lane: cfg.lane, exporters: cfg.exporters, ended: make(chan error, 1)}
	parts := Parts{
		CPU: -1, Lane: cfg.lane, Notify: cfg.notify, Exporters: cfg.exporters, Gate: NewGate(cfg.admission), Errors: cfg.errors, Names: cfg.names,
		Producer: producer.New(producer.Config{Format: producer.FormatBin, Programs: cfg.programs}, cfg.store),
		Logger:   slog.New(slog.DiscardHandler),
	}
	for range max(cfg.sockets, 1) {
		s, err := udp.Listen(udp.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		parts.Sockets = append(parts.Sockets, s)
		parts.Listens = append(parts.Listens, s.LocalAddr().String())
		conn, err := net.Dial("udp", s.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		r.conns = append(r.conns, conn)
	}
	w, err := NewWorker(cfg.index, cfg.Config, parts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	r.Worker = w
	return r
}

// start has the worker run until the test ends, or end.
func (r *rig) start() {
	go func() { r.ended <- r.Run() }()
	r.t.Cleanup(func() {
		if r.ended != nil {
			r.end()
		}
	})
}

// end stops the worker and waits for its end.
func (r *rig) end() {
	r.t.Helper()
	r.Stop()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("worker: %v", err)
		}
	case <-time.After(patience):
		r.t.Fatal("worker does not end")
	}
	r.ended = nil
}

// send sends a datagram to the first socket.
func (r *rig) send(datagram []byte) { r.sendTo(0, datagram) }

func (r *rig) sendTo(socket int, datagram []byte) {
	r.t.Helper()
	if _, err := r.conns[socket].Write(datagram); err != nil {
		r.t.Fatal(err)
	}
}

// waitReceived waits until n datagrams were received.
func (r *rig) waitReceived(n int) Snapshot {
	r.t.Helper()
	var s Snapshot
	eventually(r.t, "datagrams are received", func() bool {
		s = r.Snapshot()
		return s.Received[PathUDP] >= uint64(n)
	})
	return s
}

// take waits for a sealed batch.
func (r *rig) take() *producer.Batch {
	r.t.Helper()
	var b *producer.Batch
	eventually(r.t, "a batch is sealed", func() (ok bool) {
		b, ok = r.lane.Full.Pop()
		return ok
	})
	return b
}

// giveBack returns a batch to the worker, as a sink does.
func (r *rig) giveBack(b *producer.Batch) {
	b.Reset()
	if !r.lane.Empty.Push(b) {
		r.t.Error("no room for a batch that is given back")
	}
}

// v5 is a NetFlow v5 datagram.
func v5(records int) []byte {
	b := binary.BigEndian.AppendUint16(nil, 5)
	b = binary.BigEndian.AppendUint16(b, uint16(records))
	b = binary.BigEndian.AppendUint32(b, 60_000)
	b = binary.BigEndian.AppendUint32(b, 1_700_000_000)
	b = append(b, make([]byte, 24-12)...)
	for i := range records {
		record := make([]byte, 48)
		copy(record, []byte{10, 0, 0, 1, 10, 0, 0, 2})
		binary.BigEndian.PutUint32(record[16:], 1)
		binary.BigEndian.PutUint32(record[20:], uint32(100+i))
		b = append(b, record...)
	}
	return b
}

// v9Template announces template 256 of three fields; v9Data has one record of it.
func v9Template() []byte {
	return append(v9Header(1), 0, 0, 0, 20, 1, 0, 0, 3, 0, 8, 0, 4, 0, 12, 0, 4, 0, 1, 0, 4)
}

func v9Data() []byte {
	return append(v9Header(1), 1, 0, 0, 16, 10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 99)
}

func v9Header(count uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, 9)
	b = binary.BigEndian.AppendUint16(b, count)
	b = binary.BigEndian.AppendUint32(b, 60_000)
	b = binary.BigEndian.AppendUint32(b, 1_700_000_000)
	b = binary.BigEndian.AppendUint32(b, 1)
	return binary.BigEndian.AppendUint32(b, 7)
}

// fakeSink counts what it gets. It refuses every refuse-th batch.
type fakeSink struct {
	refuse  int
	mu      sync.Mutex
	batches int
	records int
	bytes   int
}

func (s *fakeSink) Name() string { return "fake" }

func (s *fakeSink) Write(_ context.Context, b *producer.Batch) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	if s.refuse > 0 && s.batches%s.refuse == 0 {
		return 0, sink.ErrDiskFull
	}
	s.records += b.Records()
	s.bytes += len(b.Buf)
	return b.Records(), nil
}

func (s *fakeSink) Flush() error  { return nil }
func (s *fakeSink) Reopen() error { return nil }
func (s *fakeSink) Close() error  { return nil }
