package producer_test

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"

	"github.com/weirflow/weir/producer/flowpb"
)

// slowSampling are the rates that a domain has announced: for all that it sends, and by
// what else they hold for.
type slowSampling struct {
	whole uint64
	of    map[slowScope]uint64
}

// slowScope is a sampler, sequence, interface... by the number of its element. At 1 there
// are the selectors of sequences.
type slowScope struct {
	element uint16
	id      uint64
}

// optionsRecord learns the boot time and sampling rates: RFC 7012 (160), RFC 5477
// section 8.2, RFC 3954 sections 6.1 and 8.
func (s *slow) optionsRecord(m *slowMessage, t *slowTemplate, values [][]byte) {
	said := map[uint16]uint64{}
	has := map[uint16]bool{}
	var selectors []uint64
	hasRate := false
	for i, f := range t.fields {
		if f.pen == 0 && len(values[i]) > 0 || f.pen == 0 && f.length != 0 {
			hasRate = hasRate || slices.Contains([]uint16{34, 50, 305, 306, 309, 310, 311, 396, 397}, f.id)
		}
		n, ok := slowNumber(values[i])
		if !ok || f.pen != 0 {
			continue
		}
		id := f.id
		if f.scope && m.version == 9 && id <= 5 {
			id = map[uint16]uint16{2: 10, 3: 141, 5: 145}[id]
		}
		switch id {
		case 302, 48:
			id = 48
			selectors = append(selectors, n)
		case 14:
			id = 10
		case 311:
			n = slowProbability(values[i])
		}
		said[id], has[id] = n, true
	}
	if boot := said[160]; boot != 0 {
		s.boot[m.slowDomain] = boot
	}
	rate := slowRate(said)
	d := s.sampling[m.slowDomain]
	if d == nil {
		d = &slowSampling{of: map[slowScope]uint64{}}
		s.sampling[m.slowDomain] = d
	}
	set := func(element uint16, id, rate uint64) {
		key := slowScope{element, id}
		if _, known := d.of[key]; known || len(d.of) < slowMaxSamplers {
			d.of[key] = rate
		}
	}
	if rate == 0 {
		if !hasRate && has[301] && has[48] {
			of := selectors[0]
			for _, next := range selectors[1:] {
				if s.find(m.slowDomain, slowScope{48, of}) == 0 {
					of = next
				}
			}
			set(1, said[301]%(1<<56), of+1)
		}
		return
	}
	whole := true
	for _, element := range []uint16{48, 301, 10, 141, 145} {
		if !has[element] || said[element] == 0 && element != 48 && element != 301 {
			continue
		}
		whole = false
		id := said[element]
		if element != 48 {
			id %= 1 << 56
		}
		set(element, id, rate)
	}
	if whole {
		d.whole = rate
	}
}

// slowProbability reads a float of 4 or 8 bytes, and says how many packets stand for one.
func slowProbability(v []byte) uint64 {
	p := 0.0
	switch len(v) {
	case 4:
		p = float64(math.Float32frombits(binary.BigEndian.Uint32(v)))
	case 8:
		p = math.Float64frombits(binary.BigEndian.Uint64(v))
	}
	if p <= 0 || p > 1 || p != p || 1/p >= 1<<63 {
		return 0
	}
	return uint64(math.Round(1 / p))
}

// slowRate returns the rate that the elements say.
func slowRate(said map[uint16]uint64) uint64 {
	spaced := func(interval, space uint64) uint64 {
		if interval > 0 && space > 0 && interval+space > interval {
			// One packet of (interval+space)/interval, to the nearest.
			return slowRatio(interval+space, interval)
		}
		return interval
	}
	if rate := spaced(said[305], said[306]); rate != 0 {
		return rate
	}
	if said[309] != 0 && said[310] >= said[309] {
		return slowRatio(said[310], said[309])
	}
	for _, id := range []uint16{311, 50, 34} {
		if said[id] != 0 {
			return said[id]
		}
	}
	if said[397] != 0 {
		return spaced(said[396], said[397])
	}
	return 0
}

// slowRatio returns n/of, rounded to the nearest, up from the middle.
func slowRatio(n, of uint64) uint64 {
	twice := new(big.Int).SetUint64(n)
	twice.Lsh(twice, 1).Add(twice, new(big.Int).SetUint64(of))
	return twice.Div(twice, new(big.Int).Lsh(new(big.Int).SetUint64(of), 1)).Uint64()
}

func (d *slowSampling) empty() bool { return d == nil || d.whole == 0 && len(d.of) == 0 }

// announced returns the table of a domain: its own, else that of domain 0 of the
// exporter, else that of the only domain that has one; nil for none.
func (s *slow) announced(d slowDomain) *slowSampling {
	if own := s.sampling[d]; !own.empty() {
		return own
	}
	zero := d
	zero.domain = 0
	if table := s.sampling[zero]; !table.empty() {
		return table
	}
	var only *slowSampling
	for other, table := range s.sampling {
		if other.exporter != d.exporter || other.version != d.version || table.empty() {
			continue
		}
		if only != nil {
			return nil
		}
		only = table
	}
	return only
}

func (s *slow) find(d slowDomain, of slowScope) uint64 {
	if table := s.announced(d); table != nil {
		return table.of[of]
	}
	return 0
}

// recordRate returns the rate of a data record, 0 if it is not known.
func (s *slow) recordRate(m *slowMessage, t *slowTemplate, aside map[uint16]uint64, f *flowpb.FlowMessage) uint64 {
	if aside[mappedRate] != 0 {
		return aside[mappedRate]
	}
	if rate := slowRate(aside); rate != 0 {
		return rate
	}
	look := func(element uint16, id uint64) uint64 {
		if element != 48 {
			id %= 1 << 56
		}
		return s.find(m.slowDomain, slowScope{element, id})
	}
	named := aside[hasSampler] != 0 || aside[hasSequence] != 0
	var all []uint64
	if aside[hasSampler] != 0 {
		all = append(all, look(48, aside[48]))
	}
	if aside[hasSequence] != 0 {
		all = append(all, look(301, aside[301]))
		if selector := look(1, aside[301]); selector != 0 {
			all = append(all, look(48, selector-1))
		}
	}
	for _, index := range []uint32{f.InIf, f.OutIf} {
		if index != 0 {
			all = append(all, look(10, uint64(index)))
		}
	}
	if aside[141] != 0 {
		all = append(all, look(141, aside[141]))
	}
	all = append(all, look(145, uint64(t.id)))
	for _, rate := range all {
		if rate != 0 {
			return rate
		}
	}
	table := s.announced(m.slowDomain)
	if table == nil {
		return 0
	}
	if table.whole != 0 || named {
		return table.whole
	}
	// All samplers have one rate, or none is known.
	rates := map[uint64]bool{}
	for of, rate := range table.of {
		if of.element == 48 {
			rates[rate] = true
		}
	}
	if len(rates) == 1 {
		for rate := range rates {
			return rate
		}
	}
	return 0
}
