//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"github.com/weirflow/weir/decoders/packet"
)

// put2 writes an integer below 1<<32 after a tag of two bytes, or nothing if
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

// putMAC writes an integer of up to 48 bits after a tag of two bytes, or
// nothing if it is zero.
func putMAC(w unsafe.Pointer, v uint64, tag uint16) unsafe.Pointer {
	n := (bits.Len64(v|1)*9 + 64) >> 6
	x := spread56(v) & (1<<(8*n-1) - 1) // the last byte does not go on
	*(*uint16)(w) = tag
	*(*uint64)(unsafe.Add(w, 2)) = x
	return unsafe.Add(w, (2+n)&-int((v+(1<<48-1))>>48))
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

// writeHeaders writes the fields of a sampled header.
func writeHeaders(h *packet.Headers, w unsafe.Pointer) unsafe.Pointer {
	w = putMAC(w, h.SrcMAC, tagSrcMAC)
	w = putMAC(w, h.DstMAC, tagDstMAC)
	w = put2(w, uint64(h.EtherType), tagEtype)
	w = put2(w, uint64(h.VLANID), tagVLANID)
	w = putAddr(w, tagSrcAddr, 1, h.SrcAddr)
	w = putAddr(w, tagDstAddr, 1, h.DstAddr)
	w = put2(w, uint64(h.Proto), tagProto)
	w = put2(w, uint64(h.SrcPort), tagSrcPort)
	w = put2(w, uint64(h.DstPort), tagDstPort)
	w = put2(w, uint64(h.TOS), tagIPTOS)
	w = put2(w, uint64(h.TTL), tagIPTTL)
	w = put2(w, uint64(h.TCPFlags), tagTCPFlags)
	w = put2(w, uint64(h.FragmentID), tagFragmentID)
	w = put2(w, uint64(h.FragmentOffset), tagFragmentOffset)
	w = put2(w, uint64(h.FlowLabel), tagIPv6FlowLabel)
	w = put2(w, uint64(h.IPFlags), tagIPFlags)
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
			w = putAddr(w, tagRoutingAddresses, 2, a[:16])
		}
		w = put2(w, uint64(h.RoutingSegLeft), tagRoutingSegLeft)
	}
	return w
}

// tunnelLen bounds the bytes that writeTunnel writes.
const tunnelLen = 3 + 7 + 2*(3+16) + 5 + 4 + 2*5

// writeTunnel writes what a sampled header knows about its first tunnel, but for hidden
// fields.
func writeTunnel(h *packet.Headers, w unsafe.Pointer, hidden *extraSet) unsafe.Pointer {
	number := func(id fieldID, v, tag uint64) {
		if !hidden.has(id) {
			w = put2(w, v, tag)
		}
	}
	addr := func(id fieldID, tag uint64, v []byte) {
		if !hidden.has(id) {
			w = putAddr(w, tag, 2, v)
		}
	}
	in := &h.Inner
	number(fieldTunnelType, uint64(h.Tunnel), tagTunnelType)
	if h.HasTunnelID && !hidden.has(fieldTunnelID) {
		*(*uint16)(w) = tagTunnelID
		w = putElement(unsafe.Add(w, 2), uint64(h.TunnelID))
	}
	addr(fieldInnerSrcAddr, tagInnerSrcAddr, in.SrcAddr())
	addr(fieldInnerDstAddr, tagInnerDstAddr, in.DstAddr())
	number(fieldInnerEtype, uint64(in.EtherType), tagInnerEtype)
	number(fieldInnerProto, uint64(in.Proto), tagInnerProto)
	number(fieldInnerSrcPort, uint64(in.SrcPort), tagInnerSrcPort)
	number(fieldInnerDstPort, uint64(in.DstPort), tagInnerDstPort)
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

// writePath writes as_path.
func (s *sampleParts) writePath(w unsafe.Pointer) unsafe.Pointer {
	begin := beginList(w, tagASPath)
	w = begin
	for seg := s.segments; len(seg) >= 8; {
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
