package producer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// jsonOrder are the keys of a JSON record in their order.
const jsonOrder = "type, time_received_ns, sequence_num, sampling_rate, sampler_address, time_flow_start_ns, time_flow_end_ns, " +
	"bytes, packets, src_addr, dst_addr, etype, proto, src_port, dst_port, in_if, out_if, src_mac, dst_mac, src_vlan, dst_vlan, vlan_id, " +
	"ip_tos, forwarding_status, ip_ttl, ip_flags, tcp_flags, icmp_type, icmp_code, ipv6_flow_label, fragment_id, fragment_offset, " +
	"src_as, dst_as, next_hop, next_hop_as, src_net, dst_net, bgp_next_hop, bgp_communities, as_path, mpls_ttl, mpls_label, mpls_ip, " +
	"observation_domain_id, observation_point_id, layer_stack, layer_size, ipv6_routing_header_addresses, ipv6_routing_header_seg_left"

type member struct {
	key   string
	value any // string, json.Number or []any of them
}

// slowJSON renders a message as the members of its JSON object.
func slowJSON(f *flowpb.FlowMessage) []member {
	var order []member
	have := map[string]any{
		"type":                         f.Type.String(),
		"time_received_ns":             number(f.TimeReceivedNs),
		"sequence_num":                 number(f.SequenceNum),
		"sampling_rate":                number(f.SamplingRate),
		"sampler_address":              address(f.SamplerAddress),
		"time_flow_start_ns":           number(f.TimeFlowStartNs),
		"time_flow_end_ns":             number(f.TimeFlowEndNs),
		"bytes":                        number(f.Bytes),
		"packets":                      number(f.Packets),
		"src_addr":                     address(f.SrcAddr),
		"dst_addr":                     address(f.DstAddr),
		"etype":                        map[uint32]string{0x806: "ARP", 0x800: "IPv4", 0x86dd: "IPv6"}[f.Etype],
		"proto":                        producer.ProtocolName(f.Proto),
		"src_port":                     number(f.SrcPort),
		"dst_port":                     number(f.DstPort),
		"in_if":                        number(f.InIf),
		"out_if":                       number(f.OutIf),
		"src_mac":                      mac(f.SrcMac),
		"dst_mac":                      mac(f.DstMac),
		"src_vlan":                     number(f.SrcVlan),
		"dst_vlan":                     number(f.DstVlan),
		"vlan_id":                      number(f.VlanId),
		"ip_tos":                       number(f.IpTos),
		"forwarding_status":            number(f.ForwardingStatus),
		"ip_ttl":                       number(f.IpTtl),
		"ip_flags":                     number(f.IpFlags),
		"tcp_flags":                    number(f.TcpFlags),
		"icmp_type":                    number(f.IcmpType),
		"icmp_code":                    number(f.IcmpCode),
		"ipv6_flow_label":              number(f.Ipv6FlowLabel),
		"fragment_id":                  number(f.FragmentId),
		"fragment_offset":              number(f.FragmentOffset),
		"src_as":                       number(f.SrcAs),
		"dst_as":                       number(f.DstAs),
		"next_hop":                     address(f.NextHop),
		"next_hop_as":                  number(f.NextHopAs),
		"src_net":                      network(f.SrcAddr, f.SrcNet),
		"dst_net":                      network(f.DstAddr, f.DstNet),
		"bgp_next_hop":                 address(f.BgpNextHop),
		"bgp_communities":              list(f.BgpCommunities, number),
		"as_path":                      list(f.AsPath, number),
		"mpls_ttl":                     list(f.MplsTtl, number),
		"mpls_label":                   list(f.MplsLabel, number),
		"mpls_ip":                      list(f.MplsIp, address),
		"observation_domain_id":        number(f.ObservationDomainId),
		"observation_point_id":         number(f.ObservationPointId),
		"layer_stack":                  list(f.LayerStack, func(l flowpb.FlowMessage_LayerStack) any { return l.String() }),
		"layer_size":                   list(f.LayerSize, number),
		"ipv6_routing_header_seg_left": number(f.Ipv6RoutingHeaderSegLeft),

		"ipv6_routing_header_addresses": list(f.Ipv6RoutingHeaderAddresses, address),
	}
	for _, key := range strings.Split(jsonOrder, ", ") {
		order = append(order, member{key, have[key]})
	}
	return append(order, extraMembers(f)...)
}

func number[T uint32 | uint64](n T) any { return json.Number(fmt.Sprint(n)) }

func address(b []byte) any {
	switch len(b) {
	case 4:
		return netip.AddrFrom4([4]byte(b)).String()
	case 16:
		return netip.AddrFrom16([16]byte(b)).String()
	}
	return ""
}

// network is the prefix of bits bits, or nothing if there is no such prefix.
func network(b []byte, bits uint32) any {
	a, ok := netip.AddrFromSlice(b)
	if !ok || bits > uint32(a.BitLen()) {
		return ""
	}
	return netip.PrefixFrom(a, int(bits)).Masked().String()
}

func mac(m uint64) any {
	var s []string
	for i := 5; i >= 0; i-- {
		s = append(s, fmt.Sprintf("%02x", m>>(8*i)&0xff))
	}
	return strings.Join(s, ":")
}

func list[T any](in []T, render func(T) any) any {
	out := []any{}
	for _, x := range in {
		out = append(out, render(x))
	}
	return out
}

// parseMembers reads one JSON object into its members, in their order.
func parseMembers(text []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil, fmt.Errorf("no object: %v %v", tok, err)
	}
	var members []member
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		members = append(members, member{key.(string), value})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more behind the object")
	}
	return members, nil
}
