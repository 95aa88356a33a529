package collector

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/weirflow/weir/producer"
)

// A SamplingRule sets the sampling rate of exporters.
type SamplingRule struct {
	// Exporters are those that it is for.
	Exporters netip.Prefix
	// Interface is the index of the one that it is for, if HasInterface.
	Interface    uint32
	HasInterface bool
	// Rate is N where one packet of N is sampled, not 0.
	Rate uint64
}

// samplingRules finds the rules of an exporter.
type samplingRules struct {
	table bart.Table[*producer.Override]
	any   bool
}

// newSamplingRules returns rules of which those with the longest prefix that fits
// an exporter count for it: its own rate and those of its interfaces each by
// themselves. Of two for the same, the last counts.
func newSamplingRules(rules []SamplingRule) *samplingRules {
	s := &samplingRules{any: len(rules) > 0}
	for _, at := range rules {
		// What shorter prefixes say holds too, where this one says nothing.
		prefix := unmapped(at.Exporters)
		best := map[uint32]int{}
		bits := -1
		o := &producer.Override{}
		for _, r := range rules {
			p := unmapped(r.Exporters)
			if p.Bits() > prefix.Bits() || !p.Contains(prefix.Addr()) {
				continue
			}
			if !r.HasInterface {
				if p.Bits() >= bits {
					o.Rate, bits = r.Rate, p.Bits()
				}
				continue
			}
			if had, ok := best[r.Interface]; ok && had > p.Bits() {
				continue
			}
			best[r.Interface] = p.Bits()
			if o.Interfaces == nil {
				o.Interfaces = map[uint32]uint64{}
			}
			o.Interfaces[r.Interface] = r.Rate
		}
		s.table.Insert(prefix, o)
	}
	return s
}

// of returns what the rules say about an exporter, nil for nothing.
func (s *samplingRules) of(addr netip.Addr) *producer.Override {
	if !s.any {
		return nil
	}
	o, _ := s.table.Lookup(addr)
	return o
}
