package producer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
	"github.com/weirflow/weir/producer/schema"
)

// program compiles a mapping that has no faults.
func program(t testing.TB, m *producer.Mapping, s producer.Settings) *producer.Programs {
	t.Helper()
	p, err := producer.NewProgram(m, s)
	if err != nil {
		t.Fatal(err)
	}
	return producer.NewPrograms(p)
}

// fullMapping uses every part of a mapping.
func fullMapping() *producer.Mapping {
	rules := []producer.ElementRule{
		{ID: 1, Destination: "octets"}, {ID: 7, Destination: "ports"}, {ID: 11, Destination: "ports", Little: true},
		{ID: 8, Destination: "raw"}, {ID: 12, Destination: "addrs"}, {ID: 15, Destination: "addrs"}, {ID: 27, Destination: "raw"},
		{ID: 10, Destination: "OutIf"}, {ID: 14, Destination: "next_hop_as", Little: true}, {ID: 82, Destination: "name"},
		{ID: 291, PEN: 29305, Destination: "name"}, {ID: 2, Destination: "as_path"}, {ID: 5, Destination: "src_mac"},
	}
	return &producer.Mapping{
		Fields: []string{"type", "time_received_ns", "src_addr", "bytes", "octets", "ports", "raw", "addrs", "name", "icmp_name", "bits", "next_hop_as", "as_path", "layer_stack"},
		Key:    []string{"src_addr", "octets", "ports", "layer_stack"},
		Rename: map[string]string{"octets": "o\"ctets"},
		Render: map[string]producer.Renderer{"time_received_ns": producer.RenderDateTimeNano, "raw": producer.RenderIP, "name": producer.RenderString},
		Custom: []producer.Custom{
			{Name: "octets", Number: 42, Type: producer.CustomVarint},
			{Name: "ports", Number: 1000, Type: producer.CustomVarint, Array: true},
			{Name: "raw", Number: 3000, Type: producer.CustomBytes},
			{Name: "addrs", Number: 1<<29 - 1, Type: producer.CustomBytes, Array: true},
			{Name: "name", Number: 41, Type: producer.CustomString},
			{Name: "bits", Number: 40, Type: producer.CustomVarint, Array: true},
		},
		IPFIX: rules, NetFlowV9: rules[:10],
		Layers: []producer.LayerRule{
			{Layer: "ethernet", Offset: 0, Length: 48, Destination: "raw"}, {Layer: "dot1q", Offset: 4, Length: 12, Destination: "bits"},
			{Layer: "4", Offset: 0, Length: 16, Destination: "ports"}, {Layer: "4", Encap: true, Offset: 16, Length: 16, Destination: "ports"},
			{Layer: "tcp", Offset: 96, Length: 4, Destination: "bits"}, {Layer: "0", Offset: 3, Length: 77, Destination: "name"},
		},
		Ports: []producer.PortRule{{Proto: "udp", Src: true, Dst: true, Port: 6081, Parser: "geneve"}, {Proto: "tcp", Dst: true, Port: 443, Parser: "ethernet"}},
	}
}

// TestKeys compares keys with what fmt and hash/fnv make of the messages, for
// each field alone and for all, in every format.
func TestKeys(t *testing.T) {
	fields := append([][]string{producer.FieldNames()}, nil)
	for i, name := range producer.FieldNames() {
		if !raceDetector || i%10 == 0 {
			fields = append(fields, []string{name})
		}
	}
	for _, key := range fields {
		programs := program(t, &producer.Mapping{Key: key}, producer.Settings{})
		for _, s := range scenarios() {
			var keys [3][]uint32
			for format := range keys {
				p := producer.New(producer.Config{Format: producer.Format(format), Programs: programs}, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, 64<<10)
				for _, a := range arrivals(s.datagrams...) {
					p.Datagram(batch, a.meta, a.data)
				}
				keys[format] = batch.Keys
				if len(key) == 0 {
					if len(batch.Keys) != 0 {
						t.Fatal("keys that no one asked for")
					}
					continue
				}
				if len(batch.Keys) != batch.Records() {
					t.Fatalf("%s, key %v: %d keys of %d messages", s.name, key, len(batch.Keys), batch.Records())
				}
				if producer.Format(format) == producer.FormatBin {
					for i := range batch.Records() {
						if want := slowKey(t, key, batch.Message(i)); batch.Keys[i] != want {
							t.Fatalf("%s, key %v, message %d: got %08x, want %08x", s.name, key, i, batch.Keys[i], want)
						}
					}
				}
			}
			if !reflect.DeepEqual(keys[0], keys[1]) || !reflect.DeepEqual(keys[0], keys[2]) {
				t.Fatalf("%s, key %v: keys differ by format: %08x", s.name, key, keys)
			}
		}
	}
}

// slowKey hashes the printed values of fields: FNV-1 of 32 bits.
func slowKey(t *testing.T, fields []string, msg []byte) uint32 {
	t.Helper()
	m := new(flowpb.FlowMessage)
	if err := protodelim.UnmarshalFrom(bytes.NewReader(msg), m); err != nil {
		t.Fatal(err)
	}
	h := fnv.New32()
	v := reflect.ValueOf(m).Elem()
	for _, name := range fields {
		for i := range v.NumField() {
			if tag := v.Type().Field(i).Tag.Get("json"); strings.HasPrefix(tag, name+",") {
				value := v.Field(i)
				if value.IsZero() && isExtra(name) { // as an added field
					continue
				}
				switch value.Kind() {
				case reflect.Pointer: // of a field of which zero is a value
					value = value.Elem()
				case reflect.String:
					value = reflect.ValueOf([]byte(value.String()))
				}
				fmt.Fprintf(h, "%v", value.Interface())
			}
		}
	}
	return h.Sum32()
}

// isExtra tells whether goflow2 does not have the field.
func isExtra(name string) bool {
	return slices.ContainsFunc(schema.Fields, func(f schema.Field) bool { return f.Name == name && f.Extra })
}

// TestHashSpellings checks the names that older releases had for fields.
func TestHashSpellings(t *testing.T) {
	for _, name := range []string{"SamplerAddress", "sampler_address", "DstAS", "DstAs", "dst_as", "ETYPE"} {
		if _, err := producer.NewProgram(nil, producer.Settings{Hash: []string{name}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := producer.NewProgram(nil, producer.Settings{Hash: []string{"Dst"}}); err == nil || !strings.Contains(err.Error(), `hash[0] "Dst": unknown field`) {
		t.Error(err)
	}
}

// TestMappedTwins compares records under random mappings with the oracle, and
// templates that take the short way with the same by way of a Flow.
func TestMappedTwins(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	elements := []uint16{1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 21, 22, 27, 31, 34, 52, 56, 58, 61, 62, 82, 89, 150, 153, 176, 239}
	destinations := []string{"octets", "list", "raw", "strings", "InIf", "out_if", "Bytes", "src_mac", "next_hop", "BgpNextHop", "mpls_ip", "as_path",
		"etype", "time_flow_start_ns", "time_flow_end_ns", "sampling_rate", "SequenceNum", "src_addr", "vlan_id", "observation_domain_id", "next_hop_as"}
	lengths := []uint16{1, 2, 3, 4, 4, 4, 8, 16, 6, 9}
	for range rounds(3000) {
		m := &producer.Mapping{Custom: []producer.Custom{
			{Name: "octets", Number: 42, Type: producer.CustomVarint}, {Name: "list", Number: 1000, Type: producer.CustomVarint, Array: true},
			{Name: "raw", Number: 70000, Type: producer.CustomBytes}, {Name: "strings", Number: 41, Type: producer.CustomString, Array: true},
		}}
		m.IPFIX = randomRules(r, 1+r.IntN(6), elements, destinations)
		m.NetFlowV9 = m.IPFIX
		fields, size := randomTemplate(r, 1+r.IntN(12), elements, lengths)
		rec := make([]byte, size)
		for i := range rec {
			if r.IntN(3) > 0 {
				rec[i] = byte(r.Uint32())
			}
		}
		w := newMappedTwin(t, m)
		all := arrivals(v9(set(0, tpl(256, fields...))), v9(set(256, rec)))
		if r.IntN(2) == 0 {
			all = arrivals(ipfix(set(2, tpl(256, fields...))), ipfix(set(256, rec)))
		}
		for _, a := range all {
			if _, _, err := w.decode(a); err != nil {
				t.Fatalf("mapping %+v, template %v, record %x: %v", m.IPFIX, fields, rec, err)
			}
		}
	}
}

// numbers are destinations whose byte order may be little.
var numbers = map[string]bool{"octets": true, "list": true, "InIf": true, "in_if": true, "out_if": true, "Bytes": true, "bytes": true, "src_mac": true, "vlan_id": true,
	"as_path": true, "etype": true, "time_flow_start_ns": true, "time_flow_end_ns": true, "sampling_rate": true, "SequenceNum": true,
	"observation_domain_id": true, "next_hop_as": true, "NextHopAs": true}

// randomRules returns up to n rules, each for another one of the elements.
func randomRules(r *rand.Rand, n int, elements []uint16, destinations []string) []producer.ElementRule {
	var rules []producer.ElementRule
	used := map[uint16]bool{}
	for range n {
		id := elements[r.IntN(len(elements))]
		if used[id] {
			continue
		}
		used[id] = true
		rule := producer.ElementRule{ID: id, Destination: destinations[r.IntN(len(destinations))]}
		rule.Little = numbers[rule.Destination] && r.IntN(3) == 0
		rules = append(rules, rule)
	}
	return rules
}

// randomTemplate returns n fields with their lengths, and the length of a record:
// those that are an address have the length of one.
func randomTemplate(r *rand.Rand, n int, elements, lengths []uint16) (fields []uint16, size int) {
	for range n {
		id, length := elements[r.IntN(len(elements))], lengths[r.IntN(len(lengths))]
		switch id {
		case 8, 12, 15, 18:
			length = 4
		case 27, 28, 62, 63:
			length = 16
		}
		fields = append(fields, id, length)
		size += int(length)
	}
	return fields, size
}

// newMappedTwin is newTwin under a mapping.
func newMappedTwin(t *testing.T, m *producer.Mapping) *twin {
	t.Helper()
	w := newTwin(0)
	programs := program(t, m, producer.Settings{})
	w.slow.mapping = m
	w.bin = producer.New(producer.Config{Format: producer.FormatBin, Programs: programs}, producer.NewStore(template.DefaultLimits()))
	w.json = producer.New(producer.Config{Separator: []byte("\n"), Programs: programs}, producer.NewStore(template.DefaultLimits()))
	return w
}

// TestMappedSamples compares flow samples that are written without a Flow with
// the same by way of one: a fallback rate of more than 32 bits is what the short
// way does not do.
func TestMappedSamples(t *testing.T) {
	m := fullMapping()
	programs := program(t, m, producer.Settings{})
	make := func(rate uint64) *producer.Producer {
		return producer.New(producer.Config{Format: producer.FormatBin, Programs: programs, SamplingRate: rate}, producer.NewStore(template.DefaultLimits()))
	}
	short, long := make(0), make(1<<40)
	a, b := producer.NewBatch(0, 64<<10), producer.NewBatch(0, 64<<10)
	for n := len(vlanFrame); n >= 0; n-- {
		for _, frame := range [][]byte{vlanFrame[:n], tcpFrame[:min(n, len(tcpFrame))]} {
			for _, arr := range arrivals(sflowDatagram(flowSample(rawHeader(frame), gateway()))) {
				a.Reset()
				b.Reset()
				short.Datagram(a, arr.meta, arr.data)
				long.Datagram(b, arr.meta, arr.data)
				x, y := new(flowpb.FlowMessage), new(flowpb.FlowMessage)
				if err := protodelim.UnmarshalFrom(bytes.NewReader(a.Message(0)), x); err != nil {
					t.Fatal(err)
				}
				if err := protodelim.UnmarshalFrom(bytes.NewReader(b.Message(0)), y); err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(x, y) || len(a.Buf) != len(b.Buf) || !reflect.DeepEqual(a.Keys, b.Keys) {
					t.Fatalf("%d bytes:\n%v\n%v\nkeys %x %x", len(frame), x, y, a.Keys, b.Keys)
				}
			}
		}
	}
}

// TestColumns pins lines of JSON and text.
func TestColumns(t *testing.T) {
	m := fullMapping()
	for _, c := range []struct {
		name       string
		datagrams  [][]byte
		json, text string
	}{
		{"v9", [][]byte{v9(set(0, tpl(256, flowFields...))), v9(set(256, flowRecord(1)))},
			`{"type":"NETFLOW_V9","time_received_ns":"2023-11-14T22:13:20.12345679Z","src_addr":"10.0.1.1","bytes":1500,"o\"ctets":1500,"ports":[1025,47873],"raw":"10.0.1.1","addrs":["c6336401"],"icmp_name":"unknown","next_hop_as":100663296,"as_path":[],"layer_stack":[]}`,
			`type=NETFLOW_V9 time_received_ns=2023-11-14T22:13:20.12345679Z src_addr=10.0.1.1 bytes=1500 "o\"ctets"=1500 ports=[1025,47873] raw=10.0.1.1 addrs=[c6336401] icmp_name=unknown next_hop_as=100663296 as_path=[] layer_stack=[]`},
		{"ipfix variable", [][]byte{ipfix(set(2, tpl(256, 82, variable, 2, 4))), ipfix(set(256, []byte{13}, []byte("<a\"b\\\n\x00\xff\u2028 =c"), u32(nil, 7)))},
			`{"type":"IPFIX","time_received_ns":"2023-11-14T22:13:20.12345679Z","src_addr":"","bytes":0,"name":"\u003ca\"b\\\n\u0000\ufffd\u2028 =","icmp_name":"unknown","next_hop_as":0,"as_path":[1660944384],"layer_stack":[]}`, ""},
		{"sflow", [][]byte{sflowDatagram(flowSample(rawHeader(vlanFrame)))},
			`{"type":"SFLOW_5","time_received_ns":"2023-11-14T22:13:20.123456789Z","src_addr":"192.0.2.1","bytes":1518,"ports":[443],"raw":"","name":"\u00133\ufffdD\ufffdP\u0010\ufffd\u0011\u0013","icmp_name":"unknown","bits":[291,8],"next_hop_as":0,"as_path":[],"layer_stack":["Ethernet","Dot1Q","IPv4","TCP"]}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for format, want := range map[producer.Format]string{producer.FormatJSON: c.json, producer.FormatText: c.text} {
				if want == "" {
					continue
				}
				p := producer.New(producer.Config{Format: format, Programs: program(t, m, producer.Settings{})}, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, 64<<10)
				for _, a := range arrivals(c.datagrams...) {
					p.Datagram(batch, a.meta, a.data)
				}
				if got := string(batch.Buf); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
}

// TestMappedPathsDoNotAllocate pins the hot path under a mapping with everything,
// and with keys alone.
func TestMappedPathsDoNotAllocate(t *testing.T) {
	for _, s := range scenarios() {
		if strings.Contains(s.name, "redefinition") || strings.Contains(s.name, "withdrawal") {
			continue // templates that change are stored again
		}
		for name, programs := range map[string]*producer.Programs{
			"everything":         program(t, fullMapping(), producer.Settings{}),
			"everything, compat": program(t, fullMapping(), producer.Settings{Compat: true}),
			"keys":               program(t, nil, producer.Settings{Hash: []string{"src_addr", "sampler_address", "src_port", "time_flow_end_ns"}}),
			"message keys":       program(t, nil, producer.Settings{Hash: []string{"dst_addr", "sampling_rate", "as_path"}}),
		} {
			for _, format := range []producer.Format{producer.FormatJSON, producer.FormatBin, producer.FormatText} {
				p := producer.New(producer.Config{Format: format, Separator: []byte("\n"), Programs: programs}, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, 64<<10)
				all := arrivals(s.datagrams...)
				for _, a := range all {
					p.Datagram(batch, a.meta, a.data)
				}
				last := all[len(all)-1]
				if allocs := testing.AllocsPerRun(50, func() {
					batch.Reset()
					p.Datagram(batch, last.meta, last.data)
				}); allocs != 0 {
					t.Errorf("%s, format %d, %s: %v allocations a datagram", s.name, format, name, allocs)
				}
			}
		}
	}
}

// TestRefresh replaces the program between datagrams: templates go on by the new
// one, without being announced again.
func TestRefresh(t *testing.T) {
	first, err := producer.NewProgram(nil, producer.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	programs := producer.NewPrograms(first)
	store := producer.NewStore(template.DefaultLimits())
	p := producer.New(producer.Config{Format: producer.FormatBin, Programs: programs}, store)
	other := producer.New(producer.Config{Format: producer.FormatBin, Programs: programs}, store)
	all := arrivals(v9(set(0, tpl(256, flowFields...))), v9(set(256, flowRecord(1))))
	size := func(p *producer.Producer) int {
		batch := producer.NewBatch(0, 1<<10)
		p.Datagram(batch, all[1].meta, all[1].data)
		return len(batch.Buf)
	}
	p.Datagram(producer.NewBatch(0, 1<<10), all[0].meta, all[0].data)
	before := size(p)
	second, err := producer.NewProgram(fullMapping(), producer.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Stale() {
		t.Error("stale before anything changed")
	}
	programs.Set(second)
	if !p.Stale() || size(p) != before {
		t.Error("the program changed before Refresh")
	}
	p.Refresh()
	if p.Stale() || size(p) <= before {
		t.Error("the program did not change with Refresh")
	}
	if size(other) != before {
		t.Error("the other producer changed too")
	}
	other.Refresh()
	if size(other) != size(p) {
		t.Error("the producers differ")
	}
	programs.Set(first)
	p.Refresh()
	if size(p) != before {
		t.Error("the old program is not back")
	}
}

// FuzzMapped gives datagrams to producers under a mapping, in every form: they
// do not fail, count everything once and write valid JSON.
func FuzzMapped(f *testing.F) {
	for i, s := range scenarios() {
		var seq []byte
		for _, d := range s.datagrams {
			seq = frame(seq, byte(i), d)
		}
		f.Add(seq)
	}
	f.Fuzz(func(t *testing.T, seq []byte) {
		if len(seq) > 16<<10 {
			t.Skip("longer than is worth the time")
		}
		for _, compat := range []bool{false, true} {
			programs := program(t, fullMapping(), producer.Settings{Compat: compat})
			for _, cfg := range []producer.Config{{Format: producer.FormatJSON}, {Format: producer.FormatText}, {Format: producer.FormatBin}, {Raw: true}} {
				cfg.Programs, cfg.Separator = programs, []byte("\n")
				p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, 64<<10)
				for _, a := range unframe(seq) {
					batch.Reset()
					before := p.Counters
					res := p.Datagram(batch, a.meta, a.data)
					if err := checkLedger(&before, &p.Counters, res, batch); err != nil {
						t.Fatalf("%+v: %v", cfg, err)
					}
					if len(batch.Keys) != batch.Records() {
						t.Fatalf("%d keys of %d messages", len(batch.Keys), batch.Records())
					}
					if limit := 4000 * (len(a.data) + 1); len(batch.Buf) > limit {
						t.Fatalf("%d bytes became %d", len(a.data), len(batch.Buf))
					}
					for i := range batch.Records() {
						if cfg.Format == producer.FormatJSON && !json.Valid(batch.Message(i)) {
							t.Fatalf("no JSON: %s", batch.Message(i))
						}
					}
				}
			}
		}
	})
}
