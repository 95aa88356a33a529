package producer

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/schema"
)

// apply puts one field's value, which is at least one byte long, in its place.
// A value of a length that its element cannot have is left out.
func (p *Producer) apply(o *op, v []byte, f *Flow, c *recordContext) {
	switch o.code {
	case opNumber:
		if n, ok := integer(v); ok {
			f.putNumber(o, n>>o.shift&(1<<o.bits-1))
		}
		return
	case opAddr4:
		setAddr(f.bytes(o.field), v, 4, f, etherTypeIPv4, c)
		return
	case opAddr6:
		setAddr(f.bytes(o.field), v, 16, f, etherTypeIPv6, c)
		return
	case opAddress:
		if isAddr(v) {
			f.setBytes(o.field, v)
		}
		return
	case opText:
		f.setBytes(o.field, p.text(v))
		return
	case opNumberIfZero:
		if n, ok := integer(v); ok && f.isZero(o.field) {
			f.putNumber(o, n>>o.shift&(1<<o.bits-1))
		}
		return
	case opAddressIfZero:
		if isAddr(v) && f.isEmpty(o.field) {
			f.setBytes(o.field, v)
		}
		return
	case opTextIfZero:
		if f.isEmpty(o.field) {
			f.setBytes(o.field, p.text(v))
		}
		return
	case opBytes:
		f.setBytes(o.field, v)
		return
	case opBytesIfZero:
		if f.isEmpty(o.field) {
			f.setBytes(o.field, v)
		}
		return
	case opAppend:
		f.appendValue(o, v)
		return
	case opList:
		p.basicList(o, v, f)
		return
	case opSegments:
		p.segments(v, f)
		return
	case opRoutingHeader:
		p.routingHeader(v, f)
		return
	case opApplication:
		if n, ok := applicationID(v); ok {
			f.setNumber(o.field, n)
		}
		return
	case opPayload:
		p.payload(v, f)
		return
	case opFrame, opPacket, opLabels:
		start := packet.StartEthernet
		switch {
		case o.code == opLabels:
			start = packet.StartMPLS
		case o.code == opPacket && v[0]>>4 == 6:
			start = packet.StartIPv6
		case o.code == opPacket:
			start = packet.StartIPv4
		}
		p.sampledHeader(v, start, f)
		f.Packets = 1
		if f.Bytes == 0 {
			f.Bytes = uint64(len(v))
			if !c.compat {
				f.Bytes = max(f.Bytes, packetLength(v, &p.hdr))
			}
		}
		return
	}
	n, ok := integer(v)
	if len(v) == 16 && isTime(o.code) && !c.compat {
		if ns := wideTime(v, o.place == placeNanos); ns != 0 {
			c.setTime(o.field, ns, f)
			return
		}
	}
	if !ok || c.compat && len(v) > 8 {
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
		case placeSampler, placeSelector:
			c.samplerID, c.hasSampler, c.samplerSource = n, true, samplerSources[o.place]
		case placeSequence:
			c.sequenceID, c.hasSequence = n, true
		default:
			c.lineCard = n
		}
	case opFrameSize:
		f.Bytes, f.Packets = n, max(f.Packets, 1)
	case opBoot:
		c.bootMs = n
	case opDurationMillis:
		c.setDuration(n, 1e6)
	case opDurationMicros:
		c.setDuration(n, 1e3)
	case opEtherType:
		if f.Etype == 0 {
			f.Etype = uint32(n)
		}
	case opImplies:
		if bit := impliedBit(o.place); n != 0 {
			c.implied |= bit
		} else {
			c.impliedZero |= bit
		}
	case opCodePoint:
		if f.isZero(o.field) {
			f.setNumber(o.field, n<<2&0xff)
		}
	case opUnion:
		f.TCPFlags |= uint32(n)
	case opDirection:
		c.egress = n == 1
	case opChosen:
		if chosen, ok := lookups[o.place].Of(n, len(v)); ok {
			f.setNumber(o.field, chosen)
		}
	case opUptime:
		at, has := &c.endUptime, &c.hasEndUp
		if o.field == fieldTimeFlowStartNs {
			at, has = &c.startUptime, &c.hasStartUp
		}
		if *at == 0 || c.compat {
			*at = uint32(n)
		}
		*has = true
	default:
		if o.code == opNTP && len(v) < 8 || o.code == opNTPFloat && len(v) != 8 {
			return
		}
		ns := c.absolute(o.code, n)
		if c.compat {
			f.setNumber(o.field, ns)
			c.absStart = c.absStart || o.field == fieldTimeFlowStartNs
			c.absEnd = c.absEnd || o.field == fieldTimeFlowEndNs
			return
		}
		c.setTime(o.field, ns, f)
	}
}

// packetLength returns the length of a packet whose beginning v is, by its first IP
// header: what the section leaves out counts too. It returns 0 where no header says so.
func packetLength(v []byte, h *packet.Headers) uint64 {
	at := 0
	for i := range h.Layers {
		rest := v[min(at, len(v)):]
		switch kind := h.LayerStack[i]; {
		case kind == packet.LayerIPv4 && len(rest) >= 4:
			return uint64(at) + uint64(binary.BigEndian.Uint16(rest[2:]))
		case kind == packet.LayerIPv6 && len(rest) >= 6:
			return uint64(at) + 40 + uint64(binary.BigEndian.Uint16(rest[4:]))
		case kind == packet.LayerIPv4, kind == packet.LayerIPv6:
			return 0
		}
		at += int(h.LayerSize[i])
	}
	return 0
}

// isTime tells whether an op reads an absolute time.
func isTime(code opcode) bool { return code == opSeconds || code == opMillis || code == opNTP }

// placeNanos is the place of an opNTP of an element in nanoseconds.
const placeNanos = 1

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
// an IPv4 and an IPv6 address, one of them zero: the first one that is not zero
// counts. Of goflow2's it is the last one.
func setAddr(addr *[]byte, v []byte, size int, f *Flow, etype uint32, c *recordContext) {
	if len(v) != size || len(*addr) != 0 && (allZero(v) || !c.compat && !allZero(*addr)) {
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

// recordContext is what a plan needs to know about the message around a record,
// and what a record says about itself in addition to its flow.
type recordContext struct {
	exportNs uint64 // the exporter's clock at export
	uptimeMs uint32 // and its uptime then; v9 only
	v9       bool
	bootMs   uint64 // when the exporter booted, by IE 160; 0 if it did not say

	compat               bool   // see compat.go
	mappedRate           uint64 // what the mapping says is the sampling rate
	samplerID            uint64 // IE 48 or 302
	samplerSource        SamplingSource
	sequenceID           uint64 // IE 301
	lineCard             uint64 // IE 141; 0 for none
	hasSampler           bool
	hasSequence          bool
	rated                bool   // the record has parts of a rate: see memory.rates
	sections             uint16 // of the label stack, by bit: see memory.sections
	startUptime          uint32
	endUptime            uint32
	hasStartUp, hasEndUp bool
	durationNs           uint64
	hasDuration          bool
	implied, impliedZero uint8 // protocols, by impliedBit
	startLate            bool  // the start was not before the end
	egress               bool  // the flow was seen as it went out: see op.side
	timeLost             bool  // a time that it has is out of range
	// The record has an absolute time, so that one relative to the exporter's
	// uptime is not needed.
	absStart, absEnd bool
}

// fill sets f's fields from a record that the plan's template describes.
func (p *Producer) fill(pl *plan, rec []byte, f *Flow, c *recordContext) {
	mapped := 0
	if !pl.variable {
		for i := range pl.ops {
			o := &pl.ops[i]
			v := rec[o.offset : o.offset+uint32(o.length)]
			if o.code == opMapped {
				p.assign(&pl.targets[mapped], v, f, c)
				mapped++
				continue
			}
			p.apply(o, v, f, c)
		}
	} else {
		pos, off, n := 0, 0, 0
		for i := range pl.ops {
			o := &pl.ops[i]
			if !o.same {
				field := template.Field{Length: o.length}
				off, n = template.FieldSpan(&field, rec, pos)
				pos = off + n
			}
			if o.code == opMapped {
				p.assign(&pl.targets[mapped], rec[off:pos], f, c)
				mapped++
			} else if o.code != opSkip && n > 0 {
				p.apply(o, rec[off:pos], f, c)
			}
		}
	}
	if c.sections != 0 {
		p.stack(f, c.sections)
	}
	if pl.late != nil {
		p.fillLate(pl, rec, f, c)
	}
	if c.compat {
		c.compatTimes(f)
		return
	}
	if pl.families {
		f.oneFamily()
	}
	if c.implied|c.impliedZero != 0 && !pl.back {
		c.imply(pl, f)
	}
	if pl.nat != 0 {
		pl.nat.apply(f)
	}
	if pl.icmpPort {
		f.icmpFromPort()
	}
	c.uptimes(f)
	c.order(f)
}

// maxSections is the number of sections of a label stack.
const maxSections = 10

// stack sets the label stack from its sections, which it ends at the first that the
// record does not use or that has the bit of the bottom (RFC 3032 section 2.1). A label
// of 0 at the top is that of exporters that have none.
func (p *Producer) stack(f *Flow, sections uint16) {
	for i := range p.sections {
		entry := p.sections[i]
		if sections>>i&1 == 0 || entry == 0 || i == 0 && entry>>4 == 0 {
			return
		}
		if i == 0 {
			f.MPLSLabel = f.MPLSLabel[:0]
		}
		f.MPLSLabel = append(f.MPLSLabel, entry>>4)
		if entry&1 != 0 {
			return
		}
	}
}

// fillLate does the ops that come after all others.
func (p *Producer) fillLate(pl *plan, rec []byte, f *Flow, c *recordContext) {
	pos, next := 0, 0   // of the walk: the next field and where it begins
	last, lastN := 0, 0 // the value before that
	for i := range pl.late {
		o := &pl.late[i]
		skip := o.side != schema.AnySide && (o.side == schema.Egress) != c.egress
		if !pl.variable {
			if !skip {
				p.apply(o, rec[o.offset:o.offset+uint32(o.length)], f, c)
			}
			continue
		}
		for next <= int(o.index) {
			off, n := template.FieldSpan(&pl.fields[next], rec, pos)
			pos = off + n
			last, lastN = off, n
			next++
		}
		if !skip && lastN > 0 {
			p.apply(o, rec[last:last+lastN], f, c)
		}
	}
}

// uptimes sets the flow times that the record gave relative to the exporter's
// uptime, where it gave no absolute ones.
func (c *recordContext) uptimes(f *Flow) {
	start := c.hasStartUp && !c.absStart
	end := c.hasEndUp && !c.absEnd
	uptimeMs := c.uptimeMs
	switch {
	case !start && !end:
		return
	case c.v9 && uptimeMs == 0 && start && end:
		// The exporter does not know its uptime: as below.
		uptimeMs = c.endUptime
	case c.v9 && uptimeMs == 0:
		return
	case c.v9:
	case c.bootMs != 0:
		uptimeMs = bootUptime(c.exportNs, c.bootMs)
	case start && end:
		// An IPFIX header has no uptime: with nothing to say when the
		// exporter booted, only the duration is known. The flow ends when
		// it was exported.
		uptimeMs = c.endUptime
	default:
		return
	}
	if start {
		c.setTime(fieldTimeFlowStartNs, uptimeToUnix(c.exportNs, uptimeMs, c.startUptime), f)
		c.timeLost = c.timeLost || !c.absStart
	}
	if end {
		c.setTime(fieldTimeFlowEndNs, uptimeToUnix(c.exportNs, uptimeMs, c.endUptime), f)
		c.timeLost = c.timeLost || !c.absEnd
	}
}
