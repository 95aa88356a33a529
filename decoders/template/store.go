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
	// Port is the exporter's source port. A store leaves it out where ports
	// are no part of an exporter's identity (see Ports): a domain's own key
	// has 0 then.
	Port uint16
	// Version is V9 or IPFIX.
	Version uint16
}

// Limits bounds what the network can make a store hold. Zero values of the last
// two mean those of DefaultLimits.
type Limits struct {
	Domains            int // exporters times their domains
	TemplatesPerDomain int
	FieldsPerTemplate  int
	// Bytes is the memory of all templates with what was compiled of them,
	// as far as it can be told. What templates share counts once. One domain
	// may have an eighth, in which it counts each time.
	Bytes int64
	// Samplers is the number of sampler rates of all domains; one domain may
	// have 1,024.
	Samplers int
}

// DefaultLimits returns the limits for a collector of a large network.
func DefaultLimits() Limits {
	return Limits{
		Domains: 100_000, TemplatesPerDomain: 4096, FieldsPerTemplate: 1024,
		Bytes: 128 << 20, Samplers: 100_000,
	}
}

// A Store holds the templates of all exporters. All workers share one: a
// template is usable by every worker as soon as one has seen it. Reading takes
// no lock; writing is rare and takes one.
//
// What is removed, a template or a whole domain, is unlinked and left to the
// garbage collector: a reader that holds it meanwhile reads on undisturbed.
type Store struct {
	limits  Limits
	compile func(*Template) any
	ports   Ports
	seed    maphash.Seed
	mul     uint32 // spreads template ids over the tables of the domains
	// samplerMul does so with sampler ids.
	samplerMul uint64
	tomb       *Domain // stands for removed domains: of no store

	table atomic.Pointer[table] // replaced as a whole when it grows

	// What is above is read for each datagram and stays in the caches of all;
	// what is below is written.
	_ [64]byte

	// changes counts what a saved copy would have to follow.
	changes  atomic.Uint64
	samplers atomic.Int64 // entries of all domains
	released atomic.Uint64

	mu     sync.Mutex // serializes all writers
	taken  int        // slots of the table that are not empty
	totals Totals     // guarded by mu
	order  eviction   // guarded by mu
	news   news       // its ring is guarded by mu
	// shared is what templates have in common that were compiled to the same;
	// guarded by mu.
	shared map[any]*sharedPart
	// families are by the key of their domain 0; guarded by mu.
	families map[Key]*family
	// accounts is what each address has; guarded by mu.
	accounts map[[16]byte]*account
}

// Totals is what a store holds and has let go.
type Totals struct {
	Domains   int
	Templates int
	Bytes     int64 // as Limits.Bytes counts
	Samplers  int
	// Expired counts the templates that were not announced for too long.
	Expired uint64
	// Evicted counts the domains that made room for others, and
	// EvictedTemplates the templates in them.
	Evicted, EvictedTemplates uint64
	// Split counts the domains that were found to be of several ports.
	Split uint64
}

// table is an open-addressed hash table. Its slots are empty, taken, or hold
// the tombstone of a domain that was removed, which keeps a reader's probe
// going. A domain never moves within a table. A reader that misses an entry
// written meanwhile takes the locked path, which looks again.
//
// Looking a domain up, making and removing one cost O(1). The table is copied
// when half of it is taken, by tombstones too, and the copy is a quarter full at
// most: as many domains that were made paid for that.
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
	def := DefaultLimits()
	limits.Bytes = cmp.Or(limits.Bytes, def.Bytes)
	limits.Samplers = cmp.Or(limits.Samplers, def.Samplers)
	s := &Store{limits: limits, compile: compile, seed: maphash.MakeSeed(), tomb: &Domain{}, shared: map[any]*sharedPart{}, families: map[Key]*family{}, accounts: map[[16]byte]*account{}}
	// Near the golden ratio, for neighbouring ids to lie apart; the low bits
	// are random, for chosen ones.
	s.mul = 0x9e3779b1 ^ uint32(maphash.String(s.seed, "template ids"))&0xfffffe
	s.samplerMul = maphash.String(s.seed, "sampler ids") | 1
	s.table.Store(newTable(64))
	return s
}

// Limits returns the store's limits.
func (s *Store) Limits() Limits { return s.limits }

// Totals returns what the store holds.
func (s *Store) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.totals
	t.Samplers = int(s.samplers.Load())
	return t
}

// Changes returns a number that grows with every change that a saved copy of
// the store would have to follow. Announcements that change nothing, and the
// use of templates, are none. It grows after a change is visible: what was looked
// up after Changes returned a number is what there is as long as it returns the
// same.
func (s *Store) Changes() uint64 { return s.changes.Load() }

// Released returns a number of bytes that grows by what is let go of: evicted,
// expired, withdrawn, replaced. Who remembers templates and domains of the store
// keeps their memory until it forgets them. It takes no lock.
func (s *Store) Released() uint64 { return s.released.Load() }

func newTable(size int) *table {
	return &table{mask: uint64(size - 1), slots: make([]atomic.Pointer[Domain], size)}
}

func (s *Store) hash(k *Key) uint64 { return maphash.Comparable(s.seed, *k) }

// find returns the domain of exactly the key k, or nil. It takes no lock.
func (s *Store) find(k *Key) *Domain { return s.table.Load().find(k, s.hash(k)) }

func (t *table) find(k *Key, hash uint64) *Domain {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		d := t.slots[i].Load()
		if d == nil || d.key == *k && d.store != nil {
			return d
		}
	}
}

// insert puts a domain that is not in the table into it, and reports whether
// that took an empty slot.
func (t *table) insert(d *Domain, hash uint64) bool {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		have := t.slots[i].Load()
		if have != nil && have.store != nil {
			continue
		}
		t.slots[i].Store(d)
		return have == nil
	}
}

// remove puts a tombstone in the place of the domain, which is in the table.
func (t *table) remove(d, tomb *Domain, hash uint64) {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		if t.slots[i].Load() == d {
			t.slots[i].Store(tomb)
			return
		}
	}
}

// each calls f for every domain of the table.
func (t *table) each(f func(*Domain)) {
	for i := range t.slots {
		if d := t.slots[i].Load(); d != nil && d.store != nil {
			f(d)
		}
	}
}

// make returns the domain of exactly the key k, which it makes if there is
// none; nil when there is no room for one more. The store is locked.
func (s *Store) make(k *Key, parent *Domain, nowNs int64) *Domain {
	hash := s.hash(k)
	if d := s.table.Load().find(k, hash); d != nil {
		return d
	}
	if !s.room(domainCost, parent, nowNs) {
		return nil
	}
	for s.totals.Domains >= s.limits.Domains {
		if !s.evict(nowNs, parent) {
			return nil
		}
	}
	t := s.table.Load()
	if 2*(s.taken+1) > len(t.slots) {
		t = s.rebuild(t)
	}
	d := &Domain{store: s, key: *k, parent: parent}
	d.ids.Store(newIDTable(minIDs, s.mul))
	d.sampling.store = s
	s.join(d)
	if t.insert(d, hash) {
		s.taken++
	}
	if parent != nil {
		parent.children++
		d.sampling.parent = &parent.sampling
	}
	s.totals.Domains++
	s.totals.Bytes += domainCost
	s.order.add(d)
	s.open(d)
	s.changes.Add(1)
	return d
}

// rebuild makes a table without tombstones, at most a quarter full.
func (s *Store) rebuild(old *table) *table {
	size := 64
	for size < 4*(s.totals.Domains+1) {
		size *= 2
	}
	t := newTable(size)
	s.taken = 0
	old.each(func(d *Domain) {
		t.insert(d, s.hash(&d.key))
		s.taken++
	})
	s.table.Store(t)
	return t
}

// drop takes a domain out of the store. The store is locked.
func (s *Store) drop(d *Domain) {
	s.table.Load().remove(d, s.tomb, s.hash(&d.key))
	d.gone = true
	s.order.remove(d)
	s.settle(d)
	if p := d.parent; p != nil {
		if p.children--; p.children == 0 && !p.gone && p.place.in == nil {
			s.order.add(p)
		}
	}
	for i := range d.kinds {
		for t := d.kinds[i].first; t != nil; {
			s.letGo(t)
			next := t.next
			t.prev, t.next = nil, nil // a reader that holds t holds no other by it
			t = next
		}
		d.kinds[i].first = nil
	}
	s.totals.Domains--
	s.totals.Templates -= d.live()
	own := domainCost + d.ids.Load().bytes()
	s.totals.Bytes -= own
	s.released.Add(uint64(own))
	d.sampling.close()
	s.leave(d)
	s.changes.Add(1)
}

// Each calls f for every domain, in no order. It takes no lock.
func (s *Store) Each(f func(*Domain)) { s.table.Load().each(f) }

// Domains returns all domains in the order of their keys. The list is a
// snapshot; the domains are live.
func (s *Store) Domains() []*Domain { return s.DomainsIf(func(*Domain) bool { return true }) }

// DomainsIf is like Domains, with those for which keep returns true.
func (s *Store) DomainsIf(keep func(*Domain) bool) []*Domain {
	var all []*Domain
	s.Each(func(d *Domain) {
		if keep(d) {
			all = append(all, d)
		}
	})
	slices.SortFunc(all, func(a, b *Domain) int {
		return a.key.Compare(&b.key)
	})
	return all
}

// Compare orders keys by exporter, port, version and domain: negative if k comes before
// o, 0 if they are equal.
func (k *Key) Compare(o *Key) int {
	return cmp.Or(
		bytes.Compare(k.Exporter[:], o.Exporter[:]),
		cmp.Compare(k.Port, o.Port),
		cmp.Compare(k.Version, o.Version),
		cmp.Compare(k.Domain, o.Domain),
	)
}
