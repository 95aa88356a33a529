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
type Domain struct {
	store    *Store // nil in a tombstone
	key      Key
	parent   *Domain                 // the domain without the port that this one was split off; nil for none
	split    atomic.Bool             // ports have domains of their own beside this one
	ids      atomic.Pointer[idTable] // replaced as a whole when it grows
	sampling Sampling

	// When a data set was decoded, first and last, in Unix nanoseconds; 0 for
	// never. Written by any worker.
	firstUse, lastUse atomic.Int64

	// Guarded by the store's lock.
	used     int   // slots of ids that are taken, by withdrawn templates too
	plain    int   // templates that are not withdrawn
	opts     int   // options templates that are not withdrawn
	bytes    int64 // of the templates, as if none were shared
	children int   // domains whose parent this one is
	gone     bool  // not in the store any more
	restored bool  // what was saved of it is loaded
}

// idTable is an open-addressed hash table of templates by id. A slot once
// taken stays with its id: a change stores another template in it, a
// withdrawal a marker. So readers need no lock, and a change costs the same
// however many templates there are.
type idTable struct {
	mask  uint32
	shift uint8  // 32 less the bits of mask
	mul   uint32 // odd, and unknown to those who choose the ids
	slots []atomic.Pointer[Template]
}

// minIDs is the number of slots that a table begins with.
const minIDs = 8

// newIDTable returns a table of size slots, a power of two.
func newIDTable(size int, mul uint32) *idTable {
	return &idTable{
		mask:  uint32(size - 1),
		shift: uint8(32 - bits.Len32(uint32(size-1))),
		mul:   mul,
		slots: make([]atomic.Pointer[Template], size),
	}
}

// slot returns the slot of the id, or the empty one that it would take.
func (t *idTable) slot(id uint16) *atomic.Pointer[Template] {
	for i := uint32(id) * t.mul >> t.shift; ; i++ {
		s := &t.slots[i&t.mask]
		if have := s.Load(); have == nil || have.ID == id {
			return s
		}
	}
}

// Key returns the domain's key.
func (d *Domain) Key() Key { return d.key }

// Sampling returns what the domain's options data announced.
func (d *Domain) Sampling() *Sampling { return &d.sampling }

// Template returns the template with the id, or nil. It takes no lock and
// does not allocate.
func (d *Domain) Template(id uint16) *Template {
	for {
		if t := d.ids.Load().slot(id).Load(); t != nil && !t.gone {
			return t
		}
		if d.parent == nil {
			return nil
		}
		d = d.parent
	}
}

// own is Template without what the parent knows.
func (d *Domain) own(id uint16) *Template {
	if t := d.ids.Load().slot(id).Load(); t != nil && !t.gone {
		return t
	}
	return nil
}

// has says whether there is a template with the id.
func (t *idTable) has(id uint16) bool {
	have := t.slot(id).Load()
	return have != nil && !have.gone
}

// useStep is how old the time of a last use may be, in nanoseconds: it is not
// written more often.
const useStep = int64(1e6)

// Used counts a data set that was decoded by t, with so many records, at nowNs.
func (d *Domain) Used(t *Template, records int, nowNs int64) {
	t.usage.records.Add(uint64(records))
	if due(&t.usage.used, nowNs) {
		t.usage.used.Store(nowNs)
	}
	if due(&d.lastUse, nowNs) {
		if d.firstUse.Load() == 0 {
			d.firstUse.Store(nowNs)
		}
		d.lastUse.Store(nowNs)
	}
}

// Touch begins to fetch what Used writes, for who will call it soon.
func (d *Domain) Touch() { d.lastUse.Load() }

// Touch is the same for the template.
func (t *Template) Touch() { t.usage.records.Load() }

// due says whether a time is to be moved on.
func due(at *atomic.Int64, nowNs int64) bool {
	last := at.Load()
	return nowNs-last >= useStep || nowNs < last-useStep
}

// LastUsedNs returns when a data set of the domain was decoded last, in Unix
// nanoseconds; 0 for never.
func (d *Domain) LastUsedNs() int64 { return d.lastUse.Load() }

// Templates returns the domain's templates in the order of their ids.
func (d *Domain) Templates() []*Template {
	ids := d.ids.Load()
	var all []*Template
	for i := range ids.slots {
		if t := ids.slots[i].Load(); t != nil && !t.gone {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *Template) int { return cmp.Compare(a.ID, b.ID) })
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
	// Moved: nothing yet. The definition belongs to another domain; the
	// caller asks the store for it.
	Moved
)

// Put stores the template that def describes, received at nowNs (Unix
// nanoseconds) from the source port. An identical re-announcement changes
// nothing. A withdrawal removes. A definition that is refused removes what it
// would have replaced: the exporter's next records are not of the old form.
// def's views are copied.
func (d *Domain) Put(def *Definition, port uint16, nowNs int64) (Change, Fault) {
	if def.Withdrawal {
		return d.withdraw(def), FaultNone
	}
	if t := d.own(def.ID); t != nil && t.same(def) {
		t.seen(port, nowNs)
		return Unchanged, FaultNone
	}
	s := d.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.gone || d.split.Load() && port != 0 {
		return Moved, FaultNone
	}
	old := d.own(def.ID)
	if old != nil && old.same(def) { // another worker was first
		old.seen(port, nowNs)
		return Unchanged, FaultNone
	}
	if old != nil && d.conflict(old, port) {
		d.splitUp(old, nowNs)
		return Moved, FaultNone
	}
	return d.put(def, old, port, nowNs)
}

// put is Put of what is no withdrawal, and other than old, which may be nil. The
// store is locked.
func (d *Domain) put(def *Definition, old *Template, port uint16, nowNs int64) (Change, Fault) {
	s := d.store
	if def.fields > s.limits.FieldsPerTemplate {
		d.remove(old)
		return Refused, FaultTemplateFields
	}
	if old == nil && d.plain+d.opts >= s.limits.TemplatesPerDomain {
		return Refused, FaultTemplateLimit
	}
	t, fault := New(def)
	if fault == FaultNone {
		t.Compiled = s.compile(t)
		fault = d.admit(t, old, nowNs)
	}
	if fault != FaultNone {
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
func (d *Domain) admit(t, old *Template, nowNs int64) Fault {
	more := t.cost()
	if old != nil {
		more -= old.cost()
	}
	if d.bytes+more > d.store.limits.Bytes/domainShare {
		return FaultTemplateBytes
	}
	if !d.store.room(d.store.price(t), d, nowNs) {
		return FaultTemplateBytes
	}
	return FaultNone
}

// publish puts t in the place of old, which may be nil. The store is locked.
func (d *Domain) publish(t, old *Template) {
	d.store.hold(t)
	d.bytes += t.cost()
	*d.count(t)++
	d.store.totals.Templates++
	if old != nil {
		d.forget(old)
	}
	ids := d.ids.Load()
	slot := ids.slot(t.ID)
	if slot.Load() == nil {
		if 4*(d.used+1) > 3*len(ids.slots) {
			ids = d.rebuild()
			slot = ids.slot(t.ID)
		}
		d.used++
	}
	slot.Store(t)
	d.store.changes.Add(1)
}

// count returns the counter that t is in.
func (d *Domain) count(t *Template) *int {
	if t.Options {
		return &d.opts
	}
	return &d.plain
}

// rebuild makes a table of the templates that are not withdrawn, with room for
// as many again. The store is locked.
func (d *Domain) rebuild() *idTable {
	live := d.Templates()
	size := minIDs
	for size < 3*(len(live)+1) {
		size *= 2
	}
	ids := newIDTable(size, d.store.mul)
	for _, t := range live {
		ids.slot(t.ID).Store(t)
	}
	d.used = len(live)
	d.ids.Store(ids)
	return ids
}

func (t *Template) same(def *Definition) bool {
	return t.Options == def.Options && bytes.Equal(t.raw, def.Raw)
}

// remove takes a template, which may be nil, out of the table. The store is
// locked.
func (d *Domain) remove(t *Template) {
	if t == nil {
		return
	}
	d.forget(t)
	d.ids.Load().slot(t.ID).Store(&Template{ID: t.ID, gone: true})
	d.store.changes.Add(1)
}

// forget takes a template out of the accounts. The store is locked.
func (d *Domain) forget(t *Template) {
	d.store.letGo(t)
	d.bytes -= t.cost()
	*d.count(t)--
	d.store.totals.Templates--
}

// withdraw removes the template of def's id, or all of its kind for the ids
// 2 and 3 (RFC 7011 section 8.1).
func (d *Domain) withdraw(def *Definition) Change {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	if d.gone {
		return Withdrawn // with all that it had
	}
	if def.ID >= 256 {
		d.remove(d.own(def.ID))
		return Withdrawn
	}
	if def.ID == 2 && d.plain == 0 || def.ID == 3 && d.opts == 0 {
		return Withdrawn
	}
	for _, t := range d.Templates() {
		if t.Options == (def.ID == 3) {
			d.remove(t)
		}
	}
	d.rebuild()
	return Withdrawn
}
