package sflow

import "encoding/binary"

// Values of RawHeader.Protocol that occur: header_protocol of the specification.
const (
	HeaderEthernet   = 1
	HeaderFrameRelay = 5
	HeaderPPP        = 7
	HeaderIPv4       = 11
	HeaderIPv6       = 12
	HeaderMPLS       = 13
	HeaderPOS        = 14
	HeaderWiFi       = 15 // IEEE 802.11
	HeaderAMSDU      = 17 // IEEE 802.11 A-MSDU subframe
)

// RawHeader is the beginning of a sampled packet (record 1).
type RawHeader struct {
	Protocol     uint32 // what the bytes begin with
	FrameLength  uint32 // bytes of the packet before sampling
	Stripped     uint32 // bytes removed from the packet before its header was taken
	HeaderLength uint32 // bytes of the header as the agent says
	Header       []byte // view, at most HeaderLength bytes
}

// ParseRawHeader reads record 1; false if its fixed part is not whole.
func ParseRawHeader(b []byte) (r RawHeader, ok bool) {
	if len(b) < 16 {
		return r, false
	}
	r.Protocol = word(b, 0)
	r.FrameLength = word(b, 1)
	r.Stripped = word(b, 2)
	r.HeaderLength = word(b, 3)
	n := min(uint64(r.HeaderLength), uint64(len(b)-16))
	r.Header = b[16 : 16+n : 16+n]
	return r, true
}

// Ethernet is a sampled frame's header as the agent read it (record 2).
type Ethernet struct {
	Length         uint32 // bytes of the frame
	SrcMAC, DstMAC uint64 // low 48 bits
	EtherType      uint32
}

// ParseEthernet reads record 2; false if it is not whole. Addresses are padded
// to 8 bytes; a body of 20 bytes is that of an agent that does not pad.
func ParseEthernet(b []byte) (r Ethernet, ok bool) {
	step := 8
	if len(b) == 20 {
		step = 6
	}
	if len(b) < 8+2*step {
		return r, false
	}
	r.Length = word(b, 0)
	r.SrcMAC = mac(b[4:])
	r.DstMAC = mac(b[4+step:])
	r.EtherType = binary.BigEndian.Uint32(b[4+2*step:])
	return r, true
}

// mac reads 6 bytes in network order.
func mac(d []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(d))<<32 | uint64(binary.BigEndian.Uint32(d[2:]))
}

// IP is a sampled packet's header as the agent read it (records 3 and 4).
type IP struct {
	Length           uint32 // bytes of the IP packet, without lower layers
	Protocol         uint32 // IP protocol, next header
	Src, Dst         []byte // views of 4 bytes (ParseIPv4) or 16 (ParseIPv6)
	SrcPort, DstPort uint32
	TCPFlags         uint32
	TOS              uint32 // IPv4 type of service, IPv6 priority
}

// ParseIPv4 reads record 3; false if it is not whole.
func ParseIPv4(b []byte) (IP, bool) { return parseIP(b, 4) }

// ParseIPv6 reads record 4; false if it is not whole.
func ParseIPv6(b []byte) (IP, bool) { return parseIP(b, 16) }

func parseIP(b []byte, size int) (r IP, ok bool) {
	if len(b) < 24+2*size {
		return r, false
	}
	r.Length = word(b, 0)
	r.Protocol = word(b, 1)
	r.Src = b[8 : 8+size : 8+size]
	r.Dst = b[8+size : 8+2*size : 8+2*size]
	b = b[8+2*size:]
	r.SrcPort = word(b, 0)
	r.DstPort = word(b, 1)
	r.TCPFlags = word(b, 2)
	r.TOS = word(b, 3)
	return r, true
}

// NoVLAN is a VLAN of [ExtendedSwitch] that says that there is none.
const NoVLAN = 0xffffffff

// ExtendedSwitch says how a packet was switched (record 1001).
type ExtendedSwitch struct {
	SrcVLAN, SrcPriority uint32 // 802.1Q id and priority of the incoming frame
	DstVLAN, DstPriority uint32 // of the outgoing one
}

// ParseExtendedSwitch reads record 1001; false if it is not whole.
func ParseExtendedSwitch(b []byte) (r ExtendedSwitch, ok bool) {
	if len(b) < 16 {
		return r, false
	}
	return ExtendedSwitch{word(b, 0), word(b, 1), word(b, 2), word(b, 3)}, true
}

// ExtendedRouter says how a packet was routed (record 1002).
type ExtendedRouter struct {
	NextHop                []byte // view of 4 or 16 bytes, nil if the agent does not know it
	SrcMaskLen, DstMaskLen uint32 // prefix lengths, bits
}

// ParseExtendedRouter reads record 1002; false if it is not whole or the type
// of its address has no reader.
func ParseExtendedRouter(b []byte) (r ExtendedRouter, ok bool) {
	if r.NextHop, b, ok = address(b); !ok || len(b) < 8 {
		return r, false
	}
	r.SrcMaskLen = word(b, 0)
	r.DstMaskLen = word(b, 1)
	return r, true
}

// address takes an address off b: a type, then as many bytes as that type has,
// none if it is unknown to the agent.
func address(b []byte) (addr, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, b, false
	}
	var n int
	switch word(b, 0) {
	case addressUnknown:
		return nil, b[4:], true
	case addressIPv4:
		n = 4
	case addressIPv6:
		n = 16
	default:
		return nil, b, false
	}
	b = b[4:]
	if len(b) < n {
		return nil, b, false
	}
	return b[:n:n], b[n:], true
}
