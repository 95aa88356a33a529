package producer

// CustomType is the type of a field that a mapping adds to the messages.
type CustomType uint8

// Types of added fields.
const (
	// CustomVarint is an unsigned integer of up to 64 bits.
	CustomVarint CustomType = iota + 1
	// CustomBytes is a string of bytes, on the wire the same as CustomString.
	CustomBytes
	// CustomString is a text, or any string of bytes.
	CustomString
)

// customField is a field that a mapping adds. It is immutable.
type customField struct {
	name   string
	number int
	varint bool // else a string of bytes
	array  bool
	tag    []byte // as it is written
}

func newCustomField(c *Custom) *customField {
	f := &customField{name: c.Name, number: int(c.Number), varint: c.Type == CustomVarint, array: c.Array}
	wire := uint64(wireBytes)
	if f.varint {
		wire = wireVarint
	}
	f.tag = appendVarint(nil, uint64(c.Number)<<3|wire)
	return f
}

// customValue is one value of an added field. bytes is a view into the datagram
// or into the producer's scratch memory.
type customValue struct {
	field *customField
	num   uint64
	bytes []byte
}

// setCustom notes a value: one more of a list, else the only one.
func (f *Flow) setCustom(v customValue) {
	if !v.field.array {
		for i := range f.custom {
			if f.custom[i].field == v.field {
				f.custom[i] = v
				return
			}
		}
	}
	f.custom = append(f.custom, v)
}

// firstCustom returns the first value of the field at or after place i, and
// its place; nil if there is none.
func (f *Flow) firstCustom(field *customField, i int) (*customValue, int) {
	for ; i < len(f.custom); i++ {
		if f.custom[i].field == field {
			return &f.custom[i], i
		}
	}
	return nil, i
}

// appendCustom appends the added fields of a protobuf message. They are written
// where they were met, zero too; lists are not packed.
func appendCustom(b []byte, values []customValue) []byte {
	for i := range values {
		v := &values[i]
		b = append(b, v.field.tag...)
		if v.field.varint {
			b = appendVarint(b, v.num)
			continue
		}
		b = appendVarint(b, uint64(len(v.bytes)))
		b = append(b, v.bytes...)
	}
	return b
}

// customLen bounds the length of what appendCustom appends.
func customLen(values []customValue) int {
	n := 0
	for i := range values {
		n += 5 + 10 + len(values[i].bytes)
	}
	return n
}
