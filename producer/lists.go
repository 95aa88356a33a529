package producer

import "encoding/binary"

// appendValue appends a value to a list: a number, an address, or a string of as many
// bytes as the table says.
func (f *Flow) appendValue(o *op, v []byte) {
	switch {
	case fieldTable[o.field].kind == kindUints:
		if n, ok := number(v); ok {
			f.appendNumber(o.field, n)
		}
	case o.bits == 0 && isAddr(v), o.bits != 0 && len(v) == int(o.bits):
		f.appendBytes(o.field, v)
	}
}

// basicList appends the values of a basicList (RFC 6313 section 4.5.1): semantic,
// element and length of each, and the values. One with values of variable length, or
// of more or less bytes than the table says, is left out.
func (p *Producer) basicList(o *op, v []byte, f *Flow) {
	const fixed = 5
	if len(v) < fixed {
		return
	}
	size, values := int(binary.BigEndian.Uint16(v[3:])), v[fixed:]
	if v[1]&0x80 != 0 { // of an enterprise, whose number follows
		if len(values) < 4 {
			return
		}
		values = values[4:]
	}
	if size == 0 || size > 16 || o.bits != 0 && size != int(o.bits) || o.bits == 0 && size > 4 {
		return
	}
	for ; len(values) >= size; values = values[size:] {
		if o.field == fieldRoutingAddresses {
			p.segments(values[:size], f)
		} else {
			f.appendValue(o, values[:size:size])
		}
	}
}

// segments appends addresses of 16 bytes to those of the routing header.
func (p *Producer) segments(v []byte, f *Flow) {
	v = v[:len(v)/16*16]
	switch {
	case len(v) == 0:
	case len(f.RoutingAddresses) == 0:
		f.RoutingAddresses = v[:len(v):len(v)]
	default:
		begin := len(p.scratch)
		p.scratch = append(append(p.scratch, f.RoutingAddresses...), v...)
		f.RoutingAddresses = p.scratch[begin:len(p.scratch):len(p.scratch)]
	}
}

// routingHeader reads a segment routing header (RFC 8754 section 2): next header,
// length, type, segments left, last entry, flags, tag, and the segments.
func (p *Producer) routingHeader(v []byte, f *Flow) {
	const fixed = 8
	if len(v) < fixed || v[2] != 4 {
		return
	}
	f.RoutingSegLeft = uint32(v[3])
	f.setNumber(fieldSRHFlagsIPv6, uint64(v[5]))
	f.setNumber(fieldSRHTagIPv6, uint64(binary.BigEndian.Uint16(v[6:])))
	list := v[fixed:]
	p.segments(list[:min(len(list), 16*(int(v[4])+1))], f)
}

// applicationID reads an application id: a number of up to 8 bytes, or an engine, an
// enterprise whose highest byte is 0, and a number, of 9 bytes (RFC 6759 section 4.1).
func applicationID(v []byte) (uint64, bool) {
	if len(v) == 9 && v[1] == 0 {
		return uint64(v[0])<<56 | binary.BigEndian.Uint64(v[1:]), true
	}
	return number(v)
}
