package packet

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestParsePlain holds ParsePlain to Parse: what it says is plain has the
// headers that it says, whole, and no others.
func TestParsePlain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 60_000 {
		b := make([]byte, r.IntN(140))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		// Mostly what a plain frame has, with faults here and there.
		at := ethernetSize
		put := func(i int, v uint16) {
			if i+2 <= len(b) && r.IntN(20) > 0 {
				binary.BigEndian.PutUint16(b[i:], v)
			}
		}
		if r.IntN(2) == 0 {
			put(12, etherVLAN)
			at += vlanSize
		}
		proto := []uint16{protoTCP, protoUDP, protoICMP, protoICMPv6, protoGRE}[r.IntN(5)]
		if r.IntN(2) == 0 {
			put(at-2, etherIPv4)
			put(at, 0x4500|uint16(r.IntN(256)))
			put(at+6, uint16(r.IntN(2))<<14)
			put(at+8, 64<<8|proto)
		} else {
			put(at-2, etherIPv6)
			put(at, 6<<12|uint16(r.IntN(1<<12)))
			put(at+6, proto<<8|64)
		}
		var p Plain
		if !ParsePlain(b, &p) {
			continue
		}
		plain++
		var h Headers
		Parse(b, StartEthernet, &h)
		ip, transport := LayerIPv4, map[uint8]uint8{6: LayerTCP, 17: LayerUDP, 1: LayerICMP, 58: LayerICMPv6}[p.Proto]
		if p.V6 {
			ip = LayerIPv6
		}
		want := []uint8{LayerEthernet, ip, transport}
		if p.IP == ethernetSize+vlanSize {
			want = []uint8{LayerEthernet, LayerDot1Q, ip, transport}
		}
		n := len(want)
		if h.Layers != n || string(h.LayerStack[:n]) != string(want) || h.Malformed || h.BaseLayers != n {
			t.Fatalf("%+v, but Parse found %v of %x", p, h.LayerStack[:h.Layers], b)
		}
		if h.Offset(n-2) != p.IP || h.Offset(n-1) != p.Transport || uint32(p.Proto) != h.Proto || len(h.SrcAddr) == 0 {
			t.Fatalf("%+v, but Parse found %+v", p, h)
		}
		if p.Proto == protoTCP && uint32(p.TCPSize) != h.LayerSize[n-1] {
			t.Fatalf("%+v, but Parse found a TCP header of %d bytes", p, h.LayerSize[n-1])
		}
	}
	if plain < 2_000 {
		t.Fatalf("only %d frames were plain", plain)
	}
}
