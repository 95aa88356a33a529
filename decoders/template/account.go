package template

// account is what one address has in the store. It exists while the address has
// domains, so that there are no more accounts than domains. It is guarded by the
// store's lock, and each change of it costs O(1).
type account struct {
	bytes       int64 // of its domains, as Domain.bytes counts
	domains     int
	first, last *Domain  // of its domains, in a list through Domain.mates
	over        bool     // it has more than its share, and is in the list of those
	prev, next  *account // in that list
}

// mates is where a domain is in the list of its address.
type mates struct{ prev, next *Domain }

// addressShare is the part of the store's bytes and domains in which one address is
// protected: the reciprocal.
const addressShare = 8

// open counts a domain, which is new, to its address.
func (s *Store) open(d *Domain) {
	a := s.accounts[d.key.Exporter]
	if a == nil {
		a = &account{}
		s.accounts[d.key.Exporter] = a
	}
	d.account = a
	a.domains++
	a.append(d)
	s.weigh(a)
}

// settle takes a domain that is dropped off its address.
func (s *Store) settle(d *Domain) {
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
func (d *Domain) charge(bytes int64) {
	d.bytes += bytes
	d.account.bytes += bytes
	d.store.weigh(d.account)
}

// weigh notes whether an address has more than its share. Its first domain is free:
// what a domain may have is no more than the share.
func (s *Store) weigh(a *account) {
	over := a.domains > max(s.limits.Domains/addressShare, 1) ||
		a.bytes+domainCost*int64(a.domains-1) > s.limits.Bytes/addressShare
	if over == a.over {
		return
	}
	a.over = over
	if over {
		a.next = s.order.over
		if a.next != nil {
			a.next.prev = a
		}
		s.order.over = a
		return
	}
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		s.order.over = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	}
	a.prev, a.next = nil, nil
}

func (a *account) append(d *Domain) {
	d.mates = mates{prev: a.last}
	if a.last != nil {
		a.last.mates.next = d
	} else {
		a.first = d
	}
	a.last = d
}

func (a *account) unlink(d *Domain) {
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
	*m = mates{}
}

// leastOf returns the domain used least recently of the next few of an address, but not
// keep and none that others hang on; nil if there is none.
func (a *account) leastOf(keep *Domain) *Domain {
	var least *Domain
	for range min(candidates, a.domains) {
		d := a.first
		a.unlink(d)
		a.append(d)
		if d != keep && d.children == 0 && (least == nil || d.lastUse.Load() < least.lastUse.Load()) {
			least = d
		}
	}
	return least
}
