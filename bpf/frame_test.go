package bpf

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// What most tests listen on and send from.
var (
	exporter4  = netip.MustParseAddr("192.0.2.1")
	exporter6  = netip.MustParseAddr("2001:db8::1")
	collector4 = netip.MustParseAddr("198.51.100.1")
	collector6 = netip.MustParseAddr("2001:db8:ffff::1")
	other4     = netip.MustParseAddr("198.51.100.2")
	other6     = netip.MustParseAddr("2001:db8:ffff::2")
)

const (
	anyPort   = 2055 // listened to on all addresses
	boundPort = 6343 // listened to on collector4 and collector6 alone
	otherPort = 53
)

// datagram builds a frame with a UDP datagram, or with what its fields make of it.
type datagram struct {
	tags     []uint16 // EtherTypes of VLAN tags, outermost first
	src, dst netip.Addr
	port     uint16 // destination; anyPort if 0
	options  int    // bytes of IPv4 options, a multiple of 4
	ext      []ext  // IPv6 extension headers
	protocol int    // the last one; UDP if 0
	fragment uint16 // IPv4 flags and offset
	payload  int    // bytes
	padding  int    // bytes after the IP packet
	// edit changes the finished frame; ip is where the IP header begins.
	edit func(frame []byte, ip int) []byte
}

// ext is an extension header of 8*(1+more) bytes.
type ext struct {
	header       byte
	more         byte
	segmentsLeft byte
}

func v4(d datagram) []byte {
	if !d.src.IsValid() {
		d.src = exporter4
	}
	if !d.dst.IsValid() {
		d.dst = collector4
	}
	return d.bytes()
}

func v6(d datagram) []byte {
	if !d.src.IsValid() {
		d.src = exporter6
	}
	if !d.dst.IsValid() {
		d.dst = collector6
	}
	return d.bytes()
}

func (d *datagram) bytes() []byte {
	be := binary.BigEndian
	f := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for i, tag := range d.tags {
		f = be.AppendUint16(f, tag)
		f = be.AppendUint16(f, uint16(100+i))
	}
	protocol := byte(17)
	if d.protocol != 0 {
		protocol = byte(d.protocol)
	}
	udp := uint16(8 + d.payload)
	var ip int
	if d.src.Is4() {
		f = be.AppendUint16(f, 0x0800)
		ip = len(f)
		f = append(f, 0x45+byte(d.options/4), 0)
		f = be.AppendUint16(f, uint16(20+d.options)+udp)
		f = append(f, 0x12, 0x34)
		f = be.AppendUint16(f, d.fragment)
		f = append(f, 64, protocol, 0, 0)
		f = append(f, d.src.AsSlice()...)
		f = append(f, d.dst.AsSlice()...)
		f = append(f, slices.Repeat([]byte{1}, d.options)...)
	} else {
		f = be.AppendUint16(f, 0x86dd)
		ip = len(f)
		var chain []byte
		first, next := protocol, protocol
		for i, e := range slices.Backward(d.ext) {
			h := make([]byte, 8*(1+int(e.more)))
			h[0], h[1], h[3] = next, e.more, e.segmentsLeft
			chain = append(h, chain...)
			next = e.header
			if i == 0 {
				first = next
			}
		}
		f = append(f, 0x60, 0, 0, 0)
		f = be.AppendUint16(f, uint16(len(chain))+udp)
		f = append(f, first, 64)
		f = append(f, d.src.AsSlice()...)
		f = append(f, d.dst.AsSlice()...)
		f = append(f, chain...)
	}
	port := d.port
	if port == 0 {
		port = anyPort
	}
	f = be.AppendUint16(f, 40000)
	f = be.AppendUint16(f, port)
	f = be.AppendUint16(f, udp)
	f = append(f, 0, 0)
	f = append(f, slices.Repeat([]byte{0xab}, d.payload)...)
	f = append(f, make([]byte, d.padding)...)
	if d.edit != nil {
		f = d.edit(f, ip)
	}
	return f
}

// put16 returns an edit that writes a 16-bit value at an offset from the IP header.
func put16(offset int, value uint16) func([]byte, int) []byte {
	return func(f []byte, ip int) []byte {
		binary.BigEndian.PutUint16(f[ip+offset:], value)
		return f
	}
}

// put8 does the same with a byte.
func put8(offset int, value byte) func([]byte, int) []byte {
	return func(f []byte, ip int) []byte {
		f[ip+offset] = value
		return f
	}
}
