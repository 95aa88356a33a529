package template

// Which domain makes room when the store is full: anyone can forge sources, and
// those that are of use must not pay for it.
//
//  1. One that never decoded a data set, the one made first. Forged
//     announcements push each other out.
//  2. One of an address that has more than an eighth of the store's bytes, or
//     domains, however it is used; the one used least recently of a few.
//  3. One that did, but for less than a second; then for less than ten seconds;
//     then for less than two minutes; of each the one used least recently of a few.
//     Forged sources come once.
//  4. One that did for longer, and was not used for an hour.
//
// A domain in use for longer than two minutes whose address keeps within its share
// is never evicted: the newcomer is refused.
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
func (d *Domain) standing() int {
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
type eviction struct {
	// Never used ones come first, in the order in which they were made; then
	// the others by standing.
	queues [2 + inUseStanding]queue
	over   *account // the addresses that have more than their share; nil for none
}

// queue is a list of domains through Domain.place. Those that others hang on are in
// none.
type queue struct{ first, last *Domain }

// place is where a domain is in the order of eviction.
type place struct {
	in         *queue // nil for none
	prev, next *Domain
}

// queueOf returns the queue that a domain belongs to.
func (e *eviction) queueOf(d *Domain) *queue {
	if d.lastUse.Load() == 0 {
		return &e.queues[0]
	}
	return &e.queues[1+d.standing()]
}

// add puts a domain, which is in no queue, at the end of the one that it belongs to.
func (e *eviction) add(d *Domain) {
	q := e.queueOf(d)
	d.place = place{in: q, prev: q.last}
	if q.last != nil {
		q.last.place.next = d
	} else {
		q.first = d
	}
	q.last = d
}

// remove takes a domain out of its queue, if it is in one.
func (e *eviction) remove(d *Domain) {
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
	d.place = place{}
}

// again puts a domain where it belongs now.
func (e *eviction) again(d *Domain) {
	e.remove(d)
	e.add(d)
}

// maxMoves is how many domains tidy moves while it holds the lock.
const maxMoves = 64

// tidy moves domains from the front of the queues to where they belong, so that least
// finds one at once. After the store has filled, all may stand in the queue of those
// that were never used: the lock is released after each maxMoves. The store is not
// locked.
func (s *Store) tidy() {
	for more := true; more; {
		s.mu.Lock()
		full := s.totals.Domains >= s.limits.Domains || s.totals.Bytes >= s.limits.Bytes/8*7
		more = full && !s.order.tidy(maxMoves)
		s.mu.Unlock()
	}
}

// tidy moves up to moves domains. It reports whether all queues begin with one that
// belongs there.
func (e *eviction) tidy(moves int) bool {
	for i := range e.queues {
		q := &e.queues[i]
		for d := q.first; d != nil && e.misplaced(d); d = q.first {
			if moves == 0 {
				return false
			}
			moves--
			e.move(d)
		}
	}
	return true
}

// misplaced reports whether a domain is in another queue than it belongs to.
func (e *eviction) misplaced(d *Domain) bool { return d.children > 0 || e.queueOf(d) != d.place.in }

// move puts a misplaced domain where it belongs: in no queue if others hang on it,
// until drop puts it back with the last of them.
func (e *eviction) move(d *Domain) {
	e.remove(d)
	if d.children == 0 {
		e.add(d)
	}
}

// least returns the domain that is of least use, but not keep, whose place stays the
// same, and none that others hang on. It returns nil if all are in use.
func (e *eviction) least(nowNs int64, keep *Domain) *Domain {
	for i := range e.queues {
		if d := e.leastOf(&e.queues[i], nowNs, keep); d != nil {
			return d
		}
		if i == 0 && e.over != nil {
			if d := e.over.leastOf(keep); d != nil {
				return d
			}
		}
	}
	return nil
}

// leastOf returns the first of the domains that were never used, or the one used least
// recently of the next few of those that were; nil if there is none, or all of the few
// are in use.
func (e *eviction) leastOf(q *queue, nowNs int64, keep *Domain) *Domain {
	var first, least, next *Domain
	looks := candidates
	if q == &e.queues[1+inUseStanding] {
		looks = maxInUse
	}
	for d := q.first; d != nil && d != first && looks > 0; d = next {
		next = d.place.next
		switch {
		case d == keep:
		case e.misplaced(d):
			e.move(d)
		case q == &e.queues[0]:
			return d
		default:
			if first == nil {
				first = d
			}
			looks--
			e.again(d)
			if !d.inUse(nowNs) && (least == nil || d.lastUse.Load() < least.lastUse.Load()) {
				least = d
			}
		}
	}
	return least
}

// inUse says whether the domain must not be evicted.
func (d *Domain) inUse(nowNs int64) bool {
	return d.standing() == inUseStanding && nowNs-d.lastUse.Load() < kept
}

// room evicts domains until cost more bytes fit, but not keep. The store is
// locked.
func (s *Store) room(cost int64, keep *Domain, nowNs int64) bool {
	for s.totals.Bytes+cost > s.limits.Bytes {
		if !s.evict(nowNs, keep) {
			return false
		}
	}
	return true
}

// evict removes the domain that is of least use, but not keep, and reports
// whether there was one. The store is locked.
func (s *Store) evict(nowNs int64, keep *Domain) bool {
	d := s.order.least(nowNs, keep)
	if d == nil {
		return false
	}
	s.totals.Evicted++
	s.totals.EvictedTemplates += uint64(d.live())
	s.drop(d)
	return true
}
