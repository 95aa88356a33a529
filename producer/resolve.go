package producer

// What the fields of a record make of each other, once all of them are read.

const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58

	vlanBits = 12
)

// isZero tells whether the number that id names is zero, or is not there.
func (f *Flow) isZero(id fieldID) bool {
	if isExtra(id) {
		return !f.has(id)
	}
	if v := f.u64(id); v != nil {
		return *v == 0
	}
	v := f.u32(id)
	return v == nil || *v == 0
}

// isEmpty tells whether the string of bytes that id names is not there, or all zeros.
func (f *Flow) isEmpty(id fieldID) bool { return isExtra(id) && !f.has(id) || allZero(*f.bytes(id)) }

// unspecified is the address without a value of both families.
var unspecified [16]byte

// oneFamily makes an unspecified address one of the other address's family, in records
// that have elements of both: a packet from 0.0.0.0 or :: has an address as well.
func (f *Flow) oneFamily() {
	src, dst := len(f.SrcAddr), len(f.DstAddr)
	switch {
	case src == dst || src == 0 || dst == 0:
	case allZero(f.SrcAddr):
		f.SrcAddr = unspecified[:dst:dst]
		f.etherTypeOf(dst)
	case allZero(f.DstAddr):
		f.DstAddr = unspecified[:src:src]
		f.etherTypeOf(src)
	}
}

// etherTypeOf replaces the EtherType of the other family by that of addresses of so many
// bytes.
func (f *Flow) etherTypeOf(size int) {
	switch {
	case size == 4 && f.Etype == etherTypeIPv6:
		f.Etype = etherTypeIPv4
	case size == 16 && f.Etype == etherTypeIPv4:
		f.Etype = etherTypeIPv6
	}
}

// icmpFromPort sets type and code of an ICMP flow whose destination port has them.
func (f *Flow) icmpFromPort() {
	if f.Proto == protoICMP || f.Proto == protoICMPv6 {
		f.ICMPType, f.ICMPCode = f.DstPort>>8&0xff, f.DstPort&0xff
	}
}

// Protocols that elements imply, by bit.
const (
	impliesICMP uint8 = 1 << iota
	impliesICMPv6
	impliesUDP
	impliesTCP
)

// impliedBit returns the bit of a protocol.
func impliedBit(proto uint8) uint8 {
	switch proto {
	case protoICMP:
		return impliesICMP
	case protoICMPv6:
		return impliesICMPv6
	case protoUDP:
		return impliesUDP
	}
	return impliesTCP
}

// imply sets the protocol of a record that has elements of one protocol (types and codes of
// ICMP, ports of TCP or UDP) but no protocol. ICMP elements of zero imply nothing if the
// template has ports.
func (c *recordContext) imply(pl *plan, f *Flow) {
	bits := c.implied
	if bits == 0 && pl.noPorts {
		bits = c.impliedZero
	}
	switch {
	case bits == impliesTCP:
		f.Proto = protoTCP
	case bits == impliesUDP:
		f.Proto = protoUDP
	case bits&impliesICMPv6 != 0 && (bits&impliesICMP == 0 || f.Etype == etherTypeIPv6):
		f.Proto = protoICMPv6
	case bits&impliesICMP != 0:
		f.Proto = protoICMP
	}
}

// refines tells whether a time is that of whole seconds, but finer.
func refines(ns, seconds uint64) bool { return seconds%1e9 == 0 && ns/1e9 == seconds/1e9 }

// setTime sets the start or the end of a flow unless it is set already, and not in
// whole seconds of a finer time. 0 is no time.
func (c *recordContext) setTime(id fieldID, ns uint64, f *Flow) {
	switch {
	case ns == 0:
	case id == fieldTimeFlowStartNs:
		if !c.absStart || refines(ns, f.TimeFlowStartNs) {
			f.TimeFlowStartNs, c.absStart = ns, true
		}
	case id == fieldTimeFlowEndNs:
		if !c.absEnd || refines(ns, f.TimeFlowEndNs) {
			f.TimeFlowEndNs, c.absEnd = ns, true
		}
	default:
		f.setNumber(id, ns)
	}
}

// setDuration notes how long the flow took, in units of so many nanoseconds.
func (c *recordContext) setDuration(n, unit uint64) {
	if ns := scaleTime(n, unit); ns != 0 && !c.hasDuration {
		c.durationNs, c.hasDuration = ns, true
	}
}

// order makes start and end of what is known about them: the export time stands for what
// is not, and the end is never before the start.
func (c *recordContext) order(f *Flow) {
	start, end := &f.TimeFlowStartNs, &f.TimeFlowEndNs
	switch {
	case c.hasDuration && c.absEnd && (!c.absStart || *start == *end):
		*start = *end
		if c.durationNs < *end {
			*start -= c.durationNs
		}
	case c.hasDuration && !c.absStart && !c.absEnd:
		if c.durationNs < *end {
			*start = *end - c.durationNs
		}
	case c.hasDuration && c.absStart && !c.absEnd:
		if sum := *start + c.durationNs; sum > *start {
			*end = sum
		}
	case c.absEnd && !c.absStart:
		*start = *end
	case *start <= *end:
	case c.absStart && !c.absEnd:
		*end = *start // the header counts whole seconds
	default:
		*start = *end
		c.startLate = true
	}
}

// turn makes the flow of the other direction of f: what has a source and a
// destination is exchanged, and what is known about f's direction alone is emptied.
func (f *Flow) turn() {
	f.SrcAddr, f.DstAddr = f.DstAddr, f.SrcAddr
	f.SrcPort, f.DstPort = f.DstPort, f.SrcPort
	f.InIf, f.OutIf = f.OutIf, f.InIf
	f.SrcMAC, f.DstMAC = f.DstMAC, f.SrcMAC
	f.SrcVLAN, f.DstVLAN = f.DstVLAN, f.SrcVLAN
	f.SrcAS, f.DstAS = f.DstAS, f.SrcAS
	f.SrcNet, f.DstNet = f.DstNet, f.SrcNet
	f.VLANID = f.SrcVLAN
	f.Bytes, f.Packets = 0, 0
	f.IPTOS, f.IPTTL, f.TCPFlags, f.IPFlags, f.IPv6FlowLabel = 0, 0, 0, 0, 0
	f.FragmentID, f.FragmentOffset = 0, 0
	f.NextHop, f.BGPNextHop, f.NextHopAS = nil, nil, 0
	f.MPLSLabel, f.MPLSTTL, f.MPLSIP = f.MPLSLabel[:0], f.MPLSTTL[:0], f.MPLSIP[:0]
	if f.anyExtra() {
		f.turnExtra()
	}
	f.Extra().FlowReverse = 1
	f.mark(fieldFlowReverse, true)
}

// oneWay are the extra fields that are known about a flow's own direction alone.
var oneWay = []fieldID{
	fieldDroppedBytes, fieldDroppedPackets, fieldPostIPTOS, fieldMinimumTTL, fieldMaximumTTL,
	fieldMinimumIPTotalLength, fieldMaximumIPTotalLength, fieldMPLSTopLabelType, fieldMPLSTopLabelExp, fieldSRHFlagsIPv6, fieldSRHTagIPv6,
}

// bothWays are pairs of extra fields that are exchanged.
var bothWays = [][2]fieldID{
	{fieldPostNATSrcAddr, fieldPostNATDstAddr}, {fieldPostNATSrcPort, fieldPostNATDstPort}, {fieldIngressVRFID, fieldEgressVRFID},
	{fieldIngressVRFName, fieldEgressVRFName}, {fieldInIfName, fieldOutIfName}, {fieldInnerSrcAddr, fieldInnerDstAddr},
	{fieldInnerSrcPort, fieldInnerDstPort}, {fieldDot1QVLANID, fieldPostDot1QVLANID}, {fieldDot1QCustomerVLANID, fieldPostDot1QCustomerVLANID},
	{fieldTunnelSrcAddr, fieldTunnelDstAddr},
}

// turnExtra is turn for the extra fields.
func (f *Flow) turnExtra() {
	// Who began the flow, and the side that it was seen at, are the other one: RFC 5103
	// section 6.3.
	if v := &f.Extra().BiFlowDirection; f.has(fieldBiFlowDirection) && (*v == 1 || *v == 2) {
		*v = 3 - *v
	}
	if v := &f.Extra().FlowDirection; f.has(fieldFlowDirection) && *v <= 1 {
		*v = 1 - *v
	}
	for _, id := range oneWay {
		f.mark(id, false)
	}
	for _, pair := range bothWays {
		a, b := pair[0], pair[1]
		hasA, hasB := f.has(a), f.has(b)
		if !hasA && !hasB {
			continue
		}
		if fieldTable[a].kind == kindBytes {
			x, y := f.bytes(a), f.bytes(b)
			*x, *y = *y, *x
		} else {
			x, y := f.u32(a), f.u32(b)
			*x, *y = *y, *x
		}
		f.mark(a, hasB)
		f.mark(b, hasA)
	}
}
