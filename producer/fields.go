package producer

import "strings"

// fieldID names a field of FlowMessage where a mapping speaks of it. The order is
// that of the JSON output.
type fieldID uint8

const (
	fieldType fieldID = iota
	fieldTimeReceived
	fieldSequence
	fieldSamplingRate
	fieldSampler
	fieldTimeStart
	fieldTimeEnd
	fieldBytes
	fieldPackets
	fieldSrcAddr
	fieldDstAddr
	fieldEtype
	fieldProto
	fieldSrcPort
	fieldDstPort
	fieldInIf
	fieldOutIf
	fieldSrcMAC
	fieldDstMAC
	fieldSrcVLAN
	fieldDstVLAN
	fieldVLAN
	fieldTOS
	fieldForwardingStatus
	fieldTTL
	fieldIPFlags
	fieldTCPFlags
	fieldICMPType
	fieldICMPCode
	fieldFlowLabel
	fieldFragmentID
	fieldFragmentOffset
	fieldSrcAS
	fieldDstAS
	fieldNextHop
	fieldNextHopAS
	fieldSrcNet
	fieldDstNet
	fieldBGPNextHop
	fieldCommunities
	fieldASPath
	fieldMPLSTTL
	fieldMPLSLabel
	fieldMPLSIP
	fieldDomain
	fieldObservationPoint
	fieldLayerStack
	fieldLayerSize
	fieldRouteAddrs
	fieldRouteLeft

	// fieldICMPName is in no message: its text is made of others.
	fieldICMPName
	// fieldCustom stands for all fields that a mapping adds.
	fieldCustom

	numFields = int(fieldICMPName)
)

// fieldKind is the type of a field.
type fieldKind uint8

const (
	kindUint32 fieldKind = iota
	kindUint64
	kindBytes
	kindUints     // repeated uint32
	kindBytesList // repeated bytes
	kindType      // the enumeration FlowType
	kindLayers    // repeated, the enumeration LayerStack
)

// fieldInfo is what the schema says of a field.
type fieldInfo struct {
	name   string // in flow.proto and JSON
	goName string // in Go code that protoc-gen-go makes of flow.proto
	number int
	kind   fieldKind
}

// fieldTable describes the fields of FlowMessage, in the order of the JSON output.
var fieldTable = [numFields]fieldInfo{
	fieldType:             {"type", "Type", 1, kindType},
	fieldTimeReceived:     {"time_received_ns", "TimeReceivedNs", 110, kindUint64},
	fieldSequence:         {"sequence_num", "SequenceNum", 4, kindUint32},
	fieldSamplingRate:     {"sampling_rate", "SamplingRate", 3, kindUint64},
	fieldSampler:          {"sampler_address", "SamplerAddress", 11, kindBytes},
	fieldTimeStart:        {"time_flow_start_ns", "TimeFlowStartNs", 111, kindUint64},
	fieldTimeEnd:          {"time_flow_end_ns", "TimeFlowEndNs", 112, kindUint64},
	fieldBytes:            {"bytes", "Bytes", 9, kindUint64},
	fieldPackets:          {"packets", "Packets", 10, kindUint64},
	fieldSrcAddr:          {"src_addr", "SrcAddr", 6, kindBytes},
	fieldDstAddr:          {"dst_addr", "DstAddr", 7, kindBytes},
	fieldEtype:            {"etype", "Etype", 30, kindUint32},
	fieldProto:            {"proto", "Proto", 20, kindUint32},
	fieldSrcPort:          {"src_port", "SrcPort", 21, kindUint32},
	fieldDstPort:          {"dst_port", "DstPort", 22, kindUint32},
	fieldInIf:             {"in_if", "InIf", 18, kindUint32},
	fieldOutIf:            {"out_if", "OutIf", 19, kindUint32},
	fieldSrcMAC:           {"src_mac", "SrcMac", 27, kindUint64},
	fieldDstMAC:           {"dst_mac", "DstMac", 28, kindUint64},
	fieldSrcVLAN:          {"src_vlan", "SrcVlan", 33, kindUint32},
	fieldDstVLAN:          {"dst_vlan", "DstVlan", 34, kindUint32},
	fieldVLAN:             {"vlan_id", "VlanId", 29, kindUint32},
	fieldTOS:              {"ip_tos", "IpTos", 23, kindUint32},
	fieldForwardingStatus: {"forwarding_status", "ForwardingStatus", 24, kindUint32},
	fieldTTL:              {"ip_ttl", "IpTtl", 25, kindUint32},
	fieldIPFlags:          {"ip_flags", "IpFlags", 38, kindUint32},
	fieldTCPFlags:         {"tcp_flags", "TcpFlags", 26, kindUint32},
	fieldICMPType:         {"icmp_type", "IcmpType", 31, kindUint32},
	fieldICMPCode:         {"icmp_code", "IcmpCode", 32, kindUint32},
	fieldFlowLabel:        {"ipv6_flow_label", "Ipv6FlowLabel", 37, kindUint32},
	fieldFragmentID:       {"fragment_id", "FragmentId", 35, kindUint32},
	fieldFragmentOffset:   {"fragment_offset", "FragmentOffset", 36, kindUint32},
	fieldSrcAS:            {"src_as", "SrcAs", 14, kindUint32},
	fieldDstAS:            {"dst_as", "DstAs", 15, kindUint32},
	fieldNextHop:          {"next_hop", "NextHop", 12, kindBytes},
	fieldNextHopAS:        {"next_hop_as", "NextHopAs", 13, kindUint32},
	fieldSrcNet:           {"src_net", "SrcNet", 16, kindUint32},
	fieldDstNet:           {"dst_net", "DstNet", 17, kindUint32},
	fieldBGPNextHop:       {"bgp_next_hop", "BgpNextHop", 100, kindBytes},
	fieldCommunities:      {"bgp_communities", "BgpCommunities", 101, kindUints},
	fieldASPath:           {"as_path", "AsPath", 102, kindUints},
	fieldMPLSTTL:          {"mpls_ttl", "MplsTtl", 80, kindUints},
	fieldMPLSLabel:        {"mpls_label", "MplsLabel", 81, kindUints},
	fieldMPLSIP:           {"mpls_ip", "MplsIp", 82, kindBytesList},
	fieldDomain:           {"observation_domain_id", "ObservationDomainId", 70, kindUint32},
	fieldObservationPoint: {"observation_point_id", "ObservationPointId", 71, kindUint32},
	fieldLayerStack:       {"layer_stack", "LayerStack", 103, kindLayers},
	fieldLayerSize:        {"layer_size", "LayerSize", 104, kindUints},
	fieldRouteAddrs:       {"ipv6_routing_header_addresses", "Ipv6RoutingHeaderAddresses", 105, kindBytesList},
	fieldRouteLeft:        {"ipv6_routing_header_seg_left", "Ipv6RoutingHeaderSegLeft", 106, kindUint32},
}

// icmpName is the name of the virtual field.
const icmpName = "icmp_name"

// FieldNames returns the names of the fields of FlowMessage, in the order of the
// JSON output.
func FieldNames() []string {
	names := make([]string, numFields)
	for i := range fieldTable {
		names[i] = fieldTable[i].name
	}
	return names
}

// fieldByName finds a field by its name in flow.proto or in Go.
func fieldByName(name string) (fieldID, bool) {
	for i := range fieldTable {
		if fieldTable[i].name == name || fieldTable[i].goName == name {
			return fieldID(i), true
		}
	}
	return 0, false
}

// FieldName returns the name in flow.proto of a field that is named in any of
// the spellings of goflow2's releases: src_as, SrcAs, SrcAS.
func FieldName(name string) (string, bool) {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	for i := range fieldTable {
		if plain(fieldTable[i].name) == plain(name) {
			return fieldTable[i].name, true
		}
	}
	return "", false
}

// u64 returns the field with 64 bits that id names, nil if it is of another kind.
func (f *Flow) u64(id fieldID) *uint64 {
	switch id {
	case fieldTimeReceived:
		return &f.TimeReceivedNs
	case fieldSamplingRate:
		return &f.SamplingRate
	case fieldTimeStart:
		return &f.TimeFlowStartNs
	case fieldTimeEnd:
		return &f.TimeFlowEndNs
	case fieldBytes:
		return &f.Bytes
	case fieldPackets:
		return &f.Packets
	case fieldSrcMAC:
		return &f.SrcMAC
	case fieldDstMAC:
		return &f.DstMAC
	}
	return nil
}

// u32 returns the field with 32 bits that id names, nil if it is of another kind.
func (f *Flow) u32(id fieldID) *uint32 {
	switch id {
	case fieldType:
		return &f.Type
	case fieldSequence:
		return &f.SequenceNum
	case fieldEtype:
		return &f.Etype
	case fieldProto:
		return &f.Proto
	case fieldSrcPort:
		return &f.SrcPort
	case fieldDstPort:
		return &f.DstPort
	case fieldInIf:
		return &f.InIf
	case fieldOutIf:
		return &f.OutIf
	case fieldSrcVLAN:
		return &f.SrcVLAN
	case fieldDstVLAN:
		return &f.DstVLAN
	case fieldVLAN:
		return &f.VLANID
	case fieldTOS:
		return &f.IPTOS
	case fieldForwardingStatus:
		return &f.ForwardingStatus
	case fieldTTL:
		return &f.IPTTL
	case fieldIPFlags:
		return &f.IPFlags
	case fieldTCPFlags:
		return &f.TCPFlags
	case fieldICMPType:
		return &f.ICMPType
	case fieldICMPCode:
		return &f.ICMPCode
	case fieldFlowLabel:
		return &f.IPv6FlowLabel
	case fieldFragmentID:
		return &f.FragmentID
	case fieldFragmentOffset:
		return &f.FragmentOffset
	case fieldSrcAS:
		return &f.SrcAS
	case fieldDstAS:
		return &f.DstAS
	case fieldNextHopAS:
		return &f.NextHopAS
	case fieldSrcNet:
		return &f.SrcNet
	case fieldDstNet:
		return &f.DstNet
	case fieldDomain:
		return &f.ObservationDomainID
	case fieldObservationPoint:
		return &f.ObservationPointID
	case fieldRouteLeft:
		return &f.RoutingSegLeft
	}
	return nil
}

// bytes returns the field of one string of bytes that id names, nil if it is of
// another kind.
func (f *Flow) bytes(id fieldID) *[]byte {
	switch id {
	case fieldSampler:
		return &f.SamplerAddress
	case fieldSrcAddr:
		return &f.SrcAddr
	case fieldDstAddr:
		return &f.DstAddr
	case fieldNextHop:
		return &f.NextHop
	case fieldBGPNextHop:
		return &f.BGPNextHop
	}
	return nil
}

// uints returns the list of numbers that id names, nil if it is of another kind.
func (f *Flow) uints(id fieldID) *[]uint32 {
	switch id {
	case fieldCommunities:
		return &f.BGPCommunities
	case fieldASPath:
		return &f.ASPath
	case fieldMPLSTTL:
		return &f.MPLSTTL
	case fieldMPLSLabel:
		return &f.MPLSLabel
	case fieldLayerStack:
		return &f.LayerStack
	case fieldLayerSize:
		return &f.LayerSize
	}
	return nil
}
