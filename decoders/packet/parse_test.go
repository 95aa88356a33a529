package packet

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

type stackEntry struct {
	layer uint8
	size  uint32
}

func stackOf(h *Headers) []stackEntry {
	var s []stackEntry
	for i := range h.Layers {
		s = append(s, stackEntry{h.LayerStack[i], h.LayerSize[i]})
	}
	return s
}

func st(pairs ...int) []stackEntry {
	var s []stackEntry
	for i := 0; i < len(pairs); i += 2 {
		s = append(s, stackEntry{uint8(pairs[i]), uint32(pairs[i+1])})
	}
	return s
}

const (
	lEth, lIP4, lIP6, lTCP, lUDP   = int(LayerEthernet), int(LayerIPv4), int(LayerIPv6), int(LayerTCP), int(LayerUDP)
	lMPLS, lVLAN, lICMP, lICMP6    = int(LayerMPLS), int(LayerDot1Q), int(LayerICMP), int(LayerICMPv6)
	lGRE, lRoute, lFrag, lAny      = int(LayerGRE), int(LayerIPv6Routing), int(LayerIPv6Fragment), int(LayerCustom)
	lGeneve, lTeredo               = int(LayerGeneve), int(LayerTeredo)
	ether4, ether6, qinq, vlanType = 0x0800, 0x86dd, 0x88a8, 0x8100
)

// outer4 and outer6 are what ip4 and ip6 of the builder give.
func outer4(h Headers) Headers {
	h.EtherType, h.SrcAddr, h.DstAddr = 0x0800, ip4Src, ip4Dst
	h.TOS, h.TTL, h.FragmentID = 0xb8, 61, 0x1234
	return h
}

func outer6(h Headers) Headers {
	h.EtherType, h.SrcAddr, h.DstAddr = 0x86dd, ip6Src, ip6Dst
	h.TOS, h.TTL, h.FlowLabel = 0xb8, 62, 0x12345
	return h
}

func macs(h Headers) Headers {
	h.SrcMAC, h.DstMAC = testSrcMAC, testDstMAC
	return h
}

type parseCase struct {
	name  string
	start Start // StartEthernet if 0
	in    []byte
	want  Headers // without the layer stack; Layers is not compared
	stack []stackEntry
	base  int // base layers; all if 0
}

func runParse(t *testing.T, cases []parseCase) {
	t.Helper()
	var h Headers
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.start == 0 {
				c.start = StartEthernet
			}
			if c.base == 0 {
				c.base = len(c.stack)
			}
			Parse(c.in, c.start, &h)
			if got := stackOf(&h); !slices.Equal(got, c.stack) {
				t.Errorf("stack %v, want %v", got, c.stack)
			}
			if h.BaseLayers != c.base {
				t.Errorf("%d base layers, want %d", h.BaseLayers, c.base)
			}
			got := h
			got.Layers, got.BaseLayers = 0, 0
			got.LayerStack, got.LayerSize, got.LayerType = c.want.LayerStack, c.want.LayerSize, c.want.LayerType
			got.Payload, got.PayloadType = c.want.Payload, c.want.PayloadType
			got.Tunnel, got.HasTunnelID, got.TunnelID, got.Inner = TunnelNone, false, 0, Inner{} // TestInner has these
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("\n got %s\nwant %s", show(got), show(c.want))
			}
		})
	}
}

// show prints the fields that are not zero.
func show(h Headers) string {
	var b bytes.Buffer
	v := reflect.ValueOf(h)
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			fmt.Fprintf(&b, "%s:%v ", v.Type().Field(i).Name, f)
		}
	}
	return b.String()
}

func TestLink(t *testing.T) {
	tcp4 := Headers{Proto: 6, SrcPort: 443, DstPort: 50000, TCPFlags: 0x12}
	vlan := func(h Headers, id uint32) Headers { h.VLANID = id; return h }
	mpls := func(h Headers, l []byte) Headers { h.MPLS = l; return h }
	run := cat(ip4(6, 0), tcp(6))
	runParse(t, []parseCase{
		{name: "ipv4 tcp", in: cat(eth(ether4), run), want: macs(outer4(tcp4)),
			stack: st(lEth, 14, lIP4, 20, lTCP, 24)},
		{name: "ipv6 tcp", in: cat(eth(ether6), ip6(6), tcp(5)), want: macs(outer6(tcp4)),
			stack: st(lEth, 14, lIP6, 40, lTCP, 20)},
		{name: "vlan id has 12 bits", in: cat(eth(vlanType), tag(0xf123, ether4), run),
			want: macs(vlan(outer4(tcp4), 0x123)), stack: st(lEth, 14, lVLAN, 4, lIP4, 20, lTCP, 24)},
		{name: "802.1ad, innermost tag", in: cat(eth(qinq), tag(100, vlanType), tag(200, ether4), run),
			want:  macs(vlan(outer4(tcp4), 200)),
			stack: st(lEth, 14, lVLAN, 4, lVLAN, 4, lIP4, 20, lTCP, 24)},
		{name: "0x9100 and 0x9200", in: cat(eth(0x9100), tag(100, 0x9200), tag(300, ether4), run),
			want:  macs(vlan(outer4(tcp4), 300)),
			stack: st(lEth, 14, lVLAN, 4, lVLAN, 4, lIP4, 20, lTCP, 24)},
		{name: "mpls", in: cat(eth(0x8847), label(1000, 3, 0, 60), label(0, 0, 0, 9), label(17, 0, 1, 1), run),
			want:  macs(mpls(outer4(tcp4), cat(label(1000, 3, 0, 60), label(0, 0, 0, 9), label(17, 0, 1, 1)))),
			stack: st(lEth, 14, lMPLS, 12, lIP4, 20, lTCP, 24)},
		{name: "mpls upstream, ipv6, behind a tag",
			in:    cat(eth(vlanType), tag(7, 0x8848), label(5000, 0, 1, 60), ip6(6), tcp(5)),
			want:  macs(mpls(vlan(outer6(tcp4), 7), label(5000, 0, 1, 60))),
			stack: st(lEth, 14, lVLAN, 4, lMPLS, 4, lIP6, 40, lTCP, 20)},
		{name: "mpls, not ip", in: cat(eth(0x8847), label(1000, 0, 1, 60), make([]byte, 60)),
			want:  macs(Headers{EtherType: 0x8847, MPLS: label(1000, 0, 1, 60), Unknown: unknownMPLS}),
			stack: st(lEth, 14, lMPLS, 4)},
		{name: "mpls without bottom", in: cat(eth(0x8847), label(1, 0, 0, 60), label(2, 0, 0, 60), []byte{1, 2}),
			want:  macs(Headers{EtherType: 0x8847, MPLS: cat(label(1, 0, 0, 60), label(2, 0, 0, 60)), Truncated: true}),
			stack: st(lEth, 14, lMPLS, 8)},
		{name: "starting at mpls", start: StartMPLS, in: cat(label(1000, 0, 1, 60), run),
			want: mpls(outer4(tcp4), label(1000, 0, 1, 60)), stack: st(lMPLS, 4, lIP4, 20, lTCP, 24)},
		{name: "pppoe ipv4", in: cat(eth(0x8864), pppoe(0x21), run), want: macs(outer4(tcp4)),
			stack: st(lEth, 14, lAny, 8, lIP4, 20, lTCP, 24)},
		{name: "pppoe ipv6 behind a tag", in: cat(eth(vlanType), tag(7, 0x8864), pppoe(0x57), ip6(6), tcp(5)),
			want: macs(vlan(outer6(tcp4), 7)), stack: st(lEth, 14, lVLAN, 4, lAny, 8, lIP6, 40, lTCP, 20)},
		{name: "pppoe lcp", in: cat(eth(0x8864), pppoe(0xc021), make([]byte, 20)),
			want: macs(Headers{EtherType: 0x8864}), stack: st(lEth, 14, lAny, 8)},
		{name: "snap", in: cat(eth(52), snap(ether4), run), want: macs(outer4(tcp4)),
			stack: st(lEth, 14, lAny, 8, lIP4, 20, lTCP, 24)},
		{name: "llc keeps the length", in: cat(eth(38), []byte{0x42, 0x42, 3}, make([]byte, 35)),
			want: macs(Headers{EtherType: 38}), stack: st(lEth, 14)},
		{name: "snap of another organisation",
			in:   cat(eth(38), []byte{0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0}, make([]byte, 30)),
			want: macs(Headers{EtherType: 38}), stack: st(lEth, 14)},
		{name: "arp", in: cat(eth(0x0806), make([]byte, 28)), want: macs(Headers{EtherType: 0x0806}), stack: st(lEth, 14)},
		{name: "starting at ipv4", start: StartIPv4, in: run, want: outer4(tcp4), stack: st(lIP4, 20, lTCP, 24)},
		{name: "starting at ipv6", start: StartIPv6, in: cat(ip6(6), tcp(5)), want: outer6(tcp4), stack: st(lIP6, 40, lTCP, 20)},
		{name: "unknown start", start: 9, in: run, want: Headers{Unknown: 1<<16 | 9}},
		{name: "ipv4 announced, ipv6 there", in: cat(eth(ether4), ip6(6)), want: macs(Headers{EtherType: 0x0800, Malformed: true}),
			stack: st(lEth, 14)},
	})
}

func TestIP(t *testing.T) {
	with := func(h Headers, f func(*Headers)) Headers { f(&h); return h }
	tcpWant := func(proto uint32) Headers {
		return Headers{Proto: proto, SrcPort: 443, DstPort: 50000, TCPFlags: 0x12}
	}
	udpWant := Headers{Proto: 17, SrcPort: 53, DstPort: 40000}
	segs := srh(6, 2, 1, 3)
	runParse(t, []parseCase{
		{name: "ipv4 options", start: StartIPv4, in: cat(ip4(17, 0, make([]byte, 12)...), udp()),
			want: outer4(udpWant), stack: st(lIP4, 32, lUDP, 8)},
		{name: "ipv4 length below 5", start: StartIPv4, in: cat([]byte{0x44}, ip4(17, 0)[1:], udp()),
			want: outer4(Headers{Proto: 17, Malformed: true}), stack: st(lIP4, 20)},
		{name: "ipv4 first fragment", start: StartIPv4, in: cat(ip4(17, 0x2000), udp()),
			want: with(outer4(udpWant), func(h *Headers) { h.IPFlags = 1 }), stack: st(lIP4, 20, lUDP, 8)},
		{name: "ipv4 later fragment", start: StartIPv4, in: cat(ip4(17, 0x40b9), udp()),
			want:  with(outer4(Headers{Proto: 17}), func(h *Headers) { h.IPFlags, h.FragmentOffset = 2, 0xb9 }),
			stack: st(lIP4, 20)},
		{name: "ipv4 later fragment of icmp", start: StartIPv4, in: cat(ip4(1, 1), icmp(3, 4)),
			want:  with(outer4(Headers{Proto: 1}), func(h *Headers) { h.FragmentOffset = 1 }),
			stack: st(lIP4, 20)},
		{name: "ipv4 ah", start: StartIPv4, in: cat(ip4(51, 0), ah(6, 4), tcp(5)), want: outer4(tcpWant(6)),
			stack: st(lIP4, 20, lAny, 24, lTCP, 20)},
		{name: "ipv4 protocol 60 is no extension header", start: StartIPv4, in: cat(ip4(60, 0), ext(6, 0), tcp(5)),
			want: outer4(Headers{Proto: 60}), stack: st(lIP4, 20)},
		{name: "ipv6 all extension headers", start: StartIPv6,
			in: cat(ip6(0), ext(60, 1), ext(43, 0), srh(135, 0, 0, 1), ext(139, 2), ext(140, 0), ext(51, 0),
				ah(44, 4), frag6(60, 0, 1, 0x11223344), ext(6, 0), tcp(5))[:],
			want: with(outer6(tcpWant(6)), func(h *Headers) {
				h.HasRouting, h.IPFlags, h.FragmentID = true, 1, 0x11223344
				h.RoutingAddrs = srh(0, 0, 0, 1)[8:]
			}),
			stack: st(lIP6, 40, lAny, 16, lAny, 8, lRoute, 24, lAny, 24, lAny, 8, lAny, 8, lAny, 24, lFrag, 8, lAny, 8, lTCP, 20)},
		{name: "ipv6 later fragment", start: StartIPv6, in: cat(ip6(44), frag6(17, 185, 1, 77), udp()),
			want:  with(outer6(Headers{Proto: 17}), func(h *Headers) { h.FragmentOffset, h.IPFlags, h.FragmentID = 185, 1, 77 }),
			stack: st(lIP6, 40, lFrag, 8)},
		{name: "ipv6 later fragment behind hop-by-hop", start: StartIPv6, in: cat(ip6(0), ext(44, 0), frag6(58, 2, 0, 77), icmp(1, 1)),
			want:  with(outer6(Headers{Proto: 58}), func(h *Headers) { h.FragmentOffset, h.FragmentID = 2, 77 }),
			stack: st(lIP6, 40, lAny, 8, lFrag, 8)},
		{name: "ipv6 no next header", start: StartIPv6, in: cat(ip6(60), ext(59, 0), tcp(5)), want: outer6(Headers{Proto: 59}),
			stack: st(lIP6, 40, lAny, 8)},
		{name: "ipv6 esp", start: StartIPv6, in: cat(ip6(0), ext(50, 0), tcp(5)), want: outer6(Headers{Proto: 50}),
			stack: st(lIP6, 40, lAny, 8)},
		{name: "srv6, last entry below the list", start: StartIPv6, in: cat(ip6(43), segs, tcp(5)),
			want: with(outer6(tcpWant(6)), func(h *Headers) {
				h.HasRouting, h.RoutingSegLeft, h.RoutingAddrs = true, 2, segs[8:40]
			}),
			stack: st(lIP6, 40, lRoute, 56, lTCP, 20)},
		{name: "srv6, last entry beyond the header", start: StartIPv6, in: cat(ip6(43), srh(6, 2, 255, 3), tcp(5)),
			want: with(outer6(tcpWant(6)), func(h *Headers) {
				h.HasRouting, h.RoutingSegLeft, h.RoutingAddrs = true, 2, segs[8:]
			}),
			stack: st(lIP6, 40, lRoute, 56, lTCP, 20)},
		{name: "srv6, cut in the list", start: StartIPv6, in: cat(ip6(43), srh(6, 2, 2, 3)[:30]),
			want: with(outer6(Headers{Proto: 6}), func(h *Headers) {
				h.HasRouting, h.RoutingSegLeft, h.RoutingAddrs, h.Truncated = true, 2, segs[8:24], true
			}),
			stack: st(lIP6, 40, lRoute, 56)},
		{name: "routing of another type", start: StartIPv6, in: cat(ip6(43), []byte{6, 2, 2, 1}, make([]byte, 20), tcp(5)),
			want:  with(outer6(tcpWant(6)), func(h *Headers) { h.HasRouting, h.RoutingSegLeft = true, 1 }),
			stack: st(lIP6, 40, lRoute, 24, lTCP, 20)},
	})
}

func TestTransport(t *testing.T) {
	runParse(t, []parseCase{
		{name: "tcp options", start: StartIPv4, in: cat(ip4(6, 0), tcp(15)),
			want:  outer4(Headers{Proto: 6, SrcPort: 443, DstPort: 50000, TCPFlags: 0x12}),
			stack: st(lIP4, 20, lTCP, 60)},
		{name: "tcp data offset below 5", start: StartIPv4, in: cat(ip4(6, 0), tcp(4)),
			want:  outer4(Headers{Proto: 6, SrcPort: 443, DstPort: 50000, TCPFlags: 0x12, Malformed: true}),
			stack: st(lIP4, 20, lTCP, 20)},
		{name: "icmp", start: StartIPv4, in: cat(ip4(1, 0), icmp(3, 4), ip4(6, 0), tcp(5)),
			want:  outer4(Headers{Proto: 1, ICMPType: 3, ICMPCode: 4, HasICMP: true}),
			stack: st(lIP4, 20, lICMP, 8)},
		{name: "icmpv6", start: StartIPv6, in: cat(ip6(0), ext(58, 0), icmp(143, 0)),
			want:  outer6(Headers{Proto: 58, ICMPType: 143, HasICMP: true}),
			stack: st(lIP6, 40, lAny, 8, lICMP6, 8)},
		{name: "sctp", start: StartIPv4, in: cat(ip4(132, 0), be16(36412), be16(36413), make([]byte, 8)),
			want: outer4(Headers{Proto: 132, SrcPort: 36412, DstPort: 36413}), stack: st(lIP4, 20, lAny, 12)},
		{name: "udp-lite", start: StartIPv4, in: cat(ip4(136, 0), udp()),
			want: outer4(Headers{Proto: 136, SrcPort: 53, DstPort: 40000}), stack: st(lIP4, 20, lAny, 8)},
		{name: "dccp", start: StartIPv4, in: cat(ip4(33, 0), be16(53), be16(40000), []byte{4}, make([]byte, 11)),
			want: outer4(Headers{Proto: 33, SrcPort: 53, DstPort: 40000}), stack: st(lIP4, 20, lAny, 16)},
		{name: "ospf", start: StartIPv4, in: cat(ip4(89, 0), make([]byte, 24)),
			want: outer4(Headers{Proto: 89}), stack: st(lIP4, 20)},
	})
}

func TestTunnels(t *testing.T) {
	inner4 := cat(ip4(6, 0), tcp(5))
	runParse(t, []parseCase{
		{name: "ipip", start: StartIPv4, in: cat(ip4(4, 0, 1, 1, 1, 1), inner4), want: outer4(Headers{Proto: 4}),
			stack: st(lIP4, 24, lIP4, 20, lTCP, 20), base: 1},
		{name: "6in4", start: StartIPv4, in: cat(ip4(41, 0), ip6(0), ext(6, 0), tcp(5)), want: outer4(Headers{Proto: 41}),
			stack: st(lIP4, 20, lIP6, 40, lAny, 8, lTCP, 20), base: 1},
		{name: "4in6 behind options", start: StartIPv6, in: cat(ip6(60), ext(4, 0), inner4), want: outer6(Headers{Proto: 4}),
			stack: st(lIP6, 40, lAny, 8, lIP4, 20, lTCP, 20), base: 2},
		{name: "inner icmp", start: StartIPv4, in: cat(ip4(4, 0), ip4(1, 0), icmp(8, 1)),
			want:  outer4(Headers{Proto: 4, ICMPType: 8, ICMPCode: 1, HasICMP: true}),
			stack: st(lIP4, 20, lIP4, 20, lICMP, 8), base: 1},
		{name: "inner later fragment and routing leave the outer fields", start: StartIPv4,
			in: cat(ip4(41, 0), ip6(43), srh(44, 1, 0, 1), frag6(17, 9, 1, 5), udp()), want: outer4(Headers{Proto: 41}),
			stack: st(lIP4, 20, lIP6, 40, lRoute, 24, lFrag, 8), base: 1},
		{name: "gre", start: StartIPv4, in: cat(ip4(47, 0), gre(0, ether4, 0), inner4), want: outer4(Headers{Proto: 47}),
			stack: st(lIP4, 20, lGRE, 4, lIP4, 20, lTCP, 20), base: 2},
		{name: "gre with key", start: StartIPv4, in: cat(ip4(47, 0), gre(0x2000, ether4, 4), inner4), want: outer4(Headers{Proto: 47}),
			stack: st(lIP4, 20, lGRE, 8, lIP4, 20, lTCP, 20), base: 2},
		{name: "gre with checksum, key and sequence", start: StartIPv4, in: cat(ip4(47, 0), gre(0xb000, ether6, 12), ip6(6), tcp(5)),
			want: outer4(Headers{Proto: 47}), stack: st(lIP4, 20, lGRE, 16, lIP6, 40, lTCP, 20), base: 2},
		{name: "gre with source routes", start: StartIPv4,
			in:   cat(ip4(47, 0), gre(0x4000, ether4, 4), be16(0x800), []byte{0, 4, 1, 2, 3, 4}, make([]byte, 4), inner4),
			want: outer4(Headers{Proto: 47}), stack: st(lIP4, 20, lGRE, 20, lIP4, 20, lTCP, 20), base: 2},
		{name: "gre with source routes cut", start: StartIPv4,
			in:   cat(ip4(47, 0), gre(0x4000, ether4, 4), be16(0x800), []byte{0, 200, 1, 2, 3, 4}),
			want: outer4(Headers{Proto: 47, Truncated: true}), stack: st(lIP4, 20, lGRE, 216)},
		{name: "gre version 1", start: StartIPv4, in: cat(ip4(47, 0), gre(0x3081, 0x880b, 12), make([]byte, 9)),
			want: outer4(Headers{Proto: 47}), stack: st(lIP4, 20, lGRE, 16), base: 2},
		{name: "gre version 2", start: StartIPv4, in: cat(ip4(47, 0), gre(0xb002, ether4, 12), inner4),
			want: outer4(Headers{Proto: 47}), stack: st(lIP4, 20, lGRE, 4), base: 2},
		{name: "gre keepalive", start: StartIPv4, in: cat(ip4(47, 0), gre(0, 0, 0)), want: outer4(Headers{Proto: 47}),
			stack: st(lIP4, 20, lGRE, 4), base: 2},
		{name: "gre protocol below EtherTypes is not a protocol number", start: StartIPv4, in: cat(ip4(47, 0), gre(0, 6, 0), tcp(5)),
			want: outer4(Headers{Proto: 47}), stack: st(lIP4, 20, lGRE, 4), base: 2},
		{name: "gre bridging a tag", in: cat(eth(ether4), ip4(47, 0), gre(0, 0x6558, 0), eth(vlanType), tag(99, ether4), inner4),
			want:  macs(outer4(Headers{Proto: 47})),
			stack: st(lEth, 14, lIP4, 20, lGRE, 4, lEth, 14, lVLAN, 4, lIP4, 20, lTCP, 20), base: 3},
		{name: "gre in gre", start: StartIPv4, in: cat(ip4(47, 0), gre(0, ether4, 0), ip4(47, 0), gre(0, ether4, 0), inner4),
			want:  outer4(Headers{Proto: 47}),
			stack: st(lIP4, 20, lGRE, 4, lIP4, 20, lGRE, 4, lIP4, 20, lTCP, 20), base: 2},
		{name: "mpls in gre", start: StartIPv4, in: cat(ip4(47, 0), gre(0, 0x8847, 0), label(5, 0, 1, 9), inner4),
			want: outer4(Headers{Proto: 47}), stack: st(lIP4, 20, lGRE, 4, lMPLS, 4, lIP4, 20, lTCP, 20), base: 2},
		{name: "mpls in ip", start: StartIPv6, in: cat(ip6(137), label(5, 0, 1, 9), inner4),
			want: outer6(Headers{Proto: 137}), stack: st(lIP6, 40, lMPLS, 4, lIP4, 20, lTCP, 20), base: 1},
		{name: "ethernet in ip", start: StartIPv4, in: cat(ip4(97, 0), []byte{0x30, 0}, eth(ether4), inner4),
			want: outer4(Headers{Proto: 97}), stack: st(lIP4, 20, lAny, 2, lEth, 14, lIP4, 20, lTCP, 20), base: 2},
	})
}

func TestContinue(t *testing.T) {
	outer := cat(eth(ether4), ip4(17, 0), udp())
	inner := cat(ip4(1, 0), icmp(8, 0))
	for _, c := range []struct {
		name  string
		start Start
		in    []byte
		stack []stackEntry
	}{
		{"geneve", StartGeneve, cat([]byte{2, 0}, be16(0x6558), make([]byte, 12), eth(ether4), inner),
			st(lGeneve, 16, lEth, 14, lIP4, 20, lICMP, 8)},
		{"geneve ip", StartGeneve, cat([]byte{0, 0}, be16(ether4), make([]byte, 4), inner), st(lGeneve, 8, lIP4, 20, lICMP, 8)},
		{"vxlan", StartVXLAN, cat(make([]byte, 8), eth(ether4), inner), st(lAny, 8, lEth, 14, lIP4, 20, lICMP, 8)},
		{"teredo", StartTeredo, cat(ip6(58), icmp(8, 0)), st(lTeredo, 0, lIP6, 40, lICMP6, 8)},
		{"teredo with indications", StartTeredo, cat([]byte{0, 1, 2, 3}, make([]byte, 14), make([]byte, 8), ip6(58), icmp(8, 0)),
			st(lTeredo, 26, lIP6, 40, lICMP6, 8)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h Headers
			in := cat(outer, c.in)
			Parse(in, StartEthernet, &h)
			if h.Payload != len(outer) {
				t.Fatalf("payload at %d, want %d", h.Payload, len(outer))
			}
			Continue(in, c.start, &h)
			want := append(st(lEth, 14, lIP4, 20, lUDP, 8), c.stack...)
			if got := stackOf(&h); !slices.Equal(got, want) {
				t.Errorf("stack %v, want %v", got, want)
			}
			if h.BaseLayers != 3 || h.SrcPort != 53 || h.Proto != 17 || h.ICMPType != 8 || h.Truncated {
				t.Errorf("got %s", show(h))
			}
		})
	}
	var h Headers
	Parse(outer[:40], StartEthernet, &h)
	before := h
	Continue(outer[:40], StartVXLAN, &h)
	if !reflect.DeepEqual(h, before) {
		t.Error("continue went on behind a cut header")
	}
}

func TestPayload(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []byte
		off   int
		typ   uint16
		types []uint16
	}{
		{"arp", cat(eth(0x0806), make([]byte, 28)), 14, 0x0806, []uint16{0}},
		{"esp", cat(eth(ether6), ip6(0), ext(50, 0), make([]byte, 8)), 62, 50, []uint16{0, 0x86dd, 0}},
		{"tcp", cat(eth(ether4), ip4(6, 0), tcp(5), []byte("GET")), 54, 0, []uint16{0, 0x0800, 6}},
		{"later fragment", cat(eth(ether4), ip4(6, 5), make([]byte, 9)), 34, 0, []uint16{0, 0x0800}},
		{"cut", cat(eth(ether4), ip4(6, 0), tcp(5)[:9]), 43, 0, []uint16{0, 0x0800, 6}},
		{"nothing behind ip", cat(eth(ether4), ip4(6, 0)), 34, 6, []uint16{0, 0x0800}},
		{"gre keepalive", cat(eth(ether4), ip4(47, 0), gre(0, 6, 0), tcp(5)), 38, 0, []uint16{0, 0x0800, 47}},
		{"pptp", cat(eth(ether4), ip4(47, 0), gre(1, 0x880b, 0)), 38, 0x880b, []uint16{0, 0x0800, 47}},
	} {
		var h Headers
		Parse(c.in, StartEthernet, &h)
		if h.Payload != c.off || h.PayloadType != c.typ || !slices.Equal(h.LayerType[:h.Layers], c.types) {
			t.Errorf("%s: payload at %d of type %#x behind %#x, want %d, %#x, %#x",
				c.name, h.Payload, h.PayloadType, h.LayerType[:h.Layers], c.off, c.typ, c.types)
		}
		if !h.Truncated && h.Offset(h.Layers) != h.Payload {
			t.Errorf("%s: layers end at %d, payload at %d", c.name, h.Offset(h.Layers), h.Payload)
		}
	}
}
