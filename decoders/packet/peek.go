package packet

import "encoding/binary"

// peekIP reads IP directly, or after Teredo's indications.
func (w *walker) peekIP(kind Tunnel, d []byte) next {
	size := 0
	if kind == TunnelTeredo {
		if size = teredoSize(d); size > len(d) {
			return stop
		}
	}
	n := ipVersion(d[size:])
	if n == stop || kind == TunnelTeredo && n != etherIPv6 {
		return stop
	}
	return w.found(kind, size, n)
}

// peekVXLAN reads a VXLAN header (RFC 7348 section 5) or one with the protocol
// extension (draft-ietf-nvo3-vxlan-gpe).
func (w *walker) peekVXLAN(kind Tunnel, d []byte) next {
	const (
		withID   = 0x08
		withType = 0x04
	)
	id := binary.BigEndian.Uint32(d[4:]) >> 8
	n := nextEthernet
	if d[0]&withType != 0 {
		kind = TunnelVXLANGPE
		switch d[3] {
		case 1:
			n = etherIPv4
		case 2:
			n = etherIPv6
		case 3:
		case 4:
			n = etherNSH
		case 5:
			n = etherMPLS
		default:
			n = stop
		}
	} else if d[0]&withID == 0 {
		return stop
	}
	if d[0]&withID == 0 {
		return w.found(kind, vxlanSize, n)
	}
	return w.foundID(kind, id, vxlanSize, n)
}

// gtpu reads the header of a user packet with its extension headers: 3GPP TS
// 29.281 section 5.
func (w *walker) gtpu(d []byte) next {
	if d[0]>>4 != 3 || d[1] != 255 { // version 1, GTP; G-PDU
		return stop
	}
	size := 8
	if d[0]&7 != 0 {
		size = 12
		if d[0]&4 != 0 && len(d) >= size {
			for kind := d[11]; kind != 0; {
				if len(d) <= size || d[size] == 0 {
					return stop
				}
				size += 4 * int(d[size])
				if len(d) < size {
					break
				}
				kind = d[size-1]
			}
		}
	}
	n := stop
	if len(d) > size {
		if n = ipVersion(d[size:]); n == stop && frameScore(d[size:]) > 1 {
			n = nextEthernet
		}
	}
	return w.foundID(TunnelGTPU, binary.BigEndian.Uint32(d[4:]), size, n)
}

// gue reads generic UDP encapsulation, of version 0 or IP directly (version 1):
// draft-ietf-intarea-gue.
func (w *walker) gue(d []byte) next {
	switch d[0] >> 6 {
	case 0:
		if d[0]&0x20 != 0 { // control
			return stop
		}
		n := protoBit | next(d[1])
		switch d[1] {
		case protoIPv4: // no tunnel in the tunnel
			n = etherIPv4
		case protoIPv6:
			n = etherIPv6
		}
		return w.found(TunnelGUE, 4+int(d[0]&0x1f)*4, n)
	case 1:
		if n := ipVersion(d); n != stop {
			return w.found(TunnelGUE, 0, n)
		}
	}
	return stop
}

// l2tp reads a data message of version 2 (RFC 2661 section 3.1) or 3 (RFC 3931
// section 4.1.2).
func (w *walker) l2tp(d []byte) next {
	const (
		control      = 0x8000
		withLength   = 0x4000
		withSequence = 0x0800
		withOffset   = 0x0200
	)
	flags := binary.BigEndian.Uint16(d)
	if flags&control != 0 {
		return stop
	}
	switch flags & 0x0f {
	case 2:
	case 3:
		return w.l2tpv3(d, 8)
	default:
		return stop
	}
	at := 2
	if flags&withLength != 0 {
		at += 2
	}
	id := binary.BigEndian.Uint32(d[at:])
	at += 4
	if flags&withSequence != 0 {
		at += 4
	}
	if flags&withOffset != 0 {
		if len(d) < at+2 {
			return stop
		}
		at += 2 + int(binary.BigEndian.Uint16(d[at:]))
	}
	if len(d) < at {
		return w.foundID(TunnelL2TP, id, at, stop)
	}
	number, size, ok := pppHeader(d[at:])
	n := w.foundID(TunnelL2TP, id, at+size, nextPPP)
	if !ok || n == stop {
		return stop
	}
	return w.ppp(d[at+number : at+size])
}

// l2tpv3 reads a session id that ends at at. How long the cookie is and whether
// there is a sublayer only the ends know: RFC 3931 sections 4.1 and 4.6. The
// function takes the length for which the following bytes look most like a frame.
func (w *walker) l2tpv3(d []byte, at int) next {
	if len(d) < at {
		return stop
	}
	id := binary.BigEndian.Uint32(d[at-4:])
	best, size, n := 1, at, stop
	for skip := at; skip <= at+12 && skip <= len(d); skip += 4 {
		rest := d[skip:]
		if s := frameScore(rest); s > best {
			best, size, n = s, skip, nextEthernet
		}
		if sureIPv4(rest) && best < 3 {
			best, size, n = 3, skip, etherIPv4
		}
	}
	return w.foundID(TunnelL2TPv3, id, size, n)
}

// capwap reads the header of a data message in clear: RFC 5415 section 4.3.
func (w *walker) capwap(d []byte) next {
	if d[0] != 0 { // version 0; 1 would be encrypted
		return stop
	}
	size := int(d[1]>>3) * 4
	if size < 8 || size > len(d) {
		return stop
	}
	n := nextEthernet
	if d[2]&1 != 0 {
		n = nextWiFi
	}
	if d[3]&0x80 != 0 && binary.BigEndian.Uint16(d[6:])>>3 != 0 {
		n = stop // a later fragment
	}
	return w.found(TunnelCAPWAP, size, n)
}

// erspan reads the header in front of a mirrored frame: draft-foschiano-erspan.
func (w *walker) erspan(kind Tunnel, d []byte) next {
	size := 0
	switch kind {
	case TunnelERSPAN2:
		size = 8
	case TunnelERSPAN3:
		size = 12
	}
	if size > len(d) {
		return stop
	}
	if size == 0 {
		return w.found(kind, 0, nextEthernet)
	}
	id := binary.BigEndian.Uint32(d) & 0x3ff
	if want := byte(size/4 - 1); d[0]>>4 != want {
		return stop
	}
	n := nextEthernet
	if kind == TunnelERSPAN3 {
		if d[11]&1 != 0 {
			size += 8 // platform specific subheader
		}
		if d[10]>>7 == 0 && d[10]>>2&0x1f == 2 {
			n = ipVersion(d[min(size, len(d)):])
		}
	}
	return w.foundID(kind, id, size, n)
}
