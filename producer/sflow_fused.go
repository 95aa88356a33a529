package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/sflow"
)

// A flow sample of the usual kind, a sampled header with switch, router and
// gateway data at most once each, is written straight to protobuf: no two of
// these records set the same field, so their order does not matter. Any other
// sample goes by way of a Flow.

// sampleParts are the records of such a sample.
type sampleParts struct {
	header      sflow.RawHeader
	start       packet.Start
	vlan        sflow.ExtendedSwitch
	router      sflow.ExtendedRouter
	gateway     sflow.ExtendedGateway
	has         uint8 // partX bits
	communities int   // how many
}

const (
	partHeader = 1 << iota
	partSwitch
	partRouter
	partGateway
)

// gather reads the records of a sample. It reports false for a sample that has
// to go by way of a Flow; nothing is counted then.
func (s *sampleParts) gather(recs sflow.Records) bool {
	s.has = 0
	for recs.Next() {
		r := &recs.Record
		if r.Enterprise != 0 {
			continue
		}
		part := uint8(0)
		ok := false
		switch r.Format {
		case sflow.FlowRawHeader:
			part = partHeader
			s.header, ok = sflow.ParseRawHeader(r.Data)
			switch s.header.Protocol {
			case sflow.HeaderEthernet:
				s.start = packet.StartEthernet
			case sflow.HeaderIPv4:
				s.start = packet.StartIPv4
			case sflow.HeaderIPv6:
				s.start = packet.StartIPv6
			case sflow.HeaderMPLS:
				s.start = packet.StartMPLS
			default:
				return false
			}
		case sflow.FlowExtendedSwitch:
			part = partSwitch
			s.vlan, ok = sflow.ParseExtendedSwitch(r.Data)
		case sflow.FlowExtendedRouter:
			part = partRouter
			s.router, ok = sflow.ParseExtendedRouter(r.Data)
		case sflow.FlowExtendedGateway:
			part = partGateway
			s.gateway, ok = sflow.ParseExtendedGateway(r.Data)
			s.communities = len(s.gateway.Communities) / 4
		case sflow.FlowEthernet, sflow.FlowIPv4, sflow.FlowIPv6:
			return false
		default:
			continue
		}
		if !ok || s.has&part != 0 {
			return false
		}
		s.has |= part
	}
	return recs.Err() == sflow.ReasonNone
}

// maxLen bounds the length of the sample's message, without its prefix.
func (s *sampleParts) maxLen(h *packet.Headers) int {
	n := 30*12 + 4*20 + packet.MaxLayers*(1+5) + 16 + len(h.MPLS)*3 + len(h.RoutingAddrs)*2
	if s.has&partGateway != 0 {
		n += 5*(s.gateway.PathLen+s.communities) + 16
	}
	return n
}

// sflowPrefix encodes what all flow samples of a datagram share.
func (p *Producer) sflowPrefix(h *sflow.Header) []byte {
	received := uint64(p.meta.ReceivedNs)
	b := p.fused.prefix[:0]
	b = append(b, 1<<3, TypeSFlow5)
	b = appendUint(b, 4, uint64(h.Sequence))
	b = append(b, 10<<3, 1) // one packet
	b = appendBytes(b, 11, h.Agent)
	b = appendUint(b, 110, received)
	b = appendUint(b, 111, received)
	b = appendUint(b, 112, received)
	p.fused.prefix = b
	return b
}

// writeSample appends the message of a sample that gather took.
func (p *Producer) writeSample(smp *sflow.Sample, s *sampleParts) {
	h := &p.hdr
	if s.has&partHeader != 0 {
		packet.Parse(s.header.Header, s.start, h)
		switch {
		case h.Malformed:
			p.fault(ReasonSampledHeader)
		case h.LayersExceeded:
			p.fault(ReasonHeaderLayers)
		}
	}
	c := &p.fused
	b := p.batch
	need := prefixRoom + 1 + len(c.prefix) + storeSlack + len(p.cfg.Separator) + s.maxLen(h)
	if cap(b.Buf)-len(b.Buf) < need {
		b.Buf = grow(b.Buf, need)
	}
	out := b.Buf[len(b.Buf) : len(b.Buf)+need : len(b.Buf)+need]
	room := 1
	if c.long {
		room = 2
	}
	o := room + copy(out[room:], c.prefix)
	o = put32(out, o, p.samplingOr(uint64(smp.SamplingRate)), 3<<3, 1)
	o = put32Wide(out, o, uint64(smp.Input), 18)
	o = put32Wide(out, o, uint64(smp.Output), 19)
	if s.has&partHeader != 0 {
		o = put32(out, o, uint64(s.header.FrameLength), 9<<3, 1)
		o = writeHeaders(h, out, o)
	}
	if s.has&partSwitch != 0 {
		o = put32Wide(out, o, uint64(s.vlan.SrcVLAN), 33)
		o = put32Wide(out, o, uint64(s.vlan.DstVLAN), 34)
	}
	if s.has&partRouter != 0 {
		o = putAddr(out, o, 12<<3|wireBytes, 1, s.router.NextHop)
		o = put32Wide(out, o, uint64(s.router.SrcMaskLen), 16)
		o = put32Wide(out, o, uint64(s.router.DstMaskLen), 17)
	}
	if s.has&partGateway != 0 {
		o = s.writeGateway(out, o)
	}
	o = putLength(out, room, o, c)
	o += copy(out[o:], p.cfg.Separator)
	b.Buf = b.Buf[:len(b.Buf)+o]
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	p.useful++
}

// put32Wide is put32 for fields from 16 up, whose tags take two bytes.
func put32Wide(out []byte, o int, v uint64, field uint16) int {
	tag := field<<3&0x7f | 0x80 | field<<3>>7<<8
	return put32(out, o, v, tag, 2)
}

// putAddr writes an address of 4 or 16 bytes, or nothing.
func putAddr(out []byte, o int, tag uint16, tagLen int, addr []byte) int {
	switch len(addr) {
	case 4:
		head := uint64(tag) | 4<<(8*tagLen&63)
		v := uint64(binary.LittleEndian.Uint32(addr))
		binary.LittleEndian.PutUint64(out[o:], head|v<<(8*(tagLen+1)&63))
		return o + tagLen + 5
	case 16:
		binary.LittleEndian.PutUint32(out[o:], uint32(tag)|16<<(8*tagLen&31))
		o += tagLen + 1
		return o + copy(out[o:o+16], addr)
	}
	return o
}

// writeHeaders writes the fields of a sampled header.
func writeHeaders(h *packet.Headers, out []byte, o int) int {
	o = putAddr(out, o, 6<<3|wireBytes, 1, h.SrcAddr)
	o = putAddr(out, o, 7<<3|wireBytes, 1, h.DstAddr)
	if h.SrcMAC|h.DstMAC != 0 {
		o = putInt(out, o, 27<<3&0x7f|0x80|27<<3>>7<<8, 2, h.SrcMAC)
		o = putInt(out, o, 28<<3&0x7f|0x80|28<<3>>7<<8, 2, h.DstMAC)
	}
	o = put32Wide(out, o, uint64(h.EtherType), 30)
	o = put32Wide(out, o, uint64(h.VLANID), 29)
	if h.SrcAddr != nil {
		o = put32Wide(out, o, uint64(h.Proto), 20)
		o = put32Wide(out, o, uint64(h.SrcPort), 21)
		o = put32Wide(out, o, uint64(h.DstPort), 22)
		o = put32Wide(out, o, uint64(h.TOS), 23)
		o = put32Wide(out, o, uint64(h.TTL), 25)
		o = put32Wide(out, o, uint64(h.TCPFlags), 26)
		o = put32Wide(out, o, uint64(h.FragmentID), 35)
		o = put32Wide(out, o, uint64(h.FragmentOffset), 36)
		o = put32Wide(out, o, uint64(h.FlowLabel), 37)
		o = put32Wide(out, o, uint64(h.IPFlags), 38)
	}
	if h.HasICMP {
		o = put32Wide(out, o, uint64(h.ICMPType), 31)
		o = put32Wide(out, o, uint64(h.ICMPCode), 32)
	}
	if len(h.MPLS) > 0 {
		o = writeMPLS(h.MPLS, out, o)
	}
	o = writeLayers(h, out, o)
	if h.HasRouting {
		for a := h.RoutingAddrs; len(a) >= 16; a = a[16:] {
			o = putAddr(out, o, 105<<3&0x7f|0x80|wireBytes|105<<3>>7<<8, 2, a[:16])
		}
		o = put32Wide(out, o, uint64(h.RoutingSegLeft), 106)
	}
	return o
}

// writeLayers writes layer_stack and layer_size.
func writeLayers(h *packet.Headers, out []byte, o int) int {
	n := h.Layers
	if n == 0 {
		return o
	}
	binary.LittleEndian.PutUint32(out[o:], 103<<3&0x7f|0x80|wireBytes|103<<3>>7<<8|uint32(n)<<16)
	o += 3 + copy(out[o+3:], h.LayerStack[:n])
	binary.LittleEndian.PutUint16(out[o:], 104<<3&0x7f|0x80|wireBytes|104<<3>>7<<8)
	at := o + 2
	o = at + 1
	for _, size := range h.LayerSize[:n] {
		for ; size >= 0x80; size >>= 7 {
			out[o] = byte(size) | 0x80
			o++
		}
		out[o] = byte(size)
		o++
	}
	return closeList(out, at, o)
}

// closeList writes the length of a packed list that stands behind one byte
// left for it at out[at], and returns the list's end.
func closeList(out []byte, at, end int) int {
	n := end - at - 1
	if n < 0x80 {
		out[at] = byte(n)
		return end
	}
	more := varintLen(uint64(n)) - 1
	copy(out[at+1+more:end+more], out[at+1:end])
	appendVarint(out[:at], uint64(n))
	return end + more
}

// writeMPLS writes mpls_ttl and mpls_label.
func writeMPLS(stack, out []byte, o int) int {
	binary.LittleEndian.PutUint16(out[o:], 80<<3&0x7f|0x80|wireBytes|80<<3>>7<<8)
	at := o + 2
	o = at + 1
	for m := stack; len(m) >= 4; m = m[4:] {
		o = len(appendVarint(out[:o], uint64(m[3])))
	}
	o = closeList(out, at, o)
	binary.LittleEndian.PutUint16(out[o:], 81<<3&0x7f|0x80|wireBytes|81<<3>>7<<8)
	at = o + 2
	o = at + 1
	for m := stack; len(m) >= 4; m = m[4:] {
		o = len(appendVarint(out[:o], uint64(binary.BigEndian.Uint32(m)>>12)))
	}
	return closeList(out, at, o)
}

// writeGateway writes what gatewayRecord sets.
func (s *sampleParts) writeGateway(out []byte, o int) int {
	g := &s.gateway
	o = putAddr(out, o, 100<<3&0x7f|0x80|wireBytes|100<<3>>7<<8, 2, g.NextHop)
	srcAS, dstAS, nextAS := g.SrcAS, g.AS, uint32(0)
	if srcAS == 0 {
		srcAS = g.AS
	}
	if g.PathLen > 0 {
		nextAS, dstAS = g.FirstAS, g.LastAS
	}
	o = put32(out, o, uint64(nextAS), 13<<3, 1)
	o = put32(out, o, uint64(srcAS), 14<<3, 1)
	o = put32(out, o, uint64(dstAS), 15<<3, 1)
	if s.communities > 0 {
		o = putWords(out, o, 101<<3&0x7f|0x80|wireBytes|101<<3>>7<<8, g.Communities)
	}
	if g.PathLen == 0 {
		return o
	}
	binary.LittleEndian.PutUint16(out[o:], 102<<3&0x7f|0x80|wireBytes|102<<3>>7<<8)
	at := o + 2
	o = at + 1
	for seg := g.Segments; len(seg) >= 8; {
		n := int(binary.BigEndian.Uint32(seg[4:]))
		o = appendWords(out, o, seg[8:8+4*n])
		seg = seg[8+4*n:]
	}
	return closeList(out, at, o)
}

// putWords writes a packed list of big-endian words of 4 bytes.
func putWords(out []byte, o int, tag uint16, words []byte) int {
	binary.LittleEndian.PutUint16(out[o:], tag)
	return closeList(out, o+2, appendWords(out, o+3, words))
}

func appendWords(out []byte, o int, words []byte) int {
	for ; len(words) >= 4; words = words[4:] {
		x, n := spread32(uint64(binary.BigEndian.Uint32(words)))
		binary.LittleEndian.PutUint64(out[o:], x)
		o += n
	}
	return o
}
