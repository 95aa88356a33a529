package template

import (
	"maps"
	"sync"
	"sync/atomic"
)

// maxSamplers bounds the sampler ids that one domain can make the store hold.
const maxSamplers = 1024

// Sampling holds the sampling rates that one domain announced by options
// data. A rate of N says that one packet of N was sampled; 0 is unknown. Rates
// are read by all workers without a lock, and written rarely.
type Sampling struct {
	rate atomic.Uint64 // the last rate announced, whatever its sampler

	mu      sync.Mutex // serializes writers of samplers
	sampler atomic.Pointer[map[uint64]uint64]
}

// Rate returns the domain's rate, 0 if none was announced.
func (s *Sampling) Rate() uint64 { return s.rate.Load() }

// SamplerRate returns the rate of one sampler (IE 48 or 302), 0 if none was
// announced for it.
func (s *Sampling) SamplerRate(id uint64) uint64 {
	if m := s.sampler.Load(); m != nil {
		return (*m)[id]
	}
	return 0
}

// Set notes the domain's rate.
func (s *Sampling) Set(rate uint64) {
	if s.rate.Load() != rate {
		s.rate.Store(rate)
	}
}

// SetSampler notes the rate of one sampler. It reports false, and stores
// nothing, once the domain has announced more samplers than a domain may.
func (s *Sampling) SetSampler(id, rate uint64) bool {
	if s.SamplerRate(id) == rate {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[uint64]uint64{}
	if m := s.sampler.Load(); m != nil {
		if _, known := (*m)[id]; !known && len(*m) >= maxSamplers {
			return false
		}
		next = maps.Clone(*m)
	}
	next[id] = rate
	s.sampler.Store(&next)
	return true
}
