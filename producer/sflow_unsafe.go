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
		n += tunnelLen + packet.MaxLayers*(1+5) + len(h.MPLS)*3 + len(h.RoutingAddrs)*2
	}
	return n
}

// sflowPrefix encodes what all flow samples of a datagram share.
func (p *Producer) sflowPrefix(h *sflow.Header) {
	if p.cfg.Format != FormatBin {
		p.sflowTextPrefix(h)
		return
	}
	received := uint64(p.meta.ReceivedNs)
	b := p.fused.prefix[:0]
	b = append(b, tagType, TypeSFlow5)
	b = appendUint(b, numberSequenceNum, uint64(h.Sequence))
	b = append(b, tagPackets, 1) // one packet
	b = appendBytes(b, numberSamplerAddress, h.Agent)
	if cap(b)-len(b) < jsonSlack { // it is copied in words
		b = grow(b, jsonSlack)
	}
	n := len(b)
	b = b[:n+jsonSlack]
	n = putTime(b, n, tagTimeReceivedNs, received)
	n = p.fused.putTimes(b, n, received, received)
	if p.fused.prefix = b[:n]; cap(b)-n < jsonSlack {
		p.fused.prefix = grow(b[:n], jsonSlack)
	}
}

// writeSample appends the message of a sample that gather took.
func (p *Producer) writeSample(s *sampleParts) {
	h := &p.hdr
	if s.stack < 0 {
		p.parseHeader(s.frame, s.start, h)
		p.headerFaults(h)
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
	w = put1(w, s.rate, tagSamplingRate)
	w = put1(w, uint64(s.bytes), tagBytes)
	if s.stack >= 0 {
		w = s.writePlain(w)
	} else {
		w = writeHeaders(h, w)
		if h.Tunnel != packet.TunnelNone {
			w = writeTunnel(h, w, &p.prog.hidden)
		}
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
	w = put1(w, uint64(n[numNextHopAS]), tagNextHopAS)
	srcAS, dstAS := n[numSrcAS], n[numDstAS]
	if p.cfg.Geo != nil {
		src, dst := p.whereabouts(s)
		srcAS, dstAS = cmp.Or(src.AS, srcAS), cmp.Or(dst.AS, dstAS)
		w = putCountry(w, tagSrcCountry, src.Country)
		w = putCountry(w, tagDstCountry, dst.Country)
	}
	w = put1(w, uint64(srcAS), tagSrcAS)
	w = put1(w, uint64(dstAS), tagDstAS)
	w = putAddr(w, tagNextHop, 1, s.nextHop)
	w = putAddr(w, tagBGPNextHop, 2, s.bgpNextHop)
	if len(s.communities) > 0 {
		begin := beginList(w, tagBGPCommunities)
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

// whereabouts returns what is known about a sample's addresses.
func (p *Producer) whereabouts(s *sampleParts) (src, dst geo.Answer) {
	if s.stack >= 0 {
		return p.cfg.Geo.Find(s.src), p.cfg.Geo.Find(s.dst)
	}
	return p.cfg.Geo.Find(p.hdr.SrcAddr), p.cfg.Geo.Find(p.hdr.DstAddr)
}

// putCountry writes a country after its tag, or nothing.
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
		b := appendUint(nil, numberEtype, etype)
		b = appendUint(b, numberProto, uint64(proto))
		b = appendBytes(b, numberLayerStack, layers)
		b = appendBytes(b, numberLayerSize, sizes)
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
		*(*uint16)(w) = tagSrcAddr | 16<<8
		*(*[16]byte)(unsafe.Add(w, 2)) = *(*[16]byte)(src)
		*(*uint16)(unsafe.Add(w, 18)) = tagDstAddr | 16<<8
		*(*[16]byte)(unsafe.Add(w, 20)) = *(*[16]byte)(dst)
		w = unsafe.Add(w, 36)
		w = putWord2(w, uint64(n[numFlowLabel]), tagIPv6FlowLabel)
	} else {
		*(*uint64)(w) = tagSrcAddr | 4<<8 | uint64(*(*uint32)(src))<<16
		*(*uint64)(unsafe.Add(w, 6)) = tagDstAddr | 4<<8 | uint64(*(*uint32)(dst))<<16
		w = unsafe.Add(w, 12)
		w = putHalf2(w, uint64(n[numFragID]), tagFragmentID)
		w = putByte2(w, uint64(n[numIPFlags]), tagIPFlags)
	}
	w = putHalf2(w, uint64(n[numVLAN]), tagVLANID)
	w = putByte2(w, uint64(n[numTOS]), tagIPTOS)
	w = putByte2(w, uint64(n[numTTL]), tagIPTTL)
	if s.stack&stackICMP != 0 {
		w = putByte2(w, uint64(n[numICMPType]), tagICMPType)
		return putByte2(w, uint64(n[numICMPCode]), tagICMPCode)
	}
	w = putHalf2(w, uint64(n[numSrcPort]), tagSrcPort)
	w = putHalf2(w, uint64(n[numDstPort]), tagDstPort)
	return putByte2(w, uint64(n[numTCPFlags]), tagTCPFlags)
}

// putWord2 writes a number below 1<<32 after a tag of two bytes, or nothing if
// it is zero, without a branch.
func putWord2(w unsafe.Pointer, v, tag uint64) unsafe.Pointer {
	x, n := spread32(v)
	*(*uint64)(w) = x<<16 | tag
	return unsafe.Add(w, (2+n)&-int((v+0xffffffff)>>32))
}
