package producer

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/weirflow/weir/decoders/template"
)

// HeldLimits bounds the data that waits for its template.
type HeldLimits struct {
	// Bytes of data sets, in steps of 128 KiB. The sets of one template may
	// take an eighth, those of one exporter's address a third of what is free then: a
	// quarter, where no others wait.
	Bytes int64
	// Sets is the number of data sets. The same shares hold.
	Sets int
	// AgeNs is how long a data set waits, in nanoseconds.
	AgeNs int64
}

// Held is the room for data sets that came before their template. All producers
// share it, and may use it at the same time. What a producer holds in it is its
// own: the worker that received a data set decodes it.
type Held struct {
	limits HeldLimits
	sets   atomic.Int64
	bytes  atomic.Int64 // of them
	seed   maphash.Seed
	// shares is what the addresses take, by a hash that none of them can foresee.
	// Those of one hash have one share: the table is as large for any number.
	shares [heldShares]heldShare

	mu     sync.Mutex
	free   []*chunk
	chunks int // that there are; free ones included
}

// heldShares is the number of shares, a power of two.
const heldShares = 4096

// heldShare is what waits of the addresses of one hash.
type heldShare struct{ sets, bytes atomic.Int64 }

// The parts of the whole that the sets of one template and those of one address may
// take: the reciprocals.
const templateShare, addressShare = 8, 4

// share returns the share of an exporter's address.
func (h *Held) share(exporter *[16]byte) *heldShare {
	return &h.shares[maphash.Comparable(h.seed, *exporter)%heldShares]
}

// leastSets is how many sets any share allows, if the whole does.
const leastSets = 16

// shareOf returns one of n shares of a number of sets.
func shareOf(sets, n int) int { return max(sets/n, min(sets, leastSets)) }

// leastBytes is the same of bytes: that of the largest set.
const leastBytes = 64 << 10

// reserve counts a set of size bytes that is to wait in addition to those of w, and reports
// false where it may not. It costs O(1).
func (h *Held) reserve(k *waitKey, w *waiting, size int) bool {
	l := &h.limits
	if w.bytes+size > int(l.Bytes/templateShare) || w.sets >= shareOf(l.Sets, templateShare) {
		return false
	}
	share := h.share(&k.key.Exporter)
	// An address may have a third of what is free: alone a quarter of the whole, and
	// however many addresses have theirs, one that comes later finds room.
	free, own := int64(l.Sets)-h.sets.Add(1), share.sets.Add(1)
	freeBytes, bytes := l.Bytes-h.bytes.Add(int64(size)), share.bytes.Add(int64(size))
	if free < 0 || own > max((free+1)/(addressShare-1), min(int64(l.Sets), leastSets)) ||
		bytes > min(max(freeBytes/(addressShare-1), leastBytes), l.Bytes/addressShare) {
		h.unreserve(k, size)
		return false
	}
	return true
}

// unreserve takes it back.
func (h *Held) unreserve(k *waitKey, size int) {
	share := h.share(&k.key.Exporter)
	h.sets.Add(-1)
	h.bytes.Add(-int64(size))
	share.sets.Add(-1)
	share.bytes.Add(-int64(size))
}

// chunkSize is the memory that a producer takes at a time. It has room for the
// largest set.
const chunkSize = 128 << 10

// keepChunks is how many chunks are kept for the next time. The rest is left to
// the garbage collector.
const keepChunks = 8

// chunk is a piece of memory that is filled once, and free again when all sets
// in it are.
type chunk struct {
	buf  []byte
	live int // sets
}

// NewHeld returns room for data sets. It returns nil, which holds none, for
// limits of zero.
func NewHeld(limits HeldLimits) *Held {
	if limits.Bytes < chunkSize || limits.Sets <= 0 || limits.AgeNs <= 0 {
		return nil
	}
	return &Held{limits: limits, seed: maphash.MakeSeed()}
}

// Limits returns the limits, zeros for nil.
func (h *Held) Limits() HeldLimits {
	if h == nil {
		return HeldLimits{}
	}
	return h.limits
}

// take returns an empty chunk, nil if there is no more room.
func (h *Held) take() *chunk {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.free); n > 0 {
		c := h.free[n-1]
		h.free = h.free[:n-1]
		return c
	}
	if int64(h.chunks+1)*chunkSize > h.limits.Bytes {
		return nil
	}
	h.chunks++
	return &chunk{buf: make([]byte, 0, chunkSize)}
}

// give takes a chunk back.
func (h *Held) give(c *chunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.free) >= keepChunks {
		h.chunks--
		return
	}
	h.free = append(h.free, c)
}

// HeldCounters is what waits for its template, and what became of what did.
type HeldCounters struct {
	// Datagrams, Sets and Bytes wait now. Datagrams are those of which
	// nothing else could be used; Bytes are those of the sets.
	Datagrams, Sets, Bytes uint64
	// Kept counts the sets that had to wait; Released those of them whose
	// template came, and Expired those for which it did not.
	Kept, Released, Expired uint64
	// Overflow counts the sets that found no room to wait.
	Overflow uint64
}

func (c *HeldCounters) add(o *HeldCounters) {
	c.Datagrams += o.Datagrams
	c.Sets += o.Sets
	c.Bytes += o.Bytes
	c.Kept += o.Kept
	c.Released += o.Released
	c.Expired += o.Expired
	c.Overflow += o.Overflow
}

// none is no index into a list.
const none = -1

// waitKey names the template that a data set waits for. Its port is that of the
// exporter where the store's policy may count it.
type waitKey struct {
	key template.Key
	id  uint16
}

// heldSet is a data set that waits.
type heldSet struct {
	key      waitKey
	message  message // its own: a datagram may have several
	body     []byte  // in chunk
	chunk    *chunk
	template *Template // what it is to be decoded by, if that is known
	datagram int32
	// Neighbours in the order of arrival, and the next of the same key.
	prev, next, nextOfKey int32
}

// heldDatagram is what the sets of a datagram have in common.
type heldDatagram struct {
	meta     Meta
	source   [16]byte
	protocol Protocol
	first    Reason
	small    int  // see work.small
	sets     int  // that wait
	ended    bool // counted as decoded
}

// waiting is the sets of one key, in the order of arrival: first those that are
// bound to a template, then the others.
type waiting struct {
	first, last int32
	unbound     int32 // the first that is not bound; none
	sets, bytes int
	ready       bool // in held.ready
}

// held is what a producer holds. It belongs to the producer's worker.
//
// Adding, releasing and expiring a data set take O(1) plus one copy of its bytes: it is
// bound to a template at most once, and it leaves its key's list at the front. What other
// workers learn is looked up by key; where that was too much to be remembered, a
// call of Release looks at a few sets for each template that was added.
type held struct {
	// cursor is the next set to look at, none if there is no need; again says that
	// templates were added since it began, and budget how many sets may be looked
	// at for those.
	cursor int32
	again  bool
	budget int
	// asks is the next set for which others of its address are asked, none to begin
	// again, and askedNs when some were, in Unix nanoseconds.
	asks    int32
	askedNs int64

	room   *Held
	sets   int    // that wait
	seen   uint64 // of the store's additions
	lists  map[waitKey]waiting
	ready  []waitKey // whose template is known
	slab   []heldSet // indexed; empty slots are listed in slots
	slots  []int32
	grams  []heldDatagram
	gslots []int32
	oldest int32
	newest int32
	chunk  *chunk // being filled

	released Released // what is said of the set that is ended
}

func (h *held) init(room *Held) {
	*h = held{room: room, lists: map[waitKey]waiting{}, oldest: none, newest: none, cursor: none, asks: none}
}

// waits says whether sets of the key wait: those that follow wait behind them.
func (h *held) waits(k waitKey) bool {
	_, ok := h.lists[k]
	return ok
}

// store copies body into memory of the room's; nil if there is none.
func (h *held) store(body []byte) (*chunk, []byte) {
	c := h.chunk
	if c == nil || cap(c.buf)-len(c.buf) < len(body) {
		next := h.room.take()
		if next == nil {
			return nil, nil
		}
		if c != nil && c.live == 0 {
			h.room.give(c)
		}
		c, h.chunk = next, next
	}
	start := len(c.buf)
	c.buf = append(c.buf, body...)
	c.live++
	return c, c.buf[start:len(c.buf):len(c.buf)]
}

// newSet returns the index of an empty set.
func (h *held) newSet() int32 {
	if n := len(h.slots); n > 0 {
		i := h.slots[n-1]
		h.slots = h.slots[:n-1]
		return i
	}
	h.slab = append(h.slab, heldSet{})
	return int32(len(h.slab) - 1)
}

// newDatagram returns the index of an empty datagram.
func (h *held) newDatagram() int32 {
	if n := len(h.gslots); n > 0 {
		i := h.gslots[n-1]
		h.gslots = h.gslots[:n-1]
		return i
	}
	h.grams = append(h.grams, heldDatagram{})
	return int32(len(h.grams) - 1)
}

// append puts a set at the end of the order of arrival and of its key's list.
func (h *held) append(i int32) {
	s := &h.slab[i]
	s.prev, s.next, s.nextOfKey = h.newest, none, none
	if h.newest != none {
		h.slab[h.newest].next = i
	} else {
		h.oldest = i
	}
	h.newest = i
	w, ok := h.lists[s.key]
	if ok {
		h.slab[w.last].nextOfKey = i
	} else {
		w.first, w.unbound = i, none
	}
	w.last = i
	if s.template == nil && w.unbound == none {
		w.unbound = i
	}
	w.sets++
	w.bytes += len(s.body)
	h.lists[s.key] = w
	h.sets++
}

// remove takes a set, the first of its key's list, out of both.
func (h *held) remove(i int32) {
	s := &h.slab[i]
	if s.prev != none {
		h.slab[s.prev].next = s.next
	} else {
		h.oldest = s.next
	}
	if s.next != none {
		h.slab[s.next].prev = s.prev
	} else {
		h.newest = s.prev
	}
	if h.cursor == i {
		h.cursor = s.next
	}
	if h.asks == i {
		h.asks = s.next
	}
	w := h.lists[s.key]
	w.first = s.nextOfKey
	if w.unbound == i {
		w.unbound = s.nextOfKey
	}
	w.sets--
	w.bytes -= len(s.body)
	if w.first == none {
		delete(h.lists, s.key)
	} else {
		h.lists[s.key] = w
	}
	if s.chunk.live--; s.chunk.live == 0 {
		if s.chunk.buf = s.chunk.buf[:0]; s.chunk != h.chunk {
			h.room.give(s.chunk)
		}
	}
	h.room.unreserve(&s.key, len(s.body))
	*s = heldSet{}
	h.slots = append(h.slots, i)
	h.sets--
	if h.sets == 0 {
		h.trim()
	}
}

// keepSlots is how many slots an empty list keeps.
const keepSlots = 4096

// trim returns what a producer that holds nothing does not need.
func (h *held) trim() {
	if h.chunk != nil {
		h.room.give(h.chunk)
		h.chunk = nil
	}
	if len(h.slab) > keepSlots {
		h.slab, h.slots = nil, nil
		h.lists, h.ready = map[waitKey]waiting{}, nil
	}
}
