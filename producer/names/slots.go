package names

import (
	"math/bits"
	"sync/atomic"
)

// slots is an open-addressed hash table. Entries stay where they are, and a name is
// replaced in place: readers need no lock.
type slots struct {
	shift uint8  // 64 less the bits of an index
	mul   uint64 // odd, and unknown to those who choose the ids
	all   []slot
}

// slot is a place of slots. The writer stores id before name.
type slot struct {
	name atomic.Pointer[[]byte] // nil while the slot is empty
	id   atomic.Uint64
}

// minSlots is the size that a table begins with.
const minSlots = 4

// find returns the slot of an id, or the empty one that it would take, and its name.
func (t *slots) find(id uint64) (*slot, []byte) {
	mask := uint64(len(t.all) - 1)
	for i := id * t.mul >> t.shift; ; i++ {
		s := &t.all[i&mask]
		name := s.name.Load()
		if name == nil {
			return s, nil
		}
		if s.id.Load() == id {
			return s, *name
		}
	}
}

// grown returns a table of twice the size with the same entries; of nil, an empty one.
func (t *slots) grown(mul uint64) *slots {
	size := minSlots
	if t != nil {
		size = 2 * len(t.all)
	}
	g := &slots{shift: uint8(64 - bits.Len(uint(size-1))), mul: mul, all: make([]slot, size)}
	if t == nil {
		return g
	}
	for i := range t.all {
		if name := t.all[i].name.Load(); name != nil {
			id := t.all[i].id.Load()
			s, _ := g.find(id)
			s.id.Store(id)
			s.name.Store(name)
		}
	}
	return g
}
