package capture

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopacket/gopacket/layers"
)

// Protocol numbers that a datagram meets on its way in. EtherTypes: IEEE 802;
// IP protocols and IPv6 extension headers: IANA.
const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd

	protoHopByHop    = 0
	protoTCP         = 6
	protoUDP         = 17
	protoRouting     = 43
	protoFragment    = 44
	protoAuth        = 51
	protoDestination = 60
	protoMobility    = 135
	protoHIP         = 139
	protoShim6       = 140

	udpHeaderLen = 8
)

// parseLink steps over the link layer. All parse functions return a nil counter
// and a datagram whose bytes lie in the frame or in the fragment table's scratch,
// or the counter where the frame ends.
func (r *Reader) parseLink(link layers.LinkType, b []byte, timeNs int64) (Datagram, *uint64) {
	switch link {
	case layers.LinkTypeEthernet:
		if len(b) < 14 {
			return Datagram{}, &r.stats.Truncated
		}
		return r.parseEther(binary.BigEndian.Uint16(b[12:]), b[14:], timeNs)
	case layers.LinkTypeLinuxSLL: // 16 bytes, protocol last
		if len(b) < 16 {
			return Datagram{}, &r.stats.Truncated
		}
		return r.parseEther(binary.BigEndian.Uint16(b[14:]), b[16:], timeNs)
	case layers.LinkTypeLinuxSLL2: // 20 bytes, protocol first
		if len(b) < 20 {
			return Datagram{}, &r.stats.Truncated
		}
		return r.parseEther(binary.BigEndian.Uint16(b), b[20:], timeNs)
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		return r.parseNull(b, timeNs)
	case 12, 14, layers.LinkTypeRaw: // 12 and 14: what DLT_RAW is on various systems
		if len(b) == 0 {
			return Datagram{}, &r.stats.Truncated
		}
		switch b[0] >> 4 {
		case 4:
			return r.parseIPv4(b, timeNs)
		case 6:
			return r.parseIPv6(b, timeNs)
		}
		return Datagram{}, &r.stats.NonIP
	case layers.LinkTypeIPv4:
		return r.parseIPv4(b, timeNs)
	case layers.LinkTypeIPv6:
		return r.parseIPv6(b, timeNs)
	}
	return Datagram{}, &r.stats.UnknownLink
}

// parseEther steps over VLAN tags, however many, and takes IPv4 and IPv6.
func (r *Reader) parseEther(etherType uint16, b []byte, timeNs int64) (Datagram, *uint64) {
	for {
		switch etherType {
		case etherIPv4:
			return r.parseIPv4(b, timeNs)
		case etherIPv6:
			return r.parseIPv6(b, timeNs)
		case 0x8100, 0x88a8, 0x9100, 0x9200, 0x9300: // 802.1Q, 802.1ad and what came before it
			if len(b) < 4 {
				return Datagram{}, &r.stats.Truncated
			}
			etherType, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		default:
			return Datagram{}, &r.stats.NonIP
		}
	}
}

// parseNull reads the 4-byte address family of BSD loopback captures. It is in
// the capturing machine's byte order (DLT_NULL) or big-endian (DLT_LOOP), and
// IPv6 has another number on each BSD; all are below 256, so the one byte that
// is set tells.
func (r *Reader) parseNull(b []byte, timeNs int64) (Datagram, *uint64) {
	if len(b) < 4 {
		return Datagram{}, &r.stats.Truncated
	}
	family := binary.BigEndian.Uint32(b)
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(b)
	}
	switch family {
	case 2:
		return r.parseIPv4(b[4:], timeNs)
	case 10, 24, 28, 30: // Linux; NetBSD and OpenBSD; FreeBSD; Darwin
		return r.parseIPv6(b[4:], timeNs)
	}
	return Datagram{}, &r.stats.NonIP
}

// parseIPv4 reads an IPv4 packet (RFC 791). b may be longer than the packet
// (link padding) or shorter (snap length).
func (r *Reader) parseIPv4(b []byte, timeNs int64) (Datagram, *uint64) {
	if len(b) < 20 {
		return Datagram{}, &r.stats.Truncated
	}
	headerLen := int(b[0]&0x0f) * 4
	if b[0]>>4 != 4 || headerLen < 20 {
		return Datagram{}, &r.stats.Malformed
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = len(b) // segmentation offload: the card would have filled it in
	}
	if total < headerLen {
		return Datagram{}, &r.stats.Malformed
	}
	short := len(b) < total
	if short {
		total = len(b)
	}
	if total < headerLen {
		return Datagram{}, &r.stats.Truncated
	}
	src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	protocol, payload := b[9], b[headerLen:total]

	flags := binary.BigEndian.Uint16(b[6:])
	offset, more := int(flags&0x1fff)*8, flags&0x2000 != 0
	if offset != 0 || more {
		if short {
			return Datagram{}, &r.stats.Truncated
		}
		key := fragmentKey{src: src, dst: dst, protocol: protocol, id: uint32(binary.BigEndian.Uint16(b[4:]))}
		whole, counter := r.fragments.add(key, offset, more, protocol, payload, timeNs)
		if counter != nil {
			return Datagram{}, counter
		}
		payload = whole.data
	}
	return r.parseTransport(protocol, src, dst, payload)
}

// parseIPv6 reads an IPv6 packet (RFC 8200).
func (r *Reader) parseIPv6(b []byte, timeNs int64) (Datagram, *uint64) {
	if len(b) < 40 {
		return Datagram{}, &r.stats.Truncated
	}
	if b[0]>>4 != 6 {
		return Datagram{}, &r.stats.Malformed
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	next, length, rest := b[6], int(binary.BigEndian.Uint16(b[4:])), b[40:]
	short := false
	if length != 0 { // zero: a jumbogram or segmentation offload
		short = len(rest) < length
		rest = rest[:min(length, len(rest))]
	}
	return r.parseExtensions(next, src, dst, rest, short, timeNs)
}

// parseExtensions steps over IPv6 extension headers. Each is at least 8 bytes
// long, so the bytes that are there bound the loop.
func (r *Reader) parseExtensions(next uint8, src, dst netip.Addr, b []byte, short bool, timeNs int64) (Datagram, *uint64) {
	for {
		var length int
		switch next {
		case protoHopByHop, protoRouting, protoDestination, protoMobility, protoHIP, protoShim6:
			if len(b) < 8 {
				return Datagram{}, &r.stats.Truncated
			}
			length = (int(b[1]) + 1) * 8
		case protoAuth: // RFC 4302 section 2.2: in 4-byte units, minus 2
			if len(b) < 8 {
				return Datagram{}, &r.stats.Truncated
			}
			length = (int(b[1]) + 2) * 4
		case protoFragment:
			if len(b) < 8 || short {
				return Datagram{}, &r.stats.Truncated
			}
			field := binary.BigEndian.Uint16(b[2:])
			offset, more := int(field&0xfff8), field&1 != 0
			if offset == 0 && !more { // an atomic fragment: RFC 6946
				length = 8
				break
			}
			key := fragmentKey{src: src, dst: dst, v6: true, id: binary.BigEndian.Uint32(b[4:])}
			whole, counter := r.fragments.add(key, offset, more, b[0], b[8:], timeNs)
			if counter != nil {
				return Datagram{}, counter
			}
			if whole.next == protoFragment {
				return Datagram{}, &r.stats.Malformed // fragments within fragments
			}
			next, b = whole.next, whole.data
			continue
		default:
			return r.parseTransport(next, src, dst, b)
		}
		if len(b) < length {
			return Datagram{}, &r.stats.Truncated
		}
		next, b = b[0], b[length:]
	}
}

// parseTransport reads the UDP header (RFC 768) at the start of b, the IP payload.
func (r *Reader) parseTransport(protocol uint8, src, dst netip.Addr, b []byte) (Datagram, *uint64) {
	switch protocol {
	case protoUDP:
	case protoTCP:
		return Datagram{}, &r.stats.TCP
	default:
		return Datagram{}, &r.stats.OtherIP
	}
	if len(b) < udpHeaderLen {
		return Datagram{}, &r.stats.Truncated
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length == 0 { // a jumbogram (RFC 2675) or segmentation offload
		length = len(b)
	}
	if length < udpHeaderLen {
		return Datagram{}, &r.stats.Malformed
	}
	return Datagram{
		Src:     netip.AddrPortFrom(src, binary.BigEndian.Uint16(b)),
		Dst:     netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:])),
		Payload: b[udpHeaderLen:min(length, len(b))],
		Cut:     length > len(b),
	}, nil
}
