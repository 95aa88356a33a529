package schema

// Fields is the table, in the order of JSON and text. The fields of goflow2's
// FlowMessage come first.
var Fields = []Field{
	{
		Name: "type", Go: "Type", Number: 1, Kind: FlowType, Form: TypeName,
		Doc: "The protocol that the flow came by.", Header: "version",
	},
	{
		Name: "time_received_ns", Go: "TimeReceivedNs", Number: 110, Kind: Uint64, Unit: "ns since 1970",
		Doc: "When the datagram was received.", Header: "clock of weir, or of the capture",
	},
	{
		Name: "sequence_num", Go: "SequenceNum", Number: 4, Kind: Uint32,
		Doc: "The sequence number of the datagram's header.", Header: "sequence number",
	},
	{
		Name: "sampling_rate", Go: "SamplingRate", Number: 3, Kind: Uint64, Unit: "packets",
		Doc:   "One packet of this many was sampled; 0 if unknown.",
		Fixed: "sampling interval of the v5 header", Header: "sFlow: sampling_rate of the sample. v9, IPFIX: options data, for those that name none",
		Elements: []Element{
			{ID: 34, Name: "samplingInterval", Conv: Interval},
			{ID: 50, Name: "samplerRandomInterval", Conv: Interval, Place: 1},
			{ID: 305, Name: "samplingPacketInterval", Conv: Interval, Place: 2},
			{ID: 306, Name: "samplingPacketSpace", Conv: Interval, Place: 3},
			{ID: 309, Name: "samplingSize", Conv: Interval, Place: 4},
			{ID: 310, Name: "samplingPopulation", Conv: Interval, Place: 5},
			{ID: 311, Name: "samplingProbability", Conv: Interval, Place: 6},
			{ID: 396, Name: "samplingFlowInterval", Conv: Interval, Place: 7},
			{ID: 397, Name: "samplingFlowSpacing", Conv: Interval, Place: 8},
			{ID: 48, Name: "samplerId", Conv: Sampler},
			{ID: 302, Name: "selectorId", Conv: Sampler},
			{ID: 301, Name: "selectionSequenceId", Conv: Sampler, Place: 1},
			{ID: 141, Name: "lineCardId", Conv: Sampler, Place: 2},
		},
	},
	{
		Name: "sampler_address", Go: "SamplerAddress", Number: 11, Kind: Bytes, Form: Address,
		Doc: "The exporter: source of the datagram, or the sFlow agent.", Header: "source address; sFlow: agent address",
	},
	{
		Name: "time_flow_start_ns", Go: "TimeFlowStartNs", Number: 111, Kind: Uint64, Unit: "ns since 1970",
		Doc: "First packet of the flow.", Fixed: "First", Header: "export time, for records that have none; sFlow: time_received_ns",
		Elements: []Element{
			{ID: 22, Name: "flowStartSysUpTime", Conv: Uptime},
			{ID: 150, Name: "flowStartSeconds", Conv: Seconds},
			{ID: 152, Name: "flowStartMilliseconds", Conv: Millis},
			{ID: 154, Name: "flowStartMicroseconds", Conv: NTP},
			{ID: 156, Name: "flowStartNanoseconds", Conv: NTP},
			{ID: 158, Name: "flowStartDeltaMicroseconds", Conv: Before},
			{ID: 160, Name: "systemInitTimeMilliseconds", Conv: BootTime},
		},
	},
	{
		Name: "time_flow_end_ns", Go: "TimeFlowEndNs", Number: 112, Kind: Uint64, Unit: "ns since 1970",
		Doc: "Last packet of the flow.", Fixed: "Last", Header: "export time, for records that have none; sFlow: time_received_ns",
		Elements: []Element{
			{ID: 21, Name: "flowEndSysUpTime", Conv: Uptime},
			{ID: 151, Name: "flowEndSeconds", Conv: Seconds},
			{ID: 153, Name: "flowEndMilliseconds", Conv: Millis},
			{ID: 155, Name: "flowEndMicroseconds", Conv: NTP},
			{ID: 157, Name: "flowEndNanoseconds", Conv: NTP},
			{ID: 159, Name: "flowEndDeltaMicroseconds", Conv: Before},
		},
	},
	{
		Name: "bytes", Go: "Bytes", Number: 9, Kind: Uint64, Unit: "bytes",
		Doc: "Bytes of the flow, or of the sampled packet.", Fixed: "dOctets",
		Elements: []Element{
			{ID: 1, Name: "octetDeltaCount"},
			{ID: 23, Name: "postOctetDeltaCount"},
			{ID: 312, Name: "dataLinkFrameSize", Conv: FrameSize},
		},
		SFlow: []Source{{RawHeader, "frame_length"}, {Ethernet, "length"}, {IPv4Record, "length"}, {IPv6Record, "length"}},
	},
	{
		Name: "packets", Go: "Packets", Number: 10, Kind: Uint64, Unit: "packets",
		Doc: "Packets of the flow; 1 for a sampled packet.", Fixed: "dPkts", Header: "sFlow: 1",
		Elements: []Element{{ID: 2, Name: "packetDeltaCount"}, {ID: 24, Name: "postPacketDeltaCount"}},
	},
	{
		Name: "src_addr", Go: "SrcAddr", Number: 6, Kind: Bytes, Form: Address,
		Doc: "Source address: 4 or 16 bytes, network order.", Fixed: "srcaddr", Sampled: "IP header",
		Elements: []Element{{ID: 8, Name: "sourceIPv4Address", Conv: IPv4}, {ID: 27, Name: "sourceIPv6Address", Conv: IPv6}},
		SFlow:    []Source{{RawHeader, "header"}, {IPv4Record, "src_ip"}, {IPv6Record, "src_ip"}},
	},
	{
		Name: "dst_addr", Go: "DstAddr", Number: 7, Kind: Bytes, Form: Address,
		Doc: "Destination address: 4 or 16 bytes, network order.", Fixed: "dstaddr", Sampled: "IP header",
		Elements: []Element{{ID: 12, Name: "destinationIPv4Address", Conv: IPv4}, {ID: 28, Name: "destinationIPv6Address", Conv: IPv6}},
		SFlow:    []Source{{RawHeader, "header"}, {IPv4Record, "dst_ip"}, {IPv6Record, "dst_ip"}},
	},
	{
		Name: "etype", Go: "Etype", Number: 30, Kind: Uint32, Form: EtherType,
		Doc: "EtherType of the packet, following its VLAN tags and labels.", Fixed: "0x0800", Sampled: "Ethernet header, VLAN tags, label stack",
		Header: "v9, IPFIX: the family of the addresses", Elements: []Element{{ID: 60, Name: "ipVersion", Conv: IPVersion}},
		SFlow: []Source{{RawHeader, "header"}, {Ethernet, "type"}, {IPv4Record, "src_ip"}, {IPv6Record, "src_ip"}},
	},
	{
		Name: "proto", Go: "Proto", Number: 20, Kind: Uint32, Form: Protocol,
		Doc: "IP protocol.", Fixed: "prot", Sampled: "IP header",
		Elements: []Element{{ID: 4, Name: "protocolIdentifier"}},
		SFlow:    []Source{{RawHeader, "header"}, {IPv4Record, "protocol"}, {IPv6Record, "protocol"}},
	},
	{
		Name: "src_port", Go: "SrcPort", Number: 21, Kind: Uint32,
		Doc: "Source port.", Fixed: "srcport", Sampled: "TCP or UDP header",
		Elements: []Element{{ID: 7, Name: "sourceTransportPort"}},
		SFlow:    []Source{{RawHeader, "header"}, {IPv4Record, "src_port"}, {IPv6Record, "src_port"}},
	},
	{
		Name: "dst_port", Go: "DstPort", Number: 22, Kind: Uint32,
		Doc: "Destination port.", Fixed: "dstport", Sampled: "TCP or UDP header",
		Elements: []Element{{ID: 11, Name: "destinationTransportPort"}},
		SFlow:    []Source{{RawHeader, "header"}, {IPv4Record, "dst_port"}, {IPv6Record, "dst_port"}},
	},
	{
		Name: "in_if", Go: "InIf", Number: 18, Kind: Uint32,
		Doc: "SNMP index of the interface that the flow came in by.", Fixed: "input", Header: "sFlow: input of the sample",
		Elements: []Element{{ID: 10, Name: "ingressInterface"}},
	},
	{
		Name: "out_if", Go: "OutIf", Number: 19, Kind: Uint32,
		Doc: "SNMP index of the interface that the flow went out by.", Fixed: "output", Header: "sFlow: output of the sample",
		Elements: []Element{{ID: 14, Name: "egressInterface"}},
	},
	{
		Name: "src_mac", Go: "SrcMAC", Number: 27, Kind: Uint64, Form: MAC,
		Doc: "Source MAC address, in the low 48 bits.", Sampled: "Ethernet header",
		Elements: []Element{{ID: 56, Name: "sourceMacAddress", Bits: 48}, {ID: 81, Name: "postSourceMacAddress", Bits: 48}},
		SFlow:    []Source{{RawHeader, "header"}, {Ethernet, "src_mac"}},
	},
	{
		Name: "dst_mac", Go: "DstMAC", Number: 28, Kind: Uint64, Form: MAC,
		Doc: "Destination MAC address, in the low 48 bits.", Sampled: "Ethernet header",
		Elements: []Element{{ID: 57, Name: "postDestinationMacAddress", Bits: 48}, {ID: 80, Name: "destinationMacAddress", Bits: 48}},
		SFlow:    []Source{{RawHeader, "header"}, {Ethernet, "dst_mac"}},
	},
	{
		Name: "src_vlan", Go: "SrcVLAN", Number: 33, Kind: Uint32,
		Doc:      "VLAN of the frame as it came in.",
		Elements: []Element{{ID: 58, Name: "vlanId"}},
		SFlow:    []Source{{ExtendedSwitch, "src_vlan"}},
	},
	{
		Name: "dst_vlan", Go: "DstVLAN", Number: 34, Kind: Uint32,
		Doc:      "VLAN of the frame as it went out.",
		Elements: []Element{{ID: 59, Name: "postVlanId"}},
		SFlow:    []Source{{ExtendedSwitch, "dst_vlan"}},
	},
	{
		Name: "vlan_id", Go: "VLANID", Number: 29, Kind: Uint32,
		Doc: "VLAN of the innermost nonzero VLAN tag.", Sampled: "VLAN tag",
		Elements: []Element{{ID: 58, Name: "vlanId"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "ip_tos", Go: "IPTOS", Number: 23, Kind: Uint32,
		Doc: "Type of service, or traffic class: DSCP and ECN.", Fixed: "tos", Sampled: "IP header",
		Elements: []Element{{ID: 5, Name: "ipClassOfService"}},
		SFlow:    []Source{{RawHeader, "header"}, {IPv4Record, "tos"}, {IPv6Record, "priority"}},
	},
	{
		Name: "forwarding_status", Go: "ForwardingStatus", Number: 24, Kind: Uint32,
		Doc:      "What became of the packets: two bits of status, six of reason (RFC 7270 section 4.12).",
		Elements: []Element{{ID: 89, Name: "forwardingStatus"}},
	},
	{
		Name: "ip_ttl", Go: "IPTTL", Number: 25, Kind: Uint32,
		Doc: "Time to live, or hop limit.", Sampled: "IP header",
		Elements: []Element{{ID: 52, Name: "minimumTTL"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "ip_flags", Go: "IPFlags", Number: 38, Kind: Uint32,
		Doc: "The three flags of the IPv4 header or of the IPv6 fragment header.", Sampled: "IP header",
		Elements: []Element{{ID: 197, Name: "fragmentFlags", Shift: 5, Bits: 27}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "tcp_flags", Go: "TCPFlags", Number: 26, Kind: Uint32,
		Doc: "TCP flags of all packets of the flow.", Fixed: "tcp_flags", Sampled: "TCP header",
		Elements: []Element{{ID: 6, Name: "tcpControlBits"}},
		SFlow:    []Source{{RawHeader, "header"}, {IPv4Record, "tcp_flags"}, {IPv6Record, "tcp_flags"}},
	},
	{
		Name: "icmp_type", Go: "ICMPType", Number: 31, Kind: Uint32,
		Doc: "ICMP or ICMPv6 type.", Sampled: "ICMP header",
		Elements: []Element{
			{ID: 32, Name: "icmpTypeCodeIPv4", Shift: 8, Bits: 8}, {ID: 139, Name: "icmpTypeCodeIPv6", Shift: 8, Bits: 8},
			{ID: 176, Name: "icmpTypeIPv4"}, {ID: 178, Name: "icmpTypeIPv6"},
		},
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "icmp_code", Go: "ICMPCode", Number: 32, Kind: Uint32,
		Doc: "ICMP or ICMPv6 code.", Sampled: "ICMP header",
		Elements: []Element{
			{ID: 32, Name: "icmpTypeCodeIPv4", Bits: 8}, {ID: 139, Name: "icmpTypeCodeIPv6", Bits: 8},
			{ID: 177, Name: "icmpCodeIPv4"}, {ID: 179, Name: "icmpCodeIPv6"},
		},
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "ipv6_flow_label", Go: "IPv6FlowLabel", Number: 37, Kind: Uint32,
		Doc: "IPv6 flow label.", Sampled: "IPv6 header",
		Elements: []Element{{ID: 31, Name: "flowLabelIPv6"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "fragment_id", Go: "FragmentID", Number: 35, Kind: Uint32,
		Doc: "Identification of the packet's fragments.", Sampled: "IP header",
		Elements: []Element{{ID: 54, Name: "fragmentIdentification"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "fragment_offset", Go: "FragmentOffset", Number: 36, Kind: Uint32, Unit: "8 bytes",
		Doc: "Where the fragment stands in its packet.", Sampled: "IP header",
		Elements: []Element{{ID: 88, Name: "fragmentOffset"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "src_as", Go: "SrcAS", Number: 14, Kind: Uint32,
		Doc: "AS number of the source; with an AS database, from there.", Fixed: "src_as",
		Elements: []Element{{ID: 16, Name: "bgpSourceAsNumber"}},
		SFlow:    []Source{{ExtendedGateway, "src_as"}},
	},
	{
		Name: "dst_as", Go: "DstAS", Number: 15, Kind: Uint32,
		Doc: "AS number of the destination; with an AS database, from there.", Fixed: "dst_as",
		Elements: []Element{{ID: 17, Name: "bgpDestinationAsNumber"}},
		SFlow:    []Source{{ExtendedGateway, "dst_as_path"}},
	},
	{
		Name: "next_hop", Go: "NextHop", Number: 12, Kind: Bytes, Form: Address,
		Doc: "Address of the next router.", Fixed: "nexthop",
		Elements: []Element{{ID: 15, Name: "ipNextHopIPv4Address"}, {ID: 62, Name: "ipNextHopIPv6Address"}},
		SFlow:    []Source{{ExtendedRouter, "nexthop"}},
	},
	{
		Name: "next_hop_as", Go: "NextHopAS", Number: 13, Kind: Uint32,
		Doc:   "First AS number of the path to the destination.",
		SFlow: []Source{{ExtendedGateway, "dst_as_path"}},
	},
	{
		Name: "src_net", Go: "SrcNet", Number: 16, Kind: Uint32, Form: Prefix, Unit: "bits",
		Doc: "Prefix length of the source.", Fixed: "src_mask",
		Elements: []Element{{ID: 9, Name: "sourceIPv4PrefixLength"}, {ID: 29, Name: "sourceIPv6PrefixLength"}},
		SFlow:    []Source{{ExtendedRouter, "src_mask_len"}},
	},
	{
		Name: "dst_net", Go: "DstNet", Number: 17, Kind: Uint32, Form: Prefix, Unit: "bits",
		Doc: "Prefix length of the destination.", Fixed: "dst_mask",
		Elements: []Element{{ID: 13, Name: "destinationIPv4PrefixLength"}, {ID: 30, Name: "destinationIPv6PrefixLength"}},
		SFlow:    []Source{{ExtendedRouter, "dst_mask_len"}},
	},
	{
		Name: "bgp_next_hop", Go: "BGPNextHop", Number: 100, Kind: Bytes, Form: Address,
		Doc:      "Address of the next BGP router.",
		Elements: []Element{{ID: 18, Name: "bgpNextHopIPv4Address"}, {ID: 63, Name: "bgpNextHopIPv6Address"}},
		SFlow:    []Source{{ExtendedGateway, "nexthop"}},
	},
	{
		Name: "bgp_communities", Go: "BGPCommunities", Number: 101, Kind: Uints, Form: NumberList,
		Doc:   "BGP communities of the route to the destination.",
		SFlow: []Source{{ExtendedGateway, "communities"}},
	},
	{
		Name: "as_path", Go: "ASPath", Number: 102, Kind: Uints, Form: NumberList,
		Doc:   "AS numbers of the path to the destination.",
		SFlow: []Source{{ExtendedGateway, "dst_as_path"}},
	},
	{
		Name: "mpls_ttl", Go: "MPLSTTL", Number: 80, Kind: Uints, Form: NumberList,
		Doc: "Time to live of each label of the stack, outermost first.", Sampled: "label stack",
		SFlow: []Source{{RawHeader, "header"}, {ExtendedMPLS, "in_stack"}, {ExtendedMPLS, "out_stack"}},
	},
	{
		Name: "mpls_label", Go: "MPLSLabel", Number: 81, Kind: Uints, Form: NumberList,
		Doc: "The label stack, outermost first.", Sampled: "label stack",
		Elements: []Element{
			{ID: 70, Name: "mplsTopLabelStackSection", Conv: Label},
			{ID: 71, Name: "mplsLabelStackSection2", Conv: Label, Place: 1},
			{ID: 72, Name: "mplsLabelStackSection3", Conv: Label, Place: 2},
			{ID: 73, Name: "mplsLabelStackSection4", Conv: Label, Place: 3},
			{ID: 74, Name: "mplsLabelStackSection5", Conv: Label, Place: 4},
			{ID: 75, Name: "mplsLabelStackSection6", Conv: Label, Place: 5},
			{ID: 76, Name: "mplsLabelStackSection7", Conv: Label, Place: 6},
			{ID: 77, Name: "mplsLabelStackSection8", Conv: Label, Place: 7},
			{ID: 78, Name: "mplsLabelStackSection9", Conv: Label, Place: 8},
			{ID: 79, Name: "mplsLabelStackSection10", Conv: Label, Place: 9},
		},
		SFlow: []Source{{RawHeader, "header"}, {ExtendedMPLS, "in_stack"}, {ExtendedMPLS, "out_stack"}},
	},
	{
		Name: "mpls_ip", Go: "MPLSIP", Number: 82, Kind: BytesList, Form: AddressList,
		Doc:      "Addresses of the top label's route.",
		Elements: []Element{{ID: 47, Name: "mplsTopLabelIPv4Address", Conv: Append}, {ID: 140, Name: "mplsTopLabelIPv6Address", Conv: Append}},
	},
	{
		Name: "observation_domain_id", Go: "ObservationDomainID", Number: 70, Kind: Uint32,
		Doc: "Observation domain, or source id of v9.", Header: "v9, IPFIX: source id, observation domain id",
	},
	{
		Name: "observation_point_id", Go: "ObservationPointID", Number: 71, Kind: Uint32,
		Doc:      "Observation point.",
		Elements: []Element{{ID: 138, Name: "observationPointId"}},
	},
	{
		Name: "layer_stack", Go: "LayerStack", Number: 103, Kind: Layers, Form: LayerList,
		Doc: "The headers of a sampled packet, in order.", Sampled: "all headers",
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "layer_size", Go: "LayerSize", Number: 104, Kind: Uints, Form: NumberList, Unit: "bytes",
		Doc: "The length of each header of layer_stack.", Sampled: "all headers",
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "ipv6_routing_header_addresses", Go: "RoutingAddresses", Number: 105, Kind: BytesList, Form: AddressList,
		Doc: "Segments of the IPv6 routing header, 16 bytes each.", Sampled: "IPv6 routing header",
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "ipv6_routing_header_seg_left", Go: "RoutingSegLeft", Number: 106, Kind: Uint32,
		Doc: "Segments of the IPv6 routing header that are left.", Sampled: "IPv6 routing header",
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "flow_direction", Go: "FlowDirection", Number: 42, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:      "Where the flow was seen: 0 as it came in, 1 as it went out.",
		Elements: []Element{{ID: 61, Name: "flowDirection"}},
	},
	{
		Name: "out_if_count", Go: "OutIfCount", Number: 115, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:    "By how many interfaces a sampled packet went out, where not by one; 0 for several, if their number is not known.",
		Header: "sFlow: output of the sample, format 2",
	},
	{
		Name: "drop_reason", Go: "DropReason", Number: 116, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:    "Why a sampled packet was discarded: a code of sFlow (0 to 255 are those of ICMP unreachable).",
		Header: "sFlow: output of the sample, format 1",
	},
	{
		Name: "user_name", Go: "UserName", Number: 137, Kind: Bytes, Form: Text, Extra: true,
		Doc:      "Name of the user, of the source if both are known.",
		Elements: []Element{{ID: 371, Name: "userName"}},
		SFlow:    []Source{{ExtendedUser, "src_user"}, {ExtendedUser, "dst_user"}},
	},
}

// Headers are the elements that hold a sampled header: they fill the fields that
// say so in Sampled.
var Headers = []Element{
	{ID: 313, Name: "ipHeaderPacketSection", Conv: Packet},
	{ID: 315, Name: "dataLinkFrameSection", Conv: Frame},
}

// FlowTypes are the values of the enumeration FlowType, by number.
var FlowTypes = []string{"FLOWUNKNOWN", "SFLOW_5", "NETFLOW_V5", "NETFLOW_V9", "IPFIX", "NETFLOW_V1", "NETFLOW_V7"}

// LayerNames are the values of the enumeration LayerStack, by number. It has
// Custom = 99 too.
var LayerNames = []string{
	"Ethernet", "IPv4", "IPv6", "TCP", "UDP", "MPLS", "Dot1Q", "ICMP", "ICMPv6", "GRE",
	"IPv6HeaderRouting", "IPv6HeaderFragment", "Geneve", "Teredo",
}
