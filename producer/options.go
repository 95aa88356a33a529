package producer

import (
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/schema"
)

// Information elements that options data announces sampling and boot with, in addition to
// those of rateElements.
const (
	ieIngressInterface = 10
	ieEgressInterface  = 14
	ieFlowSamplerID    = 48
	ieLineCardID       = 141
	ieTemplateID       = 145
	ieSystemInitTime   = 160
	ieSequenceID       = 301
	ieSelectorID       = 302
)

// Scope fields of v9 (RFC 3954 section 6.1).
const (
	scopeInterface9 = 2
	scopeLineCard9  = 3
	scopeTemplate9  = 5
)

// rateElements are the parts of rates by their elements.
var rateElements = func() map[uint16]ratePart {
	parts := map[uint16]ratePart{}
	for i := range schema.Fields {
		for _, e := range schema.Fields[i].Elements {
			if e.Conv == schema.Interval {
				parts[e.ID] = ratePart(e.Place)
			}
		}
	}
	return parts
}()

// optionsUse is what a field of options data says.
type optionsUse uint8

const (
	useNothing optionsUse = iota
	useRate
	useBoot
	useSampler
	useSequence
	useInterface
	useLineCard
	useTemplate
)

// optionsField is a field of an options template, with its use.
type optionsField struct {
	template.Field
	use  optionsUse
	part ratePart
}

// optionsPlan is what an options template became: immutable, shared by all
// workers.
type optionsPlan struct {
	// fields are those that have bytes; nil if the records say nothing that
	// is of use here.
	fields []optionsField
	all    []template.Field // of the template
	// names is what they say about numbers; nil for nothing.
	names *namesPlan
	// chain says that the records have no rate, but selectors of sequences.
	chain bool
}

func compileOptions(t *Template) *optionsPlan {
	p := &optionsPlan{all: t.Fields, names: compileNames(t)}
	useful, rate, sequence, selector := false, false, false, false
	for _, f := range t.Fields {
		if f.Length == 0 {
			continue
		}
		o := useOf(&f, t.Version)
		rate = rate || o.use == useRate
		useful = useful || o.use == useRate || o.use == useBoot
		sequence = sequence || o.use == useSequence
		selector = selector || o.use == useSampler
		p.fields = append(p.fields, o)
	}
	p.chain = sequence && selector && !rate
	if !useful && !p.chain {
		p.fields = nil
	}
	return p
}

// useOf returns the use of a field. The scope fields of v9 have numbers of their own.
func useOf(f *template.Field, version uint16) optionsField {
	o := optionsField{Field: *f}
	switch {
	case f.PEN != 0:
		return o
	case f.Scope && version == template.V9 && f.ID <= scopeTemplate9:
		o.use = map[uint16]optionsUse{scopeInterface9: useInterface, scopeLineCard9: useLineCard, scopeTemplate9: useTemplate}[f.ID]
		return o
	}
	switch f.ID {
	case ieSystemInitTime:
		o.use = useBoot
	case ieFlowSamplerID, ieSelectorID:
		o.use = useSampler
	case ieSequenceID:
		o.use = useSequence
	case ieIngressInterface, ieEgressInterface:
		o.use = useInterface
	case ieLineCardID:
		o.use = useLineCard
	case ieTemplateID:
		o.use = useTemplate
	default:
		if part, ok := rateElements[f.ID]; ok {
			o.use, o.part = useRate, part
		}
	}
	return o
}

// optionsRecord is what a record of options data says.
type optionsRecord struct {
	rates rateParts
	has   [useTemplate + 1]bool
	value [useTemplate + 1]uint64
}

// options learns what a record of options data announces of sampling rates, and of
// when the exporter booted (160, Unix milliseconds). A rate holds for what the record
// names: sampler or selector (48, 302), selection sequence (301), interface (10, 14),
// line card (141), template (145), or the scope of these in v9; and for the whole domain
// where it names none. A sequence without a rate has that of its selectors.
func (p *Producer) options(pl *optionsPlan, domain *TemplateDomain, rec []byte) {
	if p.prog.compat {
		p.compatOptions(pl, domain, rec)
		return
	}
	var r optionsRecord
	s := domain.Sampling()
	r.read(pl, s, rec)
	if r.value[useBoot] != 0 {
		s.SetBoot(r.value[useBoot])
	}
	rate := r.rates.rate()
	if rate == 0 {
		if pl.chain && r.has[useSequence] && r.has[useSampler] {
			p.setRate(s, template.ScopeSelector, r.value[useSequence], r.value[useSampler]+1)
		}
		return
	}
	whole := true
	set := func(use optionsUse, scope template.Scope, zero bool) {
		id := r.value[use]
		if !r.has[use] || id == 0 && !zero {
			return
		}
		whole = false
		p.rateChange(domain, scope, id, rate)
		p.setRate(s, scope, id, rate)
	}
	set(useSampler, template.ScopeSampler, true)
	set(useSequence, template.ScopeSequence, true)
	set(useInterface, template.ScopeInterface, false)
	set(useLineCard, template.ScopeLineCard, false)
	set(useTemplate, template.ScopeTemplate, false)
	if whole {
		p.wholeChange(domain, rate)
		s.Set(rate)
	}
}

// setRate notes a rate, unless there are too many.
func (p *Producer) setRate(s *template.Sampling, scope template.Scope, id, rate uint64) {
	if !s.SetScope(scope, id, rate) {
		p.fault(ReasonSamplerLimit)
	}
}

// read reads a record.
func (r *optionsRecord) read(pl *optionsPlan, s *template.Sampling, rec []byte) {
	pos := 0
	for i := range pl.fields {
		f := &pl.fields[i]
		off, n := template.FieldSpan(&f.Field, rec, pos)
		pos = off + n
		value, ok := integer(rec[off:pos])
		if f.use == useNothing || !ok {
			continue
		}
		if f.use == useRate {
			r.rates.set(f.part, rec[off:pos], value)
			continue
		}
		// Of several selectors of a sequence the one that has a rate counts: the
		// others are filters.
		if pl.chain && f.use == useSampler && r.has[useSampler] && s.SamplerRate(r.value[useSampler]) != 0 {
			continue
		}
		r.has[f.use], r.value[f.use] = true, value
	}
}
