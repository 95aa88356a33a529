package schema

// pathFields are what devices on the way did with a flow: why it ended or was dropped,
// address translation, firewalls, VRFs, applications and users.
var pathFields = []Field{
	{
		Name: "ingress_vrf_id", Go: "IngressVRFID", Number: 39, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc: "VRF that the flow came in by; 0 is the global one.",
		Elements: []Element{
			{ID: 234, Name: "ingressVRFID"},
			{ID: 91, PEN: 637, Name: "aluInsideServiceId", Rank: 1},
		},
	},
	{
		Name: "egress_vrf_id", Go: "EgressVRFID", Number: 40, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc: "VRF that the flow went out by; 0 is the global one.",
		Elements: []Element{
			{ID: 235, Name: "egressVRFID"},
			{ID: 92, PEN: 637, Name: "aluOutsideServiceId", Rank: 1},
		},
	},
	{
		Name: "bi_flow_direction", Go: "BiFlowDirection", Number: 41, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:      "How the direction of a bidirectional flow was chosen: 0 arbitrary, 1 the source began it, 2 the destination, 3 seen from outside of a perimeter.",
		Elements: []Element{{ID: 239, Name: "biflowDirection"}},
	},
	{
		Name: "flow_end_reason", Go: "FlowEndReason", Number: 117, Kind: Uint32, Extra: true,
		Doc:      "Why the flow ended: 1 idle timeout, 2 active timeout, 3 end detected, 4 forced end, 5 lack of resources.",
		Elements: []Element{{ID: 136, Name: "flowEndReason"}},
	},
	{
		Name: "dropped_bytes", Go: "DroppedBytes", Number: 118, Kind: Uint64, Unit: "bytes", Extra: true,
		Doc: "Bytes of the flow that the exporter dropped.",
		Elements: []Element{
			{ID: 132, Name: "droppedOctetDeltaCount"},
			{ID: 134, Name: "droppedOctetTotalCount", Rank: 1},
		},
		Header: "sFlow: length of a discarded packet (sample format 5), whose bytes are 0",
	},
	{
		Name: "dropped_packets", Go: "DroppedPackets", Number: 119, Kind: Uint64, Unit: "packets", Extra: true,
		Doc: "Packets of the flow that the exporter dropped.",
		Elements: []Element{
			{ID: 133, Name: "droppedPacketDeltaCount"},
			{ID: 135, Name: "droppedPacketTotalCount", Rank: 1},
		},
		Header: "sFlow: 1 for a discarded packet (sample format 5), whose packets are 0",
	},
	{
		Name: "post_nat_src_addr", Go: "PostNATSrcAddr", Number: 120, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc: "Source address after translation: 4 or 16 bytes, network order.",
		Elements: []Element{
			{ID: 225, Name: "postNATSourceIPv4Address"},
			{ID: 281, Name: "postNATSourceIPv6Address"},
			{ID: 40001, Name: "NF_F_XLATE_SRC_ADDR_IPV4", Rank: 1},
			{ID: 8, PEN: 10704, Name: "BindIPv4Address", Rank: 1},
		},
		SFlow: []Source{{ExtendedNAT, "src_address"}},
	},
	{
		Name: "post_nat_dst_addr", Go: "PostNATDstAddr", Number: 121, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc: "Destination address after translation: 4 or 16 bytes, network order.",
		Elements: []Element{
			{ID: 226, Name: "postNATDestinationIPv4Address"},
			{ID: 282, Name: "postNATDestinationIPv6Address"},
			{ID: 40002, Name: "NF_F_XLATE_DST_ADDR_IPV4", Rank: 1},
			{ID: 10, PEN: 10704, Name: "ConnIPv4Address", Rank: 1},
		},
		SFlow: []Source{{ExtendedNAT, "dst_address"}},
	},
	{
		Name: "post_nat_src_port", Go: "PostNATSrcPort", Number: 122, Kind: Uint32, Extra: true,
		Doc: "Source port after translation.",
		Elements: []Element{
			{ID: 227, Name: "postNAPTSourceTransportPort"},
			{ID: 40003, Name: "NF_F_XLATE_SRC_PORT", Rank: 1},
			{ID: 9, PEN: 10704, Name: "BindTransportPort", Rank: 1},
		},
		SFlow: []Source{{ExtendedNATPort, "src_port"}},
	},
	{
		Name: "post_nat_dst_port", Go: "PostNATDstPort", Number: 123, Kind: Uint32, Extra: true,
		Doc: "Destination port after translation.",
		Elements: []Element{
			{ID: 228, Name: "postNAPTDestinationTransportPort"},
			{ID: 40004, Name: "NF_F_XLATE_DST_PORT", Rank: 1},
			{ID: 11, PEN: 10704, Name: "ConnTransportPort", Rank: 1},
		},
		SFlow: []Source{{ExtendedNATPort, "dst_port"}},
	},
	{
		Name: "nat_event", Go: "NATEvent", Number: 124, Kind: Uint32, Extra: true,
		Doc:      "What a NAT device did, by the numbers of IANA's NAT event types: 4 and 5 create and delete a session, 16 and 17 allocate and release a block of ports.",
		Elements: []Element{{ID: 230, Name: "natEvent"}},
		Header:   "v9, IPFIX: which elements a record without natEvent has (ports of a block; flow start and end of Nokia)",
	},
	{
		Name: "nat_pool_id", Go: "NATPoolID", Number: 125, Kind: Uint32, Extra: true,
		Doc:      "Pool of addresses for translation.",
		Elements: []Element{{ID: 283, Name: "natPoolId"}},
	},
	{
		Name: "nat_pool_name", Go: "NATPoolName", Number: 126, Kind: Bytes, Form: Text, Extra: true,
		Doc:      "Name of the pool of addresses for translation.",
		Elements: []Element{{ID: 284, Name: "natPoolName"}},
	},
	{
		Name: "port_range_start", Go: "PortRangeStart", Number: 127, Kind: Uint32, Extra: true,
		Doc: "First port of the block that a NAT device allocated or released.",
		Elements: []Element{
			{ID: 361, Name: "portRangeStart"},
			{ID: 295, Name: "postNATPortBlockStart", Length: 2, Rank: 1},
		},
	},
	{
		Name: "port_range_end", Go: "PortRangeEnd", Number: 128, Kind: Uint32, Extra: true,
		Doc: "Last port of the block.",
		Elements: []Element{
			{ID: 362, Name: "portRangeEnd"},
			{ID: 296, Name: "postNATPortBlockEnd", Length: 2, Rank: 1},
		},
		Header: "v9, IPFIX: first port, step and number of ports of a record without the last one",
	},
	{
		Name: "port_range_step", Go: "PortRangeStep", Number: 129, Kind: Uint32, Extra: true,
		Doc:      "Distance of the block's ports.",
		Elements: []Element{{ID: 363, Name: "portRangeStepSize"}},
	},
	{
		Name: "port_range_ports", Go: "PortRangePorts", Number: 130, Kind: Uint32, Extra: true,
		Doc:      "Number of ports of the block.",
		Elements: []Element{{ID: 364, Name: "portRangeNumPorts"}},
	},
	{
		Name: "firewall_event", Go: "FirewallEvent", Number: 131, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc: "What a firewall did: 0 ignore, 1 created, 2 deleted, 3 denied, 4 alert, 5 update.",
		Elements: []Element{
			{ID: 233, Name: "firewallEvent"},
			{ID: 40005, Name: "NF_F_FW_EVENT", Rank: 1},
		},
	},
	{
		Name: "firewall_ext_event", Go: "FirewallExtEvent", Number: 132, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:      "Why a firewall did it: a code of Cisco's NetFlow Secure Event Logging.",
		Elements: []Element{{ID: 33002, Name: "NF_F_FW_EXT_EVENT"}},
	},
	{
		Name: "ingress_vrf_name", Go: "IngressVRFName", Number: 133, Kind: Bytes, Form: Text, Extra: true,
		Doc:      "Name of the VRF that the flow came in by.",
		Header:   "v9, IPFIX: options data, with -options.join vrf, by ingress_vrf_id",
		Elements: []Element{{ID: 236, Name: "VRFname", Side: Ingress}},
	},
	{
		Name: "egress_vrf_name", Go: "EgressVRFName", Number: 134, Kind: Bytes, Form: Text, Extra: true,
		Doc:      "Name of the VRF that the flow went out by.",
		Header:   "v9, IPFIX: options data, with -options.join vrf, by egress_vrf_id",
		Elements: []Element{{ID: 236, Name: "VRFname", Side: Egress}},
	},
	{
		Name: "application_id", Go: "ApplicationID", Number: 135, Kind: Uint64, Extra: true,
		Doc: "Application: the classification engine in the highest byte that is sent, the engine's own number in the others (RFC 6759). " +
			"Of 9 bytes, an enterprise's, the engine is in bits 56 to 63 and the enterprise in bits 32 to 55.",
		Elements: []Element{{ID: 95, Name: "applicationId", Conv: Application}},
	},
	{
		Name: "application_name", Go: "ApplicationName", Number: 136, Kind: Bytes, Form: Text, Extra: true,
		Doc:    "Name of the application.",
		Header: "v9, IPFIX: options data, with -options.join application, by application_id",
		Elements: []Element{
			{ID: 96, Name: "applicationName"},
			{ID: 56701, Name: "APP_ID", Rank: 1}, // of Palo Alto
			{ID: 111, PEN: 3054, Name: "l7ApplicationName", Rank: 1},
			{ID: 119, PEN: 35632, Name: "L7_PROTO_NAME", Rank: 1},
			{ID: 57591, Name: "L7_PROTO_NAME", Rank: 1}, // of ntop, in v9
		},
	},
	{
		Name: "user_name", Go: "UserName", Number: 137, Kind: Bytes, Form: Text, Extra: true,
		Doc: "Name of the user, of the source if both are known.",
		Elements: []Element{
			{ID: 371, Name: "userName"},
			{ID: 40000, Name: "NF_F_USERNAME", Rank: 1},
			{ID: 56702, Name: "USER_ID", Rank: 1}, // of Palo Alto
			{ID: 93, PEN: 637, Name: "aluNatSubString", Rank: 1},
		},
		SFlow: []Source{{ExtendedUser, "src_user"}, {ExtendedUser, "dst_user"}},
	},
	{
		Name: "in_if_name", Go: "InIfName", Number: 138, Kind: Bytes, Form: Text, Extra: true,
		Doc:    "Name of the interface that the flow came in by.",
		Header: "v9, IPFIX: options data, with -options.join interface, by in_if",
		Elements: []Element{
			{ID: 82, Name: "interfaceName", Side: Ingress},
			{ID: 83, Name: "interfaceDescription", Side: Ingress, Rank: 1},
		},
	},
	{
		Name: "out_if_name", Go: "OutIfName", Number: 139, Kind: Bytes, Form: Text, Extra: true,
		Doc:    "Name of the interface that the flow went out by.",
		Header: "v9, IPFIX: options data, with -options.join interface, by out_if",
		Elements: []Element{
			{ID: 82, Name: "interfaceName", Side: Egress},
			{ID: 83, Name: "interfaceDescription", Side: Egress, Rank: 1},
		},
	},
	{
		Name: "post_ip_tos", Go: "PostIPTOS", Number: 140, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc: "Type of service, or traffic class, as the packets left the exporter.",
		Elements: []Element{
			{ID: 55, Name: "postIpClassOfService"},
			{ID: 98, Name: "postIpDiffServCodePoint", Conv: CodePoint, Rank: 1},
		},
	},
}
