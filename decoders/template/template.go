package template

import "bytes"

// A Template describes the records of the data sets that carry its id. It is
// immutable once published by a Domain, but for its usage counters, and may
// be read by any goroutine.
type Template[C comparable] struct {
	ID      uint16
	Version uint16
	// Options tells an options template, whose records are no flows.
	Options bool
	// Fields are the field specifiers in record order; the scope fields of
	// an options template come first.
	Fields []Field
	// Length is the length of each record in bytes, 0 if Variable.
	Length int
	// MinLength is the length of the shortest record that is possible.
	MinLength int
	// Variable says that at least one field has a variable length.
	Variable bool
	// Compiled is what the store's compile function made of the template.
	Compiled C
	// Shared says that Compiled and Fields serve other templates too. The
	// compile function sets it, with Fields.
	Shared bool

	raw []byte // the definition on the wire, to tell a change

	// walk are the fields of a variable template that have bytes. Each takes
	// at least one of a record's, which bounds the walk by the bytes.
	walk []Field

	// Neighbours among the templates of the domain that are withdrawn together;
	// guarded by the store's lock.
	prev, next *Template[C]

	usage usage
}

// LastSeenNs returns the receive time of the template's last announcement, in
// Unix nanoseconds.
func (t *Template[C]) LastSeenNs() int64 { return t.usage.seen.Load() }

// LastUsedNs returns the receive time of the last data set that was decoded by
// the template, within a millisecond, in Unix nanoseconds; 0 for none.
func (t *Template[C]) LastUsedNs() int64 { return t.usage.used.Load() }

// Records returns how many records were decoded by the template.
func (t *Template[C]) Records() uint64 { return t.usage.records.Load() }

// Port returns the source port of the last announcement.
func (t *Template[C]) Port() uint16 { return uint16(t.usage.port.Load()) }

// Raw returns the template record on the wire. It must not be written to.
func (t *Template[C]) Raw() []byte { return t.raw }

// Announced returns how often a template of the id was announced since the id was
// last withdrawn, or since the start.
func (t *Template[C]) Announced() uint64 { return t.usage.announced.Load() }

// seen notes an announcement.
func (t *Template[C]) seen(port uint16, nowNs int64) {
	t.usage.announced.Add(1)
	t.usage.seen.Store(nowNs)
	if t.usage.port.Load() != uint32(port) {
		t.usage.port.Store(uint32(port))
	}
}

// New makes the template that def describes, without a store. It reports
// FaultTemplateEmpty for a definition whose records would have no bytes.
func New[C comparable](def *Definition) (*Template[C], Fault) {
	t := &Template[C]{
		ID:      def.ID,
		Version: def.Version,
		Options: def.Options,
		Fields:  def.decode(),
		raw:     bytes.Clone(def.Raw),
	}
	for _, f := range t.Fields {
		if f.Length == VariableLength {
			t.Variable = true
			t.MinLength++
			continue
		}
		t.MinLength += int(f.Length)
	}
	if t.MinLength == 0 {
		return nil, FaultTemplateEmpty
	}
	if !t.Variable {
		t.Length = t.MinLength
		return t, FaultNone
	}
	for _, f := range t.Fields {
		if f.Length > 0 {
			t.walk = append(t.walk, f)
		}
	}
	return t, FaultNone
}
