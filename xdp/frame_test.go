package xdp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
)

// packetSpec says what a test's frame is like.
type packetSpec struct {
	dstMAC, srcMAC [6]byte
	tags           []uint16 // identifiers, outer first; two are 802.1ad and 802.1Q
	src, dst       netip.AddrPort
	options        int    // bytes of IPv4 options
	extensions     []byte // protocol numbers of IPv6 extension headers, of 8 bytes
	fragment       uint16 // flags and offset of IPv4
	payload        []byte
	padding        int // bytes after the IP packet
}

// frame builds the Ethernet frame, without checksum in UDP.
func (p packetSpec) frame() []byte {
	b := append(append([]byte{}, p.dstMAC[:]...), p.srcMAC[:]...)
	for i, id := range p.tags {
		kind := uint16(etherVLAN)
		if i < len(p.tags)-1 {
			kind = etherQinQ
		}
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint16(b, 5<<13|id) // with a priority
	}
	udp := binary.BigEndian.AppendUint16(nil, p.src.Port())
	udp = binary.BigEndian.AppendUint16(udp, p.dst.Port())
	udp = binary.BigEndian.AppendUint16(udp, uint16(udpHeader+len(p.payload)))
	udp = append(append(udp, 0, 0), p.payload...)
	if p.src.Addr().Is4() {
		ip := make([]byte, ipv4Header+p.options)
		ip[0] = 4<<4 | byte(len(ip)/4)
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(udp)))
		binary.BigEndian.PutUint16(ip[6:], p.fragment)
		ip[8], ip[9] = 64, protoUDP
		src, dst := p.src.Addr().As4(), p.dst.Addr().As4()
		copy(ip[12:], src[:])
		copy(ip[16:], dst[:])
		for i := range p.options {
			ip[ipv4Header+i] = 1 // no operation
		}
		binary.BigEndian.PutUint16(ip[10:], checksum(ip))
		b = binary.BigEndian.AppendUint16(b, etherIPv4)
		b = append(append(b, ip...), udp...)
	} else {
		chain := append(append([]byte{}, p.extensions...), protoUDP)
		ip := make([]byte, ipv6Header)
		ip[0], ip[6], ip[7] = 6<<4, chain[0], 64
		binary.BigEndian.PutUint16(ip[4:], uint16(8*len(p.extensions)+len(udp)))
		src, dst := p.src.Addr().As16(), p.dst.Addr().As16()
		copy(ip[8:], src[:])
		copy(ip[24:], dst[:])
		for i, next := range chain[1:] {
			if chain[i] == protoRouting { // at its end: no segments left
				ip = append(ip, next, 0, 0, 0, 0, 0, 0, 0)
			} else {
				ip = append(ip, next, 0, 1, 4, 0, 0, 0, 0) // PadN
			}
		}
		b = binary.BigEndian.AppendUint16(b, etherIPv6)
		b = append(append(b, ip...), udp...)
	}
	return append(b, make([]byte, p.padding)...)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

var (
	src4 = netip.MustParseAddrPort("192.0.2.1:5000")
	dst4 = netip.MustParseAddrPort("192.0.2.2:2055")
	src6 = netip.MustParseAddrPort("[2001:db8::1]:5000")
	dst6 = netip.MustParseAddrPort("[2001:db8::2]:2055")
)

var goodFrames = []struct {
	name string
	spec packetSpec
}{
	{"IPv4", packetSpec{src: src4, dst: dst4, payload: []byte("hello")}},
	{"IPv4 empty", packetSpec{src: src4, dst: dst4}},
	{"IPv4 padded", packetSpec{src: src4, dst: dst4, payload: []byte("hello"), padding: 13}},
	{"IPv4 options", packetSpec{src: src4, dst: dst4, options: 40, payload: []byte("hello")}},
	{"IPv4 do not fragment", packetSpec{src: src4, dst: dst4, fragment: 0x4000, payload: []byte("hello")}},
	{"IPv6", packetSpec{src: src6, dst: dst6, payload: []byte("hello")}},
	{"IPv6 padded", packetSpec{src: src6, dst: dst6, payload: []byte("hello"), padding: 100}},
	{"IPv6 extensions", packetSpec{src: src6, dst: dst6, extensions: []byte{0, 60, 43, 60}, payload: []byte("hello")}},
	{"VLAN", packetSpec{src: src4, dst: dst4, tags: []uint16{4095}, payload: []byte("hello")}},
	{"priority tag", packetSpec{src: src4, dst: dst4, tags: []uint16{0}, payload: []byte("hello")}},
	{"QinQ", packetSpec{src: src6, dst: dst6, tags: []uint16{100, 7}, payload: []byte("hello"), padding: 3}},
}

func TestParseFrame(t *testing.T) {
	for _, test := range goodFrames {
		t.Run(test.name, func(t *testing.T) {
			p, b := test.spec, test.spec.frame()
			f := parseFrame(b)
			if f.Payload == nil || !bytes.Equal(f.Payload, p.payload) || cap(f.Payload) != len(f.Payload) {
				t.Errorf("payload %q of capacity %d, want %q", f.Payload, cap(f.Payload), p.payload)
			}
			if f.Src != p.src || f.Dst != p.dst {
				t.Errorf("%v to %v, want %v to %v", f.Src, f.Dst, p.src, p.dst)
			}
			tags := append(append([]uint16{}, p.tags...), 0, 0)
			if f.Tags != uint8(len(p.tags)) || f.VLAN != tags[0] || f.InnerVLAN != tags[1] {
				t.Errorf("%d tags, %d and %d; want %v", f.Tags, f.VLAN, f.InnerVLAN, p.tags)
			}
			for n := range len(b) - p.padding { // cut short: never a payload
				if f := parseFrame(b[:n:n]); f.Payload != nil {
					t.Errorf("cut to %d of %d bytes it has a payload of %d", n, len(b), len(f.Payload))
				}
			}
		})
	}
}

func TestParseFrameMalformed(t *testing.T) {
	v4 := packetSpec{src: src4, dst: dst4, payload: []byte("hello")}
	v6 := packetSpec{src: src6, dst: dst6, payload: []byte("hello")}
	const ip, udp4, udp6 = ethernetHeader, ethernetHeader + ipv4Header, ethernetHeader + ipv6Header
	with := func(p packetSpec, change func(b []byte)) []byte {
		b := p.frame()
		change(b)
		return b
	}
	spec := func(p packetSpec, change func(*packetSpec)) []byte {
		change(&p)
		return p.frame()
	}
	tests := map[string][]byte{
		"nothing":               nil,
		"ARP":                   with(v4, func(b []byte) { b[12], b[13] = 8, 6 }),
		"three tags":            spec(v4, func(p *packetSpec) { p.tags = []uint16{1, 2, 3} }),
		"version 6 in IPv4":     with(v4, func(b []byte) { b[ip] = 0x65 }),
		"version 4 in IPv6":     with(v6, func(b []byte) { b[ip] = 0x40 }),
		"IPv4 header too short": with(v4, func(b []byte) { b[ip] = 0x44 }),
		"IPv4 header too long":  with(v4, func(b []byte) { b[ip] = 0x4f }),
		"IPv4 total too short":  with(v4, func(b []byte) { b[ip+3] = 19 }),
		"IPv4 total of no UDP":  with(v4, func(b []byte) { b[ip+3] = 27 }),
		"IPv4 total beyond":     with(v4, func(b []byte) { b[ip+3]++ }),
		"IPv4 TCP":              with(v4, func(b []byte) { b[ip+9] = 6 }),
		"first fragment":        spec(v4, func(p *packetSpec) { p.fragment = 0x2000 }),
		"last fragment":         spec(v4, func(p *packetSpec) { p.fragment = 1 }),
		"UDP length of 7":       with(v4, func(b []byte) { b[udp4+5] = 7 }),
		"UDP length of 0":       with(v6, func(b []byte) { b[udp6+5] = 0 }),
		"UDP length beyond":     with(v4, func(b []byte) { b[udp4+5]++ }),
		"UDP length into pad":   with(spec2(v4, 20), func(b []byte) { b[udp4+5]++ }),
		"IPv6 length beyond":    with(v6, func(b []byte) { b[ip+5]++ }),
		"IPv6 TCP":              with(v6, func(b []byte) { b[ip+6] = 6 }),
		"IPv6 fragment":         spec(v6, func(p *packetSpec) { p.extensions = []byte{44} }),
		"IPv6 authentication":   spec(v6, func(p *packetSpec) { p.extensions = []byte{51} }),
		"IPv6 five extensions":  spec(v6, func(p *packetSpec) { p.extensions = []byte{0, 60, 60, 60, 60} }),
		"IPv6 extension too long": spec(v6, func(p *packetSpec) {
			p.extensions = []byte{0}
			p.payload = []byte{}
		})[:udp6+4],
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			if f := parseFrame(b); f.Payload != nil {
				t.Errorf("payload %q", f.Payload)
			}
		})
	}
	shorter := parseFrame(with(v4, func(b []byte) { b[udp4+5] -= 2 }))
	if string(shorter.Payload) != "hel" {
		t.Errorf("payload %q, want what the UDP length says", shorter.Payload)
	}
}

// spec2 is a frame with padding.
func spec2(p packetSpec, padding int) packetSpec {
	p.padding = padding
	return p
}

// mutate changes a few bytes of a copy of a frame, mostly of its headers.
func mutate(rng *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range rng.IntN(4) {
		b[rng.IntN(min(len(b), 70))] = byte(rng.IntN(256))
	}
	for range rng.IntN(3) {
		b[rng.IntN(min(len(b), 70))] ^= 1 << rng.IntN(8)
	}
	if rng.IntN(4) == 0 {
		b = b[:rng.IntN(len(b)+1)]
	}
	return bytes.Clone(b)
}

func FuzzParseFrame(f *testing.F) {
	for _, good := range goodFrames {
		f.Add(good.spec.frame())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame := parseFrame(b)
		var slow Frame
		if slow.parseAny(b); !reflect.DeepEqual(frame, slow) {
			t.Errorf("%+v, without the short way %+v", frame, slow)
		}
		used := Frame{Payload: []byte{1}, VLAN: 1, InnerVLAN: 2, Tags: 2}
		if used.parse(b); !reflect.DeepEqual(frame, used) {
			t.Errorf("%+v, in a frame that was in use %+v", frame, used)
		}
		if frame.Payload != nil && (!frame.Src.Addr().IsValid() || !frame.Dst.Addr().IsValid()) {
			t.Errorf("a payload and no addresses: %+v", frame)
		}
	})
}

func TestParseFrameAllocs(t *testing.T) {
	b := goodFrames[len(goodFrames)-1].spec.frame()
	if n := testing.AllocsPerRun(1000, func() { parseFrame(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseFrame(b *testing.B) {
	for _, test := range goodFrames {
		frame := test.spec.frame()
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				parseFrame(frame)
			}
		})
	}
}
