package packet

import "encoding/binary"

// IP protocol numbers that are followed (IANA).
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoDCCP     = 33
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoAH       = 51
	protoICMPv6   = 58
	protoDestOpts = 60
	protoIPIP     = 94 // RFC 1853's own number; what follows says its version
	protoEtherIP  = 97
	protoL2TP     = 115 // version 3, RFC 3931 section 4.1.1
	protoSCTP     = 132
	protoMobility = 135
	protoUDPLite  = 136
	protoMPLS     = 137
	protoHIP      = 139
	protoShim6    = 140
	protoEthernet = 143 // RFC 8986 section 4.9
)

const (
	ipv4Size     = 20
	ipv6Size     = 40
	fragmentSize = 8
	segmentSize  = 16
)

// ipv4 reads an IPv4 header with its options: RFC 791 section 3.1.
func (w *walker) ipv4() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if d[0]>>4 != 4 {
		return w.malformed()
	}
	size := int(d[0]&0x0f) * 4
	bad := size < ipv4Size
	if bad {
		size = ipv4Size
	}
	if !w.layer(LayerIPv4, size) {
		return stop
	}
	w.v6 = false
	if !w.inner {
		w.ipv4Fields(d)
	} else if w.fill {
		w.innerIPv4(d)
	}
	if bad {
		w.h.Malformed = true
	}
	if !w.advance(size) || bad {
		return stop
	}
	if binary.BigEndian.Uint16(d[6:])&0x1fff != 0 {
		return stop // a later fragment has no header of the next layer
	}
	return protoBit | next(d[9])
}

// ipv4Fields takes what is there of the fixed part.
func (w *walker) ipv4Fields(d []byte) {
	h := w.h
	if len(d) >= ipv4Size {
		h.SrcAddr = d[12:16:16]
		h.DstAddr = d[16:20:20]
	} else if len(d) < 10 {
		if len(d) >= 2 {
			h.TOS = uint32(d[1])
		}
		if len(d) >= 6 {
			h.FragmentID = uint32(binary.BigEndian.Uint16(d[4:]))
		}
		if len(d) >= 8 {
			h.setFragment(binary.BigEndian.Uint16(d[6:]))
		}
		if len(d) >= 9 {
			h.TTL = uint32(d[8])
		}
		return
	}
	h.TOS = uint32(d[1])
	h.FragmentID = uint32(binary.BigEndian.Uint16(d[4:]))
	h.setFragment(binary.BigEndian.Uint16(d[6:]))
	h.TTL = uint32(d[8])
	h.Proto = uint32(d[9])
}

func (h *Headers) setFragment(word uint16) {
	h.FragmentOffset = uint32(word & 0x1fff)
	h.IPFlags = uint32(word >> 13)
}

// ipv6 reads the fixed IPv6 header: RFC 8200 section 3.
func (w *walker) ipv6() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if d[0]>>4 != 6 {
		return w.malformed()
	}
	if !w.layer(LayerIPv6, ipv6Size) {
		return stop
	}
	w.v6 = true
	if !w.inner {
		w.ipv6Fields(d)
	} else if w.fill {
		w.innerIPv6(d)
	}
	if !w.advance(ipv6Size) {
		return stop
	}
	return protoBit | next(d[6])
}

// ipv6Fields takes what is there of the fixed header.
func (w *walker) ipv6Fields(d []byte) {
	h := w.h
	if len(d) >= 2 {
		h.TOS = uint32(d[0]&0x0f)<<4 | uint32(d[1]>>4)
	}
	if len(d) >= 4 {
		h.FlowLabel = binary.BigEndian.Uint32(d) & 0xfffff
	}
	if len(d) >= 7 {
		h.Proto = uint32(d[6])
	}
	if len(d) >= 8 {
		h.TTL = uint32(d[7])
	}
	if len(d) >= ipv6Size {
		h.SrcAddr = d[8:24:24]
		h.DstAddr = d[24:40:40]
	}
}

// protocol reads the header that an IP protocol number announced.
func (w *walker) protocol(p uint8) next {
	switch p {
	case protoTCP:
		return w.tcp()
	case protoUDP:
		return w.udp()
	case protoICMP:
		return w.icmp(LayerICMP)
	case protoICMPv6:
		return w.icmp(LayerICMPv6)
	case protoGRE:
		return w.gre()
	case protoIPv4:
		w.ipInIP()
		return w.ipv4()
	case protoIPv6:
		w.ipInIP()
		return w.ipv6()
	case protoMPLS:
		w.tunnel(TunnelMPLSIP)
		return w.mpls()
	case protoEtherIP:
		return w.etherIP()
	case protoAH:
		return w.authentication()
	case protoSCTP, protoUDPLite, protoDCCP:
		return w.ports(p)
	}
	if w.v6 {
		switch p {
		case protoHopByHop, protoDestOpts, protoMobility, protoHIP, protoShim6:
			return w.options()
		case protoRouting:
			return w.routing()
		case protoFragment:
			return w.fragment()
		}
	}
	if !w.inner {
		switch p {
		case protoIPIP:
			w.later = TunnelIP
		case protoL2TP:
			w.later = TunnelL2TPv3
		case protoEthernet:
			w.later = TunnelSRv6
		}
	}
	return w.unknown()
}

// extension adds a layer for an extension header whose first byte is the next
// header's number, and moves after it. d is what is there of it, at least one
// byte; false ends the walk.
func (w *walker) extension(kind uint8, size int, d []byte) bool {
	if !w.layer(kind, size) {
		return false
	}
	if !w.inner {
		w.h.Proto = uint32(d[0])
	} else if w.fill {
		w.h.Inner.Proto = d[0]
	}
	return w.advance(size)
}

// options reads a header of the common form, second byte its length in units
// of 8 bytes without the first 8: RFC 8200 sections 4.3 and 4.6, RFC 6275,
// RFC 7401, RFC 5533.
func (w *walker) options() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if !w.extension(LayerCustom, extensionSize(d), d) {
		return stop
	}
	return protoBit | next(d[0])
}

func extensionSize(d []byte) int {
	if len(d) < 2 {
		return 8
	}
	return 8 + 8*int(d[1])
}

// routing reads a routing header: RFC 8200 section 4.4, RFC 8754 section 2.
// The fields are of the first one of the base stack.
func (w *walker) routing() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	size := extensionSize(d)
	if len(d) >= 4 && !w.inner && !w.h.HasRouting && w.h.Layers < MaxLayers {
		h := w.h
		h.HasRouting = true
		h.RoutingSegLeft = uint32(d[3])
		if d[2] == 4 && len(d) >= 8 {
			list := d[8:min(size, len(d))]
			n := min(int(d[4])+1, len(list)/segmentSize) * segmentSize
			h.RoutingAddrs = list[:n:n]
		}
	}
	if !w.extension(LayerIPv6Routing, size, d) {
		return stop
	}
	return protoBit | next(d[0])
}

// fragment reads a fragment header: RFC 8200 section 4.5. Behind that of a
// later fragment there is no header, only its name is known.
func (w *walker) fragment() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if len(d) >= 4 && !w.inner && w.h.Layers < MaxLayers {
		h := w.h
		word := uint32(binary.BigEndian.Uint16(d[2:]))
		h.FragmentOffset = word >> 3
		h.IPFlags = word & 7
		if len(d) >= fragmentSize {
			h.FragmentID = binary.BigEndian.Uint32(d[4:])
		}
	}
	if !w.extension(LayerIPv6Fragment, fragmentSize, d) {
		return stop
	}
	if binary.BigEndian.Uint16(d[2:])>>3 != 0 {
		return stop
	}
	return protoBit | next(d[0])
}

// authentication reads an AH, of IPv4 or IPv6; its length counts 4-byte words
// without the first two: RFC 4302 section 2.
func (w *walker) authentication() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	size := 12
	if len(d) >= 2 {
		size = (int(d[1]) + 2) * 4
	}
	if !w.extension(LayerCustom, size, d) {
		return stop
	}
	return protoBit | next(d[0])
}
