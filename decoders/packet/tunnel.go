package packet

import "encoding/binary"

// Bits of the first two bytes of a GRE header: RFC 1701, RFC 2784, RFC 2890,
// RFC 2637 section 4.1 (version 1).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
	greAck      = 0x0080 // version 1 only
	greVersion  = 0x0007
)

// EtherTypes that occur in GRE only.
const (
	etherERSPAN3 = 0x22eb // type III
	etherPPP     = 0x880b // RFC 2637
	etherERSPAN  = 0x88be // types I and II

	minVSID = 0x1000 // lower ones are reserved: RFC 7637 section 3.2
)

const (
	greSize     = 4
	etherIPSize = 2
	geneveSize  = 8
	vxlanSize   = 8
)

// gre reads a GRE header with the optional fields that its flags announce. The
// header itself is of the stack that carries it, all after it is carried.
func (w *walker) gre() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if len(d) < greSize {
		if w.layer(LayerGRE, greSize) {
			w.advance(greSize)
		}
		return stop
	}
	flags := binary.BigEndian.Uint16(d)
	size := greHeaderSize(flags, d)
	if !w.layer(LayerGRE, size) || !w.advance(size) {
		return stop
	}
	w.tunnel(TunnelGRE)
	w.number = binary.BigEndian.Uint16(d[2:])
	if w.number < minEtherType {
		return stop
	}
	if flags&greVersion > 1 {
		return w.unknown()
	}
	if w.fill {
		w.greFacts(flags, d)
	}
	return next(w.number)
}

// greFacts stores the tunnel fields of a complete GRE header.
func (w *walker) greFacts(flags uint16, d []byte) {
	h := w.h
	if w.number != etherTEB {
		h.Inner.EtherType = w.number
	}
	if flags&greKey != 0 {
		at := greSize
		if flags&greVersion == 0 && flags&(greChecksum|greRouting) != 0 {
			at += 4
		}
		key := binary.BigEndian.Uint32(d[at:])
		h.HasTunnelID, h.TunnelID = true, key
		if w.number == etherTEB && key>>8 >= minVSID && flags&(greChecksum|greSequence) == 0 {
			h.Tunnel, h.TunnelID = TunnelNVGRE, key>>8
		}
	}
	switch w.number {
	case etherERSPAN:
		w.later = TunnelERSPAN1
		if flags&greSequence != 0 {
			w.later = TunnelERSPAN2
		}
	case etherERSPAN3:
		w.later = TunnelERSPAN3
	case etherPPP:
		w.later = TunnelPPTP
	}
}

// greHeaderSize returns the length of a GRE header in bytes; more than
// len(d) if it is not whole. d is at least greSize bytes.
func greHeaderSize(flags uint16, d []byte) int {
	size := greSize
	switch flags & greVersion {
	case 0:
		if flags&(greChecksum|greRouting) != 0 {
			size += 4
		}
	case 1:
		if flags&greAck != 0 {
			size += 4
		}
	default:
		return size
	}
	if flags&greKey != 0 {
		size += 4
	}
	if flags&greSequence != 0 {
		size += 4
	}
	if flags&greVersion == 0 && flags&greRouting != 0 {
		// Source route entries: family 2 bytes, offset, length, data; one
		// with family and length 0 is the last.
		for {
			if len(d)-size < 4 {
				return size + 4
			}
			e := d[size:]
			size += 4 + int(e[3])
			if e[0]|e[1]|e[3] == 0 {
				break
			}
		}
	}
	return size
}

// etherIP reads an EtherIP header, the version and nothing else: RFC 3378.
func (w *walker) etherIP() next {
	if len(w.b) == w.off {
		return w.missing()
	}
	if !w.layer(LayerCustom, etherIPSize) || !w.advance(etherIPSize) {
		return stop
	}
	w.tunnel(TunnelEtherIP)
	return etherTEB
}

// geneve reads a Geneve header with its options: RFC 8926 section 3.4.
func (w *walker) geneve() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	size := geneveSize + int(d[0]&0x3f)*4
	if !w.layer(LayerGeneve, size) || !w.advance(size) {
		return stop
	}
	w.number = binary.BigEndian.Uint16(d[2:])
	if w.inner { // always, but where Parse begins with it
		w.tunnel(TunnelGeneve)
		w.setID(uint32(binary.BigEndian.Uint32(d[4:]) >> 8))
	}
	if w.number < minEtherType {
		return stop
	}
	return next(w.number)
}

// vxlan reads a VXLAN header: RFC 7348 section 5.
func (w *walker) vxlan() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if !w.layer(LayerCustom, vxlanSize) || !w.advance(vxlanSize) {
		return stop
	}
	w.tunnel(TunnelVXLAN)
	w.setID(binary.BigEndian.Uint32(d[4:]) >> 8)
	return etherTEB
}

// teredo adds a layer for the optional authentication and origin indications,
// of no bytes if there are none: RFC 4380 section 5.1.1.
func (w *walker) teredo() next {
	size := teredoSize(w.b[w.off:])
	if !w.layer(LayerTeredo, size) || !w.advance(size) {
		return stop
	}
	if w.inner {
		w.tunnel(TunnelTeredo)
	}
	return etherIPv6
}

// teredoSize returns the bytes of the indications in front of IPv6.
func teredoSize(d []byte) int {
	var size int
	if len(d) >= 2 && d[0] == 0 && d[1] == 1 { // authentication
		size = 13
		if len(d) >= 4 {
			size += int(d[2]) + int(d[3])
		}
	}
	// Origin: two zero bytes, where an IPv6 header has its version.
	if rest := len(d) - size; rest >= 2 && d[size]|d[size+1] == 0 || rest == 1 && d[size] == 0 {
		size += 8
	}
	return size
}
