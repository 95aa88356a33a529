package packet

import (
	"encoding/binary"
	"math/rand/v2"
)

// stacks builds random frames whose lengths and checksums are right, so that any
// decoder reads them to the end: headers in front of IP, tunnels, and IP in them.
type stacks struct {
	r    *rand.Rand
	deep int // tunnels around what is built now
}

func (s *stacks) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return b
}

func (s *stacks) one(in100 int) bool { return s.r.IntN(100) < in100 }

// frame is an Ethernet frame.
func (s *stacks) frame() []byte {
	macs := s.bytes(12)
	macs[0] &^= 1
	macs[6] &^= 1
	return cat(macs, s.typed())
}

// typed is an EtherType and what it announces.
func (s *stacks) typed() []byte {
	tag := func(et int) []byte { return cat(be16(et), be16(s.r.IntN(1<<16)), s.typed()) }
	switch s.r.IntN(26) {
	case 0, 1, 2, 3:
		return tag(vlanType)
	case 4:
		return tag(qinq)
	case 5:
		return cat(be16(0x893f), be16(s.r.IntN(1<<16)), be16(s.r.IntN(1<<14)), be16(0), s.typed())
	case 6:
		return cat(be16(0x8926), be16(s.r.IntN(1<<16)), be16(s.r.IntN(1<<12)), s.typed())
	case 7:
		return cat(be16(0x88e7), be32(s.r.IntN(1<<24)), s.frame())
	case 8:
		return cat(be16(0x8909), []byte{1, 1, 0, 1}, be16(s.r.IntN(1<<16)), s.typed())
	case 9, 10, 11:
		return cat(be16(0x8847), s.labelled())
	case 12, 13:
		packet, ppp := s.ip()
		number := 0x21
		if ppp == ether6 {
			number = 0x57
		}
		return cat(be16(0x8864), []byte{0x11, 0}, be16(s.r.IntN(1<<16)), be16(2+len(packet)), be16(number), packet)
	}
	packet, et := s.ip()
	return cat(be16(et), packet)
}

// labelled is a label stack with IP or Ethernet.
func (s *stacks) labelled() []byte {
	var b []byte
	for range s.r.IntN(3) {
		b = cat(b, label(16+s.r.IntN(1<<20-16), s.r.IntN(8), 0, 64))
	}
	b = cat(b, label(16+s.r.IntN(1<<20-16), 0, 1, 64))
	switch s.r.IntN(4) {
	case 0:
		return cat(b, be16(0), be16(s.r.IntN(1<<16)), s.frame())
	default:
		packet, _ := s.ip()
		return cat(b, packet)
	}
}

// ip is an IP packet, and its EtherType.
func (s *stacks) ip() ([]byte, int) {
	v6 := s.one(40)
	proto, body := s.carried(v6)
	if !v6 {
		b := cat([]byte{0x45, byte(s.r.IntN(256))}, be16(ipv4Size+len(body)), s.bytes(2), be16(0x4000), []byte{64, byte(proto), 0, 0},
			[]byte{10}, s.bytes(3), []byte{172}, s.bytes(3))
		return cat(checksum4(b), body), ether4
	}
	if s.one(20) {
		body = cat(ext(proto, 0), body)
		proto = 60
	}
	b := cat([]byte{0x60 | byte(s.r.IntN(16)), byte(s.r.IntN(256)), 0, 1}, be16(len(body)), []byte{byte(proto), 64},
		[]byte{0x20, 1, 0xd, 0xb8}, s.bytes(12), []byte{0xfd}, s.bytes(15))
	return cat(b, body), ether6
}

// carried is what an IP packet carries, and its protocol.
func (s *stacks) carried(v6 bool) (int, []byte) {
	if s.deep >= 2 || s.one(25) {
		if s.one(50) {
			b := cat(be16(1024+s.r.IntN(300)), be16(2+s.r.IntN(40)), s.bytes(4), be32(0), []byte{0x50, 0x10}, s.bytes(2), be32(0))
			return 6, b
		}
		return 17, s.udpWith(1024+s.r.IntN(300), 2+s.r.IntN(40), nil)
	}
	s.deep++
	defer func() { s.deep-- }()
	udp := func(port int, parts ...[]byte) (int, []byte) {
		return 17, s.udpWith(50_000+s.r.IntN(1000), port, cat(parts...))
	}
	id := s.r.IntN(1 << 24)
	packet, et := s.ip()
	switch s.r.IntN(17) {
	case 0, 1:
		return udp(4789, []byte{8, 0, 0, 0}, be32(id<<8), s.frame())
	case 2:
		return udp(6081, []byte{1, 0}, be16(0x6558), be32(id<<8), be32(0x01020300), s.frame())
	case 3:
		return udp(6081, []byte{0, 0}, be16(et), be32(id<<8), packet)
	case 4, 5:
		return udp(2152, []byte{0x30, 255}, be16(len(packet)), be32(id<<7|5), packet)
	case 6:
		return udp(2152, []byte{0x34, 255}, be16(len(packet)+8), be32(id), []byte{0, 0, 0, 0x85, 1, 0x10, 9, 0}, packet)
	case 7:
		return udp(6635, label(16+s.r.IntN(1<<20-16), 0, 1, 64), packet)
	case 8:
		return 47, cat(gre(0, et, 0), packet)
	case 9:
		return 47, cat(gre(0x2000, et, 0), be32(id), packet)
	case 10:
		return 47, cat(gre(0x2000, 0x6558, 0), be32(max(id, minVSID)<<8|9), s.frame())
	case 11:
		return 47, cat(gre(0x1000, 0x88be, 4), be32(1<<28|s.r.IntN(1<<12)<<16|id&0x3ff), be32(0), s.frame())
	case 12:
		return 47, cat(gre(0x1000, 0x22eb, 4), be32(2<<28|id&0x3ff), be32(1), be32(0), s.frame())
	case 13:
		return 47, cat(gre(0, 0x8847, 0), s.labelled())
	case 14:
		if et == ether4 {
			return 4, packet
		}
		return 41, packet
	case 15:
		number := 0x21
		if et == ether6 {
			number = 0x57
		}
		return udp(1701, []byte{0, 2}, be16(id&0xffff), be16(id>>8), []byte{0xff, 3}, be16(number), packet)
	}
	if !v6 {
		return 97, cat([]byte{0x30, 0}, s.frame())
	}
	next := 4
	if et == ether6 {
		next = 41
	}
	return 43, cat(srh(next, 1, 1, 2), packet)
}

func (s *stacks) udpWith(src, dst int, body []byte) []byte {
	return cat(be16(src), be16(dst), be16(udpSize+len(body)), be16(0), body)
}

// pcapOf writes frames as a capture of Ethernet.
func pcapOf(frames [][]byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint32(b, 1<<16)
	b = le.AppendUint32(b, 1)
	for i, f := range frames {
		b = le.AppendUint32(b, uint32(i))
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, uint32(len(f)))
		b = le.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}
