package template

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Saved is what a domain holds, in a form to keep and to load again.
type Saved struct {
	Key Key
	// When a data set was decoded, first and last, in Unix nanoseconds; 0 for
	// never.
	FirstUseNs, LastUseNs int64
	// What options data announced; 0 for nothing.
	Rate, BootMs uint64
	Samplers     []SavedSampler
	Templates    []SavedTemplate
}

// SavedSampler is the sampling rate of one sampler.
type SavedSampler struct{ ID, Rate uint64 }

// SavedTemplate is one template.
type SavedTemplate struct {
	Options bool
	// Raw is the template record on the wire.
	Raw []byte
	// Port is the source port of the last announcement.
	Port uint16
	// When it was announced and used last, in Unix nanoseconds; 0 for never.
	SeenNs, UsedNs int64
	// Records is the number of records that it decoded.
	Records uint64
}

// ErrSaved is the error of a saved domain that no store can have saved.
var ErrSaved = errors.New("not a saved domain")

// Save fills v with what the domain holds, in the memory that v has. Its Raw
// slices must not be written to. Templates and samplers are in the order of their
// ids.
func (d *Domain[C]) Save(v *Saved) {
	*v = Saved{
		Key:        d.key,
		FirstUseNs: d.firstUse.Load(), LastUseNs: d.lastUse.Load(),
		Rate: d.sampling.rate.Load(), BootMs: d.sampling.bootMs.Load(),
		Samplers: v.Samplers[:0], Templates: v.Templates[:0],
	}
	d.sampling.EachSampler(func(id, rate uint64) { v.Samplers = append(v.Samplers, SavedSampler{id, rate}) })
	ids := d.ids.Load()
	for i := range ids.slots {
		t := ids.slots[i].template.Load()
		if t == nil {
			continue
		}
		v.Templates = append(v.Templates, SavedTemplate{
			Options: t.Options, Raw: t.raw, Port: t.Port(),
			SeenNs: t.LastSeenNs(), UsedNs: t.LastUsedNs(), Records: t.Records(),
		})
	}
	// A record begins with its id.
	slices.SortFunc(v.Templates, func(a, b SavedTemplate) int { return bytes.Compare(a.Raw[:2], b.Raw[:2]) })
}

// Restore adds what was saved to a store that the network does not write to
// yet. The store's limits hold: what has no room is left out, and counted in
// left. Domains may come in any order. Where the policy of ports is another than it was, templates go to where they would be
// looked for now.
func (s *Store[C]) Restore(v *Saved) (left int, err error) {
	if v.Key.Version != V9 && v.Key.Version != IPFIX {
		return 0, fmt.Errorf("%w: version %d", ErrSaved, v.Key.Version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range v.Templates {
		t := &v.Templates[i]
		var defs Definitions
		defs.Init(t.Raw, v.Key.Version, t.Options)
		if more, ok := defs.Next(); !more || !ok || defs.Def.Withdrawal || len(defs.rest) != 0 {
			return left, fmt.Errorf("%w: template %d is no template record", ErrSaved, i)
		}
		d := s.restored(v, t.Port)
		if d == nil {
			left++
			continue
		}
		old := d.Template(defs.Def.ID)
		if old != nil && old.same(&defs.Def) {
			continue
		}
		if old == nil && d.live() >= s.limits.TemplatesPerDomain { // those saved before stay
			left++
			continue
		}
		if change, _ := d.put(&defs.Def, old, t.Port, t.SeenNs); change == Refused {
			left++
			continue
		}
		kept := d.Template(defs.Def.ID)
		kept.usage.used.Store(t.UsedNs)
		kept.usage.records.Store(t.Records)
	}
	if len(v.Templates) == 0 && s.restored(v, 0) == nil {
		left++
	}
	return left, nil
}

// restored returns the domain that a saved template belongs to, or nil for want
// of room. The store is locked.
func (s *Store[C]) restored(v *Saved, port uint16) *Domain[C] {
	k := v.Key
	switch {
	case s.ports == PortsOff:
		k.Port = 0
	case k.Port == 0:
		k.Port = port
	}
	if d := s.find(&k); d != nil && d.restored {
		return d
	}
	d := s.make(&k, nil, v.LastUseNs)
	if d == nil {
		return nil
	}
	d.restored = true
	d.firstUse.Store(v.FirstUseNs)
	d.lastUse.Store(v.LastUseNs)
	d.sampling.Set(v.Rate)
	d.sampling.bootMs.Store(v.BootMs)
	for _, r := range v.Samplers {
		d.sampling.SetSampler(r.ID, r.Rate)
	}
	return d
}
