package packet

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// TestOracle compares with gopacket on random well-formed frames: the outer
// stack of both must agree field by field.
func TestOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	var h Headers
	for i := range 20000 {
		in := randomFrame(rng)
		Parse(in, StartEthernet, &h)
		want, what := oracle(t, in)
		seen[what]++
		got := Headers{
			SrcMAC: h.SrcMAC, DstMAC: h.DstMAC, EtherType: h.EtherType, VLANID: h.VLANID,
			SrcAddr: h.SrcAddr, DstAddr: h.DstAddr, Proto: h.Proto, SrcPort: h.SrcPort, DstPort: h.DstPort,
			TOS: h.TOS, TTL: h.TTL, TCPFlags: h.TCPFlags, ICMPType: h.ICMPType, ICMPCode: h.ICMPCode,
			FlowLabel: h.FlowLabel, FragmentID: h.FragmentID, FragmentOffset: h.FragmentOffset, IPFlags: h.IPFlags,
		}
		if !bytes.Equal(got.SrcAddr, want.SrcAddr) || !bytes.Equal(got.DstAddr, want.DstAddr) || show(got) != show(want) {
			t.Fatalf("frame %d\n   %x\n got %s\nwant %s", i, in, show(got), show(want))
		}
		if h.Truncated || h.Malformed || h.LayersExceeded {
			t.Fatalf("frame %d is whole: %x\n%s", i, in, show(h))
		}
		if n := labels(in); len(h.MPLS) != 4*n {
			t.Fatalf("frame %d: %d bytes of labels, want %d", i, len(h.MPLS), 4*n)
		}
	}
	for _, what := range []string{"TCP", "UDP", "ICMPv4", "ICMPv6", "Fragment", "SCTP", "GRE"} {
		if seen[what] < 100 {
			t.Errorf("only %d frames with %s: %v", seen[what], what, seen)
		}
	}
}

// randomFrame builds Ethernet, tags or labels, IP with options or extension
// headers, perhaps a fragment, and a transport header with some payload.
func randomFrame(rng *rand.Rand) []byte {
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	v6 := rng.IntN(2) == 1
	proto := []int{6, 17, 1, 132, 47}[rng.IntN(5)]
	if proto == 1 && v6 {
		proto = 58
	}
	fragment := rng.IntN(5) == 0
	var offset int
	if fragment && rng.IntN(2) == 0 {
		offset = 1 + rng.IntN(0x1ffe)
	}
	body := transportBody(rng, proto, bytesOf)
	if offset != 0 {
		body = bytesOf(40)
	}

	var ip []byte
	et := ether4
	if v6 {
		et = ether6
		nh := proto
		if fragment {
			body = cat(frag6(nh, offset, 1, int(rng.Uint32())), body)
			nh = 44
		}
		for _, e := range []int{60, 43, 0} { // from the last to the first
			if rng.IntN(3) != 0 {
				continue
			}
			units := rng.IntN(3)
			x := cat([]byte{byte(nh), byte(units), 1, byte(4 + 8*units)}, make([]byte, 4+8*units))
			if e == 43 {
				x = cat([]byte{byte(nh), 2, 0, 1}, make([]byte, 4), bytesOf(16))
			}
			body, nh = cat(x, body), e
		}
		ip = cat(be32(6<<28|int(rng.Uint32()&0xfffffff)), be16(len(body)), []byte{byte(nh), byte(rng.Uint32())}, bytesOf(32))
	} else {
		options := make([]byte, 4*rng.IntN(11))
		for i := range options {
			options[i] = 1 // no operation
		}
		word := offset
		if fragment {
			word |= 0x2000
		} else if rng.IntN(2) == 0 {
			word |= 0x4000
		}
		ip = cat([]byte{byte(0x45 + len(options)/4), byte(rng.Uint32())}, be16(20+len(options)+len(body)), bytesOf(2), be16(word),
			[]byte{byte(rng.Uint32()), byte(proto), 0, 0}, bytesOf(8), options)
	}
	in := cat(ip, body)
	if n := rng.IntN(8); n > 4 {
		var stack []byte
		for i := range n - 4 {
			bottom := 0
			if i == n-5 {
				bottom = 1
			}
			stack = append(stack, label(16+rng.IntN(1<<20-16), rng.IntN(8), bottom, rng.IntN(256))...)
		}
		in, et = cat(stack, in), 0x8847
	}
	for range rng.IntN(3) {
		in, et = cat(be16(rng.IntN(1<<16)), be16(et), in), []int{vlanType, qinq}[rng.IntN(2)]
	}
	return cat(bytesOf(12), be16(et), in)
}

func transportBody(rng *rand.Rand, proto int, bytesOf func(int) []byte) []byte {
	payload := bytesOf(rng.IntN(30))
	high := func() []byte { return be16(50000 + rng.IntN(10000)) } // no protocol that gopacket knows
	switch proto {
	case 6:
		words := 5 + rng.IntN(11)
		options := bytes.Repeat([]byte{1}, words*4-20)
		return cat(high(), high(), bytesOf(8), []byte{byte(words << 4), byte(rng.Uint32())}, bytesOf(6), options, payload)
	case 17:
		return cat(high(), high(), be16(8+len(payload)), bytesOf(2), payload)
	case 132:
		return cat(high(), high(), bytesOf(8))
	case 47:
		return cat(gre(0, ether4, 0), ip4(17, 0), udp())
	}
	return cat([]byte{byte(rng.IntN(100)), byte(rng.IntN(10))}, bytesOf(30))
}

// labels counts the label stack of a frame by gopacket.
func labels(in []byte) (n int) {
	for _, l := range gopacket.NewPacket(in, layers.LayerTypeEthernet, gopacket.NoCopy).Layers() {
		if l.LayerType() == layers.LayerTypeMPLS {
			n++
		}
	}
	return n
}

// oracle fills the fields from the layers of gopacket up to the end of the
// outer stack, and names the last of them.
func oracle(t *testing.T, in []byte) (h Headers, what string) {
	t.Helper()
	u48 := func(b []byte) uint64 { return binary.BigEndian.Uint64(append([]byte{0, 0}, b...)) }
	p := gopacket.NewPacket(in, layers.LayerTypeEthernet, gopacket.NoCopy)
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.Ethernet:
			h.SrcMAC, h.DstMAC, h.EtherType = u48(l.SrcMAC), u48(l.DstMAC), uint32(l.EthernetType)
		case *layers.Dot1Q:
			h.EtherType = uint32(l.Type)
			if l.VLANIdentifier != 0 { // a priority tag
				h.VLANID = uint32(l.VLANIdentifier)
			}
		case *layers.IPv4:
			h.EtherType, h.SrcAddr, h.DstAddr, h.Proto = 0x0800, l.SrcIP, l.DstIP, uint32(l.Protocol)
			h.TOS, h.TTL, h.FragmentID = uint32(l.TOS), uint32(l.TTL), uint32(l.Id)
			h.FragmentOffset, h.IPFlags = uint32(l.FragOffset), uint32(l.Flags)
		case *layers.IPv6:
			h.EtherType, h.SrcAddr, h.DstAddr, h.Proto = 0x86dd, l.SrcIP, l.DstIP, uint32(l.NextHeader)
			h.TOS, h.TTL, h.FlowLabel = uint32(l.TrafficClass), uint32(l.HopLimit), l.FlowLabel
			if l.HopByHop != nil {
				h.Proto = uint32(l.HopByHop.NextHeader)
			}
		case *layers.IPv6HopByHop:
			h.Proto = uint32(l.NextHeader)
		case *layers.IPv6Routing:
			h.Proto = uint32(l.NextHeader)
		case *layers.IPv6Destination:
			h.Proto = uint32(l.NextHeader)
		case *layers.IPv6Fragment:
			h.Proto, h.FragmentID, h.FragmentOffset = uint32(l.NextHeader), l.Identification, uint32(l.FragmentOffset)
			h.IPFlags = uint32(l.Reserved2) << 1
			if l.MoreFragments {
				h.IPFlags |= 1
			}
			if l.FragmentOffset == 0 {
				// gopacket ends at every fragment header; the first has the next header too.
				oracleTransport(gopacket.NewPacket(l.LayerPayload(), layers.IPProtocol(l.NextHeader).LayerType(), gopacket.NoCopy).Layers(), &h)
			}
			return h, "Fragment"
		case *gopacket.Fragment:
			if h.FragmentOffset == 0 {
				oracleTransport(gopacket.NewPacket(l.LayerContents(), layers.IPProtocol(h.Proto).LayerType(), gopacket.NoCopy).Layers(), &h)
			}
			return h, "Fragment"
		case *layers.MPLS:
		default:
			oracleTransport([]gopacket.Layer{l}, &h)
			return h, l.LayerType().String()
		}
	}
	t.Fatalf("gopacket saw no end of the outer stack: %v", p)
	return h, ""
}

func oracleTransport(ls []gopacket.Layer, h *Headers) {
	switch l := ls[0].(type) {
	case *layers.TCP:
		h.SrcPort, h.DstPort, h.TCPFlags = uint32(l.SrcPort), uint32(l.DstPort), uint32(l.Contents[13])
		for i, set := range []bool{l.FIN, l.SYN, l.RST, l.PSH, l.ACK, l.URG, l.ECE, l.CWR} {
			if set != (h.TCPFlags>>i&1 != 0) {
				h.TCPFlags = 0xffff
			}
		}
	case *layers.UDP:
		h.SrcPort, h.DstPort = uint32(l.SrcPort), uint32(l.DstPort)
	case *layers.SCTP:
		h.SrcPort, h.DstPort = uint32(l.SrcPort), uint32(l.DstPort)
	case *layers.ICMPv4:
		h.ICMPType, h.ICMPCode = uint32(l.TypeCode.Type()), uint32(l.TypeCode.Code())
	case *layers.ICMPv6:
		h.ICMPType, h.ICMPCode = uint32(l.TypeCode.Type()), uint32(l.TypeCode.Code())
	}
}
