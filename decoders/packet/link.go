package packet

import "encoding/binary"

// EtherTypes that are followed (IEEE 802 numbers).
const (
	etherIPv4      = 0x0800
	etherTEB       = 0x6558 // transparent Ethernet bridging
	etherVLAN      = 0x8100 // 802.1Q
	etherIPv6      = 0x86dd
	etherMPLS      = 0x8847
	etherMPLSUp    = 0x8848 // upstream-assigned labels, RFC 5332
	etherPPPoE     = 0x8864 // session stage, RFC 2516
	etherQinQ      = 0x88a8 // 802.1ad
	etherQinQOld   = 0x9100 // before 802.1ad
	etherQinQOlder = 0x9200

	minEtherType = 0x0600 // below: an IEEE 802.3 length
)

const (
	ethernetSize = 14
	vlanSize     = 4
	snapSize     = 8
	pppoeSize    = 8 // with the PPP protocol number behind it
	labelSize    = 4

	pppIPv4 = 0x0021
	pppIPv6 = 0x0057
)

// link reads the header that an EtherType or the walk itself announced.
func (w *walker) link(n next) next {
	switch n {
	case etherIPv4:
		return w.ipv4()
	case etherIPv6:
		return w.ipv6()
	case nextEthernet:
		return w.ethernet()
	case etherVLAN, etherQinQ, etherQinQOld, etherQinQOlder:
		return w.vlan()
	case etherMPLS, etherMPLSUp:
		return w.mpls()
	case etherPPPoE:
		return w.pppoe()
	case etherTEB:
		w.tunnel()
		return w.ethernet()
	case nextLLC:
		return w.llc()
	case nextGeneve:
		return w.geneve()
	case nextTeredo:
		return w.teredo()
	case nextVXLAN:
		return w.vxlan()
	}
	return w.unknown()
}

func (w *walker) ethernet() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if !w.layer(LayerEthernet, ethernetSize) {
		return stop
	}
	if !w.inner {
		if len(d) >= 6 {
			w.h.DstMAC = mac(d)
		}
		if len(d) >= 12 {
			w.h.SrcMAC = mac(d[6:])
		}
	}
	if !w.advance(ethernetSize) {
		return stop
	}
	return w.etherType(binary.BigEndian.Uint16(d[12:]))
}

// mac reads 6 bytes in network order.
func mac(d []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(d))<<32 | uint64(binary.BigEndian.Uint32(d[2:]))
}

// etherType takes the EtherType, or 802.3 length, at a frame's end of header.
func (w *walker) etherType(et uint16) next {
	if !w.inner {
		w.h.EtherType = uint32(et)
	}
	if et < minEtherType {
		return nextLLC
	}
	return next(et)
}

// vlan reads one tag: 2 bytes priority and VLAN id, 2 bytes EtherType.
func (w *walker) vlan() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if !w.layer(LayerDot1Q, vlanSize) {
		return stop
	}
	if len(d) >= 2 && !w.inner {
		w.h.VLANID = uint32(binary.BigEndian.Uint16(d) & 0x0fff)
	}
	if !w.advance(vlanSize) {
		return stop
	}
	return w.etherType(binary.BigEndian.Uint16(d[2:]))
}

// llc follows an 802.2 header only if it is SNAP with an EtherType behind
// (RFC 1042); anything else (spanning tree, IS-IS...) ends the walk.
func (w *walker) llc() next {
	d := w.b[w.off:]
	if len(d) < snapSize || d[0] != 0xaa || d[1] != 0xaa || d[2] != 3 || d[3]|d[4]|d[5] != 0 {
		return stop
	}
	et := binary.BigEndian.Uint16(d[6:])
	if et < minEtherType || !w.layer(LayerCustom, snapSize) {
		return stop
	}
	w.advance(snapSize)
	return w.etherType(et)
}

// pppoe reads a session header and the PPP protocol: RFC 2516 section 4.
func (w *walker) pppoe() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	if !w.layer(LayerCustom, pppoeSize) || !w.advance(pppoeSize) {
		return stop
	}
	switch binary.BigEndian.Uint16(d[6:]) {
	case pppIPv4:
		return w.etherType(etherIPv4)
	case pppIPv6:
		return w.etherType(etherIPv6)
	}
	return stop
}

// mpls reads a label stack down to its bottom (RFC 3032). Labels do not name
// what they carry: IP is told by its version, all else ends the walk.
func (w *walker) mpls() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	var n int
	var bottom bool
	for !bottom && len(d)-n >= labelSize {
		bottom = d[n+2]&1 != 0
		n += labelSize
	}
	if !w.layer(LayerMPLS, max(n, labelSize)) {
		return stop
	}
	if !w.inner && n > 0 {
		w.h.MPLS = d[:n:n]
	}
	if !bottom {
		w.h.Truncated = true
		w.off = len(w.b)
		return stop
	}
	w.advance(n)
	if len(d) == n {
		w.h.Truncated = true
		return stop
	}
	switch d[n] >> 4 {
	case 4:
		return w.etherType(etherIPv4)
	case 6:
		return w.etherType(etherIPv6)
	}
	return stop
}
