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
	next      atomic.Int64       // when its next datagram is due by the rate limit, in Unix ns
	override  *producer.Override // sampling rates of the configuration, or nil
	protocols atomic.Uint32      // a bit for each that was seen
	gone      atomic.Bool        // evicted: what is counted has to be handed on
	streams   sequence.Set

	addr       netip.Addr
	failed     atomic.Uint64
	incomplete atomic.Uint64
	limited    atomic.Uint64
	expired    atomic.Uint64 // data sets that waited for their template in vain

	watched

	_ [40]byte // a whole number of cache lines
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
	// Sequence is what its sequence numbers tell.
	Sequence sequence.Counts
}

func (e *Exporter) stats() ExporterStats {
	return ExporterStats{
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
	// SilentAfter is after how long without a datagram an exporter counts as
	// silent; 0 for never.
	SilentAfter time.Duration
	// Sampling are the sampling rates that the configuration sets.
	Sampling []SamplingRule
	// Logger is told of new, silent and returning exporters; nil for nobody.
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
	sampling *samplingRules
	table    *sequence.Table
	notices  *notices
	watch    watch

	overflowed atomic.Uint64 // look-ups that found no room
	evicted    atomic.Uint64

	mu    sync.RWMutex
	all   map[netip.Addr]*Exporter
	slots []*Exporter // by number; nil where one was evicted
	free  []int       // numbers of those
}

// MaxStreams is how many sequences of numbers are followed beside so many
// exporters.
func MaxStreams(exporters int) int { return max(sequence.DefaultStreams, 2*exporters) }

// NewExporters returns an empty table with defaults.
func NewExporters() *Exporters { return NewExporterTable(ExportersConfig{}) }

// NewExporterTable returns an empty table.
func NewExporterTable(cfg ExportersConfig) *Exporters {
	if cfg.Max == 0 {
		cfg.Max = DefaultMaxExporters
	}
	return &Exporters{
		other:    &Exporter{},
		limit:    cfg.Max,
		cfg:      cfg,
		sampling: newSamplingRules(cfg.Sampling),
		table:    sequence.NewTable(MaxStreams(cfg.Max)),
		notices:  newNotices(cfg.Logger),
		all:      map[netip.Addr]*Exporter{},
	}
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
	e = &Exporter{addr: addr, override: t.sampling.of(addr)}
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

const (
	// candidates is how many exporters are looked at to find one that makes room,
	// and useless how many of them that never sent a record are enough.
	candidates, useless = 32, 4
)

// makeRoom evicts the least useful of a few exporters, if there is one that may
// be. The table is locked.
func (t *Exporters) makeRoom(nowNs int64) bool {
	var worst *Exporter
	var worth worth
	found := 0
	for i := 0; i < min(candidates, len(t.slots)) && found < useless; i++ {
		e := t.slots[i]
		if len(t.slots) > candidates {
			e = t.slots[rand.IntN(len(t.slots))]
		}
		if e == nil {
			continue
		}
		w := e.worth(nowNs)
		if worst == nil || w.less(worth) {
			worst, worth = e, w
		}
		if w.class == classUseless {
			found++
		}
	}
	if worst == nil || worth.class == classLive {
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
// the zero Addr. An exporter that is in the sum never leaves it.
func (t *Exporters) Stats(limit int) (first []ExporterStats, other ExporterStats) {
	// Nobody is to hand on what it counted meanwhile. Workers wait for the lock
	// only to add an exporter.
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := min(limit, len(t.slots))
	first = make([]ExporterStats, 0, n)
	for _, e := range t.slots[:n] {
		if e != nil {
			first = append(first, e.stats())
		}
	}
	other = t.other.stats()
	for _, e := range t.slots[n:] {
		if e != nil {
			s := e.stats()
			other.add(&s)
		}
	}
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

// TableStats says how full the table is.
type TableStats struct {
	// Exporters have entries of their own; Max is how many may.
	Exporters, Max int
	// Evicted made room for others; Overflowed counts look-ups that found none.
	Evicted, Overflowed uint64
	// New, Silent and Returned count exporters that began to send, ended, and
	// began again.
	New, Silent, Returned uint64
	// SilentNow is how many are silent at present.
	SilentNow int
	// Streams are those of sequence numbers.
	Streams sequence.Stats
}

// TableStats returns how full the table is.
func (t *Exporters) TableStats() TableStats {
	return TableStats{
		Exporters: t.Len(), Max: t.limit,
		Evicted: t.evicted.Load(), Overflowed: t.overflowed.Load(),
		New: t.watch.fresh.Load(), Silent: t.watch.silent.Load(), Returned: t.watch.returned.Load(),
		SilentNow: int(t.watch.silentNow.Load()),
		Streams:   t.table.Stats(),
	}
}
