package producer

import (
	"bytes"
	"unicode/utf8"

	"github.com/weirflow/weir/decoders/packet"
)

// apply puts one field's value, which is at least one byte long, in its place.
// A value of a length that its element cannot have is left out.
func (p *Producer) apply(o *op, v []byte, f *Flow, c *recordContext) {
	switch o.code {
	case opNumber:
		if n, ok := number(v); ok {
			f.putNumber(o, n>>o.shift&(1<<o.bits-1))
		}
		return
	case opAddr4:
		setAddr(f.bytes(o.field), v, 4, f, etherTypeIPv4)
		return
	case opAddr6:
		setAddr(f.bytes(o.field), v, 16, f, etherTypeIPv6)
		return
	case opAddress:
		if isAddr(v) {
			f.setBytes(o.field, v)
		}
		return
	case opText:
		f.setBytes(o.field, p.text(v))
		return
	case opAppend:
		if isAddr(v) {
			f.MPLSIP = append(f.MPLSIP, v)
		}
		return
	case opFrame, opPacket:
		start := packet.StartEthernet
		if o.code == opPacket {
			start = packet.StartIPv4
			if v[0]>>4 == 6 {
				start = packet.StartIPv6
			}
		}
		p.sampledHeader(v, start, f)
		f.Packets = 1
		if f.Bytes == 0 {
			f.Bytes = uint64(len(v))
		}
		return
	}
	n, ok := number(v)
	if !ok {
		return
	}
	switch o.code {
	case opLabel:
		switch {
		case !c.compat:
			p.sections[o.place] = uint32(n)
			c.sections |= 1 << o.place
		case o.place < compatSections:
			f.setLabel(int(o.place), uint32(n)>>4)
		}
	case opIPVersion:
		switch n {
		case 4:
			f.Etype = etherTypeIPv4
		case 6:
			f.Etype = etherTypeIPv6
		}
	case opInterval:
		if !c.rated {
			p.rates, c.rated = rateParts{}, true
		}
		p.rates.set(ratePart(o.place), v, n)
	case opSampler:
		switch o.place {
		case placeSampler:
			c.samplerID, c.hasSampler = n, true
		case placeSequence:
			c.sequenceID, c.hasSequence = n, true
		default:
			c.lineCard = n
		}
	case opFrameSize:
		f.Bytes, f.Packets = n, 1
	case opBoot:
		c.bootMs = n
	case opUptime:
		if o.field == fieldTimeFlowStartNs {
			c.startUptime, c.hasStartUp = uint32(n), true
		} else {
			c.endUptime, c.hasEndUp = uint32(n), true
		}
	default:
		if o.code == opNTP && len(v) != 8 {
			return
		}
		switch o.field {
		case fieldTimeFlowStartNs:
			c.absStart = true
		case fieldTimeFlowEndNs:
			c.absEnd = true
		}
		f.setNumber(o.field, c.absolute(o.code, n))
	}
}

// absolute converts an absolute time to Unix nanoseconds, 0 for one that is out of
// range.
func (c *recordContext) absolute(code opcode, n uint64) uint64 {
	ns := uint64(0)
	switch code {
	case opSeconds:
		ns = scaleTime(n, 1e9)
	case opMillis:
		ns = scaleTime(n, 1e6)
	case opNTP:
		ns = ntpToUnix(n)
	case opNTPFloat:
		return compatNTP(n)
	default: // opBefore
		ns = since(c.exportNs, n, 1e3)
	}
	if ns != 0 || n == 0 {
		return ns
	}
	if c.compat {
		return compatAbsolute(code, n, c.exportNs)
	}
	c.timeLost = true
	return 0
}

// text returns a text without the zeros at its end, with U+FFFD for what is no UTF-8:
// strings of protobuf have nothing else. The result is valid until the next record.
func (p *Producer) text(v []byte) []byte {
	v = bytes.TrimRight(v, "\x00")
	if utf8.Valid(v) {
		return v
	}
	begin := len(p.scratch)
	for len(v) > 0 {
		r, size := utf8.DecodeRune(v)
		p.scratch = utf8.AppendRune(p.scratch, r)
		v = v[size:]
	}
	return p.scratch[begin:len(p.scratch):len(p.scratch)]
}

func isAddr(v []byte) bool { return len(v) == 4 || len(v) == 16 }

// setAddr sets an address and with it the EtherType. Templates may have both
// an IPv4 and an IPv6 address, one of them zero: a zero address does not
// replace one that is there.
func setAddr(addr *[]byte, v []byte, size int, f *Flow, etype uint32) {
	if len(v) != size || len(*addr) != 0 && allZero(v) {
		return
	}
	*addr = v
	f.Etype = etype
}

func allZero(v []byte) bool {
	for _, c := range v {
		if c != 0 {
			return false
		}
	}
	return true
}
