package capture

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestLinkAndHeaders(t *testing.T) {
	payload := bytesOf(100)
	v4 := ip4(17, 1, 0, nil, udp(payload, -1))
	v6 := ip6(17, udp(payload, -1))
	sll := func(proto int, b []byte) []byte { return cat(make([]byte, 14), be16(proto), b) }
	sll2 := func(proto int, b []byte) []byte { return cat(be16(proto), make([]byte, 18), b) }
	ext := func(next byte, b []byte) []byte { return cat([]byte{next, 0}, make([]byte, 6), b) }
	tests := []struct {
		name  string
		link  layers.LinkType
		frame []byte
		v6    bool
	}{
		{"ethernet v4", 1, ether(0x0800, v4), false},
		{"ethernet v6", 1, ether(0x86dd, v6), true},
		{"ethernet padding", 1, cat(ether(0x0800, v4), make([]byte, 40)), false},
		{"one VLAN", 1, ether(0x8100, cat(be16(5), be16(0x0800), v4)), false},
		{"three VLANs", 1, ether(0x88a8, cat(be16(5), be16(0x9100), be16(6), be16(0x8100), be16(7), be16(0x86dd), v6)), true},
		{"raw 101 v4", 101, v4, false},
		{"raw 101 v6", 101, v6, true},
		{"raw 12", 12, v4, false},
		{"raw 14", 14, v6, true},
		{"raw 228", 228, v4, false},
		{"raw 229", 229, v6, true},
		{"sll", 113, sll(0x0800, v4), false},
		{"sll VLAN", 113, sll(0x8100, cat(be16(5), be16(0x86dd), v6)), true},
		{"sll2", 276, sll2(0x86dd, v6), true},
		{"null little", 0, cat([]byte{2, 0, 0, 0}, v4), false},
		{"null big", 0, cat(be32(2), v4), false},
		{"null v6 darwin", 0, cat([]byte{30, 0, 0, 0}, v6), true},
		{"loop v6 openbsd", 108, cat(be32(24), v6), true},
		{"IPv4 options", 1, ether(0x0800, ip4(17, 1, 0, make([]byte, 12), udp(payload, -1))), false},
		{"IPv6 hop-by-hop, destination, routing", 101,
			ip6(0, ext(60, ext(43, ext(17, udp(payload, -1))))), true},
		{"IPv6 authentication", 101, ip6(51, cat([]byte{17, 4}, make([]byte, 22), udp(payload, -1))), true},
		{"IPv6 atomic fragment", 101, ip6(44, frag6(17, 0, false, 9, udp(payload, -1))), true},
		{"UDP length shorter than IP", 101, ip4(17, 1, 0, nil, udp(cat(payload, []byte("trailer")), 108)), false},
		{"UDP length zero", 101, ip4(17, 1, 0, nil, udp(payload, 0)), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			list, stats, err := readAll(t, pcap(t, test.link, test.frame))
			if err != nil || len(list) != 1 {
				t.Fatalf("got %d datagrams, error %v, stats %+v", len(list), err, stats)
			}
			src, dst := srcV4, dstV4
			if test.v6 {
				src, dst = srcV6, dstV6
			}
			d := list[0]
			if d.Src != netip.AddrPortFrom(src, 1000) || d.Dst != netip.AddrPortFrom(dst, 2055) {
				t.Errorf("got %v to %v", d.Src, d.Dst)
			}
			if !bytes.Equal(d.Payload, payload) || d.Cut {
				t.Errorf("got %d bytes, cut %v", len(d.Payload), d.Cut)
			}
			if d.TimeNs != baseTime.UnixNano() {
				t.Errorf("got time %d, want %d", d.TimeNs, baseTime.UnixNano())
			}
		})
	}
}

func TestSkipReasons(t *testing.T) {
	datagram := ip4(17, 1, 0, nil, udp(bytesOf(20), -1))
	tests := []struct {
		name    string
		link    layers.LinkType
		frame   []byte
		counter func(*Stats) uint64
	}{
		{"arp", 1, ether(0x0806, bytesOf(28)), func(s *Stats) uint64 { return s.NonIP }},
		{"raw neither", 101, []byte{0x50, 0}, func(s *Stats) uint64 { return s.NonIP }},
		{"null appletalk", 0, be32(16), func(s *Stats) uint64 { return s.NonIP }},
		{"tcp", 101, ip4(6, 1, 0, nil, bytesOf(20)), func(s *Stats) uint64 { return s.TCP }},
		{"icmp6", 101, ip6(58, bytesOf(20)), func(s *Stats) uint64 { return s.OtherIP }},
		{"wifi", 105, bytesOf(80), func(s *Stats) uint64 { return s.UnknownLink }},
		{"empty frame", 1, nil, func(s *Stats) uint64 { return s.Truncated }},
		{"empty raw", 101, nil, func(s *Stats) uint64 { return s.Truncated }},
		{"short ethernet", 1, bytesOf(13), func(s *Stats) uint64 { return s.Truncated }},
		{"VLAN cut", 1, ether(0x8100, bytesOf(3)), func(s *Stats) uint64 { return s.Truncated }},
		{"IPv4 cut", 101, datagram[:19], func(s *Stats) uint64 { return s.Truncated }},
		{"UDP header cut", 101, datagram[:27], func(s *Stats) uint64 { return s.Truncated }},
		{"IPv6 extension cut", 101, ip6(0, []byte{17, 9, 0, 0, 0, 0, 0, 0}), func(s *Stats) uint64 { return s.Truncated }},
		{"IPv4 header length 4", 228, cat([]byte{0x41}, datagram[1:]), func(s *Stats) uint64 { return s.Malformed }},
		{"IPv4 total below header", 101, cat(datagram[:2], be16(19), datagram[4:]), func(s *Stats) uint64 { return s.Malformed }},
		{"UDP length 7", 101, ip4(17, 1, 0, nil, udp(bytesOf(9), 7)), func(s *Stats) uint64 { return s.Malformed }},
		{"v6 by type, v4 by nibble", 1, ether(0x86dd, cat(datagram, bytesOf(20))), func(s *Stats) uint64 { return s.Malformed }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			list, stats, err := readAll(t, pcap(t, test.link, test.frame))
			if err != nil || len(list) != 0 || test.counter(&stats) != 1 {
				t.Fatalf("got %d datagrams, error %v, stats %+v", len(list), err, stats)
			}
		})
	}
}

func TestCutDatagram(t *testing.T) {
	whole := ether(0x0800, ip4(17, 1, 0, nil, udp(bytesOf(100), -1)))
	lying := ether(0x0800, ip4(17, 1, 0, nil, udp(bytesOf(10), 200)))
	list, stats, err := readAll(t, pcap(t, 1, whole[:14+20+8+60], whole, lying, whole[:14+20+8]))
	if err != nil || len(list) != 4 || stats.Cut != 3 {
		t.Fatalf("got %d datagrams, error %v, stats %+v", len(list), err, stats)
	}
	for i, want := range []struct {
		n   int
		cut bool
	}{{60, true}, {100, false}, {10, true}, {0, true}} {
		if len(list[i].Payload) != want.n || list[i].Cut != want.cut || !bytes.Equal(list[i].Payload, bytesOf(want.n)) {
			t.Errorf("datagram %d: %d bytes, cut %v", i, len(list[i].Payload), list[i].Cut)
		}
	}
}
