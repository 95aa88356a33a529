package live

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/producer/flowpb"
)

// binary output, so that it can be read message by message.
var delimited = []string{"-format", "bin", "-transport.file.sep", ""}

// load256 is what 256 exporters send: all protocols, the flows numbered.
type load256 struct {
	datagrams []workload.Datagram
	flows     int // in all; numbered from 1
}

func newLoad256(t *testing.T, n int) *load256 {
	t.Helper()
	g, err := workload.New(workload.Config{Workload: "mix", Exporters: 256, Seed: 7, MaxPayload: linkMTU - ipv4HeaderSize - udpHeaderSize, IDs: true})
	if err != nil {
		t.Fatal(err)
	}
	return &load256{datagrams: g.Take(n), flows: int(g.NextID()) - 1}
}

// frames returns the first n datagrams as frames, each from its exporter's address,
// and how many flows are in them.
func (load *load256) frames(l *xdpLab, n int) (frames [][]byte, flows int) {
	for _, d := range load.datagrams[:n] {
		src := netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 5000)
		frames = append(frames, l.frame(src, d.Payload))
		flows += len(d.Flows)
	}
	return frames, flows
}

// normalise takes the time of receiving out of a message: all that may differ
// between two runs over the same datagrams. A sampled packet has no other time.
func normalise(m *flowpb.FlowMessage) {
	m.TimeReceivedNs = 0
	if m.Type == flowpb.FlowMessage_SFLOW_5 {
		m.TimeFlowStartNs, m.TimeFlowEndNs = 0, 0
	}
}

// canonical encodes a message the same way however it was encoded.
func canonical(t *testing.T, m *flowpb.FlowMessage) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// numberedFlows are flows that were written, by their numbers.
type numberedFlows struct {
	sums []uint64 // of the messages without receive times; 0: not there
}

var sumSeed = maphash.MakeSeed()

// readNumbered reads delimited messages whose flows are numbered from 1 to n, and
// checks that each is there exactly once and that those of an exporter are in the
// order in which they were sent.
func readNumbered(t *testing.T, path string, n int) *numberedFlows {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &numberedFlows{sums: make([]uint64, n+1)}
	last := map[string]uint64{}
	count := 0
	var m flowpb.FlowMessage
	for ; len(data) > 0; count++ {
		size, k := binary.Uvarint(data)
		if k <= 0 || size > uint64(len(data)-k) {
			t.Fatalf("message %d: length %d with %d bytes left", count, size, len(data))
		}
		if err := proto.Unmarshal(data[k:k+int(size)], &m); err != nil {
			t.Fatalf("message %d: %v", count, err)
		}
		data = data[k+int(size):]
		id, exporter := m.Bytes, string(m.SamplerAddress)
		if id < 1 || id > uint64(n) {
			t.Fatalf("message %d: flow %d of %d", count, id, n)
		}
		if f.sums[id] != 0 {
			t.Fatalf("flow %d is there twice", id)
		}
		if id <= last[exporter] {
			t.Fatalf("flow %d of exporter %x comes after %d", id, exporter, last[exporter])
		}
		last[exporter] = id
		normalise(&m)
		f.sums[id] = maphash.Bytes(sumSeed, canonical(t, &m)) | 1
	}
	if count != n {
		t.Errorf("%d flows, want %d", count, n)
	}
	if len(last) != 256 {
		t.Errorf("flows of %d exporters, want 256", len(last))
	}
	return f
}

// TestXDPDelivers: what 256 exporters send comes by AF_XDP, all of it, once, in
// each exporter's order, and what is made of it is what is made of the same
// datagrams from a socket.
func TestXDPDelivers(t *testing.T) {
	t.Parallel()
	most, fewer := 20_000, 4_000
	if raceDetector() || testing.Short() {
		most, fewer = 3_000, 1_500
	}
	load := newLoad256(t, most)

	// The reference: the same frames, through the stack.
	l := newXDPLab(t, 1)
	w := startWeir(t, l.collector, delimited...)
	frames, flows := load.frames(l, most)
	l.deliver(w, frames)
	m := w.settle(most)
	m.lossless(t)
	if m.path("udp") != most {
		t.Fatalf("%d datagrams over the stack, want %d", m.path("udp"), most)
	}
	w.stop()
	want := readNumbered(t, w.file, flows)

	t.Run("path", func(t *testing.T) {
		for i, kind := range xdpKinds {
			n := fewer
			if i == 0 {
				n = most
			}
			t.Run(kind.name, func(t *testing.T) {
				t.Parallel()
				l := newXDPLab(t, kind.queues)
				w := startXDP(l, append(delimited, "-xdp.mode", kind.mode, "-xdp.workers", "3")...)
				if mode := w.scrape().mode("eth0"); mode != kind.mode {
					t.Errorf("mode %q, want %q", mode, kind.mode)
				}
				frames, flows := load.frames(l, n)
				l.deliver(w, frames)
				m := w.settleBoth(n)
				m.lossless(t)
				if m.path("xdp") != n || m.verdict("redirect") != n || m.count("xdp_dropped_total") != 0 {
					t.Errorf("%d datagrams by AF_XDP, %d redirected, %d dropped of %d", m.path("xdp"), m.verdict("redirect"), m.count("xdp_dropped_total"), n)
				}
				if m.count("exporters") != 256 {
					t.Errorf("%d exporters, want 256", m.count("exporters"))
				}
				w.stop()
				l.noProgram()
				got := readNumbered(t, w.file, flows)
				for id, sum := range got.sums {
					if sum != want.sums[id] {
						t.Fatalf("flow %d is not what the stack's path makes of it", id)
					}
				}
			})
		}
	})
}

// delimitedNumbers returns the numbers of records made by netflow5 or flowRecord in
// a file of delimited messages.
func delimitedNumbers(t *testing.T, path string) []int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, m := range parseDelimited(t, bytes.NewReader(data)) {
		out = append(out, int(m.Bytes))
	}
	return out
}

// sortedMessages reads delimited messages and returns them without receive times,
// in an order of their own.
func sortedMessages(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var out [][]byte
	for _, m := range parseDelimited(t, bytes.NewReader(data)) {
		normalise(m)
		out = append(out, canonical(t, m))
	}
	return sortBytes(out)
}
