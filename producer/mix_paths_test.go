package producer_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

// genericTemplates are the templates of the mix whose records take the generic path, with
// the reason. All others have a fused plan.
var genericTemplates = map[string]string{
	"netflow_v9 302": "a label stack",
	"ipfix 300":      "variable length",
	"ipfix 301":      "variable length",
	"ipfix 305":      "variable length",
	"ipfix 308":      "variable length",
	"ipfix 309":      "variable length",
}

// genericText are those that do so in JSON and text alone.
var genericText = map[string]string{
	"netflow_v9 307": "a field of text, which is quoted and checked",
}

// TestMixPaths looks at the path of each template of the mix. TestPaths has the shares
// alone, which would hide one template that loses its plan.
func TestMixPaths(t *testing.T) {
	if _, fused := producer.Builds(); !fused {
		t.Skip("this build (-tags weirsafe) writes JSON and text by the generic path alone")
	}
	cache := func() *geo.Cache {
		return geo.NewCache(&geo.Source{Find: func(netip.Addr) (geo.Answer, int) { return geo.Answer{AS: 64500}, 24 }})
	}
	key := &producer.Mapping{Key: []string{"src_addr", "dst_addr", "proto", "src_port", "dst_port"}}
	for _, format := range []producer.Format{producer.FormatBin, producer.FormatJSON, producer.FormatText} {
		for name, cfg := range map[string]producer.Config{
			"plain":    {},
			"keyed":    {Programs: program(t, key, producer.Settings{})},
			"enriched": {Programs: program(t, nil, producer.Settings{Enriched: true}), Geo: cache()},
		} {
			t.Run(fmt.Sprintf("%v/%s", format, name), func(t *testing.T) {
				cfg.Format = format
				mixPaths(t, cfg)
			})
		}
	}
}

func mixPaths(t *testing.T, cfg producer.Config) {
	g, err := workload.New(workload.Config{Workload: "mix", Exporters: 16, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, producer.DefaultBatchSize)
	seen := map[string]bool{}
	for _, d := range g.Take(1200) {
		name := templateOf(d.Payload)
		before := p.Counters.Encoded
		meta := producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), ReceivedNs: receivedNs}
		records := p.Datagram(batch, meta, d.Payload).Records
		batch.Reset()
		if name == "" || records == 0 || seen[name] {
			continue
		}
		seen[name] = true
		generic := int(p.Counters.Encoded[producer.PathGeneric] - before[producer.PathGeneric])
		want := 0
		if genericTemplates[name] != "" || cfg.Format != producer.FormatBin && genericText[name] != "" {
			want = records
		}
		if generic != want {
			t.Errorf("template %s: %d of %d records take the generic path, want %d", name, generic, records, want)
		}
	}
	if len(seen) != 22 {
		t.Errorf("records of %d templates or pairs of them, want 22: %v", len(seen), seen)
	}
}

// templateOf returns the protocol and templates of the data of a v9 or IPFIX datagram, ""
// for other datagrams. The templates with a reason stand alone in theirs.
func templateOf(data []byte) (name string) {
	header := 20
	switch producer.Detect(data) {
	case producer.ProtocolNetFlowV9:
	case producer.ProtocolIPFIX:
		header = 16
	default:
		return ""
	}
	var sets template.Sets
	sets.Init(data[header:])
	for sets.Next() {
		if sets.ID < 256 || sets.ID == 257 && producer.Detect(data) == producer.ProtocolNetFlowV9 || sets.ID == 258 {
			continue // templates, and data of options
		}
		if name == "" {
			name = fmt.Sprintf("%v %d", producer.Detect(data), sets.ID)
		} else if id := fmt.Sprint(sets.ID); !strings.HasSuffix(name, id) {
			name += "+" + id
		}
	}
	return name
}
