package producer_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
	"github.com/weirflow/weir/producer/geo"
)

// TestPlainSamples compares flow samples that are gathered in one pass with the
// same walked record by record, which a rule for a field of FlowMessage asks for:
// under random mappings, keys and records.
func TestPlainSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	layers := []string{"0", "ethernet", "2", "dot1q", "ipv4", "ipv6", "3", "tcp", "udp", "4", "icmp", "icmpv6", "7", "etype0x0800", "etype34525", "etype0x8100",
		"proto6", "proto17", "proto1", "proto58", "proto0", "udp6081", "arp", "gre"}
	fields := slices.DeleteFunc(append(producer.FieldNames(), "num", "list", "raw", "icmp_name"), func(name string) bool { return name == "in_if" })
	some := func(names []string, most int) []string {
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		return slices.Clone(names[:r.IntN(most+1)])
	}
	frameFields := []string{"src_addr", "dst_addr", "proto", "src_port", "dst_port", "src_mac", "dst_mac", "in_if", "out_if", "vlan_id", "src_vlan", "dst_vlan",
		"ip_tos", "ip_ttl", "tcp_flags", "src_as", "dst_as"}
	for range rounds(3000) {
		m := &producer.Mapping{Render: map[string]producer.Renderer{}, Custom: []producer.Custom{
			{Name: "num", Number: 2000, Type: producer.CustomVarint}, {Name: "list", Number: 2001, Type: producer.CustomVarint, Array: true},
			{Name: "raw", Number: 2002, Type: producer.CustomBytes},
		}}
		if r.IntN(2) == 0 {
			m.Fields = some(fields, []int{2, len(fields)}[r.IntN(2)])
		}
		switch r.IntN(4) {
		case 0:
			m.Key = some(frameFields, 6)
		case 1:
			m.Key = slices.DeleteFunc(some(fields, 6), func(name string) bool { return name == "icmp_name" })
		}
		for _, name := range m.Fields {
			if render := producer.Renderer(1 + r.IntN(int(producer.RenderString))); r.IntN(8) == 0 && name != "icmp_name" && render != producer.RenderNetwork {
				m.Render[name] = render
			}
		}
		for range r.IntN(5) {
			rule := producer.LayerRule{Layer: layers[r.IntN(len(layers))], Offset: r.IntN(200), Length: 1 + r.IntN(70), Destination: "raw"}
			if r.IntN(3) > 0 {
				rule.Offset, rule.Length = rule.Offset&^7, (rule.Length+7)&^7
			}
			if rule.Length <= 64 {
				rule.Destination = []string{"num", "list", "raw"}[r.IntN(3)]
			}
			rule.Encap = rule.Layer != "0" && r.IntN(6) == 0
			m.Layers = append(m.Layers, rule)
		}
		if r.IntN(2) == 0 {
			m.Ports = []producer.PortRule{{Proto: "udp", Src: true, Dst: true, Port: 6081, Parser: "geneve"}, {Proto: "tcp", Dst: true, Port: 443, Parser: "ethernet"}}
		}
		datagram := randomSamples(r)
		enriched := r.IntN(4) == 0
		for format := producer.FormatJSON; format <= producer.FormatText; format++ {
			var out [2]*producer.Batch
			for way := range out {
				with := *m
				if way == 1 {
					with.Layers = append(slices.Clone(m.Layers), producer.LayerRule{Layer: "teredo", Length: 8, Destination: "in_if"})
				}
				cfg := producer.Config{Format: format, Separator: []byte("\n"), Programs: program(t, &with, producer.Settings{})}
				if enriched {
					cfg.Geo = geo.NewCache(&geo.Source{Find: whereabouts})
				}
				p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
				out[way] = producer.NewBatch(0, 64<<10)
				p.Datagram(out[way], producer.Meta{Source: v4source, ReceivedNs: receivedNs}, datagram)
			}
			if err := sameBatches(out[0], out[1], format == producer.FormatBin); err != nil {
				t.Fatalf("format %v, mapping %+v, datagram %x: %v", format, m, datagram, err)
			}
		}
	}
}

// sameBatches compares messages and keys; of binary ones, what they say.
func sameBatches(a, b *producer.Batch, bin bool) error {
	if !reflect.DeepEqual(a.Keys, b.Keys) || a.Records() != b.Records() {
		return fmt.Errorf("%d messages with keys %x, and %d with %x", a.Records(), a.Keys, b.Records(), b.Keys)
	}
	for i := range a.Records() {
		if bytes.Equal(a.Message(i), b.Message(i)) {
			continue
		}
		if !bin {
			return fmt.Errorf("message %d:\n%s\n%s", i, a.Message(i), b.Message(i))
		}
		var x, y flowpb.FlowMessage
		if err := protodelim.UnmarshalFrom(bytes.NewReader(a.Message(i)), &x); err != nil {
			return err
		}
		if err := protodelim.UnmarshalFrom(bytes.NewReader(b.Message(i)), &y); err != nil {
			return err
		}
		if !proto.Equal(&x, &y) {
			return fmt.Errorf("message %d:\n%v\n%v", i, &x, &y)
		}
	}
	return nil
}

// randomSamples returns an sFlow datagram of samples of the usual kind.
func randomSamples(r *rand.Rand) []byte {
	var samples [][]byte
	for range 1 + r.IntN([]int{4, 4, 4, 24}[r.IntN(4)]) {
		records := [][]byte{rawHeader(randomFrame(r))}
		if r.IntN(2) == 0 {
			records = append(records, gateway())
		}
		if r.IntN(2) == 0 {
			records = append(records, tagged(1001, u32(nil, r.Uint32N(4096), 0, r.Uint32(), 0)))
		}
		if r.IntN(2) == 0 {
			records = append(records, tagged(1002, u32(nil, 1, r.Uint32(), r.Uint32N(33), r.Uint32N(300))))
		}
		r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		if r.IntN(4) == 0 {
			samples = append(samples, expandedSample(records...))
		} else {
			samples = append(samples, flowSample(records...))
		}
	}
	return sflowDatagram(samples...)
}

// randomFrame returns a frame that is plain, or nearly.
func randomFrame(r *rand.Rand) []byte {
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	frame := random(12)
	if r.IntN(3) == 0 {
		frame = append(append(frame, 0x81, 0), random(2)...)
	}
	proto := []byte{6, 17, 1, 58, 47}[min(r.IntN(9), 8)%5]
	if r.IntN(2) == 0 {
		frame = append(frame, 0x08, 0, 0x45)
		ip := random(19)
		ip[5], ip[6], ip[8] = ip[5]&0xe0, 0, proto
		frame = append(frame, ip...)
	} else {
		frame = append(frame, 0x86, 0xdd, 0x60)
		ip := random(39)
		ip[5] = proto
		frame = append(frame, ip...)
	}
	rest := random(8 + r.IntN(60))
	if r.IntN(4) == 0 {
		binary.BigEndian.PutUint16(rest[2*r.IntN(2):], []uint16{6081, 443}[r.IntN(2)])
	}
	if proto == 6 && len(rest) > 12 {
		rest[12] = 5<<4 + byte(r.IntN(4))<<4
	}
	frame = append(frame, rest...)
	if r.IntN(10) == 0 {
		frame = frame[:r.IntN(len(frame))]
	}
	return frame
}
