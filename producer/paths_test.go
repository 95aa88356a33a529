package producer_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// TestNoAllocations pins that no path from a datagram to a message allocates,
// once its templates are known and the batch has its size.
func TestNoAllocations(t *testing.T) {
	for _, s := range scenarios() {
		if strings.Contains(s.name, "redefinition") || strings.Contains(s.name, "withdrawal") {
			continue // templates that change are stored again
		}
		for format, name := range map[producer.Format]string{producer.FormatJSON: "json", producer.FormatBin: "bin"} {
			t.Run(s.name+"/"+name, func(t *testing.T) {
				p := producer.New(producer.Config{Format: format, Separator: []byte("\n")}, producer.NewStore(template.DefaultLimits()))
				batch := producer.NewBatch(0, 64<<10)
				all := arrivals(s.datagrams...)
				for _, a := range all {
					p.Datagram(batch, a.meta, a.data)
				}
				last := all[len(all)-1]
				allocs := testing.AllocsPerRun(200, func() {
					batch.Reset()
					p.Datagram(batch, last.meta, last.data)
				})
				if allocs != 0 {
					t.Errorf("%v allocations a datagram", allocs)
				}
			})
		}
	}
}

// TestNoAllocationsAcrossProtocols goes through all paths in turn, so that none
// leaves another with less memory than it needs.
func TestNoAllocationsAcrossProtocols(t *testing.T) {
	p := producer.New(producer.Config{Format: producer.FormatBin}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 256<<10)
	var all []arrival
	for i, s := range scenarios() {
		if strings.Contains(s.name, "redefinition") || strings.Contains(s.name, "withdrawal") {
			continue
		}
		for _, a := range arrivals(s.datagrams...) {
			// Exporters of their own: the scenarios use the same template ids.
			a.meta.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 2055)
			all = append(all, a)
		}
	}
	round := func() {
		batch.Reset()
		for _, a := range all {
			p.Datagram(batch, a.meta, a.data)
		}
	}
	round()
	round()
	if allocs := testing.AllocsPerRun(50, round); allocs > 0 {
		t.Errorf("%v allocations a round", allocs)
	}
}
