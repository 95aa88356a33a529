package producer_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

// rounds returns how many random cases to try: fewer where each takes long.
func rounds(n int) int {
	if raceDetector || testing.Short() {
		return n / 10
	}
	return n
}

// TestColumnPlans compares JSON and text that is written from a template's plan with
// the same by way of a Flow, which rates of interfaces ask for, though they name none:
// under random columns and none, mappings, templates and records, with enrichment and
// without.
func TestColumnPlans(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	elements := []uint16{1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 21, 22, 27, 28, 29, 30, 31, 32, 34, 48, 52, 54, 56, 57, 58, 59, 60, 61, 62, 63,
		80, 81, 88, 89, 138, 371, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 176, 177, 197, 239}
	lengths := []uint16{1, 2, 4, 8, 4, 2, 1, 3, 5, 6, 16}
	destinations := []string{"octets", "list", "b", "bl", "in_if", "NextHopAs", "bytes", "bgp_next_hop", "src_mac", "vlan_id"}
	for range rounds(6000) {
		m := &producer.Mapping{Render: map[string]producer.Renderer{}, Custom: []producer.Custom{
			{Name: "octets", Number: 1000, Type: producer.CustomVarint}, {Name: "b", Number: 1001, Type: producer.CustomBytes},
			{Name: "list", Number: 1002, Type: producer.CustomVarint, Array: true}, {Name: "bl", Number: 1003, Type: producer.CustomString, Array: true},
		}}
		names := append(producer.FieldNames(), "icmp_name", "octets", "b", "list", "bl")
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		m.Fields = names[:1+r.IntN(len(names)-1)]
		for _, name := range m.Fields {
			if render := producer.Renderer(1 + r.IntN(int(producer.RenderString))); r.IntN(12) == 0 && name != "icmp_name" && render != producer.RenderNetwork {
				m.Render[name] = render
			}
		}
		m.NetFlowV9 = randomRules(r, r.IntN(6), elements, destinations)
		m.IPFIX = m.NetFlowV9
		fields, size := randomTemplate(r, 1+r.IntN(16), elements, lengths)
		var recs []byte
		for range 3 * size {
			c := byte(0)
			if r.IntN(3) > 0 {
				c = byte(r.Uint32())
			}
			recs = append(recs, c)
		}
		all := arrivals(v9(set(0, tpl(256, fields...))), v9(set(256, recs)), v9(set(256, recs[:size])))
		if r.IntN(2) == 0 {
			all = arrivals(ipfix(set(2, tpl(256, fields...))), ipfix(set(256, recs)), ipfix(set(256, recs[:size])))
		}
		if r.IntN(4) == 0 {
			m.Fields, m.Render = nil, nil // as without a mapping
		}
		if r.IntN(4) == 0 {
			m.NetFlowV9, m.IPFIX = nil, nil
		}
		format := []producer.Format{producer.FormatJSON, producer.FormatText}[r.IntN(2)]
		enriched := r.IntN(3) == 0
		if enriched {
			for i := range m.Custom {
				m.Custom[i].Number += 10
			}
		}
		programs := program(t, m, producer.Settings{Enriched: enriched})
		var out [2][]byte
		for i := range out {
			cfg := producer.Config{Format: format, Separator: []byte("\n"), Programs: programs}
			if enriched {
				cfg.Geo = geo.NewCache(&geo.Source{Find: whereabouts})
			}
			p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
			batch := producer.NewBatch(0, 64<<10)
			for _, a := range all {
				if i == 1 {
					a.meta.Override = &producer.Override{Interfaces: map[uint32]uint64{0: 0}}
				}
				p.Datagram(batch, a.meta, a.data)
			}
			out[i] = batch.Buf
		}
		if !bytes.Equal(out[0], out[1]) {
			t.Fatalf("columns %v, renderers %v, mapping %+v, template %v:\nplan %s\nflow %s", m.Fields, m.Render, m.IPFIX, fields, out[0], out[1])
		}
	}
}

// TestSharedColumns compares columns that the samples of a datagram share, with
// the same of each sample alone, which a rule for a field of FlowMessage asks for.
func TestSharedColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	datagram := sflowDatagram(flowSample(rawHeader(vlanFrame), gateway()), expandedSample(rawHeader(tcpFrame)), flowSample(rawHeader(tcpFrame[:30])))
	for range rounds(500) {
		m := &producer.Mapping{Render: map[string]producer.Renderer{}}
		names := append(producer.FieldNames(), "icmp_name")
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		m.Fields = names[:1+r.IntN(len(names)-1)]
		for _, name := range m.Fields {
			if render := producer.Renderer(1 + r.IntN(int(producer.RenderString))); r.IntN(3) == 0 && name != "icmp_name" && render != producer.RenderNetwork {
				m.Render[name] = render
			}
		}
		for _, format := range []producer.Format{producer.FormatJSON, producer.FormatText} {
			var out [2][]byte
			for i := range out {
				m.Layers = nil
				if i == 1 {
					m.Layers = []producer.LayerRule{{Layer: "teredo", Length: 8, Destination: "in_if"}}
				}
				p := producer.New(producer.Config{Format: format, Programs: program(t, m, producer.Settings{})}, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, 64<<10)
				for _, a := range arrivals(datagram, v9(set(0, tpl(256, flowFields...))), v9(set(256, flowRecord(1))), datagram) {
					p.Datagram(batch, a.meta, a.data)
				}
				out[i] = batch.Buf
			}
			if !bytes.Equal(out[0], out[1]) {
				t.Fatalf("columns %v, renderers %v:\nshared %s\nalone  %s", m.Fields, m.Render, out[0], out[1])
			}
		}
	}
}
