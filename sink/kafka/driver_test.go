package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/kafkatest"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// keys is how many different keys the test's flows have.
const keys = 37

// testKey is the key of a flow of the tests.
func testKey(id uint64) uint32 { return uint32(id%keys) * 2654435761 }

// appendFlow appends a length-delimited flow, or a JSON one, with a number.
func appendFlow(b []byte, id uint64, json bool) []byte {
	pad := int(id*2654435761>>16) % 120
	if json {
		b = append(b, `{"id":"`...)
		b = append(b, strconv.FormatUint(id+1_000_000_000_000, 16)...)
		b = append(b, `","pad":"`...)
		b = append(b, strings.Repeat("x", pad)...)
		return append(b, `"}`...)
	}
	b = binary.AppendUvarint(b, uint64(10+pad))
	b = binary.BigEndian.AppendUint64(b, id)
	for i := range pad + 2 {
		b = append(b, byte(i*7)&31)
	}
	return b
}

// flowID returns the number of a flow of appendFlow.
func flowID(m []byte) uint64 {
	if bytes.HasPrefix(m, []byte(`{"id":"`)) {
		end := bytes.IndexByte(m[7:], '"')
		id, err := strconv.ParseUint(string(m[7:7+end]), 16, 64)
		if err != nil {
			panic(err)
		}
		return id - 1_000_000_000_000
	}
	_, n := binary.Uvarint(m)
	return binary.BigEndian.Uint64(m[n:])
}

// keyBatch is fillBatch for flows with keys.
func keyBatch(from, n uint64, json bool) *producer.Batch {
	b := fillBatch(from, n, json)
	for id := from; id < from+n; id++ {
		b.Keys = append(b.Keys, testKey(id))
	}
	return b
}

// fillBatch returns a batch of flows from the number on.
func fillBatch(from, n uint64, json bool) *producer.Batch {
	b := producer.NewBatch(0, 64<<10)
	// Kafka would soon throw away what is older than its retention.
	b.FirstNs = time.Now().UnixNano() - int64(from%1000)*1_000_000
	for id := from; id < from+n; id++ {
		b.Buf = appendFlow(b.Buf, id, json)
		b.Ends = append(b.Ends, uint32(len(b.Buf)))
	}
	return b
}

// eachFlow calls f for every flow of a message.
func eachFlow(t testing.TB, m kafkatest.Message, json bool, f func(flow []byte)) {
	t.Helper()
	if json {
		for line := range bytes.SplitSeq(m.Value, []byte("\n")) {
			f(line)
		}
		return
	}
	for v := m.Value; len(v) > 0; {
		size, n := binary.Uvarint(v)
		if n <= 0 || int(size)+n > len(v) {
			t.Fatalf("message at %d/%d ends in the middle of a flow", m.Partition, m.Offset)
		}
		f(v[:n+int(size)])
		v = v[n+int(size):]
	}
}

// A driver submits batches as the hub does, with a queue in memory in place of
// the spool: what comes back as unavailable is offered again, in order, before
// anything newer.
type driver struct {
	t     testing.TB
	sink  *Sink
	json  bool
	keyed bool              // flows have keys: with Hashing, unless a test wants it without
	queue []*producer.Batch // to be offered
	// out are the batches that the sink has, in the order of Submit.
	out     []*producer.Batch
	failed  map[*producer.Batch]*producer.Batch // what came back of them
	acked   uint64
	refused uint64
	back    uint64 // handed back as unavailable
	next    uint64 // number of the next flow
}

func drive(t testing.TB, s *Sink) *driver {
	return &driver{t: t, sink: s, json: s.set.Format == FormatJSON, keyed: s.set.Hashing, failed: make(map[*producer.Batch]*producer.Batch)}
}

// add queues n new flows in batches of size.
func (d *driver) add(n, size uint64) {
	for end := d.next + n; d.next < end; {
		k := min(size, end-d.next)
		fill := fillBatch
		if d.keyed {
			fill = keyBatch
		}
		d.queue = append(d.queue, fill(d.next, k, d.json))
		d.next += k
	}
}

// pump offers what it can.
func (d *driver) pump() {
	for len(d.queue) > 0 && d.sink.Submit(d.queue[0]) {
		d.out = append(d.out, d.queue[0])
		d.queue = d.queue[1:]
	}
}

// receive takes one batch back within the time, or reports false.
func (d *driver) receive(wait time.Duration) bool {
	select {
	case done := <-d.sink.Done():
		d.take(done)
		return true
	default:
	}
	if wait == 0 {
		return false
	}
	select {
	case done := <-d.sink.Done():
		d.take(done)
		return true
	case <-time.After(wait):
		return false
	}
}

func (d *driver) take(done sink.Done) {
	d.acked += uint64(done.Batch.Records() - len(done.Failed))
	var again *producer.Batch
	if len(done.Failed) > 0 {
		switch {
		case errors.Is(done.Err, sink.ErrUnavailable):
			again = producer.NewBatch(0, 1<<10)
			again.FirstNs = done.Batch.FirstNs
			for k, i := range done.Failed {
				if k > 0 && done.Failed[k-1] >= i {
					d.t.Fatalf("failed indices are not ascending: %d after %d", i, done.Failed[k-1])
				}
				again.Buf = append(again.Buf, done.Batch.Message(int(i))...)
				again.Ends = append(again.Ends, uint32(len(again.Buf)))
				if d.keyed {
					again.Keys = append(again.Keys, done.Batch.Keys[i])
				}
			}
			d.back += uint64(len(done.Failed))
		case errors.Is(done.Err, sink.ErrRefused):
			d.refused += uint64(len(done.Failed))
		default:
			d.t.Fatalf("a batch came back with %v", done.Err)
		}
	} else if done.Err != nil {
		d.t.Fatalf("a batch came back whole, and with %v", done.Err)
	}
	// What failed goes back to the head of the queue once all are back.
	d.failed[done.Batch] = again
	if len(d.failed) < len(d.out) {
		return
	}
	var redo []*producer.Batch
	for _, b := range d.out {
		if f := d.failed[b]; f != nil {
			redo = append(redo, f)
		}
	}
	d.queue = append(redo, d.queue...)
	d.out = d.out[:0]
	clear(d.failed)
}

// finish offers until all are delivered.
func (d *driver) finish() {
	d.t.Helper()
	end := time.Now().Add(patience)
	for len(d.queue) > 0 || len(d.out) > 0 {
		d.pump()
		d.receive(20 * time.Millisecond)
		if time.Now().After(end) {
			d.t.Fatalf("not done after %v: %d of %d flows acknowledged, %d batches with the sink, %d to offer, available %v",
				patience, d.acked, d.next, len(d.out), len(d.queue), d.sink.Available())
		}
	}
	if d.acked+d.refused != d.next {
		d.t.Fatalf("%d flows acknowledged + %d refused, %d sent", d.acked, d.refused, d.next)
	}
}

// An account is what a consumer found.
type account struct {
	flows, messages uint64
	lost, repeated  uint64
	disorder        uint64         // flows that came after a later one of their key
	scattered       map[uint64]int // keys in several partitions
}

// tally checks messages, given partition by partition, against n flows.
func (d *driver) tally(read func(f func(kafkatest.Message))) account {
	d.t.Helper()
	c := d.sink.set
	seen := make([]uint8, d.next)
	last := make(map[uint64]uint64)
	home := make(map[uint64]int32)
	a := account{scattered: make(map[uint64]int)}
	read(func(m kafkatest.Message) {
		a.messages++
		n, id := 0, uint64(0)
		eachFlow(d.t, m, d.json, func(flow []byte) {
			n++
			id = flowID(flow)
			if id >= d.next {
				d.t.Fatalf("flow %d was never sent", id)
			}
			if want := appendFlow(nil, id, d.json); !bytes.Equal(flow, want) {
				d.t.Fatalf("flow %d is altered", id)
			}
			if seen[id]++; seen[id] > 1 {
				a.repeated++
				return
			}
			a.flows++
			key := id % keys
			if l, ok := last[key]; ok && id < l {
				a.disorder++
			}
			last[key] = id
			if p, ok := home[key]; ok && p != m.Partition {
				a.scattered[key]++
			}
			home[key] = m.Partition
		})
		if c.Shape == ShapeFlow && n != 1 {
			d.t.Fatalf("a message of %d flows in shape flow", n)
		}
		if !c.NoHeaders && (m.Headers["content-type"] != c.ContentType || m.Headers["weir-records"] != strconv.Itoa(n)) {
			d.t.Fatalf("message of %d flows with headers %v", n, m.Headers)
		}
		wantKey := d.keyed && c.Shape == ShapeFlow
		if (m.Key != nil) != wantKey || wantKey && !bytes.Equal(m.Key, binary.BigEndian.AppendUint32(nil, testKey(id))) {
			d.t.Fatalf("key %x of flow %d", m.Key, id)
		}
		if len(m.Value) > c.MaxMessageBytes {
			d.t.Fatalf("message of %d bytes, more than %d", len(m.Value), c.MaxMessageBytes)
		}
	})
	a.lost = d.next - d.refused - a.flows
	return a
}

// check fails the test unless every flow is there once, in order by key.
func (d *driver) check(read func(f func(kafkatest.Message))) {
	d.t.Helper()
	a := d.tally(read)
	if a.lost != 0 || a.repeated != 0 {
		d.t.Errorf("%d flows lost, %d repeated of %d", a.lost, a.repeated, d.next)
	}
	if d.keyed && d.sink.set.bucketed && (a.disorder != 0 || len(a.scattered) != 0) {
		d.t.Errorf("%d flows out of order, keys in several partitions: %v", a.disorder, a.scattered)
	}
	if got := d.sink.Counters().Flows(); got != d.acked {
		d.t.Errorf("counter of flows %d, %d acknowledged", got, d.acked)
	}
	if h := d.sink.Counters().Latency(); h.Count != d.acked {
		d.t.Errorf("latency of %d flows observed, %d acknowledged", h.Count, d.acked)
	}
	var requests uint64
	for _, b := range d.sink.Counters().Brokers() {
		requests += b.Requests
		if b.Requests > 0 && b.Bytes == 0 || b.UnderWay != 0 || b.Latency.Count > b.Requests {
			d.t.Errorf("broker %+v", b)
		}
	}
	if n := d.sink.Counters().Requests(); n != requests || n == 0 {
		d.t.Errorf("%d requests to all brokers, %d by broker", n, requests)
	}
	if c := d.sink.Control(); c.Requests() < 2 || c.Responses() == 0 || c.Sent() == 0 || c.Received() == 0 {
		d.t.Errorf("%d control requests, %d responses", c.Requests(), c.Responses())
	}
	// What is held is released after its batch came back.
	eventually(d.t, "no bytes held, no requests under way", func() bool {
		return d.sink.Counters().HeldBytes() == 0 && d.sink.Counters().UnderWay() == 0
	})
}

// newFake returns a fake that fails the test if a producer misbehaves.
func newFake(t testing.TB, brokers int, topic string, partitions int) *kafkatest.Fake {
	f := kafkatest.NewFake(t, brokers, topic, partitions)
	t.Cleanup(func() {
		if faults := f.Faults(); len(faults) > 0 {
			t.Errorf("the broker complains: %v", faults)
		}
	})
	return f
}

// fakeReader reads all of a fake.
func fakeReader(f *kafkatest.Fake) func(func(kafkatest.Message)) {
	return func(g func(kafkatest.Message)) {
		for _, m := range f.All() {
			g(m)
		}
	}
}

// logBuffer is a log that tests read.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// open returns a sink that is closed with the test, and its log.
func open(t testing.TB, c Config) (*Sink, *logBuffer) {
	t.Helper()
	log := new(logBuffer)
	c.Logger = log.logger()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if t.Failed() {
			t.Logf("log of the sink:\n%s", log)
		}
	})
	return s, log
}

// patience is how long anything that must happen may take. No test waits for it unless it
// fails: it is long enough for a busy machine, and for a real cluster.
const patience = 2 * time.Minute

// eventually waits until f returns true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func flush(t testing.TB, s *Sink) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		t.Error(err)
	}
}

// chance is true once in n times.
func chance(n int) bool { return rand.IntN(n) == 0 }

// appendHugeFlow is appendFlow with a pad of that size.
func appendHugeFlow(b []byte, id uint64, pad int) []byte {
	b = binary.AppendUvarint(b, uint64(8+pad))
	b = binary.BigEndian.AppendUint64(b, id)
	for range pad {
		b = append(b, byte(rand.Uint32()))
	}
	return b
}

// silent returns the address of a listener that takes connections and never
// says anything.
func silent(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
