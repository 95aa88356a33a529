package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
)

// With Settings.Compat values are those of goflow2 v2.2.6 where weir reads them
// otherwise on purpose. Everything takes the generic path then. What goflow2
// cannot read at all is read as without it: which datagrams and records give
// messages does not change.

// compatCode returns what becomes of an element that goflow2 does not know, or
// takes for something else.
func compatCode(code opcode, version uint16) opcode {
	switch code {
	case opInterval, opSampler, opBoot, opPacket:
		return opSkip
	case opUptime:
		if version != template.V9 {
			return opSkip
		}
	case opSeconds, opMillis, opBefore, opFrameSize, opFrame:
		if version == template.V9 {
			return opSkip
		}
	case opNTP:
		if version == template.V9 {
			return opSkip
		}
		return opNTPFloat
	}
	return code
}

// compatBits returns the op of a number that goflow2 takes whole: a VLAN.
func compatBits(o op) op {
	if o.bits == vlanBits {
		o.bits = 64
	}
	return o
}

// compatSections is the number of sections of a label stack that goflow2 knows.
const compatSections = 3

// compatNTP converts a 64-bit NTP timestamp by floating point, and those before
// 1970 to times beyond all ages.
func compatNTP(v uint64) uint64 {
	return (v>>32-ntpEpoch)*1e9 + uint64(float64(v&0xffffffff)*1e9/(1<<32))
}

// compatAbsolute converts a time that is out of range, and so that it wraps.
func compatAbsolute(code opcode, n, exportNs uint64) uint64 {
	switch code {
	case opSeconds:
		return n * 1e9
	case opMillis:
		return n * 1e6
	}
	return exportNs - n*1e3
}

// compatTimes sets the flow times on the uptime clock, which is taken never to
// wrap.
func (c *recordContext) compatTimes(f *Flow) {
	if c.hasStartUp && !c.absStart {
		f.TimeFlowStartNs = c.exportNs - (uint64(c.uptimeMs)*1e6 - uint64(c.startUptime)*1e6)
	}
	if c.hasEndUp && !c.absEnd {
		f.TimeFlowEndNs = c.exportNs - (uint64(c.uptimeMs)*1e6 - uint64(c.endUptime)*1e6)
	}
}

// compatFixedTimes sets the flow times of a record of a fixed layout, which are taken
// never to be ahead of the export.
func compatFixedTimes(f *Flow, c *recordContext) {
	f.TimeFlowStartNs = c.exportNs - uint64(c.uptimeMs-c.startUptime)*1e6
	f.TimeFlowEndNs = c.exportNs - uint64(c.uptimeMs-c.endUptime)*1e6
	c.timeLost = f.TimeFlowStartNs == 0 || f.TimeFlowEndNs == 0
}

// compatRecord adds what a record of a flow sample says. It reports false where
// the record is to be read as without Settings.Compat.
func (p *Producer) compatRecord(format uint32, data []byte, f *Flow) bool {
	switch format {
	case sflow.FlowRawHeader:
		r, ok := sflow.ParseRawHeader(data)
		if !ok {
			return false
		}
		f.Bytes = uint64(r.FrameLength)
		if r.Protocol == sflow.HeaderEthernet {
			p.compatHeader(data[16:], f) // padding too
		}
		return true
	case sflow.FlowEthernet:
		return true
	case sflow.FlowIPv4, sflow.FlowIPv6:
		r, ok := sflow.ParseIPv4(data)
		etype := uint32(etherTypeIPv4)
		if format == sflow.FlowIPv6 {
			r, ok = sflow.ParseIPv6(data)
			etype = etherTypeIPv6
		}
		if ok {
			r.TCPFlags = f.TCPFlags // it has no place for them
			ipRecord(&r, etype, f)
		}
		return ok
	case sflow.FlowExtendedGateway:
		r, ok := sflow.ParseExtendedGateway(data)
		if !ok || len(r.Segments) < 8 {
			return false
		}
		gatewayRecord(&r, f)
		compatPath(&r, f)
		return true
	}
	return false
}

// compatPath reads one segment of an AS path, and what follows it as the
// communities.
func compatPath(r *sflow.ExtendedGateway, f *Flow) {
	n := int(binary.BigEndian.Uint32(r.Segments[4:]))
	rest := r.Segments[8+4*n:]
	if len(rest) < 8 {
		return // there is no other segment
	}
	f.ASPath = f.ASPath[:n]
	f.NextHopAS, f.DstAS = 0, r.AS
	if n > 0 {
		f.NextHopAS, f.DstAS = f.ASPath[0], f.ASPath[n-1]
	}
	f.BGPCommunities = f.BGPCommunities[:0]
	count := binary.BigEndian.Uint32(rest)
	for rest = rest[4:]; count > 0 && len(rest) >= 4; count, rest = count-1, rest[4:] {
		f.BGPCommunities = append(f.BGPCommunities, binary.BigEndian.Uint32(rest))
	}
}
