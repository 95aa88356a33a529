package packet

import "encoding/binary"

// EtherTypes of headers that stand between Ethernet and what it carries.
const (
	etherTRILL      = 0x22f3 // RFC 6325
	etherFabricPath = 0x8903 // Cisco
	etherCMD        = 0x8909 // Cisco metadata: TrustSec's security group
	etherVNTag      = 0x8926 // Cisco VN-Tag, the draft of 802.1BR
	etherETag       = 0x893f // IEEE 802.1BR
	etherNSH        = 0x894f // RFC 8300
	etherPBB        = 0x88e7 // IEEE 802.1ah I-tag
	etherMACsec     = 0x88e5 // IEEE 802.1AE
	etherArista     = 0xd28b // Arista: timestamps in the frame
)

const (
	vnTagSize      = 6 // with the EtherType that follows, as all of these
	eTagSize       = 8
	iTagSize       = 4 // a whole frame follows
	fabricPathSize = 2
	trillSize      = 6
	nshSize        = 8
	islSize        = 12 // the part of ISL after the Ethernet header: see llc
)

// shimType reports whether shim follows an EtherType.
func shimType(et uint16) bool {
	switch et {
	case etherTEB, etherTRILL, etherFabricPath, etherCMD, etherVNTag, etherETag, etherNSH, etherPBB, etherMACsec, etherArista:
		return true
	}
	return false
}

// shim reads the headers that few frames have, in front of what they carry.
// They are of the base stack: none of them has addresses.
func (w *walker) shim(n next) next {
	d := w.b[w.off:]
	switch n {
	case nextPPP, nextPOS, nextFrameRelay:
		return w.serial(n)
	case nextWiFi:
		return w.wifi()
	case nextAMSDU:
		return w.amsdu()
	}
	if !shimType(uint16(n)) {
		return w.unknown()
	}
	if len(d) == 0 {
		return w.missing()
	}
	switch n {
	case etherVNTag:
		return w.typed(d, vnTagSize)
	case etherETag:
		return w.typed(d, eTagSize)
	case etherCMD:
		return w.metadata(d)
	case etherMACsec:
		return w.macsec(d)
	case etherArista:
		return w.timestamp(d)
	case etherNSH:
		return w.nsh(d)
	}
	size := iTagSize
	switch n {
	case etherFabricPath:
		size = fabricPathSize
	case etherTRILL:
		size = trillSize
		if len(d) >= 2 { // options, in units of 4 bytes: RFC 6325 section 3.1
			size += int(binary.BigEndian.Uint16(d)>>6&0x1f) * 4
		}
	}
	if !w.layer(LayerCustom, size) || !w.advance(size) {
		return stop
	}
	switch n {
	case etherPBB:
		w.carriedFrame(TunnelPBB, true, binary.BigEndian.Uint32(d)&0xffffff)
	case etherTRILL:
		w.carriedFrame(TunnelTRILL, false, 0)
	case etherFabricPath:
		w.carriedFrame(TunnelFabricPath, false, 0)
	}
	return nextEthernet
}

// typed reads a header of size bytes that ends with an EtherType.
func (w *walker) typed(d []byte, size int) next {
	if !w.layer(LayerCustom, size) || !w.advance(size) {
		return stop
	}
	return w.etherType(binary.BigEndian.Uint16(d[size-2:]))
}

// metadata reads Cisco's header of the security group: version, length in units
// of 4 bytes, options, EtherType.
func (w *walker) metadata(d []byte) next {
	size := 8
	if len(d) >= 2 && d[1] > 1 {
		size = 4 + 4*int(d[1])
	}
	return w.typed(d, size)
}

// macsec reads a security tag and continues with the payload if that is not
// encrypted: IEEE 802.1AE 9.3 to 9.5.
func (w *walker) macsec(d []byte) next {
	const (
		encrypted = 0x08
		changed   = 0x04
		withSCI   = 0x20
	)
	size := 6
	if d[0]&withSCI != 0 {
		size += 8
	}
	if d[0]&(encrypted|changed) != 0 {
		return w.unknown()
	}
	w.carriedFrame(TunnelMACsec, false, 0)
	return w.typed(d, size+2)
}

// timestamp reads Arista's header: subtype 1, version (bit 5 for a time of 48
// bits, bit 4 for 64 bits), time, EtherType.
func (w *walker) timestamp(d []byte) next {
	size := 4
	if len(d) >= size {
		if binary.BigEndian.Uint16(d) != 1 {
			return w.unknown()
		}
		switch d[3] {
		case 0x10:
			size += 8
		case 0x20:
			size += 6
		default:
			return w.unknown()
		}
	}
	if size == 4 { // cut before its length can be known
		size = 12
	}
	return w.typed(d, size+2)
}

// nsh reads a network service header: RFC 8300 section 2.2.
func (w *walker) nsh(d []byte) next {
	size := nshSize
	if len(d) >= 2 {
		size = max(size, int(d[1]&0x3f)*4)
	}
	if !w.layer(LayerCustom, size) || !w.advance(size) {
		return stop
	}
	return w.nextProtocol(d[3])
}

// nextProtocol follows a number of the registry that NSH and VXLAN-GPE share.
func (w *walker) nextProtocol(p byte) next {
	switch p {
	case 1:
		return w.etherType(etherIPv4)
	case 2:
		return w.etherType(etherIPv6)
	case 3:
		return nextEthernet
	case 4:
		return etherNSH
	case 5:
		return etherMPLS
	}
	w.unnamed(unknownNSH | uint32(p))
	return stop
}

// llc reads an 802.2 header: SNAP with an EtherType (RFC 1042), IP, or Cisco's
// ISL. Anything else (spanning tree, IS-IS...) ends the walk.
func (w *walker) llc() next {
	d := w.b[w.off:]
	if len(d) < 3 {
		w.h.Truncated = true
		return stop
	}
	if len(d) >= snapSize && d[0] == 0xaa && d[1] == 0xaa && d[2] == 3 {
		oui := uint32(d[3])<<16 | uint32(d[4])<<8 | uint32(d[5])
		et := binary.BigEndian.Uint16(d[6:])
		switch {
		case oui == 0x00000c && w.isl():
			return w.islFrame(d)
		case oui == 0 || oui == 0x0000f8: // RFC 1042; IEEE 802.1H
			if et < minEtherType || !w.layer(LayerCustom, snapSize) {
				return stop
			}
			w.advance(snapSize)
			return w.etherType(et)
		}
		if oui != 0x00000c && oui != 0x0080c2 { // CDP and others; bridges
			w.unnamed(unknownLLC | 0xaaaa)
		}
		return stop
	}
	if d[0] == 6 && d[1] == 6 && d[2] == 3 && len(d) > 3 && d[3]>>4 == 4 {
		w.number = 0
		if !w.layer(LayerCustom, 3) {
			return stop
		}
		w.advance(3)
		return w.etherType(etherIPv4)
	}
	switch d[0] {
	case 6, 0xaa:
		w.h.Truncated = len(d) < snapSize
	case 0x42, 0xfe, 0xe0, 0xf0, 0xff, 0xf4, 0xf8, 0xfc, 0, 4, 8, 0x0e, 0x7e, 0x80: // OSI, IPX, NetBIOS, SNA...
	default:
		w.unnamed(unknownLLC | uint32(d[0])<<8 | uint32(d[1]))
	}
	return stop
}

// isl reports whether the frame that ends at the walker's offset is addressed
// as ISL's are: 01:00:0c:00:00 or 03:00:0c:00:00.
func (w *walker) isl() bool {
	if w.off < ethernetSize {
		return false
	}
	d := w.b[w.off-ethernetSize:]
	return d[0]&^2 == 1 && d[1] == 0 && d[2] == 0x0c && d[3]|d[4] == 0
}

// islFrame reads the ISL header after the length field, which has the VLAN. A
// complete frame follows: Cisco, "InterSwitch Link and IEEE 802.1Q Frame Format".
func (w *walker) islFrame(d []byte) next {
	if !w.layer(LayerCustom, islSize) || !w.advance(islSize) {
		return stop
	}
	if id := uint32(binary.BigEndian.Uint16(d[6:])) >> 1 & 0x0fff; id != 0 && !w.inner {
		w.h.VLANID = id
	}
	return nextEthernet
}
