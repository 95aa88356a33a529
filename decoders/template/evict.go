package template

import (
	"cmp"
	"slices"
)

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
	// scanPause is how long the store does not look again where everything
	// is in use.
	scanPause = second
)

// standing returns how well a domain's use is known, 3 for established.
func (d *Domain) standing() int {
	switch span := d.lastUse.Load() - d.firstUse.Load(); {
	case span < second:
		return 0
	case span < 10*second:
		return 1
	case span < established:
		return 2
	}
	return 3
}

// eviction finds domains to evict. It is guarded by the store's lock.
type eviction struct {
	fresh []*Domain // as they were made; those not used since go first
	head  int       // of fresh
	// stale are the least useful of the used ones as of the last scan, the
	// least one last.
	stale     []victim
	scannedNs int64 // when a scan found nothing
}

type victim struct {
	d    *Domain
	used int64 // when it was used last, to tell whether it was used since
}

// add notes a domain that was made, of so many that there are now.
func (e *eviction) add(d *Domain, domains int) {
	if len(e.fresh) > 2*domains+1024 { // most are gone, used or taken
		kept := e.fresh[:0]
		for _, d := range e.fresh[e.head:] {
			if !d.gone && d.lastUse.Load() == 0 {
				kept = append(kept, d)
			}
		}
		clear(e.fresh[len(kept):])
		e.fresh, e.head = kept, 0
	}
	e.fresh = append(e.fresh, d)
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
	d := s.order.unused(keep)
	if d == nil {
		d = s.order.leastUsed(s, nowNs, keep)
	}
	if d == nil {
		return false
	}
	s.totals.Evicted++
	s.totals.EvictedTemplates += uint64(d.plain + d.opts)
	s.drop(d)
	return true
}

// unused takes the oldest domain that was never used, but not keep and none
// that others hang on.
func (e *eviction) unused(keep *Domain) *Domain {
	var back []*Domain
	defer func() { e.fresh = append(e.fresh, back...) }()
	for e.head < len(e.fresh) {
		d := e.fresh[e.head]
		e.fresh[e.head] = nil
		e.head++
		switch {
		case d.gone || d.lastUse.Load() != 0:
		case d == keep || d.children > 0:
			back = append(back, d)
		default:
			return d
		}
	}
	return nil
}

// leastUsed takes the domain that was used least recently of those that may be
// evicted, but not keep.
func (e *eviction) leastUsed(s *Store, nowNs int64, keep *Domain) *Domain {
	for range 2 {
		for n := len(e.stale); n > 0; n = len(e.stale) {
			v := e.stale[n-1]
			e.stale[n-1] = victim{}
			e.stale = e.stale[:n-1]
			if !v.d.gone && v.d != keep && v.d.children == 0 && v.d.lastUse.Load() == v.used {
				return v.d
			}
		}
		if since := nowNs - e.scannedNs; since >= 0 && since < scanPause {
			return nil
		}
		e.scan(s, nowNs)
	}
	return nil
}

// scan looks at all domains for those that may be evicted, and notes the
// sixteenth of them that is of least use.
func (e *eviction) scan(s *Store, nowNs int64) {
	type candidate struct {
		victim
		standing int
	}
	var all []candidate
	s.table.Load().each(func(d *Domain) {
		used := d.lastUse.Load()
		if used == 0 || d.children > 0 || d.inUse(nowNs) {
			return
		}
		all = append(all, candidate{victim{d, used}, d.standing()})
	})
	if len(all) == 0 {
		e.scannedNs = nowNs
		return
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.standing, b.standing), cmp.Compare(a.used, b.used))
	})
	all = all[:1+len(all)/16]
	for i := len(all) - 1; i >= 0; i-- {
		e.stale = append(e.stale, all[i].victim)
	}
}

// inUse says whether the domain must not be evicted.
func (d *Domain) inUse(nowNs int64) bool {
	return d.standing() == 3 && nowNs-d.lastUse.Load() < kept
}
