package producer

import (
	"net/netip"
	"strconv"
)

// AppendJSON appends f as one JSON object without a line end: all fields, also
// the empty ones, compact, in the order and the notation that goflow2's
// consumers read. Addresses are strings, "" where there is none; prefixes are
// masked from the addresses.
func AppendJSON(dst []byte, f *Flow) []byte {
	b := append(dst, `{"type":"`...)
	b = append(b, typeName(f.Type)...)
	b = append(b, '"')
	b = jsonUint(b, `,"time_received_ns":`, f.TimeReceivedNs)
	b = jsonUint(b, `,"sequence_num":`, uint64(f.SequenceNum))
	b = jsonUint(b, `,"sampling_rate":`, f.SamplingRate)
	b = jsonAddr(b, `,"sampler_address":`, f.SamplerAddress)
	b = jsonUint(b, `,"time_flow_start_ns":`, f.TimeFlowStartNs)
	b = jsonUint(b, `,"time_flow_end_ns":`, f.TimeFlowEndNs)
	b = jsonUint(b, `,"bytes":`, f.Bytes)
	b = jsonUint(b, `,"packets":`, f.Packets)
	b = jsonAddr(b, `,"src_addr":`, f.SrcAddr)
	b = jsonAddr(b, `,"dst_addr":`, f.DstAddr)
	b = jsonName(b, `,"etype":`, etypeName(f.Etype))
	b = jsonName(b, `,"proto":`, ProtocolName(f.Proto))
	b = jsonUint(b, `,"src_port":`, uint64(f.SrcPort))
	b = jsonUint(b, `,"dst_port":`, uint64(f.DstPort))
	b = jsonUint(b, `,"in_if":`, uint64(f.InIf))
	b = jsonUint(b, `,"out_if":`, uint64(f.OutIf))
	b = jsonMAC(b, `,"src_mac":`, f.SrcMAC)
	b = jsonMAC(b, `,"dst_mac":`, f.DstMAC)
	b = jsonUint(b, `,"src_vlan":`, uint64(f.SrcVLAN))
	b = jsonUint(b, `,"dst_vlan":`, uint64(f.DstVLAN))
	b = jsonUint(b, `,"vlan_id":`, uint64(f.VLANID))
	b = jsonUint(b, `,"ip_tos":`, uint64(f.IPTOS))
	b = jsonUint(b, `,"forwarding_status":`, uint64(f.ForwardingStatus))
	b = jsonUint(b, `,"ip_ttl":`, uint64(f.IPTTL))
	b = jsonUint(b, `,"ip_flags":`, uint64(f.IPFlags))
	b = jsonUint(b, `,"tcp_flags":`, uint64(f.TCPFlags))
	b = jsonUint(b, `,"icmp_type":`, uint64(f.ICMPType))
	b = jsonUint(b, `,"icmp_code":`, uint64(f.ICMPCode))
	b = jsonUint(b, `,"ipv6_flow_label":`, uint64(f.IPv6FlowLabel))
	b = jsonUint(b, `,"fragment_id":`, uint64(f.FragmentID))
	b = jsonUint(b, `,"fragment_offset":`, uint64(f.FragmentOffset))
	b = jsonUint(b, `,"src_as":`, uint64(f.SrcAS))
	b = jsonUint(b, `,"dst_as":`, uint64(f.DstAS))
	b = jsonAddr(b, `,"next_hop":`, f.NextHop)
	b = jsonUint(b, `,"next_hop_as":`, uint64(f.NextHopAS))
	b = jsonNet(b, `,"src_net":`, f.SrcAddr, f.SrcNet)
	b = jsonNet(b, `,"dst_net":`, f.DstAddr, f.DstNet)
	b = jsonAddr(b, `,"bgp_next_hop":`, f.BGPNextHop)
	b = jsonUints(b, `,"bgp_communities":[`, f.BGPCommunities)
	b = jsonUints(b, `,"as_path":[`, f.ASPath)
	b = jsonUints(b, `,"mpls_ttl":[`, f.MPLSTTL)
	b = jsonUints(b, `,"mpls_label":[`, f.MPLSLabel)
	b = append(b, `,"mpls_ip":[`...)
	for i, ip := range f.MPLSIP {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonAddr(b, "", ip)
	}
	b = append(b, ']')
	b = jsonUint(b, `,"observation_domain_id":`, uint64(f.ObservationDomainID))
	b = jsonUint(b, `,"observation_point_id":`, uint64(f.ObservationPointID))
	b = append(b, `,"layer_stack":[`...)
	for i, l := range f.LayerStack {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonName(b, "", layerName(l))
	}
	b = append(b, ']')
	b = jsonUints(b, `,"layer_size":[`, f.LayerSize)
	b = append(b, `,"ipv6_routing_header_addresses":[`...)
	for a := f.RoutingAddresses; len(a) >= 16; a = a[16:] {
		b = jsonAddr(b, "", a[:16])
		if len(a) >= 32 {
			b = append(b, ',')
		}
	}
	b = append(b, ']')
	b = jsonUint(b, `,"ipv6_routing_header_seg_left":`, uint64(f.RoutingSegLeft))
	return append(b, '}')
}

func jsonUint(b []byte, key string, v uint64) []byte {
	return strconv.AppendUint(append(b, key...), v, 10)
}

func jsonUints(b []byte, key string, v []uint32) []byte {
	b = append(b, key...)
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(x), 10)
	}
	return append(b, ']')
}

// jsonName appends a name of our own tables, which needs no escapes.
func jsonName(b []byte, key, name string) []byte {
	b = append(append(b, key...), '"')
	b = append(b, name...)
	return append(b, '"')
}

func jsonAddr(b []byte, key string, addr []byte) []byte {
	b = append(append(b, key...), '"')
	if ip, ok := netip.AddrFromSlice(addr); ok {
		b = ip.AppendTo(b)
	}
	return append(b, '"')
}

func jsonNet(b []byte, key string, addr []byte, bits uint32) []byte {
	b = append(append(b, key...), '"')
	if ip, ok := netip.AddrFromSlice(addr); ok && bits <= 128 {
		if p, err := ip.Prefix(int(bits)); err == nil {
			b = p.AppendTo(b)
		}
	}
	return append(b, '"')
}

func jsonMAC(b []byte, key string, mac uint64) []byte {
	const hex = "0123456789abcdef"
	b = append(append(b, key...), '"')
	for shift := 40; shift >= 0; shift -= 8 {
		c := byte(mac >> shift)
		b = append(b, hex[c>>4], hex[c&15])
		if shift > 0 {
			b = append(b, ':')
		}
	}
	return append(b, '"')
}
