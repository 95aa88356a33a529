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
// announced for its address. All is read by all workers without a lock,
// and written rarely.
type Sampling struct {
	store  *Store    // nil: of no store, and without its limit
	parent *Sampling // of the domain without the port; nil for none

	rate   atomic.Uint64 // the last rate announced, whatever its sampler
	bootMs atomic.Uint64

	mu       sync.Mutex // serializes the making of entries
	closed   bool       // no more entries; guarded by mu
	used     int        // entries; guarded by mu
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

// Rate returns the domain's rate, 0 if none was announced.
func (s *Sampling) Rate() uint64 {
	if r := s.rate.Load(); r != 0 || s.parent == nil {
		return r
	}
	return s.parent.Rate()
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
func (s *Sampling) SamplerRate(id uint64) uint64 {
	if t := s.samplers.Load(); t != nil {
		if _, rate := t.find(id); rate != 0 {
			return rate
		}
	}
	if s.parent != nil {
		return s.parent.SamplerRate(id)
	}
	return 0
}

// Set notes the domain's rate.
func (s *Sampling) Set(rate uint64) { s.set(&s.rate, rate) }

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

// SetSampler notes the rate of one sampler, where 0 notes nothing. It reports false, and
// stores nothing, once the domain has announced more samplers than a domain may,
// or all domains together more than the store's limit.
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if t = s.samplers.Load(); t != nil { // another worker may have been first
		if slot, have := t.find(id); have != 0 {
			s.set(&slot.rate, rate)
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
	s.changed()
	return true
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

// EachSampler calls f for each sampler of the domain's own in the order of their
// ids.
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
