package template

// Which domain makes room when the store is full: anyone can forge sources, and
// those that are of use must not pay for it.
//
//  1. One that never decoded a data set, the one made first. Forged
//     announcements push each other out.
//  2. One of the address that has most, if that is more than an eighth of the store's
//     bytes, or domains, however it is used; of a few the one used least recently, but
//     one that is in use for longer than two minutes only if all of them are.
//  3. One of the address that needs the room, if it has more than a 64th of either: those
//     that have much pay for more themselves.
//  4. One that did, but for less than a second; then for less than ten seconds;
//     then for less than two minutes; of each the one used least recently of a few, of
//     another address than the one that needs the room. Forged sources come once.
//  5. One that did for longer, and was not used for an hour.
//  6. One of the address that has most, if it has more than a 256th of either, and
//     at least twice as much as the address that needs the room. So a few hundred
//     addresses cannot keep others out by filling the store.
//  7. One as in 4 and 5, of the address that needs the room.
//
// All other domains in use for longer than two minutes are never evicted: the newcomer
// is refused.
const (
	second      = int64(1e9) // in nanoseconds
	established = 120 * second
	kept        = 3600 * second
	// inUseStanding is the standing of those that are left alone while they are
	// used.
	inUseStanding = 3
	// candidates is how many domains are looked at to find one that was not used for
	// long, and maxInUse how many of those that were in use for long.
	candidates, maxInUse = 8, 32
)

// standing returns how well a domain's use is known, inUseStanding at most.
func (d *Domain[C]) standing() int {
	switch span := d.lastUse.Load() - d.firstUse.Load(); {
	case span < second:
		return 0
	case span < 10*second:
		return 1
	case span < established:
		return 2
	}
	return inUseStanding
}

// eviction has the domains in the order in which they are to be evicted. It is
// guarded by the store's lock.
//
// Making a domain, dropping one and finding the one to evict cost O(1). Using one
// takes no lock and moves nothing, so that a domain may stand in a queue that it no
// longer belongs to: it is moved when it is found there, at most once for each
// standing that it rose to.
type eviction[C comparable] struct {
	// Never used ones come first, in the order in which they were made; then
	// the others by standing.
	queues [2 + inUseStanding]queue[C]
	levels [levels]level[C] // the addresses by how much they have
}

// queue is a list of domains through Domain.place.
type queue[C comparable] struct{ first, last *Domain[C] }

// place is where a domain is in the order of eviction.
type place[C comparable] struct {
	in         *queue[C] // nil for none
	prev, next *Domain[C]
}

// queueOf returns the queue that a domain belongs to.
func (e *eviction[C]) queueOf(d *Domain[C]) *queue[C] {
	if d.lastUse.Load() == 0 {
		return &e.queues[0]
	}
	return &e.queues[1+d.standing()]
}

// add puts a domain, which is in no queue, at the end of the one that it belongs to.
func (e *eviction[C]) add(d *Domain[C]) {
	q := e.queueOf(d)
	d.place = place[C]{in: q, prev: q.last}
	if q.last != nil {
		q.last.place.next = d
	} else {
		q.first = d
	}
	q.last = d
}

// remove takes a domain out of its queue, if it is in one.
func (e *eviction[C]) remove(d *Domain[C]) {
	p := &d.place
	if p.in == nil {
		return
	}
	if p.prev != nil {
		p.prev.place.next = p.next
	} else {
		p.in.first = p.next
	}
	if p.next != nil {
		p.next.place.prev = p.prev
	} else {
		p.in.last = p.prev
	}
	d.place = place[C]{}
}

// again puts a domain where it belongs now.
func (e *eviction[C]) again(d *Domain[C]) {
	e.remove(d)
	e.add(d)
}

// maxMoves is how many domains tidy moves while it holds the lock.
const maxMoves = 64

// tidy moves domains from the front of the queues to where they belong, so that least
// finds one at once. After the store has filled, all may stand in the queue of those
// that were never used: the lock is released after each maxMoves. The store is not
// locked.
func (s *Store[C]) tidy() {
	for more := true; more; {
		s.mu.Lock()
		full := s.totals.Domains >= s.limits.Domains || s.totals.Bytes >= s.limits.Bytes/8*7
		more = full && !s.order.tidy(maxMoves)
		s.mu.Unlock()
	}
}

// tidy moves up to moves domains. It reports whether all queues begin with one that
// belongs there.
func (e *eviction[C]) tidy(moves int) bool {
	for i := range e.queues {
		q := &e.queues[i]
		for d := q.first; d != nil && e.misplaced(d); d = q.first {
			if moves == 0 {
				return false
			}
			moves--
			e.again(d)
		}
	}
	return true
}

// misplaced reports whether a domain is in another queue than it belongs to.
func (e *eviction[C]) misplaced(d *Domain[C]) bool { return e.queueOf(d) != d.place.in }

// least returns the domain that is of least use, but not keep, whose place stays the
// same. It returns nil if all are in use. level is that of the address that needs room,
// own its account; nil if it has none yet.
func (e *eviction[C]) least(nowNs int64, keep *Domain[C], level int, own *account[C]) *Domain[C] {
	for i := range e.queues {
		if d := e.leastOf(&e.queues[i], nowNs, keep, own); d != nil {
			return d
		}
		if i > 0 {
			continue
		}
		if a := e.heaviest(); a != nil && a.level >= overLevel && a.domains > 1 {
			if d := a.leastOf(nowNs, keep); d != nil {
				return d
			}
		}
		if own != nil && level >= payingLevel {
			if d := own.leastOf(nowNs, keep); d != nil {
				return d
			}
		}
	}
	if a := e.heaviest(); a != nil && a.level > max(level+1, protectedLevel) {
		return a.leastOf(nowNs, keep)
	}
	for i := 1; own != nil && i < len(e.queues); i++ {
		if d := e.leastOf(&e.queues[i], nowNs, keep, nil); d != nil {
			return d
		}
	}
	return nil
}

// leastOf returns the first of the domains that were never used, or the one used least
// recently of the next few of those that were and are not of the account spare, which may
// be nil; nil if there is none, or all of the few are in use.
func (e *eviction[C]) leastOf(q *queue[C], nowNs int64, keep *Domain[C], spare *account[C]) *Domain[C] {
	var first, least, next *Domain[C]
	looks := candidates
	if q == &e.queues[1+inUseStanding] {
		looks = maxInUse
	}
	for d := q.first; d != nil && d != first && looks > 0; d = next {
		next = d.place.next
		switch {
		case d == keep:
		case e.misplaced(d):
			e.again(d)
		case q == &e.queues[0]:
			return d
		default:
			if first == nil {
				first = d
			}
			looks--
			e.again(d)
			if !d.inUse(nowNs) && (spare == nil || d.account != spare) && (least == nil || d.lastUse.Load() < least.lastUse.Load()) {
				least = d
			}
		}
	}
	return least
}

// inUse says whether the domain must not be evicted.
func (d *Domain[C]) inUse(nowNs int64) bool {
	return d.standing() == inUseStanding && nowNs-d.lastUse.Load() < kept
}

// room evicts domains until cost more bytes fit for an address that is to have so many
// domains more, but not keep. The store is locked.
func (s *Store[C]) room(cost int64, keep *Domain[C], exporter *[16]byte, domains int, nowNs int64) bool {
	for s.totals.Bytes+cost > s.limits.Bytes {
		if !s.evict(nowNs, keep, exporter, domains, cost) {
			return false
		}
	}
	return true
}

// evict removes the domain that is of least use, but not keep, for an address that is to
// have more domains and bytes, and reports whether there was one. The store is locked.
func (s *Store[C]) evict(nowNs int64, keep *Domain[C], exporter *[16]byte, domains int, bytes int64) bool {
	own := s.accounts[*exporter]
	if own != nil {
		domains += own.domains
		bytes += own.bytes
	}
	d := s.order.least(nowNs, keep, s.levelOf(domains, bytes), own)
	if d == nil {
		return false
	}
	s.totals.Evicted++
	s.totals.EvictedTemplates += uint64(d.live())
	s.drop(d)
	return true
}
