package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// What frames are made of: IEEE 802.3, RFC 791, RFC 8200, RFC 768. All integers
// are big-endian.
const (
	etherHeader    = 14
	ipv4Header     = 20
	ipv6Header     = 40
	fragmentHeader = 8 // of IPv6
	udpHeader      = 8

	ipv4SumAt = etherHeader + 10 // header checksum
	ipv4SrcAt = etherHeader + 12
	ipv6SrcAt = etherHeader + 8

	protoUDP      = 17
	protoFragment = 44
	hops          = 64

	maxPacket = 65535
	minFrame  = 60 // without the checksum, which the network card adds
	// minMTU is what IPv4 asks of every link (RFC 791 section 3.2).
	minMTU = 68
)

// wirePath is what the frames of a run have in common.
type wirePath struct {
	srcMAC, dstMAC [6]byte
	to             netip.AddrPort
	mtu            int // longest IP packet in bytes, at least minMTU
}

// wireDatagram is a datagram in its Ethernet frames: several if it is longer than
// the MTU. They are never changed; what is to differ is patched in a copy.
type wireDatagram struct {
	frames  [][]byte
	sumAt   int // where the UDP checksum is, in the first frame
	payload int // bytes of UDP payload
}

// build makes the frames of a datagram. id tells fragmented datagrams of a source
// apart. Both addresses are of the same family.
func (p *wirePath) build(from netip.AddrPort, payload []byte, id uint32) (wireDatagram, error) {
	header := ipv4Header
	if p.to.Addr().Is6() {
		header = ipv6Header
	}
	segment := make([]byte, udpHeader+len(payload))
	if header+len(segment) > maxPacket {
		return wireDatagram{}, fmt.Errorf("build frames: %d bytes of payload are too long for %s", len(payload), p.to.Addr())
	}
	binary.BigEndian.PutUint16(segment, from.Port())
	binary.BigEndian.PutUint16(segment[2:], p.to.Port())
	binary.BigEndian.PutUint16(segment[4:], uint16(len(segment)))
	copy(segment[udpHeader:], payload)
	putUDPSum(segment[6:], sumOf(from.Addr().AsSlice())+sumOf(p.to.Addr().AsSlice())+protoUDP+uint32(len(segment))+sumOf(segment))

	d := wireDatagram{payload: len(payload), sumAt: etherHeader + header + 6}
	if header+len(segment) <= p.mtu {
		d.frames = [][]byte{p.frame(from.Addr(), segment, 0, false, id)}
		return d, nil
	}
	room := p.mtu - header
	if p.to.Addr().Is6() {
		room -= fragmentHeader
		d.sumAt += fragmentHeader
	}
	room &^= 7 // offsets are in units of 8 bytes
	for at := 0; at < len(segment); at += room {
		piece := segment[at:min(at+room, len(segment))]
		d.frames = append(d.frames, p.frame(from.Addr(), piece, at, at+len(piece) < len(segment), id))
	}
	return d, nil
}

// frame makes the frame of a packet, which is a fragment if it is not at offset 0
// or there is more.
func (p *wirePath) frame(from netip.Addr, body []byte, offset int, more bool, id uint32) []byte {
	b := p.packet(from, body, offset, more, id)
	return append(b, make([]byte, max(minFrame-len(b), 0))...)
}

func (p *wirePath) packet(from netip.Addr, body []byte, offset int, more bool, id uint32) []byte {
	fragment := offset != 0 || more
	b := make([]byte, 0, etherHeader+ipv6Header+fragmentHeader+len(body))
	b = append(append(b, p.dstMAC[:]...), p.srcMAC[:]...)
	if from.Is4() {
		flags := uint16(offset / 8)
		if more {
			flags |= 0x2000
		}
		if !fragment {
			flags, id = 0x4000, 0 // do not fragment: then the id has no meaning (RFC 6864)
		}
		b = append(b, 0x08, 0x00, 4<<4|ipv4Header/4, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(ipv4Header+len(body)))
		b = binary.BigEndian.AppendUint16(b, uint16(id))
		b = binary.BigEndian.AppendUint16(b, flags)
		b = append(b, hops, protoUDP, 0, 0)
		b = append(append(b, from.AsSlice()...), p.to.Addr().AsSlice()...)
		binary.BigEndian.PutUint16(b[ipv4SumAt:], ^fold(sumOf(b[etherHeader:])))
		return append(b, body...)
	}
	next, length := byte(protoUDP), len(body)
	if fragment {
		next, length = protoFragment, fragmentHeader+len(body)
	}
	b = append(b, 0x86, 0xdd, 6<<4, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, next, hops)
	b = append(append(b, from.AsSlice()...), p.to.Addr().AsSlice()...)
	if fragment {
		field := uint16(offset) // a multiple of 8, with the flag below
		if more {
			field |= 1
		}
		b = append(b, protoUDP, 0)
		b = binary.BigEndian.AppendUint16(b, field)
		b = binary.BigEndian.AppendUint32(b, id)
	}
	return append(b, body...)
}

// setSource gives a copy of frame i of the datagram another source address of the
// same family.
func (d *wireDatagram) setSource(frame []byte, i int, addr netip.Addr) {
	if addr.Is4() {
		now, old := addr.As4(), frame[ipv4SrcAt:ipv4SrcAt+4]
		updateSum(frame[ipv4SumAt:], old, now[:])
		if i == 0 {
			d.updateUDPSum(frame, old, now[:])
		}
		copy(old, now[:])
		return
	}
	now, old := addr.As16(), frame[ipv6SrcAt:ipv6SrcAt+16]
	if i == 0 {
		d.updateUDPSum(frame, old, now[:])
	}
	copy(old, now[:])
}

// setTime sets the export time in a copy of the first frame, as rewriteTime does.
func (d *wireDatagram) setTime(frame []byte, set func(payload []byte) bool) {
	const most = 24 // all that rewriteTime changes is before
	payload := frame[d.sumAt+2:]
	payload = payload[:min(len(payload), d.payload)] // padding is none of it
	var old [most]byte
	n := copy(old[:], payload) &^ 1
	if set(payload) {
		d.updateUDPSum(frame, old[:n], payload[:n])
	}
}

// setNumbers sets the sequence numbers of a pass in a copy of frame i, as the function of
// that name does; the first has the checksum for all of them.
func (d *wireDatagram) setNumbers(frame []byte, i int, list []number, pass int) {
	body := d.sumAt - 6             // where UDP, or a piece of it, begins in each frame
	room := len(d.frames[0]) - body // what of it a frame has, but for the last
	var old, now [4]byte
	for j := range list {
		n := &list[j]
		binary.BigEndian.PutUint32(now[:], n.in(pass))
		if i == 0 {
			binary.BigEndian.PutUint32(old[:], n.first)
			d.updateUDPSum(frame, old[:], now[:])
		}
		if at := udpHeader + n.at; at/room == i {
			copy(frame[body+at%room:], now[:])
		}
	}
}

func (d *wireDatagram) updateUDPSum(frame, old, now []byte) {
	sum := frame[d.sumAt : d.sumAt+2]
	updateSum(sum, old, now)
	if sum[0] == 0 && sum[1] == 0 { // that would be: no checksum
		sum[0], sum[1] = 0xff, 0xff
	}
}

// putUDPSum writes the checksum of what adds up to sum; zero would mean that
// there is none.
func putUDPSum(field []byte, sum uint32) {
	check := ^fold(sum)
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(field, check)
}

// updateSum changes an Internet checksum for words that change, of which there is
// an even number of bytes at an even offset (RFC 1624 equation 3).
func updateSum(field, old, now []byte) {
	sum := uint32(^binary.BigEndian.Uint16(field))
	for i := 0; i+1 < len(old); i += 2 {
		sum += uint32(^binary.BigEndian.Uint16(old[i:])) + uint32(binary.BigEndian.Uint16(now[i:]))
	}
	binary.BigEndian.PutUint16(field, ^fold(sum))
}

// sumOf adds up 16-bit words (RFC 1071), at most 65535 bytes of them.
func sumOf(b []byte) (sum uint32) {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum&0xffff)
}
