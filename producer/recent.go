package producer

import (
	"encoding/binary"
	"math/bits"

	"github.com/weirflow/weir/decoders/template"
)

// recentSets remembers, for one worker, where the data sets of late had their
// template from: a look at one cache line instead of one at each of the store's
// tables on the way, which for many exporters are all far from the CPU. An entry
// holds as long as nothing in the store has changed (template.Store.Changes).
// It grows while entries that hold make room for each other, up to 5 MiB.
//
// A look-up and a new entry cost O(1). Entries keep templates and domains that the
// store has released from the garbage collector. The cache is cleared by the first
// insertion after the store released mostReleased bytes.
type recentSets struct {
	pairs  [][2]recentSet // a power of two, by hash
	shift  uint8          // 64 less the bits of an index
	pushed int            // entries that held and had to make room, since it grew
	// released is what the store had let go of when all was forgotten, in bytes.
	released uint64
}

type recentSet struct {
	key      template.Key
	id       uint16
	changes  uint64 // of the store before it was looked up
	domain   *TemplateDomain
	template *Template
	plan     *plan // nil for options; under the program in force
}

// Least and most pairs.
const (
	leastRecent = 1 << 7
	mostRecent  = 1 << 15
)

// mostReleased is how many bytes of the store's may be kept for longer than it
// does.
const mostReleased = 4 << 20

// release forgets all where the store has let go of much since it did. released
// is what template.Store.Released returns.
func (r *recentSets) release(released uint64) {
	if released-r.released > mostReleased {
		r.released = released
		r.clear()
	}
}

func (r *recentSets) size(n int) {
	r.pairs = make([][2]recentSet, n)
	r.shift = uint8(64 - bits.Len(uint(n-1)))
	r.pushed = 0
}

// pair returns the two entries of which one may hold a data set; the first is the
// one that was put last.
func (r *recentSets) pair(key *template.Key, id uint16) *[2]recentSet {
	h := binary.NativeEndian.Uint64(key.Exporter[:]) * 0x9e3779b97f4a7c15
	h = (h ^ binary.NativeEndian.Uint64(key.Exporter[8:])) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>29 ^ uint64(key.Domain)<<32 ^ uint64(key.Port)<<16 ^ uint64(key.Version) ^ uint64(id)<<48) * 0x94d049bb133111eb
	return &r.pairs[h>>r.shift&uint64(len(r.pairs)-1)]
}

// find returns what is known about a data set at that state of the store, or nil.
func (r *recentSets) find(key *template.Key, id uint16, changes uint64) *recentSet {
	if len(r.pairs) == 0 {
		return nil
	}
	p := r.pair(key, id)
	for i := range p {
		if s := &p[i]; s.changes == changes && s.id == id && s.key == *key && s.template != nil {
			// What is written at the set's end is on its way then.
			s.template.Touch()
			s.domain.Touch()
			return s
		}
	}
	return nil
}

// put remembers where a data set had its template from. changes is what
// Store.Changes returned before that was looked up.
func (r *recentSets) put(key *template.Key, id uint16, changes uint64, d *TemplateDomain, t *Template, pl *plan) {
	if len(r.pairs) == 0 {
		r.size(leastRecent)
	}
	p := r.pair(key, id)
	if p[1].template != nil && p[1].changes == changes && p[0].changes == changes {
		if r.pushed++; r.pushed > len(r.pairs)/2 && len(r.pairs) < mostRecent {
			r.grow()
			p = r.pair(key, id)
		}
	}
	p[1] = p[0]
	p[0] = recentSet{key: *key, id: id, changes: changes, domain: d, template: t, plan: pl}
}

func (r *recentSets) grow() {
	old := r.pairs
	r.size(4 * len(old))
	for i := range old {
		for j := len(old[i]) - 1; j >= 0; j-- {
			if e := &old[i][j]; e.template != nil {
				p := r.pair(&e.key, e.id)
				p[1], p[0] = p[0], *e
			}
		}
	}
}

// clear forgets all: the plans are those of another program.
func (r *recentSets) clear() { clear(r.pairs) }
