package producer

import (
	"slices"
	"strconv"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/names"
)

// Options data says what numbers in flow records are called: a record has the number, as
// its scope or not, and the name.

// namedBy are the elements that a kind of names is announced by: the number, and the names
// in the order in which they count.
var namedBy = []struct {
	kind       names.Kind
	ids, names []uint16
}{
	{names.Interface, []uint16{ieIngressInterface, ieEgressInterface}, []uint16{82, 83}},
	{names.VRF, []uint16{234, 235}, []uint16{236}},
	{names.Application, []uint16{95}, []uint16{96}},
	{names.Sampler, []uint16{ieFlowSamplerID, ieSelectorID}, []uint16{84, 335}},
	{names.SamplerMode, []uint16{ieFlowSamplerID, ieSelectorID}, []uint16{ieSamplerMode, ieSelectorAlgorithm}},
}

// Elements that say how a sampler works.
const (
	ieSamplerMode       = 49
	ieSelectorAlgorithm = 304
)

// samplerModes are the values of 49, selectorAlgorithms those of 304 (IANA, PSAMP
// parameters).
var (
	samplerModes       = []string{1: "deterministic", 2: "random"}
	selectorAlgorithms = []string{
		1: "systematic count-based", 2: "systematic time-based", 3: "random n-out-of-N", 4: "uniform probabilistic",
		5: "property match", 6: "hash BOB", 7: "hash IPSX", 8: "hash CRC", 9: "flow-state dependent",
	}
)

// namesPlan is what an options template says about numbers. Fields are by their place.
type namesPlan struct {
	fields   []template.Field
	rules    []namesRule
	counters []counterRule
}

type namesRule struct {
	kind  names.Kind
	id    int
	names []int
}

type counterRule struct {
	counter names.Counter
	field   int
}

// compileNames returns what an options template says, nil for nothing.
func compileNames(t *Template) *namesPlan {
	p := &namesPlan{fields: t.Fields}
	find := func(id uint16, scopes bool) int {
		return slices.IndexFunc(t.Fields, func(f template.Field) bool {
			if f.Scope && t.Version == template.V9 && f.ID <= scopeTemplate9 {
				return scopes && f.Length > 0 && f.ID == scopeInterface9 && id == ieIngressInterface
			}
			return f.PEN == 0 && f.Length > 0 && f.ID == id
		})
	}
	for _, by := range namedBy {
		r := namesRule{kind: by.kind, id: -1}
		for _, id := range by.ids {
			if r.id < 0 {
				r.id = find(id, true)
			}
		}
		for _, id := range by.names {
			if at := find(id, false); at >= 0 {
				r.names = append(r.names, at)
			}
		}
		if r.id >= 0 && r.names != nil {
			p.rules = append(p.rules, r)
		}
	}
	for i, f := range t.Fields {
		if c, ok := names.CounterOf(f.ID); ok && f.PEN == 0 && !f.Scope && f.Length > 0 {
			p.counters = append(p.counters, counterRule{c, i})
		}
	}
	if p.rules == nil && p.counters == nil {
		return nil
	}
	return p
}

// learnNames learns what a record of options data says.
func (p *Producer) learnNames(pl *namesPlan, m *message, domain *TemplateDomain, rec []byte) {
	values, pos := p.values[:0], 0
	for i := range pl.fields {
		off, n := template.FieldSpan(&pl.fields[i], rec, pos)
		pos = off + n
		values = append(values, rec[off:pos])
	}
	p.values = values
	key := nameKey(m, domain)
	now := p.meta.ReceivedNs
	for i := range pl.rules {
		r := &pl.rules[i]
		id, ok := integer(values[r.id])
		if r.kind == names.Application {
			id, ok = applicationID(values[r.id])
		}
		if !ok || len(values[r.id]) == 0 {
			continue
		}
		for _, at := range r.names {
			p.scratch = p.scratch[:0]
			name := p.nameOf(pl.fields[at].ID, values[at])
			if len(name) > 0 {
				p.cfg.Names.Learn(&key, r.kind, id, name, now)
				break
			}
		}
	}
	for _, c := range pl.counters {
		if n, ok := integer(values[c.field]); ok && len(values[c.field]) > 0 {
			p.cfg.Names.Count(&key, c.counter, n, now)
		}
	}
}

// nameOf returns the name that a value is, valid until the next record.
func (p *Producer) nameOf(element uint16, v []byte) []byte {
	modes := samplerModes
	switch element {
	case ieSelectorAlgorithm:
		modes = selectorAlgorithms
	case ieSamplerMode:
	default:
		return p.text(v)
	}
	n, ok := integer(v)
	switch {
	case !ok || n == 0:
		return nil
	case n < uint64(len(modes)):
		p.scratch = append(p.scratch, modes[n]...)
	default:
		p.scratch = strconv.AppendUint(p.scratch, n, 10)
	}
	return p.scratch
}

// nameKey returns the key of the names of a domain. Like templates, names belong to the
// source port where several exporters behind one address send as the same domain.
func nameKey(m *message, domain *TemplateDomain) names.Key {
	k := names.Key{Exporter: m.key.Exporter, Domain: m.key.Domain, Version: m.key.Version}
	if domain.Split() {
		k.Port = m.key.Port
	}
	return k
}

// joined are the domains whose names are added to records: the record's own, and domain 0
// of the exporter.
type joined [2]*names.Domain

func (j *joined) none() bool { return j[0] == nil && j[1] == nil }

// name returns the name of a number, nil if it is not known.
func (j *joined) name(k names.Kind, id uint64) []byte {
	for _, d := range j {
		if d != nil {
			if name := d.Name(k, id); name != nil {
				return name
			}
		}
	}
	return nil
}

// joins finds the names for the records of a data set that pl describes, if any are to be
// added and one of them is known.
func (p *Producer) joins(m *message, domain *TemplateDomain, pl *plan) {
	p.joined = joined{}
	kinds := p.cfg.Join & pl.joins
	if kinds == 0 || p.cfg.Names == nil || p.prog.compat {
		return
	}
	key := nameKey(m, domain)
	p.joined[0] = p.namesOf(&key, kinds)
	if key.Domain != 0 {
		key.Domain = 0
		p.joined[1] = p.namesOf(&key, kinds)
	}
}

// namesOf returns a domain that has names of one of the kinds, else nil.
func (p *Producer) namesOf(key *names.Key, kinds names.Kinds) *names.Domain {
	d := p.cfg.Names.Find(key)
	if d == nil {
		return nil
	}
	for k := range names.Kind(names.NumKinds) {
		if kinds.Has(k) && d.Len(k) > 0 {
			return d
		}
	}
	return nil
}

// joinsOf returns the kinds of names that the values of ops can have.
func joinsOf(ops []op) (kinds names.Kinds) {
	for i := range ops {
		switch o := &ops[i]; {
		case o.code == opSampler:
			kinds = kinds.With(names.Sampler).With(names.SamplerMode)
		case o.field == fieldInIf || o.field == fieldOutIf:
			kinds = kinds.With(names.Interface)
		case o.field == fieldIngressVRFID || o.field == fieldEgressVRFID:
			kinds = kinds.With(names.VRF)
		case o.field == fieldApplicationID:
			kinds = kinds.With(names.Application)
		}
	}
	return kinds
}

// join adds the names to a flow. What the record says itself stays.
func (p *Producer) join(f *Flow, c *recordContext) {
	add := func(k names.Kind, id uint64, to fieldID) {
		if f.has(to) {
			return
		}
		if name := p.joined.name(k, id); name != nil {
			f.setBytes(to, name)
		}
	}
	if p.cfg.Join.Has(names.Interface) {
		if f.InIf != 0 {
			add(names.Interface, uint64(f.InIf), fieldInIfName)
		}
		if f.OutIf != 0 {
			add(names.Interface, uint64(f.OutIf), fieldOutIfName)
		}
	}
	if p.cfg.Join.Has(names.VRF) {
		if f.has(fieldIngressVRFID) {
			add(names.VRF, uint64(f.Extra().IngressVRFID), fieldIngressVRFName)
		}
		if f.has(fieldEgressVRFID) {
			add(names.VRF, uint64(f.Extra().EgressVRFID), fieldEgressVRFName)
		}
	}
	if p.cfg.Join.Has(names.Application) && f.has(fieldApplicationID) {
		add(names.Application, f.Extra().ApplicationID, fieldApplicationName)
	}
	if p.cfg.Join.Has(names.Sampler) && c.hasSampler {
		add(names.Sampler, c.samplerID, fieldSamplerName)
		add(names.SamplerMode, c.samplerID, fieldSamplerMode)
	}
}
