package template

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// maxSamplers bounds the sampler ids that one domain can make the store hold.
const maxSamplers = 1024

// Sampling holds what one domain announced by options data for all its
// records: sampling rates, and when the exporter booted. A rate of N says that
// one packet of N was sampled; 0 is unknown. Where a domain has none, those of the
// exporter's domain 0 hold, or of its only domain that has some. All is read by all workers
// without a lock, and written rarely.
type Sampling struct {
	store  *ledger // nil: of no store, and without its limit
	family *family // nil: of no store
	zero   bool    // of domain 0
	left   bool    // the family; guarded by its mu

	rate   atomic.Uint64 // the last rate announced for the whole domain
	common atomic.Uint64 // that of all samplers; 0 if they have several
	bootMs atomic.Uint64
	// announced: there is a rate of any scope; scoped: there is one of an interface,
	// line card or template.
	announced, scoped atomic.Bool

	address *atomic.Int64 // entries of all domains of its address; nil: of no store

	mu       sync.Mutex // serializes the making of entries
	closed   bool       // no more entries; guarded by mu
	used     int        // entries; guarded by mu
	agreed   agreed     // guarded by mu
	partial  bool       // there was no room for a sampler; guarded by mu
	samplers atomic.Pointer[samplerTable]
}

// samplerTable is an open-addressed hash table of rates by sampler. Entries stay
// where they are, and a rate changes in place: readers need no lock.
//
// A look-up, a change and a new entry cost O(1); the table is copied when it is
// full, for which as many entries paid.
type samplerTable struct {
	shift uint8  // 64 less the bits of an index
	mul   uint64 // odd, and unknown to those who choose the ids
	slots []samplerSlot
}

// samplerSlot is a slot of a samplerTable. A writer stores id before rate.
type samplerSlot struct {
	rate atomic.Uint64 // 0 while the slot is empty
	id   atomic.Uint64
}

// minSamplers is the number of slots that a table begins with: most domains have
// one sampler or two.
const minSamplers = 4

func newSamplerTable(size int, mul uint64) *samplerTable {
	return &samplerTable{shift: uint8(64 - bits.Len(uint(size-1))), mul: mul, slots: make([]samplerSlot, size)}
}

// find returns the slot of a sampler, or the empty one that it would take, and
// its rate, 0 if it is not there.
func (t *samplerTable) find(id uint64) (s *samplerSlot, rate uint64) {
	mask := uint64(len(t.slots) - 1)
	for i := id * t.mul >> t.shift; ; i++ {
		s := &t.slots[i&mask]
		rate := s.rate.Load()
		if rate == 0 || s.id.Load() == id {
			return s, rate
		}
	}
}

// Rate returns the rate of records that name no sampler, 0 if it is not known: the
// domain's, else the one that all samplers have that were announced.
func (s *Sampling) Rate() uint64 {
	if r := s.Whole(); r != 0 {
		return r
	}
	if r := s.common.Load(); r != 0 {
		return r
	}
	if o := s.other(); o != nil {
		return o.common.Load()
	}
	return 0
}

// Whole returns the rate that was announced for the domain as a whole, 0 if none was.
func (s *Sampling) Whole() uint64 {
	if r := s.rate.Load(); r != 0 {
		return r
	}
	if o := s.other(); o != nil {
		return o.rate.Load()
	}
	return 0
}

// Own returns the rate that the domain itself has announced as a whole, 0 for none.
func (s *Sampling) Own() uint64 { return s.rate.Load() }

// OwnScope returns the rate that the domain itself has announced for id in a scope, 0 for
// none.
func (s *Sampling) OwnScope(scope Scope, id uint64) uint64 { return s.entry(scope.entry(id)) }

// other returns what serves a domain that has announced no rate; nil for one that has,
// or if nothing does.
func (s *Sampling) other() *Sampling {
	if s.announced.Load() {
		return nil
	}
	if s.family != nil {
		if o := s.family.serves.Load(); o != nil {
			return o
		}
	}
	return nil
}

// Scoped tells whether a record's rate may depend on its interface, line card or
// template.
func (s *Sampling) Scoped() bool {
	if s.scoped.Load() {
		return true
	}
	o := s.other()
	return o != nil && o.scoped.Load()
}

// BootMs returns when the exporter booted, in Unix milliseconds
// (systemInitTimeMilliseconds, IE 160), 0 if it did not say.
func (s *Sampling) BootMs() uint64 { return s.bootMs.Load() }

// SetBoot notes when the exporter booted, in Unix milliseconds.
func (s *Sampling) SetBoot(ms uint64) { s.set(&s.bootMs, ms) }

// SamplerRate returns the rate of one sampler (IE 48 or 302), 0 if none was
// announced for it.
func (s *Sampling) SamplerRate(id uint64) uint64 { return s.ScopeRate(ScopeSampler, id) }

// ScopeRate returns the rate that was announced for id in a scope, 0 for none.
func (s *Sampling) ScopeRate(scope Scope, id uint64) uint64 {
	entry := scope.entry(id)
	if r := s.entry(entry); r != 0 {
		return r
	}
	if o := s.other(); o != nil {
		return o.entry(entry)
	}
	return 0
}

// SequenceRate returns the rate of a selection sequence (IE 301), 0 if it is not known:
// what was announced for it, else for its selector.
func (s *Sampling) SequenceRate(id uint64) uint64 {
	if r := s.ScopeRate(ScopeSequence, id); r != 0 {
		return r
	}
	if selector := s.ScopeRate(ScopeSelector, id); selector != 0 {
		return s.SamplerRate(selector - 1)
	}
	return 0
}

// entry returns the rate of an entry of the domain's own.
func (s *Sampling) entry(id uint64) uint64 {
	if t := s.samplers.Load(); t != nil {
		_, rate := t.find(id)
		return rate
	}
	return 0
}

// Set notes the domain's rate.
func (s *Sampling) Set(rate uint64) {
	s.set(&s.rate, rate)
	if rate != 0 {
		s.announce()
	}
}

// announce notes that the domain has announced a rate.
func (s *Sampling) announce() {
	if s.announced.Load() {
		return
	}
	s.announced.Store(true)
	if s.family != nil {
		s.family.announce(s)
	}
	s.changed()
}

// set leaves the cache line alone when nothing changes.
func (s *Sampling) set(v *atomic.Uint64, n uint64) {
	if v.Load() != n {
		v.Store(n)
		s.changed()
	}
}

func (s *Sampling) changed() {
	if s.store != nil {
		s.store.changes.Add(1)
	}
}

// SetScope notes the rate of id in a scope, as SetSampler does; in ScopeSelector, the
// number and 1 of the selector.
func (s *Sampling) SetScope(scope Scope, id, rate uint64) bool {
	return s.SetSampler(scope.entry(id), rate)
}

// SetSampler notes the rate of one sampler, or of an entry of EachSampler, where 0 notes
// nothing. It reports false, and stores nothing, once the domain has announced more
// samplers than a domain may, or the domains of its address more than an eighth of
// those that the store has room for yet. Then records that name no sampler have
// no rate of a sampler or another domain: it could be a wrong one.
func (s *Sampling) SetSampler(id, rate uint64) bool {
	t := s.samplers.Load()
	if rate == 0 {
		return true
	}
	if t != nil {
		if _, have := t.find(id); have == rate {
			return true
		}
	}
	have := s.put(id, rate)
	s.announce()
	return have
}

// put is SetSampler of what is not there yet.
func (s *Sampling) put(id, rate uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.samplers.Load()
	if t != nil { // another worker may have been first
		if slot, have := t.find(id); have != 0 {
			s.set(&slot.rate, rate)
			s.agree(id, have, rate)
			return true
		}
	}
	if s.used >= maxSamplers || s.closed || !s.reserve() {
		s.partial = true
		s.common.Store(0)
		return false
	}
	if t == nil || 4*(s.used+1) > 3*len(t.slots) {
		t = s.grow(t)
	}
	slot, _ := t.find(id)
	slot.id.Store(id)
	slot.rate.Store(rate)
	s.used++
	s.agree(id, 0, rate)
	s.changed()
	return true
}

// agree notes that an entry's rate was before and is rate now. s.mu is held.
func (s *Sampling) agree(entry, before, rate uint64) {
	switch scope, _ := ScopeOf(entry); scope {
	case ScopeInterface, ScopeLineCard, ScopeTemplate:
		s.scoped.Store(true)
	case ScopeSampler:
		if common := s.agreed.change(before, rate, s.number); !s.partial {
			s.common.Store(common)
		}
	}
}

// number returns a number for a rate that nobody on the network knows.
func (s *Sampling) number(rate uint64) uint64 {
	if s.store == nil {
		return maphash.Comparable(noStore, rate)
	}
	return maphash.Comparable(s.store.seed, rate)
}

// noStore is the seed of those of no store.
var noStore = maphash.MakeSeed()

// grow makes a table of twice the size. s.mu is held: no rate changes meanwhile.
func (s *Sampling) grow(old *samplerTable) *samplerTable {
	size, mul := minSamplers, uint64(0x9e3779b97f4a7c15)
	if s.store != nil {
		mul = s.store.samplerMul
	}
	if old != nil {
		size = 2 * len(old.slots)
	}
	t := newSamplerTable(size, mul)
	if old != nil {
		for i := range old.slots {
			if rate := old.slots[i].rate.Load(); rate != 0 {
				id := old.slots[i].id.Load()
				slot, _ := t.find(id)
				slot.id.Store(id)
				slot.rate.Store(rate)
			}
		}
	}
	s.samplers.Store(t)
	return t
}

// freeShare is the part of the free entries that an address may have, the reciprocal, and
// leastSamplers how many it may have in any case while there are free ones.
const freeShare, leastSamplers = 8, 16

// reserve takes one of the entries that the store may have. An address may have an
// eighth of what is free then: however many addresses take theirs, one that comes later
// finds room, and only a hundred of them leave it next to none.
func (s *Sampling) reserve() bool {
	if s.store == nil {
		return true
	}
	all, own := s.store.samplers.Add(1), s.address.Add(1)
	if free := s.store.maxSamplers - all; free < 0 || own-1 > max(free/freeShare, leastSamplers) {
		s.giveBack(1)
		return false
	}
	return true
}

// giveBack returns entries to the store.
func (s *Sampling) giveBack(n int) {
	s.store.samplers.Add(-int64(n))
	s.address.Add(-int64(n))
}

// close returns the entries to the store. The domain is not in it any more.
func (s *Sampling) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.giveBack(s.used)
}

// EachSampler calls f for each sampler of the domain's own, and for what else has a rate,
// in the order of their ids: see ScopeOf.
func (s *Sampling) EachSampler(f func(id, rate uint64)) {
	t := s.samplers.Load()
	if t == nil {
		return
	}
	list := make([]SavedSampler, 0, len(t.slots))
	for i := range t.slots {
		if rate := t.slots[i].rate.Load(); rate != 0 {
			list = append(list, SavedSampler{t.slots[i].id.Load(), rate})
		}
	}
	slices.SortFunc(list, func(a, b SavedSampler) int { return cmp.Compare(a.ID, b.ID) })
	for _, e := range list {
		f(e.ID, e.Rate)
	}
}
