package producer

import (
	"bytes"

	"github.com/weirflow/weir/decoders/template"
)

// goflow2 takes the first rate that options data of a datagram has, for all flows of the
// datagram, in front of it too, and for those of the domain later; it knows no samplers.

// compatRates is that of the datagram in work.
type compatRates struct {
	found, learned bool
	rate           uint64
}

// compatRate returns the rate of the datagram's flows.
func (p *Producer) compatRate(s *template.Sampling) uint64 {
	if p.compat.found {
		return p.compat.rate
	}
	return s.Own()
}

// compatOptions notes the rate of an options record, if it is the datagram's first.
func (p *Producer) compatOptions(pl *optionsPlan, domain *TemplateDomain, rec []byte) {
	if rate, ok := compatOptionsRate(pl, rec); ok && !p.compat.learned {
		p.compat.learned = true
		p.wholeChange(domain, rate)
		domain.Sampling().Set(rate)
	}
}

// compatOptionsRate returns the rate of an options record, by 305, 50 or 34.
func compatOptionsRate(pl *optionsPlan, rec []byte) (rate uint64, ok bool) {
	var r optionsRecord
	var said [numRateParts]bool
	pos := 0
	for i := range pl.fields {
		f := &pl.fields[i]
		off, n := template.FieldSpan(&f.Field, rec, pos)
		pos = off + n
		if value, ok := number(rec[off:pos]); ok && f.use == useRate {
			r.rates[f.part], said[f.part] = value, true
		}
	}
	for _, part := range [...]ratePart{partPacketInterval, partRandom, partInterval} {
		if said[part] {
			return r.rates[part], true
		}
	}
	return 0, false
}

// compatAhead looks for the rate in the sets of a datagram before its flows are
// produced.
func (p *Producer) compatAhead(m *message, body []byte, idOptions uint16) {
	domain := p.store.Lookup(&m.key)
	var own map[uint16]*Template // options templates of the datagram
	var sets template.Sets
	for sets.Init(body); sets.Next(); {
		if sets.ID == idOptions {
			var defs template.Definitions
			defs.Init(sets.Body, m.key.Version, true)
			for more, ok := defs.Next(); more; more, ok = defs.Next() {
				if !ok || defs.Def.Withdrawal {
					continue
				}
				if domain != nil && own[defs.Def.ID] == nil {
					if known := domain.Template(defs.Def.ID); known != nil && known.Options && bytes.Equal(known.Raw(), defs.Def.Raw) {
						continue
					}
				}
				t, fault := template.New[compiled](&defs.Def)
				if fault != template.FaultNone {
					continue
				}
				t.Compiled.options = compileOptions(t)
				if own == nil {
					own = map[uint16]*Template{}
				}
				own[t.ID] = t
			}
			continue
		}
		t := own[sets.ID]
		if t == nil && domain != nil && sets.ID >= 256 {
			t = domain.Template(sets.ID)
		}
		if t == nil || !t.Options {
			continue
		}
		var recs template.Records[compiled]
		for recs.Init(sets.Body, t); recs.Next(); {
			if rate, ok := compatOptionsRate(t.Compiled.options, recs.Record); ok {
				p.compat.found, p.compat.rate = true, rate
				return
			}
		}
	}
}
