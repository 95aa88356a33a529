package collector

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/producer"
)

// DefaultMaxExporters bounds the table that source addresses, which anyone can
// forge, make entries of.
const DefaultMaxExporters = 100_000

// An Exporter counts what came from one source address. Its counters are
// written by the workers that receive from it, as a rule one, and may be read
// by any goroutine.
type Exporter struct {
	// What each datagram needs is in one cache line: up to where the streams are.
	lastSeen  atomic.Int64
	datagrams atomic.Uint64
	bytes     atomic.Uint64
	records   atomic.Uint64
	next      atomic.Int64                      // when its next datagram is due by the rate limit, in Unix ns
	override  atomic.Pointer[producer.Override] // sampling rates of the configuration, or nil
	protocols atomic.Uint32                     // a bit for each that was seen
	gone      atomic.Bool                       // evicted: what is counted has to be handed on
	streams   sequence.Set

	addr       netip.Addr
	born       uint64 // how many were added before it
	failed     atomic.Uint64
	incomplete atomic.Uint64
	limited    atomic.Uint64
	expired    atomic.Uint64 // data sets that waited for their template in vain

	watched

	ignored [producer.NumIgnored]atomic.Uint64 // elements that were passed over, by kind

	_ [24]byte // with the runtime's header of 8 bytes, a whole number of cache lines
}

func (e *Exporter) count(size int, res *producer.Result, nowNs int64) {
	e.datagrams.Add(1)
	e.bytes.Add(uint64(size))
	if res.Records > 0 {
		e.records.Add(uint64(res.Records))
	}
	switch {
	case res.Held: // counted when it is known
	case !res.Decoded:
		e.failed.Add(1)
	case res.Reason != producer.ReasonNone:
		e.incomplete.Add(1)
	}
	if bit := uint32(1) << res.Protocol; e.protocols.Load()&bit == 0 {
		e.protocols.Or(bit)
	}
	e.lastSeen.Store(nowNs)
}

// ExporterStats is a copy of an exporter's counters.
type ExporterStats struct {
	// Addr is the source address, the zero Addr for all that the table has
	// no room for.
	Addr netip.Addr
	// LastSeenNs is the receive time of the last datagram, in Unix
	// nanoseconds.
	LastSeenNs int64
	// Datagrams and Bytes were received.
	Datagrams, Bytes uint64
	// Records were produced.
	Records uint64
	// Failed datagrams gave nothing; in Incomplete ones some piece was
	// wrong.
	Failed, Incomplete uint64
	// Limited datagrams were dropped by the rate limit, on the UDP path. They
	// are not in Datagrams.
	Limited uint64
	// Expired data sets waited for a template that did not come.
	Expired uint64
	// Ignored counts the elements of its records that are passed over, by kind.
	Ignored [producer.NumIgnored]uint64
	// Sequence is what its sequence numbers tell.
	Sequence sequence.Counts
}

func (e *Exporter) stats() ExporterStats {
	s := ExporterStats{
		Addr:       e.addr,
		LastSeenNs: e.lastSeen.Load(),
		Datagrams:  e.datagrams.Load(),
		Bytes:      e.bytes.Load(),
		Records:    e.records.Load(),
		Failed:     e.failed.Load(),
		Incomplete: e.incomplete.Load(),
		Limited:    e.limited.Load(),
		Expired:    e.expired.Load(),
		Sequence:   e.streams.Counts(),
	}
	for kind := range s.Ignored {
		s.Ignored[kind] = e.ignored[kind].Load()
	}
	return s
}

// ignore counts the elements that a datagram's records have for nothing.
func (e *Exporter) ignore(t *producer.Tally) {
	if t.Ignored == [producer.NumIgnored]uint64{} {
		return
	}
	for kind, n := range t.Ignored {
		e.ignored[kind].Add(n)
	}
}

// add adds o's counters to s.
func (s *ExporterStats) add(o *ExporterStats) {
	s.Datagrams += o.Datagrams
	s.Bytes += o.Bytes
	s.Records += o.Records
	s.Failed += o.Failed
	s.Incomplete += o.Incomplete
	s.Limited += o.Limited
	s.Expired += o.Expired
	for kind, n := range o.Ignored {
		s.Ignored[kind] += n
	}
	s.Sequence.Add(&o.Sequence)
	s.LastSeenNs = max(s.LastSeenNs, o.LastSeenNs)
}

// handOn adds what e counts to another and sets it to zero. It may be called
// again for what was counted meanwhile.
func (e *Exporter) handOn(to *Exporter) {
	to.datagrams.Add(e.datagrams.Swap(0))
	to.bytes.Add(e.bytes.Swap(0))
	to.records.Add(e.records.Swap(0))
	to.failed.Add(e.failed.Swap(0))
	to.incomplete.Add(e.incomplete.Swap(0))
	to.limited.Add(e.limited.Swap(0))
	to.expired.Add(e.expired.Swap(0))
	for kind := range e.ignored {
		to.ignored[kind].Add(e.ignored[kind].Swap(0))
	}
	counts := e.streams.Take()
	to.streams.Put(&counts)
	if seen := e.lastSeen.Load(); seen > to.lastSeen.Load() {
		to.lastSeen.Store(seen)
	}
}

// ExportersConfig says how a table of exporters works. What is zero has a
// default.
type ExportersConfig struct {
	// Max is the number of exporters that have entries of their own.
	Max int
	// Named is how many of them have metrics of their own: the limit that Stats is
	// called with. 0 leaves it to the order in which they came.
	Named int
	// SilentAfter is after how long without a datagram an exporter counts as
	// silent; 0 for never.
	SilentAfter time.Duration
	// Sampling are the sampling rates that the configuration sets.
	Sampling []SamplingRule
	// Templates is asked which addresses several exporters share; nil for nobody.
	Templates *producer.TemplateStore
	// Logger is told about new exporters and rates that change; nil for nobody.
	Logger *slog.Logger
}

// Exporters is the table of source addresses. All methods may be called by any
// goroutine. Workers look an address up when they meet it first.
//
// Once the table is full, a new exporter takes the place of the least useful one
// of a few: one that never sent a record, or has not for long. One that has sent
// records for minutes is left alone as long as it does; where there are only
// such, new ones share an entry. Lookup and insertion are
// O(1). Eviction is amortized O(1): it also removes the exporter's streams, and each of
// these was inserted once. The counts of an evicted exporter are added to that entry:
// sums over all never decrease.
type Exporters struct {
	other    *Exporter
	limit    int
	cfg      ExportersConfig
	sampling *samplingRules // under mu
	// silentAfter is SilentAfter of cfg, which a reload changes.
	silentAfter atomic.Int64
	named       atomic.Int64 // likewise Named
	table       *sequence.Table
	notices     *notices
	watch       watch

	overflowed atomic.Uint64 // look-ups that found no room
	evicted    atomic.Uint64

	mu    sync.RWMutex
	all   map[netip.Addr]*Exporter
	slots []*Exporter // by number; nil where one was evicted
	free  []int       // numbers of those
	born  uint64      // exporters that were ever added
	// walk is the walk of Stats that is under way, or nil.
	walk *walk

	walking sync.Mutex // one Stats at a time; taken before mu
}

// walk goes through the slots in pieces, so that workers can add exporters meanwhile.
type walk struct {
	born   uint64        // the first exporter that is left to the next walk: an address is met once
	next   int           // the first slot that it has not come to
	missed ExporterStats // of exporters that were evicted before it came to them
}

// walkPiece is how many slots are looked at with the table locked.
const walkPiece = 128

// MaxStreams is how many sequences of numbers are followed for so many
// exporters.
func MaxStreams(exporters int) int { return max(sequence.DefaultStreams, 2*exporters) }

// NewExporters returns an empty table with defaults.
func NewExporters() *Exporters { return NewExporterTable(ExportersConfig{}) }

// NewExporterTable returns an empty table.
func NewExporterTable(cfg ExportersConfig) *Exporters {
	if cfg.Max == 0 {
		cfg.Max = DefaultMaxExporters
	}
	t := &Exporters{
		other:    &Exporter{},
		limit:    cfg.Max,
		cfg:      cfg,
		sampling: newSamplingRules(cfg.Sampling),
		table:    sequence.NewTable(MaxStreams(cfg.Max)),
		notices:  newNotices(cfg.Logger),
		all:      map[netip.Addr]*Exporter{},
	}
	t.silentAfter.Store(int64(cfg.SilentAfter))
	t.named.Store(int64(cfg.Named))
	return t
}

// Get returns the exporter with that address. Where the table has no room, new
// addresses share one.
func (t *Exporters) Get(addr netip.Addr) *Exporter {
	t.mu.RLock()
	e, ok := t.all[addr]
	t.mu.RUnlock()
	if ok {
		return e
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := t.all[addr]; ok {
		return e
	}
	if len(t.all) >= t.limit && !t.makeRoom(time.Now().UnixNano()) {
		t.overflowed.Add(1)
		return t.other
	}
	e = &Exporter{addr: addr, born: t.born}
	e.override.Store(t.sampling.of(addr))
	t.born++
	t.all[addr] = e
	if n := len(t.free); n > 0 {
		e.slot = t.free[n-1]
		t.free = t.free[:n-1]
		t.slots[e.slot] = e
	} else {
		e.slot = len(t.slots)
		t.slots = append(t.slots, e)
	}
	return e
}

// SetSampling replaces the sampling rates that the configuration sets. They count from the
// next datagram of each exporter on.
func (t *Exporters) SetSampling(rules []SamplingRule) {
	sampling := newSamplingRules(rules)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sampling = sampling
	for addr, e := range t.all {
		e.override.Store(sampling.of(addr))
	}
}

// SetSilentAfter changes after how long without a datagram an exporter counts as silent;
// 0 turns that off. Exporters that are silent and would not be by the new value stop being
// silent at the next Sweep, and do not count as returned.
func (t *Exporters) SetSilentAfter(d time.Duration) { t.silentAfter.Store(int64(d)) }

// SetNamed changes how many exporters have metrics of their own: ExportersConfig.Named.
func (t *Exporters) SetNamed(n int) { t.named.Store(int64(n)) }

const (
	// candidates is how many exporters are looked at to find one that makes room,
	// and useless how many of them that never sent a record are enough.
	candidates, useless = 32, 4
	// atOnce is how many are fetched from memory at a time: a part of candidates.
	atOnce = 8
)

// makeRoom evicts the least useful of a few exporters, if there is one that may
// be. The table is locked.
func (t *Exporters) makeRoom(nowNs int64) bool {
	var worst *Exporter
	var least worth
	found := 0
	for looked := 0; looked < candidates && found < useless; looked += atOnce {
		var few [atOnce]*Exporter
		for i := range few {
			at := looked + i
			if len(t.slots) > candidates {
				at = rand.IntN(len(t.slots))
			}
			if at < len(t.slots) {
				few[i] = t.slots[at]
			}
		}
		// Nothing of them is in the caches: what they are worth is read of all before two
		// are compared, so that the processor waits for several at a time.
		var worths [atOnce]worth
		for i, e := range few {
			if e != nil {
				worths[i] = e.worth(nowNs)
			}
		}
		for i, e := range few {
			if e == nil {
				continue
			}
			w := worths[i]
			if worst == nil || w.less(least) {
				worst, least = e, w
			}
			if w.class == classUseless {
				found++
			}
		}
	}
	if worst == nil || least.class == classLive {
		return false
	}
	t.evict(worst)
	return true
}

// evict takes an exporter out of the table. The table is locked.
func (t *Exporters) evict(e *Exporter) {
	delete(t.all, e.addr)
	t.slots[e.slot] = nil
	t.free = append(t.free, e.slot)
	if t.walk != nil && e.slot >= t.walk.next && e.born < t.walk.born {
		s := e.stats()
		t.walk.missed.add(&s)
	}
	e.gone.Store(true)
	e.streams.Release(t.table)
	e.handOn(t.other)
	t.evicted.Add(1)
}

// settle hands on what a worker counted in an exporter that was evicted
// meanwhile.
func (t *Exporters) settle(e *Exporter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.streams.Release(t.table)
	e.handOn(t.other)
}

// Len returns how many exporters have entries of their own.
func (t *Exporters) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.all)
}

// Stats returns the counters of the exporters with the first limit entries, as
// a rule those that were first seen, and the sum of all others, whose Addr is
// the zero Addr. What was counted in the sum never leaves it.
// Workers that add an exporter wait for a piece of the walk at most. The sum is that of the
// beginning and what was counted since, as far as the walk saw it: it never decreases.
func (t *Exporters) Stats(limit int) (first []ExporterStats, other ExporterStats) {
	t.walking.Lock()
	defer t.walking.Unlock()
	t.mu.Lock()
	w := &walk{born: t.born}
	t.walk = w
	other = t.other.stats()
	slots := len(t.slots)
	t.mu.Unlock()
	first = make([]ExporterStats, 0, min(limit, slots))
	for w.next < slots {
		t.mu.Lock()
		for end := min(w.next+walkPiece, slots); w.next < end; w.next++ {
			e := t.slots[w.next]
			if e == nil || e.born >= w.born {
				continue
			}
			s := e.stats()
			if w.next < limit {
				first = append(first, s)
			} else {
				other.add(&s)
			}
		}
		t.mu.Unlock()
	}
	t.mu.Lock()
	t.walk = nil
	t.mu.Unlock()
	other.add(&w.missed)
	return first, other
}

// Others returns the counters of all that have no entry of their own.
func (t *Exporters) Others() ExporterStats {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.other.stats()
}

// Has reports whether an exporter has an entry of its own.
func (t *Exporters) Has(addr netip.Addr) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.all[addr]
	return ok
}

// Lost returns what is missing by the sequence numbers of all exporters, by where and in
// which unit. It never decreases.
func (t *Exporters) Lost() [sequence.NumPlaces][sequence.NumUnits]uint64 { return t.table.Lost() }

// TableStats says how full the table is.
type TableStats struct {
	// Exporters have entries of their own; Max is how many may.
	Exporters, Max int
	// Evicted made room for others; Overflowed counts look-ups that found none.
	Evicted, Overflowed uint64
	// New, Silent and Returned count exporters that began to send, ended, and
	// began again.
	New, Silent, Returned uint64
	// SilentNow is how many are silent at present; ClockOff how many have a clock that is
	// more than a minute from ours.
	SilentNow, ClockOff int
	// Streams are those of sequence numbers.
	Streams sequence.Stats
}

// TableStats returns how full the table is.
func (t *Exporters) TableStats() TableStats {
	return TableStats{
		Exporters: t.Len(), Max: t.limit,
		Evicted: t.evicted.Load(), Overflowed: t.overflowed.Load(),
		New: t.watch.fresh.Load(), Silent: t.watch.silent.Load(), Returned: t.watch.returned.Load(),
		SilentNow: t.Troubles().Silent, ClockOff: t.Troubles().ClockOff,
		Streams: t.table.Stats(),
	}
}

// The exporters of the first slots have metrics of their own (ExportersConfig.Named). A
// thousand forged sources would take them all, and for ever: so an exporter that has sent
// records for minutes takes the slot of one that has not.
const (
	// namedCandidates is how many of the first slots are looked at for it, and
	// namedTries how often that is done in a sweep.
	namedCandidates, namedTries = 8, 256
)

// name gives an exporter that is in use one of the first slots, if it has none and one of
// a few is of an exporter that is not established. What the exporter has counted so far
// stays in the sum of the others, and it counts from zero: so no sum decreases. It
// reports whether it looked for a slot. The table is locked.
func (t *Exporters) name(e *Exporter, nowNs int64) (looked bool) {
	named := min(int(t.named.Load()), len(t.slots))
	// A walk of Stats would meet those that change places twice, or never.
	if e.slot < named || named == 0 || t.walk != nil || e.worth(nowNs).class != classLive {
		return false
	}
	var least worth
	at := -1
	for range namedCandidates {
		i := rand.IntN(named)
		if t.slots[i] == nil {
			continue // a new exporter will have it
		}
		if w := t.slots[i].worth(nowNs); w.class < classGone && (at < 0 || w.less(least)) {
			at, least = i, w
		}
	}
	if at < 0 {
		return true
	}
	e.handOn(t.other)
	e.records0, e.marks = 0, [marks]mark{{atNs: nowNs}}
	other := t.slots[at]
	t.slots[e.slot], t.slots[at] = other, e
	e.slot, other.slot = at, e.slot
	return true
}
