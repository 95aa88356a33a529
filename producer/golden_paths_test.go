package producer_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

var update = flag.Bool("update", false, "write testdata/paths.txt again, on a machine whose assembly is used")

const pathsFile = "testdata/paths.txt"

// TestPaths compares the paths that records take, by workload, format, mapping, keys and
// enrichment, with testdata/paths.txt. A fast path that is lost fails it.
func TestPaths(t *testing.T) {
	fiveTuple := &producer.Mapping{Key: []string{"src_addr", "dst_addr", "proto", "src_port", "dst_port"}}
	setups := []struct {
		name     string
		programs *producer.Programs
		enriched bool
		override *producer.Override
	}{
		{name: "none", programs: program(t, nil, producer.Settings{})},
		{name: "key-sampler", programs: program(t, &producer.Mapping{Key: []string{"sampler_address"}}, producer.Settings{})},
		{name: "key-5tuple", programs: program(t, fiveTuple, producer.Settings{})},
		{name: "mapping", programs: program(t, usualMapping(), producer.Settings{})},
		{name: "enriched", programs: program(t, nil, producer.Settings{Enriched: true}), enriched: true},
		{name: "enriched-key-5tuple", programs: program(t, fiveTuple, producer.Settings{Enriched: true}), enriched: true},
		{name: "enriched-mapping", programs: program(t, usualMapping(), producer.Settings{Enriched: true}), enriched: true},
		{name: "override", programs: program(t, nil, producer.Settings{}), override: &producer.Override{Rate: 7}},
		{name: "override-interface", programs: program(t, nil, producer.Settings{}), override: &producer.Override{Interfaces: map[uint32]uint64{1: 7}}},
		{name: "compat", programs: program(t, nil, producer.Settings{Compat: true})},
	}
	var got strings.Builder
	got.WriteString("# Share of the records that takes each path, in percent: see TestPaths. Written by go test -run TestPaths -update.\n")
	for _, name := range workload.Names() {
		for _, format := range []string{"bin", "json", "text"} {
			for _, s := range setups {
				cfg := producer.Config{Programs: s.programs, Format: map[string]producer.Format{
					"bin": producer.FormatBin, "json": producer.FormatJSON, "text": producer.FormatText}[format]}
				if s.enriched {
					cfg.Geo = geo.NewCache(&geo.Source{Find: func(netip.Addr) (geo.Answer, int) { return geo.Answer{AS: 64500}, 24 }})
				}
				c := pathCounters(t, name, cfg, s.override)
				fmt.Fprintf(&got, "%s %s %s:", name, format, s.name)
				total := float64(producer.Sum(c.Encoded[:]))
				for path, n := range c.Encoded {
					if n > 0 {
						fmt.Fprintf(&got, " %v %.1f", producer.Path(path), 100*float64(n)/total)
					}
				}
				got.WriteString("\n")
			}
		}
	}
	if *update {
		if err := os.WriteFile(pathsFile, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(pathsFile)
	if err != nil {
		t.Fatal(err)
	}
	assembly, fused := producer.Builds()
	if !fused {
		t.Skip("this build (-tags weirsafe) writes JSON, text and samples by the generic path alone")
	}
	wanted := strings.Split(string(text), "\n")
	for i, line := range strings.Split(got.String(), "\n") {
		if !assembly && strings.Contains(line, " bin ") {
			continue // the table has assembly there
		}
		if i >= len(wanted) || line != wanted[i] {
			t.Errorf("got  %s\nwant %s", line, append(wanted, "nothing")[min(i, len(wanted))])
		}
	}
}

// pathCounters decodes a workload and returns the counters.
func pathCounters(t *testing.T, name string, cfg producer.Config, override *producer.Override) *producer.Counters {
	t.Helper()
	g, err := workload.New(workload.Config{Workload: name, Exporters: 4, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := producer.New(cfg, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, producer.DefaultBatchSize)
	for _, d := range g.Take(120) {
		meta := producer.Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 2055), ReceivedNs: receivedNs, Override: override}
		p.Datagram(batch, meta, d.Payload)
		batch.Reset()
	}
	if produced, encoded := producer.Sum(p.Counters.Records[:]), producer.Sum(p.Counters.Encoded[:]); produced == 0 || produced != encoded {
		t.Errorf("%s: %d records, %d of them with a path", name, produced, encoded)
	}
	return &p.Counters
}
