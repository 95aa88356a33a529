package schema

import "slices"

// Fields is the table, in the order of JSON and text. The fields of goflow2's
// FlowMessage come first.
var Fields = slices.Concat(flowFields, pathFields, tunnelFields, routeFields, agentFields)

// flowFields are the fields of goflow2's FlowMessage, and what a flow is.
var flowFields = []Field{
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
			{ID: 302, Name: "selectorId", Conv: Sampler, Place: 3},
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
			{ID: 156, Name: "flowStartNanoseconds", Conv: NTP, Place: 1},
			{ID: 158, Name: "flowStartDeltaMicroseconds", Conv: Before},
			{ID: 160, Name: "systemInitTimeMilliseconds", Conv: BootTime},
			{ID: 161, Name: "flowDurationMilliseconds", Conv: DurationMillis, Rank: 1, New: true},
			{ID: 162, Name: "flowDurationMicroseconds", Conv: DurationMicros, Rank: 1, New: true},
			{ID: 322, Name: "observationTimeSeconds", Conv: Seconds, Rank: 1, New: true},
			{ID: 323, Name: "observationTimeMilliseconds", Conv: Millis, Rank: 1, New: true},
			{ID: 324, Name: "observationTimeMicroseconds", Conv: NTP, Rank: 1, New: true},
			{ID: 325, Name: "observationTimeNanoseconds", Conv: NTP, Place: 1, Rank: 1, New: true},
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
			{ID: 157, Name: "flowEndNanoseconds", Conv: NTP, Place: 1},
			{ID: 159, Name: "flowEndDeltaMicroseconds", Conv: Before},
			{ID: 161, Name: "flowDurationMilliseconds", Conv: DurationMillis, Rank: 1, New: true},
			{ID: 162, Name: "flowDurationMicroseconds", Conv: DurationMicros, Rank: 1, New: true},
			{ID: 322, Name: "observationTimeSeconds", Conv: Seconds, Rank: 1, New: true},
			{ID: 323, Name: "observationTimeMilliseconds", Conv: Millis, Rank: 1, New: true},
			{ID: 324, Name: "observationTimeMicroseconds", Conv: NTP, Rank: 1, New: true},
			{ID: 325, Name: "observationTimeNanoseconds", Conv: NTP, Place: 1, Rank: 1, New: true},
		},
	},
	{
		Name: "bytes", Go: "Bytes", Number: 9, Kind: Uint64, Unit: "bytes",
		Doc: "Bytes of the flow, or of the sampled packet.", Fixed: "dOctets",
		Elements: []Element{
			{ID: 1, Name: "octetDeltaCount"},
			{ID: 85, Name: "octetTotalCount", Rank: 1, New: true},
			{ID: 352, Name: "layer2OctetDeltaCount", Rank: 2, New: true},
			{ID: 353, Name: "layer2OctetTotalCount", Rank: 3, New: true},
			{ID: 231, Name: "initiatorOctets", Rank: 4, New: true},
			{ID: 232, Name: "responderOctets", Rank: 4, Reverse: true, New: true},
			{ID: 176, PEN: 3054, Name: "reverseOctetDeltaCount", Rank: 4, Reverse: true, New: true},
			{ID: 312, Name: "dataLinkFrameSize", Conv: FrameSize, Rank: 5},
			{ID: 224, Name: "ipTotalLength", Conv: FrameSize, Rank: 6, New: true},
			{ID: 190, Name: "totalLengthIPv4", Conv: FrameSize, Rank: 6, New: true},
			{ID: 23, Name: "postOctetDeltaCount", Rank: IfZero},
			{ID: 171, Name: "postOctetTotalCount", Rank: IfZero, New: true},
			{ID: 417, Name: "postLayer2OctetDeltaCount", Rank: IfZero, New: true},
			{ID: 418, Name: "postLayer2OctetTotalCount", Rank: IfZero, New: true},
		},
		SFlow: []Source{{RawHeader, "frame_length"}, {Ethernet, "length"}, {IPv4Record, "length"}, {IPv6Record, "length"}},
	},
	{
		Name: "packets", Go: "Packets", Number: 10, Kind: Uint64, Unit: "packets",
		Doc: "Packets of the flow; 1 for a sampled packet.", Fixed: "dPkts", Header: "sFlow: 1",
		Elements: []Element{
			{ID: 2, Name: "packetDeltaCount"},
			{ID: 86, Name: "packetTotalCount", Rank: 1, New: true},
			{ID: 298, Name: "initiatorPackets", Rank: 3, New: true},
			{ID: 299, Name: "responderPackets", Rank: 3, Reverse: true, New: true},
			{ID: 177, PEN: 3054, Name: "reversePacketDeltaCount", Rank: 3, Reverse: true, New: true},
			{ID: 24, Name: "postPacketDeltaCount", Rank: IfZero},
			{ID: 172, Name: "postPacketTotalCount", Rank: IfZero, New: true},
		},
	},
	{
		Name: "src_addr", Go: "SrcAddr", Number: 6, Kind: Bytes, Form: Address,
		Doc: "Source address: 4 or 16 bytes, network order.", Fixed: "srcaddr, src_prefix", Sampled: "IP header",
		Elements: []Element{
			{ID: 8, Name: "sourceIPv4Address", Conv: IPv4},
			{ID: 27, Name: "sourceIPv6Address", Conv: IPv6},
			{ID: 44, Name: "sourceIPv4Prefix", Conv: IPv4, Rank: 1, New: true},
			{ID: 170, Name: "sourceIPv6Prefix", Conv: IPv6, Rank: 1, New: true},
			{ID: 366, Name: "staIPv4Address", Conv: IPv4, Side: Ingress, Rank: 2, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {IPv4Record, "src_ip"}, {IPv6Record, "src_ip"}},
	},
	{
		Name: "dst_addr", Go: "DstAddr", Number: 7, Kind: Bytes, Form: Address,
		Doc: "Destination address: 4 or 16 bytes, network order.", Fixed: "dstaddr, dst_prefix", Sampled: "IP header",
		Elements: []Element{
			{ID: 12, Name: "destinationIPv4Address", Conv: IPv4},
			{ID: 28, Name: "destinationIPv6Address", Conv: IPv6},
			{ID: 45, Name: "destinationIPv4Prefix", Conv: IPv4, Rank: 1, New: true},
			{ID: 169, Name: "destinationIPv6Prefix", Conv: IPv6, Rank: 1, New: true},
			{ID: 366, Name: "staIPv4Address", Conv: IPv4, Side: Egress, Rank: 2, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {IPv4Record, "dst_ip"}, {IPv6Record, "dst_ip"}},
	},
	{
		Name: "etype", Go: "Etype", Number: 30, Kind: Uint32, Form: EtherType,
		Doc: "EtherType of the packet, following its VLAN tags and labels.", Fixed: "0x0800, where the record has addresses", Sampled: "Ethernet header, VLAN tags, label stack",
		Header: "v9, IPFIX: the family of the addresses",
		Elements: []Element{
			{ID: 60, Name: "ipVersion", Conv: IPVersion},
			{ID: 256, Name: "ethernetType", Conv: EthernetType, Rank: 1, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {Ethernet, "type"}, {IPv4Record, "src_ip"}, {IPv6Record, "src_ip"}},
	},
	{
		Name: "proto", Go: "Proto", Number: 20, Kind: Uint32, Form: Protocol,
		Doc: "IP protocol.", Fixed: "prot", Sampled: "IP header",
		Elements: []Element{
			{ID: 4, Name: "protocolIdentifier"},
			{ID: 32, Name: "icmpTypeCodeIPv4", Conv: Implies, Place: 1, Rank: 1, New: true},
			{ID: 139, Name: "icmpTypeCodeIPv6", Conv: Implies, Place: 58, Rank: 1, New: true},
			{ID: 176, Name: "icmpTypeIPv4", Conv: Implies, Place: 1, Rank: 1, New: true},
			{ID: 178, Name: "icmpTypeIPv6", Conv: Implies, Place: 58, Rank: 1, New: true},
			{ID: 180, Name: "udpSourcePort", Conv: Implies, Place: 17, Rank: 1, New: true},
			{ID: 181, Name: "udpDestinationPort", Conv: Implies, Place: 17, Rank: 1, New: true},
			{ID: 182, Name: "tcpSourcePort", Conv: Implies, Place: 6, Rank: 1, New: true},
			{ID: 183, Name: "tcpDestinationPort", Conv: Implies, Place: 6, Rank: 1, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {IPv4Record, "protocol"}, {IPv6Record, "protocol"}},
	},
	{
		Name: "src_port", Go: "SrcPort", Number: 21, Kind: Uint32,
		Doc: "Source port.", Fixed: "srcport", Sampled: "TCP or UDP header",
		Elements: []Element{
			{ID: 7, Name: "sourceTransportPort"},
			{ID: 180, Name: "udpSourcePort", Rank: 1, New: true},
			{ID: 182, Name: "tcpSourcePort", Rank: 1, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {IPv4Record, "src_port"}, {IPv6Record, "src_port"}},
	},
	{
		Name: "dst_port", Go: "DstPort", Number: 22, Kind: Uint32,
		Doc: "Destination port.", Fixed: "dstport", Sampled: "TCP or UDP header",
		Elements: []Element{
			{ID: 11, Name: "destinationTransportPort"},
			{ID: 181, Name: "udpDestinationPort", Rank: 1, New: true},
			{ID: 183, Name: "tcpDestinationPort", Rank: 1, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {IPv4Record, "dst_port"}, {IPv6Record, "dst_port"}},
	},
	{
		Name: "in_if", Go: "InIf", Number: 18, Kind: Uint32,
		Doc: "SNMP index of the interface that the flow came in by.", Fixed: "input", Header: "sFlow: input of the sample",
		Elements: []Element{
			{ID: 10, Name: "ingressInterface"},
			{ID: 252, Name: "ingressPhysicalInterface", Rank: 1, New: true},
		},
	},
	{
		Name: "out_if", Go: "OutIf", Number: 19, Kind: Uint32,
		Doc: "SNMP index of the interface that the flow went out by.", Fixed: "output", Header: "sFlow: output of the sample",
		Elements: []Element{
			{ID: 14, Name: "egressInterface"},
			{ID: 253, Name: "egressPhysicalInterface", Rank: 1, New: true},
		},
	},
	{
		Name: "src_mac", Go: "SrcMAC", Number: 27, Kind: Uint64, Form: MAC,
		Doc: "Source MAC address, in the low 48 bits.", Sampled: "Ethernet header",
		Elements: []Element{
			{ID: 56, Name: "sourceMacAddress", Bits: 48},
			{ID: 81, Name: "postSourceMacAddress", Bits: 48, Rank: 1},
			{ID: 365, Name: "staMacAddress", Bits: 48, Side: Ingress, Rank: 2, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {Ethernet, "src_mac"}},
	},
	{
		Name: "dst_mac", Go: "DstMAC", Number: 28, Kind: Uint64, Form: MAC,
		Doc: "Destination MAC address, in the low 48 bits.", Sampled: "Ethernet header",
		Elements: []Element{
			{ID: 80, Name: "destinationMacAddress", Bits: 48},
			{ID: 57, Name: "postDestinationMacAddress", Bits: 48, Rank: 1},
			{ID: 365, Name: "staMacAddress", Bits: 48, Side: Egress, Rank: 2, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {Ethernet, "dst_mac"}},
	},
	{
		Name: "src_vlan", Go: "SrcVLAN", Number: 33, Kind: Uint32,
		Doc: "VLAN of the frame as it came in.",
		Elements: []Element{
			{ID: 58, Name: "vlanId", Bits: 12},
			{ID: 243, Name: "dot1qVlanId", Bits: 12, Rank: 1, New: true},
			{ID: 245, Name: "dot1qCustomerVlanId", Bits: 12, Rank: 2, New: true},
		},
		SFlow: []Source{{ExtendedSwitch, "src_vlan"}},
	},
	{
		Name: "dst_vlan", Go: "DstVLAN", Number: 34, Kind: Uint32,
		Doc: "VLAN of the frame as it went out.",
		Elements: []Element{
			{ID: 59, Name: "postVlanId", Bits: 12},
			{ID: 254, Name: "postDot1qVlanId", Bits: 12, Rank: 1, New: true},
			{ID: 255, Name: "postDot1qCustomerVlanId", Bits: 12, Rank: 2, New: true},
		},
		SFlow: []Source{{ExtendedSwitch, "dst_vlan"}},
	},
	{
		Name: "vlan_id", Go: "VLANID", Number: 29, Kind: Uint32,
		Doc: "VLAN of the innermost nonzero VLAN tag.", Sampled: "VLAN tag",
		Elements: []Element{
			{ID: 58, Name: "vlanId", Bits: 12},
			{ID: 243, Name: "dot1qVlanId", Bits: 12, Rank: 1, New: true},
			{ID: 245, Name: "dot1qCustomerVlanId", Bits: 12, Rank: 2, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "ip_tos", Go: "IPTOS", Number: 23, Kind: Uint32,
		Doc: "Type of service, or traffic class: DSCP and ECN.", Fixed: "tos", Sampled: "IP header",
		Elements: []Element{
			{ID: 5, Name: "ipClassOfService"},
			{ID: 195, Name: "ipDiffServCodePoint", Conv: CodePoint, Rank: 1, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {IPv4Record, "tos"}, {IPv6Record, "priority"}},
	},
	{
		Name: "forwarding_status", Go: "ForwardingStatus", Number: 24, Kind: Uint32,
		Doc: "What became of the packets: two bits of status, six of reason (RFC 7270 section 4.12).",
		Elements: []Element{
			{ID: 89, Name: "forwardingStatus"},
			{ID: 137, PEN: 2636, Name: "commonPropertiesId", Conv: Chosen, Lookup: juniperException, Rank: 1, New: true},
		},
	},
	{
		Name: "ip_ttl", Go: "IPTTL", Number: 25, Kind: Uint32,
		Doc: "Time to live, or hop limit.", Sampled: "IP header",
		Elements: []Element{
			{ID: 52, Name: "minimumTTL"},
			{ID: 192, Name: "ipTTL", Rank: 1, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}},
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
		Elements: []Element{
			{ID: 6, Name: "tcpControlBits"},
			{ID: 14, PEN: 6871, Name: "initialTCPFlags", Conv: Union, Rank: 1, New: true},
			{ID: 15, PEN: 6871, Name: "unionTCPFlags", Conv: Union, Rank: 1, New: true},
			{ID: 16398, PEN: 6871, Name: "reverseInitialTCPFlags", Conv: Union, Rank: 1, Reverse: true, New: true},
			{ID: 16399, PEN: 6871, Name: "reverseUnionTCPFlags", Conv: Union, Rank: 1, Reverse: true, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}, {IPv4Record, "tcp_flags"}, {IPv6Record, "tcp_flags"}},
	},
	{
		Name: "icmp_type", Go: "ICMPType", Number: 31, Kind: Uint32,
		Doc: "ICMP or ICMPv6 type.", Sampled: "ICMP header",
		Elements: []Element{
			{ID: 32, Name: "icmpTypeCodeIPv4", Shift: 8, Bits: 8}, {ID: 139, Name: "icmpTypeCodeIPv6", Shift: 8, Bits: 8},
			{ID: 176, Name: "icmpTypeIPv4", Rank: 1}, {ID: 178, Name: "icmpTypeIPv6", Rank: 1},
			{ID: 11, Name: "destinationTransportPort", Conv: ICMPPort, Shift: 8, Bits: 8, Rank: 2, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "icmp_code", Go: "ICMPCode", Number: 32, Kind: Uint32,
		Doc: "ICMP or ICMPv6 code.", Sampled: "ICMP header",
		Elements: []Element{
			{ID: 32, Name: "icmpTypeCodeIPv4", Bits: 8}, {ID: 139, Name: "icmpTypeCodeIPv6", Bits: 8},
			{ID: 177, Name: "icmpCodeIPv4", Rank: 1}, {ID: 179, Name: "icmpCodeIPv6", Rank: 1},
			{ID: 11, Name: "destinationTransportPort", Conv: ICMPPort, Bits: 8, Rank: 2, New: true},
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
		SFlow:    []Source{{ExtendedRouter, "nexthop"}, {ExtendedMPLS, "nexthop"}},
	},
	{
		Name: "next_hop_as", Go: "NextHopAS", Number: 13, Kind: Uint32,
		Doc:      "First AS number of the path to the destination.",
		Elements: []Element{{ID: 128, Name: "bgpNextAdjacentAsNumber", New: true}},
		SFlow:    []Source{{ExtendedGateway, "dst_as_path"}},
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
		Doc: "BGP communities of the route to the destination.",
		Elements: []Element{
			{ID: 485, Name: "bgpDestinationCommunityList", Conv: BasicList, New: true},
			{ID: 483, Name: "bgpCommunity", Conv: Append, New: true},
		},
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
		Elements: []Element{{ID: 200, Name: "mplsTopLabelTTL", Conv: Append, New: true}},
		SFlow:    []Source{{RawHeader, "header"}, {ExtendedMPLS, "in_stack"}, {ExtendedMPLS, "out_stack"}},
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
		Elements: []Element{
			{ID: 494, Name: "srhSegmentIPv6", Conv: Segments, New: true},
			{ID: 497, Name: "srhSegmentIPv6ListSection", Conv: Segments, New: true},
			{ID: 496, Name: "srhSegmentIPv6BasicList", Conv: BasicList, Length: 16, New: true},
			{ID: 499, Name: "srhIPv6Section", Conv: RoutingHeader, New: true},
		},
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "ipv6_routing_header_seg_left", Go: "RoutingSegLeft", Number: 106, Kind: Uint32,
		Doc: "Segments of the IPv6 routing header that are left.", Sampled: "IPv6 routing header",
		Elements: []Element{{ID: 498, Name: "srhSegmentsIPv6Left", New: true}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "flow_direction", Go: "FlowDirection", Number: 42, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:      "Where the flow was seen: 0 as it came in, 1 as it went out.",
		Elements: []Element{{ID: 61, Name: "flowDirection"}},
	},
	{
		Name: "flow_reverse", Go: "FlowReverse", Number: 113, Kind: Uint32, Extra: true,
		Doc:    "1 for the other direction of the flow in the message before it: a record that counts both directions makes two messages.",
		Header: "v9, IPFIX: elements of RFC 5103, counters of the responder",
	},
	{
		Name: "sampling_source", Go: "SamplingSource", Number: 114, Kind: Uint32, Form: RateSource, Extra: true, ZeroIsValue: true,
		Doc:    "Where sampling_rate came from. Written only where formatter.fields or the key of a mapping names it: 0 unknown, 1 record, 2 sampler, 3 selector, 4 domain, 5 interface, 6 override, 7 default.",
		Header: "weir: what it took the sampling rate from",
	},
	{
		Name: "out_if_count", Go: "OutIfCount", Number: 115, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:    "By how many interfaces a sampled packet went out, where not by one; 0 for several, if their number is not known.",
		Header: "sFlow: output of the sample, format 2",
	},
	{
		Name: "drop_reason", Go: "DropReason", Number: 116, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:    "Why a packet was discarded: a code of sFlow (0 to 255 are those of ICMP unreachable).",
		Header: "sFlow: output of the sample, format 1; reason of a discarded packet (sample format 5)",
	},
}

// Headers are the elements that hold a sampled header: they fill the fields that
// say so in Sampled.
var Headers = []Element{
	{ID: 104, Name: "layer2packetSectionData", Conv: Frame, New: true},
	{ID: 313, Name: "ipHeaderPacketSection", Conv: Packet},
	{ID: 314, Name: "ipPayloadPacketSection", Conv: PacketPayload, New: true},
	{ID: 315, Name: "dataLinkFrameSection", Conv: Frame},
	{ID: 316, Name: "mplsLabelStackSection", Conv: Labels, New: true},
	{ID: 317, Name: "mplsPayloadPacketSection", Conv: Packet, New: true},
}

// TunnelNames are the kinds of tunnels, by number: those of package packet.
var TunnelNames = []string{
	"", "ip", "gre", "nvgre", "erspan1", "erspan2", "erspan3", "pptp", "vxlan", "vxlan-gpe", "geneve", "gtp-u",
	"l2tp", "l2tpv3", "mpls-udp", "mpls-gre", "mpls-ip", "teredo", "etherip", "srv6", "lisp", "gue", "capwap", "port",
	"pseudowire", "pbb", "pppoe", "macsec", "fabricpath", "trill", "stt",
}

// SamplingSources are where a sampling rate may come from, by number. A line card counts
// as an interface, a template as the domain.
var SamplingSources = []string{"unknown", "record", "sampler", "selector", "domain", "interface", "override", "default"}

// FlowTypes are the values of the enumeration FlowType, by number.
var FlowTypes = []string{"FLOWUNKNOWN", "SFLOW_5", "NETFLOW_V5", "NETFLOW_V9", "IPFIX", "NETFLOW_V1", "NETFLOW_V7", "NETFLOW_V8"}

// LayerNames are the values of the enumeration LayerStack, by number. It has
// Custom = 99 too.
var LayerNames = []string{
	"Ethernet", "IPv4", "IPv6", "TCP", "UDP", "MPLS", "Dot1Q", "ICMP", "ICMPv6", "GRE",
	"IPv6HeaderRouting", "IPv6HeaderFragment", "Geneve", "Teredo",
}
