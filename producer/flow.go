package producer

import "github.com/weirflow/weir/producer/geo"

// Flow types, the numbers of flowpb.FlowMessage_FlowType.
const (
	TypeSFlow5    = 1
	TypeNetFlowV5 = 2
	TypeNetFlowV9 = 3
	TypeIPFIX     = 4
	TypeNetFlowV1 = 5
	TypeNetFlowV7 = 6
)

const (
	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86dd
)

// Flow is one flow record on its way from a datagram to its encoding. A
// worker has one and fills it anew for each record; the byte slices are views
// into the datagram and must not outlive it. The fields are those of
// flowpb.FlowMessage, in its units.
type Flow struct {
	Type           uint32
	SequenceNum    uint32
	TimeReceivedNs uint64
	SamplingRate   uint64
	SamplerAddress []byte

	TimeFlowStartNs, TimeFlowEndNs uint64
	Bytes, Packets                 uint64

	SrcAddr, DstAddr           []byte
	Etype, Proto               uint32
	SrcPort, DstPort           uint32
	InIf, OutIf                uint32
	SrcMAC, DstMAC             uint64
	SrcVLAN, DstVLAN, VLANID   uint32
	IPTOS, ForwardingStatus    uint32
	IPTTL, IPFlags, TCPFlags   uint32
	ICMPType, ICMPCode         uint32
	IPv6FlowLabel              uint32
	FragmentID, FragmentOffset uint32

	SrcAS, DstAS, NextHopAS uint32
	NextHop, BGPNextHop     []byte
	SrcNet, DstNet          uint32

	// What databases know of the addresses; 0 for none.
	SrcCountry, DstCountry geo.Country

	ObservationDomainID, ObservationPointID uint32

	// RoutingAddresses holds 16 bytes an address.
	RoutingAddresses []byte
	RoutingSegLeft   uint32

	// The lists keep their memory from record to record.
	BGPCommunities, ASPath []uint32
	MPLSTTL, MPLSLabel     []uint32
	MPLSIP                 [][]byte
	LayerStack, LayerSize  []uint32

	// custom are the values of the fields that a mapping adds, in the order in
	// which they were met.
	custom []customValue
}

// reset empties f and keeps the memory of its lists.
func (f *Flow) reset() {
	*f = Flow{
		BGPCommunities: f.BGPCommunities[:0],
		ASPath:         f.ASPath[:0],
		MPLSTTL:        f.MPLSTTL[:0],
		MPLSLabel:      f.MPLSLabel[:0],
		MPLSIP:         f.MPLSIP[:0],
		LayerStack:     f.LayerStack[:0],
		LayerSize:      f.LayerSize[:0],
		custom:         f.custom[:0],
	}
}

// setLabel notes an MPLS label at its place in the stack, 0 being the top.
func (f *Flow) setLabel(i int, label uint32) {
	for len(f.MPLSLabel) <= i {
		f.MPLSLabel = append(f.MPLSLabel, 0)
	}
	f.MPLSLabel[i] = label
}
