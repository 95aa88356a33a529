package workload

import "encoding/binary"

// Enterprise numbers.
const (
	penReverse = 29305 // the reverse direction of a biflow, RFC 5103
	penExample = 32473 // for documentation, RFC 5612
)

// variable is the length of a field that says its length itself (RFC 7011
// section 7).
const variable = 0xffff

// ntpEpoch is the Unix epoch in seconds of NTP's era 0.
const ntpEpoch = 2208988800

// field is one field of a template.
type field struct {
	id     uint16
	length uint16
	pen    uint32
}

// tmpl is a template of v9 or IPFIX.
type tmpl struct {
	id     uint16
	v6     bool // for flows of IPv6
	fields []field
}

// maxString is the longest of the texts in fields of variable length.
const maxString = 300

// maxRecord returns the length in bytes that no record exceeds.
func (t *tmpl) maxRecord() int {
	n := 0
	for _, f := range t.fields {
		if f.length == variable {
			n += 3 + maxString
		} else {
			n += int(f.length)
		}
	}
	return n
}

// appendTemplate appends the template record (RFC 3954 section 5.2, RFC 7011
// section 3.4.1).
func (t *tmpl) appendTemplate(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, t.id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.fields)))
	return appendSpecs(b, t.fields)
}

func appendSpecs(b []byte, fields []field) []byte {
	for _, f := range fields {
		id := f.id
		if f.pen != 0 {
			id |= 0x8000
		}
		b = binary.BigEndian.AppendUint16(b, id)
		b = binary.BigEndian.AppendUint16(b, f.length)
		if f.pen != 0 {
			b = binary.BigEndian.AppendUint32(b, f.pen)
		}
	}
	return b
}

// beginSet appends the header of a set; endSet pads the set that began at start
// to 4 bytes and sets its length.
func beginSet(b []byte, id uint16) ([]byte, int) {
	return append(b, byte(id>>8), byte(id), 0, 0), len(b)
}

func endSet(b []byte, start int) []byte {
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// appendSet appends a data set of n new flows.
func (g *Generator) appendSet(b []byte, s *stream, t *tmpl, n int) []byte {
	b, start := beginSet(b, t.id)
	for range n {
		f := g.addFlow(s, t.v6)
		f.Template = t.id
		for i := range t.fields {
			b = g.appendField(b, s, f, &t.fields[i])
		}
	}
	return endSet(b, start)
}

// appendField appends one field of a record.
func (g *Generator) appendField(b []byte, s *stream, f *Flow, spec *field) []byte {
	if spec.length == variable {
		return g.appendVariable(b, f, spec)
	}
	if spec.pen == 0 {
		switch spec.id {
		case 8, 27, 225:
			return append(b, f.Src[:spec.length]...)
		case 12, 28, 226:
			return append(b, f.Dst[:spec.length]...)
		case 15, 62, 18, 63, 47:
			return append(b, f.NextHop[:spec.length]...)
		case 94, 56701: // texts of a fixed length
			return append(b, pad(applicationName(f), int(spec.length))...)
		}
	}
	v := g.number(s, f, spec)
	switch spec.length {
	case 1:
		return append(b, byte(v))
	case 2:
		return binary.BigEndian.AppendUint16(b, uint16(v))
	case 4:
		return binary.BigEndian.AppendUint32(b, uint32(v))
	case 8:
		return binary.BigEndian.AppendUint64(b, v)
	}
	for i := int(spec.length) - 1; i >= 0; i-- {
		if i < 8 {
			b = append(b, byte(v>>(8*i)))
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// number returns a field's value (IANA, IPFIX Information Elements).
func (g *Generator) number(s *stream, f *Flow, spec *field) uint64 {
	switch spec.pen {
	case penReverse:
		return 0 // nothing came back: each record is one flow, which its number names
	case penExample:
		return uint64(f.ID)
	}
	switch spec.id {
	case 1:
		return f.Bytes
	case 2:
		return f.Packets
	case 4:
		return uint64(f.Proto)
	case 5:
		return uint64(f.TOS)
	case 6:
		return uint64(f.TCPFlags)
	case 7, 227:
		return uint64(f.SrcPort)
	case 11, 228:
		return uint64(f.DstPort)
	case 9, 29:
		return uint64(f.SrcMask)
	case 13, 30:
		return uint64(f.DstMask)
	case 10:
		return uint64(f.InIf)
	case 14:
		return uint64(f.OutIf)
	case 16:
		return uint64(f.SrcAS)
	case 17:
		return uint64(f.DstAS)
	case 31:
		return uint64(f.FlowLabel)
	case 32:
		if f.Proto == protoICMP || f.Proto == protoICMPv6 {
			return uint64(f.DstPort)
		}
		return 0
	case 34:
		return uint64(s.rate)
	case 46:
		return 5 // the label is of LDP
	case 48:
		return samplerID
	case 52:
		return 63
	case 54:
		return uint64(f.ID & 0xffff)
	case 56, 81:
		return f.SrcMAC
	case 57, 80:
		return f.DstMAC
	case 58, 59, 243:
		return uint64(f.VLAN)
	case 60:
		if f.V6 {
			return 6
		}
		return 4
	case 61, 230:
		return uint64(f.ID & 1)
	case 70, 71:
		return uint64(16+f.ID%1000)<<4 | uint64(spec.id-70)<<1
	case 72:
		return uint64(16+f.ID%1000)<<4 | 1 // the bottom of the stack
	case 89:
		return 0x40 // forwarded
	case 95:
		return 13<<24 | uint64(f.ID%400)
	case 136:
		return 1 // idle
	case 138:
		return uint64(f.InIf)
	case 148:
		return uint64(f.ID)
	case 231:
		return f.Bytes / 2
	case 232:
		return 0 // see number
	case 233:
		return 2 // flow deleted
	}
	return g.time(s, f, spec.id)
}

// time returns the value of a field that is a time, 0 for anything else.
func (g *Generator) time(s *stream, f *Flow, id uint16) uint64 {
	exportNs := g.nowNs / 1e9 * 1e9 // as in the header
	switch id {
	case 22:
		return uint64(s.uptimeMs(f.StartNs))
	case 21:
		return uint64(s.uptimeMs(f.EndNs))
	case 150:
		return uint64(f.StartNs / 1e9)
	case 151:
		return uint64(f.EndNs / 1e9)
	case 152:
		return uint64(f.StartNs / 1e6)
	case 153, 323:
		return uint64(f.EndNs / 1e6)
	case 154: // of microseconds: the lowest 11 bits are zero, RFC 7011 section 6.1.9
		return ntp(f.StartNs) &^ 0x7ff
	case 155:
		return ntp(f.EndNs) &^ 0x7ff
	case 156:
		return ntp(f.StartNs)
	case 157:
		return ntp(f.EndNs)
	case 158:
		return uint64((exportNs - f.StartNs) / 1e3)
	case 159:
		return uint64((exportNs - f.EndNs) / 1e3)
	case 160:
		return uint64(s.bootNs / 1e6)
	}
	return 0
}

// ntp converts Unix nanoseconds to an NTP timestamp (RFC 7011 section 6.1.10).
func ntp(ns int64) uint64 {
	// Rounded up, so that cutting to nanoseconds gives ns again.
	return uint64(ns/1e9+ntpEpoch)<<32 | (uint64(ns%1e9)<<32+1e9-1)/1e9
}
