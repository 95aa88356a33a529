package live

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	ipv4HeaderSize = 20
	ipv6HeaderSize = 40
	udpHeaderSize  = 8
)

// udpDatagram returns a UDP datagram with its header and checksum (RFC 768).
func udpDatagram(src, dst netip.AddrPort, payload []byte) []byte {
	b := be.AppendUint16(nil, src.Port())
	b = be.AppendUint16(b, dst.Port())
	b = be.AppendUint16(b, uint16(udpHeaderSize+len(payload)))
	b = append(append(b, 0, 0), payload...)
	pseudo := append(src.Addr().AsSlice(), dst.Addr().AsSlice()...)
	pseudo = be.AppendUint32(pseudo, uint32(len(b)))
	pseudo = be.AppendUint32(pseudo, unix.IPPROTO_UDP)
	sum := checksum(append(pseudo, b...))
	if sum == 0 {
		sum = 0xffff
	}
	be.PutUint16(b[6:], sum)
	return b
}

// checksum is that of the internet (RFC 1071).
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i, v := range b {
		if i%2 == 0 {
			sum += uint32(v) << 8
		} else {
			sum += uint32(v)
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// ipPacket returns an IP packet of either family. Next is the protocol or, for
// IPv6, the first header of body.
func ipPacket(src, dst netip.Addr, next byte, body []byte) []byte {
	if src.Is4() {
		return ipv4Packet(src, dst, next, body, 0, 0)
	}
	b := be.AppendUint32(nil, 6<<28)
	b = be.AppendUint16(b, uint16(len(body)))
	b = append(b, next, 61)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(b, body...)
}

// ipv4Packet returns a packet or a fragment: flags and offset are as in the header.
func ipv4Packet(src, dst netip.Addr, proto byte, body []byte, id, offset uint16) []byte {
	b := []byte{0x45, 0}
	b = be.AppendUint16(b, uint16(ipv4HeaderSize+len(body)))
	b = be.AppendUint16(b, id)
	b = be.AppendUint16(b, offset)
	b = append(b, 61, proto, 0, 0)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	be.PutUint16(b[10:], checksum(b))
	return append(b, body...)
}

// ipFragments returns packets no longer than an MTU: one, or fragments.
func ipFragments(src, dst netip.Addr, proto byte, body []byte, mtu int, id uint32) [][]byte {
	header := ipv4HeaderSize
	if src.Is6() {
		header = ipv6HeaderSize
	}
	if header+len(body) <= mtu {
		return [][]byte{ipPacket(src, dst, proto, body)}
	}
	if src.Is6() {
		header += 8 // fragment header, RFC 8200 section 4.5
	}
	step := (mtu - header) &^ 7
	var out [][]byte
	for at := 0; at < len(body); at += step {
		piece := body[at:min(at+step, len(body))]
		more := at+step < len(body)
		if src.Is4() {
			offset := uint16(at / 8)
			if more {
				offset |= 0x2000
			}
			out = append(out, ipv4Packet(src, dst, proto, piece, uint16(id), offset))
			continue
		}
		offset := uint16(at)
		if more {
			offset |= 1
		}
		fragment := be.AppendUint16([]byte{proto, 0}, offset)
		fragment = be.AppendUint32(fragment, id)
		out = append(out, ipPacket(src, dst, unix.IPPROTO_FRAGMENT, append(fragment, piece...)))
	}
	return out
}

// extension is an IPv6 extension header of 8 bytes, with padding in it
// (RFC 8200 section 4.2).
type extension byte

// withExtensions puts extension headers before a datagram and returns the number
// of the first.
func withExtensions(datagram []byte, list ...extension) (next byte, body []byte) {
	next = unix.IPPROTO_UDP
	body = datagram
	for i := len(list) - 1; i >= 0; i-- {
		header := []byte{next, 0, 1, 4, 0, 0, 0, 0} // PadN of 6 bytes
		body = append(header, body...)
		next = byte(list[i])
	}
	return next, body
}
