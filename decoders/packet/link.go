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
	etherQinQThird = 0x9300

	minEtherType = 0x0600 // below: an IEEE 802.3 length
)

const (
	ethernetSize = 14
	vlanSize     = 4
	snapSize     = 8
	labelSize    = 4
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
	case etherVLAN, etherQinQ, etherQinQOld, etherQinQOlder, etherQinQThird:
		return w.vlan()
	case etherMPLS, etherMPLSUp:
		return w.mpls()
	case etherPPPoE:
		return w.pppoe()
	case etherTEB:
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
	return w.shim(n)
}

func (w *walker) ethernet() next {
	d := w.b[w.off:]
	if len(d) == 0 {
		return w.missing()
	}
	first := w.h.Layers == 0
	if !w.layer(LayerEthernet, ethernetSize) {
		return stop
	}
	if first && !w.inner {
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
	} else if w.fill {
		w.h.Inner.EtherType = et
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
		// A priority tag (0) belongs to no VLAN: IEEE 802.1Q 9.6.
		if id := uint32(binary.BigEndian.Uint16(d) & 0x0fff); id != 0 {
			w.h.VLANID = id
		}
	}
	if !w.advance(vlanSize) {
		return stop
	}
	return w.etherType(binary.BigEndian.Uint16(d[2:]))
}
