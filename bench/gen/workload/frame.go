package workload

import "encoding/binary"

const (
	etherVLAN = 0x8100
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
)

// appendFrame appends the first frameLen bytes of an Ethernet frame of size
// bytes, at least frameLen, that a packet of the flow came in.
func appendFrame(b []byte, f *Flow, size int) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, uint16(f.DstMAC>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(f.DstMAC))
	b = binary.BigEndian.AppendUint16(b, uint16(f.SrcMAC>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(f.SrcMAC))
	if f.VLAN != 0 {
		b = binary.BigEndian.AppendUint16(b, etherVLAN)
		b = binary.BigEndian.AppendUint16(b, f.VLAN)
	}
	if f.V6 {
		b = binary.BigEndian.AppendUint16(b, etherIPv6)
		b = appendIPv6(b, f, size-(len(b)-start))
	} else {
		b = binary.BigEndian.AppendUint16(b, etherIPv4)
		b = appendIPv4(b, f, size-(len(b)-start))
	}
	for len(b)-start < frameLen {
		b = append(b, byte(len(b)-start))
	}
	return b
}

// appendIPv4 appends the headers of an IPv4 packet of size bytes (RFC 791).
func appendIPv4(b []byte, f *Flow, size int) []byte {
	start := len(b)
	b = append(b, 0x45, f.TOS)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = binary.BigEndian.AppendUint16(b, uint16(f.ID))
	b = append(b, 0x40, 0, 63, f.Proto, 0, 0) // do not fragment
	b = append(b, f.Src[:4]...)
	b = append(b, f.Dst[:4]...)
	sum := uint32(0)
	for i := start; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b[start+10:], ^uint16(sum))
	return appendTransport(b, f, size-20)
}

// appendIPv6 appends the headers of an IPv6 packet of size bytes (RFC 8200).
func appendIPv6(b []byte, f *Flow, size int) []byte {
	b = binary.BigEndian.AppendUint32(b, 6<<28|uint32(f.TOS)<<20|f.FlowLabel)
	b = binary.BigEndian.AppendUint16(b, uint16(size-40))
	b = append(b, f.Proto, 63)
	b = append(b, f.Src[:]...)
	b = append(b, f.Dst[:]...)
	return appendTransport(b, f, size-40)
}

// appendTransport appends a TCP, UDP or ICMP header. Its checksum is that of
// payload that is not there.
func appendTransport(b []byte, f *Flow, size int) []byte {
	switch f.Proto {
	case protoTCP:
		b = binary.BigEndian.AppendUint16(b, f.SrcPort)
		b = binary.BigEndian.AppendUint16(b, f.DstPort)
		b = binary.BigEndian.AppendUint32(b, f.ID*1000)
		b = binary.BigEndian.AppendUint32(b, f.ID*2000)
		b = append(b, 5<<4, f.TCPFlags, 0xff, 0xff)
		b = binary.BigEndian.AppendUint16(b, uint16(f.ID))
		return append(b, 0, 0)
	case protoUDP:
		b = binary.BigEndian.AppendUint16(b, f.SrcPort)
		b = binary.BigEndian.AppendUint16(b, f.DstPort)
		b = binary.BigEndian.AppendUint16(b, uint16(size))
		return binary.BigEndian.AppendUint16(b, uint16(f.ID))
	default:
		b = binary.BigEndian.AppendUint16(b, f.DstPort) // type and code
		b = binary.BigEndian.AppendUint16(b, uint16(f.ID))
		return binary.BigEndian.AppendUint32(b, f.ID)
	}
}
