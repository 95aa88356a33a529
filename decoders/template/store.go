package template

import (
	"bytes"
	"cmp"
	"hash/maphash"
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
	mul     uint32 // spreads template ids over the tables of the domains

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
	// Near the golden ratio, for neighbouring ids to lie apart; the low bits
	// are random, for chosen ones.
	s.mul = 0x9e3779b1 ^ uint32(maphash.String(s.seed, "template ids"))&0xfffffe
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
	d.ids.Store(newIDTable(minIDs, s.mul))
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
