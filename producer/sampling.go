package producer

import "github.com/weirflow/weir/decoders/template"

// SamplingSource is where a record's sampling rate came from.
type SamplingSource uint8

// Sources, by the numbers of the field sampling_source (schema.SamplingSources). Of those
// that know a rate the first one counts, but an override always does.
const (
	// SamplingUnknown: nothing says it.
	SamplingUnknown SamplingSource = iota
	// SamplingRecord: the record, the sFlow sample or the v5 header names it.
	SamplingRecord
	// SamplingSampler and SamplingSelector: options data announced it for the sampler
	// (48) that the record names, or for the selector or selection sequence (302, 301).
	SamplingSampler
	SamplingSelector
	// SamplingDomain: options data announced it for the observation domain, or for the
	// template.
	SamplingDomain
	// SamplingInterface: options data announced it for an interface or line card.
	SamplingInterface
	// SamplingOverride: the configuration sets it.
	SamplingOverride
	// SamplingDefault: the configuration's rate for those that name none.
	SamplingDefault
	// NumSamplingSources is the number of sources.
	NumSamplingSources = int(iota)
)

// String returns the source's name, as it appears in metrics.
func (s SamplingSource) String() string {
	return [NumSamplingSources]string{"none", "record", "sampler", "selector", "domain", "interface", "override", "default"}[s]
}

// An Override is what the configuration says about an exporter's sampling rates,
// whatever the exporter says. It is not changed once made, and read by all
// workers.
type Override struct {
	// Rate is that of the exporter, 0 for what it says itself.
	Rate uint64
	// Interfaces are the rates of single interfaces, by index: that of the one
	// by which a flow came in counts, else that of the one by which it went out.
	Interfaces map[uint32]uint64
}

// samplerSources are the sources of rates of a sampler, by the place of an opSampler.
var samplerSources = [...]SamplingSource{placeSampler: SamplingSampler, placeSequence: SamplingSelector, placeSelector: SamplingSelector}

// rateOf returns the sampling rate of a flow that is complete otherwise, and
// counts where it came from. rate is what is known about it from src, 0 for
// nothing.
func (p *Producer) rateOf(f *Flow, rate uint64, src SamplingSource) uint64 {
	if o := p.meta.Override; o != nil {
		forced := o.Rate
		if r := o.Interfaces[f.InIf]; r != 0 {
			forced = r
		} else if r := o.Interfaces[f.OutIf]; r != 0 {
			forced = r
		}
		if forced != 0 {
			p.Counters.Sampling[SamplingOverride]++
			p.setSource(f, SamplingOverride)
			return forced
		}
	}
	p.setSource(f, p.countRates(rate, src, 1))
	return p.samplingOr(rate)
}

// setSource sets where a flow's sampling rate came from, if the mapping asks for it.
func (p *Producer) setSource(f *Flow, src SamplingSource) {
	if p.prog.sourced {
		f.setNumber(fieldSamplingSource, uint64(src))
	}
}

// recordRate returns what is known about the rate of a data record that is read into f, 0 for
// nothing, and where that is from.
func (p *Producer) recordRate(c *recordContext, t *Template, s *template.Sampling, f *Flow) (uint64, SamplingSource) {
	if c.mappedRate != 0 {
		return c.mappedRate, SamplingRecord
	}
	if c.compat {
		return p.compatRate(s), SamplingDomain
	}
	if c.rated {
		if rate := p.rates.rate(); rate != 0 {
			return rate, SamplingRecord
		}
	}
	if c.hasSampler {
		if rate := s.SamplerRate(c.samplerID); rate != 0 {
			return rate, c.samplerSource
		}
	}
	if c.hasSequence {
		if rate := s.SequenceRate(c.sequenceID); rate != 0 {
			return rate, SamplingSelector
		}
	}
	if s.Scoped() {
		if rate, src := scopedRate(c, t, s, f); rate != 0 {
			return rate, src
		}
	}
	if c.hasSampler || c.hasSequence {
		return s.Whole(), SamplingDomain // never another sampler's
	}
	return s.Rate(), SamplingDomain
}

// scopedRate returns the rate of what a record came by, the narrowest first.
func scopedRate(c *recordContext, t *Template, s *template.Sampling, f *Flow) (uint64, SamplingSource) {
	for _, index := range [2]uint32{f.InIf, f.OutIf} {
		if index != 0 {
			if rate := s.ScopeRate(template.ScopeInterface, uint64(index)); rate != 0 {
				return rate, SamplingInterface
			}
		}
	}
	if c.lineCard != 0 {
		if rate := s.ScopeRate(template.ScopeLineCard, c.lineCard); rate != 0 {
			return rate, SamplingInterface
		}
	}
	return s.ScopeRate(template.ScopeTemplate, uint64(t.ID)), SamplingDomain
}

// countRates counts n records whose rate came from src, if it is not 0, and returns where
// it came from then.
func (p *Producer) countRates(rate uint64, src SamplingSource, n int) SamplingSource {
	switch {
	case p.forcedRate() != 0:
		src = SamplingOverride
	case rate != 0:
	case p.cfg.SamplingRate != 0:
		src = SamplingDefault
	default:
		src = SamplingUnknown
	}
	p.Counters.Sampling[src] += uint64(n)
	return src
}

// forcedRate returns the rate that the configuration sets for the exporter, 0
// for none.
func (p *Producer) forcedRate() uint64 {
	if o := p.meta.Override; o != nil {
		return o.Rate
	}
	return 0
}

// perInterface says that rates depend on the flow's interfaces.
func (p *Producer) perInterface() bool {
	return p.meta.Override != nil && len(p.meta.Override.Interfaces) > 0
}

// countSampled does what countRates does for the n records of a set, where some
// name their rate or sampler.
func (p *Producer) countSampled(c *fusedContext, n int) {
	if c.sampling == nil {
		p.countRates(c.rate, SamplingDomain, n)
		return
	}
	for src, n := range c.sources {
		p.Counters.Sampling[src] += uint64(n)
	}
}

// rated returns rate and counts where it came from, for n records.
func (c *fusedContext) rated(rate uint64, src SamplingSource, n int) uint64 {
	switch {
	case rate != 0:
	case c.fallback != 0:
		src = SamplingDefault
	default:
		src = SamplingUnknown
	}
	c.sources[src] += n
	c.rateSource = src
	return rate
}
