package live

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/producer/flowpb"
)

// record is what the tests look at of a line that weir wrote.
type record struct {
	Type           string   `json:"type"`
	TimeReceivedNs int64    `json:"time_received_ns"`
	SequenceNum    uint32   `json:"sequence_num"`
	SamplingRate   uint64   `json:"sampling_rate"`
	Sampler        string   `json:"sampler_address"`
	StartNs        int64    `json:"time_flow_start_ns"`
	EndNs          int64    `json:"time_flow_end_ns"`
	Bytes          uint64   `json:"bytes"`
	Packets        uint64   `json:"packets"`
	Src            string   `json:"src_addr"`
	Dst            string   `json:"dst_addr"`
	Etype          string   `json:"etype"`
	Proto          string   `json:"proto"`
	SrcPort        uint16   `json:"src_port"`
	DstPort        uint16   `json:"dst_port"`
	TCPFlags       uint16   `json:"tcp_flags"`
	ICMPType       uint8    `json:"icmp_type"`
	InIf           uint32   `json:"in_if"`
	OutIf          uint32   `json:"out_if"`
	SrcMAC         string   `json:"src_mac"`
	Layers         []string `json:"layer_stack"`
}

// parseLines reads JSON lines. Each must be one whole object with a line end.
func parseLines(t *testing.T, what string, data []byte) []record {
	t.Helper()
	var out []record
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			t.Fatalf("%s: line %d has no end: %.200s", what, n, line)
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: line %d: %v: %.200s", what, n, err, line)
		}
		out, data = append(out, r), rest
	}
	return out
}

// readLines reads files of JSON lines.
func readLines(t *testing.T, paths ...string) []record {
	t.Helper()
	var out []record
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, parseLines(t, path, data)...)
	}
	return out
}

// The networks of the traffic.
var (
	prefix4 = netip.MustParsePrefix("10.9.0.0/16")
	prefix6 = netip.MustParsePrefix("fd00:9::/32")
)

// ofTraffic tells the flows of the test's traffic from the filler and from what
// IPv6 says to its neighbours.
func (r *record) ofTraffic() bool {
	if r.Src == "10.9.255.1" {
		return false
	}
	a, err := netip.ParseAddr(r.Src)
	return err == nil && (prefix4.Contains(a) || prefix6.Contains(a))
}

// waitPackets waits until the traffic's flows in the output have at least n
// packets.
func (w *weir) waitPackets(n int) {
	w.t.Helper()
	w.waitPacketsWith(n, func() {})
}

// waitPacketsWith does the same, and calls between before each look.
func (w *weir) waitPacketsWith(n int, between func()) {
	w.t.Helper()
	got := uint64(0)
	defer func() {
		if w.t.Failed() {
			records := readLines(w.t, w.file)
			w.t.Logf("%d packets of %d in the %d flows that weir wrote", got, n, len(records))
			for _, r := range records[max(0, len(records)-5):] {
				w.t.Logf("one of the last: %+v", r)
			}
			for series, v := range w.scrape() {
				if v > 0 && (strings.HasPrefix(series, "weir_datagrams") || strings.HasPrefix(series, "weir_records")) {
					w.t.Log(series, v)
				}
			}
		}
	}()
	eventually(w.t, fmt.Sprintf("%d packets in the flows that weir wrote", n), func() bool {
		between()
		data, err := os.ReadFile(w.file)
		if err != nil {
			w.t.Fatal(err)
		}
		// The last line may be in the making.
		got = 0
		for _, r := range parseLines(w.t, w.file, data[:bytes.LastIndexByte(data, '\n')+1]) {
			if r.ofTraffic() {
				got += r.Packets
			}
		}
		return got >= uint64(n)
	})
}

// countLines returns the number of line ends in a file, 0 if it is not there.
func countLines(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return bytes.Count(data, []byte{'\n'})
}

// parseDelimited reads messages that begin with their length, and nothing
// between.
func parseDelimited(t *testing.T, r io.Reader) []*flowpb.FlowMessage {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var out []*flowpb.FlowMessage
	for len(data) > 0 {
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)-n) {
			t.Fatalf("message %d: length %d (%d bytes) with %d bytes left", len(out), size, n, len(data))
		}
		m := &flowpb.FlowMessage{}
		if err := proto.Unmarshal(data[n:n+int(size)], m); err != nil {
			t.Fatalf("message %d: %v", len(out), err)
		}
		out, data = append(out, m), data[n+int(size):]
	}
	return out
}

// key is what tells flows apart. ICMP has no ports.
type key struct {
	src, dst     netip.Addr
	sport, dport uint16
	proto        string
}

func (k key) String() string {
	return fmt.Sprintf("%s %s > %s", k.proto, netip.AddrPortFrom(k.src, k.sport), netip.AddrPortFrom(k.dst, k.dport))
}

// totals are the size of a flow.
type totals struct{ packets, bytes uint64 }

// byFlow sums records up by 5-tuple.
func byFlow(t *testing.T, records []record) map[key]totals {
	t.Helper()
	sums := map[key]totals{}
	for i, r := range records {
		src, err1 := netip.ParseAddr(r.Src)
		dst, err2 := netip.ParseAddr(r.Dst)
		if err1 != nil || err2 != nil {
			t.Fatalf("record %d: addresses %q and %q", i, r.Src, r.Dst)
		}
		k := key{src, dst, r.SrcPort, r.DstPort, r.Proto}
		if strings.HasPrefix(strings.ToUpper(k.proto), "ICMP") || strings.EqualFold(k.proto, "IPv6-ICMP") {
			k.sport, k.dport = 0, 0
		}
		s := sums[k]
		sums[k] = totals{s.packets + r.Packets, s.bytes + r.Bytes}
	}
	return sums
}

// sameFlows compares sums of flows to the packet and the byte.
func sameFlows(t *testing.T, got, want map[key]totals) {
	t.Helper()
	for _, k := range slices.SortedFunc(maps.Keys(want), compareKeys) {
		if got[k] != want[k] {
			t.Errorf("flow %v: weir wrote %+v, %+v was sent", k, got[k], want[k])
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(got), compareKeys) {
		if _, ok := want[k]; !ok {
			t.Errorf("flow %v: weir wrote %+v, nothing was sent", k, got[k])
		}
	}
}

func compareKeys(a, b key) int {
	if c := a.src.Compare(b.src); c != 0 {
		return c
	}
	return int(a.sport) - int(b.sport)
}

// checkCommon checks what holds for the records of every exporter: who sent
// them, and when.
func checkCommon(t *testing.T, records []record, typ, sampler string) {
	t.Helper()
	if len(records) == 0 {
		t.Error("no records")
	}
	now := time.Now()
	for i, r := range records {
		if r.Type != typ || r.Sampler != sampler {
			t.Fatalf("record %d: %s from %s, want %s from %s", i, r.Type, r.Sampler, typ, sampler)
		}
		if r.StartNs > r.EndNs {
			t.Fatalf("record %d: starts at %d, after its end at %d", i, r.StartNs, r.EndNs)
		}
		for what, ns := range map[string]int64{"received": r.TimeReceivedNs, "start": r.StartNs, "end": r.EndNs} {
			if off := now.Sub(time.Unix(0, ns)); off.Abs() > time.Minute {
				t.Fatalf("record %d: %s is %v from now", i, what, off)
			}
		}
	}
}
