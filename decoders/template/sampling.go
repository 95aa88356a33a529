package template

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// maxSamplers bounds the sampler ids that one domain can make the store hold.
const maxSamplers = 1024

// Sampling holds what one domain announced by options data for all its
// records: sampling rates, and when the exporter booted. A rate of N says that
// one packet of N was sampled; 0 is unknown. All is read by all workers without
// a lock, and written rarely.
type Sampling struct {
	store *Store // nil: of no store, and without its limit

	rate   atomic.Uint64 // the last rate announced, whatever its sampler
	bootMs atomic.Uint64

	mu     sync.Mutex // serializes the making of entries
	closed bool       // no more entries; guarded by mu
	// samplers, in the order of their ids, is replaced to add one; a rate changes in
	// place. Most domains have one or two: that is faster than a map.
	samplers atomic.Pointer[[]sampler]
}

// sampler is one of a domain.
type sampler struct {
	id   uint64
	rate *atomic.Uint64
}

// find returns the place of a sampler, and whether it is there.
func (s *Sampling) find(id uint64) (list []sampler, at int, ok bool) {
	if p := s.samplers.Load(); p != nil {
		list = *p
	}
	if len(list) > 0 && list[0].id == id { // often
		return list, 0, true
	}
	at, ok = slices.BinarySearchFunc(list, id, func(e sampler, id uint64) int { return cmp.Compare(e.id, id) })
	return list, at, ok
}

// Rate returns the domain's rate, 0 if none was announced.
func (s *Sampling) Rate() uint64 { return s.rate.Load() }

// BootMs returns when the exporter booted, in Unix milliseconds
// (systemInitTimeMilliseconds, IE 160), 0 if it did not say.
func (s *Sampling) BootMs() uint64 { return s.bootMs.Load() }

// SetBoot notes when the exporter booted, in Unix milliseconds.
func (s *Sampling) SetBoot(ms uint64) { s.set(&s.bootMs, ms) }

// SamplerRate returns the rate of one sampler (IE 48 or 302), 0 if none was
// announced for it.
func (s *Sampling) SamplerRate(id uint64) uint64 {
	if list, at, ok := s.find(id); ok {
		return list[at].rate.Load()
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

// SetSampler notes the rate of one sampler. It reports false, and stores
// nothing, once the domain has announced more samplers than a domain may, or all
// domains together more than the store's limit.
func (s *Sampling) SetSampler(id, rate uint64) bool {
	list, at, ok := s.find(id)
	if !ok {
		if len(list) >= maxSamplers {
			return false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		list, at, ok = s.find(id) // another worker may have been first
	}
	if ok {
		s.set(list[at].rate, rate)
		return true
	}
	if len(list) >= maxSamplers || s.closed || !s.reserve() {
		return false
	}
	e := sampler{id, new(atomic.Uint64)}
	e.rate.Store(rate)
	next := slices.Insert(slices.Clone(list), at, e)
	s.samplers.Store(&next)
	s.changed()
	return true
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

// close gives the entries back to the store. The domain is not in it any more.
func (s *Sampling) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if list := s.samplers.Load(); list != nil {
		s.store.samplers.Add(-int64(len(*list)))
	}
}

// copy takes over what another domain announced, as far as there is room.
func (s *Sampling) copy(from *Sampling) {
	s.rate.Store(from.rate.Load())
	s.bootMs.Store(from.bootMs.Load())
	from.EachSampler(func(id, rate uint64) { s.SetSampler(id, rate) })
}

// EachSampler calls f for each sampler in the order of their ids.
func (s *Sampling) EachSampler(f func(id, rate uint64)) {
	list := s.samplers.Load()
	if list == nil {
		return
	}
	for _, e := range *list {
		f(e.id, e.rate.Load())
	}
}
