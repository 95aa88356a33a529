package packet

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// base writes the fields of the base stack that shims could hide.
func base(h *Headers) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%04x", h.EtherType)
	if h.VLANID != 0 {
		fmt.Fprintf(&b, " vlan %d", h.VLANID)
	}
	if h.SrcAddr != nil {
		src, _ := netip.AddrFromSlice(h.SrcAddr)
		dst, _ := netip.AddrFromSlice(h.DstAddr)
		fmt.Fprintf(&b, " %v %v %d %d %d", src, dst, h.Proto, h.SrcPort, h.DstPort)
	}
	if h.Unknown != 0 {
		fmt.Fprintf(&b, " unknown %s", UnknownName(h.Unknown))
	}
	return b.String()
}

type shimCase struct {
	name   string
	start  Start // StartEthernet if 0
	in     []byte
	want   string
	tunnel string
}

func shimCases() []shimCase {
	t4, t6 := cat(in4(6), tcp(5)), cat(in6(6), tcp(5))
	f4, f6 := cat(eth(ether4), t4), cat(eth(ether6), t6)
	cw := make([]byte, 4)
	macsOf := func(first byte, frame []byte) []byte { return cat([]byte{first}, frame[1:]) }
	labels := func(parts ...[]byte) []byte {
		return cat(eth(0x8847), label(300012, 0, 0, 60), label(17, 0, 1, 60), cat(parts...))
	}
	return []shimCase{
		{"802.1BR", 0, cat(eth(0x893f), []byte{0, 1, 0x10, 2, 0, 0}, be16(ether4), t4), wantIn4, ""},
		{"802.1BR and a tag", 0, cat(eth(0x893f), []byte{0, 1, 0x10, 2, 0, 0}, be16(vlanType), tag(5, ether6), t6), "86dd vlan 5" + wantIn6[4:], ""},
		{"VN-Tag", 0, cat(eth(0x8926), []byte{0x80, 1, 0, 2}, be16(vlanType), tag(9, ether4), t4), "0800 vlan 9" + wantIn4[4:], ""},
		{"PBB", 0, cat(eth(0x88a8), tag(300, 0x88e7), be32(0x20012345), eth(vlanType), tag(9, ether4), t4), "0800 vlan 9" + wantIn4[4:], "pbb 74565"},
		{"PBB, no inner tag", 0, cat(eth(0x88a8), tag(300, 0x88e7), be32(0x20012345), f6), "86dd vlan 300" + wantIn6[4:], "pbb 74565"},
		{"FabricPath", 0, cat(eth(0x8903), []byte{0, 0x5f}, f4), wantIn4, "fabricpath"},
		{"TRILL", 0, cat(eth(0x22f3), []byte{0, 0x4f, 0, 1, 0, 2}, be32(0), f4), wantIn4, "trill"},
		{"TrustSec", 0, cat(eth(0x8909), []byte{1, 1, 0, 1, 0, 2}, be16(ether4), t4), wantIn4, ""},
		{"TrustSec behind a tag, two options", 0, cat(eth(vlanType), tag(8, 0x8909), []byte{1, 2, 0, 1, 0, 2, 0, 3, 0, 4}, be16(ether6), t6), "86dd vlan 8" + wantIn6[4:], ""},
		{"MACsec in clear", 0, cat(eth(0x88e5), []byte{0x20, 0}, be32(1), make([]byte, 8), be16(ether4), t4), wantIn4, "macsec"},
		{"MACsec in clear without SCI", 0, cat(eth(0x88e5), []byte{0x03, 0}, be32(1), be16(vlanType), tag(3, ether4), t4), "0800 vlan 3" + wantIn4[4:], "macsec"},
		{"MACsec encrypted", 0, cat(eth(0x88e5), []byte{0x2c, 0}, be32(1), make([]byte, 8), t4), "88e5 unknown ethertype 0x88e5", ""},
		{"Arista's time of 64 bits", 0, cat(eth(0xd28b), be16(1), be16(0x10), make([]byte, 8), be16(ether4), t4), wantIn4, ""},
		{"Arista's time of 48 bits, UTC", 0, cat(eth(0xd28b), be16(1), be16(0x120), make([]byte, 6), be16(ether6), t6), wantIn6, ""},
		{"Arista's other header", 0, cat(eth(0xd28b), be16(3), be16(0x10), make([]byte, 8), t4), "d28b unknown ethertype 0xd28b", ""},
		{"NSH", 0, cat(eth(0x894f), []byte{0, 6, 1, 1, 0, 0, 1, 255}, make([]byte, 16), t4), wantIn4, ""},
		{"NSH of a frame", 0, cat(eth(0x894f), []byte{0, 2, 2, 3, 0, 0, 1, 255}, f6), wantIn6, ""},
		{"NSH of another kind", 0, cat(eth(0x894f), []byte{0, 2, 2, 77, 0, 0, 1, 255}, f6), "894f unknown nsh 77", ""},
		{"bridged without GRE", 0, cat(eth(0x6558), f4), wantIn4, ""},
		{"0x9300", 0, cat(eth(0x9300), tag(3, 0x9100), tag(4, ether4), t4), "0800 vlan 4" + wantIn4[4:], ""},
		{"priority tag", 0, cat(eth(qinq), tag(100, vlanType), tag(0xe000, ether4), t4), "0800 vlan 100" + wantIn4[4:], ""},
		{"SNAP of 802.1H", 0, cat(eth(60), []byte{0xaa, 0xaa, 3, 0, 0, 0xf8}, be16(ether4), t4), wantIn4, ""},
		{"IP in LLC", 0, cat(eth(60), []byte{6, 6, 3}, t4), wantIn4, ""},
		{"other LLC", 0, cat(eth(60), []byte{0x98, 0x98, 3}, t4), "003c unknown llc 0x9898", ""},
		{"ISL", 0, cat([]byte{1, 0, 0x0c, 0, 0, 0}, eth(90)[6:], []byte{0xaa, 0xaa, 3, 0, 0, 0x0c}, be16(44<<1), be32(0), f4), "0800 vlan 44" + wantIn4[4:], ""},
		{"CDP is not ISL", 0, cat([]byte{1, 0, 0x0c, 0xcc, 0xcc, 0xcc}, eth(90)[6:], []byte{0xaa, 0xaa, 3, 0, 0, 0x0c}, be16(0x2000), be32(0), f4), "005a", ""},
		{"compressed protocol in PPPoE", 0, cat(eth(0x8864), []byte{0x11, 0, 0, 9, 0, 41, 0x21}, t4), wantIn4, "pppoe 9"},
		{"mpls in PPPoE", 0, cat(eth(0x8864), pppoe(0x281), label(17, 0, 1, 9), t4), wantIn4, "pppoe 1"},
		{"multilink in PPPoE", 0, cat(eth(0x8864), pppoe(0x3d), t4), "8864 unknown ppp 0x003d", "pppoe 1"},
		{"unknown EtherType", 0, cat(eth(0x88b5), t4), "88b5 unknown ethertype 0x88b5", ""},
		{"unknown EtherType behind a tag", 0, cat(eth(vlanType), tag(3, 0x99fe), t4), "99fe vlan 3 unknown ethertype 0x99fe", ""},
		{"ARP has no IP", 0, cat(eth(0x0806), make([]byte, 28)), "0806", ""},

		{"EoMPLS", 0, labels(cw, f4), wantIn4, "pseudowire 17"},
		{"EoMPLS with a sequence", 0, labels([]byte{0, 0, 0x12, 0x34}, f6), wantIn6, "pseudowire 17"},
		{"EoMPLS and a tag", 0, labels(cw, eth(vlanType), tag(7, ether4), t4), "0800 vlan 7" + wantIn4[4:], "pseudowire 17"},
		{"EoMPLS of ARP", 0, labels(cw, eth(0x0806), []byte{0, 1, 8, 0, 6, 4, 0, 1}, make([]byte, 20)), "0806", "pseudowire 17"},
		{"EoMPLS of spanning tree", 0, labels(cw, eth(38), []byte{0x42, 0x42, 3}, make([]byte, 35)), "0026", "pseudowire 17"},
		{"EoMPLS without control word, MAC 02", 0, labels(f4), wantIn4, "pseudowire 17"},
		{"EoMPLS without control word, MAC 00:00", 0, labels([]byte{0, 0, 0x5e}, f4[3:]), wantIn4, "pseudowire 17"},
		{"EoMPLS without control word, MAC 1c", 0, labels(macsOf(0x1c, f6)), wantIn6, "pseudowire 17"},
		{"EoMPLS without control word, MAC 44", 0, labels(macsOf(0x44, f4)), wantIn4, "pseudowire 17"},
		{"EoMPLS without control word, MAC 46, IPv6", 0, labels(macsOf(0x46, f6)), wantIn6, "pseudowire 17"},
		{"EoMPLS without control word, MAC 60", 0, labels(macsOf(0x60, f4)), wantIn4, "pseudowire 17"},
		{"EoMPLS without control word, MAC 6c, IPv6", 0, labels(macsOf(0x6c, f6)), wantIn6, "pseudowire 17"},
		{"EoMPLS without control word, MAC 88", 0, labels(macsOf(0x88, f6)), wantIn6, "pseudowire 17"},
		{"IPv4 in MPLS", 0, labels(t4), wantIn4, ""},
		{"IPv4 in MPLS from 8.0.69.0", 0, labels(checksum4(cat(in4(6)[:12], []byte{8, 0, 69, 0, 10, 0, 0, 2})), tcp(5)), "0800 8.0.69.0 10.0.0.2 6 443 50000", ""},
		{"IPv4 in MPLS without checksum", 0, labels(ip4(6, 0), tcp(5)), "0800 192.0.2.1 198.51.100.2 6 443 50000", ""},
		{"IPv6 in MPLS", 0, labels(t6), wantIn6, ""},
		{"IPv6 in MPLS from 2001:db8:800:4500::", 0, labels(cat(t6[:8], []byte{0x20, 1, 0xd, 0xb8, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 0, 1}, t6[24:])), "86dd 2001:db8:800:4500::1 2001:db8::b 6 443 50000", ""},
		{"control word and IPv4", 0, labels(cw, t4), wantIn4, "pseudowire 17"},
		{"control word and IPv6", 0, labels(cw, t6), wantIn6, "pseudowire 17"},
		{"IPv6 in MPLS from addresses that nobody has", 0, labels([]byte{0x62, 0, 0, 0, 3, 0xc6, 6, 0x3e, 0xeb, 0x10, 0, 2}, make([]byte, 11), []byte{1, 0xeb, 0x16, 0, 2}, make([]byte, 11), []byte{1}, tcp(5)),
			"86dd eb10:2::1 eb16:2::1 6 443 50000", ""},
		{"EoMPLS, control word with flags and a length", 0, labels([]byte{0, 0x71, 1, 0}, f4), wantIn4, "pseudowire 17"},
		{"associated channel", 0, labels([]byte{0x10, 0, 0, 7}, make([]byte, 24)), "8847 unknown mpls payload 0x10", ""},
		{"circuit", 0, labels(cw, bytes.Repeat([]byte{0xd5}, 48)), "8847 unknown mpls payload 0x00", ""},
		{"explicit null", 0, cat(eth(0x8847), label(0, 0, 1, 9), ip4(6, 0), tcp(5)), "0800 192.0.2.1 198.51.100.2 6 443 50000", ""},
		{"explicit null, IPv4 that looks like Ethernet", 0, cat(eth(0x8847), label(0, 0, 1, 9), ip4(6, 0)[:12], []byte{8, 0, 69, 0, 10, 0, 0, 2}, tcp(5)), "0800 8.0.69.0 10.0.0.2 6 443 50000", ""},
		{"explicit null of IPv6", 0, cat(eth(0x8847), label(2, 0, 1, 9), t6), wantIn6, ""},
		{"EoMPLS in EoMPLS", 0, labels(cw, eth(0x8847), label(99, 0, 1, 7), cw, f4), wantIn4, "pseudowire 99"},
		{"PBB in VN-Tag", 0, cat(eth(0x8926), []byte{0x80, 1, 0, 2}, be16(0x88e7), be32(7), f4), wantIn4, "pbb 7"},

		{"PPP", StartPPP, cat([]byte{0xff, 3, 0, 0x21}, t4), wantIn4, ""},
		{"PPP without address", StartPPP, cat([]byte{0, 0x57}, t6), wantIn6, ""},
		{"PPP of mpls", StartPPP, cat([]byte{0xff, 3, 2, 0x81}, label(3000, 0, 1, 1), t4), wantIn4, ""},
		{"PPP control", StartPPP, cat([]byte{0xff, 3, 0xc0, 0x21}, t6), "0000", ""},
		{"POS of PPP", StartPOS, cat([]byte{0xff, 3, 0, 0x57}, t6), wantIn6, ""},
		{"POS of Cisco HDLC", StartPOS, cat([]byte{0x0f, 0}, be16(ether4), t4), wantIn4, ""},
		{"frame relay", StartFrameRelay, cat([]byte{0x18, 0x41, 3, 0xcc}, t4), wantIn4, ""},
		{"frame relay of IPv6", StartFrameRelay, cat([]byte{0x18, 0x41, 3, 0x8e}, t6), wantIn6, ""},
		{"frame relay with SNAP", StartFrameRelay, cat([]byte{0x18, 0x41, 3, 0, 0x80, 0, 0, 0}, be16(ether4), t4), wantIn4, ""},
		{"frame relay of Cisco", StartFrameRelay, cat([]byte{0x18, 0x41}, be16(ether4), t4), wantIn4, ""},
		{"frame relay of another kind", StartFrameRelay, cat([]byte{0x18, 0x41, 3, 0x81}, t4), "0000 unknown nlpid 0x81", ""},
		{"802.11", StartWiFi, cat([]byte{8, 1, 0, 0}, make([]byte, 20), snap(ether4), t4), wantIn4, ""},
		{"802.11 QoS, four addresses", StartWiFi, cat([]byte{0x88, 3, 0, 0}, make([]byte, 28), snap(ether6), t6), wantIn6, ""},
		{"802.11 QoS, A-MSDU", StartWiFi, cat([]byte{0x88, 1, 0, 0}, make([]byte, 20), []byte{0x80, 0}, eth(60), snap(ether6), t6), wantIn6, ""},
		{"802.11 protected", StartWiFi, cat([]byte{8, 0x41, 0, 0}, make([]byte, 20), snap(ether4), t4), "0000", ""},
		{"A-MSDU subframe", StartAMSDU, cat(eth(60), snap(ether4), t4), wantIn4, ""},
	}
}

func TestShims(t *testing.T) {
	for _, c := range shimCases() {
		if c.start == 0 {
			c.start = StartEthernet
		}
		var h Headers
		Parse(c.in, c.start, &h)
		checkHeaders(t, c.in, &h)
		if got := base(&h); got != c.want || facts(&h) != c.tunnel || h.Truncated || h.Malformed || h.BaseLayers != h.Layers {
			t.Errorf("%s: %q, tunnel %q, want %q, tunnel %q\n%s\n%x", c.name, got, facts(&h), c.want, c.tunnel, show(h), c.in)
		}
		if c.start == StartEthernet && (h.SrcMAC != testSrcMAC || h.Inner.EtherType != 0) {
			t.Errorf("%s: %s", c.name, show(h))
		}
		// A cut shows no addresses, or the right ones: heuristics must not read
		// something else where there is less to go by.
		for n := range c.in {
			var cut Headers
			Parse(c.in[:n:n], c.start, &cut)
			checkHeaders(t, c.in[:n:n], &cut)
			if cut.SrcAddr != nil && (!slices.Equal(cut.SrcAddr, h.SrcAddr) || !slices.Equal(cut.DstAddr, h.DstAddr)) {
				t.Errorf("%s: cut after %d bytes: %q", c.name, n, base(&cut))
			}
			if n < h.Payload && !cut.Truncated {
				t.Errorf("%s: cut after %d bytes is not told: %s", c.name, n, show(cut))
			}
			if cut.Unknown != 0 && cut.Unknown != h.Unknown {
				t.Errorf("%s: cut after %d bytes: %q", c.name, n, base(&cut))
			}
		}
	}
}

// TestPseudowireAmbiguous has a frame that looks like one with and without a
// control word: the IP checksum decides.
func TestPseudowireAmbiguous(t *testing.T) {
	p := checksum4(cat([]byte{0x45, 0, 8, 6}, in4(6)[4:])) // its length is ARP's EtherType, four bytes later
	in := cat(eth(0x8847), label(17, 0, 1, 60), []byte{0}, eth(ether4)[1:], p, tcp(5))
	var h Headers
	Parse(in, StartEthernet, &h)
	if got := base(&h); got != wantIn4 {
		t.Errorf("%q, want %q", got, wantIn4)
	}
}

// TestPseudowireMACs holds the heuristics to random MAC and IP addresses.
func TestPseudowireMACs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	wrong := 0
	const n = 40_000
	for range n {
		p := in4(6)
		copy(p[12:], random(8))
		checksum4(p)
		if r.IntN(2) == 0 {
			p = in6(6)
			copy(p[8:], random(32))
			p[8], p[24] = 0x20|p[8]&0x1f, 0x20|p[24]&0x1f
		}
		p = cat(p, tcp(5))
		et := ether4
		if p[0]>>4 == 6 {
			et = ether6
		}
		body := p
		switch kind := r.IntN(4); kind {
		case 0, 1, 2:
			m := random(12)
			m[6] &^= 1
			if kind == 1 {
				m[0] = []byte{0x40, 0x60}[r.IntN(2)] | m[0]&0x0e // as IP begins
			}
			body = cat(m, be16(et), p)
			if kind == 2 {
				body = cat([]byte{0, 0}, random(2), body)
			}
		}
		in := cat(eth(0x8847), label(17, 0, 1, 60), body)
		var h Headers
		Parse(in, StartEthernet, &h)
		size := map[int]int{ether4: 4, ether6: 16}[et]
		at := map[int]int{ether4: 12, ether6: 8}[et]
		if int(h.EtherType) != et || !slices.Equal(h.SrcAddr, p[at:at+size]) {
			wrong++
			if wrong < 4 {
				t.Logf("%x: %s", in, show(h))
			}
		}
	}
	if wrong > n/10_000 {
		t.Errorf("%d of %d packets were read wrong", wrong, n)
	}
}

func TestUnknownName(t *testing.T) {
	for u, want := range map[uint32]string{0: "", 0x88b5: "ethertype 0x88b5", unknownStart | 3: "header_protocol 3"} {
		if got := UnknownName(u); got != want {
			t.Errorf("%#x: %q, want %q", u, got, want)
		}
	}
}
