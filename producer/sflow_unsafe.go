//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"cmp"
	"unsafe"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/producer/geo"
)

// Stores are of whole words, and unchecked: writeSample makes sure beforehand
// that the longest message that the sample can become, and storeSlack, have
// room. The bytes that are read come as slices that gather checked.

// fusedSamples says that this build has writeSample.
const fusedSamples = true

// maxLen bounds the length of the sample's message, without its prefix.
func (s *sampleParts) maxLen(h *packet.Headers) int {
	n := 34*7 + 2*9 + 2*5 + 4*20 + 16 + 5*s.pathLen + 5*(len(s.communities)/4) + 16
	if s.stack < 0 {
		n += packet.MaxLayers*(1+5) + len(h.MPLS)*3 + len(h.RoutingAddrs)*2
	}
	return n
}

// sflowPrefix encodes what all flow samples of a datagram share.
func (p *Producer) sflowPrefix(h *sflow.Header) {
	if p.cfg.Format == FormatJSON {
		p.sflowJSONPrefix(h)
		return
	}
	received := uint64(p.meta.ReceivedNs)
	b := p.fused.prefix[:0]
	b = append(b, 1<<3, TypeSFlow5)
	b = appendUint(b, 4, uint64(h.Sequence))
	b = append(b, 10<<3, 1) // one packet
	b = appendBytes(b, 11, h.Agent)
	if cap(b)-len(b) < jsonSlack { // it is copied in words
		b = grow(b, jsonSlack)
	}
	n := len(b)
	b = b[:n+jsonSlack]
	n = putTime(b, n, tagReceived, received)
	n = putTimes(b, n, received, received)
	if p.fused.prefix = b[:n]; cap(b)-n < jsonSlack {
		p.fused.prefix = grow(b[:n], jsonSlack)
	}
}

// writeSample appends the message of a sample that gather took.
func (p *Producer) writeSample(s *sampleParts) {
	h := &p.hdr
	if s.stack < 0 {
		p.parseHeader(s.frame, s.start, h)
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
	var custom []customValue
	if l := p.prog.layers; l != nil {
		custom = p.sampleCustom(l, s, h)
		need += customLen(custom)
	}
	if cap(b.Buf)-len(b.Buf) < need {
		b.Buf = grow(b.Buf, need)
	}
	out := b.Buf[len(b.Buf) : len(b.Buf)+need : len(b.Buf)+need]
	room := 1
	if c.long {
		room = 2
	}
	o := room + len(c.prefix)
	at := unsafe.Add(unsafe.Pointer(unsafe.SliceData(out)), room)
	at = putText(at, unsafe.Pointer(unsafe.SliceData(c.prefix)), uintptr(len(c.prefix)))
	w := at
	w = put1(w, s.rate, 3<<3)
	w = put1(w, uint64(s.bytes), 9<<3)
	if s.stack >= 0 {
		w = s.writePlain(w)
	} else {
		w = writeHeaders(h, w)
	}
	n := &s.numbers
	if (n[numInIf]|n[numOutIf]|n[numSrcVLAN]|n[numDstVLAN])>>16 == 0 {
		w = putHalf2(w, uint64(n[numInIf]), tagInIf)
		w = putHalf2(w, uint64(n[numOutIf]), tagOutIf)
		w = putHalf2(w, uint64(n[numSrcVLAN]), tagSrcVLAN)
		w = putHalf2(w, uint64(n[numDstVLAN]), tagDstVLAN)
	} else {
		w = putWord2(w, uint64(n[numInIf]), tagInIf)
		w = putWord2(w, uint64(n[numOutIf]), tagOutIf)
		w = putWord2(w, uint64(n[numSrcVLAN]), tagSrcVLAN)
		w = putWord2(w, uint64(n[numDstVLAN]), tagDstVLAN)
	}
	if (n[numSrcLen]|n[numDstLen])>>8 == 0 {
		w = putByte2(w, uint64(n[numSrcLen]), tagSrcNet)
		w = putByte2(w, uint64(n[numDstLen]), tagDstNet)
	} else {
		w = putWord2(w, uint64(n[numSrcLen]), tagSrcNet)
		w = putWord2(w, uint64(n[numDstLen]), tagDstNet)
	}
	w = put1(w, uint64(n[numNextHopAS]), 13<<3)
	srcAS, dstAS := n[numSrcAS], n[numDstAS]
	if p.cfg.Geo != nil {
		src, dst := p.whereabouts(s)
		srcAS, dstAS = cmp.Or(src.AS, srcAS), cmp.Or(dst.AS, dstAS)
		w = putCountry(w, tagSrcCountry, src.Country)
		w = putCountry(w, tagDstCountry, dst.Country)
	}
	w = put1(w, uint64(srcAS), 14<<3)
	w = put1(w, uint64(dstAS), 15<<3)
	w = putAddr(w, 12<<3|wireBytes, 1, s.nextHop)
	w = putAddr(w, tagBGPNextHop, 2, s.bgpNextHop)
	if len(s.communities) > 0 {
		begin := beginList(w, tagCommunities)
		w = endList(begin, putWords(begin, s.communities))
	}
	if s.pathLen > 0 {
		w = s.writePath(w)
	}
	o += int(uintptr(w) - uintptr(at))
	o = len(appendCustom(out[:o], custom))
	o = putLength(out, room, o, c)
	o += copy(out[o:], p.cfg.Separator)
	b.Buf = b.Buf[:len(b.Buf)+o]
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	p.useful++
}

// whereabouts returns what is known of a sample's addresses.
func (p *Producer) whereabouts(s *sampleParts) (src, dst geo.Answer) {
	if s.stack >= 0 {
		return p.cfg.Geo.Find(s.src), p.cfg.Geo.Find(s.dst)
	}
	return p.cfg.Geo.Find(p.hdr.SrcAddr), p.cfg.Geo.Find(p.hdr.DstAddr)
}

// putCountry writes a country behind its tag, or nothing.
func putCountry(w unsafe.Pointer, tag uint64, c geo.Country) unsafe.Pointer {
	*(*uint64)(w) = tag | 2<<16 | uint64(c>>8)<<24 | uint64(c&0xff)<<32
	return unsafe.Add(w, 5&-int((uint64(c)+0xffff)>>16))
}

// stackText is what all frames with a stack of headers have in common, as it is
// written: etype, proto, layer_stack and layer_size. The last byte is the size
// of the transport header.
type stackText struct {
	text [31]byte
	n    uint8
}

var stackTexts = func() (t [numStacks]stackText) {
	for i := range t {
		proto, etype, ip := stackProtos[i&3], uint64(etherTypeIPv4), packet.LayerIPv4
		layers, sizes := []byte{packet.LayerEthernet}, []byte{14}
		if i&stackVLAN != 0 {
			layers, sizes = append(layers, packet.LayerDot1Q), append(sizes, 4)
		}
		size := byte(20)
		if i&stackV6 != 0 {
			etype, ip, size = etherTypeIPv6, packet.LayerIPv6, 40
		}
		transport := [...]byte{packet.LayerTCP, packet.LayerUDP, packet.LayerICMP, packet.LayerICMPv6}[i&3]
		layers, sizes = append(layers, ip, transport), append(sizes, size, 8)
		b := appendUint(nil, 30, etype)
		b = appendUint(b, 20, uint64(proto))
		b = appendBytes(b, 103, layers)
		b = appendBytes(b, 104, sizes)
		t[i].n = uint8(copy(t[i].text[:], b))
	}
	return t
}()

// writePlain writes the fields of a plain frame.
func (s *sampleParts) writePlain(w unsafe.Pointer) unsafe.Pointer {
	n := &s.numbers
	t := &stackTexts[s.stack&(numStacks-1)]
	copy32(w, unsafe.Pointer(t))
	w = unsafe.Add(w, uintptr(t.n))
	if s.plain.Proto == 6 {
		*(*byte)(unsafe.Add(w, -1)) = s.plain.TCPSize
	}
	w = putMAC(w, s.srcMAC, tagSrcMAC)
	w = putMAC(w, s.dstMAC, tagDstMAC)
	src, dst := unsafe.Pointer(unsafe.SliceData(s.src)), unsafe.Pointer(unsafe.SliceData(s.dst))
	if s.plain.V6 {
		*(*uint16)(w) = 6<<3 | wireBytes | 16<<8
		*(*[16]byte)(unsafe.Add(w, 2)) = *(*[16]byte)(src)
		*(*uint16)(unsafe.Add(w, 18)) = 7<<3 | wireBytes | 16<<8
		*(*[16]byte)(unsafe.Add(w, 20)) = *(*[16]byte)(dst)
		w = unsafe.Add(w, 36)
		w = putWord2(w, uint64(n[numFlowLabel]), tagFlowLabel)
	} else {
		*(*uint64)(w) = 6<<3 | wireBytes | 4<<8 | uint64(*(*uint32)(src))<<16
		*(*uint64)(unsafe.Add(w, 6)) = 7<<3 | wireBytes | 4<<8 | uint64(*(*uint32)(dst))<<16
		w = unsafe.Add(w, 12)
		w = putHalf2(w, uint64(n[numFragID]), tagFragID)
		w = putByte2(w, uint64(n[numIPFlags]), tagIPFlags)
	}
	w = putHalf2(w, uint64(n[numVLAN]), tagVLAN)
	w = putByte2(w, uint64(n[numTOS]), tagTOS)
	w = putByte2(w, uint64(n[numTTL]), tagTTL)
	if s.stack&stackICMP != 0 {
		w = putByte2(w, uint64(n[numICMPType]), tagICMPType)
		return putByte2(w, uint64(n[numICMPCode]), tagICMPCode)
	}
	w = putHalf2(w, uint64(n[numSrcPort]), tagSrcPort)
	w = putHalf2(w, uint64(n[numDstPort]), tagDstPort)
	return putByte2(w, uint64(n[numTCPFlags]), tagTCPFlags)
}

// putWord2 writes a number below 1<<32 behind a tag of two bytes, or nothing if
// it is zero, without a branch.
func putWord2(w unsafe.Pointer, v, tag uint64) unsafe.Pointer {
	x, n := spread32(v)
	*(*uint64)(w) = x<<16 | tag
	return unsafe.Add(w, (2+n)&-int((v+0xffffffff)>>32))
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
	tagReceived    = 110<<3&0x7f | 0x80 | 110<<3>>7<<8
	tagRouteLeft   = 106<<3&0x7f | 0x80 | 106<<3>>7<<8
)
