package collector

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/weirflow/weir/producer"
)

// maxExporters bounds the table that source addresses, which anyone can forge,
// make entries of.
const maxExporters = 100_000

// An Exporter counts what came from one source address. Its counters are
// written by the workers that receive from it, as a rule one, and may be read
// by any goroutine.
type Exporter struct {
	addr       netip.Addr
	lastSeen   atomic.Int64
	datagrams  atomic.Uint64
	bytes      atomic.Uint64
	records    atomic.Uint64
	failed     atomic.Uint64
	incomplete atomic.Uint64
	limited    atomic.Uint64
	expired    atomic.Uint64 // data sets that waited for their template in vain
	next       atomic.Int64  // when its next datagram is due by the rate limit, in Unix ns
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
	}
}

// Exporters is the table of source addresses. All methods may be called by any
// goroutine. Workers look an address up when they meet it first.
type Exporters struct {
	other *Exporter
	limit int

	mu    sync.RWMutex
	all   map[netip.Addr]*Exporter
	order []*Exporter // as they were first seen
}

// NewExporters returns an empty table.
func NewExporters() *Exporters {
	return &Exporters{
		other: &Exporter{},
		limit: maxExporters,
		all:   map[netip.Addr]*Exporter{},
	}
}

// Get returns the exporter with that address. Once the table is full, all new
// addresses share one.
func (t *Exporters) Get(addr netip.Addr) *Exporter {
	t.mu.RLock()
	e, ok := t.all[addr]
	full := len(t.all) >= t.limit
	t.mu.RUnlock()
	if ok {
		return e
	}
	if full {
		return t.other
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := t.all[addr]; ok {
		return e
	}
	if len(t.all) >= t.limit {
		return t.other
	}
	e = &Exporter{addr: addr}
	t.all[addr] = e
	t.order = append(t.order, e)
	return e
}

// Len returns how many exporters have entries of their own.
func (t *Exporters) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.order)
}

// Stats returns the counters of the first limit exporters in the order in
// which they were first seen, and the sum of all others, whose Addr is the
// zero Addr.
func (t *Exporters) Stats(limit int) (first []ExporterStats, other ExporterStats) {
	t.mu.RLock()
	order := t.order
	t.mu.RUnlock()
	n := min(limit, len(order))
	first = make([]ExporterStats, n)
	for i, e := range order[:n] {
		first[i] = e.stats()
	}
	other = t.other.stats()
	for _, e := range order[n:] {
		s := e.stats()
		other.Datagrams += s.Datagrams
		other.Bytes += s.Bytes
		other.Records += s.Records
		other.Failed += s.Failed
		other.Incomplete += s.Incomplete
		other.Limited += s.Limited
		other.Expired += s.Expired
		other.LastSeenNs = max(other.LastSeenNs, s.LastSeenNs)
	}
	return first, other
}
