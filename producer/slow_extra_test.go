package producer_test

import (
	"bytes"
	"math/big"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirflow/weir/producer/flowpb"
	"github.com/weirflow/weir/producer/schema"
)

// The oracle reads extra fields as the table of fields says: a new row is compared
// with it by all tests of the oracle.

// extraDescriptor returns the place of an extra field in the message.
func extraDescriptor(row *schema.Field) protoreflect.FieldDescriptor {
	return (*flowpb.FlowMessage)(nil).ProtoReflect().Descriptor().Fields().ByNumber(protoreflect.FieldNumber(row.Number))
}

// extras calls do for each extra field that the mapping leaves to weir.
func (s *slow) extras(do func(row *schema.Field, d protoreflect.FieldDescriptor)) {
	for i := range schema.Fields {
		if row := &schema.Fields[i]; row.Extra && !s.hides(row) {
			do(row, extraDescriptor(row))
		}
	}
}

// hides tells whether the mapping has a field of its own with the name or number.
func (s *slow) hides(row *schema.Field) bool {
	if s.mapping == nil {
		return false
	}
	for _, c := range s.mapping.Custom {
		if c.Name == row.Name || c.Number == uint32(row.Number) {
			return true
		}
	}
	return false
}

// extraElement puts an element into the extra fields that it fills.
func (s *slow) extraElement(field slowField, v []byte, f *flowpb.FlowMessage) {
	s.extras(func(row *schema.Field, d protoreflect.FieldDescriptor) {
		for _, e := range row.Elements {
			if e.ID == field.id && e.PEN == field.pen && len(v) > 0 {
				setExtra(row, d, &e, v, f)
			}
		}
	})
}

func setExtra(row *schema.Field, d protoreflect.FieldDescriptor, e *schema.Element, v []byte, f *flowpb.FlowMessage) {
	if e.Conv != schema.Plain {
		panic("the oracle does not know the conversion of " + e.Name)
	}
	switch {
	case row.Form == schema.Text:
		f.ProtoReflect().Set(d, protoreflect.ValueOfString(slowText(v)))
	case row.Kind == schema.Bytes:
		if len(v) == 4 || len(v) == 16 {
			f.ProtoReflect().Set(d, protoreflect.ValueOfBytes(v))
		}
	default:
		n := new(big.Int).SetBytes(v)
		if len(v) > 8 {
			return
		}
		n.Rsh(n, uint(e.Shift))
		if e.Bits > 0 {
			n.And(n, new(big.Int).SetUint64(1<<e.Bits-1))
		}
		setExtraNumber(row, d, n.Uint64(), f)
	}
}

func setExtraNumber(row *schema.Field, d protoreflect.FieldDescriptor, n uint64, f *flowpb.FlowMessage) {
	if row.Kind == schema.Uint32 {
		f.ProtoReflect().Set(d, protoreflect.ValueOfUint32(uint32(n)))
	} else {
		f.ProtoReflect().Set(d, protoreflect.ValueOfUint64(n))
	}
}

// slowText cuts zeros from the end and replaces each byte that is no UTF-8.
func slowText(v []byte) string { return string([]rune(strings.TrimRight(string(v), "\x00"))) }

// extraRecord puts the members of a record of a flow sample into the extra fields
// that they fill first.
func (s *slow) extraRecord(word uint32, b []byte, f *flowpb.FlowMessage) {
	record := schema.RecordByWord(word)
	if record == nil {
		return
	}
	r := slowReader{b: b}
	for _, m := range record.Members {
		var n uint64
		var v []byte
		switch m.Type {
		case schema.XDRUint32:
			n = uint64(r.u32())
		case schema.XDRUint64:
			n = uint64(r.u32()) << 32
			n |= uint64(r.u32())
		case schema.XDRAddress:
			var ok bool
			if v, ok = r.xdrAddress(); !ok {
				return
			}
		case schema.XDROpaque:
			size := int(r.u32())
			if r.short || size > len(r.b) {
				return
			}
			v = r.bytes(size)
			r.pad(size)
		}
		if r.short {
			return
		}
		s.extras(func(row *schema.Field, d protoreflect.FieldDescriptor) {
			for _, src := range row.SFlow {
				if src.Record != word || src.Member != m.Name || f.ProtoReflect().Has(d) {
					continue
				}
				switch {
				case row.Form == schema.Text:
					f.ProtoReflect().Set(d, protoreflect.ValueOfString(slowText(v)))
				case row.Kind == schema.Bytes:
					f.ProtoReflect().Set(d, protoreflect.ValueOfBytes(v))
				default:
					setExtraNumber(row, d, n, f)
				}
			}
		})
	}
}

// extraMembers are the members of JSON of the extra fields that have a value.
func extraMembers(f *flowpb.FlowMessage) (all []member) {
	for i := range schema.Fields {
		row := &schema.Fields[i]
		if !row.Extra || !f.ProtoReflect().Has(extraDescriptor(row)) {
			continue
		}
		v := f.ProtoReflect().Get(extraDescriptor(row))
		m := member{key: row.Name}
		switch row.Form {
		case schema.Text:
			m.value = v.String()
		case schema.Address:
			m.value = address(v.Bytes())
		case schema.MAC:
			m.value = mac(v.Uint())
		default:
			m.value = number(v.Uint())
		}
		all = append(all, m)
	}
	return all
}

// settled returns what a message is after it was written and read: a field that a
// mapping adds may have the number of one of weir's.
func settled(f *flowpb.FlowMessage) *flowpb.FlowMessage {
	b, err := proto.Marshal(f)
	if err != nil {
		panic(err)
	}
	m := new(flowpb.FlowMessage)
	if err := proto.Unmarshal(bytes.Clone(b), m); err != nil {
		panic(err)
	}
	return m
}
