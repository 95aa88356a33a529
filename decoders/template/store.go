package template

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// A Key names one numbering space of templates: template ids are unique
// within an exporter's observation domain (RFC 7011 section 3.4.1; RFC 3954
// calls it the source id), and the two protocols do not share them.
type Key struct {
	// Exporter is the exporter's address, IPv4 in its v4-mapped form.
	Exporter [16]byte
	// Domain is the observation domain id or v9 source id.
	Domain uint32
	// Port is the exporter's source port, or 0 where ports are no part of
	// its identity.
	Port uint16
	// Version is V9 or IPFIX.
	Version uint16
}

// Limits bounds what the network can make a store hold.
type Limits struct {
	Domains            int // exporters times their domains
	TemplatesPerDomain int
	FieldsPerTemplate  int
}

// DefaultLimits returns the limits for a collector of a large network.
func DefaultLimits() Limits {
	return Limits{Domains: 100_000, TemplatesPerDomain: 4096, FieldsPerTemplate: 1024}
}

// A Store holds the templates of all exporters. All workers share one: a
// template is usable by every worker as soon as one has seen it. Reading takes
// no lock; writing is rare and takes one.
type Store struct {
	limits  Limits
	compile func(*Template) any
	seed    maphash.Seed

	table atomic.Pointer[table] // replaced as a whole when it grows

	mu      sync.Mutex // serializes all writers
	domains int        // guarded by mu
}

// table is an open-addressed hash table that only ever gains entries: a
// reader that misses an entry written meanwhile takes the locked path, which
// looks again.
type table struct {
	mask  uint64
	slots []atomic.Pointer[Domain]
}

// NewStore returns an empty store. compile is called once for each template
// that is published, with the store's lock held; its result becomes
// Template.Compiled. It may be nil.
func NewStore(limits Limits, compile func(*Template) any) *Store {
	if compile == nil {
		compile = func(*Template) any { return nil }
	}
	s := &Store{limits: limits, compile: compile, seed: maphash.MakeSeed()}
	s.table.Store(newTable(64))
	return s
}

func newTable(size int) *table {
	return &table{mask: uint64(size - 1), slots: make([]atomic.Pointer[Domain], size)}
}

func (s *Store) hash(k *Key) uint64 { return maphash.Comparable(s.seed, *k) }

// Lookup returns the domain of key k, or nil if nothing was ever stored for
// it. It takes no lock and does not allocate.
func (s *Store) Lookup(k *Key) *Domain {
	t := s.table.Load()
	return t.find(k, s.hash(k))
}

func (t *table) find(k *Key, hash uint64) *Domain {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		d := t.slots[i].Load()
		if d == nil || d.key == *k {
			return d
		}
	}
}

func (t *table) insert(d *Domain, hash uint64) {
	i := hash & t.mask
	for t.slots[i].Load() != nil {
		i = (i + 1) & t.mask
	}
	t.slots[i].Store(d)
}

// Domain returns the domain of key k and makes it if there is none. It
// returns nil when the store has as many domains as its limit allows.
func (s *Store) Domain(k *Key) *Domain {
	hash := s.hash(k)
	if d := s.table.Load().find(k, hash); d != nil {
		return d
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table.Load()
	if d := t.find(k, hash); d != nil {
		return d
	}
	if s.domains >= s.limits.Domains {
		return nil
	}
	if 2*(s.domains+1) > len(t.slots) {
		grown := newTable(2 * len(t.slots))
		for i := range t.slots {
			if d := t.slots[i].Load(); d != nil {
				grown.insert(d, s.hash(&d.key))
			}
		}
		t = grown
		s.table.Store(t)
	}
	d := &Domain{store: s, key: *k}
	d.templates.Store(&templates{})
	t.insert(d, hash)
	s.domains++
	return d
}

// Domains returns all domains in the order of their keys. The list is a
// snapshot; the domains are live.
func (s *Store) Domains() []*Domain {
	t := s.table.Load()
	var all []*Domain
	for i := range t.slots {
		if d := t.slots[i].Load(); d != nil {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *Domain) int {
		return cmp.Or(
			bytes.Compare(a.key.Exporter[:], b.key.Exporter[:]),
			cmp.Compare(a.key.Port, b.key.Port),
			cmp.Compare(a.key.Version, b.key.Version),
			cmp.Compare(a.key.Domain, b.key.Domain),
		)
	})
	return all
}

// A Domain holds the templates and the sampling rates of one Key. All methods
// may be called by any goroutine; those that read take no lock.
type Domain struct {
	store     *Store
	key       Key
	templates atomic.Pointer[templates] // immutable; replaced on change
	sampling  Sampling
}

// templates is one immutable state of a domain.
type templates struct {
	byID map[uint16]*Template
}

// Key returns the domain's key.
func (d *Domain) Key() Key { return d.key }

// Sampling returns the sampling rates that the domain's options data
// announced.
func (d *Domain) Sampling() *Sampling { return &d.sampling }

// Template returns the template with the id, or nil. It takes no lock and
// does not allocate.
func (d *Domain) Template(id uint16) *Template {
	return d.templates.Load().byID[id]
}

// Templates returns the domain's templates in the order of their ids.
func (d *Domain) Templates() []*Template {
	byID := d.templates.Load().byID
	all := make([]*Template, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		all = append(all, byID[id])
	}
	return all
}

// A Change says what Put or Withdraw did.
type Change uint8

// What a definition did to the domain.
const (
	Unchanged Change = iota // an identical re-announcement
	Added
	Replaced
	Withdrawn // count in the caller's hands: withdrawals of nothing too
	Refused   // with a Fault
)

// Put stores the template that def describes, received at nowNs (Unix
// nanoseconds). An identical re-announcement changes nothing. A withdrawal
// removes. def's views are copied.
func (d *Domain) Put(def *Definition, nowNs int64) (Change, Fault) {
	if def.Withdrawal {
		d.withdraw(def)
		return Withdrawn, FaultNone
	}
	if t := d.Template(def.ID); t != nil && t.same(def) {
		t.lastSeenNs.Store(nowNs)
		return Unchanged, FaultNone
	}
	if def.fields > d.store.limits.FieldsPerTemplate {
		return Refused, FaultTemplateFields
	}
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	now := d.templates.Load().byID
	old := now[def.ID]
	if old != nil && old.same(def) { // another worker was first
		old.lastSeenNs.Store(nowNs)
		return Unchanged, FaultNone
	}
	if old == nil && len(now) >= d.store.limits.TemplatesPerDomain {
		return Refused, FaultTemplateLimit
	}
	t, fault := New(def)
	if fault != FaultNone {
		return Refused, fault
	}
	t.lastSeenNs.Store(nowNs)
	t.Compiled = d.store.compile(t)
	next := make(map[uint16]*Template, len(now)+1)
	maps.Copy(next, now)
	next[t.ID] = t
	d.templates.Store(&templates{byID: next})
	if old != nil {
		return Replaced, FaultNone
	}
	return Added, FaultNone
}

func (t *Template) same(def *Definition) bool {
	return t.Options == def.Options && bytes.Equal(t.raw, def.Raw)
}

// withdraw removes the template of def's id, or all of its kind for the ids
// 2 and 3 (RFC 7011 section 8.1).
func (d *Domain) withdraw(def *Definition) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	next := maps.Clone(d.templates.Load().byID)
	switch def.ID {
	case 2, 3:
		maps.DeleteFunc(next, func(_ uint16, t *Template) bool { return t.Options == (def.ID == 3) })
	default:
		delete(next, def.ID)
	}
	d.templates.Store(&templates{byID: next})
}
