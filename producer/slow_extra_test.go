package producer_test

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirflow/weir/producer"
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

// extraElements puts the elements of a record into the extra fields that they fill: of
// those of the lowest rank the first one that has a value.
func (s *slow) extraElements(t *slowTemplate, values [][]byte, f *flowpb.FlowMessage) {
	directed, egress := slowDirection(t, values)
	s.extras(func(row *schema.Field, d protoreflect.FieldDescriptor) {
		type use struct {
			element schema.Element
			v       []byte
		}
		var uses []use
		best := 256
		for i, field := range t.fields {
			for _, e := range row.Elements {
				switch {
				case e.ID != field.id || e.PEN != field.pen || field.length == 0:
				case e.Length != 0 && e.Conv != schema.BasicList && field.length != -1 && field.length != int(e.Length):
				case e.Side == schema.Egress && !directed:
				default:
					best = min(best, int(e.Rank))
					uses = append(uses, use{e, values[i]})
				}
			}
		}
		count := 0
		for _, u := range uses {
			if int(u.element.Rank) == best {
				count++
			}
		}
		for _, u := range uses {
			other := u.element.Side == schema.Egress && !egress || u.element.Side == schema.Ingress && egress
			if int(u.element.Rank) != best || len(u.v) == 0 || other || count > 1 && !row.IsList() && slowHas(f, d) {
				continue
			}
			setExtra(row, d, &u.element, u.v, f)
		}
	})
	s.slowNAT(t, f)
}

// slowHas tells whether a field has a value; an address of zeros is none.
func slowHas(f *flowpb.FlowMessage, d protoreflect.FieldDescriptor) bool {
	if d.Kind() == protoreflect.BytesKind {
		return !isZero(f.ProtoReflect().Get(d).Bytes())
	}
	return f.ProtoReflect().Has(d)
}

// slowDirection returns whether records have a direction, and whether it is egress.
func slowDirection(t *slowTemplate, values [][]byte) (directed, egress bool) {
	for i, field := range t.fields {
		if field.pen == 0 && field.id == 61 && field.length != 0 {
			directed = true
			if n, ok := slowNumber(values[i]); ok && len(values[i]) > 0 {
				egress = n == 1
			}
		}
	}
	return directed, egress
}

// slowNAT adds what a template without natEvent shows of address translation.
func (s *slow) slowNAT(t *slowTemplate, f *flowpb.FlowMessage) {
	has := func(pen uint32, ids ...uint16) bool {
		return slices.ContainsFunc(t.fields, func(x slowField) bool {
			ok := x.length != 0 && x.pen == pen && (len(ids) == 0 || slices.Contains(ids, x.id))
			return ok && (x.id != 295 && x.id != 296 || x.length == 2 || x.length == -1)
		})
	}
	hidden := map[string]bool{}
	for i := range schema.Fields {
		hidden[schema.Fields[i].Name] = s.hides(&schema.Fields[i])
	}
	// What the mapping hides is not there.
	block := has(0, 361, 295) && !hidden["port_range_start"]
	if block && has(0, 364) && !hidden["port_range_ports"] && (!has(0, 362, 296) || hidden["port_range_end"]) && f.PortRangeStart != 0 && f.PortRangePorts != 0 {
		last := uint64(f.PortRangeStart) + uint64(f.PortRangePorts-1)*uint64(max(f.PortRangeStep, 1))
		if last < 65536 && !hidden["port_range_end"] {
			f.PortRangeEnd = uint32(last)
		}
	}
	switch {
	case hidden["nat_event"] || has(0, 230):
	case block:
		if f.PortRangeStart != 0 {
			f.NatEvent = 17
			if f.PortRangeEnd != 0 {
				f.NatEvent = 16
			}
		}
	case has(637) && has(0, 152) != has(0, 153) && !has(0, 1, 85, 352, 353, 231, 312, 190, 224, 23, 171, 417, 418):
		if f.NatEvent = 5; has(0, 152) {
			f.NatEvent = 4
		}
	}
}

func setExtra(row *schema.Field, d protoreflect.FieldDescriptor, e *schema.Element, v []byte, f *flowpb.FlowMessage) {
	n := new(big.Int).SetBytes(v)
	switch e.Conv {
	case schema.Application:
		if len(v) == 9 && v[1] == 0 {
			setExtraNumber(row, d, uint64(v[0])<<56|new(big.Int).SetBytes(v[2:]).Uint64(), f)
			return
		}
	case schema.Chosen:
		switch kinds := map[byte]uint64{1: 8, 2: 3}; e.Name {
		case "layer2SegmentId":
			if len(v) == 8 && kinds[v[0]] != 0 {
				setExtraNumber(row, d, kinds[v[0]], f)
			}
		case "tunnelType":
			kinds := map[string]uint64{"1": 8, "2": 2, "3": 20, "4": 30, "5": 2, "7": 10}
			if len(v) <= 8 {
				setExtraNumber(row, d, kinds[n.String()], f)
			}
		default:
			panic("the oracle does not know the choices of " + e.Name)
		}
		return
	case schema.CodePoint:
		if len(v) <= 8 {
			setExtraNumber(row, d, n.Uint64()*4&0xff, f)
		}
		return
	case schema.Append:
		slowAppend(row, d, e, v, f)
		return
	case schema.BasicList:
		for _, value := range slowList(v) {
			slowAppend(row, d, e, value, f)
		}
		return
	case schema.Plain:
	default:
		panic("the oracle does not know the conversion of " + e.Name)
	}
	switch {
	case row.Form == schema.Text:
		f.ProtoReflect().Set(d, protoreflect.ValueOfString(slowText(v)))
	case row.Form == schema.Distinguisher:
		f.ProtoReflect().Set(d, protoreflect.ValueOfBytes(v))
	case row.Kind == schema.Bytes:
		if (len(v) == 4 || len(v) == 16) && !(row.ZeroIsNone && isZero(v)) {
			f.ProtoReflect().Set(d, protoreflect.ValueOfBytes(v))
		}
	default:
		if !n.IsUint64() {
			return
		}
		n.Rsh(n, uint(e.Shift))
		if e.Bits > 0 {
			n.And(n, new(big.Int).SetUint64(1<<e.Bits-1))
		}
		setExtraNumber(row, d, n.Uint64(), f)
	}
}

// slowAppend appends a value to a list.
func slowAppend(row *schema.Field, d protoreflect.FieldDescriptor, e *schema.Element, v []byte, f *flowpb.FlowMessage) {
	switch {
	case row.Kind == schema.Uints && len(v) <= 8:
		f.ProtoReflect().Mutable(d).List().Append(protoreflect.ValueOfUint32(uint32(new(big.Int).SetBytes(v).Uint64())))
	case row.Kind == schema.BytesList && len(v) == int(e.Length):
		f.ProtoReflect().Mutable(d).List().Append(protoreflect.ValueOfBytes(v))
	}
}

// slowList returns the values of a basicList, of 1 to 16 bytes each.
func slowList(v []byte) (values [][]byte) {
	if len(v) < 5 {
		return nil
	}
	size := int(v[3])<<8 | int(v[4])
	rest := v[5:]
	if v[1] >= 128 {
		if len(rest) < 4 {
			return nil
		}
		rest = rest[4:]
	}
	for size > 0 && size <= 16 && len(rest) >= size {
		values, rest = append(values, rest[:size]), rest[size:]
	}
	return values
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
		case schema.XDRIPv4:
			v = r.bytes(4)
		case schema.XDRIPv6:
			v = r.bytes(16)
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
		case schema.EtherType:
			m.value = map[uint64]string{0x806: "ARP", 0x800: "IPv4", 0x86dd: "IPv6"}[v.Uint()]
		case schema.Protocol:
			m.value = producer.ProtocolName(uint32(v.Uint()))
		case schema.TunnelName:
			m.value = ""
			if v.Uint() < uint64(len(schema.TunnelNames)) {
				m.value = schema.TunnelNames[v.Uint()]
			}
		case schema.RateSource:
			m.value = schema.SamplingSources[v.Uint()%uint64(len(schema.SamplingSources))]
		case schema.Distinguisher:
			m.value = slowCommunity(v.Bytes())
		case schema.CommunityList, schema.NumberList:
			list := []any{}
			for i := range v.List().Len() {
				if row.Form == schema.NumberList {
					list = append(list, number(v.List().Get(i).Uint()))
				} else {
					list = append(list, slowExtended(v.List().Get(i).Bytes()))
				}
			}
			m.value = list
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

// slowCommunity is the text of a route distinguisher.
func slowCommunity(v []byte) string {
	if len(v) != 8 {
		return hex.EncodeToString(v)
	}
	at := func(from, to int) string { return new(big.Int).SetBytes(v[from:to]).String() }
	switch at(0, 2) {
	case "0":
		return at(2, 4) + ":" + at(4, 8)
	case "1":
		return netip.AddrFrom4([4]byte(v[2:6])).String() + ":" + at(6, 8)
	case "2":
		return at(2, 6) + ":" + at(6, 8)
	}
	return hex.EncodeToString(v)
}

// slowExtended is the text of an extended or large community.
func slowExtended(v []byte) string {
	if len(v) == 12 {
		at := func(from, to int) string { return new(big.Int).SetBytes(v[from:to]).String() }
		return at(0, 4) + ":" + at(4, 8) + ":" + at(8, 12)
	}
	kind, known := map[byte]string{2: "rt:", 3: "soo:"}[v[1]]
	own := append([]byte{0, v[0] &^ 0x40}, v[2:]...)
	if !known {
		return hex.EncodeToString(v)
	}
	return kind + slowCommunity(own)
}
