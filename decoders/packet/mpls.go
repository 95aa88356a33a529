package packet

import "encoding/binary"

// Labels with a meaning of their own (RFC 3032 section 2.1, RFC 5586).
const (
	labelExplicitNull4 = 0
	labelExplicitNull6 = 2
)

// mpls reads a label stack down to the entry with the bottom-of-stack bit (RFC
// 3032). Labels do not name their payload. The function detects IP, and Ethernet
// with or without a control word, by the first bytes; any other payload ends the
// walk.
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
	if !w.inner && n > 0 && w.h.MPLS == nil { // not the labels in a pseudowire
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
	label := binary.BigEndian.Uint32(d[n-labelSize:]) >> 12
	if w.fill {
		w.labelFacts(label)
	}
	rest := d[n:]
	switch rest[0] >> 4 {
	case 4:
		if label == labelExplicitNull4 || sureIPv4(rest) || frameScore(rest) < 2 {
			return w.etherType(etherIPv4)
		}
	case 6:
		if label == labelExplicitNull6 || likelyIPv6(rest) && frameScore(rest) < 3 || frameScore(rest) < 2 {
			return w.etherType(etherIPv6)
		}
	case 0:
		return w.controlWord(rest, label)
	}
	return w.pseudowire(rest, label)
}

// pseudowire continues with an Ethernet frame directly after the labels, if the
// bytes look like one.
func (w *walker) pseudowire(rest []byte, label uint32) next {
	if frameScore(rest) > 0 {
		w.carriedFrame(TunnelPseudowire, true, label)
		return nextEthernet
	}
	if len(rest) < ethernetSize {
		w.h.Truncated = true
		return stop
	}
	w.unnamed(unknownMPLS | uint32(rest[0]))
	return stop
}

// controlWord handles a payload whose first four bits are zero: a control word
// (RFC 4385 section 3, RFC 4448 section 4.6), or a MAC address.
func (w *walker) controlWord(rest []byte, label uint32) next {
	if len(rest) < labelSize {
		w.h.Truncated = true
		return stop
	}
	frame := rest[labelSize:]
	var n next
	switch score := frameScore(frame); {
	case score > 0 && score >= frameScore(rest):
		n = nextEthernet
	case frameScore(rest) > 0:
		return w.pseudowire(rest, label)
	case sureIPv4(frame):
		n = etherIPv4
	case len(frame) >= ipv6Size && frame[0]>>4 == 6 && likelyIPv6(frame):
		n = etherIPv6
	default:
		if len(frame) < ipv6Size {
			w.h.Truncated = true
			return stop
		}
		w.unnamed(unknownMPLS | uint32(rest[0]))
		return stop
	}
	w.number = 0
	if !w.layer(LayerCustom, labelSize) {
		return stop
	}
	w.advance(labelSize)
	w.carriedFrame(TunnelPseudowire, true, label)
	if n != nextEthernet {
		return w.etherType(uint16(n))
	}
	return n
}

// frameScore returns how likely d is an Ethernet frame. 0: it is none. 1: the
// EtherType is known, but nothing can be checked. 2: the bytes after the
// EtherType match it. 3: they are IPv4 with a correct checksum, or IPv6 with a
// plausible next header and addresses.
func frameScore(d []byte) int {
	if len(d) < ethernetSize || d[6]&1 != 0 { // no frame comes from a group
		return 0
	}
	et, rest := binary.BigEndian.Uint16(d[12:]), d[ethernetSize:]
	for range 8 {
		switch et {
		case etherVLAN, etherQinQ, etherQinQOld, etherQinQOlder, etherQinQThird:
			if len(rest) < vlanSize {
				return 1
			}
			et, rest = binary.BigEndian.Uint16(rest[2:]), rest[vlanSize:]
		}
	}
	switch {
	case et == etherIPv4:
		return scoreIPv4(rest)
	case et == etherIPv6:
		if len(rest) >= ipv6Size && rest[0]>>4 == 6 && likelyIPv6(rest) {
			return 3
		}
		return scoreByte(rest, 0xf0, 0x60)
	case et == etherARP:
		return scoreByte(rest, 0xff, 0)
	case et == etherPPPoE || et == etherPPPoED:
		return scoreByte(rest, 0xff, 0x11)
	case et >= minEtherType:
		if withoutIP(et) || shimType(et) || et == etherMPLS {
			return 1
		}
	case len(rest) >= 3 && et >= 3 && rest[0] == rest[1] && rest[2] == 3 &&
		(rest[0] == 0xaa || rest[0] == 0x42 || rest[0] == 0xfe):
		return 2 // LLC of SNAP, spanning tree or OSI
	}
	return 0
}

func scoreIPv4(d []byte) int {
	switch {
	case sureIPv4(d):
		return 3
	case len(d) > 0 && d[0]&0x0f < 5:
		return 0
	}
	return scoreByte(d, 0xf0, 0x40)
}

// scoreByte scores by the first byte's bits of mask.
func scoreByte(d []byte, mask, want byte) int {
	switch {
	case len(d) == 0:
		return 1
	case d[0]&mask == want:
		return 2
	}
	return 0
}

// sureIPv4 reports whether d begins with a complete IPv4 header with a correct
// checksum (RFC 1071).
func sureIPv4(d []byte) bool {
	if len(d) < ipv4Size || d[0]>>4 != 4 {
		return false
	}
	size := int(d[0]&0x0f) * 4
	if size < ipv4Size || size > len(d) {
		return false
	}
	sum := uint32(0)
	for i := 0; i < size; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(d[i:]))
	}
	sum = sum>>16 + sum&0xffff
	return sum>>16+sum&0xffff == 0xffff
}

// likelyIPv6 reports whether d, whose version is 6, has a plausible next header
// and plausible addresses. It reports true for a truncated header.
func likelyIPv6(d []byte) bool {
	if len(d) < ipv6Size {
		return true
	}
	switch d[6] {
	case protoHopByHop, protoTCP, protoUDP, protoIPv4, protoIPv6, protoRouting, protoFragment, protoGRE,
		50, protoAH, protoICMPv6, 59, protoDestOpts, 89, 103, 112, protoSCTP, protoMPLS, protoEthernet:
	default:
		return false
	}
	return likelyAddr6(d[8]) && likelyAddr6(d[24])
}

// likelyAddr6 goes by the first byte: unspecified and mapped, global unicast
// (RFC 4291), unique local, link local and multicast.
func likelyAddr6(c byte) bool { return c == 0 || c>>5 == 1 || c >= 0xfc }
