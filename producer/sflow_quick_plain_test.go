package producer

import (
	"net/netip"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
)

// TestQuickTakes holds writeSamples to the samples that it is there for: those of
// the workload, all of them, in as little room as a batch may have.
func TestQuickTakes(t *testing.T) {
	if !fastBits {
		t.Skip("not on this machine or in this build")
	}
	g, err := workload.New(workload.Config{Workload: "sflow", Exporters: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	p := New(Config{Format: FormatBin}, NewStore(template.DefaultLimits()))
	for _, d := range g.Take(100) {
		h, body, err := sflow.ParseHeader(d.Payload)
		if err != nil {
			t.Fatal(err)
		}
		batch := NewBatch(0, 0)
		batch.Buf = nil
		p.Datagram(batch, Meta{Source: netip.AddrPortFrom(workload.ExporterAddr(d.Exporter), 1)}, d.Payload)
		before := batch.Records()
		p.batch = batch
		if _, left := p.writeQuickly(body, h.SampleCount); left > 1 || batch.Records() != 2*before || before < 8 {
			t.Fatalf("of %d samples %d are left; %d messages, and %d in another way", h.SampleCount, left, batch.Records()-before, before)
		}
	}
}
