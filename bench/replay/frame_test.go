package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var framePaths = []wirePath{
	{srcMAC: [6]byte{2, 0, 0, 0, 0, 1}, dstMAC: [6]byte{2, 0, 0, 0, 0, 2}, to: netip.MustParseAddrPort("192.0.2.9:2055"), mtu: 1500},
	{srcMAC: [6]byte{2, 0, 0, 0, 0, 1}, dstMAC: [6]byte{2, 0, 0, 0, 0, 2}, to: netip.MustParseAddrPort("[2001:db8::9]:2055"), mtu: 1500},
}

// reference builds a whole frame by other means.
func reference(t *testing.T, p *wirePath, from netip.AddrPort, payload []byte) []byte {
	t.Helper()
	u := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(p.to.Port())}
	ether := &layers.Ethernet{SrcMAC: p.srcMAC[:], DstMAC: p.dstMAC[:], EthernetType: layers.EthernetTypeIPv4}
	var network gopacket.SerializableLayer
	if p.to.Addr().Is4() {
		ip := &layers.IPv4{Version: 4, TTL: hops, Protocol: layers.IPProtocolUDP, Flags: layers.IPv4DontFragment,
			SrcIP: from.Addr().AsSlice(), DstIP: p.to.Addr().AsSlice()}
		network = ip
		if err := u.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
	} else {
		ip := &layers.IPv6{Version: 6, HopLimit: hops, NextHeader: layers.IPProtocolUDP, SrcIP: from.Addr().AsSlice(), DstIP: p.to.Addr().AsSlice()}
		network, ether.EthernetType = ip, layers.EthernetTypeIPv6
		if err := u.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ether, network, u, gopacket.Payload(payload))
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func randomAddr(r *rand.Rand, is6 bool) netip.Addr {
	if is6 {
		return netip.AddrFrom16([16]byte(append([]byte{0x20}, random(r, 15)...)))
	}
	return netip.AddrFrom4([4]byte(random(r, 4)))
}

// Frames are as another library makes them, also after their source and times
// were patched.
func TestFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range framePaths {
		is6 := p.to.Addr().Is6()
		for i := range 3000 {
			payload := random(r, r.IntN(p.mtu-ipv6Header-udpHeader+1))
			if i < 30 { // padded
				payload = random(r, i)
			}
			if len(payload) > 1 {
				payload[0], payload[1] = 0, []byte{1, 5, 7, 9, 10, 0}[i%6]
			}
			from := netip.AddrPortFrom(randomAddr(r, is6), uint16(r.Uint32()))
			d, err := p.build(from, payload, uint32(i))
			if err != nil || len(d.frames) != 1 {
				t.Fatalf("%d frames, %v", len(d.frames), err)
			}
			if want := reference(t, &p, from, payload); !bytes.Equal(d.frames[0], want) {
				t.Fatalf("%d bytes from %v:\n got %x\nwant %x", len(payload), from, d.frames[0], want)
			}
			b := bytes.Clone(d.frames[0])
			from = netip.AddrPortFrom(randomAddr(r, is6), from.Port())
			d.setSource(b, 0, from.Addr())
			now := time.Unix(int64(r.Uint32()), int64(r.IntN(1e9)))
			d.setTime(b, func(payload []byte) bool { return rewriteTime(payload, now) })
			payload = bytes.Clone(payload)
			rewriteTime(payload, now)
			if want := reference(t, &p, from, payload); !bytes.Equal(b, want) {
				t.Fatalf("%d bytes patched to %v:\n got %x\nwant %x", len(payload), from, b, want)
			}
		}
	}
}

// A checksum that comes out as zero is sent as all ones: RFC 768.
func TestZeroChecksum(t *testing.T) {
	for _, p := range framePaths {
		from := netip.AddrPortFrom(randomAddr(rand.New(rand.NewPCG(1, 2)), p.to.Addr().Is6()), 1000)
		seen := false
		for i := range 1 << 16 {
			payload := []byte{byte(i >> 8), byte(i)}
			d, err := p.build(from, payload, 0)
			if err != nil {
				t.Fatal(err)
			}
			check := [2]byte(d.frames[0][d.sumAt:])
			if check == [2]byte{} {
				t.Fatalf("payload %x: no checksum", payload)
			}
			seen = seen || check == [2]byte{0xff, 0xff}
		}
		if !seen {
			t.Error("no payload led to a checksum of zero")
		}
	}
}

// Fragments hold the whole datagram, none is longer than the MTU, and a patch of
// the source reaches them all.
func TestFragments(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, p := range framePaths {
		for _, mtu := range []int{1500, 1499, 1280} {
			p.mtu = mtu
			for _, size := range []int{mtu - 27, mtu, 3000, 2 * mtu, 9000, 65000} {
				payload := random(r, size)
				is6 := p.to.Addr().Is6()
				d, err := p.build(netip.AddrPortFrom(randomAddr(r, is6), 1000), payload, 0xabcd)
				if err != nil || len(d.frames) < 2 {
					t.Fatalf("MTU %d, %d bytes: %d frames, %v", mtu, size, len(d.frames), err)
				}
				from := randomAddr(r, is6)
				var segment []byte
				for i, f := range d.frames {
					f = bytes.Clone(f)
					d.setSource(f, i, from)
					if len(f) > etherHeader+mtu {
						t.Errorf("MTU %d: a frame of %d bytes", mtu, len(f))
					}
					body, offset, more := fragmentOf(t, f, from)
					if offset != len(segment) || more != (i < len(d.frames)-1) {
						t.Fatalf("fragment %d of %d: offset %d, more %v", i, len(d.frames), offset, more)
					}
					segment = append(segment, body...)
				}
				whole := p
				whole.mtu = maxPacket
				want := reference(t, &whole, netip.AddrPortFrom(from, 1000), payload)
				if !bytes.HasSuffix(want, segment) || len(segment) != udpHeader+size {
					t.Errorf("MTU %d, %d bytes: the fragments are not the datagram", mtu, size)
				}
			}
		}
	}
}

// fragmentOf reads a fragment by other means.
func fragmentOf(t *testing.T, frame []byte, from netip.Addr) (body []byte, offset int, more bool) {
	t.Helper()
	packet := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
	if ip, ok := packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
		if sum := fold(sumOf(frame[etherHeader : etherHeader+ipv4Header])); sum != 0xffff {
			t.Errorf("IPv4 header adds up to %#x", sum)
		}
		if !ip.SrcIP.Equal(net.IP(from.AsSlice())) || ip.Id != 0xabcd || max(minFrame, etherHeader+int(ip.Length)) != len(frame) {
			t.Errorf("fragment of %v, id %#x, %d bytes", ip.SrcIP, ip.Id, ip.Length)
		}
		return ip.Payload, int(ip.FragOffset) * 8, ip.Flags&layers.IPv4MoreFragments != 0
	}
	ip, _ := packet.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	f, _ := packet.Layer(layers.LayerTypeIPv6Fragment).(*layers.IPv6Fragment)
	if ip == nil || f == nil {
		t.Fatalf("no fragment: %v", packet)
	}
	if !ip.SrcIP.Equal(net.IP(from.AsSlice())) || f.Identification != 0xabcd || max(minFrame, etherHeader+ipv6Header+int(ip.Length)) != len(frame) || f.NextHeader != layers.IPProtocolUDP {
		t.Errorf("fragment of %v, id %#x, %d bytes", ip.SrcIP, f.Identification, ip.Length)
	}
	return f.Payload, int(f.FragmentOffset) * 8, f.MoreFragments
}

func TestTooLong(t *testing.T) {
	for _, p := range framePaths {
		most := maxPacket - ipv4Header - udpHeader
		if p.to.Addr().Is6() {
			most = maxPacket - ipv6Header - udpHeader
		}
		from := netip.AddrPortFrom(p.to.Addr(), 1)
		if _, err := p.build(from, make([]byte, most), 0); err != nil {
			t.Error(err)
		}
		if _, err := p.build(from, make([]byte, most+1), 0); err == nil {
			t.Errorf("%d bytes fit", most+1)
		}
	}
}

func TestSyntheticAddr(t *testing.T) {
	for is6, network := range map[bool]netip.Prefix{false: synthetic4, true: synthetic6} {
		seen := map[netip.Addr]bool{}
		for i := range maxSynthetic {
			addr := syntheticAddr(i, is6)
			if seen[addr] || !network.Contains(addr) {
				t.Fatalf("address %d is %v", i, addr)
			}
			seen[addr] = true
		}
	}
	if got := syntheticAddr(0, false).String(); got != "198.18.0.1" {
		t.Error(got)
	}
}

func TestAssignWireSources(t *testing.T) {
	tests := []struct {
		to         string
		from, want []string
	}{
		{"192.0.2.1", []string{"10.0.0.1:1", "127.0.0.1:2", "224.0.0.1:3"}, []string{"10.0.0.1:1", "127.0.0.1:2", "224.0.0.1:3"}},
		{"192.0.2.1", []string{"[2001:db8::2]:1", "198.18.0.1:2", "[2001:db8::1]:3", "[2001:db8::2]:4"},
			[]string{"198.18.0.3:1", "198.18.0.1:2", "198.18.0.2:3", "198.18.0.3:4"}},
		{"2001:db8::9", []string{"[fe80::1]:1", "192.0.2.1:2"}, []string{"[fe80::1]:1", "[2001:2::1]:2"}},
	}
	for _, test := range tests {
		var sources []source
		for _, from := range test.from {
			sources = append(sources, source{captured: netip.MustParseAddrPort(from)})
		}
		if err := assignWireSources(sources, netip.MustParseAddr(test.to)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range sources {
			got = append(got, s.local.String())
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%v to %s: %v, want %v", test.from, test.to, got, test.want)
		}
	}
}
