package web

import (
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// TestExporterSays: the page of an exporter lists the elements that fill no field, and what
// its options data said.
func TestExporterSays(t *testing.T) {
	table, store := collector.NewExporters(), producer.NewStore(template.DefaultLimits())
	table.Get(addrOf(1))
	// sourceIPv4Address, an element without a name of IANA's, one of another enterprise.
	raw := []byte{1, 0, 0, 3, 0, 8, 0, 4, 0x7f, 0xff, 0, 4, 0x80, 5, 0, 2, 0, 1, 0xe2, 0x40}
	var defs template.Definitions
	defs.Init(raw, template.IPFIX, false)
	if more, ok := defs.Next(); !more || !ok {
		t.Fatal("no definition")
	}
	key := exporterKey(1, 7)
	store.Domain(&key, 1).Put(&defs.Def, 0, 1)
	from := exportersOf(table)
	from.Names, from.DefaultRate = names.NewTable(names.DefaultBytes), func() uint64 { return 1000 }
	own := names.Key{Exporter: key.Exporter, Domain: key.Domain, Version: key.Version}
	from.Names.Learn(&own, names.Interface, 3, []byte("Gi0/3\xff"), 1)
	from.Names.Count(&own, names.NotSentFlows, 12, 1)
	page := getPage[exportersJSON](t, newExportersHandler(from, store), "/exporters?exporter="+addrOf(1).String())
	e := page.List[0]
	if len(e.Ignored) != 2 || e.Ignored[0] != (ignoredJSON{Element: 0x7fff, Kind: "unknown", Templates: 1}) || e.Ignored[1].Enterprise != 123456 || e.Ignored[1].Element != 5 {
		t.Errorf("elements ignored: %+v", e.Ignored)
	}
	if len(e.Names) != 1 || e.Names[0].Names["interface"][3] != "Gi0/3\ufffd" || e.Names[0].Counts["interface"] != 1 || e.Names[0].Counters["not_sent_flows"] != 12 {
		t.Errorf("options: %+v", e.Names)
	}
	if n := len(e.Sampling); n != 1 || e.Sampling[0] != (samplingJSON{Source: "default", Rate: 1000}) {
		t.Errorf("sampling: %+v", e.Sampling)
	}
}
