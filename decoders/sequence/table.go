package sequence

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Place says where something was lost, as far as it is known.
type Place uint8

// Places.
const (
	Network Place = iota // on the way here
	Socket               // while the kernel dropped at our sockets
	Ring                 // while frames were lost between the program and a worker
	Restart              // while no process received
	// NumPlaces is the number of places.
	NumPlaces = int(iota)
)

// String returns the place's name.
func (p Place) String() string { return [NumPlaces]string{"network", "socket", "ring", "restart"}[p] }

// Limits of a Table.
const (
	// DefaultStreams is the number of streams of all exporters together.
	DefaultStreams = 1 << 18
	// StreamsPerExporter is the number of streams of one.
	StreamsPerExporter = 4096
	// idleNs is after how long without a datagram a stream is let go of.
	idleNs = int64(3600 * 1e9)
	// holdNs is how long an observation is held when nothing follows it.
	holdNs = int64(2 * 1e9)
	// gapNs is after how long without a datagram nothing comes late any more.
	gapNs = int64(60 * 1e9)
	// candidates is how many streams are looked at to find one that was not
	// used for long.
	candidates = 16
)

// A Table bounds and sweeps the streams of all sets. All methods may be called
// by any goroutine.
//
// An observation costs O(1): a look-up, a comparison with seven hypotheses, and, at
// most once in four observations, the settling of 32 numbers among 64 gaps. So does
// a stream that is made, and the one that makes room for it: the one used least
// recently of 16 that are drawn. Memory follows from the limit: what is evicted is
// in no index any more.
type Table struct {
	key   uint64 // agents are hashed by it, so that nobody outside makes two collide
	limit int
	// What maxWaiting and maxGapLists say; tests have less.
	mostWaiting, mostGaps int64
	waits                 sync.Pool    // of *waiting
	waiting               atomic.Int64 // of those in use
	gaps                  atomic.Int64 // lists in use
	place                 atomic.Uint32
	evicted               atomic.Uint64
	over                  atomic.Uint64
	lost                  [NumPlaces][NumUnits]atomic.Uint64 // of all streams that ever were

	mu  sync.Mutex // guards all, and the slots of all sets
	all []*Stream
}

// NewTable returns a table for at most limit streams.
func NewTable(limit int) *Table {
	t := &Table{key: rand.Uint64(), limit: limit, mostWaiting: maxWaiting, mostGaps: maxGapLists}
	t.waits.New = func() any { return new(waiting) }
	return t
}

// take counts one more of most that are in use, and of those of a set. It reports
// false, and counts none, where all are in use, or half of them and those of the set
// are more than its share.
func (t *Table) take(used *atomic.Int64, own *atomic.Int32, most int64) bool {
	n, mine := used.Add(1), int64(own.Add(1))
	if n > most || n > most/2 && mine > max(most/crowdShare, 1) {
		giveBack(used, own)
		t.over.Add(1)
		return false
	}
	return true
}

// giveBack takes back what take counted.
func giveBack(used *atomic.Int64, own *atomic.Int32) {
	used.Add(-1)
	own.Add(-1)
}

// getWaiting returns nil where too many streams have observations waiting.
func (t *Table) getWaiting(s *Set) *waiting {
	if !t.take(&t.waiting, &s.waiting, t.mostWaiting) {
		return nil
	}
	w := t.waits.Get().(*waiting)
	w.n, w.quiet = 0, 0
	return w
}

func (t *Table) putWaiting(s *Set, w *waiting) {
	giveBack(&t.waiting, &s.waiting)
	t.waits.Put(w)
}

// getGaps returns nil where too many streams have gaps.
func (t *Table) getGaps(s *Set) *gaps {
	if !t.take(&t.gaps, &s.gaps, t.mostGaps) {
		return nil
	}
	return new(gaps)
}

// dropGaps forgets what may still come.
func (s *Stream) dropGaps(t *Table) {
	if s.gaps != nil {
		s.gaps = nil
		giveBack(&t.gaps, &s.set.gaps)
	}
}

// Stats says how full the table is.
type Stats struct {
	// Streams are followed now; Evicted were, and made room for others.
	Streams int
	Evicted uint64
	// Overflowed counts the observations that no stream was there for, or that
	// could not wait to be understood, and gaps that are known in sum only.
	Overflowed uint64
}

// Stats returns how full the table is.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Stats{len(t.all), t.evicted.Load(), t.over.Load()}
}

// Lost returns what all streams reported, by where and in which unit. It never decreases.
func (t *Table) Lost() (lost [NumPlaces][NumUnits]uint64) {
	for p := range t.lost {
		for u := range t.lost[p] {
			lost[p][u] = t.lost[p][u].Load()
		}
	}
	return lost
}

// Key names a stream of an exporter. It comes from [Table.Key], or is made of a
// kind and a domain.
type Key struct {
	Kind Kind
	// Port is the source port where it belongs to the exporter, else 0.
	Port uint16
	// Source is the class of a source of samples and its index, else 0.
	Source uint64
	// Domain is the observation domain, the source id, or the engine's type
	// and id; of sFlow, a hash of agent and sub-agent.
	Domain uint64
}

// Agent returns the domain of an sFlow agent's key.
func (t *Table) Agent(agent []byte, subAgent uint32) uint64 {
	var b [16]byte // an address
	copy(b[:], agent)
	h := fold(t.key^binary.BigEndian.Uint64(b[:]), 0x9e3779b97f4a7c15^uint64(len(agent)))
	h = fold(h^binary.BigEndian.Uint64(b[8:]), t.key|1)
	return h ^ uint64(subAgent)*0x9e3779b97f4a7c15
}

// fold multiplies and adds the halves of the product (as wyhash does, public domain).
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// A Set holds the streams of one exporter. The zero value is ready for use. All
// methods may be called by any goroutine.
type Set struct {
	index atomic.Pointer[index]
	// streams are those in the index that have not gone; written with the table's
	// lock.
	streams                         atomic.Int32
	waiting, gaps                   atomic.Int32 // of them have observations waiting, and lists of gaps
	clockOff                        atomic.Int32 // of them have a clock that is off; written with the table's lock
	lost                            [NumPlaces][NumUnits]atomic.Uint64
	reordered, duplicates, restarts atomic.Uint64
}

// index is an open-addressed hash table of the streams of a set. A stream that is
// evicted leaves the tombstone in its slot, so that a reader's probe goes on.
//
// It is copied when half of its slots are taken, and when a stream is left for
// sparse of them; as many streams that were made or evicted paid for that.
type index struct {
	slots []atomic.Pointer[Stream]
	mul   uint64 // odd, and unknown to those who choose the keys
	used  int    // guarded by the table's lock
}

// tombstone is the stream of no key.
var tombstone = &Stream{key: Key{Kind: Kind(NumKinds), Port: 0}, gone: true}

const (
	// minSlots is the number of slots that an index begins with: most exporters
	// have a stream.
	minSlots = 4
	// sparse is how many slots a stream may have.
	sparse = 12
)

func (x *index) slot(k *Key) *atomic.Pointer[Stream] {
	mask := uint64(len(x.slots) - 1)
	// The port is mixed in where the domain, which is chosen with it, cannot cancel it.
	h := (k.Source^uint64(k.Port)<<40)*x.mul ^ k.Domain
	h = (h ^ h>>32 ^ uint64(k.Kind)) * x.mul
	for i := h >> 32 & mask; ; i = (i + 1) & mask {
		s := &x.slots[i]
		if have := s.Load(); have == nil || have.key == *k {
			return s
		}
	}
}

// Observe takes the next datagram or sample of a stream. If it names another
// sampling rate than the one before did, that one is returned, else 0.
func (s *Set) Observe(t *Table, key Key, o *Observation) (rateBefore uint32) {
	var st *Stream
	if x := s.index.Load(); x != nil {
		st = x.slot(&key).Load()
	}
	if st != nil {
		st.lock()
		if !st.gone {
			rateBefore = st.observe(t, o)
			st.unlock()
			return rateBefore
		}
		st.unlock()
	}
	if st = t.add(s, key, o.NowNs); st == nil {
		t.over.Add(1)
		return 0
	}
	defer st.unlock()
	return st.observe(t, o)
}

// add makes a stream, for which another may have to make room, and locks it: it cannot
// be evicted before its observation.
func (t *Table) add(s *Set, key Key, nowNs int64) *Stream {
	if s.streams.Load() >= StreamsPerExporter {
		return nil // before the lock: what has no room comes again and again
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if x := s.index.Load(); x != nil {
		if st := x.slot(&key).Load(); st != nil {
			st.lock()
			return st // another worker was first
		}
	}
	if s.streams.Load() >= StreamsPerExporter {
		return nil
	}
	if len(t.all) >= t.limit {
		if t.limit == 0 {
			return nil
		}
		t.evict(t.oldest())
		t.evicted.Add(1)
	}
	x := s.index.Load()
	if x == nil || 2*(x.used+1) > len(x.slots) {
		x = s.resize()
	}
	st := &Stream{key: key, set: s, slot: len(t.all), lastNs: nowNs}
	st.lock()
	t.all = append(t.all, st)
	x.slot(&key).Store(st)
	x.used++
	s.streams.Add(1)
	return st
}

// resize rebuilds the index, with room for as many streams again as there are.
// The table is locked.
func (s *Set) resize() *index {
	size := minSlots
	for size < 3*(int(s.streams.Load())+1) {
		size *= 2
	}
	grown := &index{slots: make([]atomic.Pointer[Stream], size), mul: rand.Uint64() | 1}
	if x := s.index.Load(); x != nil {
		for i := range x.slots {
			if st := x.slots[i].Load(); st != nil && st != tombstone {
				grown.slot(&st.key).Store(st)
				grown.used++
			}
		}
	}
	s.index.Store(grown)
	return grown
}

// forget takes a stream that has gone out of the index. The table is locked.
func (s *Set) forget(st *Stream) {
	x := s.index.Load()
	x.slot(&st.key).Store(tombstone)
	switch n := int(s.streams.Add(-1)); {
	case n == 0:
		s.index.Store(nil)
	case sparse*n < len(x.slots):
		s.resize()
	}
}

// oldest returns, of a few streams, the one that was used least recently.
func (t *Table) oldest() *Stream {
	var oldest *Stream
	var ns int64
	for i := range min(candidates, len(t.all)) {
		if len(t.all) > candidates {
			i = rand.IntN(len(t.all))
		}
		st := t.all[i]
		st.lock()
		last := st.lastNs
		st.unlock()
		if oldest == nil || last < ns {
			oldest, ns = st, last
		}
	}
	return oldest
}

// evict lets go of a stream after it has reported. The table is locked.
func (t *Table) evict(st *Stream) {
	st.lock()
	if st.waiting != nil {
		st.settle(t, false)
	}
	if st.waiting != nil {
		t.putWaiting(st.set, st.waiting)
		st.waiting = nil
	}
	st.report(t, st.lost, st.overRestart(Place(t.place.Load()), st.lastNs))
	st.setClockOff(false)
	st.gone = true
	st.dropGaps(t)
	st.unlock()
	st.set.forget(st)
	last := len(t.all) - 1
	t.all[st.slot] = t.all[last]
	t.all[st.slot].slot = st.slot
	t.all[last] = nil
	t.all = t.all[:last]
}

// report makes what is missing a loss.
func (s *Stream) report(t *Table, lost int64, place Place) {
	if lost > s.reported {
		unit := hypotheses[s.key.Kind][s.best].unit
		s.set.lost[place][unit].Add(uint64(lost - s.reported))
		t.lost[place][unit].Add(uint64(lost - s.reported))
		s.reported = lost
	}
}

// Sweep settles what has waited for long, makes losses of what was missing at
// the last sweep and still is, and lets go of streams that had no datagram for
// an hour. place is where what is lost now is taken to be lost. With all, all
// that is missing is a loss. It is to be called once a second or so.
func (t *Table) Sweep(nowNs int64, place Place, all bool) {
	t.place.Store(uint32(place))
	// In pieces: a worker with a new stream is not to wait for all of it.
	const piece = 1024
	for i := 0; ; {
		t.mu.Lock()
		for end := i + piece; i < end; i++ {
			if i >= len(t.all) {
				t.mu.Unlock()
				return
			}
			st := t.all[i]
			if st.sweep(t, nowNs, place, all) {
				t.evict(st) // another takes its place, and its turn at the next sweep
			}
		}
		t.mu.Unlock()
	}
}

// sweep reports whether the stream is to be let go of.
func (s *Stream) sweep(t *Table, nowNs int64, place Place, all bool) (idle bool) {
	s.lock()
	defer s.unlock()
	if s.waiting != nil && (all || nowNs-s.lastNs >= holdNs) {
		s.settle(t, false)
		if s.waiting != nil && t.waiting.Load() > t.mostWaiting/2 {
			s.giveUp(t) // others need the room
		}
	}
	missing := min(s.lost, s.lastLost)
	if all {
		missing = s.lost
	}
	s.report(t, missing, s.overRestart(place, nowNs))
	s.setClockOff(s.skewed(nowNs))
	if s.lastLost == s.lost && s.gaps != nil && nowNs-s.lastNs >= gapNs {
		s.dropGaps(t)
	}
	s.lastLost = s.lost
	return nowNs-s.lastNs >= idleNs
}

// Release lets go of all streams of the set, after they have reported.
func (s *Set) Release(t *Table) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := s.index.Load()
	if x == nil {
		return
	}
	for i := range x.slots { // x stays as it is when the index is created again
		if st := x.slots[i].Load(); st != nil && st != tombstone {
			t.evict(st)
		}
	}
}

// Counts are what a set's streams reported.
type Counts struct {
	// Lost counts what is missing, by where and in which unit.
	Lost [NumPlaces][NumUnits]uint64
	// Reordered, Duplicates and Restarts count datagrams.
	Reordered, Duplicates, Restarts uint64
}

// Add adds o to c.
func (c *Counts) Add(o *Counts) {
	for p := range c.Lost {
		for u := range c.Lost[p] {
			c.Lost[p][u] += o.Lost[p][u]
		}
	}
	c.Reordered += o.Reordered
	c.Duplicates += o.Duplicates
	c.Restarts += o.Restarts
}

// Counts returns what the streams of the set reported, those that have gone too.
func (s *Set) Counts() (c Counts) {
	for p := range s.lost {
		for u := range s.lost[p] {
			c.Lost[p][u] = s.lost[p][u].Load()
		}
	}
	c.Reordered, c.Duplicates, c.Restarts = s.reordered.Load(), s.duplicates.Load(), s.restarts.Load()
	return c
}

// Take returns the same and sets the set's counters to zero.
func (s *Set) Take() (c Counts) {
	for p := range s.lost {
		for u := range s.lost[p] {
			c.Lost[p][u] = s.lost[p][u].Swap(0)
		}
	}
	c.Reordered, c.Duplicates, c.Restarts = s.reordered.Swap(0), s.duplicates.Swap(0), s.restarts.Swap(0)
	return c
}

// Put adds to the set's counters.
func (s *Set) Put(c *Counts) {
	for p := range c.Lost {
		for u := range c.Lost[p] {
			s.lost[p][u].Add(c.Lost[p][u])
		}
	}
	s.reordered.Add(c.Reordered)
	s.duplicates.Add(c.Duplicates)
	s.restarts.Add(c.Restarts)
}

// Info describes a stream.
type Info struct {
	Key Key
	// CountsBy is the habit, Unknown if none has proven itself; Unit is what it
	// counts.
	CountsBy string
	Unit     Unit
	// Observations were made, from FirstNs to LastNs, in Unix nanoseconds.
	Observations    uint64
	FirstNs, LastNs int64
	// SkewNs is how far the exporter's clock was ahead of ours at the last
	// datagram. HasSkew: the protocol has a clock.
	SkewNs  int64
	HasSkew bool
	// Lost is what was reported; Reordered, Duplicates and Restarts count what
	// was seen; Strays are numbers that fit nowhere.
	Lost                                    uint64
	Reordered, Duplicates, Restarts, Strays uint64
	// Rate is the sampling rate that was named last, 0 for none.
	Rate uint32
	// Next is the number after the highest seen.
	Next uint32
}

// Streams returns what is known about the set's streams, in no order.
func (s *Set) Streams() []Info {
	x := s.index.Load()
	if x == nil {
		return nil
	}
	var list []Info
	for i := range x.slots {
		st := x.slots[i].Load()
		if st == nil || st == tombstone {
			continue
		}
		st.lock()
		if !st.gone {
			list = append(list, st.info())
		}
		st.unlock()
	}
	return list
}

func (s *Stream) info() Info {
	n := Info{
		Key: s.key, CountsBy: Unknown, Observations: s.observations,
		FirstNs: s.firstNs, LastNs: s.lastNs, SkewNs: s.skewNs,
		HasSkew: s.hasClock(),
		Lost:    uint64(s.reported), Reordered: s.reordered, Duplicates: s.duplicates,
		Restarts: s.restarts, Strays: s.strays, Rate: s.rate, Next: s.expected,
	}
	if hy := &hypotheses[s.key.Kind][s.best]; s.proven {
		n.CountsBy, n.Unit = hy.name, hy.unit
	}
	return n
}
