package xdp

import (
	"encoding/binary"
	"net/netip"
)

// Frame is one received datagram.
type Frame struct {
	// Payload is the UDP payload, valid until the Release of the receiver it came
	// from. It is nil, and not merely empty, if the frame holds no whole UDP
	// datagram; then the other fields are as far as could be read.
	Payload []byte
	// Src and Dst are those of the IP and UDP headers, without a zone.
	Src, Dst netip.AddrPort
	// VLAN and InnerVLAN are the identifiers (0 to 4095) of the outer and inner
	// tag, where the frame has them: Tags is how many. Tags that the network card
	// took off are not seen.
	VLAN, InnerVLAN uint16
	Tags            uint8
	// Queue is the receive queue of the interface.
	Queue uint32
}

// What the headers say: IEEE 802.3 and 802.1Q, RFC 791, RFC 8200, RFC 768. All
// integers are big-endian.
const (
	ethernetHeader = 14 // two addresses, EtherType
	vlanTag        = 4  // identifier and priority, EtherType
	maxTags        = 2
	ipv4Header     = 20 // without options
	ipv6Header     = 40
	udpHeader      = 8
	maxExtensions  = 4 // as many as the XDP program skips

	ipv4Fragment = 0x3fff // more fragments, or not the first

	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	etherQinQ1 = 0x9100 // before the standard

	protoHopByHop    = 0
	protoUDP         = 17
	protoRouting     = 43
	protoDestination = 60
)

// parseFrame reads an Ethernet frame. What the XDP program lets through always
// has a payload, however short; anything else may, or may not.
func parseFrame(b []byte) (f Frame) {
	f.parse(b)
	return f
}

// parse does the same in place. Of f before it keeps the queue.
func (f *Frame) parse(b []byte) {
	if !f.parsePlain(b) {
		*f = Frame{Queue: f.Queue}
		f.parseAny(b)
	}
}

// The frame that nearly all are: IPv4 without options, no tag, a whole datagram in it.
const (
	plainHeaders = ethernetHeader + ipv4Header + udpHeader
	plainSource  = ethernetHeader + 12 // source address, then the destination's
	plainUDP     = ethernetHeader + ipv4Header
)

// plainEnd returns where the datagram of such a frame ends, 0 if it is another.
func plainEnd(b []byte) int {
	if len(b) < plainHeaders {
		return 0
	}
	h := (*[plainHeaders]byte)(b)
	if binary.BigEndian.Uint32(h[12:])&^0xff != etherIPv4<<16|0x45<<8 || h[ethernetHeader+9] != protoUDP ||
		binary.BigEndian.Uint16(h[ethernetHeader+6:])&ipv4Fragment != 0 {
		return 0
	}
	total, length := uint(binary.BigEndian.Uint16(h[ethernetHeader+2:])), uint(binary.BigEndian.Uint16(h[plainUDP+4:]))
	if length < udpHeader || length+ipv4Header > total || total+ethernetHeader > uint(len(b)) {
		return 0
	}
	return plainUDP + int(length)
}

// parsePlain reads such a frame. It reports whether it is one; otherwise f is as before.
func (f *Frame) parsePlain(b []byte) bool {
	end := plainEnd(b)
	if end == 0 {
		return false
	}
	h := (*[plainHeaders]byte)(b)
	f.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(h[plainSource:])), binary.BigEndian.Uint16(h[plainUDP:]))
	f.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(h[plainSource+4:])), binary.BigEndian.Uint16(h[plainUDP+2:]))
	f.VLAN, f.InnerVLAN, f.Tags = 0, 0, 0
	f.Payload = b[plainHeaders:end:end]
	return true
}

func (f *Frame) parseAny(b []byte) {
	if len(b) < ethernetHeader {
		return
	}
	kind := binary.BigEndian.Uint16(b[12:])
	b = b[ethernetHeader:]
	for kind == etherVLAN || kind == etherQinQ || kind == etherQinQ1 {
		if len(b) < vlanTag || f.Tags == maxTags {
			return
		}
		id := binary.BigEndian.Uint16(b) & 0xfff
		if f.Tags == 0 {
			f.VLAN = id
		} else {
			f.InnerVLAN = id
		}
		f.Tags++
		kind = binary.BigEndian.Uint16(b[2:])
		b = b[vlanTag:]
	}
	switch kind {
	case etherIPv4:
		f.parseIPv4(b)
	case etherIPv6:
		f.parseIPv6(b)
	}
}

func (f *Frame) parseIPv4(b []byte) {
	if len(b) < ipv4Header || b[0]>>4 != 4 {
		return
	}
	header := int(b[0]&15) * 4
	// The IP length decides, not the frame's: short frames are padded.
	total := int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4Header || total < header || total > len(b) ||
		binary.BigEndian.Uint16(b[6:])&ipv4Fragment != 0 || b[9] != protoUDP {
		return
	}
	f.parseUDP(b[header:total], netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])))
}

func (f *Frame) parseIPv6(b []byte) {
	if len(b) < ipv6Header || b[0]>>4 != 6 {
		return
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	next := b[6]
	src, dst := netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	if length > len(b)-ipv6Header || src.Is4In6() { // the program lets no such source pass
		return
	}
	b = b[ipv6Header : ipv6Header+length]
	for i := 0; next != protoUDP; i++ {
		if i == maxExtensions || next != protoHopByHop && next != protoRouting && next != protoDestination || len(b) < 8 {
			return
		}
		header := 8 + 8*int(b[1])
		if header > len(b) {
			return
		}
		next, b = b[0], b[header:]
	}
	f.parseUDP(b, src, dst)
}

// parseUDP reads a UDP header and takes as much payload as it says, as the
// kernel's stack does. The jumbo datagrams of RFC 2675 have no such length.
func (f *Frame) parseUDP(b []byte, src, dst netip.Addr) {
	if len(b) < udpHeader {
		return
	}
	f.Src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	f.Dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < udpHeader || length > len(b) {
		return
	}
	f.Payload = b[udpHeader:length:length]
}
