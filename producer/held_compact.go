package producer

// compact rebuilds the lists where less than half of them is in use, so that a
// producer keeps room for twice what waits at most. As many sets that have left paid
// for it. No set is in work.
func (h *held) compact() {
	if len(h.slab) <= keepSlots || 2*h.sets >= len(h.slab) {
		return
	}
	old, oldGrams := h.slab, h.grams
	sets, grams := make([]int32, len(old)), make([]int32, len(oldGrams)) // where each goes
	for i := range grams {
		grams[i] = none
	}
	h.slab, h.slots = make([]heldSet, 0, h.sets), nil
	h.grams, h.gslots = nil, nil
	for i := h.oldest; i != none; i = old[i].next {
		s := old[i]
		if grams[s.datagram] == none {
			grams[s.datagram] = int32(len(h.grams))
			h.grams = append(h.grams, oldGrams[s.datagram])
		}
		sets[i] = int32(len(h.slab))
		s.datagram = grams[s.datagram]
		s.prev, s.next = sets[i]-1, sets[i]+1
		h.slab = append(h.slab, s)
	}
	goes := func(i int32) int32 {
		if i == none {
			return none
		}
		return sets[i]
	}
	for i := range h.slab {
		h.slab[i].nextOfKey = goes(h.slab[i].nextOfKey)
	}
	lists := make(map[waitKey]waiting, len(h.lists))
	for k, w := range h.lists {
		w.first, w.last, w.unbound = goes(w.first), goes(w.last), goes(w.unbound)
		lists[k] = w
	}
	h.lists, h.cursor, h.asks = lists, goes(h.cursor), goes(h.asks)
	h.oldest, h.newest = none, none
	if n := len(h.slab); n > 0 {
		h.oldest, h.newest = 0, int32(n-1)
		h.slab[n-1].next = none // none is -1: the first has no one before it
	}
}
