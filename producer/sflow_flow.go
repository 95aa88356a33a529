package producer

import (
	"cmp"
	"encoding/binary"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/sflow"
)

// sampleRecords is what the records of a sample say, in addition to the flow that they fill: they
// come in any order, and some are of use only where others are not there.
type sampleRecords struct {
	flow *Flow
	// length says which record the flow's bytes are from.
	length lengthSource
	// packet says that a sampled header has the addresses: what the agent read of
	// the packet is no better.
	packet bool
	// labels are label stacks of 4 bytes an entry, of the packet as it came in or
	// else as it went out.
	labels []byte
	// labelsNextHop is the next hop of the label stack, nil if the agent does not know it.
	labelsNextHop []byte
}

// lengthSource is a record with the length of a packet, the better the higher.
type lengthSource uint8

const (
	lengthNone lengthSource = iota
	lengthIP                // without the lower layers
	lengthEthernet
	lengthHeader
)

// setLength sets the flow's bytes, unless a better record did.
func (r *sampleRecords) setLength(n uint32, from lengthSource) {
	if from >= r.length && (n != 0 || r.length == lengthNone) {
		r.flow.Bytes, r.length = uint64(n), from
	}
}

// end adds what is of use if no record said better.
func (r *sampleRecords) end() {
	if len(r.flow.MPLSLabel) == 0 && len(r.labels) > 0 {
		r.flow.setLabels(r.labels)
	}
	if allZero(r.flow.NextHop) && !allZero(r.labelsNextHop) {
		r.flow.NextHop = r.labelsNextHop
	}
}

// flowRecord adds what a flow record says; word is its enterprise and
// format. Formats that a Flow has no place for are left out. It reports false if the record is shorter than
// its format.
func (p *Producer) flowRecord(word uint32, data []byte, s *sampleRecords) bool {
	f := s.flow
	if p.prog.compat && p.compatRecord(word, data, f) {
		return true
	}
	switch word {
	case sflow.FlowRawHeader:
		r, ok := sflow.ParseRawHeader(data)
		if !ok {
			return false
		}
		s.setLength(r.FrameLength, lengthHeader)
		switch r.Protocol {
		case sflow.HeaderEthernet, sflow.HeaderFrameRelay, sflow.HeaderPPP, sflow.HeaderIPv4, sflow.HeaderIPv6, sflow.HeaderMPLS,
			sflow.HeaderPOS, sflow.HeaderWiFi, sflow.HeaderAMSDU:
			s.packet = p.sampledHeader(r.Header, packet.Start(r.Protocol), f) || s.packet
		default:
			p.fault(ReasonHeaderProtocol)
		}
	case sflow.FlowEthernet:
		r, ok := sflow.ParseEthernet(data)
		if !ok {
			return false
		}
		// The sampled header, if there is one, says more.
		if f.SrcMAC == 0 && f.DstMAC == 0 {
			f.SrcMAC, f.DstMAC = r.SrcMAC, r.DstMAC
		}
		if f.Etype == 0 {
			f.Etype = r.EtherType
		}
		s.setLength(r.Length, lengthEthernet)
	case sflow.FlowIPv4:
		r, ok := sflow.ParseIPv4(data)
		if !ok {
			return false
		}
		s.ip(&r, etherTypeIPv4)
	case sflow.FlowIPv6:
		r, ok := sflow.ParseIPv6(data)
		if !ok {
			return false
		}
		s.ip(&r, etherTypeIPv6)
	case sflow.FlowExtendedSwitch:
		r, ok := sflow.ParseExtendedSwitch(data)
		if !ok {
			return false
		}
		f.SrcVLAN, f.DstVLAN = vlan(r.SrcVLAN), vlan(r.DstVLAN)
		if p.prog.compat {
			f.SrcVLAN, f.DstVLAN = r.SrcVLAN, r.DstVLAN
		}
	case sflow.FlowExtendedRouter:
		r, ok := sflow.ParseExtendedRouter(data)
		if !ok {
			return false
		}
		f.NextHop = r.NextHop
		f.SrcNet, f.DstNet = r.SrcMaskLen, r.DstMaskLen
	case sflow.FlowExtendedGateway:
		r, ok := sflow.ParseExtendedGateway(data)
		gatewayRecord(&r, f)
		return ok
	case sflow.FlowExtendedMPLS:
		r, ok := sflow.ParseExtendedMPLS(data)
		if p.prog.compat {
			return ok
		}
		if len(s.labels) == 0 {
			s.labels = r.Labels()
		}
		if s.labelsNextHop == nil {
			s.labelsNextHop = r.NextHop
		}
		return ok
	case sflow.FlowExtendedVLANTunnel:
		tags, ok := sflow.ParseExtendedVLANTunnel(data)
		if !ok {
			return false
		}
		vlanTunnel(tags, f)
	default:
		return p.tableRecord(word, data, f)
	}
	return true
}

// vlanTunnel adds the tags, of 4 bytes each, that a device took off the packet before it sampled
// it: the outer one, and the next, the customer's.
func vlanTunnel(tags []byte, f *Flow) {
	for i, id := range []fieldID{fieldDot1QVLANID, fieldDot1QCustomerVLANID} {
		if len(tags) >= 4*(i+1) && !f.has(id) {
			f.setNumber(id, uint64(binary.BigEndian.Uint32(tags[4*i:])&0xfff))
		}
	}
}

// vlan returns the VLAN of a number that an agent sends: 12 bits, and none for the one
// that says so.
func vlan(n uint32) uint32 {
	if n == sflow.NoVLAN {
		return 0
	}
	return n & 0xfff
}

// ip adds what an agent read of an IP header.
func (s *sampleRecords) ip(r *sflow.IP, etype uint32) {
	bytes := s.flow.Bytes
	if !s.packet {
		ipRecord(r, etype, s.flow)
	}
	s.flow.Bytes = bytes
	s.setLength(r.Length, lengthIP)
}

func ipRecord(r *sflow.IP, etype uint32, f *Flow) {
	f.SrcAddr, f.DstAddr = r.Src, r.Dst
	f.Bytes = uint64(r.Length)
	f.Proto = r.Protocol
	f.SrcPort, f.DstPort = r.SrcPort, r.DstPort
	f.IPTOS = r.TOS
	f.TCPFlags = r.TCPFlags
	f.Etype = etype
}

func gatewayRecord(r *sflow.ExtendedGateway, f *Flow) {
	f.BGPNextHop = r.NextHop
	f.BGPCommunities = r.AppendCommunities(f.BGPCommunities[:0])
	f.ASPath = r.ASPath(f.ASPath[:0])
	if r.PathLen > 0 {
		f.NextHopAS, f.DstAS = r.FirstAS, r.LastAS
	} else {
		f.DstAS = r.AS
	}
	f.SrcAS = r.SrcAS
	if f.SrcAS == 0 {
		f.SrcAS = r.AS
	}
}

// headerFaults counts what is wrong with a sampled header.
func (p *Producer) headerFaults(h *packet.Headers) {
	switch {
	case h.Malformed:
		p.fault(ReasonSampledHeader)
	case h.LayersExceeded:
		p.fault(ReasonHeaderLayers)
	case h.Unknown != 0:
		p.note(ReasonHeaderUnknown)
	}
}

// cutHeader adds what is there of an IP header that is cut before its addresses. A
// field that is zero may not be there.
func cutHeader(h *packet.Headers, f *Flow) {
	f.Proto = cmp.Or(h.Proto, f.Proto)
	f.IPTOS, f.IPTTL = cmp.Or(h.TOS, f.IPTOS), cmp.Or(h.TTL, f.IPTTL)
	f.IPv6FlowLabel = cmp.Or(h.FlowLabel, f.IPv6FlowLabel)
	f.FragmentID, f.FragmentOffset = cmp.Or(h.FragmentID, f.FragmentID), cmp.Or(h.FragmentOffset, f.FragmentOffset)
	f.IPFlags = cmp.Or(h.IPFlags, f.IPFlags)
}

// sampledHeader adds what a sampled header says to the flow. What the header
// does not have is left as it is. It reports whether the header has addresses.
func (p *Producer) sampledHeader(b []byte, start packet.Start, f *Flow) bool {
	if p.prog.compat && start == packet.StartEthernet {
		p.compatHeader(b, f)
		return true
	}
	h := &p.hdr
	p.parseHeader(b, start, h)
	p.headerFaults(h)
	if h.SrcMAC|h.DstMAC != 0 {
		f.SrcMAC, f.DstMAC = h.SrcMAC, h.DstMAC
	}
	if h.EtherType != 0 {
		f.Etype = h.EtherType
	}
	if h.VLANID != 0 {
		f.VLANID = h.VLANID
	}
	if h.SrcAddr != nil {
		f.SrcAddr, f.DstAddr = h.SrcAddr, h.DstAddr
		f.Proto = h.Proto
		f.IPTOS, f.IPTTL = h.TOS, h.TTL
		f.IPv6FlowLabel = h.FlowLabel
		f.FragmentID, f.FragmentOffset, f.IPFlags = h.FragmentID, h.FragmentOffset, h.IPFlags
		f.SrcPort, f.DstPort, f.TCPFlags = h.SrcPort, h.DstPort, h.TCPFlags
	} else {
		cutHeader(h, f)
	}
	if h.HasICMP {
		f.ICMPType, f.ICMPCode = h.ICMPType, h.ICMPCode
	}
	if len(h.MPLS) > 0 {
		f.setLabels(h.MPLS)
	}
	if h.HasRouting {
		f.RoutingAddresses, f.RoutingSegLeft = h.RoutingAddrs, h.RoutingSegLeft
	}
	for i := range h.Layers {
		f.LayerStack = append(f.LayerStack, uint32(h.LayerStack[i]))
		f.LayerSize = append(f.LayerSize, h.LayerSize[i])
	}
	if h.Tunnel != packet.TunnelNone {
		f.tunnelFacts(h)
	}
	if l := p.prog.layers; l != nil {
		p.mapLayers(l, b, h, f)
	}
	return h.SrcAddr != nil
}

// setLabels sets the label stack, of 4 bytes an entry as on the wire.
func (f *Flow) setLabels(stack []byte) {
	f.MPLSLabel, f.MPLSTTL = f.MPLSLabel[:0], f.MPLSTTL[:0]
	for m := stack; len(m) >= 4; m = m[4:] {
		f.MPLSLabel = append(f.MPLSLabel, uint32(m[0])<<12|uint32(m[1])<<4|uint32(m[2])>>4)
		f.MPLSTTL = append(f.MPLSTTL, uint32(m[3]))
	}
}
