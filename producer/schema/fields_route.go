package schema

// routeFields are what routers know about a flow in addition to goflow2's fields.
var routeFields = []Field{
	{
		Name: "dot1q_vlan_id", Go: "Dot1QVLANID", Number: 149, Kind: Uint32, Extra: true,
		Doc:      "VLAN of the outer tag as the frame came in.",
		Elements: []Element{{ID: 243, Name: "dot1qVlanId", Bits: 12}},
		SFlow:    []Source{{ExtendedVLANTunnel, "stack"}},
	},
	{
		Name: "dot1q_customer_vlan_id", Go: "Dot1QCustomerVLANID", Number: 150, Kind: Uint32, Extra: true,
		Doc:      "VLAN of the inner tag, the customer's, as the frame came in.",
		Elements: []Element{{ID: 245, Name: "dot1qCustomerVlanId", Bits: 12}},
		SFlow:    []Source{{ExtendedVLANTunnel, "stack"}},
	},
	{
		Name: "post_dot1q_vlan_id", Go: "PostDot1QVLANID", Number: 151, Kind: Uint32, Extra: true,
		Doc:      "VLAN of the outer tag as the frame went out.",
		Elements: []Element{{ID: 254, Name: "postDot1qVlanId", Bits: 12}},
	},
	{
		Name: "post_dot1q_customer_vlan_id", Go: "PostDot1QCustomerVLANID", Number: 152, Kind: Uint32, Extra: true,
		Doc:      "VLAN of the inner tag, the customer's, as the frame went out.",
		Elements: []Element{{ID: 255, Name: "postDot1qCustomerVlanId", Bits: 12}},
	},
	{
		Name: "minimum_ttl", Go: "MinimumTTL", Number: 153, Kind: Uint32, Extra: true,
		Doc:      "Smallest time to live, or hop limit, of the flow's packets.",
		Elements: []Element{{ID: 52, Name: "minimumTTL"}},
	},
	{
		Name: "maximum_ttl", Go: "MaximumTTL", Number: 154, Kind: Uint32, Extra: true,
		Doc:      "Largest time to live, or hop limit, of the flow's packets.",
		Elements: []Element{{ID: 53, Name: "maximumTTL"}},
	},
	{
		Name: "minimum_ip_total_length", Go: "MinimumIPTotalLength", Number: 155, Kind: Uint64, Unit: "bytes", Extra: true,
		Doc:      "Length of the flow's shortest packet.",
		Elements: []Element{{ID: 25, Name: "minimumIpTotalLength"}},
	},
	{
		Name: "maximum_ip_total_length", Go: "MaximumIPTotalLength", Number: 156, Kind: Uint64, Unit: "bytes", Extra: true,
		Doc:      "Length of the flow's longest packet.",
		Elements: []Element{{ID: 26, Name: "maximumIpTotalLength"}},
	},
	{
		Name: "mpls_vpn_route_distinguisher", Go: "MPLSVPNRouteDistinguisher", Number: 157, Kind: Bytes, Form: Distinguisher, Extra: true,
		Doc:      "Route distinguisher of the VPN, 8 bytes (RFC 4364).",
		Elements: []Element{{ID: 90, Name: "mplsVpnRouteDistinguisher", Length: 8}},
	},
	{
		Name: "mpls_top_label_type", Go: "MPLSTopLabelType", Number: 158, Kind: Uint32, Extra: true,
		Doc:      "What gave the top label: 1 TE-MIDPT, 2 pseudowire, 3 VPN, 4 BGP, 5 LDP and others of IANA's MPLS label types.",
		Elements: []Element{{ID: 46, Name: "mplsTopLabelType"}},
	},
	{
		Name: "mpls_top_label_exp", Go: "MPLSTopLabelExp", Number: 159, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc: "Traffic class of the top label.",
		Elements: []Element{
			{ID: 203, Name: "mplsTopLabelExp"},
			{ID: 237, Name: "postMplsTopLabelExp", Rank: 1},
		},
	},
	{
		Name: "bgp_prev_adjacent_as", Go: "BGPPrevAdjacentAS", Number: 160, Kind: Uint32, Extra: true,
		Doc:      "First AS number of the path to the source.",
		Elements: []Element{{ID: 129, Name: "bgpPrevAdjacentAsNumber"}},
	},
	{
		Name: "bgp_source_communities", Go: "BGPSourceCommunities", Number: 161, Kind: Uints, Form: NumberList, Extra: true,
		Doc:      "BGP communities of the route to the source.",
		Elements: []Element{{ID: 484, Name: "bgpSourceCommunityList", Conv: BasicList}},
	},
	{
		Name: "bgp_source_extended_communities", Go: "BGPSourceExtendedCommunities", Number: 162, Kind: BytesList, Form: CommunityList, Extra: true,
		Doc:      "Extended BGP communities of the route to the source, 8 bytes each (RFC 4360).",
		Elements: []Element{{ID: 487, Name: "bgpSourceExtendedCommunityList", Conv: BasicList, Length: 8}},
	},
	{
		Name: "bgp_extended_communities", Go: "BGPExtendedCommunities", Number: 163, Kind: BytesList, Form: CommunityList, Extra: true,
		Doc: "Extended BGP communities of the route to the destination, 8 bytes each (RFC 4360).",
		Elements: []Element{
			{ID: 488, Name: "bgpDestinationExtendedCommunityList", Conv: BasicList, Length: 8},
			{ID: 486, Name: "bgpExtendedCommunity", Conv: Append, Length: 8},
		},
	},
	{
		Name: "bgp_source_large_communities", Go: "BGPSourceLargeCommunities", Number: 164, Kind: BytesList, Form: CommunityList, Extra: true,
		Doc:      "Large BGP communities of the route to the source, 12 bytes each (RFC 8092).",
		Elements: []Element{{ID: 490, Name: "bgpSourceLargeCommunityList", Conv: BasicList, Length: 12}},
	},
	{
		Name: "bgp_large_communities", Go: "BGPLargeCommunities", Number: 165, Kind: BytesList, Form: CommunityList, Extra: true,
		Doc: "Large BGP communities of the route to the destination, 12 bytes each (RFC 8092).",
		Elements: []Element{
			{ID: 491, Name: "bgpDestinationLargeCommunityList", Conv: BasicList, Length: 12},
			{ID: 489, Name: "bgpLargeCommunity", Conv: Append, Length: 12},
		},
	},
	{
		Name: "srh_flags_ipv6", Go: "SRHFlagsIPv6", Number: 166, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:      "Flags of the segment routing header (RFC 8754).",
		Elements: []Element{{ID: 492, Name: "srhFlagsIPv6"}},
	},
	{
		Name: "srh_tag_ipv6", Go: "SRHTagIPv6", Number: 167, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:      "Tag of the segment routing header.",
		Elements: []Element{{ID: 493, Name: "srhTagIPv6"}},
	},
	{
		Name: "srh_active_segment_ipv6", Go: "SRHActiveSegmentIPv6", Number: 168, Kind: Bytes, Form: Address, Extra: true,
		Doc:      "The active segment of a segment routing header.",
		Elements: []Element{{ID: 495, Name: "srhActiveSegmentIPv6"}},
	},
	{
		Name: "srh_active_segment_type", Go: "SRHActiveSegmentType", Number: 169, Kind: Uint32, Extra: true,
		Doc:      "What gave the active segment, by IANA's SRv6 segment types.",
		Elements: []Element{{ID: 500, Name: "srhIPv6ActiveSegmentType"}},
	},
	{
		Name: "srh_segment_locator_length", Go: "SRHSegmentLocatorLength", Number: 170, Kind: Uint32, Unit: "bits", Extra: true,
		Doc:      "Length of the active segment's locator.",
		Elements: []Element{{ID: 501, Name: "srhSegmentIPv6LocatorLength"}},
	},
	{
		Name: "srh_segment_endpoint_behavior", Go: "SRHSegmentEndpointBehavior", Number: 171, Kind: Uint32, Extra: true,
		Doc:      "What a node does with the active segment, by IANA's SRv6 endpoint behaviors.",
		Elements: []Element{{ID: 502, Name: "srhSegmentIPv6EndpointBehavior"}},
	},
	{
		Name: "sta_mac_address", Go: "StaMACAddress", Number: 172, Kind: Uint64, Form: MAC, Extra: true,
		Doc:      "MAC address of a wireless station, in the low 48 bits.",
		Elements: []Element{{ID: 365, Name: "staMacAddress", Bits: 48}},
	},
	{
		Name: "sta_ipv4_address", Go: "StaIPv4Address", Number: 173, Kind: Bytes, Form: Address, Extra: true, ZeroIsNone: true,
		Doc:      "IPv4 address of a wireless station.",
		Elements: []Element{{ID: 366, Name: "staIPv4Address"}},
	},
}
