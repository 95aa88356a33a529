package schema

// Words before the records of sFlow flow samples: enterprise<<12 | format.
const (
	RawHeader                 = 1
	Ethernet                  = 2
	IPv4Record                = 3
	IPv6Record                = 4
	ExtendedSwitch            = 1001
	ExtendedRouter            = 1002
	ExtendedGateway           = 1003
	ExtendedUser              = 1004
	ExtendedURL               = 1005
	ExtendedMPLS              = 1006
	ExtendedNAT               = 1007
	ExtendedMPLSTunnel        = 1008
	ExtendedMPLSVC            = 1009
	ExtendedMPLSFTN           = 1010
	ExtendedMPLSFEC           = 1011
	ExtendedVLANTunnel        = 1012
	ExtendedNATPort           = 1020
	ExtendedIPv4TunnelEgress  = 1023
	ExtendedIPv4TunnelIngress = 1024
	ExtendedIPv6TunnelEgress  = 1025
	ExtendedIPv6TunnelIngress = 1026
	ExtendedVNIEgress         = 1029
	ExtendedVNIIngress        = 1030
	ExtendedEgressQueue       = 1036
	ExtendedACL               = 1037
	ExtendedFunction          = 1038
	ExtendedTransitDelay      = 1039
	ExtendedQueueDepth        = 1040
	ExtendedHWTrap            = 1041
	ExtendedLinuxReason       = 1042
	ExtendedSocketIPv4        = 2100
	ExtendedSocketIPv6        = 2101
	ExtendedProxySocketIPv4   = 2102
	ExtendedProxySocketIPv6   = 2103
	ExtendedTCPInfo           = 2209
)

// MemberType is the XDR type of a member of a record (RFC 4506).
type MemberType uint8

// Member types.
const (
	XDRUint32 MemberType = iota
	XDRUint64
	XDRAddress // a type, and 0, 4 or 16 bytes
	XDROpaque  // a length, that many bytes, and padding to 4
	XDRIPv4    // 4 bytes
	XDRIPv6    // 16 bytes
)

// A Member is a part of a record.
type Member struct {
	Name string
	Type MemberType
}

// A Record is a format of records in sFlow flow samples.
type Record struct {
	Word uint32
	Name string
	// Members are those up to the last one that a field is filled from. The records
	// that package producer reads by itself, as they depend on each other, have none.
	Members []Member
}

// Records are the formats of records that fields are filled from
// (https://sflow.org/developers/structures.php).
var Records = []Record{
	{Word: RawHeader, Name: "sampled_header"},
	{Word: Ethernet, Name: "sampled_ethernet"},
	{Word: IPv4Record, Name: "sampled_ipv4"},
	{Word: IPv6Record, Name: "sampled_ipv6"},
	{Word: ExtendedSwitch, Name: "extended_switch"},
	{Word: ExtendedRouter, Name: "extended_router"},
	{Word: ExtendedGateway, Name: "extended_gateway"},
	{Word: ExtendedUser, Name: "extended_user", Members: []Member{
		{"src_charset", XDRUint32}, {"src_user", XDROpaque}, {"dst_charset", XDRUint32}, {"dst_user", XDROpaque},
	}},
	{Word: ExtendedURL, Name: "extended_url", Members: []Member{{"direction", XDRUint32}, {"url", XDROpaque}, {"host", XDROpaque}}},
	{Word: ExtendedMPLS, Name: "extended_mpls"},
	{Word: ExtendedNAT, Name: "extended_nat", Members: []Member{{"src_address", XDRAddress}, {"dst_address", XDRAddress}}},
	{Word: ExtendedMPLSTunnel, Name: "extended_mpls_tunnel", Members: []Member{{"tunnel_lsp_name", XDROpaque}, {"tunnel_id", XDRUint32}}},
	{Word: ExtendedMPLSVC, Name: "extended_mpls_vc", Members: []Member{{"vc_instance_name", XDROpaque}, {"vll_vc_id", XDRUint32}}},
	{Word: ExtendedMPLSFTN, Name: "extended_mpls_FTN", Members: []Member{{"mpls_ftn_descr", XDROpaque}}},
	{Word: ExtendedMPLSFEC, Name: "extended_mpls_LDP_FEC", Members: []Member{{"mpls_fec_addr_prefix_length", XDRUint32}}},
	{Word: ExtendedVLANTunnel, Name: "extended_vlantunnel"},
	{Word: ExtendedNATPort, Name: "extended_nat_port", Members: []Member{{"src_port", XDRUint32}, {"dst_port", XDRUint32}}},
	{Word: ExtendedIPv4TunnelEgress, Name: "extended_ipv4_tunnel_egress", Members: ipMembers(XDRIPv4)},
	{Word: ExtendedIPv4TunnelIngress, Name: "extended_ipv4_tunnel_ingress", Members: ipMembers(XDRIPv4)},
	{Word: ExtendedIPv6TunnelEgress, Name: "extended_ipv6_tunnel_egress", Members: ipMembers(XDRIPv6)},
	{Word: ExtendedIPv6TunnelIngress, Name: "extended_ipv6_tunnel_ingress", Members: ipMembers(XDRIPv6)},
	{Word: ExtendedVNIEgress, Name: "extended_vni_egress", Members: []Member{{"vni", XDRUint32}}},
	{Word: ExtendedVNIIngress, Name: "extended_vni_ingress", Members: []Member{{"vni", XDRUint32}}},
	{Word: ExtendedEgressQueue, Name: "extended_egress_queue", Members: []Member{{"queue", XDRUint32}}},
	{Word: ExtendedACL, Name: "extended_acl", Members: []Member{{"number", XDRUint32}, {"name", XDROpaque}}},
	{Word: ExtendedFunction, Name: "extended_function", Members: []Member{{"symbol", XDROpaque}}},
	{Word: ExtendedTransitDelay, Name: "extended_transit_delay", Members: []Member{{"delay", XDRUint32}}},
	{Word: ExtendedQueueDepth, Name: "extended_queue_depth", Members: []Member{{"depth", XDRUint32}}},
	{Word: ExtendedHWTrap, Name: "extended_hw_trap", Members: []Member{{"group", XDROpaque}, {"trap", XDROpaque}}},
	{Word: ExtendedLinuxReason, Name: "extended_linux_drop_reason", Members: []Member{{"reason", XDROpaque}}},
	{Word: ExtendedSocketIPv4, Name: "extended_socket_ipv4", Members: socketMembers(XDRIPv4)},
	{Word: ExtendedSocketIPv6, Name: "extended_socket_ipv6", Members: socketMembers(XDRIPv6)},
	{Word: ExtendedProxySocketIPv4, Name: "extended_proxy_socket_ipv4", Members: socketMembers(XDRIPv4)},
	{Word: ExtendedProxySocketIPv6, Name: "extended_proxy_socket_ipv6", Members: socketMembers(XDRIPv6)},
	{Word: ExtendedTCPInfo, Name: "extended_tcp_info", Members: []Member{
		{"dirn", XDRUint32}, {"snd_mss", XDRUint32}, {"rcv_mss", XDRUint32}, {"unacked", XDRUint32}, {"lost", XDRUint32},
		{"retrans", XDRUint32}, {"pmtu", XDRUint32}, {"rtt", XDRUint32}, {"rttvar", XDRUint32},
	}},
}

// ipMembers are the first members of the records that describe a tunnel's IP header.
func ipMembers(address MemberType) []Member {
	return []Member{{"length", XDRUint32}, {"protocol", XDRUint32}, {"src_ip", address}, {"dst_ip", address}}
}

// socketMembers are the members of the records that describe a socket of a server.
func socketMembers(address MemberType) []Member {
	return []Member{{"protocol", XDRUint32}, {"local_ip", address}, {"remote_ip", address}, {"local_port", XDRUint32}, {"remote_port", XDRUint32}}
}

// RecordByWord returns a format of records, nil if there is none.
func RecordByWord(word uint32) *Record {
	for i := range Records {
		if Records[i].Word == word {
			return &Records[i]
		}
	}
	return nil
}
