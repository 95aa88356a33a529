package template

// Which domain makes room when the store is full: anyone can forge sources, and
// those that are of use must not pay for it.
//
//  1. One that never decoded a data set, the one made first. Forged
//     announcements push each other out.
//  2. One that did, but for less than a second; then for less than ten seconds;
//     then for less than two minutes; of each the one used least recently.
//     Forged sources come once.
//  3. One that did for longer, and was not used for an hour.
//
// A domain in use for longer than two minutes is never evicted: the newcomer is
// refused.
const (
	second      = int64(1e9) // in nanoseconds
	established = 120 * second
	kept        = 3600 * second
	// inUseStanding is the standing of those that are left alone while they are
	// used.
	inUseStanding = 3
	// maxInUse is how many domains in use are looked at to find one that no
	// longer is.
	maxInUse = 32
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
// takes no lock and moves nothing, so that a domain may stand further in front
// than it should: it is moved when it is found there, at most once for each time
// that it was used.
type eviction struct {
	// Never used ones come first, in the order in which they were made; then
	// the others by standing, each in the order in which their use was noticed.
	queues [2 + inUseStanding]queue
}

// queue is a list of domains through Domain.place. Those that others hang on are in
// none.
type queue struct{ first, last *Domain }

// place is where a domain is in the order of eviction.
type place struct {
	in         *queue // nil for none
	prev, next *Domain
	used       int64 // lastUse when it was put there
}

// add puts a domain, which is in no queue, at the end of the one that it belongs to.
func (e *eviction) add(d *Domain) {
	used := d.lastUse.Load()
	q := &e.queues[0]
	if used != 0 {
		q = &e.queues[1+d.standing()]
	}
	d.place = place{in: q, prev: q.last, used: used}
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

// least returns the domain that is of least use, but not keep and none that others
// hang on; nil if all are in use.
func (e *eviction) least(nowNs int64, keep *Domain) *Domain {
	if keep != nil && keep.place.in != nil {
		e.remove(keep)
		defer e.add(keep)
	}
	inUse := 0
	for i := range e.queues {
		q := &e.queues[i]
		for q.first != nil {
			d := q.first
			switch {
			case d.children > 0:
				e.remove(d) // drop puts it back with the last of them
			case i == len(e.queues)-1 && nowNs-d.lastUse.Load() < kept:
				if inUse++; inUse > maxInUse {
					return nil
				}
				e.again(d)
			case d.lastUse.Load() != d.place.used:
				e.again(d)
			default:
				return d
			}
		}
	}
	return nil
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
