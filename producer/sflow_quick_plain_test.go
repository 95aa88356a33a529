package producer

import (
	"net/netip"
	"testing"

	"github.com/weirflow/weir/bench/gen/workload"
	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/schema"
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

// TestTunnelPorts: the table that the assembly looks at has the ports of all tunnels,
// and no other.
func TestTunnelPorts(t *testing.T) {
	for port := range 1 << 16 {
		p := uint16(port)
		if got, want := isTunnelPort(p), packet.TunnelOfPorts(p, 0)|packet.TunnelOfPorts(0, p) != packet.TunnelNone; got != want {
			t.Errorf("port %d: %v, want %v", p, got, want)
		}
	}
}

// TestTunnelNames: the numbers of tunnel_type are those of package packet.
func TestTunnelNames(t *testing.T) {
	for kind, name := range schema.TunnelNames {
		if got := packet.Tunnel(kind).String(); got != name && kind != tunnelSTT {
			t.Errorf("kind %d: %s, want %s", kind, got, name)
		}
	}
	if got := packet.Tunnel(tunnelSTT).String(); got != "" {
		t.Errorf("kind %d of package packet is %s: tunnelSTT has its number", tunnelSTT, got)
	}
}
