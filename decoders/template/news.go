package template

import "sync/atomic"

// news is what templates became known last, for those that hold data back
// until they do.
type news struct {
	seq  atomic.Uint64 // number of all so far; written under the store's lock
	ring [1024]addition
}

type addition struct {
	key Key // without the port where the policy may leave it out
	id  uint16
}

// add notes that a template is known that was not. It is in its table already:
// who sees the number that follows finds it. The store is locked.
func (n *news) add(k Key, id uint16) {
	seq := n.seq.Load()
	n.ring[seq%uint64(len(n.ring))] = addition{k, id}
	n.seq.Store(seq + 1)
}

// Added returns how many templates became known so far. It takes no lock.
func (s *Store[C]) Added() uint64 { return s.news.seq.Load() }

// AddedSince calls f for the templates that became known after there were
// since, and returns how many there are now. It returns all true, and calls
// nothing, if they are too many to be remembered. The key has no port if the
// policy is PortsOff. f must not call the store's writing methods.
func (s *Store[C]) AddedSince(since uint64, f func(k Key, id uint16)) (now uint64, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now = s.news.seq.Load()
	if now-since > uint64(len(s.news.ring)) {
		return now, true
	}
	for ; since < now; since++ {
		a := &s.news.ring[since%uint64(len(s.news.ring))]
		f(a.key, a.id)
	}
	return now, false
}
