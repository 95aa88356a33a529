package producer_test

import (
	"net/netip"
	"testing"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// goldenLine is a line of JSON as goflow2 v2.2.6 writes it, of a sampled TCP
// packet.
const goldenLine = `{"type":"SFLOW_5","time_received_ns":1795409943115228287,"sequence_num":1,"sampling_rate":2,"sampler_address":"192.0.2.77",` +
	`"time_flow_start_ns":1795409943115228287,"time_flow_end_ns":1795409943115228287,"bytes":58,"packets":1,"src_addr":"192.0.2.1","dst_addr":"10.0.0.1",` +
	`"etype":"IPv4","proto":"TCP","src_port":443,"dst_port":1024,"in_if":1,"out_if":2,"src_mac":"02:11:22:33:44:55","dst_mac":"02:66:77:88:99:aa",` +
	`"src_vlan":0,"dst_vlan":0,"vlan_id":0,"ip_tos":0,"forwarding_status":0,"ip_ttl":50,"ip_flags":0,"tcp_flags":18,"icmp_type":0,"icmp_code":0,"ipv6_flow_label":0,` +
	`"fragment_id":1,"fragment_offset":0,"src_as":0,"dst_as":0,"next_hop":"","next_hop_as":0,"src_net":"0.0.0.0/0","dst_net":"0.0.0.0/0","bgp_next_hop":"",` +
	`"bgp_communities":[],"as_path":[],"mpls_ttl":[],"mpls_label":[],"mpls_ip":[],"observation_domain_id":0,"observation_point_id":0,` +
	`"layer_stack":["Ethernet","IPv4","TCP"],"layer_size":[14,20,24],"ipv6_routing_header_addresses":[],"ipv6_routing_header_seg_left":0}`

func TestGoldenLine(t *testing.T) {
	packet := unhex(`02 66 77 88 99 aa 02 11 22 33 44 55 08 00
		45 00 00 2c 00 01 00 00 32 06 00 00 c0 00 02 01 0a 00 00 01
		01 bb 04 00 00 00 00 01 00 00 00 02 60 12 10 00 00 00 00 00 02 04 05 b4`)
	sample := tagged(1, join(u32(nil, 1, 3, 2, 10, 0, 1, 2, 1),
		tagged(1, join(u32(nil, 1, 58, 4, uint32(len(packet))), packet))))
	datagram := join(u32(nil, 5, 1, 0xc000024d, 0, 1, 5000, 1), sample)
	p := producer.New(producer.Config{Separator: []byte("\n")}, producer.NewStore(template.DefaultLimits()))
	batch := producer.NewBatch(0, 1<<10)
	p.Datagram(batch, producer.Meta{Source: netip.MustParseAddrPort("192.0.2.1:6343"), ReceivedNs: 1795409943115228287}, datagram)
	if got, want := string(batch.Buf), goldenLine+"\n"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestProtocolNames checks names that consumers match on, and the edges of the
// table.
func TestProtocolNames(t *testing.T) {
	for proto, want := range map[uint32]string{
		0: "HOPOPT", 1: "ICMP", 2: "IGMP", 4: "IPv4", 6: "TCP", 17: "UDP", 41: "IPv6", 43: "IPv6-Route", 44: "IPv6-Frag",
		47: "GRE", 50: "ESP", 51: "AH", 58: "IPv6-ICMP", 89: "OSPFIGP", 103: "PIM", 112: "VRRP", 115: "L2TP", 132: "SCTP", 137: "MPLS-in-IP",
		146: "unassigned", 252: "unassigned", 253: "experimental", 254: "experimental", 255: "reserved", 256: "unknown", 1 << 31: "unknown",
	} {
		if got := producer.ProtocolName(proto); got != want {
			t.Errorf("%d: got %q, want %q", proto, got, want)
		}
	}
}
