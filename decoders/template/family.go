package template

import (
	"sync"
	"sync/atomic"
)

// family is the domains of an exporter, port included where ports are told apart, that
// serve each other with sampling rates: a table in domain 0 is that of the exporter as a
// whole (RFC 7011 section 3.1), and so is the table of the only domain that has one.
type family struct {
	domains int // of the store; guarded by the store's lock

	serves atomic.Pointer[Sampling] // for those that have no table; nil for none

	mu     sync.Mutex
	zero   *Sampling // of domain 0, if that has a table; guarded by mu
	tables map[*Sampling]struct{}
}

// join makes a domain, which has an account, one of its family. The store is locked.
func (s *Store[C]) join(d *Domain[C]) {
	k := d.key
	k.Domain = 0
	f := &d.account.family
	if d.account.familyKey != k {
		if f = s.families[k]; f == nil {
			f = &family{}
			s.families[k] = f
		}
	}
	f.domains++
	d.sampling.family, d.sampling.zero = f, d.key.Domain == 0
}

// leave takes a domain out of its family. The store is locked.
func (s *Store[C]) leave(d *Domain[C]) {
	f := d.sampling.family
	f.mu.Lock()
	d.sampling.left = true
	delete(f.tables, &d.sampling)
	if f.zero == &d.sampling {
		f.zero = nil
	}
	f.choose()
	f.mu.Unlock()
	if f.domains--; f.domains == 0 && f != &d.account.family {
		k := d.key
		k.Domain = 0
		delete(s.families, k)
	}
}

// announce notes that s has a table.
func (f *family) announce(s *Sampling) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.left {
		return
	}
	if f.tables == nil {
		f.tables = map[*Sampling]struct{}{}
	}
	f.tables[s] = struct{}{}
	if s.zero {
		f.zero = s
	}
	f.choose()
}

// choose finds the table that serves the others. f.mu is held.
func (f *family) choose() {
	serves := f.zero
	if serves == nil && len(f.tables) == 1 {
		for s := range f.tables {
			serves = s
		}
	}
	f.serves.Store(serves)
}
