package template

import (
	"math/bits"
	"sync/atomic"
)

// account is what one address has in the store. It exists while the address has
// domains, so that there are no more accounts than domains. It is guarded by the
// store's lock, and each change of it costs O(1).
type account[C comparable] struct {
	heard       heard // read and written without a lock
	shared      bool  // two of its ports were seen to send at one time
	bytes       int64 // of its domains, as Domain.bytes counts
	domains     int
	first, last *Domain[C]   // of its domains, in a list through Domain.mates
	samplers    atomic.Int64 // entries of its domains; not guarded
	level       int          // how much it has: see levelOf
	prev, next  *account[C]  // among those of the level, if that is not protected

	// family is the one of the domain that the account was made for, of familyKey: most
	// addresses have no other.
	family    family
	familyKey Key
}

// mates is where a domain is in the list of its address.
type mates[C comparable] struct{ prev, next *Domain[C] }

// open counts a domain, which is new, to its address.
func (s *Store[C]) open(d *Domain[C]) {
	a := s.accounts[d.key.Exporter]
	if a == nil {
		a = &account[C]{familyKey: d.key}
		a.familyKey.Domain = 0
		s.accounts[d.key.Exporter] = a
	}
	d.account = a
	d.sampling.address = &a.samplers
	a.domains++
	a.append(d)
	s.weigh(a)
}

// settle takes a domain that is dropped off its address.
func (s *Store[C]) settle(d *Domain[C]) {
	a := d.account
	a.unlink(d)
	a.domains--
	a.bytes -= d.bytes
	s.weigh(a)
	if a.domains == 0 {
		delete(s.accounts, d.key.Exporter)
	}
}

// charge adds bytes to those of the domain, which is in the store, and of its address.
func (d *Domain[C]) charge(bytes int64) {
	d.bytes += bytes
	d.account.bytes += bytes
	d.store.weigh(d.account)
}

// weigh notes how much an address has.
func (s *Store[C]) weigh(a *account[C]) {
	level := s.levelOf(a.domains, a.bytes)
	if level == a.level {
		return
	}
	if a.level > protectedLevel {
		s.order.levels[a.level].remove(a)
	}
	if a.level = level; level > protectedLevel {
		s.order.levels[level].add(a)
	}
}

const (
	// levels are powers of two of the part of the store's domains or bytes that an
	// address has, in 2^-20: level n is more than 2^(n-1) of them.
	levels = 22
	// protectedLevel is the highest at which an address keeps what is in use whoever
	// else comes: up to a 256th of the store.
	protectedLevel = 12
	// payingLevel is the least at which an address makes room for itself by its own
	// domains before those of others that are not in use for long: more than a 64th.
	payingLevel = 15
	// overLevel is the least at which an address makes room for others: more than an
	// eighth. One domain has no more.
	overLevel = 18
)

// levelOf returns the level of an address with so many domains, and bytes of their
// templates.
func (s *Store[C]) levelOf(domains int, bytes int64) int {
	bytes += domainCost * int64(max(domains-1, 0))
	part := max(uint64(domains)<<20/uint64(max(s.limits.Domains, 1)), uint64(max(bytes, 0))<<20/uint64(s.limits.Bytes), 1)
	return min(bits.Len64(part-1), levels-1)
}

// level is the list of the addresses of a level. Those that are protected are in none.
type level[C comparable] struct{ first *account[C] }

func (l *level[C]) add(a *account[C]) {
	a.prev, a.next = nil, l.first
	if l.first != nil {
		l.first.prev = a
	}
	l.first = a
}

func (l *level[C]) remove(a *account[C]) {
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		l.first = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	}
	a.prev, a.next = nil, nil
}

// heaviest returns an address of those that have most; nil where all are protected.
func (e *eviction[C]) heaviest() *account[C] {
	for i := range e.levels {
		if a := e.levels[levels-1-i].first; a != nil {
			return a
		}
	}
	return nil
}

func (a *account[C]) append(d *Domain[C]) {
	d.mates = mates[C]{prev: a.last}
	if a.last != nil {
		a.last.mates.next = d
	} else {
		a.first = d
	}
	a.last = d
}

func (a *account[C]) unlink(d *Domain[C]) {
	m := &d.mates
	if m.prev != nil {
		m.prev.mates.next = m.next
	} else {
		a.first = m.next
	}
	if m.next != nil {
		m.next.mates.prev = m.prev
	} else {
		a.last = m.prev
	}
	*m = mates[C]{}
}

// leastOf returns the domain of least use of the next few of an address, but not keep;
// nil if there is none. One that was in use for long is of more use than one that was not:
// many ports or domains of a moment do not push out the one that sends all the time.
func (a *account[C]) leastOf(nowNs int64, keep *Domain[C]) *Domain[C] {
	var least *Domain[C]
	for range min(candidates, a.domains) {
		d := a.first
		a.unlink(d)
		a.append(d)
		if d != keep && (least == nil || d.lessThan(least, nowNs)) {
			least = d
		}
	}
	return least
}

// lessThan reports whether a domain is of less use than another of its address.
func (d *Domain[C]) lessThan(o *Domain[C], nowNs int64) bool {
	if mine, its := d.inUse(nowNs), o.inUse(nowNs); mine != its {
		return its
	}
	return d.lastUse.Load() < o.lastUse.Load()
}
