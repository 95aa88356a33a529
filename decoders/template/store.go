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
type Store[C comparable] struct {
	limits  Limits
	compile func(*Template[C]) C
	ports   Ports
	seed    maphash.Seed
	mul     uint32     // spreads template ids over the tables of the domains
	tomb    *Domain[C] // stands for removed domains: of no store

	table atomic.Pointer[table[C]] // replaced as a whole when it grows

	// What is above is read for each datagram and stays in the caches of all;
	// what is below is written.
	_ [64]byte

	ledger
	released atomic.Uint64

	mu     sync.Mutex  // serializes all writers
	taken  int         // slots of the table that are not empty
	totals Totals      // guarded by mu
	order  eviction[C] // guarded by mu
	news   news        // its ring is guarded by mu
	// shared is what templates have in common that were compiled to the same;
	// guarded by mu.
	shared map[C]*sharedPart
	// families are by the key of their domain 0, without those that are in an account;
	// guarded by mu.
	families map[Key]*family
	// accounts is what each address has; guarded by mu.
	accounts map[[16]byte]*account[C]
	// neighbours are by their key without port, with PortsAuto; guarded by mu.
	neighbours map[Key]*neighbours[C]
	shares     []Key // see Shares; guarded by mu
}

// ledger is what the sampling rates of all domains count in their store.
type ledger struct {
	seed        maphash.Seed // the store's
	maxSamplers int64
	samplerMul  uint64 // spreads sampler ids over the tables of the domains
	// changes counts what a saved copy would have to follow.
	changes  atomic.Uint64
	samplers atomic.Int64 // entries of all domains
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
	// Split counts the domains of which two ports were found to send at one time, and
	// TakenOver the templates that a port took over from others, with PortsAuto.
	Split, TakenOver uint64
}

// table is an open-addressed hash table. Its slots are empty, taken, or hold
// the tombstone of a domain that was removed, which keeps a reader's probe
// going. A domain never moves within a table. A reader that misses an entry
// written meanwhile takes the locked path, which looks again.
//
// Looking a domain up, making and removing one cost O(1). The table is copied
// when half of it is taken, by tombstones too, and the copy is a quarter full at
// most: as many domains that were made paid for that.
type table[C comparable] struct {
	mask  uint64
	slots []atomic.Pointer[Domain[C]]
}

// NewStore returns an empty store. compile is called once for each template
// that is published, with the store's lock held; its result becomes
// Template.Compiled. It may be nil.
func NewStore[C comparable](limits Limits, compile func(*Template[C]) C) *Store[C] {
	if compile == nil {
		compile = func(*Template[C]) (none C) { return none }
	}
	def := DefaultLimits()
	limits.Bytes = cmp.Or(limits.Bytes, def.Bytes)
	limits.Samplers = cmp.Or(limits.Samplers, def.Samplers)
	s := &Store[C]{
		limits: limits, compile: compile, tomb: &Domain[C]{}, shared: map[C]*sharedPart{}, families: map[Key]*family{},
		accounts: map[[16]byte]*account[C]{}, neighbours: map[Key]*neighbours[C]{},
	}
	s.seed = maphash.MakeSeed()
	s.ledger.seed = s.seed
	// Near the golden ratio, for neighbouring ids to lie apart; the low bits
	// are random, for chosen ones.
	s.mul = 0x9e3779b1 ^ uint32(maphash.String(s.seed, "template ids"))&0xfffffe
	s.maxSamplers = int64(limits.Samplers)
	s.samplerMul = maphash.String(s.seed, "sampler ids") | 1
	s.table.Store(newTable[C](64))
	return s
}

// Limits returns the store's limits.
func (s *Store[C]) Limits() Limits { return s.limits }

// Totals returns what the store holds.
func (s *Store[C]) Totals() Totals {
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
func (s *Store[C]) Changes() uint64 { return s.changes.Load() }

// Released returns a number of bytes that grows by what is let go of: evicted,
// expired, withdrawn, replaced. Who remembers templates and domains of the store
// keeps their memory until it forgets them. It takes no lock.
func (s *Store[C]) Released() uint64 { return s.released.Load() }

func newTable[C comparable](size int) *table[C] {
	return &table[C]{mask: uint64(size - 1), slots: make([]atomic.Pointer[Domain[C]], size)}
}

func (s *Store[C]) hash(k *Key) uint64 { return maphash.Comparable(s.seed, *k) }

// find returns the domain of exactly the key k, or nil. It takes no lock.
func (s *Store[C]) find(k *Key) *Domain[C] { return s.table.Load().find(k, s.hash(k)) }

func (t *table[C]) find(k *Key, hash uint64) *Domain[C] {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		d := t.slots[i].Load()
		if d == nil || d.key == *k && d.store != nil {
			return d
		}
	}
}

// insert puts a domain that is not in the table into it, and reports whether
// that took an empty slot.
func (t *table[C]) insert(d *Domain[C], hash uint64) bool {
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
func (t *table[C]) remove(d, tomb *Domain[C], hash uint64) {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		if t.slots[i].Load() == d {
			t.slots[i].Store(tomb)
			return
		}
	}
}

// each calls f for every domain of the table.
func (t *table[C]) each(f func(*Domain[C])) {
	for i := range t.slots {
		if d := t.slots[i].Load(); d != nil && d.store != nil {
			f(d)
		}
	}
}

// make returns the domain of exactly the key k, which it makes if there is
// none; nil when there is no room for one more. It evicts others than keep, which may be
// nil. The store is locked.
func (s *Store[C]) make(k *Key, keep *Domain[C], nowNs int64) *Domain[C] {
	hash := s.hash(k)
	if d := s.table.Load().find(k, hash); d != nil {
		return d
	}
	if !s.room(domainCost, keep, &k.Exporter, 1, nowNs) {
		return nil
	}
	for s.totals.Domains >= s.limits.Domains {
		if !s.evict(nowNs, keep, &k.Exporter, 1, 0) {
			return nil
		}
	}
	t := s.table.Load()
	if 2*(s.taken+1) > len(t.slots) {
		t = s.rebuild(t)
	}
	d := &Domain[C]{store: s, key: *k}
	d.first = idTableOf(d.firstSlots[:], s.mul)
	d.ids.Store(&d.first)
	d.sampling.store = &s.ledger
	s.open(d) // before anyone finds it
	s.join(d)
	s.approach(d, nowNs)
	if t.insert(d, hash) {
		s.taken++
	}
	s.totals.Domains++
	s.totals.Bytes += domainCost
	s.order.add(d)
	s.changes.Add(1)
	return d
}

// rebuild makes a table without tombstones, at most a quarter full.
func (s *Store[C]) rebuild(old *table[C]) *table[C] {
	size := 64
	for size < 4*(s.totals.Domains+1) {
		size *= 2
	}
	t := newTable[C](size)
	s.taken = 0
	old.each(func(d *Domain[C]) {
		t.insert(d, s.hash(&d.key))
		s.taken++
	})
	s.table.Store(t)
	return t
}

// drop takes a domain out of the store. The store is locked.
func (s *Store[C]) drop(d *Domain[C]) {
	s.table.Load().remove(d, s.tomb, s.hash(&d.key))
	d.gone = true
	s.order.remove(d)
	s.settle(d)
	s.depart(d)
	for i := range d.kinds {
		for t := d.kinds[i].first; t != nil; {
			s.letGo(t)
			next := t.next
			t.prev, t.next = nil, nil // a reader that holds t holds no other by it
			t = next
		}
		d.kinds[i].first, d.kinds[i].last = nil, nil
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
func (s *Store[C]) Each(f func(*Domain[C])) { s.table.Load().each(f) }

// Domains returns all domains in the order of their keys. The list is a
// snapshot; the domains are live.
func (s *Store[C]) Domains() []*Domain[C] { return s.DomainsIf(func(*Domain[C]) bool { return true }) }

// DomainsIf is like Domains, with those for which keep returns true.
func (s *Store[C]) DomainsIf(keep func(*Domain[C]) bool) []*Domain[C] {
	var all []*Domain[C]
	s.Each(func(d *Domain[C]) {
		if keep(d) {
			all = append(all, d)
		}
	})
	slices.SortFunc(all, func(a, b *Domain[C]) int {
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
