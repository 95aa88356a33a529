//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"cmp"
	"encoding/binary"
	"unsafe"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/producer/geo"
)

// A flow sample of the usual kind, a sampled header with switch, router and
// gateway data at most once each, is written straight to protobuf: no two of
// these records set the same field, so their order does not matter. Any other
// sample goes by way of a Flow, as all do in a build without unsafe code: that
// is the safe twin of what is here.
//
// Stores are of whole words, and unchecked: writeSample makes sure beforehand
// that the longest message that the sample can become, and storeSlack, have
// room. The bytes that are read come as slices of the decoders.

// fusedSamples says that this build has writeSample.
const fusedSamples = true

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
	n := 34*7 + 2*9 + 2*5 + 4*20 + packet.MaxLayers*(1+5) + 16 + len(h.MPLS)*3 + len(h.RoutingAddrs)*2
	if s.has&partGateway != 0 {
		n += 5*(s.gateway.PathLen+s.communities) + 16
	}
	return n
}

// sflowPrefix encodes what all flow samples of a datagram share.
func (p *Producer) sflowPrefix(h *sflow.Header) {
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
	at := unsafe.Add(unsafe.Pointer(unsafe.SliceData(out)), o)
	w := at
	w = put1(w, p.samplingOr(uint64(smp.SamplingRate)), 3<<3)
	w = put2(w, uint64(smp.Input), tagInIf)
	w = put2(w, uint64(smp.Output), tagOutIf)
	if s.has&partHeader != 0 {
		w = put1(w, uint64(s.header.FrameLength), 9<<3)
		w = writeHeaders(h, w)
	}
	if s.has&partSwitch != 0 {
		w = put2(w, uint64(s.vlan.SrcVLAN), tagSrcVLAN)
		w = put2(w, uint64(s.vlan.DstVLAN), tagDstVLAN)
	}
	if s.has&partRouter != 0 {
		w = putAddr(w, 12<<3|wireBytes, 1, s.router.NextHop)
		w = put2(w, uint64(s.router.SrcMaskLen), tagSrcNet)
		w = put2(w, uint64(s.router.DstMaskLen), tagDstNet)
	}
	srcAS, dstAS := s.gatewayAS()
	if p.cfg.Geo != nil {
		var src, dst geo.Answer
		if s.has&partHeader != 0 {
			src, dst = p.cfg.Geo.Find(h.SrcAddr), p.cfg.Geo.Find(h.DstAddr)
		}
		srcAS, dstAS = cmp.Or(src.AS, srcAS), cmp.Or(dst.AS, dstAS)
		w = putCountry(w, tagSrcCountry, src.Country)
		w = putCountry(w, tagDstCountry, dst.Country)
	}
	if srcAS|dstAS != 0 {
		w = put1(w, uint64(srcAS), 14<<3)
		w = put1(w, uint64(dstAS), 15<<3)
	}
	if s.has&partGateway != 0 {
		w = s.writeGateway(w)
	}
	o += int(uintptr(w) - uintptr(at))
	o = putLength(out, room, o, c)
	o += copy(out[o:], p.cfg.Separator)
	b.Buf = b.Buf[:len(b.Buf)+o]
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	p.useful++
}

// Tags of two bytes, as they are written: first byte lowest.
const (
	tagSrcNet      = 16<<3&0x7f | 0x80 | 16<<3>>7<<8
	tagDstNet      = 17<<3&0x7f | 0x80 | 17<<3>>7<<8
	tagInIf        = 18<<3&0x7f | 0x80 | 18<<3>>7<<8
	tagOutIf       = 19<<3&0x7f | 0x80 | 19<<3>>7<<8
	tagProto       = 20<<3&0x7f | 0x80 | 20<<3>>7<<8
	tagSrcPort     = 21<<3&0x7f | 0x80 | 21<<3>>7<<8
	tagDstPort     = 22<<3&0x7f | 0x80 | 22<<3>>7<<8
	tagTOS         = 23<<3&0x7f | 0x80 | 23<<3>>7<<8
	tagTTL         = 25<<3&0x7f | 0x80 | 25<<3>>7<<8
	tagTCPFlags    = 26<<3&0x7f | 0x80 | 26<<3>>7<<8
	tagSrcMAC      = 27<<3&0x7f | 0x80 | 27<<3>>7<<8
	tagDstMAC      = 28<<3&0x7f | 0x80 | 28<<3>>7<<8
	tagVLAN        = 29<<3&0x7f | 0x80 | 29<<3>>7<<8
	tagEtype       = 30<<3&0x7f | 0x80 | 30<<3>>7<<8
	tagICMPType    = 31<<3&0x7f | 0x80 | 31<<3>>7<<8
	tagICMPCode    = 32<<3&0x7f | 0x80 | 32<<3>>7<<8
	tagSrcVLAN     = 33<<3&0x7f | 0x80 | 33<<3>>7<<8
	tagDstVLAN     = 34<<3&0x7f | 0x80 | 34<<3>>7<<8
	tagFragID      = 35<<3&0x7f | 0x80 | 35<<3>>7<<8
	tagFragOffset  = 36<<3&0x7f | 0x80 | 36<<3>>7<<8
	tagFlowLabel   = 37<<3&0x7f | 0x80 | 37<<3>>7<<8
	tagIPFlags     = 38<<3&0x7f | 0x80 | 38<<3>>7<<8
	tagMPLSTTL     = 80<<3&0x7f | 0x80 | wireBytes | 80<<3>>7<<8
	tagMPLSLabel   = 81<<3&0x7f | 0x80 | wireBytes | 81<<3>>7<<8
	tagBGPNextHop  = 100<<3&0x7f | 0x80 | wireBytes | 100<<3>>7<<8
	tagCommunities = 101<<3&0x7f | 0x80 | wireBytes | 101<<3>>7<<8
	tagASPath      = 102<<3&0x7f | 0x80 | wireBytes | 102<<3>>7<<8
	tagLayerStack  = 103<<3&0x7f | 0x80 | wireBytes | 103<<3>>7<<8
	tagLayerSize   = 104<<3&0x7f | 0x80 | wireBytes | 104<<3>>7<<8
	tagRouteAddr   = 105<<3&0x7f | 0x80 | wireBytes | 105<<3>>7<<8
	tagRouteLeft   = 106<<3&0x7f | 0x80 | 106<<3>>7<<8
)

// put2 writes an integer below 1<<32 behind a tag of two bytes, or nothing if
// it is zero, and returns where the next field goes. put1 is the same for a tag
// of one byte.
func put2(w unsafe.Pointer, v, tag uint64) unsafe.Pointer {
	if v >= 0x80 {
		return put2Long(w, v, tag)
	}
	*(*uint32)(w) = uint32(v<<16 | tag)
	return unsafe.Add(w, 3&-int((v+0x7f)>>7))
}

func put2Long(w unsafe.Pointer, v, tag uint64) unsafe.Pointer {
	x, n := spread32(v)
	*(*uint64)(w) = x<<16 | tag
	return unsafe.Add(w, 2+n)
}

func put1(w unsafe.Pointer, v, tag uint64) unsafe.Pointer {
	x, n := spread32(v)
	*(*uint64)(w) = x<<8 | tag
	return unsafe.Add(w, (1+n)&-int((v+0xffffffff)>>32))
}

// putMAC writes an integer of up to 48 bits behind a tag of two bytes, or
// nothing if it is zero.
func putMAC(w unsafe.Pointer, v uint64, tag uint16) unsafe.Pointer {
	if v < 1<<42 {
		return put48(w, v, tag)
	}
	// Seven bytes: the last has no continuation bit.
	*(*uint16)(w) = tag
	*(*uint64)(unsafe.Add(w, 2)) = spread56(v) &^ (0x80 << 48)
	return unsafe.Add(w, 9)
}

func put48(w unsafe.Pointer, v uint64, tag uint16) unsafe.Pointer {
	if v == 0 {
		return w
	}
	*(*uint16)(w) = tag
	w = unsafe.Add(w, 2)
	for ; v >= 0x80; v >>= 7 {
		*(*byte)(w) = byte(v) | 0x80
		w = unsafe.Add(w, 1)
	}
	*(*byte)(w) = byte(v)
	return unsafe.Add(w, 1)
}

// putAddr writes an address of 4 or 16 bytes, or nothing.
func putAddr(w unsafe.Pointer, tag uint64, tagLen int, addr []byte) unsafe.Pointer {
	switch len(addr) {
	case 4:
		v := uint64(*(*uint32)(unsafe.Pointer(unsafe.SliceData(addr))))
		*(*uint64)(w) = tag | 4<<(8*tagLen&63) | v<<(8*(tagLen+1)&63)
		return unsafe.Add(w, tagLen+5)
	case 16:
		*(*uint32)(w) = uint32(tag | 16<<(8*tagLen&63))
		*(*[16]byte)(unsafe.Add(w, tagLen+1)) = [16]byte(addr)
		return unsafe.Add(w, tagLen+17)
	}
	return w
}

// putCountry writes a country behind its tag, or nothing.
func putCountry(w unsafe.Pointer, tag uint64, c geo.Country) unsafe.Pointer {
	*(*uint64)(w) = tag | 2<<16 | uint64(c>>8)<<24 | uint64(c&0xff)<<32
	return unsafe.Add(w, 5&-int((uint64(c)+0xffff)>>16))
}

// writeHeaders writes the fields of a sampled header.
func writeHeaders(h *packet.Headers, w unsafe.Pointer) unsafe.Pointer {
	if h.SrcMAC|h.DstMAC != 0 {
		w = putMAC(w, h.SrcMAC, tagSrcMAC)
		w = putMAC(w, h.DstMAC, tagDstMAC)
	}
	w = put2(w, uint64(h.EtherType), tagEtype)
	w = put2(w, uint64(h.VLANID), tagVLAN)
	if h.SrcAddr != nil {
		w = putAddr(w, 6<<3|wireBytes, 1, h.SrcAddr)
		w = putAddr(w, 7<<3|wireBytes, 1, h.DstAddr)
		w = put2(w, uint64(h.Proto), tagProto)
		w = put2(w, uint64(h.SrcPort), tagSrcPort)
		w = put2(w, uint64(h.DstPort), tagDstPort)
		w = put2(w, uint64(h.TOS), tagTOS)
		w = put2(w, uint64(h.TTL), tagTTL)
		w = put2(w, uint64(h.TCPFlags), tagTCPFlags)
		w = put2(w, uint64(h.FragmentID), tagFragID)
		w = put2(w, uint64(h.FragmentOffset), tagFragOffset)
		w = put2(w, uint64(h.FlowLabel), tagFlowLabel)
		w = put2(w, uint64(h.IPFlags), tagIPFlags)
	}
	if h.HasICMP {
		w = put2(w, uint64(h.ICMPType), tagICMPType)
		w = put2(w, uint64(h.ICMPCode), tagICMPCode)
	}
	if len(h.MPLS) > 0 {
		w = writeMPLS(h.MPLS, w)
	}
	if h.Layers > 0 {
		w = writeLayers(h, w)
	}
	if h.HasRouting {
		for a := h.RoutingAddrs; len(a) >= 16; a = a[16:] {
			w = putAddr(w, tagRouteAddr, 2, a[:16])
		}
		w = put2(w, uint64(h.RoutingSegLeft), tagRouteLeft)
	}
	return w
}

// beginList writes the tag of a packed list and leaves a byte for its length.
func beginList(w unsafe.Pointer, tag uint16) unsafe.Pointer {
	*(*uint16)(w) = tag
	return unsafe.Add(w, 3)
}

// endList writes the length of the packed list whose elements stand from begin
// to w, and returns where the next field goes.
func endList(begin, w unsafe.Pointer) unsafe.Pointer {
	n := int(uintptr(w) - uintptr(begin))
	if n < 0x80 {
		*(*byte)(unsafe.Add(begin, -1)) = byte(n)
		return w
	}
	more := varintLen(uint64(n)) - 1
	list := unsafe.Slice((*byte)(unsafe.Add(begin, -1)), 1+n+more)
	copy(list[1+more:], list[1:1+n])
	appendVarint(list[:0], uint64(n))
	return unsafe.Add(w, more)
}

// putElement writes an element of a packed list, zero too.
func putElement(w unsafe.Pointer, v uint64) unsafe.Pointer {
	x, n := spread32(v)
	*(*uint64)(w) = x
	return unsafe.Add(w, n)
}

// writeLayers writes layer_stack and layer_size.
func writeLayers(h *packet.Headers, w unsafe.Pointer) unsafe.Pointer {
	n := h.Layers
	*(*uint32)(w) = tagLayerStack | uint32(n)<<16
	w = unsafe.Add(w, 3)
	*(*[packet.MaxLayers]byte)(w) = h.LayerStack // below 128, each its own varint
	begin := beginList(unsafe.Add(w, n), tagLayerSize)
	w = begin
	for _, size := range h.LayerSize[:n] {
		w = putElement(w, uint64(size))
	}
	return endList(begin, w)
}

// writeMPLS writes mpls_ttl and mpls_label.
func writeMPLS(stack []byte, w unsafe.Pointer) unsafe.Pointer {
	begin := beginList(w, tagMPLSTTL)
	w = begin
	for m := stack; len(m) >= 4; m = m[4:] {
		w = putElement(w, uint64(m[3]))
	}
	w = endList(begin, w)
	begin = beginList(w, tagMPLSLabel)
	w = begin
	for m := stack; len(m) >= 4; m = m[4:] {
		w = putElement(w, uint64(binary.BigEndian.Uint32(m)>>12))
	}
	return endList(begin, w)
}

// gatewayAS returns the AS numbers that gatewayRecord sets, 0 without a gateway
// record.
func (s *sampleParts) gatewayAS() (src, dst uint32) {
	if s.has&partGateway == 0 {
		return 0, 0
	}
	g := &s.gateway
	src, dst = cmp.Or(g.SrcAS, g.AS), g.AS
	if g.PathLen > 0 {
		dst = g.LastAS
	}
	return src, dst
}

// writeGateway writes what else gatewayRecord sets.
func (s *sampleParts) writeGateway(w unsafe.Pointer) unsafe.Pointer {
	g := &s.gateway
	w = putAddr(w, tagBGPNextHop, 2, g.NextHop)
	if g.PathLen > 0 {
		w = put1(w, uint64(g.FirstAS), 13<<3)
	}
	if s.communities > 0 {
		begin := beginList(w, tagCommunities)
		w = endList(begin, putWords(begin, g.Communities))
	}
	if g.PathLen == 0 {
		return w
	}
	begin := beginList(w, tagASPath)
	w = begin
	for seg := g.Segments; len(seg) >= 8; {
		n := int(binary.BigEndian.Uint32(seg[4:]))
		w = putWords(w, seg[8:8+4*n])
		seg = seg[8+4*n:]
	}
	return endList(begin, w)
}

// putWords writes big-endian words of 4 bytes as elements of a packed list.
func putWords(w unsafe.Pointer, words []byte) unsafe.Pointer {
	for ; len(words) >= 4; words = words[4:] {
		w = putElement(w, uint64(binary.BigEndian.Uint32(words)))
	}
	return w
}
