package template

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
	"sync/atomic"
)

// A Domain holds the templates of one Key, and what its options data said. All
// methods may be called by any goroutine; those that read take no lock.
type Domain[C comparable] struct {
	store   *Store[C] // nil in a tombstone
	key     Key
	ids     atomic.Pointer[idTable[C]] // replaced as a whole when it grows
	account *account[C]                // its address's; set once, before anyone finds the domain

	// Guarded by the store's lock.
	used     int  // slots of ids that are taken, by withdrawn templates too
	gone     bool // not in the store any more
	restored bool // what was saved of it is loaded

	// What is asked of each domain that might be evicted is in one cache line.

	// When a data set was decoded, first and last, in Unix nanoseconds; 0 for
	// never. Written by any worker.
	firstUse, lastUse atomic.Int64
	// Guarded by the store's lock.
	place place[C] // in the order of eviction
	mates mates[C] // in the list of its account

	sampling Sampling

	// Guarded by the store's lock.
	kinds  [numKinds]kind[C] // templates that are not withdrawn
	bytes  int64             // of the templates, as if none were shared, and of ids
	beside beside[C]         // the same domain of other ports

	split *atomic.Bool // of its neighbours; not changed once the domain can be found

	// first is the table that ids begins with: most domains need no other, and a flood
	// of new ones pays for one allocation less.
	first      idTable[C]
	firstSlots [minIDs]idSlot[C]
}

// kind is the templates of a domain that are withdrawn together: a list through
// Template.prev and Template.next.
type kind[C comparable] struct {
	first, last *Template[C] // made last, made first
	n           int
}

const (
	plainKind = iota
	optionsKind
	numKinds
)

// kindOf returns the kind of options templates or of others.
func (d *Domain[C]) kindOf(options bool) *kind[C] {
	if options {
		return &d.kinds[optionsKind]
	}
	return &d.kinds[plainKind]
}

// live returns the number of templates that are not withdrawn.
func (d *Domain[C]) live() int { return d.kinds[plainKind].n + d.kinds[optionsKind].n }

// idTable is an open-addressed hash table of templates by id. A slot that is
// taken stays with its id: a change stores another template in it, a withdrawal
// nil. Readers need no lock.
//
// A look-up, a change and a withdrawal cost O(1), however many templates there
// are. The table is copied when it is full, or has shrunk to a sixteenth; as
// many changes paid for that. Withdrawing all templates of a kind costs O(1) per
// template.
type idTable[C comparable] struct {
	mask  uint32
	shift uint8  // 32 less the bits of mask
	mul   uint32 // odd, and unknown to those who choose the ids
	slots []idSlot[C]
}

// idSlot is a slot of an idTable. A writer stores template before id.
type idSlot[C comparable] struct {
	id       atomic.Uint32 // 0 while the slot is empty: template ids begin at 256
	template atomic.Pointer[Template[C]]
}

// minIDs is the number of slots that a table begins with.
const minIDs = 8

// newIDTable returns a table of size slots, a power of two.
func newIDTable[C comparable](size int, mul uint32) *idTable[C] {
	t := idTableOf(make([]idSlot[C], size), mul)
	return &t
}

// idTableOf returns an empty table of slots, a power of two of them.
func idTableOf[C comparable](slots []idSlot[C], mul uint32) idTable[C] {
	size := len(slots)
	return idTable[C]{
		mask:  uint32(size - 1),
		shift: uint8(32 - bits.Len32(uint32(size-1))),
		mul:   mul,
		slots: slots,
	}
}

// bytes returns the memory of the table beyond that of the smallest, which is a
// part of a domain's.
func (t *idTable[C]) bytes() int64 { return slotCost * int64(len(t.slots)-minIDs) }

// find returns the template with the id, or nil.
func (t *idTable[C]) find(id uint16) *Template[C] {
	s, taken := t.slot(id)
	if !taken { // a writer may be about to take it for another id
		return nil
	}
	return s.template.Load()
}

// slot returns the slot of the id, or the empty one that it would take.
func (t *idTable[C]) slot(id uint16) (s *idSlot[C], taken bool) {
	for i := uint32(id) * t.mul >> t.shift; ; i++ {
		s := &t.slots[i&t.mask]
		switch s.id.Load() {
		case uint32(id):
			return s, true
		case 0:
			return s, false
		}
	}
}

// insert stores t, and reports whether that took an empty slot.
func (t *idTable[C]) insert(tpl *Template[C]) bool {
	s, taken := t.slot(tpl.ID)
	s.template.Store(tpl)
	if !taken {
		s.id.Store(uint32(tpl.ID))
	}
	return !taken
}

// Key returns the domain's key.
func (d *Domain[C]) Key() Key { return d.key }

// Sampling returns what the domain's options data announced.
func (d *Domain[C]) Sampling() *Sampling { return &d.sampling }

// Template returns the template with the id, or nil. It takes no lock and
// does not allocate.
func (d *Domain[C]) Template(id uint16) *Template[C] { return d.ids.Load().find(id) }

// useStep is how old the time of a last use may be, in nanoseconds: it is not
// written more often.
const useStep = int64(1e6)

// Used counts a data set that was decoded by t, with so many records, at nowNs.
func (d *Domain[C]) Used(t *Template[C], records int, nowNs int64) {
	t.usage.records.Add(uint64(records))
	if due(&t.usage.used, nowNs) {
		t.usage.used.Store(nowNs)
	}
	if due(&d.lastUse, nowNs) {
		if d.firstUse.Load() == 0 {
			d.firstUse.Store(nowNs)
		}
		d.lastUse.Store(nowNs)
		d.hear(nowNs)
	}
}

// Touch begins to fetch what Used writes, for who will call it soon.
func (d *Domain[C]) Touch() { d.lastUse.Load() }

// Touch is the same for the template.
func (t *Template[C]) Touch() { t.usage.records.Load() }

// due says whether a time is to be moved on.
func due(at *atomic.Int64, nowNs int64) bool {
	last := at.Load()
	return nowNs-last >= useStep || nowNs < last-useStep
}

// LastUsedNs returns when a data set of the domain was decoded last, in Unix
// nanoseconds; 0 for never.
func (d *Domain[C]) LastUsedNs() int64 { return d.lastUse.Load() }

// Templates returns the domain's templates in the order of their ids.
func (d *Domain[C]) Templates() []*Template[C] {
	ids := d.ids.Load()
	var all []*Template[C]
	for i := range ids.slots {
		if t := ids.slots[i].template.Load(); t != nil {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *Template[C]) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// A Change says what Put or Withdraw did.
type Change uint8

// What a definition did to the domain.
const (
	Unchanged Change = iota // an identical re-announcement
	Added
	Replaced
	Withdrawn // count in the caller's hands: withdrawals of nothing too
	Refused   // with a Fault
	// Moved: nothing yet. The domain is no longer in the store; the caller asks the
	// store for another.
	Moved
)

// Put stores the template that def describes, received at nowNs (Unix
// nanoseconds) from the source port. An identical re-announcement changes
// nothing. A withdrawal removes. A definition that can be no template, since it has
// too many fields or none that has bytes, is ignored: the one in force stays, as for any
// definition that is malformed. One for which there is no room removes what it would have
// replaced: the exporter's next records are not of the old form. A redefinition needs no
// new place, and templates that are not used make room for it, so that this is rare.
// def's views are copied.
func (d *Domain[C]) Put(def *Definition, port uint16, nowNs int64) (Change, Fault) {
	if def.Withdrawal {
		return d.withdraw(def), FaultNone
	}
	if t := d.Template(def.ID); t != nil && t.same(def) {
		t.seen(port, nowNs)
		d.hear(nowNs)
		return Unchanged, FaultNone
	}
	s := d.store
	s.tidy()
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.gone {
		return Moved, FaultNone
	}
	old := d.Template(def.ID)
	if old != nil && old.same(def) { // another worker was first
		old.seen(port, nowNs)
		return Unchanged, FaultNone
	}
	d.hear(nowNs)
	return d.put(def, old, port, nowNs)
}

// put is Put of what is no withdrawal, and other than old, which may be nil. The
// store is locked.
func (d *Domain[C]) put(def *Definition, old *Template[C], port uint16, nowNs int64) (Change, Fault) {
	s := d.store
	if def.fields > s.limits.FieldsPerTemplate {
		return Refused, FaultTemplateFields
	}
	if old == nil && d.live() >= s.limits.TemplatesPerDomain && !d.makeRoom(nil, nowNs) {
		return Refused, FaultTemplateLimit
	}
	t, fault := New[C](def)
	if fault != FaultNone {
		return Refused, fault
	}
	t.Compiled = s.compile(t)
	if fault = d.admit(t, old, nowNs); fault != FaultNone {
		d.remove(old)
		return Refused, fault
	}
	t.seen(port, nowNs)
	if old != nil {
		t.usage.announced.Add(old.usage.announced.Load())
	}
	d.publish(t, old)
	if old != nil {
		return Replaced, FaultNone
	}
	s.news.add(s.base(&d.key), t.ID)
	return Added, FaultNone
}

// admit looks whether there is room for t in the place of old, which may be nil,
// and makes it. The store is locked.
func (d *Domain[C]) admit(t, old *Template[C], nowNs int64) Fault {
	growth, more := d.growth(t.ID), t.cost()
	if old != nil {
		more -= old.cost()
	}
	for d.bytes+more+growth > d.store.limits.Bytes/domainShare {
		if !d.makeRoom(old, nowNs) {
			return FaultTemplateBytes
		}
		growth = d.growth(t.ID) // the table may have shrunk
	}
	if !d.store.room(d.store.price(t)+growth, d, &d.key.Exporter, 0, nowNs) {
		return FaultTemplateBytes
	}
	return FaultNone
}

// makeRoom removes the template of the domain that is of least use, but not keep: of the
// next few of the kind of which there are more, in the order in which they were made, the
// first that never decoded a data set, or did not for an hour. It reports whether there
// is one. Forged templates do not keep out those of the exporter. The store is locked.
func (d *Domain[C]) makeRoom(keep *Template[C], nowNs int64) bool {
	k := &d.kinds[plainKind]
	if d.kinds[optionsKind].n > k.n {
		k = &d.kinds[optionsKind]
	}
	for range min(candidates, k.n) {
		t := k.last
		if used := t.LastUsedNs(); t != keep && (used == 0 || nowNs-used > kept) {
			d.store.totals.EvictedTemplates++
			d.remove(t)
			return true
		}
		k.remove(t)
		k.add(t)
	}
	return false
}

// publish puts t in the place of old, which may be nil. The store is locked.
func (d *Domain[C]) publish(t, old *Template[C]) {
	d.store.hold(t)
	d.charge(t.cost())
	d.kindOf(t.Options).add(t)
	d.store.totals.Templates++
	if old != nil {
		d.forget(old)
	}
	if d.full(t.ID) {
		d.resize(d.roomy())
	}
	if d.ids.Load().insert(t) {
		d.used++
	}
	d.store.changes.Add(1)
}

func (k *kind[C]) add(t *Template[C]) {
	t.prev, t.next = nil, k.first
	if k.first != nil {
		k.first.prev = t
	} else {
		k.last = t
	}
	k.first = t
	k.n++
}

func (k *kind[C]) remove(t *Template[C]) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		k.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		k.last = t.prev
	}
	t.prev, t.next = nil, nil // a reader that holds t holds no other by it
	k.n--
}

// full says whether the table has no room for the id.
func (d *Domain[C]) full(id uint16) bool {
	ids := d.ids.Load()
	_, taken := ids.slot(id)
	return !taken && 4*(d.used+1) > 3*len(ids.slots)
}

// roomy returns the size of a table with room for twice the templates that there
// are.
func (d *Domain[C]) roomy() int {
	size := minIDs
	for size < 3*(d.live()+1) {
		size *= 2
	}
	return size
}

// growth returns how many bytes the table would grow by with the id.
func (d *Domain[C]) growth(id uint16) int64 {
	if !d.full(id) {
		return 0
	}
	// One more than roomy has: what is put there counts by then.
	size := minIDs
	for size < 3*(d.live()+2) {
		size *= 2
	}
	return max(slotCost*int64(size-len(d.ids.Load().slots)), 0)
}

// resize makes a table of the templates that are not withdrawn. The store is
// locked.
func (d *Domain[C]) resize(size int) {
	old := d.ids.Load()
	ids := newIDTable[C](size, d.store.mul)
	d.used = 0
	for i := range old.slots {
		if t := old.slots[i].template.Load(); t != nil {
			ids.insert(t)
			d.used++
		}
	}
	d.charge(ids.bytes() - old.bytes())
	d.store.totals.Bytes += ids.bytes() - old.bytes()
	d.ids.Store(ids)
}

func (t *Template[C]) same(def *Definition) bool {
	return t.Options == def.Options && bytes.Equal(t.raw, def.Raw)
}

// remove takes a template, which may be nil, out of the table. The store is
// locked.
func (d *Domain[C]) remove(t *Template[C]) {
	if t == nil {
		return
	}
	d.forget(t)
	d.clear(t.ID)
}

// clear takes an id that is in the table out of it. The store is locked.
func (d *Domain[C]) clear(id uint16) {
	s, _ := d.ids.Load().slot(id)
	s.template.Store(nil)
	if size := len(d.ids.Load().slots); size > minIDs && sparse*d.live() < size {
		d.resize(d.roomy())
	}
	d.store.changes.Add(1)
}

// sparse is how many slots a template may have.
const sparse = 16

// forget takes a template out of the accounts. The store is locked.
func (d *Domain[C]) forget(t *Template[C]) {
	d.store.letGo(t)
	d.charge(-t.cost())
	d.kindOf(t.Options).remove(t)
	d.store.totals.Templates--
}

// withdraw removes the template of def's id, or all of its kind for the ids
// 2 and 3 (RFC 7011 section 8.1).
func (d *Domain[C]) withdraw(def *Definition) Change {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	if d.gone {
		return Withdrawn // with all that it had
	}
	if def.ID >= 256 {
		d.remove(d.Template(def.ID))
		return Withdrawn
	}
	for k := d.kindOf(def.ID == 3); k.first != nil; {
		d.remove(k.first)
	}
	return Withdrawn
}
