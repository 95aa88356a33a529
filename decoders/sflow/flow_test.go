package sflow

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

// checkShort parses every prefix of a whole body: only the whole one is good.
func checkShort[T any](t *testing.T, name string, body []byte, parse func([]byte) (T, bool), want T, except ...int) {
	t.Helper()
	for n := range len(body) {
		if _, ok := parse(body[:n:n]); ok && !slices.Contains(except, n) {
			t.Errorf("%s: %d of %d bytes are good", name, n, len(body))
		}
	}
	for _, b := range [][]byte{body, cat(body, make([]byte, 9))} {
		if got, ok := parse(b); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, ok, got, want)
		}
	}
}

func TestFlowRecords(t *testing.T) {
	a4, b4 := []byte{192, 0, 2, 1}, []byte{198, 51, 100, 2}
	a6 := cat([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 11), []byte{1})
	b6 := cat([]byte{0x20, 1, 0xd, 0xb8}, make([]byte, 11), []byte{2})
	macA, macB := []byte{2, 1, 2, 3, 4, 5}, []byte{0x0a, 6, 7, 8, 9, 0xff}
	eth := Ethernet{Length: 64, SrcMAC: 0x020102030405, DstMAC: 0x0a06070809ff, EtherType: 0x800}

	checkShort(t, "ethernet", cat(words(64), macA, []byte{9, 9}, macB, []byte{9, 9}, words(0x800)), ParseEthernet, eth, 20)
	if got, ok := ParseEthernet(cat(words(64), macA, macB, words(0x800))); !ok || got != eth {
		t.Errorf("ethernet without padding: %+v, %v", got, ok)
	}
	checkShort(t, "ipv4", cat(words(100, 6), a4, b4, words(443, 50000, 0x12, 0xb8)), ParseIPv4,
		IP{100, 6, a4, b4, 443, 50000, 0x12, 0xb8})
	checkShort(t, "ipv6", cat(words(100, 17), a6, b6, words(53, 40000, 0, 3)), ParseIPv6,
		IP{100, 17, a6, b6, 53, 40000, 0, 3})
	checkShort(t, "switch", words(10, 1, 20, 2), ParseExtendedSwitch, ExtendedSwitch{10, 1, 20, 2})
	checkShort(t, "router", cat(words(1), a4, words(24, 16)), ParseExtendedRouter, ExtendedRouter{a4, 24, 16})
	checkShort(t, "router ipv6", cat(words(2), a6, words(64, 48)), ParseExtendedRouter, ExtendedRouter{a6, 64, 48})
	checkShort(t, "router unknown", words(0, 24, 16), ParseExtendedRouter, ExtendedRouter{nil, 24, 16})
	if _, ok := ParseExtendedRouter(words(3, 0, 0, 0, 0, 0)); ok {
		t.Error("router with an address of type 3 is good")
	}

	header := []byte("0123456789")
	for _, c := range []struct {
		length uint32
		in     []byte
		want   []byte
	}{
		{10, cat(header, []byte{0, 0}), header},
		{10, header, header},
		{10, header[:7], header[:7]},
		{4, header, header[:4]},
		{0xffffffff, header, header},
		{0, header, nil},
		{10, nil, nil},
	} {
		got, ok := ParseRawHeader(cat(words(11, 1500, 4, c.length), c.in))
		if !ok || got.Protocol != 11 || got.FrameLength != 1500 || got.Stripped != 4 || got.HeaderLength != c.length ||
			!bytes.Equal(got.Header, c.want) {
			t.Errorf("raw header of %d with %d bytes: %+v", c.length, len(c.in), got)
		}
	}
	if _, ok := ParseRawHeader(make([]byte, 15)); ok {
		t.Error("15 bytes are a raw header")
	}
}

func TestExtendedGateway(t *testing.T) {
	nh := []byte{192, 0, 2, 1}
	for _, c := range []struct {
		name        string
		in          []byte
		ok          bool
		path        []uint32
		communities []uint32
		pref        uint32
	}{
		{"no path", cat(words(1), nh, words(1, 2, 3, 0, 0, 100)), true, nil, nil, 100},
		{"unknown next hop", words(0, 1, 2, 3, 1, 2, 1, 65001, 0, 100), true, []uint32{65001}, nil, 100},
		{"ipv6 next hop", cat(words(2), agent6, words(1, 2, 3, 0, 1, 77, 100)), true, nil, []uint32{77}, 100},
		{"sequence", cat(words(1), nh, words(1, 2, 3, 1, 2, 3, 10, 20, 30, 2, 0xfde80001, 0xfde80002, 100)), true,
			[]uint32{10, 20, 30}, []uint32{0xfde80001, 0xfde80002}, 100},
		{"sequence and set", cat(words(1), nh, words(1, 2, 3, 2, 2, 2, 10, 20, 1, 2, 30, 40, 1, 5, 100)), true,
			[]uint32{10, 20, 30, 40}, []uint32{5}, 100},
		{"empty segments", cat(words(1), nh, words(1, 2, 3, 3, 2, 0, 1, 1, 30, 2, 0, 0, 100)), true, []uint32{30}, nil, 100},
		{"all segments", cat(words(1), nh, words(1, 2, 3, 0xffffffff, 2, 1, 10, 2, 0)), false, []uint32{10}, nil, 0},
		{"all numbers", cat(words(1), nh, words(1, 2, 3, 1, 2, 0xffffffff, 10, 20)), false, nil, nil, 0},
		{"numbers that overflow", cat(words(1), nh, words(1, 2, 3, 1, 2, 0x40000001, 10, 20)), false, nil, nil, 0},
		{"cut in the second segment", cat(words(1), nh, words(1, 2, 3, 2, 2, 1, 10, 2, 2, 20)), false, []uint32{10}, nil, 0},
		{"all communities", cat(words(1), nh, words(1, 2, 3, 0, 0xffffffff, 5, 6)), false, nil, nil, 0},
		{"no preference", cat(words(1), nh, words(1, 2, 3, 0, 1, 5)), false, nil, []uint32{5}, 0},
		{"address type", words(9, 1, 2, 3, 0, 0, 100), false, nil, nil, 0},
		{"empty", nil, false, nil, nil, 0},
	} {
		g, ok := ParseExtendedGateway(c.in)
		path, communities := g.ASPath(nil), g.AppendCommunities(nil)
		if ok != c.ok || !slices.Equal(path, c.path) || !slices.Equal(communities, c.communities) || g.LocalPref != c.pref {
			t.Errorf("%s: %v, path %v, communities %v, preference %d", c.name, ok, path, communities, g.LocalPref)
		}
		if ok && (g.AS != 1 || g.SrcAS != 2 || g.SrcPeerAS != 3) {
			t.Errorf("%s: %+v", c.name, g)
		}
		var first, last uint32
		if n := len(path); n > 0 {
			first, last = path[0], path[n-1]
		}
		if g.PathLen != len(path) || g.FirstAS != first || g.LastAS != last {
			t.Errorf("%s: %d numbers from %d to %d in %v", c.name, g.PathLen, g.FirstAS, g.LastAS, path)
		}
		for n := range len(c.in) { // whatever the cut: nothing of it is whole
			if _, ok := ParseExtendedGateway(c.in[:n:n]); ok {
				t.Errorf("%s: %d of %d bytes are good", c.name, n, len(c.in))
			}
		}
	}
	dst := make([]uint32, 0, 8)
	g, _ := ParseExtendedGateway(words(0, 1, 2, 3, 1, 2, 2, 10, 20, 0, 100))
	if got := g.ASPath(append(dst, 9)); !slices.Equal(got, []uint32{9, 10, 20}) || &got[0] != &dst[:1][0] {
		t.Errorf("path appended: %v", got)
	}
}
