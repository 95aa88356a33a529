package main

import (
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	port = 2055
	// sources is how many exporters there are: enough for every queue and worker.
	sources = 16
	// Sizes of datagrams in records of NetFlow v5: 72 bytes, 1,464 (a full frame at
	// an MTU of 1500), 2,904 (two fragments), 7,992.
	recordsSmall, recordsFull, recordsFragments, recordsJumbo = 1, 30, 60, 166
)

var (
	collector = netip.MustParseAddr("10.88.0.1")
	be        = binary.BigEndian
)

// netflow5 makes a datagram of NetFlow v5.
func netflow5(records int) []byte {
	b := make([]byte, 24, 24+48*records)
	be.PutUint16(b, 5)
	be.PutUint16(b[2:], uint16(records))
	be.PutUint32(b[4:], 1000)
	be.PutUint32(b[8:], 1_700_000_000)
	for i := range records {
		r := make([]byte, 48)
		be.PutUint32(r, 0xc0000201)
		be.PutUint32(r[4:], 0xc6336401)
		be.PutUint32(r[16:], 1)           // packets
		be.PutUint32(r[20:], 1000)        // bytes
		be.PutUint32(r[24:], 500)         // first
		be.PutUint32(r[28:], 900)         // last
		be.PutUint16(r[32:], uint16(1+i)) // ports
		be.PutUint16(r[34:], 443)         //
		r[38] = 17                        // protocol
		b = append(b, r...)
	}
	return b
}

// framer makes Ethernet frames from the sender to the card under test.
type framer struct {
	from, to net.HardwareAddr
	count    int // datagrams so far
}

// next is the exporter of the next datagram and its number.
func (f *framer) next() (source [4]byte, id uint16) {
	f.count++
	return [4]byte{10, 88, 1, byte(1 + f.count%sources)}, uint16(f.count)
}

// datagram returns a datagram of so many records in one frame, with a VLAN tag
// unless that is 0.
func (f *framer) datagram(records int, vlan uint16) []byte {
	source, id := f.next()
	return f.frame(source, id, 0, vlan, udp(netflow5(records)))
}

// fragments returns a datagram in IP packets for an MTU of 1500.
func (f *framer) fragments(records int) (frames [][]byte) {
	source, id := f.next()
	const most = 1480
	data := udp(netflow5(records))
	for at := 0; at < len(data); at += most {
		offset, end := uint16(at/8), min(at+most, len(data))
		if end < len(data) {
			offset |= 0x2000 // more fragments
		}
		frames = append(frames, f.frame(source, id, offset, 0, data[at:end]))
	}
	return frames
}

// udp puts a header before a payload; no checksum.
func udp(payload []byte) []byte {
	b := be.AppendUint16(nil, 9995)
	b = be.AppendUint16(b, port)
	b = be.AppendUint16(b, uint16(8+len(payload)))
	b = append(b, 0, 0)
	return append(b, payload...)
}

func (f *framer) frame(source [4]byte, id, offset, vlan uint16, data []byte) []byte {
	b := append([]byte{}, f.to...)
	b = append(b, f.from...)
	if vlan != 0 {
		b = be.AppendUint16(b, 0x8100)
		b = be.AppendUint16(b, vlan)
	}
	b = be.AppendUint16(b, 0x0800)
	ip := make([]byte, 20)
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	be.PutUint16(ip[2:], uint16(20+len(data)))
	be.PutUint16(ip[4:], id)
	be.PutUint16(ip[6:], offset)
	copy(ip[12:], source[:])
	to := collector.As4()
	copy(ip[16:], to[:])
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(be.Uint16(ip[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	be.PutUint16(ip[10:], ^uint16(sum))
	return append(append(b, ip...), data...)
}
