package producer

import "github.com/weirflow/weir/decoders/packet"

// macMask keeps the 48 bits of a MAC address.
const macMask = 1<<48 - 1

// apply puts one field's value, which is at least one byte long, in its place.
// A value of a length that its element cannot have is left out.
func (p *Producer) apply(code opcode, v []byte, f *Flow, c *recordContext) {
	switch code {
	case opSrcAddr4:
		setAddr(&f.SrcAddr, v, 4, f, etherTypeIPv4)
		return
	case opDstAddr4:
		setAddr(&f.DstAddr, v, 4, f, etherTypeIPv4)
		return
	case opSrcAddr6:
		setAddr(&f.SrcAddr, v, 16, f, etherTypeIPv6)
		return
	case opDstAddr6:
		setAddr(&f.DstAddr, v, 16, f, etherTypeIPv6)
		return
	case opNextHop:
		if isAddr(v) {
			f.NextHop = v
		}
		return
	case opBGPNextHop:
		if isAddr(v) {
			f.BGPNextHop = v
		}
		return
	case opMPLSIP:
		if isAddr(v) {
			f.MPLSIP = append(f.MPLSIP, v)
		}
		return
	case opFrameSection:
		p.sampledHeader(v, packet.StartEthernet, f)
		f.Packets = 1
		if f.Bytes == 0 {
			f.Bytes = uint64(len(v))
		}
		return
	case opIPSection:
		start := packet.StartIPv4
		if v[0]>>4 == 6 {
			start = packet.StartIPv6
		}
		p.sampledHeader(v, start, f)
		f.Packets = 1
		if f.Bytes == 0 {
			f.Bytes = uint64(len(v))
		}
		return
	}
	n, ok := number(v)
	if !ok {
		return
	}
	switch code {
	case opBytes:
		f.Bytes = n
	case opPackets:
		f.Packets = n
	case opProto:
		f.Proto = uint32(n)
	case opTOS:
		f.IPTOS = uint32(n)
	case opTCPFlags:
		f.TCPFlags = uint32(n)
	case opSrcPort:
		f.SrcPort = uint32(n)
	case opDstPort:
		f.DstPort = uint32(n)
	case opSrcNet:
		f.SrcNet = uint32(n)
	case opDstNet:
		f.DstNet = uint32(n)
	case opInIf:
		f.InIf = uint32(n)
	case opOutIf:
		f.OutIf = uint32(n)
	case opSrcAS:
		f.SrcAS = uint32(n)
	case opDstAS:
		f.DstAS = uint32(n)
	case opFlowLabel:
		f.IPv6FlowLabel = uint32(n)
	case opICMPTypeCode:
		f.ICMPType, f.ICMPCode = uint32(n>>8)&0xff, uint32(n)&0xff
	case opICMPType:
		f.ICMPType = uint32(n)
	case opICMPCode:
		f.ICMPCode = uint32(n)
	case opLabel1, opLabel2, opLabel3:
		f.setLabel(int(code-opLabel1), uint32(n)>>4)
	case opTTL:
		f.IPTTL = uint32(n)
	case opFragmentID:
		f.FragmentID = uint32(n)
	case opFragmentOffset:
		f.FragmentOffset = uint32(n)
	case opIPFlags:
		f.IPFlags = uint32(n) >> 5
	case opSrcMAC:
		f.SrcMAC = n & macMask
	case opDstMAC:
		f.DstMAC = n & macMask
	case opVLAN:
		f.VLANID, f.SrcVLAN = uint32(n), uint32(n)
	case opDstVLAN:
		f.DstVLAN = uint32(n)
	case opIPVersion:
		switch n {
		case 4:
			f.Etype = etherTypeIPv4
		case 6:
			f.Etype = etherTypeIPv6
		}
	case opForwardingStatus:
		f.ForwardingStatus = uint32(n)
	case opObservationPoint:
		f.ObservationPointID = uint32(n)
	case opSamplingInterval:
		c.samplingInterval = n
	case opSamplerID:
		c.samplerID, c.hasSampler = n, true
	case opFrameSize:
		f.Bytes, f.Packets = n, 1
	default:
		applyTime(code, n, len(v), f, c)
	}
}

// applyTime sets a flow time. n is the field's number, size its length in
// bytes.
func applyTime(code opcode, n uint64, size int, f *Flow, c *recordContext) {
	switch code {
	case opStartUptime:
		c.startUptime, c.hasStartUp = uint32(n), true
	case opEndUptime:
		c.endUptime, c.hasEndUp = uint32(n), true
	case opStartSeconds, opStartMillis, opStartDelta:
		f.TimeFlowStartNs, c.absStart = c.absolute(code, n), true
	case opEndSeconds, opEndMillis, opEndDelta:
		f.TimeFlowEndNs, c.absEnd = c.absolute(code, n), true
	case opStartNTP:
		if size == 8 {
			f.TimeFlowStartNs, c.absStart = c.absolute(code, n), true
		}
	case opEndNTP:
		if size == 8 {
			f.TimeFlowEndNs, c.absEnd = c.absolute(code, n), true
		}
	case opStartNTPFloat:
		f.TimeFlowStartNs, c.absStart = compatNTP(n), true
	case opEndNTPFloat:
		f.TimeFlowEndNs, c.absEnd = compatNTP(n), true
	case opBootMillis:
		c.bootMs = n
	}
}

// absolute converts an absolute time to Unix nanoseconds, 0 for one that is out of
// range.
func (c *recordContext) absolute(code opcode, n uint64) uint64 {
	ns := uint64(0)
	switch code {
	case opStartSeconds, opEndSeconds:
		ns = scaleTime(n, 1e9)
	case opStartMillis, opEndMillis:
		ns = scaleTime(n, 1e6)
	case opStartNTP, opEndNTP:
		ns = ntpToUnix(n)
	default:
		ns = since(c.exportNs, n, 1e3)
	}
	if ns != 0 || n == 0 {
		return ns
	}
	if c.compat {
		return compatAbsolute(code, n, c.exportNs)
	}
	c.timeLost = true
	return 0
}

func isAddr(v []byte) bool { return len(v) == 4 || len(v) == 16 }

// setAddr sets an address and with it the EtherType. Templates may have both
// an IPv4 and an IPv6 address, one of them zero: a zero address does not
// replace one that is there.
func setAddr(addr *[]byte, v []byte, size int, f *Flow, etype uint32) {
	if len(v) != size || len(*addr) != 0 && allZero(v) {
		return
	}
	*addr = v
	f.Etype = etype
}

func allZero(v []byte) bool {
	for _, c := range v {
		if c != 0 {
			return false
		}
	}
	return true
}
