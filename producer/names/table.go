package names

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// Kind is what a name is of.
type Kind uint8

// Kinds.
const (
	Interface   Kind = iota // by index
	VRF                     // by VRF id
	Application             // by application id, as the field application_id has it
	Sampler                 // by sampler or selector id
	SamplerMode             // by the same
	// NumKinds is the number of kinds.
	NumKinds = int(iota)
)

var kindNames = [NumKinds]string{"interface", "vrf", "application", "sampler", "sampler_mode"}

// String returns the kind's name, as options, metrics and the file of state have it.
func (k Kind) String() string { return kindNames[k] }

// Kinds are sets of kinds, by bit.
type Kinds uint8

// Has tells whether a kind is in the set.
func (s Kinds) Has(k Kind) bool { return s>>k&1 != 0 }

// With returns the set with a kind added.
func (s Kinds) With(k Kind) Kinds { return s | 1<<k }

// ParseKind returns the kind of that name.
func ParseKind(name string) (Kind, bool) {
	i := slices.Index(kindNames[:], name)
	return Kind(max(i, 0)), i >= 0
}

// Key is an observation domain of an exporter.
type Key struct {
	Exporter [16]byte // IPv4 mapped
	Domain   uint32
	// Port is the source port where several exporters behind one address send as the same
	// domain (template.Domain.Split), else 0.
	Port    uint16
	Version uint16
}

// MaxName bounds the bytes of a name; longer ones are cut.
const MaxName = 255

// What entries are charged, in bytes; a name costs its length too. TestMemory of
// internal/collector compares what a full table is charged with what is live.
const (
	domainBytes = 1 << 10
	nameBytes   = 128
)

// DefaultBytes is the usual room of a table, leastBytes what an address may have of it in
// any case while there is room, and freeShare the part of the free room that it may have,
// the reciprocal.
const (
	DefaultBytes = 32 << 20
	leastBytes   = 64 << 10
	freeShare    = 8
)

// Table holds the names of all domains. All methods may be called by any goroutine. Find
// takes no lock and does not allocate; neither does Learn for a name that is known.
//
// Find and Learn cost O(1), amortised for the growth of a domain's table. With the table
// full, the least recently announced of a few domains makes room if it was announced more than
// an hour ago; else nothing is learned, and Refused counts it.
type Table struct {
	limit int64
	seed  maphash.Seed
	mul   uint64
	heads []atomic.Pointer[Domain] // hash chains through Domain.next, a power of two

	refused atomic.Uint64
	changes atomic.Uint64 // of domains and names
	counts  [NumKinds]atomic.Int64

	mu    sync.Mutex // guards writing
	all   []*Domain  // in no order; Domain.at is the index
	used  int64
	owned map[[16]byte]int64 // bytes of an address
}

// NewTable returns an empty table of so many bytes.
func NewTable(limit int64) *Table {
	heads := 1 << bits.Len64(uint64(limit/domainBytes/2)) // chains of 2 at most, on average
	t := &Table{
		limit: limit, seed: maphash.MakeSeed(), owned: map[[16]byte]int64{},
		heads: make([]atomic.Pointer[Domain], heads), used: int64(heads) * 8,
	}
	t.mul = maphash.Comparable(t.seed, 0) | 1
	return t
}

// head returns the chain that a key belongs to.
func (t *Table) head(key *Key) *atomic.Pointer[Domain] {
	return &t.heads[maphash.Comparable(t.seed, *key)&uint64(len(t.heads)-1)]
}

// Changes returns a number that is another after anything changed.
func (t *Table) Changes() uint64 { return t.changes.Load() }

// Refused returns how many names found no room.
func (t *Table) Refused() uint64 { return t.refused.Load() }

// Len returns how many names of a kind there are.
func (t *Table) Len(k Kind) int { return int(t.counts[k].Load()) }

// Find returns a domain, nil if nothing was learned of it. It takes no lock and does not
// allocate.
func (t *Table) Find(key *Key) *Domain {
	for d := t.head(key).Load(); d != nil; d = d.next.Load() {
		if d.key == *key {
			return d
		}
	}
	return nil
}

// Each calls f for each domain, in no particular order.
func (t *Table) Each(f func(*Domain)) {
	t.mu.Lock()
	list := slices.Clone(t.all)
	t.mu.Unlock()
	for _, d := range list {
		f(d)
	}
}

// Learn notes the name of id at a time in Unix nanoseconds. The name is copied; an empty
// one says nothing. It reports false if there is no room.
func (t *Table) Learn(key *Key, k Kind, id uint64, name []byte, nowNs int64) bool {
	name = name[:min(len(name), MaxName)]
	if len(name) == 0 {
		return true
	}
	if d := t.Find(key); d != nil {
		d.seen.Store(nowNs)
		if bytes.Equal(d.Name(k, id), name) {
			return true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d, ok := t.domain(key, nowNs)
	if !ok {
		return false
	}
	old := d.Name(k, id)
	cost := int64(len(name) - len(old))
	if old == nil {
		cost += nameBytes
	}
	if !t.charge(key, cost, nowNs) {
		return false
	}
	if old == nil {
		t.counts[k].Add(1)
	}
	d.charged += cost
	d.put(k, id, bytes.Clone(name), t.mul)
	t.changes.Add(1)
	return true
}

// Count notes a number that the exporter counted itself.
func (t *Table) Count(key *Key, c Counter, n uint64, nowNs int64) bool {
	d := t.Find(key)
	if d == nil {
		t.mu.Lock()
		var ok bool
		d, ok = t.domain(key, nowNs)
		t.mu.Unlock()
		if !ok {
			return false
		}
	}
	d.seen.Store(nowNs)
	d.counters[c].Store(n)
	d.counted.Or(1 << c)
	return true
}

// domain returns a domain, which is made if need be. t.mu is held.
func (t *Table) domain(key *Key, nowNs int64) (*Domain, bool) {
	if d := t.Find(key); d != nil {
		return d, true
	}
	if !t.charge(key, domainBytes, nowNs) {
		return nil, false
	}
	d := &Domain{key: *key, charged: domainBytes, at: len(t.all)}
	d.seen.Store(nowNs)
	t.all = append(t.all, d)
	head := t.head(key)
	d.next.Store(head.Load())
	head.Store(d)
	t.changes.Add(1)
	return d, true
}

// charge takes bytes for a domain, if there are as many. t.mu is held.
func (t *Table) charge(key *Key, n, nowNs int64) bool {
	own := t.owned[key.Exporter]
	if t.used+n > t.limit && !t.makeRoom(key, nowNs) || t.used+n > t.limit || n > 0 && own+n > max((t.limit-t.used)/freeShare, leastBytes) {
		t.refused.Add(1)
		return false
	}
	t.used += n
	t.owned[key.Exporter] = own + n
	return true
}

// candidates is how many domains are looked at to find one that makes room, staleNs how
// old it has to be.
const candidates, staleNs = 16, int64(3600e9)

// makeRoom evicts a domain that was not announced for long. t.mu is held.
func (t *Table) makeRoom(but *Key, nowNs int64) bool {
	var oldest *Domain
	for range min(candidates, len(t.all)) {
		d := t.all[rand.IntN(len(t.all))]
		if d.key != *but && (oldest == nil || d.seen.Load() < oldest.seen.Load()) {
			oldest = d
		}
	}
	if oldest == nil || nowNs-oldest.seen.Load() < staleNs {
		return false
	}
	t.unlink(oldest)
	t.used -= oldest.charged
	if t.owned[oldest.key.Exporter] -= oldest.charged; t.owned[oldest.key.Exporter] <= 0 {
		delete(t.owned, oldest.key.Exporter)
	}
	for k := range t.counts {
		t.counts[k].Add(-int64(oldest.Len(Kind(k))))
	}
	t.changes.Add(1)
	return true
}

// unlink removes a domain from its chain and the list. Readers that are at it continue
// along the chain. t.mu is held.
func (t *Table) unlink(d *Domain) {
	at := t.head(&d.key)
	for at.Load() != d {
		at = &at.Load().next
	}
	at.Store(d.next.Load())
	last := len(t.all) - 1
	t.all[d.at], t.all[last].at = t.all[last], d.at
	t.all[last] = nil
	t.all = t.all[:last]
}

// Domain holds the names of one domain. Its methods may be called by any goroutine, and
// take no lock.
type Domain struct {
	key      Key
	seen     atomic.Int64 // when it was announced last
	counted  atomic.Uint32
	counters [NumCounters]atomic.Uint64
	names    [NumKinds]atomic.Pointer[slots]
	lens     [NumKinds]atomic.Int64
	next     atomic.Pointer[Domain] // in the chain; written under the table's mu
	charged  int64                  // guarded by the table's mu, as at is
	at       int
}

// Key returns the domain's key.
func (d *Domain) Key() Key { return d.key }

// SeenNs returns when the domain was announced last, in Unix nanoseconds.
func (d *Domain) SeenNs() int64 { return d.seen.Load() }

// Len returns how many names of a kind the domain has.
func (d *Domain) Len(k Kind) int { return int(d.lens[k].Load()) }

// Name returns the name of id, nil if it is not known. It is never changed.
func (d *Domain) Name(k Kind, id uint64) []byte {
	t := d.names[k].Load()
	if t == nil {
		return nil
	}
	_, name := t.find(id)
	return name
}

// Entry is a name.
type Entry struct {
	ID   uint64
	Name string
}

// Names returns the names of a kind in the order of their ids.
func (d *Domain) Names(k Kind) (list []Entry) {
	t := d.names[k].Load()
	if t == nil {
		return nil
	}
	for i := range t.all {
		if name := t.all[i].name.Load(); name != nil {
			list = append(list, Entry{t.all[i].id.Load(), string(*name)})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Counter returns a number that the exporter counted itself; false if it never said it.
func (d *Domain) Counter(c Counter) (uint64, bool) {
	return d.counters[c].Load(), d.counted.Load()>>c&1 != 0
}

// put notes a name. The table's mu is held: there is one writer.
func (d *Domain) put(k Kind, id uint64, name []byte, mul uint64) {
	t := d.names[k].Load()
	used := int(d.lens[k].Load())
	if t == nil || 4*(used+1) > 3*len(t.all) {
		t = t.grown(mul)
		d.names[k].Store(t)
	}
	s, old := t.find(id)
	if old == nil {
		s.id.Store(id)
		d.lens[k].Add(1)
	}
	s.name.Store(&name)
}
