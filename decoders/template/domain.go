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
	store    *Store
	key      Key
	ids      atomic.Pointer[idTable] // replaced as a whole when it grows
	sampling Sampling

	// Guarded by the store's lock.
	used  int // slots of ids that are taken, by withdrawn templates too
	plain int // templates that are not withdrawn
	opts  int // options templates that are not withdrawn
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
	t := d.ids.Load().slot(id).Load()
	if t == nil || t.gone {
		return nil
	}
	return t
}

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
)

// Put stores the template that def describes, received at nowNs (Unix
// nanoseconds). An identical re-announcement changes nothing. A withdrawal
// removes. A definition that is refused removes what it would have replaced:
// the exporter's next records are not of the old form. def's views are copied.
func (d *Domain) Put(def *Definition, nowNs int64) (Change, Fault) {
	if def.Withdrawal {
		d.withdraw(def)
		return Withdrawn, FaultNone
	}
	if t := d.Template(def.ID); t != nil && t.same(def) {
		t.lastSeenNs.Store(nowNs)
		t.announced.Add(1)
		return Unchanged, FaultNone
	}
	limits := &d.store.limits
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	old := d.Template(def.ID)
	if def.fields > limits.FieldsPerTemplate {
		d.remove(old)
		return Refused, FaultTemplateFields
	}
	if old != nil && old.same(def) { // another worker was first
		old.lastSeenNs.Store(nowNs)
		old.announced.Add(1)
		return Unchanged, FaultNone
	}
	if old == nil && d.plain+d.opts >= limits.TemplatesPerDomain {
		return Refused, FaultTemplateLimit
	}
	t, fault := New(def)
	if fault != FaultNone {
		d.remove(old)
		return Refused, fault
	}
	t.lastSeenNs.Store(nowNs)
	t.announced.Store(1)
	if old != nil {
		t.announced.Add(old.announced.Load())
	}
	t.Compiled = d.store.compile(t)
	d.publish(t, old)
	if old != nil {
		return Replaced, FaultNone
	}
	return Added, FaultNone
}

// publish puts t in the place of old, which may be nil. The store is locked.
func (d *Domain) publish(t, old *Template) {
	if old != nil {
		*d.count(old)--
	}
	*d.count(t)++
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
	if t != nil {
		*d.count(t)--
		d.ids.Load().slot(t.ID).Store(&Template{ID: t.ID, gone: true})
	}
}

// withdraw removes the template of def's id, or all of its kind for the ids
// 2 and 3 (RFC 7011 section 8.1).
func (d *Domain) withdraw(def *Definition) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	if def.ID >= 256 {
		d.remove(d.Template(def.ID))
		return
	}
	if def.ID == 2 && d.plain == 0 || def.ID == 3 && d.opts == 0 {
		return
	}
	ids := d.ids.Load()
	for i := range ids.slots {
		if t := ids.slots[i].Load(); t != nil && !t.gone && t.Options == (def.ID == 3) {
			*d.count(t)--
			ids.slots[i].Store(&Template{ID: t.ID, gone: true})
		}
	}
	d.rebuild()
}
