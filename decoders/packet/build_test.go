package packet

import (
	"encoding/binary"
	"slices"
)

// Headers built by hand, in the order of the wire: cat(eth(0x0800), ip4(6, 0), ...).

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

const (
	testDstMAC = 0x02aabbccddee
	testSrcMAC = 0x021122334455
)

func eth(et int) []byte {
	return cat([]byte{2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 2, 0x11, 0x22, 0x33, 0x44, 0x55}, be16(et))
}

func tag(tci, et int) []byte { return cat(be16(tci), be16(et)) }

func label(l, tc, bottom, ttl int) []byte { return be32(l<<12 | tc<<9 | bottom<<8 | ttl) }

func snap(et int) []byte { return cat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, be16(et)) }

func pppoe(ppp int) []byte { return cat([]byte{0x11, 0, 0, 1, 0, 100}, be16(ppp)) }

var (
	ip4Src = []byte{192, 0, 2, 1}
	ip4Dst = []byte{198, 51, 100, 2}
	ip6Src = []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	ip6Dst = []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}
)

// ip4 has TOS 0xb8, id 0x1234, TTL 61; frag is the word of flags and offset.
func ip4(proto, frag int, options ...byte) []byte {
	return cat([]byte{byte(0x45 + len(options)/4), 0xb8, 0, 100}, be16(0x1234), be16(frag),
		[]byte{61, byte(proto), 0, 0}, ip4Src, ip4Dst, options)
}

// ip6 has traffic class 0xb8, flow label 0x12345, hop limit 62.
func ip6(nh int) []byte {
	return cat([]byte{0x6b, 0x81, 0x23, 0x45, 0, 100, byte(nh), 62}, ip6Src, ip6Dst)
}

func ext(nh, units int) []byte {
	return cat([]byte{byte(nh), byte(units)}, make([]byte, 6+8*units))
}

func frag6(nh, offset, flags, id int) []byte {
	return cat([]byte{byte(nh), 0}, be16(offset<<3|flags), be32(id))
}

func ah(nh, words int) []byte {
	return cat([]byte{byte(nh), byte(words)}, make([]byte, 4*words+6))
}

func srh(nh, segLeft, lastEntry, addrs int) []byte {
	b := []byte{byte(nh), byte(2 * addrs), 4, byte(segLeft), byte(lastEntry), 0, 0, 0}
	for i := range addrs {
		b = append(b, ip6Src...)
		b[len(b)-1] = byte(i + 10)
	}
	return b
}

// tcp has ports 443 and 50000, SYN and ACK.
func tcp(words int) []byte {
	b := make([]byte, max(words*4, 20))
	copy(b, cat(be16(443), be16(50000)))
	b[12] = byte(words << 4)
	b[13] = 0x12
	return b
}

// udp has ports 53 and 40000.
func udp() []byte { return cat(be16(53), be16(40000), be16(8), be16(0)) }

func icmp(typ, code int) []byte { return []byte{byte(typ), byte(code), 0, 0, 0, 1, 0, 1} }

func gre(flags, proto, optional int) []byte {
	return cat(be16(flags), be16(proto), make([]byte, optional))
}
