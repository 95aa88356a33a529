package schema

// tunnelFields are what is known about the first tunnel of a packet: sampled headers show
// it, and some exporters send it.
var tunnelFields = []Field{
	{
		Name: "tunnel_type", Go: "TunnelType", Number: 141, Kind: Uint32, Form: TunnelName, Extra: true,
		Doc:     "Kind of the packet's first tunnel.",
		Sampled: "first tunnel after an IP header, or else a header that carries a frame",
		Elements: []Element{
			{ID: 351, Name: "layer2SegmentId", Conv: Chosen, Lookup: segmentType},
			{ID: 891, PEN: 6876, Name: "tunnelType", Conv: Chosen, Lookup: ovsTunnel},
		},
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "tunnel_id", Go: "TunnelID", Number: 142, Kind: Uint32, Extra: true, ZeroIsValue: true,
		Doc:      "Its id: network id, key, tunnel endpoint, session or label.",
		Sampled:  "the tunnel's header",
		Elements: []Element{{ID: 351, Name: "layer2SegmentId", Bits: 24}, {ID: 892, PEN: 6876, Name: "tunnelKey", Rank: 1}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "inner_src_addr", Go: "InnerSrcAddr", Number: 143, Kind: Bytes, Form: Address, Extra: true,
		Doc: "Source address of the packet in the tunnel.", Sampled: "IP header in the tunnel",
		Elements: []Element{{ID: 881, PEN: 6876, Name: "tenantSourceIPv4"}, {ID: 883, PEN: 6876, Name: "tenantSourceIPv6"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "inner_dst_addr", Go: "InnerDstAddr", Number: 144, Kind: Bytes, Form: Address, Extra: true,
		Doc: "Destination address of the packet in the tunnel.", Sampled: "IP header in the tunnel",
		Elements: []Element{{ID: 882, PEN: 6876, Name: "tenantDestIPv4"}, {ID: 884, PEN: 6876, Name: "tenantDestIPv6"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "inner_etype", Go: "InnerEtype", Number: 145, Kind: Uint32, Form: EtherType, Extra: true,
		Doc: "EtherType of the packet in the tunnel.", Sampled: "headers in the tunnel",
		SFlow: []Source{{RawHeader, "header"}},
	},
	{
		Name: "inner_proto", Go: "InnerProto", Number: 146, Kind: Uint32, Form: Protocol, Extra: true,
		Doc: "IP protocol of the packet in the tunnel.", Sampled: "IP header in the tunnel",
		Elements: []Element{{ID: 880, PEN: 6876, Name: "tenantProtocol"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "inner_src_port", Go: "InnerSrcPort", Number: 147, Kind: Uint32, Extra: true,
		Doc: "Source port of the packet in the tunnel.", Sampled: "TCP or UDP header in the tunnel",
		Elements: []Element{{ID: 886, PEN: 6876, Name: "tenantSourcePort"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
	{
		Name: "inner_dst_port", Go: "InnerDstPort", Number: 148, Kind: Uint32, Extra: true,
		Doc: "Destination port of the packet in the tunnel.", Sampled: "TCP or UDP header in the tunnel",
		Elements: []Element{{ID: 887, PEN: 6876, Name: "tenantDestPort"}},
		SFlow:    []Source{{RawHeader, "header"}},
	},
}
