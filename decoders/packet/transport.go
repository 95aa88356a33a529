package packet

import "encoding/binary"

const (
	tcpSize  = 20
	udpSize  = 8
	icmpSize = 8
	sctpSize = 12
	dccpSize = 12
)

// transport adds a layer that begins with two ports.
func (w *walker) transport(kind uint8, size int, d []byte) bool {
	if !w.layer(kind, size) {
		return false
	}
	if len(d) >= 4 {
		if !w.inner {
			w.h.SrcPort = uint32(binary.BigEndian.Uint16(d))
			w.h.DstPort = uint32(binary.BigEndian.Uint16(d[2:]))
		} else if w.fill {
			w.innerPorts(d)
		}
	}
	return true
}

// tcp reads a TCP header, its length from the data offset: RFC 9293 section 3.1.
func (w *walker) tcp() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	size := tcpSize
	bad := false
	if len(d) > 12 {
		if size = int(d[12]>>4) * 4; size < tcpSize {
			size, bad = tcpSize, true
		}
	}
	if !w.transport(LayerTCP, size, d) {
		return stop
	}
	if bad {
		w.h.Malformed = true
	}
	if len(d) > 13 && !w.inner {
		w.h.TCPFlags = uint32(d[13])
	}
	w.advance(size)
	return stop
}

func (w *walker) udp() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if w.transport(LayerUDP, udpSize, d) && w.advance(udpSize) && !w.inner {
		w.later = TunnelOfPorts(uint16(w.h.SrcPort), uint16(w.h.DstPort))
	}
	return stop
}

// ports reads the protocols that begin as UDP does but have no layer name:
// SCTP (RFC 9260), UDP-Lite (RFC 3828), DCCP (RFC 4340).
func (w *walker) ports(p uint8) next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	size := udpSize
	switch p {
	case protoSCTP:
		size = sctpSize
	case protoDCCP:
		size = dccpSize
		if len(d) > 4 {
			size = max(size, int(d[4])*4)
		}
	}
	if w.transport(LayerCustom, size, d) {
		w.advance(size)
	}
	return stop
}

// icmp reads the first 8 bytes of ICMP (RFC 792) or ICMPv6 (RFC 4443). The
// packet that an error message quotes is not followed.
func (w *walker) icmp(kind uint8) next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if !w.layer(kind, icmpSize) {
		return stop
	}
	if h := w.h; len(d) >= 2 && !h.HasICMP {
		h.HasICMP = true
		h.ICMPType = uint32(d[0])
		h.ICMPCode = uint32(d[1])
	}
	w.advance(icmpSize)
	return stop
}
