package schema

// agentFields are what sFlow agents and other exporters know about a packet's way through
// the device.
var agentFields = []Field{
	{
		Name: "mpls_tunnel_name", Go: "MPLSTunnelName", Number: 174, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Name of the MPLS tunnel.",
		SFlow: []Source{{ExtendedMPLSTunnel, "tunnel_lsp_name"}},
	},
	{
		Name: "mpls_tunnel_id", Go: "MPLSTunnelID", Number: 175, Kind: Uint32, Extra: true,
		Doc:   "Number of the MPLS tunnel.",
		SFlow: []Source{{ExtendedMPLSTunnel, "tunnel_id"}},
	},
	{
		Name: "mpls_vc_name", Go: "MPLSVCName", Number: 176, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Name of the virtual circuit's instance.",
		SFlow: []Source{{ExtendedMPLSVC, "vc_instance_name"}},
	},
	{
		Name: "mpls_vc_id", Go: "MPLSVCID", Number: 177, Kind: Uint32, Extra: true,
		Doc:   "Number of the virtual circuit.",
		SFlow: []Source{{ExtendedMPLSVC, "vll_vc_id"}},
	},
	{
		Name: "mpls_ftn_description", Go: "MPLSFTNDescription", Number: 178, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Description of the mapping from a FEC to the label.",
		SFlow: []Source{{ExtendedMPLSFTN, "mpls_ftn_descr"}},
	},
	{
		Name: "mpls_fec_prefix_length", Go: "MPLSFECPrefixLength", Number: 179, Kind: Uint32, Unit: "bits", Extra: true,
		Doc:      "Prefix length of the label's FEC.",
		Elements: []Element{{ID: 91, Name: "mplsTopLabelPrefixLength"}},
		SFlow:    []Source{{ExtendedMPLSFEC, "mpls_fec_addr_prefix_length"}},
	},
	{
		Name: "ingress_vni", Go: "IngressVNI", Number: 180, Kind: Uint32, Extra: true,
		Doc:   "Virtual network that the packet came in by.",
		SFlow: []Source{{ExtendedVNIIngress, "vni"}},
	},
	{
		Name: "egress_vni", Go: "EgressVNI", Number: 181, Kind: Uint32, Extra: true,
		Doc:   "Virtual network that the packet went out by.",
		SFlow: []Source{{ExtendedVNIEgress, "vni"}},
	},
	{
		Name: "egress_queue", Go: "EgressQueue", Number: 182, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:   "Queue that the packet went out by.",
		SFlow: []Source{{ExtendedEgressQueue, "queue"}},
	},
	{
		Name: "queue_depth", Go: "QueueDepth", Number: 183, Kind: Uint32, Unit: "bytes", Extra: true, ZeroIsValue: true,
		Doc:   "Bytes that waited in the queue.",
		SFlow: []Source{{ExtendedQueueDepth, "depth"}},
	},
	{
		Name: "transit_delay", Go: "TransitDelay", Number: 184, Kind: Uint32, Unit: "ns", Extra: true, ZeroIsValue: true,
		Doc:   "How long the packet was in the device; 4294967295 for longer than that.",
		SFlow: []Source{{ExtendedTransitDelay, "delay"}},
	},
	{
		Name: "tunnel_src_addr", Go: "TunnelSrcAddr", Number: 185, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc:      "Source address of the tunnel that the device added or removed.",
		Elements: []Element{{ID: 893, PEN: 6876, Name: "tunnelSourceIPv4Address"}},
		SFlow: []Source{
			{ExtendedIPv4TunnelEgress, "src_ip"}, {ExtendedIPv4TunnelIngress, "src_ip"},
			{ExtendedIPv6TunnelEgress, "src_ip"}, {ExtendedIPv6TunnelIngress, "src_ip"},
		},
	},
	{
		Name: "tunnel_dst_addr", Go: "TunnelDstAddr", Number: 186, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc:      "Destination address of the tunnel that the device added or removed.",
		Elements: []Element{{ID: 894, PEN: 6876, Name: "tunnelDestinationIPv4Address"}},
		SFlow: []Source{
			{ExtendedIPv4TunnelEgress, "dst_ip"}, {ExtendedIPv4TunnelIngress, "dst_ip"},
			{ExtendedIPv6TunnelEgress, "dst_ip"}, {ExtendedIPv6TunnelIngress, "dst_ip"},
		},
	},
	{
		Name: "acl_number", Go: "ACLNumber", Number: 187, Kind: Uint32, Extra: true,
		Doc:   "Number of the access list that the packet met.",
		SFlow: []Source{{ExtendedACL, "number"}},
	},
	{
		Name: "acl_name", Go: "ACLName", Number: 188, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Name of the access list that the packet met.",
		SFlow: []Source{{ExtendedACL, "name"}},
	},
	{
		Name: "url_host", Go: "URLHost", Number: 189, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Host of the URL.",
		SFlow: []Source{{ExtendedURL, "host"}},
	},
	{
		Name: "url", Go: "URL", Number: 190, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "URL that was asked for.",
		SFlow: []Source{{ExtendedURL, "url"}},
	},
	{
		Name: "drop_function", Go: "DropFunction", Number: 191, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Function of the kernel that the packet was seen in.",
		SFlow: []Source{{ExtendedFunction, "symbol"}},
	},
	{
		Name: "hw_trap_group", Go: "HWTrapGroup", Number: 192, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Group of the trap of the switching hardware.",
		SFlow: []Source{{ExtendedHWTrap, "group"}},
	},
	{
		Name: "hw_trap", Go: "HWTrap", Number: 193, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Trap of the switching hardware.",
		SFlow: []Source{{ExtendedHWTrap, "trap"}},
	},
	{
		Name: "linux_drop_reason", Go: "LinuxDropReason", Number: 194, Kind: Bytes, Form: Text, Extra: true,
		Doc:   "Why the Linux kernel dropped the packet.",
		SFlow: []Source{{ExtendedLinuxReason, "reason"}},
	},
	{
		Name: "tcp_rtt", Go: "TCPRTT", Number: 195, Kind: Uint32, Unit: "us", Extra: true,
		Doc:   "Smoothed round-trip time of the TCP connection.",
		SFlow: []Source{{ExtendedTCPInfo, "rtt"}},
	},
	{
		Name: "tcp_rtt_variance", Go: "TCPRTTVariance", Number: 196, Kind: Uint32, Unit: "us", Extra: true,
		Doc:   "Variation of the round-trip time.",
		SFlow: []Source{{ExtendedTCPInfo, "rttvar"}},
	},
	{
		Name: "tcp_retransmits", Go: "TCPRetransmits", Number: 197, Kind: Uint32, Unit: "packets", Extra: true,
		Doc:   "Packets of the TCP connection that were sent again.",
		SFlow: []Source{{ExtendedTCPInfo, "retrans"}},
	},
	{
		Name: "tcp_lost", Go: "TCPLost", Number: 198, Kind: Uint32, Unit: "packets", Extra: true,
		Doc:   "Packets of the TCP connection that were lost.",
		SFlow: []Source{{ExtendedTCPInfo, "lost"}},
	},
	{
		Name: "sampler_name", Go: "SamplerName", Number: 199, Kind: Bytes, Form: Text, Extra: true,
		Doc:      "Name of the sampler or selector.",
		Elements: []Element{{ID: 84, Name: "samplerName"}, {ID: 335, Name: "selectorName", Rank: 1}},
		Header:   "v9, IPFIX: options data, with -options.join sampler",
	},
	{
		Name: "sampler_mode", Go: "SamplerMode", Number: 200, Kind: Bytes, Form: Text, Extra: true,
		Doc:    "How the sampler or selector takes packets: deterministic, random, or a name of IANA's registry of PSAMP parameters.",
		Header: "v9, IPFIX: options data (49, 304), with -options.join sampler",
	},
	{
		Name: "socket_protocol", Go: "SocketProtocol", Number: 201, Kind: Uint32, Form: Protocol, Extra: true,
		Doc:   "IP protocol of the socket.",
		SFlow: []Source{{ExtendedSocketIPv4, "protocol"}, {ExtendedSocketIPv6, "protocol"}},
	},
	{
		Name: "socket_local_addr", Go: "SocketLocalAddr", Number: 202, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc:   "Local address of the socket.",
		SFlow: []Source{{ExtendedSocketIPv4, "local_ip"}, {ExtendedSocketIPv6, "local_ip"}},
	},
	{
		Name: "socket_remote_addr", Go: "SocketRemoteAddr", Number: 203, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc:   "Remote address of the socket.",
		SFlow: []Source{{ExtendedSocketIPv4, "remote_ip"}, {ExtendedSocketIPv6, "remote_ip"}},
	},
	{
		Name: "socket_local_port", Go: "SocketLocalPort", Number: 204, Kind: Uint32, Extra: true,
		Doc:   "Local port of the socket.",
		SFlow: []Source{{ExtendedSocketIPv4, "local_port"}, {ExtendedSocketIPv6, "local_port"}},
	},
	{
		Name: "socket_remote_port", Go: "SocketRemotePort", Number: 205, Kind: Uint32, Extra: true,
		Doc:   "Remote port of the socket.",
		SFlow: []Source{{ExtendedSocketIPv4, "remote_port"}, {ExtendedSocketIPv6, "remote_port"}},
	},
	{
		Name: "proxy_socket_protocol", Go: "ProxySocketProtocol", Number: 206, Kind: Uint32, Form: Protocol, Extra: true,
		Doc:   "IP protocol of a proxy's socket to its server.",
		SFlow: []Source{{ExtendedProxySocketIPv4, "protocol"}, {ExtendedProxySocketIPv6, "protocol"}},
	},
	{
		Name: "proxy_socket_local_addr", Go: "ProxySocketLocalAddr", Number: 207, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc:   "Local address of a proxy's socket to its server.",
		SFlow: []Source{{ExtendedProxySocketIPv4, "local_ip"}, {ExtendedProxySocketIPv6, "local_ip"}},
	},
	{
		Name: "proxy_socket_remote_addr", Go: "ProxySocketRemoteAddr", Number: 208, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc:   "Remote address of a proxy's socket to its server.",
		SFlow: []Source{{ExtendedProxySocketIPv4, "remote_ip"}, {ExtendedProxySocketIPv6, "remote_ip"}},
	},
	{
		Name: "proxy_socket_local_port", Go: "ProxySocketLocalPort", Number: 209, Kind: Uint32, Extra: true,
		Doc:   "Local port of a proxy's socket to its server.",
		SFlow: []Source{{ExtendedProxySocketIPv4, "local_port"}, {ExtendedProxySocketIPv6, "local_port"}},
	},
	{
		Name: "proxy_socket_remote_port", Go: "ProxySocketRemotePort", Number: 210, Kind: Uint32, Extra: true,
		Doc:   "Remote port of a proxy's socket to its server.",
		SFlow: []Source{{ExtendedProxySocketIPv4, "remote_port"}, {ExtendedProxySocketIPv6, "remote_port"}},
	},
}
