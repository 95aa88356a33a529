package template

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// maxSamplers bounds the sampler ids that one domain can make the store hold.
const maxSamplers = 1024

// Sampling holds what one domain announced by options data for all its
// records: sampling rates, and when the exporter booted. A rate of N says that
// one packet of N was sampled; 0 is unknown. A port's domain falls back to the values
// announced for its address. Where neither has any rate, that of the exporter's domain 0
// holds, or of its only domain that has one. All is read by all workers without a lock,
// and written rarely.
type Sampling struct {
	store  *Store    // nil: of no store, and without its limit
	parent *Sampling // of the domain without the port; nil for none
	family *family   // nil: of no store
	zero   bool      // of domain 0
	left   bool      // the family; guarded by its mu

	rate   atomic.Uint64 // the last rate announced for the whole domain
	common atomic.Uint64 // that of all samplers; 0 if they have several
	bootMs atomic.Uint64
	// announced: there is a rate of any scope; scoped: there is one of an interface,
	// line card or template.
	announced, scoped atomic.Bool

	mu       sync.Mutex // serializes the making of entries
	closed   bool       // no more entries; guarded by mu
	used     int        // entries; guarded by mu
	agreed   agreed     // guarded by mu
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
	for d := s; d != nil; d = d.parent {
		if r := d.common.Load(); r != 0 {
			return r
		}
	}
	if o := s.other(); o != nil {
		return o.common.Load()
	}
	return 0
}

// Whole returns the rate that was announced for the domain as a whole, 0 if none was.
func (s *Sampling) Whole() uint64 {
	for d := s; d != nil; d = d.parent {
		if r := d.rate.Load(); r != 0 {
			return r
		}
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
	for d := s; d != nil; d = d.parent {
		if d.announced.Load() {
			return nil
		}
	}
	for d := s; d != nil; d = d.parent {
		if d.family != nil {
			if o := d.family.serves.Load(); o != nil {
				return o
			}
		}
	}
	return nil
}

// Scoped tells whether a record's rate may depend on its interface, line card or
// template.
func (s *Sampling) Scoped() bool {
	for d := s; d != nil; d = d.parent {
		if d.scoped.Load() {
			return true
		}
	}
	o := s.other()
	return o != nil && o.scoped.Load()
}

// BootMs returns when the exporter booted, in Unix milliseconds
// (systemInitTimeMilliseconds, IE 160), 0 if it did not say.
func (s *Sampling) BootMs() uint64 {
	if ms := s.bootMs.Load(); ms != 0 || s.parent == nil {
		return ms
	}
	return s.parent.BootMs()
}

// SetBoot notes when the exporter booted, in Unix milliseconds.
func (s *Sampling) SetBoot(ms uint64) { s.set(&s.bootMs, ms) }

// SamplerRate returns the rate of one sampler (IE 48 or 302), 0 if none was
// announced for it.
func (s *Sampling) SamplerRate(id uint64) uint64 { return s.ScopeRate(ScopeSampler, id) }

// ScopeRate returns the rate that was announced for id in a scope, 0 for none.
func (s *Sampling) ScopeRate(scope Scope, id uint64) uint64 {
	entry := scope.entry(id)
	for d := s; d != nil; d = d.parent {
		if r := d.entry(entry); r != 0 {
			return r
		}
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
// samplers than a domain may, or all domains together more than the store's limit.
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
	if !s.put(id, rate) {
		return false
	}
	s.announce()
	return true
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
		s.agreed.change(before, rate, s.count)
		s.common.Store(s.agreed.common())
	}
}

// count returns how many samplers have a rate. s.mu is held.
func (s *Sampling) count(rate uint64) (n int) {
	t := s.samplers.Load()
	for i := range t.slots {
		if t.slots[i].rate.Load() != rate {
			continue
		}
		if scope, _ := ScopeOf(t.slots[i].id.Load()); scope == ScopeSampler {
			n++
		}
	}
	return n
}

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

// reserve takes one of the entries that the store may have.
func (s *Sampling) reserve() bool {
	if s.store == nil {
		return true
	}
	if s.store.samplers.Add(1) > int64(s.store.limits.Samplers) {
		s.store.samplers.Add(-1)
		return false
	}
	return true
}

// close returns the entries to the store. The domain is not in it any more.
func (s *Sampling) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.store.samplers.Add(-int64(s.used))
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
