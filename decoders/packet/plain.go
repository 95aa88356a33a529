package packet

import "encoding/binary"

// Plain is where the headers of a plain frame stand: Ethernet, at most one
// 802.1Q tag, IPv4 without options or IPv6 without extension headers, and TCP,
// UDP or ICMP. That is what most sampled frames are.
type Plain struct {
	IP        int   // offset of the IP header: 14, or 18 after a tag
	Transport int   // offset of the TCP, UDP or ICMP header
	V6        bool  // the IP header is IPv6
	Proto     uint8 // 1, 6, 17 or 58
	TCPSize   uint8 // bytes of the TCP header as it says itself, 20 to 60
}

// ParsePlain finds the headers of a plain frame. It reports false for any
// other frame, which [Parse] is for, and for one that is cut before the end of
// its transport header's fixed part. Behind true, all fixed parts lie in b: 20
// bytes of IPv4 or 40 of IPv6, 20 of TCP, 8 of UDP or ICMP.
func ParsePlain(b []byte, p *Plain) bool {
	if len(b) < ethernetSize+ipv4Size+udpSize {
		return false
	}
	p.IP = ethernetSize
	et := binary.BigEndian.Uint16(b[12:])
	if et == etherVLAN {
		p.IP = ethernetSize + vlanSize
		et = binary.BigEndian.Uint16(b[16:])
	}
	d := b[p.IP:]
	switch {
	case et == etherIPv4 && len(d) >= ipv4Size+udpSize:
		if d[0] != 0x45 || d[6]&0x1f|d[7] != 0 {
			return false
		}
		p.V6, p.Proto, p.Transport = false, d[9], p.IP+ipv4Size
		d = d[ipv4Size:]
	case et == etherIPv6 && len(d) >= ipv6Size+udpSize:
		if d[0]>>4 != 6 {
			return false
		}
		p.V6, p.Proto, p.Transport = true, d[6], p.IP+ipv6Size
		d = d[ipv6Size:]
	default:
		return false
	}
	switch p.Proto {
	case protoTCP:
		if len(d) < tcpSize {
			return false
		}
		p.TCPSize = d[12] >> 4 * 4
		return p.TCPSize >= tcpSize
	case protoUDP, protoICMP, protoICMPv6:
		return true
	}
	return false
}
