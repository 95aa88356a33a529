package producer

import "math/bits"

// Wire types of protocol buffers (https://protobuf.dev/programming-guides/encoding).
const (
	wireVarint = 0
	wireBytes  = 2
)

// prefixRoom is what AppendDelimited keeps free for a message's length: two
// bytes hold any length below 16 KiB, which is all but every message.
const prefixRoom = 2

// AppendDelimited appends f as a flowpb.FlowMessage behind its length as a
// varint. Fields are in the order of their numbers and default values are
// left out, as the Go library writes them.
func AppendDelimited(dst []byte, f *Flow) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, prefixRoom)...)
	dst = appendMessage(dst, f)
	n := len(dst) - start - prefixRoom
	switch room := varintLen(uint64(n)); {
	case room == prefixRoom:
		dst[start] = byte(n) | 0x80
		dst[start+1] = byte(n >> 7)
	case room < prefixRoom:
		copy(dst[start+room:], dst[start+prefixRoom:])
		dst = dst[:len(dst)-(prefixRoom-room)]
		dst[start] = byte(n)
	default:
		dst = append(dst, make([]byte, room-prefixRoom)...)
		copy(dst[start+room:], dst[start+prefixRoom:start+prefixRoom+n])
		appendVarint(dst[:start], uint64(n))
	}
	return dst
}

func appendMessage(b []byte, f *Flow) []byte {
	b = appendUint(b, 1, uint64(f.Type))
	b = appendUint(b, 3, f.SamplingRate)
	b = appendUint(b, 4, uint64(f.SequenceNum))
	b = appendBytes(b, 6, f.SrcAddr)
	b = appendBytes(b, 7, f.DstAddr)
	b = appendUint(b, 9, f.Bytes)
	b = appendUint(b, 10, f.Packets)
	b = appendBytes(b, 11, f.SamplerAddress)
	b = appendBytes(b, 12, f.NextHop)
	b = appendUint(b, 13, uint64(f.NextHopAS))
	b = appendUint(b, 14, uint64(f.SrcAS))
	b = appendUint(b, 15, uint64(f.DstAS))
	b = appendUint(b, 16, uint64(f.SrcNet))
	b = appendUint(b, 17, uint64(f.DstNet))
	b = appendUint(b, 18, uint64(f.InIf))
	b = appendUint(b, 19, uint64(f.OutIf))
	b = appendUint(b, 20, uint64(f.Proto))
	b = appendUint(b, 21, uint64(f.SrcPort))
	b = appendUint(b, 22, uint64(f.DstPort))
	b = appendUint(b, 23, uint64(f.IPTOS))
	b = appendUint(b, 24, uint64(f.ForwardingStatus))
	b = appendUint(b, 25, uint64(f.IPTTL))
	b = appendUint(b, 26, uint64(f.TCPFlags))
	b = appendUint(b, 27, f.SrcMAC)
	b = appendUint(b, 28, f.DstMAC)
	b = appendUint(b, 29, uint64(f.VLANID))
	b = appendUint(b, 30, uint64(f.Etype))
	b = appendUint(b, 31, uint64(f.ICMPType))
	b = appendUint(b, 32, uint64(f.ICMPCode))
	b = appendUint(b, 33, uint64(f.SrcVLAN))
	b = appendUint(b, 34, uint64(f.DstVLAN))
	b = appendUint(b, 35, uint64(f.FragmentID))
	b = appendUint(b, 36, uint64(f.FragmentOffset))
	b = appendUint(b, 37, uint64(f.IPv6FlowLabel))
	b = appendUint(b, 38, uint64(f.IPFlags))
	b = appendUint(b, 70, uint64(f.ObservationDomainID))
	b = appendUint(b, 71, uint64(f.ObservationPointID))
	b = appendPacked(b, 80, f.MPLSTTL)
	b = appendPacked(b, 81, f.MPLSLabel)
	for _, ip := range f.MPLSIP {
		b = appendElement(b, 82, ip)
	}
	b = appendBytes(b, 100, f.BGPNextHop)
	b = appendPacked(b, 101, f.BGPCommunities)
	b = appendPacked(b, 102, f.ASPath)
	b = appendPacked(b, 103, f.LayerStack)
	b = appendPacked(b, 104, f.LayerSize)
	for a := f.RoutingAddresses; len(a) >= 16; a = a[16:] {
		b = appendElement(b, 105, a[:16])
	}
	b = appendUint(b, 106, uint64(f.RoutingSegLeft))
	b = appendUint(b, 110, f.TimeReceivedNs)
	b = appendUint(b, 111, f.TimeFlowStartNs)
	b = appendUint(b, 112, f.TimeFlowEndNs)
	return appendCustom(appendCountries(b, f), f.custom)
}

func appendTag(b []byte, field, wire int) []byte {
	tag := field<<3 | wire
	if tag < 0x80 {
		return append(b, byte(tag))
	}
	return append(b, byte(tag)|0x80, byte(tag>>7))
}

func appendUint(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return appendVarint(appendTag(b, field, wireVarint), v)
}

func appendBytes(b []byte, field int, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return appendElement(b, field, v)
}

// appendElement appends an element of a repeated field, which is written even
// when it is empty.
func appendElement(b []byte, field int, v []byte) []byte {
	b = appendVarint(appendTag(b, field, wireBytes), uint64(len(v)))
	return append(b, v...)
}

func appendPacked(b []byte, field int, v []uint32) []byte {
	if len(v) == 0 {
		return b
	}
	n := 0
	for _, x := range v {
		n += varintLen(uint64(x))
	}
	b = appendVarint(appendTag(b, field, wireBytes), uint64(n))
	for _, x := range v {
		b = appendVarint(b, uint64(x))
	}
	return b
}

func appendVarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// varintLen returns how many bytes v takes as a varint.
func varintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
