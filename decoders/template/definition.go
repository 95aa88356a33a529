package template

import "encoding/binary"

// VariableLength is the field length that says that each record carries the
// field's own length (RFC 7011 section 7).
const VariableLength = 0xffff

// Versions of the protocol that a template belongs to, as in the version word
// of its messages.
const (
	V9    = 9
	IPFIX = 10
)

// A Field is one field specifier of a template.
type Field struct {
	// ID is the information element's number, without the enterprise bit.
	// For a v9 scope field it is the scope type (RFC 3954 section 6.1).
	ID uint16
	// Length is the field's length in bytes, or VariableLength.
	Length uint16
	// PEN is the enterprise number, 0 for IANA's own elements. Always 0 in
	// v9, whose field numbers above 32767 are plain numbers.
	PEN uint32
	// Scope marks a scope field of an options template.
	Scope bool
}

// A Definition is one template record on the wire, or a withdrawal.
type Definition struct {
	// ID is the template id.
	ID uint16
	// Version is V9 or IPFIX.
	Version uint16
	// Options tells an options template from a data template.
	Options bool
	// Withdrawal marks an IPFIX template withdrawal (RFC 7011 section 8.1);
	// ID 2 or 3 withdraws all (options) templates.
	Withdrawal bool
	// Raw is the record on the wire, header included: a view into the
	// message.
	Raw []byte

	specs  []byte // field specifiers, a view
	fields int    // number of field specifiers
	scopes int    // how many of them are scope fields
}

// Definitions walks the template records of one template set or options
// template set. Not for concurrent use.
type Definitions struct {
	rest    []byte
	version uint16
	options bool

	// Def is the current definition; its slices are views into the message.
	Def Definition
	// Fault is what the last call of Next found wrong with a record that it
	// skipped, or with the end of the set.
	Fault Fault
}

// Init starts the walk over the body of a set of the version's template or
// options template kind.
func (d *Definitions) Init(body []byte, version uint16, options bool) {
	*d = Definitions{rest: body, version: version, options: options}
}

// Next advances to the next template record. It returns false at the end of
// the set. A record with a fault that has a known length is reported with ok
// false, and the walk goes on.
func (d *Definitions) Next() (more, ok bool) {
	d.Fault = FaultNone
	if len(d.rest) < 4 {
		return false, false // padding
	}
	if binary.BigEndian.Uint32(d.rest) == 0 {
		// Zeros to the end are padding. Anything behind zeros cannot be
		// told from garbage; looking at it only once keeps the walk linear.
		if !allZero(d.rest) {
			d.Fault = FaultTemplateID
		}
		d.rest = nil
		return d.Fault != FaultNone, false
	}
	switch {
	case d.version == V9 && d.options:
		return d.nextV9Options()
	default:
		return d.nextRecord()
	}
}

// nextRecord reads a v9 or IPFIX template record, or an IPFIX options
// template record (RFC 3954 section 5.2, RFC 7011 sections 3.4.1, 3.4.2.2).
func (d *Definitions) nextRecord() (more, ok bool) {
	b := d.rest
	id := binary.BigEndian.Uint16(b)
	count := int(binary.BigEndian.Uint16(b[2:]))
	d.Def = Definition{ID: id, Version: d.version, Options: d.options}
	if count == 0 {
		d.rest = b[4:]
		d.Def.Raw = b[:4]
		if d.version == IPFIX && (id >= 256 || id == 2 || id == 3) {
			d.Def.Withdrawal = true
			return true, true
		}
		d.Fault = FaultTemplateEmpty
		return true, false
	}
	pos := 4
	if d.options {
		if len(b) < 6 {
			return d.truncated()
		}
		d.Def.scopes = int(binary.BigEndian.Uint16(b[4:]))
		pos = 6
	}
	start := pos
	for i := 0; i < count; i++ {
		if len(b)-pos < 4 {
			return d.truncated()
		}
		size := 4
		if d.version == IPFIX && b[pos]&0x80 != 0 {
			size = 8
		}
		if len(b)-pos < size {
			return d.truncated()
		}
		pos += size
	}
	d.rest = b[pos:]
	d.Def.Raw = b[:pos]
	d.Def.specs = b[start:pos]
	d.Def.fields = count
	return true, d.check()
}

// nextV9Options reads a v9 options template record (RFC 3954 section 6.1),
// whose lengths count bytes of field specifiers.
func (d *Definitions) nextV9Options() (more, ok bool) {
	b := d.rest
	if len(b) < 6 {
		return d.truncated()
	}
	scopeLen := int(binary.BigEndian.Uint16(b[2:]))
	optionLen := int(binary.BigEndian.Uint16(b[4:]))
	d.Def = Definition{ID: binary.BigEndian.Uint16(b), Version: V9, Options: true}
	end := 6 + scopeLen + optionLen
	if end > len(b) {
		return d.truncated()
	}
	d.rest = b[end:]
	d.Def.Raw = b[:end]
	if scopeLen%4 != 0 || optionLen%4 != 0 {
		d.Fault = FaultTemplateScope
		return true, false
	}
	d.Def.specs = b[6:end]
	d.Def.fields = (scopeLen + optionLen) / 4
	d.Def.scopes = scopeLen / 4
	return true, d.check()
}

func (d *Definitions) truncated() (more, ok bool) {
	d.rest = nil
	d.Fault = FaultTemplateTruncated
	return true, false
}

// check says whether the record, whose bytes are all there, can be a
// template.
func (d *Definitions) check() bool {
	def := &d.Def
	switch {
	case def.ID < 256:
		d.Fault = FaultTemplateID
	case def.fields == 0:
		d.Fault = FaultTemplateEmpty
	case def.scopes > def.fields:
		d.Fault = FaultTemplateScope
	}
	return d.Fault == FaultNone
}

// decode returns the definition's field specifiers. It allocates: templates
// are made rarely.
func (d *Definition) decode() []Field {
	fields := make([]Field, 0, d.fields)
	for b := d.specs; len(b) >= 4; {
		f := Field{
			ID:     binary.BigEndian.Uint16(b),
			Length: binary.BigEndian.Uint16(b[2:]),
			Scope:  len(fields) < d.scopes,
		}
		b = b[4:]
		if d.Version == IPFIX && f.ID&0x8000 != 0 {
			f.ID &= 0x7fff
			f.PEN = binary.BigEndian.Uint32(b)
			b = b[4:]
		}
		fields = append(fields, f)
	}
	return fields
}
