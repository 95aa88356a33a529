package template

import (
	"maps"
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
	rate   atomic.Uint64 // the last rate announced, whatever its sampler
	bootMs atomic.Uint64

	mu sync.Mutex // serializes the making of entries
	// rates is replaced to add an entry; an entry's rate changes in place.
	rates atomic.Pointer[map[uint64]*atomic.Uint64]
}

// Rate returns the domain's rate, 0 if none was announced.
func (s *Sampling) Rate() uint64 { return s.rate.Load() }

// BootMs returns when the exporter booted, in Unix milliseconds
// (systemInitTimeMilliseconds, IE 160), 0 if it did not say.
func (s *Sampling) BootMs() uint64 { return s.bootMs.Load() }

// SetBoot notes when the exporter booted, in Unix milliseconds.
func (s *Sampling) SetBoot(ms uint64) { set(&s.bootMs, ms) }

// SamplerRate returns the rate of one sampler (IE 48 or 302), 0 if none was
// announced for it.
func (s *Sampling) SamplerRate(id uint64) uint64 {
	if m := s.rates.Load(); m != nil {
		if rate := (*m)[id]; rate != nil {
			return rate.Load()
		}
	}
	return 0
}

// Set notes the domain's rate.
func (s *Sampling) Set(rate uint64) { set(&s.rate, rate) }

// set leaves the cache line alone when nothing changes.
func set(v *atomic.Uint64, n uint64) {
	if v.Load() != n {
		v.Store(n)
	}
}

// SetSampler notes the rate of one sampler. It reports false, and stores
// nothing, once the domain has announced more samplers than a domain may.
func (s *Sampling) SetSampler(id, rate uint64) bool {
	if m := s.rates.Load(); m != nil {
		if known := (*m)[id]; known != nil {
			set(known, rate)
			return true
		}
		if len(*m) >= maxSamplers {
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[uint64]*atomic.Uint64{}
	if m := s.rates.Load(); m != nil {
		if known := (*m)[id]; known != nil { // another worker was first
			set(known, rate)
			return true
		}
		if len(*m) >= maxSamplers {
			return false
		}
		next = maps.Clone(*m)
	}
	next[id] = new(atomic.Uint64)
	next[id].Store(rate)
	s.rates.Store(&next)
	return true
}
