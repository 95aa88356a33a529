package packet

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// facts writes what a walk says about tunnels, as the tests below have it.
func facts(h *Headers) string {
	if h.Tunnel == TunnelNone {
		if h.HasTunnelID || h.TunnelID != 0 || h.Inner.EtherType != 0 || h.Inner.SrcAddr() != nil || h.Inner.Proto != 0 {
			return "facts of no tunnel"
		}
		return ""
	}
	var b strings.Builder
	b.WriteString(h.Tunnel.String())
	if h.HasTunnelID {
		fmt.Fprintf(&b, " %d", h.TunnelID)
	}
	in := &h.Inner
	if in.EtherType != 0 {
		fmt.Fprintf(&b, " %04x", in.EtherType)
	}
	if in.SrcAddr() != nil {
		src, _ := netip.AddrFromSlice(in.SrcAddr())
		dst, _ := netip.AddrFromSlice(in.DstAddr())
		fmt.Fprintf(&b, " %v %v", src, dst)
	}
	if in.Proto != 0 {
		fmt.Fprintf(&b, " %d", in.Proto)
	}
	if in.SrcPort|in.DstPort != 0 {
		fmt.Fprintf(&b, " %d %d", in.SrcPort, in.DstPort)
	}
	return b.String()
}

// udpTo has source port 50001.
func udpTo(port int) []byte { return cat(be16(50001), be16(port), be16(100), be16(0)) }

// in4 and in6 are packets in tunnels, with addresses of their own.
func in4(proto int) []byte {
	return checksum4(cat([]byte{0x45, 0, 0, 40, 0, 1, 0, 0, 64, byte(proto), 0, 0}, []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}))
}

func in6(nh int) []byte {
	b := ip6(nh)
	b[23], b[39] = 0xa, 0xb
	return b
}

// checksum4 sets the checksum of an IPv4 header.
func checksum4(b []byte) []byte {
	b[10], b[11] = 0, 0
	sum := 0
	for i := 0; i < len(b); i += 2 {
		sum += int(b[i])<<8 | int(b[i+1])
	}
	sum = sum>>16 + sum&0xffff
	copy(b[10:], be16(^(sum>>16+sum&0xffff)&0xffff))
	return b
}

const (
	wantIn4 = "0800 10.0.0.1 10.0.0.2 6 443 50000"
	wantIn6 = "86dd 2001:db8::a 2001:db8::b 6 443 50000"
)

// tunnelCases are tunnels of all kinds after IPv4; those of ports and others
// that were never layers add none.
func tunnelCases() []struct {
	name   string
	in     []byte
	want   string
	layers int
} {
	t4, t6 := cat(in4(6), tcp(5)), cat(in6(6), tcp(5))
	frame4, frame6 := cat(eth(ether4), t4), cat(eth(ether6), t6)
	overIP := func(proto int, parts ...[]byte) []byte { return cat(eth(ether4), ip4(proto, 0), cat(parts...)) }
	overUDP := func(port int, parts ...[]byte) []byte { return overIP(17, udpTo(port), cat(parts...)) }
	vxlan := func(flags, next, id int) []byte { return cat([]byte{byte(flags), 0, 0, byte(next)}, be32(id<<8)) }
	ppp := []byte{0xff, 3, 0, 0x21}
	type c = struct {
		name   string
		in     []byte
		want   string
		layers int
	}
	return []c{
		{"none", overIP(6, tcp(5)), "", 3},
		{"dns", overUDP(53, frame4), "", 3},
		{"vxlan", overUDP(4789, vxlan(8, 0, 5001), frame4), "vxlan 5001 " + wantIn4, 3},
		{"vxlan with a group", overUDP(4789, []byte{0x88, 0, 0, 7}, be32(9<<8), eth(vlanType), tag(7, ether6), t6), "vxlan 9 " + wantIn6, 3},
		{"vxlan of Linux", overUDP(8472, vxlan(8, 0, 1), frame6), "vxlan 1 " + wantIn6, 3},
		{"vxlan without id", overUDP(4789, vxlan(0, 0, 1), frame6), "", 3},
		{"vxlan of arp", overUDP(4789, vxlan(8, 0, 1), eth(0x0806), make([]byte, 28)), "vxlan 1 0806", 3},
		{"vxlan-gpe ipv4", overUDP(4790, vxlan(12, 1, 77), t4), "vxlan-gpe 77 " + wantIn4, 3},
		{"vxlan-gpe ipv6", overUDP(4790, vxlan(12, 2, 77), t6), "vxlan-gpe 77 " + wantIn6, 3},
		{"vxlan-gpe ethernet", overUDP(4790, vxlan(12, 3, 77), frame6), "vxlan-gpe 77 " + wantIn6, 3},
		{"vxlan-gpe nsh", overUDP(4790, vxlan(12, 4, 77), []byte{0, 6, 1, 3, 0, 0, 1, 255}, make([]byte, 16), frame4), "vxlan-gpe 77 " + wantIn4, 3},
		{"vxlan-gpe mpls", overUDP(4790, vxlan(12, 5, 77), label(99, 0, 1, 1), t4), "vxlan-gpe 77 " + wantIn4, 3},
		{"vxlan-gpe of another kind", overUDP(4790, vxlan(12, 99, 77), t4), "vxlan-gpe 77", 3},
		{"vxlan-gpe without id", overUDP(4790, vxlan(4, 1, 77), t4), "vxlan-gpe " + wantIn4, 3},
		{"geneve", overUDP(6081, []byte{2, 0}, be16(0x6558), be32(0xabcdef<<8), make([]byte, 8), frame4), "geneve 11259375 " + wantIn4, 3},
		{"geneve ip", overUDP(6081, []byte{0, 0}, be16(ether6), be32(5<<8), t6), "geneve 5 " + wantIn6, 3},
		{"geneve of another version", overUDP(6081, []byte{0x40, 0}, be16(ether6), be32(5<<8), t6), "", 3},
		{"gtp-u", overUDP(2152, []byte{0x30, 255, 0, 60}, be32(0xdeadbeef), t4), "gtp-u 3735928559 " + wantIn4, 3},
		{"gtp-u with a sequence", overUDP(2152, []byte{0x32, 255, 0, 60}, be32(7), []byte{0, 1, 0, 0}, t6), "gtp-u 7 " + wantIn6, 3},
		{"gtp-u with extensions", overUDP(2152, []byte{0x34, 255, 0, 60}, be32(7), []byte{0, 0, 0, 0x85}, []byte{1, 0, 9, 0xc0}, []byte{2, 1, 2, 3, 4, 5, 6, 0}, t4), "gtp-u 7 " + wantIn4, 3},
		{"gtp-u of ethernet", overUDP(2152, []byte{0x30, 255, 0, 60}, be32(7), frame4), "gtp-u 7 " + wantIn4, 3},
		{"gtp-u echo", overUDP(2152, []byte{0x32, 1, 0, 60}, be32(0), t4), "", 3},
		{"gtp-u extension of no bytes", overUDP(2152, []byte{0x34, 255, 0, 60}, be32(7), []byte{0, 0, 0, 0x85}, make([]byte, 8), t4), "", 3},
		{"teredo", overUDP(3544, t6), "teredo " + wantIn6, 3},
		{"teredo from the port", overIP(17, be16(3544), be16(5), be32(8), []byte{0, 0, 1, 2, 3, 4, 5, 6}, t6), "teredo " + wantIn6, 3},
		{"teredo of ipv4", overUDP(3544, t4), "", 3},
		{"lisp", overUDP(4341, []byte{8, 0, 0, 0}, be32(300<<8), t4), "lisp 300 " + wantIn4, 3},
		{"lisp without id", overUDP(4341, make([]byte, 8), t6), "lisp " + wantIn6, 3},
		{"mpls in udp", overUDP(6635, label(16, 0, 0, 1), label(500, 0, 1, 1), t4), "mpls-udp 500 " + wantIn4, 3},
		{"ethernet in mpls in udp", overUDP(6635, label(500, 0, 1, 1), make([]byte, 4), frame6), "mpls-udp 500 " + wantIn6, 3},
		{"gue", overUDP(6080, []byte{1, 4, 0, 0}, make([]byte, 4), t4), "gue " + wantIn4, 3},
		{"gue ip", overUDP(6080, t6), "gue " + wantIn6, 3},
		{"gue control", overUDP(6080, []byte{0x20, 4, 0, 0}, make([]byte, 4), t4), "", 3},
		{"l2tp", overUDP(1701, []byte{0, 2, 0, 5, 0, 6}, ppp, t4), fmt.Sprintf("l2tp %d ", 5<<16|6) + wantIn4, 3},
		{"l2tp with all", overUDP(1701, []byte{0x4a, 2, 0, 99, 0, 5, 0, 6, 0, 1, 0, 2, 0, 2, 0, 0}, []byte{0, 0x57}, t6), fmt.Sprintf("l2tp %d ", 5<<16|6) + wantIn6, 3},
		{"l2tp control", overUDP(1701, []byte{0xc8, 2, 0, 99, 0, 5, 0, 6, 0, 1, 0, 2}, t4), "", 3},
		{"l2tpv3 in udp", overUDP(1701, []byte{0, 3, 0, 0}, be32(99), make([]byte, 4), frame4), "l2tpv3 99 " + wantIn4, 3},
		{"l2tpv3", overIP(115, be32(99), frame4), "l2tpv3 99 " + wantIn4, 2},
		{"l2tpv3 with cookie and sublayer", overIP(115, be32(99), []byte{1, 2, 3, 4, 5, 6, 7, 8, 0x40, 0, 0, 1}, frame6), "l2tpv3 99 " + wantIn6, 2},
		{"l2tpv3 of ip", overIP(115, be32(99), []byte{1, 2, 3, 4}, t4), "l2tpv3 99 " + wantIn4, 2},
		{"l2tpv3 control", overIP(115, be32(0), frame4), "", 2},
		{"capwap", overUDP(5247, []byte{0, 2 << 3, 0, 0}, make([]byte, 4), frame4), "capwap " + wantIn4, 3},
		{"capwap of 802.11", overUDP(5247, []byte{0, 2 << 3, 3, 0}, make([]byte, 4), []byte{8, 1, 0, 0}, make([]byte, 20), snap(ether4), t4), "capwap " + wantIn4, 3},
		{"capwap encrypted", overUDP(5247, []byte{1, 2 << 3, 0, 0}, make([]byte, 4), frame4), "", 3},
		{"ip in ip", overIP(4, t4), "ip " + wantIn4, 4},
		{"ipv6 in ip", overIP(41, t6), "ip " + wantIn6, 4},
		{"ip in ip of protocol 94", overIP(94, t4), "ip " + wantIn4, 2},
		{"gre", overIP(47, gre(0, ether4, 0), t4), "gre " + wantIn4, 5},
		{"gre with a key", overIP(47, gre(0xb000, ether6, 4), be32(4711), be32(1), t6), "gre 4711 " + wantIn6, 5},
		{"gre of a frame", overIP(47, gre(0x2000, 0x6558, 0), be32(100), frame4), "gre 100 " + wantIn4, 6},
		{"nvgre", overIP(47, gre(0x2000, 0x6558, 0), be32(5000<<8|3), frame4), "nvgre 5000 " + wantIn4, 6},
		{"mpls in gre", overIP(47, gre(0, 0x8847, 0), label(44, 0, 1, 1), t4), "mpls-gre 44 " + wantIn4, 6},
		{"erspan I", overIP(47, gre(0, 0x88be, 0), frame4), "erspan1 " + wantIn4, 3},
		{"erspan II", overIP(47, gre(0x1000, 0x88be, 4), be32(1<<28|5<<16|0x3ff), be32(1), frame6), "erspan2 1023 " + wantIn6, 3},
		{"erspan II of another version", overIP(47, gre(0x1000, 0x88be, 4), be32(2<<28|7), be32(1), frame6), "gre 88be", 3},
		{"erspan III", overIP(47, gre(0x1000, 0x22eb, 4), be32(2<<28|9), be32(1), be32(0), frame4), "erspan3 9 " + wantIn4, 3},
		{"erspan III with a subheader", overIP(47, gre(0x1000, 0x22eb, 4), be32(2<<28|9), be32(1), be32(1), make([]byte, 8), frame4), "erspan3 9 " + wantIn4, 3},
		{"pptp", overIP(47, gre(0x3001, 0x880b, 0), be32(60<<16|77), be32(1), ppp, t4), "pptp 77 " + wantIn4, 3},
		{"etherip", overIP(97, []byte{0x30, 0}, frame4), "etherip " + wantIn4, 6},
		{"mpls in ip", overIP(137, label(44, 0, 1, 1), t4), "mpls-ip 44 " + wantIn4, 5},
		{"srv6 of ip", cat(eth(ether6), ip6(43), srh(4, 0, 0, 1), t4), "srv6 " + wantIn4, 5},
		{"srv6 of a frame", cat(eth(ether6), ip6(43), srh(143, 0, 0, 1), frame6), "srv6 " + wantIn6, 3},
		{"ethernet in ipv6", cat(eth(ether6), ip6(143), frame6), "srv6 " + wantIn6, 2},
		{"the first of two tunnels", overIP(47, gre(0, ether4, 0), in4(47), gre(0x2000, ether6, 4), t6), "gre 0800 10.0.0.1 10.0.0.2 47", 7},
		{"a tunnel in vxlan", overUDP(4789, vxlan(8, 0, 3), eth(ether4), in4(4), t4), "vxlan 3 0800 10.0.0.1 10.0.0.2 4", 3},
		{"vxlan in pppoe", cat(eth(0x8864), pppoe(0x21), ip4(17, 0), udpTo(4789), vxlan(8, 0, 3), frame4), "vxlan 3 " + wantIn4, 4},
		{"vxlan in ip in ip", overIP(4, in4(17), udpTo(4789), vxlan(8, 0, 3), frame4), "ip 0800 10.0.0.1 10.0.0.2 17 50001 4789", 4},
		{"labels in a pseudowire in udp", overUDP(6635, label(500, 0, 1, 1), make([]byte, 4), eth(0x8847), label(77, 0, 1, 1), t4), "mpls-udp 500 " + wantIn4, 3},
		{"later fragment in vxlan", overUDP(4789, vxlan(8, 0, 3), eth(ether4), in4frag(17), udp()), "vxlan 3 0800 10.0.0.1 10.0.0.2 17", 3},
		{"pppoe", cat(eth(0x8864), pppoe(0x21), t4), "pppoe 1", 4},
		{"pbb", cat(eth(0x88e7), be32(0x12345), frame4), "pbb 74565", 5},
		{"ethernet in mpls", cat(eth(0x8847), label(16, 0, 0, 1), label(77, 0, 1, 1), make([]byte, 4), frame4), "pseudowire 77", 6},
		{"macsec", cat(eth(0x88e5), []byte{0x20, 0}, be32(1), make([]byte, 8), be16(ether4), t4), "macsec", 4},
	}
}

func in4frag(proto int) []byte {
	b := in4(proto)
	b[7] = 9
	return checksum4(b)
}

func TestInner(t *testing.T) {
	seen := map[Tunnel]bool{}
	for _, c := range tunnelCases() {
		var h Headers
		Parse(c.in, StartEthernet, &h)
		checkHeaders(t, c.in, &h)
		if got := facts(&h); got != c.want || h.Layers != c.layers {
			t.Errorf("%s: %d layers, %q; want %d, %q\n%x", c.name, h.Layers, got, c.layers, c.want, c.in)
		}
		if h.Truncated || h.Malformed || h.SrcAddr == nil || h.Unknown != 0 {
			t.Errorf("%s: %s", c.name, show(h))
		}
		seen[h.Tunnel] = true

		// What is cut shows no more than the whole, and leaves the base alone.
		whole := facts(&h)
		for n := range c.in {
			cut := c.in[:n:n]
			var h Headers
			Parse(cut, StartEthernet, &h)
			checkHeaders(t, cut, &h)
			if in := h.Inner; in.SrcAddr() != nil && !strings.Contains(whole, netip.AddrFrom16([16]byte(to16(in.SrcAddr()))).Unmap().String()) {
				t.Errorf("%s: cut after %d bytes: %q", c.name, n, facts(&h))
			}
		}
	}
	for k := TunnelIP; k < numTunnels; k++ {
		if !seen[k] && k != TunnelPort && k != TunnelTRILL && k != TunnelFabricPath {
			t.Errorf("no case of %v", k)
		}
		if k.String() == "" {
			t.Errorf("tunnel %d has no name", k)
		}
	}
}

func to16(a []byte) []byte {
	if len(a) == 4 {
		return cat(make([]byte, 10), []byte{0xff, 0xff}, a)
	}
	return a
}

// TestInnerContinue checks that ports of the configuration fill the fields of
// tunnels, unless the default ports have.
func TestInnerContinue(t *testing.T) {
	t4 := cat(in4(6), tcp(5))
	vx := cat([]byte{8, 0, 0, 0}, be32(5<<8), eth(ether4), t4)
	for _, c := range []struct {
		name  string
		port  int
		start Start
		in    []byte
		want  string
	}{
		{"vxlan", 9999, StartVXLAN, vx, "vxlan 5 " + wantIn4},
		{"vxlan on its port", 4789, StartVXLAN, vx, "vxlan 5 " + wantIn4},
		{"geneve", 9999, StartGeneve, cat([]byte{0, 0}, be16(ether4), be32(6<<8), t4), "geneve 6 " + wantIn4},
		{"teredo", 9999, StartTeredo, cat(in6(6), tcp(5)), "teredo " + wantIn6},
		{"gre", 9999, StartGRE, cat(gre(0x2000, ether4, 0), be32(9), t4), "gre 9 " + wantIn4},
		{"erspan in gre", 9999, StartGRE, cat(gre(0, 0x88be, 0), eth(ether4), t4), "erspan1 " + wantIn4},
		{"ip", 9999, StartIPv4, t4, "port " + wantIn4},
	} {
		in := cat(eth(0x8864), pppoe(0x21), ip4(17, 0), udpTo(c.port), c.in)
		var h Headers
		Parse(in, StartEthernet, &h)
		Continue(in, c.start, &h)
		checkHeaders(t, in, &h)
		if got := facts(&h); got != c.want || h.BaseLayers != 4 {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTunnelOfPorts(t *testing.T) {
	n := 0
	for port := range 1 << 16 {
		p := uint16(port)
		if k := TunnelOfPorts(1, p); k != TunnelNone {
			n++
		}
		if k := TunnelOfPorts(p, 1); k != TunnelNone && k != TunnelOfPorts(1, p) {
			t.Errorf("port %d: %v from it, %v to it", p, k, TunnelOfPorts(1, p))
		}
	}
	if n != 11 {
		t.Errorf("%d ports of tunnels", n)
	}
	if TunnelNone.String()+Tunnel(200).String() != "" {
		t.Error("names of no tunnels")
	}
}

// TestInnerReused checks that nothing of one packet is left in the next.
func TestInnerReused(t *testing.T) {
	var h Headers
	for _, c := range tunnelCases() {
		Parse(c.in, StartEthernet, &h)
	}
	in, _ := hex.DecodeString("02000000000b02000000000a0800")
	Parse(in, StartEthernet, &h)
	if facts(&h) != "" || h.Unknown != 0 {
		t.Errorf("left over: %s", show(h))
	}
}
