package workload_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

func config(name string) workload.Config {
	return workload.Config{Workload: name, Exporters: 8, Seed: 1, IntervalNs: 1e6}
}

func newGenerator(t testing.TB, cfg workload.Config) *workload.Generator {
	t.Helper()
	g, err := workload.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// decoder is a collector: a producer and what it made of the last datagram.
type decoder struct {
	*producer.Producer
	batch *producer.Batch
}

func newDecoder() *decoder {
	return &decoder{
		Producer: producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits())),
		batch:    producer.NewBatch(0, producer.DefaultBatchSize),
	}
}

// decode returns the messages of a datagram, which must have no fault.
func (d *decoder) decode(t *testing.T, dg *workload.Datagram) []*flowpb.FlowMessage {
	t.Helper()
	d.batch.Reset()
	before := d.Counters.Faults
	res := d.Datagram(d.batch, producer.Meta{
		Source:     netip.AddrPortFrom(workload.ExporterAddr(dg.Exporter), 40000),
		ReceivedNs: dg.TimeNs,
	}, dg.Payload)
	if res.Reason != producer.ReasonNone || res.Protocol.String() != dg.Protocol.String() {
		t.Fatalf("a datagram of %v is %+v, reason %v", dg.Protocol, res, res.Reason)
	}
	for i, n := range d.Counters.Faults {
		if n != before[i] {
			t.Fatalf("a datagram of %v has the fault %v", dg.Protocol, producer.Reason(i))
		}
	}
	var list []*flowpb.FlowMessage
	for i := range d.batch.Records() {
		raw := d.batch.Message(i)
		_, n := binary.Uvarint(raw)
		m := new(flowpb.FlowMessage)
		if err := proto.Unmarshal(raw[n:], m); err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

// TestDecode decodes every workload and compares each flow with what went in.
func TestDecode(t *testing.T) {
	records := map[string]struct{ datagrams, flows int }{ // of 8 exporters, 41 datagrams each
		"nf5":   {328, 328 * 30},
		"nf9":   {328, 328*24 - 3*8*2},
		"ipfix": {328, 328 * 16},
		"sflow": {328, 328 * 8},
	}
	for _, name := range workload.Names() {
		for _, ids := range []bool{false, true} {
			cfg := config(name)
			cfg.IDs = ids
			g, d := newGenerator(t, cfg), newDecoder()
			var dg workload.Datagram
			datagrams, flows, options := 0, 0, 0
			nextID := uint32(1)
			for range 41 * cfg.Exporters {
				g.Next(&dg)
				list := d.decode(t, &dg)
				if len(list) != len(dg.Flows) {
					t.Fatalf("%s: %d flows, want %d", name, len(list), len(dg.Flows))
				}
				for i, m := range list {
					f := &dg.Flows[i]
					if f.ID != nextID || ids && m.Bytes != uint64(nextID) {
						t.Fatalf("%s: flow has the id %d and %d bytes, want %d", name, f.ID, m.Bytes, nextID)
					}
					nextID++
					compare(t, name, &dg, f, m)
				}
				datagrams++
				flows += len(list)
				options += dg.Options
			}
			if want, ok := records[name]; ok && (datagrams != want.datagrams || flows != want.flows) {
				t.Errorf("%s: %d flows in %d datagrams, want %+v", name, flows, datagrams, want)
			}
			if name == "sflow" && d.Counters.CounterSamples != 2*8 {
				t.Errorf("%s: %d counter samples", name, d.Counters.CounterSamples)
			}
			if d.Counters.OptionsRecords != uint64(options) {
				t.Errorf("%s: %d records of options, want %d", name, d.Counters.OptionsRecords, options)
			}
			if d.Counters.TemplatesReplaced+d.Counters.TemplatesWithdrawn+d.Counters.SetsWithoutTemplate != 0 {
				t.Errorf("%s: templates: %+v", name, d.Counters)
			}
			if g.NextID() != nextID {
				t.Errorf("%s: next id %d, want %d", name, g.NextID(), nextID)
			}
		}
	}
}

// compare checks the fields that every record has, and those that all but some
// templates of the mix have.
func compare(t *testing.T, name string, dg *workload.Datagram, f *workload.Flow, m *flowpb.FlowMessage) {
	t.Helper()
	addr := func(b []byte) netip.Addr {
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	check := func(field string, got, want uint64) {
		t.Helper()
		if got != want {
			t.Fatalf("%s: %v flow %d of template %d: %s %d, want %d", name, dg.Protocol, f.ID, f.Template, field, got, want)
		}
	}
	if addr(m.SrcAddr) != f.SrcAddr() || addr(m.DstAddr) != f.DstAddr() {
		t.Fatalf("%s: %v flow %d of template %d: %v to %v, want %v to %v", name, dg.Protocol, f.ID, f.Template,
			addr(m.SrcAddr), addr(m.DstAddr), f.SrcAddr(), f.DstAddr())
	}
	if got := addr(m.SamplerAddress); got != workload.ExporterAddr(dg.Exporter) {
		t.Fatalf("%s: sampler %v", name, got)
	}
	check("bytes", m.Bytes, f.Bytes)
	check("packets", m.Packets, f.Packets)
	check("sampling rate", m.SamplingRate, uint64(f.SamplingRate))
	slack := uint64(0)
	switch dg.Protocol {
	case workload.NetFlow5:
		slack = 2e6 // uptimes are milliseconds
	case workload.NetFlow9:
		slack = 1002e6 // and the header's time is seconds
	}
	near := func(field string, got uint64, want int64) {
		t.Helper()
		if d := int64(got) - want; d < -int64(slack) || d > int64(slack) {
			t.Fatalf("%s: %v flow %d of template %d: %s is %d ns from %d", name, dg.Protocol, f.ID, f.Template, field, d, want)
		}
	}
	if f.Template < 300 { // not of the mix's own
		near("start", m.TimeFlowStartNs, f.StartNs)
		near("end", m.TimeFlowEndNs, f.EndNs)
		check("tcp flags", uint64(m.TcpFlags), uint64(f.TCPFlags))
		check("tos", uint64(m.IpTos), uint64(f.TOS))
		check("in interface", uint64(m.InIf), uint64(f.InIf))
		check("out interface", uint64(m.OutIf), uint64(f.OutIf))
		check("source AS", uint64(m.SrcAs), uint64(f.SrcAS))
		check("destination AS", uint64(m.DstAs), uint64(f.DstAS))
		check("source net", uint64(m.SrcNet), uint64(f.SrcMask))
		check("flow label", uint64(m.Ipv6FlowLabel), uint64(f.FlowLabel))
		if addr(m.NextHop) == (netip.Addr{}) {
			t.Fatalf("%s: no next hop", name)
		}
	} else {
		slack = 1001e6                                                                            // some templates have times in seconds
		if m.TimeFlowStartNs != m.TimeFlowEndNs || uint64(dg.TimeNs/1e9*1e9) != m.TimeFlowEndNs { // has times
			start := f.StartNs
			if f.Template == 303 && dg.Protocol == workload.NetFlow9 { // which has the time of an event
				start = f.EndNs
			}
			near("start", m.TimeFlowStartNs, start)
			if f.Template != 304 || dg.Protocol != workload.NetFlow9 { // which has no end
				near("end", m.TimeFlowEndNs, f.EndNs)
			}
		}
	}
	if f.Template != 305 || dg.Protocol != workload.NetFlow9 { // which has no ports
		check("protocol", uint64(m.Proto), uint64(f.Proto))
	}
	if f.Proto == 6 || f.Proto == 17 {
		if dg.Protocol != workload.NetFlow9 || f.Template != 305 && f.Template != 308 {
			check("source port", uint64(m.SrcPort), uint64(f.SrcPort))
			check("destination port", uint64(m.DstPort), uint64(f.DstPort))
		}
	}
	if dg.Protocol == workload.SFlow {
		check("VLAN", uint64(m.VlanId), uint64(f.VLAN))
		check("source MAC", m.SrcMac, f.SrcMAC)
	}
}

// TestDeterminism: the seed decides every byte.
func TestDeterminism(t *testing.T) {
	for _, name := range workload.Names() {
		a := newGenerator(t, config(name)).Take(500)
		b := newGenerator(t, config(name)).Take(500)
		other := config(name)
		other.Seed++
		c := newGenerator(t, other).Take(500)
		same := 0
		for i := range a {
			if !bytes.Equal(a[i].Payload, b[i].Payload) || a[i].Exporter != b[i].Exporter || a[i].TimeNs != b[i].TimeNs {
				t.Fatalf("%s: datagram %d differs for the same seed", name, i)
			}
			if bytes.Equal(a[i].Payload, c[i].Payload) {
				same++
			}
		}
		if same > 0 {
			t.Errorf("%s: %d datagrams are the same for another seed", name, same)
		}
	}
}

// TestSequence checks sequence numbers, uptime and export time of each stream.
func TestSequence(t *testing.T) {
	type state struct{ sequence, uptime, secs uint32 }
	for _, name := range workload.Names() {
		g := newGenerator(t, config(name))
		last := map[workload.Stream]*state{}
		for i, d := range g.Take(100 * len(g.Streams())) {
			if want := g.Streams()[i%len(g.Streams())]; d.Exporter != want.Exporter || d.Protocol != want.Protocol {
				t.Fatalf("%s: datagram %d is of %d, %v", name, i, d.Exporter, d.Protocol)
			}
			word := func(off int) uint32 { return binary.BigEndian.Uint32(d.Payload[off:]) }
			var now, next state
			switch d.Protocol {
			case workload.NetFlow5:
				now = state{word(16), word(4), word(8)}
				next.sequence = now.sequence + uint32(len(d.Flows))
			case workload.NetFlow9:
				now = state{word(12), word(4), word(8)}
				next.sequence = now.sequence + 1
			case workload.IPFIX:
				now = state{word(8), 0, word(4)}
				next.sequence = now.sequence + uint32(len(d.Flows)+d.Options)
			case workload.SFlow:
				now = state{word(16), word(20), 0}
				next.sequence = now.sequence + 1
			}
			key := workload.Stream{Exporter: d.Exporter, Protocol: d.Protocol}
			if want := last[key]; want != nil {
				if now.sequence != want.sequence {
					t.Fatalf("%s: %v: sequence number %d, want %d", name, d.Protocol, now.sequence, want.sequence)
				}
				// The clock advances by a millisecond a datagram.
				if d.Protocol != workload.IPFIX && now.uptime-want.uptime != uint32(len(g.Streams())) {
					t.Fatalf("%s: %v: uptime advanced by %d ms", name, d.Protocol, now.uptime-want.uptime)
				}
				if now.secs < want.secs || now.secs > want.secs+1 {
					t.Fatalf("%s: %v: export time advanced from %d to %d", name, d.Protocol, want.secs, now.secs)
				}
			}
			next.uptime, next.secs = now.uptime, now.secs
			last[key] = &next
			if d.Protocol != workload.SFlow && now.uptime != 0 && now.uptime < 3600*1000 {
				t.Errorf("%s: %v: uptime %d ms", name, d.Protocol, now.uptime)
			}
		}
	}
}

// TestMaxPayload: no datagram is longer than asked for, and all still decode.
func TestMaxPayload(t *testing.T) {
	for _, name := range workload.Names() {
		for _, limit := range []int{0, workload.MinMaxPayload, 1400, 9000} {
			cfg := config(name)
			cfg.MaxPayload = limit
			g, d := newGenerator(t, cfg), newDecoder()
			longest := 0
			for _, dg := range g.Take(600) {
				if got := len(d.decode(t, &dg)); got != len(dg.Flows) {
					t.Fatalf("%s: %d flows, want %d", name, got, len(dg.Flows))
				}
				if limit == 0 && dg.Protocol == workload.SFlow {
					continue
				}
				longest = max(longest, len(dg.Payload))
			}
			if limit == 0 {
				limit = 1472
			}
			if name == "sflow" && limit > 2000 {
				limit = 3000 // its own size is less than it may be
			} else if name != "sflow" && name != "mix" {
				limit = min(limit, 1472)
			}
			if longest > limit {
				t.Errorf("%s: a datagram of %d bytes, want at most %d", name, longest, limit)
			}
		}
	}
}

// TestMix: all protocols and templates are there, also of few exporters.
func TestMix(t *testing.T) {
	for _, exporters := range []int{1, 3, 4, 9} {
		cfg := config("mix")
		cfg.Exporters = exporters
		templates := map[workload.Protocol]map[uint16]bool{}
		flows := map[workload.Protocol]int{}
		seen := map[int]bool{}
		d := newDecoder()
		g := newGenerator(t, cfg)
		for _, dg := range g.Take(60 * len(g.Streams())) {
			d.decode(t, &dg)
			seen[dg.Exporter] = true
			flows[dg.Protocol] += len(dg.Flows)
			for i := range dg.Flows {
				if templates[dg.Protocol] == nil {
					templates[dg.Protocol] = map[uint16]bool{}
				}
				templates[dg.Protocol][dg.Flows[i].Template] = true
			}
		}
		if len(seen) != exporters || len(flows) != workload.NumProtocols {
			t.Errorf("%d exporters: %d seen, flows %v", exporters, len(seen), flows)
		}
		if n := len(templates[workload.NetFlow9]); n != 11 {
			t.Errorf("%d exporters: %d templates of v9 used", exporters, n)
		}
		if n := len(templates[workload.IPFIX]); n != 12 {
			t.Errorf("%d exporters: %d templates of IPFIX used", exporters, n)
		}
	}
}

// TestSetClock: the export time is the clock's.
func TestSetClock(t *testing.T) {
	cfg := config("nf5")
	cfg.IntervalNs = 0
	g := newGenerator(t, cfg)
	var d workload.Datagram
	for _, at := range []int64{workload.DefaultStartNs, workload.DefaultStartNs + 12345678901} {
		g.SetClock(at)
		g.Next(&d)
		secs, ns := binary.BigEndian.Uint32(d.Payload[8:]), binary.BigEndian.Uint32(d.Payload[12:])
		if got := int64(secs)*1e9 + int64(ns); got != at || d.TimeNs != at {
			t.Errorf("export time %d, time %d, want %d", got, d.TimeNs, at)
		}
	}
	g.SetClock(1)
	if g.Next(&d); d.TimeNs != workload.DefaultStartNs {
		t.Errorf("the clock shows %d, before the start", d.TimeNs)
	}
}

// TestHeavyTail: most flows are small, a few have most of the packets.
func TestHeavyTail(t *testing.T) {
	small, total, largest := 0, 0, uint64(0)
	for _, d := range newGenerator(t, config("nf9")).Take(2000) {
		for i := range d.Flows {
			total++
			largest = max(largest, d.Flows[i].Packets)
			if d.Flows[i].Packets == 1 {
				small++
			}
		}
	}
	if small < total*4/10 || small > total*6/10 || largest < 1000 {
		t.Errorf("%d of %d flows have one packet, the largest %d", small, total, largest)
	}
}

func TestConfigFaults(t *testing.T) {
	_, err := workload.New(workload.Config{Workload: "nf8", MaxPayload: 100, IntervalNs: -1})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`workload "nf8": want nf5, nf9, ipfix, sflow, mix`, "exporters 0: want 1 to 64000", "longest payload 100", "clock"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %q", want, err)
		}
	}
}

func TestFirstID(t *testing.T) {
	cfg := config("nf5")
	cfg.FirstID = 1<<32 - 2
	var ids []uint32
	for _, f := range newGenerator(t, cfg).Take(1)[0].Flows[:4] {
		ids = append(ids, f.ID)
	}
	for i, want := range []uint32{1<<32 - 2, 1<<32 - 1, 1, 2} {
		if ids[i] != want {
			t.Errorf("ids %v", ids)
			break
		}
	}
}

// TestNoAllocation: making datagrams does not disturb what is measured at the same time.
func TestNoAllocation(t *testing.T) {
	for _, name := range []string{"nf5", "sflow"} {
		g := newGenerator(t, config(name))
		var d workload.Datagram
		g.Next(&d)
		for range 200 {
			g.Next(&d)
		}
		if n := testing.AllocsPerRun(100, func() { g.Next(&d) }); n > 0.5 {
			t.Errorf("%s: %v allocations a datagram", name, n)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, name := range workload.Names() {
		b.Run(name, func(b *testing.B) {
			cfg := config(name)
			cfg.Exporters = 64
			g := newGenerator(b, cfg)
			var d workload.Datagram
			flows := 0
			for b.Loop() {
				g.Next(&d)
				flows += len(d.Flows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(flows), "ns/flow")
		})
	}
}
