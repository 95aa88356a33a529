package packet

import (
	"bytes"
	"testing"
	"time"
)

// TestTruncation cuts one frame everywhere: what is there is given, and nothing else.
func TestTruncation(t *testing.T) {
	in := cat(eth(vlanType), tag(0x2064, ether4), ip4(6, 0x4000, make([]byte, 8)...), tcp(6))
	const ip, l4 = 18, 46
	for n := range len(in) + 1 {
		var h Headers
		Parse(in[:n:n], StartEthernet, &h)
		if h.Truncated != (n < len(in)) {
			t.Errorf("%d bytes: truncated %v", n, h.Truncated)
		}
		for _, c := range []struct {
			what      string
			need      int
			got, want uint64
		}{
			{"destination MAC", 6, h.DstMAC, testDstMAC},
			{"source MAC", 12, h.SrcMAC, testSrcMAC},
			{"VLAN", 16, uint64(h.VLANID), 0x64},
			{"TOS", ip + 2, uint64(h.TOS), 0xb8},
			{"id", ip + 6, uint64(h.FragmentID), 0x1234},
			{"flags", ip + 8, uint64(h.IPFlags), 2},
			{"TTL", ip + 9, uint64(h.TTL), 61},
			{"protocol", ip + 10, uint64(h.Proto), 6},
			{"addresses", ip + 20, uint64(len(h.SrcAddr) + len(h.DstAddr)), 8},
			{"ports", l4 + 4, uint64(h.SrcPort)<<16 | uint64(h.DstPort), 443<<16 | 50000},
			{"flags of TCP", l4 + 14, uint64(h.TCPFlags), 0x12},
		} {
			want := c.want
			if n < c.need {
				want = 0
			}
			if c.got != want {
				t.Errorf("%d bytes: %s %#x, want %#x", n, c.what, c.got, want)
			}
		}
		et := uint32(ether4)
		if n < 14 {
			et = 0
		} else if n < 18 {
			et = vlanType
		}
		if h.EtherType != et {
			t.Errorf("%d bytes: EtherType %#x, want %#x", n, h.EtherType, et)
		}
		if n > ip && h.LayerSize[2] != 28 {
			t.Errorf("%d bytes: IPv4 layer of %d bytes", n, h.LayerSize[2])
		}
		if n > l4+12 && h.LayerSize[3] != 24 || n > l4 && n <= l4+12 && h.LayerSize[3] != 20 {
			t.Errorf("%d bytes: TCP layer of %d bytes", n, h.LayerSize[3])
		}
		if n <= l4 && h.Layers > 3 || n <= ip && h.Layers > 2 || n == 0 && h.Layers != 0 {
			t.Errorf("%d bytes: %d layers", n, h.Layers)
		}
	}

	in = cat(ip6(0), ext(44, 0), frag6(58, 0, 1, 7), icmp(135, 2))
	for n := range len(in) + 1 {
		var h Headers
		Parse(in[:n:n], StartIPv6, &h)
		if h.Truncated != (n < len(in)) || (len(h.SrcAddr) == 16) != (n >= 40) || h.HasICMP != (n >= 58) ||
			(h.FragmentID == 7) != (n >= 56) || (h.IPFlags == 1) != (n >= 52) || (h.FlowLabel != 0) != (n >= 4) {
			t.Errorf("%d bytes: %s", n, show(h))
		}
		proto := uint32(0)
		if n > 40 {
			proto = 44
		}
		if n > 48 {
			proto = 58
		}
		if h.Proto != proto {
			t.Errorf("%d bytes: protocol %d, want %d", n, h.Proto, proto)
		}
	}
}

// TestTruncationEverywhere cuts frames of all headers: each cut within a header
// or before an announced one is told, and no cut shows more than the whole.
func TestTruncationEverywhere(t *testing.T) {
	for name, in := range map[string][]byte{
		"pppoe":   cat(eth(0x8864), pppoe(0x57), ip6(43), srh(51, 1, 0, 1), ah(132, 4), be16(1), be16(2), make([]byte, 8)),
		"mpls":    cat(eth(0x8848), label(1, 0, 0, 1), label(2, 0, 1, 1), ip4(47, 0), gre(0x3081, ether6, 12), ip6(17), udp()),
		"bridge":  cat(eth(ether4), ip4(47, 0), gre(0xb000, 0x6558, 12), eth(vlanType), tag(1, ether4), ip4(1, 0), icmp(8, 0)),
		"etherip": cat(eth(ether4), ip4(97, 0), []byte{0x30, 0}, eth(ether4), ip4(4, 0), ip4(41, 0), ip6(6), tcp(5)),
		"labels":  cat(eth(ether6), ip6(137), label(1, 0, 1, 1), ip4(58, 0), icmp(1, 2)),
	} {
		var whole, h Headers
		Parse(in, StartEthernet, &whole)
		if whole.Truncated || whole.Malformed || whole.Offset(whole.Layers) != len(in) {
			t.Fatalf("%s: %s", name, show(whole))
		}
		for n := range in {
			cut := in[:n:n]
			Parse(cut, StartEthernet, &h)
			checkHeaders(t, cut, &h)
			if !h.Truncated || h.Malformed || h.Layers > whole.Layers || h.BaseLayers > whole.BaseLayers {
				t.Errorf("%s: %d of %d bytes: %s", name, n, len(in), show(h))
			}
		}
	}
	outer := cat(eth(ether4), ip4(17, 0), udp())
	for start, inner := range map[Start][]byte{
		StartGeneve: cat([]byte{2, 0}, be16(ether4), make([]byte, 12), ip4(1, 0), icmp(8, 0)),
		StartVXLAN:  cat(make([]byte, 8), eth(ether4), ip4(1, 0), icmp(8, 0)),
		StartTeredo: cat([]byte{0, 1, 0, 0}, make([]byte, 9), ip6(58), icmp(8, 0)),
	} {
		in := cat(outer, inner)
		for n := len(outer); n < len(in); n++ {
			var h Headers
			Parse(in[:n:n], StartEthernet, &h)
			Continue(in[:n:n], start, &h)
			checkHeaders(t, in[:n:n], &h)
			if !h.Truncated || h.Malformed || h.BaseLayers != 3 {
				t.Errorf("start %d: %d of %d bytes: %s", start, n, len(in), show(h))
			}
		}
	}
}

func TestManyLayers(t *testing.T) {
	for _, c := range []struct {
		name  string
		start Start
		in    []byte
	}{
		{"tags", StartEthernet, cat(eth(vlanType), bytes.Repeat(tag(5, vlanType), 1000))},
		{"ipip", StartIPv4, bytes.Repeat(ip4(4, 0), 1000)},
		{"gre", StartIPv4, bytes.Repeat(cat(ip4(47, 0), gre(0, ether4, 0)), 1000)},
		{"bridged gre", StartEthernet, bytes.Repeat(cat(eth(ether4), ip4(47, 0), gre(0, 0x6558, 0)), 1000)},
		{"options", StartIPv6, cat(ip6(60), bytes.Repeat(ext(60, 0), 1000))},
		{"routing", StartIPv6, cat(ip6(43), bytes.Repeat(srh(43, 0, 0, 1), 1000))},
		{"fragments", StartIPv6, cat(ip6(44), bytes.Repeat(frag6(44, 0, 1, 1), 1000))},
		{"ah", StartIPv6, cat(ip6(51), bytes.Repeat(ah(51, 4), 1000))},
		{"pppoe", StartMPLS, bytes.Repeat(cat(label(1, 0, 1, 1), ip4(137, 0)), 1000)},
		{"snap", StartEthernet, cat(eth(100), bytes.Repeat(cat(snap(vlanType), tag(1, 100)), 1000))},
		{"shims", StartEthernet, cat(eth(0x8926), bytes.Repeat(cat(make([]byte, 4), be16(0x8926)), 1000))},
		{"frames in frames", StartEthernet, cat(eth(0x88e7), bytes.Repeat(cat(be32(1), eth(0x88e7)), 1000))},
		{"pseudowires", StartEthernet, cat(eth(0x8847), bytes.Repeat(cat(label(99, 0, 1, 1), be32(0), eth(0x8847)), 1000))},
		{"etherip", StartIPv4, bytes.Repeat(cat(ip4(97, 0), []byte{0x30, 0}, eth(ether4)), 1000)},
	} {
		var h Headers
		begin := time.Now()
		for range 1000 {
			Parse(c.in, c.start, &h)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%s: %v a packet", c.name, d/1000)
		}
		if h.Layers != MaxLayers || !h.LayersExceeded || h.Truncated {
			t.Errorf("%s: %d layers, exceeded %v, truncated %v", c.name, h.Layers, h.LayersExceeded, h.Truncated)
		}
	}
	var h Headers
	Parse(cat(eth(vlanType), bytes.Repeat(tag(5, vlanType), 30), tag(6, ether4), ip4(6, 0)), StartEthernet, &h)
	if h.Layers != MaxLayers || !h.LayersExceeded || h.VLANID != 6 || h.EtherType != 0x0800 || h.SrcAddr != nil {
		t.Errorf("32 layers and one: %s", show(h))
	}
	Parse(cat(eth(vlanType), bytes.Repeat(tag(5, vlanType), 30), tag(6, 0x0806)), StartEthernet, &h)
	if h.Layers != MaxLayers || h.LayersExceeded {
		t.Errorf("32 layers and no more: %s", show(h))
	}

	// A label stack is one layer however long, and ends with the data.
	deep := cat(eth(0x8847), bytes.Repeat(label(16, 0, 0, 1), 10000))
	Parse(deep, StartEthernet, &h)
	if len(h.MPLS) != 40000 || !h.Truncated || h.Layers != 2 {
		t.Errorf("deep label stack: %d bytes, %d layers", len(h.MPLS), h.Layers)
	}
}

func TestNoAllocation(t *testing.T) {
	ins := [][]byte{
		cat(eth(qinq), tag(1, vlanType), tag(2, ether4), ip4(47, 0), gre(0x2000, 0x6558, 4), eth(ether6), ip6(0), ext(6, 0), tcp(8)),
		cat(eth(0x8847), label(16, 0, 1, 1), ip6(43), srh(44, 0, 1, 2), frag6(17, 0, 1, 1), udp()),
		cat(eth(ether4), ip4(6, 0))[:30],
		cat(eth(50), snap(ether4), ip4(132, 0), be16(1), be16(2)),
	}
	for _, c := range tunnelCases() {
		ins = append(ins, c.in)
	}
	for _, c := range shimCases() {
		ins = append(ins, c.in)
	}
	var h Headers
	if n := testing.AllocsPerRun(100, func() {
		for _, in := range ins {
			Parse(in, StartEthernet, &h)
			Continue(in, StartGeneve, &h)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, start := range []Start{StartEthernet, StartIPv4, StartIPv6, StartMPLS} {
		f.Add(cat(eth(qinq), tag(1, 0x8847), label(16, 0, 1, 1), ip4(47, 0), gre(0x7000, 0x6558, 12), make([]byte, 4), eth(ether6), ip6(0), ext(6, 0), tcp(8)), uint8(start))
		f.Add(cat(eth(0x8864), pppoe(0x57), ip6(43), srh(44, 0, 1, 2), frag6(51, 0, 1, 1), ah(17, 4), udp(), make([]byte, 40)), uint8(start))
		f.Add(cat(ip4(4, 0), ip4(41, 0), ip6(137), label(1, 0, 1, 1), ip4(97, 0), make([]byte, 2), eth(60), snap(ether4), ip4(1, 0), icmp(1, 1)), uint8(start))
		f.Add(cat(ip6(135), ext(139, 0), ext(140, 0), ext(132, 0), udp()), uint8(start))
	}
	for _, c := range tunnelCases() {
		f.Add(c.in, uint8(StartEthernet))
	}
	for _, c := range shimCases() {
		f.Add(c.in, uint8(max(c.start, StartEthernet)))
	}
	f.Fuzz(func(t *testing.T, in []byte, start uint8) {
		in = in[:len(in):len(in)]
		var h Headers
		for i := range h.LayerSize { // a reused struct must be forgotten
			h.LayerSize[i] = 99
		}
		h.SrcAddr, h.Layers, h.Truncated = ip4Src, 5, true
		h.Tunnel, h.HasTunnelID, h.TunnelID, h.Unknown = TunnelGRE, true, 7, 8
		h.Inner = Inner{addrs: cat(ip4Src, ip4Dst), EtherType: 1, SrcPort: 2, DstPort: 3, Proto: 4}
		Parse(in, Start(start), &h)
		checkHeaders(t, in, &h)
		if !h.Truncated && !h.Malformed && !h.LayersExceeded {
			for _, s := range []Start{StartGeneve, StartTeredo, StartVXLAN} {
				c := h
				Continue(in, s, &c)
				checkHeaders(t, in, &c)
				if c.BaseLayers != h.BaseLayers || c.Layers < h.Layers {
					t.Fatalf("continue: %s", show(c))
				}
			}
		}
	})
}

func checkHeaders(t *testing.T, in []byte, h *Headers) {
	t.Helper()
	for _, v := range [][]byte{h.SrcAddr, h.DstAddr, h.MPLS, h.RoutingAddrs, h.Inner.SrcAddr(), h.Inner.DstAddr()} {
		if len(v) == 0 {
			continue
		}
		if !within(in, v) || cap(v) != len(v) {
			t.Fatalf("view of %d bytes is not within the input", len(v))
		}
	}
	if l := len(h.SrcAddr); l != 0 && l != 4 && l != 16 || len(h.DstAddr) != l {
		t.Fatalf("addresses of %d and %d bytes", l, len(h.DstAddr))
	}
	if l := len(h.Inner.SrcAddr()); l != 0 && l != 4 && l != 16 || len(h.Inner.DstAddr()) != l {
		t.Fatalf("inner addresses of %d and %d bytes", l, len(h.Inner.DstAddr()))
	}
	if h.Tunnel >= numTunnels || !h.Tunnel.overIP() && (h.Inner.EtherType|h.Inner.SrcPort|h.Inner.DstPort != 0 ||
		h.Inner.Proto != 0 || h.Inner.addrs != nil) || h.Tunnel == TunnelNone && (h.HasTunnelID || h.TunnelID != 0) ||
		!h.HasTunnelID && h.TunnelID != 0 {
		t.Fatalf("fields of tunnels contradict each other: %s", show(*h))
	}
	if h.Unknown != 0 && h.SrcAddr != nil {
		t.Fatalf("an unknown header in a packet with addresses: %s", show(*h))
	}
	if len(h.MPLS)%4 != 0 || len(h.RoutingAddrs)%16 != 0 {
		t.Fatalf("lists of %d and %d bytes", len(h.MPLS), len(h.RoutingAddrs))
	}
	if h.Layers < 0 || h.Layers > MaxLayers || h.BaseLayers < 0 || h.BaseLayers > h.Layers ||
		h.LayersExceeded && h.Layers != MaxLayers {
		t.Fatalf("%d layers, %d of them base", h.Layers, h.BaseLayers)
	}
	for i := h.Layers; i < MaxLayers; i++ {
		if h.LayerSize[i] != 0 || h.LayerStack[i] != 0 || h.LayerType[i] != 0 {
			t.Fatalf("entry above the last layer is set")
		}
	}
	if h.Payload > len(in) || !h.Truncated && h.Offset(h.Layers) != h.Payload || h.Layers > 0 && h.Offset(h.Layers-1) > len(in) {
		t.Fatalf("layers of %d bytes, payload at %d of %d", h.Offset(h.Layers), h.Payload, len(in))
	}
	if h.SrcMAC>>48|h.DstMAC>>48 != 0 || h.EtherType > 0xffff || h.VLANID > 0xfff || h.Proto > 255 || h.SrcPort > 0xffff ||
		h.DstPort > 0xffff || h.TOS > 255 || h.TTL > 255 || h.TCPFlags > 255 || h.FlowLabel > 0xfffff ||
		h.FragmentOffset > 0x1fff || h.IPFlags > 7 || h.ICMPType > 255 || h.ICMPCode > 255 {
		t.Fatalf("out of range: %s", show(*h))
	}
}

// within says whether v is a part of in: v has no other bytes after it than
// those that in has at that place, and writing through one shows in the other.
func within(in, v []byte) bool {
	for i := 0; i+len(v) <= len(in); i++ {
		if &in[i] == &v[0] {
			return true
		}
	}
	return false
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"tcp4", cat(eth(ether4), ip4(6, 0), tcp(8), make([]byte, 62))},
		{"vlan-tcp6", cat(eth(vlanType), tag(1, ether6), ip6(6), tcp(8), make([]byte, 38))},
		{"srv6", cat(eth(ether6), ip6(43), srh(6, 0, 1, 2), tcp(5))},
		{"gre-eth", cat(eth(ether4), ip4(47, 0), gre(0x2000, 0x6558, 4), eth(ether4), ip4(6, 0), tcp(5))},
		{"tags1000", cat(eth(vlanType), bytes.Repeat(tag(5, vlanType), 1000))},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var h Headers
			for b.Loop() {
				Parse(c.in, StartEthernet, &h)
			}
		})
	}
}
