package template

// Expire removes the templates that were not announced for longer than ttlNs
// (nanoseconds) at nowNs (Unix nanoseconds), with use those that were not used either, and
// returns how many there were. A domain that is left without templates goes
// with them.
func (s *Store[C]) Expire(nowNs, ttlNs int64, use bool) int {
	before := nowNs - ttlNs
	old := func(t *Template[C]) bool {
		return t.LastSeenNs() < before && !(use && t.LastUsedNs() >= before)
	}
	n := 0
	s.table.Load().each(func(d *Domain[C]) {
		found := false
		ids := d.ids.Load()
		for i := range ids.slots {
			t := ids.slots[i].template.Load()
			found = found || t != nil && old(t)
		}
		if !found {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.gone {
			return
		}
		for _, t := range d.Templates() {
			if old(t) { // as of now, under the lock
				d.remove(t)
				n++
				s.totals.Expired++
			}
		}
		if d.live() == 0 {
			s.drop(d)
		}
	})
	return n
}
