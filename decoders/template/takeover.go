package template

import (
	"bytes"
	"sync/atomic"
)

// neighbours are the domains of one address, version and observation domain, by port:
// a list through Domain.beside, the one made last first. It is guarded by the store's
// lock, and each change of it costs O(1).
type neighbours[C comparable] struct {
	first *Domain[C]
	split atomic.Bool // two ports were seen to send at one time; read without the lock
}

// beside is where a domain is in the list of its neighbours.
type beside[C comparable] struct {
	in         *neighbours[C]
	prev, next *Domain[C]
}

// silence is how long the other ports of an address are silent, in milliseconds, before a
// new one takes over from them.
const silence = 2000

// maxNeighbours is how many ports TakeOver asks: those that came last.
const maxNeighbours = 16

// maxTakenRates is how many sampling rates it takes over.
const maxTakenRates = 64

// heard is when the ports of an address sent something that was used: the last one, and
// the last one of another port, each with the port in the upper 16 bits and Unix
// milliseconds in the others.
// It is written and read without a lock.
type heard struct{ last, other atomic.Uint64 }

const heardBits = 48

// note notes that a port sent at nowNs.
func (h *heard) note(port uint16, nowNs int64) {
	now := uint64(port)<<heardBits | uint64(nowNs/1e6)&(1<<heardBits-1)
	old := h.last.Swap(now)
	if old != 0 && old>>heardBits != uint64(port) {
		h.other.Store(old)
	}
}

// others tells whether another port than that sent at nowNs, or shortly before.
func (h *heard) others(port uint16, nowNs int64) bool {
	now := int64(uint64(nowNs/1e6) & (1<<heardBits - 1))
	recent := func(v uint64) bool {
		age := now - int64(v&(1<<heardBits-1))
		return v != 0 && v>>heardBits != uint64(port) && age < silence && age > -silence
	}
	return recent(h.last.Load()) || recent(h.other.Load())
}

// hear notes that the domain's port sent at nowNs.
func (d *Domain[C]) hear(nowNs int64) {
	if d.store.ports == PortsAuto {
		d.account.heard.note(d.key.Port, nowNs)
	}
}

// approach makes a domain one of its neighbours. The store is locked.
func (s *Store[C]) approach(d *Domain[C], nowNs int64) {
	if s.ports != PortsAuto {
		return
	}
	k := d.key
	k.Port = 0
	n := s.neighbours[k]
	if n == nil {
		n = &neighbours[C]{}
		s.neighbours[k] = n
	}
	if n.first != nil && !n.split.Load() && d.account.heard.others(d.key.Port, nowNs) {
		n.split.Store(true)
		s.totals.Split++
		if !d.account.shared {
			d.account.shared = true
			s.shares = append(s.shares[:min(len(s.shares), maxShares-1)], d.key)
		}
	}
	d.split = &n.split
	d.beside = beside[C]{in: n, next: n.first}
	if n.first != nil {
		n.first.beside.prev = d
	}
	n.first = d
}

// Split reports whether the port is part of what tells the exporter of the domain from others:
// always with PortsOn, with PortsAuto if another port of its address was seen to send at the same
// time as the same observation domain. It takes no lock.
func (d *Domain[C]) Split() bool {
	return d.store.ports == PortsOn || d.split != nil && d.split.Load()
}

// depart takes a domain out of its neighbours. The store is locked.
func (s *Store[C]) depart(d *Domain[C]) {
	b := d.beside
	if b.in == nil {
		return
	}
	if b.prev != nil {
		b.prev.beside.next = b.next
	} else {
		b.in.first = b.next
	}
	if b.next != nil {
		b.next.beside.prev = b.prev
	}
	d.beside = beside[C]{}
	if b.in.first == nil {
		k := d.key
		k.Port = 0
		delete(s.neighbours, k)
	}
}

// maxShares is how many keys Shares returns at most.
const maxShares = 64

// Shares returns a key of each address of which two ports were found to send at one time
// since the last call.
func (s *Store[C]) Shares() []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.shares
	s.shares = nil
	return list
}

// TakeOver has the port of key k take over the template of the id that the other ports of
// its address have announced, and their sampling rates, if they were silent for 2 s at
// nowNs (Unix nanoseconds), and as far as they agree. It reports whether the port has the
// template now. Only PortsAuto lets it. It costs O(1).
func (s *Store[C]) TakeOver(k *Key, id uint16, nowNs int64) bool {
	if s.ports != PortsAuto {
		return false
	}
	s.tidy()
	s.mu.Lock()
	defer s.mu.Unlock()
	base := *k
	base.Port = 0
	n := s.neighbours[base]
	if n == nil || n.first.account.heard.others(k.Port, nowNs) {
		return false
	}
	if d := s.find(k); d != nil && d.Template(id) != nil {
		return true
	}
	var agreed *Template[C]
	asked := 0
	for d := n.first; d != nil && asked < maxNeighbours; d = d.beside.next {
		if d.key.Port == k.Port {
			continue
		}
		asked++
		switch t := d.Template(id); {
		case t == nil:
		case agreed != nil && (t.Options != agreed.Options || t.Version != agreed.Version || !bytes.Equal(t.raw, agreed.raw)):
			return false
		case agreed == nil:
			agreed = t
		}
	}
	if agreed == nil {
		return false
	}
	isNew := s.find(k) == nil
	d := s.make(k, nil, nowNs)
	if d == nil {
		return false
	}
	if isNew {
		s.takeRates(n, d, nowNs)
	}
	var defs Definitions
	defs.Init(agreed.raw, agreed.Version, agreed.Options)
	defs.Next()
	change, _ := d.put(&defs.Def, nil, agreed.Port(), agreed.LastSeenNs())
	if change != Added {
		return false
	}
	s.totals.TakenOver++
	return true
}

// takeRates has a new domain take over the sampling rates that its neighbours agree on,
// unless its port has announced some already. The store is locked.
func (s *Store[C]) takeRates(n *neighbours[C], d *Domain[C], nowNs int64) {
	var from *Sampling
	asked := 0
	for o := n.first; o != nil && asked <= maxNeighbours; o = o.beside.next {
		if o == d {
			continue
		}
		asked++
		table := &o.sampling
		if !table.announced.Load() {
			table = table.other()
		}
		switch {
		case table == nil:
		case from == nil:
			from = table
		case !from.alike(table):
			return
		}
	}
	if from == nil || from.entries() > maxTakenRates {
		return
	}
	to := &d.sampling
	if from.zero && !to.zero { // it is that of the exporter as a whole
		k := d.key
		k.Domain = 0
		whole := s.make(&k, d, nowNs)
		if whole == nil {
			return
		}
		to = &whole.sampling
	}
	if to.announced.Load() {
		return
	}
	to.Set(from.rate.Load())
	from.EachSampler(func(entry, rate uint64) { to.SetSampler(entry, rate) })
}

// entries returns how many entries the domain has.
func (s *Sampling) entries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// alike tells whether two domains have announced the same rates, which are not too many.
func (s *Sampling) alike(o *Sampling) bool {
	n := s.entries()
	if s == o || s.rate.Load() != o.rate.Load() || n != o.entries() || n > maxTakenRates {
		return s == o
	}
	same := true
	s.EachSampler(func(entry, rate uint64) { same = same && o.entry(entry) == rate })
	return same
}
