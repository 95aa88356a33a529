package packet

import "encoding/binary"

// PPP protocol numbers that are followed (RFC 1332, RFC 5072, RFC 3032).
const (
	pppIPv4    = 0x0021
	pppIPv6    = 0x0057
	pppMPLS    = 0x0281
	pppMPLSMul = 0x0283

	pppoeSize = 8 // including the PPP protocol number

	etherPPPoED = 0x8863 // discovery stage
)

// pppoe reads a session header and the PPP protocol: RFC 2516 section 4.
func (w *walker) pppoe() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	size := pppoeSize
	if len(d) > 6 && d[6]&1 != 0 { // compressed to one byte: RFC 1661 section 6.5
		size--
	}
	if !w.layer(LayerCustom, size) || !w.advance(size) {
		return stop
	}
	w.carriedFrame(TunnelPPPoE, true, uint32(binary.BigEndian.Uint16(d[2:])))
	return w.ppp(d[6:size])
}

// ppp follows a protocol number of one or two bytes.
func (w *walker) ppp(number []byte) next {
	proto := uint32(number[0])
	if len(number) == 2 {
		proto = uint32(binary.BigEndian.Uint16(number))
	}
	switch proto {
	case pppIPv4:
		return w.etherType(etherIPv4)
	case pppIPv6:
		return w.etherType(etherIPv6)
	case pppMPLS, pppMPLSMul:
		return w.etherType(etherMPLS)
	}
	if proto < 0x4000 { // above: control protocols, which have no addresses
		w.unnamed(unknownPPP | proto)
	}
	return stop
}

// pppHeader returns the bytes of a PPP header, with or without address and
// control field, and where its protocol number is; false if it is cut.
func pppHeader(d []byte) (at, size int, ok bool) {
	if len(d) >= 2 && d[0] == 0xff && d[1] == 3 {
		at = 2
	}
	if len(d) < at+2 {
		return at, at + 2, false
	}
	if size = at + 2; d[at]&1 != 0 {
		size--
	}
	return at, size, len(d) >= size
}

// serial reads the headers of serial lines: PPP (RFC 1662), Cisco HDLC, frame
// relay (RFC 2427).
func (w *walker) serial(n next) next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	switch {
	case n == nextPOS && len(d) >= 2 && (d[0] == 0x0f || d[0] == 0x8f): // Cisco HDLC
		return w.typed(d, 4)
	case n == nextFrameRelay:
		return w.frameRelay(d)
	}
	at, size, ok := pppHeader(d)
	if !w.layer(LayerCustom, size) || !w.advance(size) || !ok {
		return stop
	}
	return w.ppp(d[at:size])
}

// frameRelay reads an address of two bytes and the NLPID, or Cisco's EtherType:
// RFC 2427 sections 3 and 4.
func (w *walker) frameRelay(d []byte) next {
	const (
		unnumbered = 3
		nlpidSNAP  = 0x80
		nlpidIPv4  = 0xcc
		nlpidIPv6  = 0x8e
	)
	if len(d) < 5 || d[2] != unnumbered {
		return w.typed(d, 4)
	}
	nlpid, size := d[3], 4
	if nlpid == 0 { // a byte of padding
		nlpid, size = d[4], 5
	}
	if nlpid == nlpidSNAP {
		return w.typed(d, size+5)
	}
	if !w.layer(LayerCustom, size) || !w.advance(size) {
		return stop
	}
	switch nlpid {
	case nlpidIPv4:
		return w.etherType(etherIPv4)
	case nlpidIPv6:
		return w.etherType(etherIPv6)
	}
	w.unnamed(unknownNLPID | uint32(nlpid))
	return stop
}

// wifi reads the MAC header of an unencrypted 802.11 data frame and continues with
// LLC. Other frames end the walk: IEEE 802.11 9.2.
func (w *walker) wifi() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	const size = 24
	if len(d) < size {
		if w.layer(LayerCustom, size) {
			w.advance(size)
		}
		return stop
	}
	n := size
	toDS, fromDS := d[1]&1 != 0, d[1]&2 != 0
	src := d[10:]
	dst := d[4:]
	switch {
	case toDS && fromDS:
		if len(d) >= 30 {
			src = d[24:]
		}
		dst = d[16:]
		n += 6
	case toDS:
		dst = d[16:]
	case fromDS:
		src = d[16:]
	}
	qos := d[0]&0x8c == 0x88
	if qos {
		n += 2
		if d[1]&0x80 != 0 {
			n += 4 // HT control
		}
	}
	if !w.inner {
		w.h.DstMAC, w.h.SrcMAC = mac(dst), mac(src)
	}
	if !w.layer(LayerCustom, n) || !w.advance(n) {
		return stop
	}
	data, withBody := d[0]&0x0c == 8, d[0]&0x40 == 0
	if !data || !withBody || d[1]&0x40 != 0 { // management, null data, protected
		return stop
	}
	if qos && d[n-2-4*int(d[1]>>7)]&0x80 != 0 {
		return nextAMSDU
	}
	return nextLLC
}

// amsdu reads the addresses and length of an A-MSDU subframe.
func (w *walker) amsdu() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if !w.layer(LayerCustom, ethernetSize) {
		return stop
	}
	if len(d) >= 12 && !w.inner {
		w.h.DstMAC, w.h.SrcMAC = mac(d), mac(d[6:])
	}
	if !w.advance(ethernetSize) {
		return stop
	}
	return nextLLC
}
