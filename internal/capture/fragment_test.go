package capture

import (
	"bytes"
	"testing"
)

// split4 cuts a UDP datagram with payload into IPv4 fragments of size bytes.
func split4(id int, payload []byte, size int) [][]byte {
	var out [][]byte
	whole := udp(payload, -1)
	for at := 0; at < len(whole); at += size {
		end, field := at+size, at/8|0x2000
		if end >= len(whole) {
			end, field = len(whole), at/8
		}
		out = append(out, ip4(17, id, field, nil, whole[at:end]))
	}
	return out
}

func split6(id int, payload []byte, size int) [][]byte {
	var out [][]byte
	whole := udp(payload, -1)
	for at := 0; at < len(whole); at += size {
		end := min(at+size, len(whole))
		out = append(out, ip6(44, frag6(17, at, end < len(whole), id, whole[at:end])))
	}
	return out
}

func TestFragments(t *testing.T) {
	payload, other := bytesOf(3000), bytesOf(1777)
	a4, b4, a6, b6 := split4(1, payload, 800), split4(2, other, 800), split6(1, payload, 1000), split6(2, other, 1000)
	dest := ip6(44, frag6(60, 0, true, 3, cat([]byte{17, 0}, make([]byte, 6), udp(payload[:1000], -1)[:800])))
	rest := ip6(44, frag6(60, 808, false, 3, udp(payload[:1000], -1)[800:]))
	max := split4(3, bytesOf(65507), 65000)
	tests := []struct {
		name   string
		frames [][]byte
		want   [][]byte
	}{
		{"v4 in order", a4, [][]byte{payload}},
		{"v4 backwards", [][]byte{a4[3], a4[2], a4[1], a4[0]}, [][]byte{payload}},
		{"v4 shuffled", [][]byte{a4[1], a4[3], a4[0], a4[2]}, [][]byte{payload}},
		{"v4 two interleaved", [][]byte{a4[0], b4[1], a4[1], b4[0], a4[2], b4[2], a4[3]}, [][]byte{other, payload}},
		{"v4 repeated piece", [][]byte{a4[0], a4[0], a4[1], a4[2], a4[1], a4[3]}, [][]byte{payload}},
		{"v4 largest", max, [][]byte{bytesOf(65507)}},
		{"v6 in order", a6, [][]byte{payload}},
		{"v6 backwards", [][]byte{a6[3], a6[2], a6[1], a6[0]}, [][]byte{payload}},
		{"v6 interleaved with v4", [][]byte{a6[0], a4[0], b6[1], a4[1], a6[1], a4[2], a6[2], b6[0], a4[3], a6[3]}, [][]byte{other, payload, payload}},
		{"v6 extension inside the fragments", [][]byte{dest, rest}, [][]byte{payload[:1000]}},
		{"v4 one missing", a4[:3], nil},
		{"v4 first missing", a4[1:], nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			list, stats, err := readAll(t, pcap(t, 101, test.frames...))
			if err != nil || len(list) != len(test.want) {
				t.Fatalf("got %d datagrams, want %d; error %v, stats %+v", len(list), len(test.want), err, stats)
			}
			for i, want := range test.want {
				if list[i].Cut || !bytes.Equal(list[i].Payload, want) {
					t.Errorf("datagram %d: %d bytes, cut %v; want %d", i, len(list[i].Payload), list[i].Cut, len(want))
				}
			}
			if stats.FragmentsWaiting != 0 {
				t.Errorf("fragments still wait after the end: %+v", stats)
			}
			if test.want == nil && stats.FragmentsIncomplete != 3 {
				t.Errorf("got %d incomplete, want 3", stats.FragmentsIncomplete)
			}
		})
	}
}

func TestFragmentsContradict(t *testing.T) {
	a := split4(1, bytesOf(3000), 800)
	overlap := ip4(17, 1, 0x2000|(80+1), nil, bytesOf(800))
	beyond := ip4(17, 1, 4000/8, nil, bytesOf(8))
	tooLong := ip4(17, 1, 0x2000|0x1fff, nil, bytesOf(16))
	uneven := ip4(17, 1, 0x2000, nil, bytesOf(13))
	nested := ip6(44, frag6(44, 0, true, 1, frag6(17, 0, true, 2, bytesOf(8))))
	nestedEnd := ip6(44, frag6(44, 16, false, 1, bytesOf(8)))
	tests := []struct {
		name                             string
		frames                           [][]byte
		malformed, incomplete, datagrams uint64
	}{
		{"overlap drops the datagram", [][]byte{a[0], a[1], overlap, a[2], a[3]}, 1, 4, 0},
		{"piece after the last", [][]byte{a[0], a[3], beyond}, 1, 2, 0},
		{"offset past 65535 is left out", [][]byte{a[0], a[1], tooLong, a[2], a[3]}, 1, 0, 1},
		{"not a multiple of 8 is left out", [][]byte{uneven, a[0], a[1], a[2], a[3]}, 1, 0, 1},
		{"fragment in fragment", [][]byte{nested, nestedEnd}, 1, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, stats, err := readAll(t, pcap(t, 101, test.frames...))
			if err != nil || stats.Malformed != test.malformed || stats.FragmentsIncomplete != test.incomplete || stats.Datagrams != test.datagrams {
				t.Fatalf("error %v, stats %+v", err, stats)
			}
		})
	}
}

func TestFragmentCutInCaptureIsNotUsed(t *testing.T) {
	a := split4(1, bytesOf(3000), 800)
	_, stats, err := readAll(t, pcap(t, 101, a[0], a[1][:400], a[2], a[3]))
	if err != nil || stats.Truncated != 1 || stats.FragmentsIncomplete != 3 || stats.Datagrams != 0 {
		t.Fatalf("error %v, stats %+v", err, stats)
	}
}

// The table stays within its bounds whatever comes, and an old datagram gives
// way to a new one.
func TestFragmentBounds(t *testing.T) {
	var stats Stats
	table := fragmentTable{stats: &stats}
	key := fragmentKey{src: srcV4, dst: dstV4, protocol: 17}
	data := bytesOf(60000)
	waiting := uint64(0)
	for i := range 5000 {
		key.id = uint32(i)
		size := len(data)
		if i >= 2000 {
			size = 8
		}
		_, counter := table.add(key, 0, true, 17, data[:size], 0)
		if counter != &stats.FragmentsWaiting {
			t.Fatalf("fragment %d was not taken", i)
		}
		*counter++
		waiting++
		if table.bytes > maxFragmentBytes || len(table.byKey) > maxFragmented || len(table.byKey) != table.byAge.Len() {
			t.Fatalf("%d bytes, %d datagrams, %d in order of age", table.bytes, len(table.byKey), table.byAge.Len())
		}
		if stats.FragmentsWaiting+stats.FragmentsIncomplete != waiting {
			t.Fatalf("%+v of %d", stats, waiting)
		}
	}
	if whole, counter := table.add(key, 8, false, 17, data[:8], 0); counter != nil || len(whole.data) != 16 {
		t.Errorf("the newest did not become whole: %d bytes", len(whole.data))
	}
	table.expire(maxFragmentAge)
	if len(table.byKey) == 0 {
		t.Error("expired too early")
	}
	table.expire(maxFragmentAge + 1)
	if len(table.byKey) != 0 || table.bytes != 0 || stats.FragmentsWaiting != 0 {
		t.Errorf("after expiry: %d datagrams, %d bytes, %+v", len(table.byKey), table.bytes, stats)
	}
}

// One datagram alone cannot go over the bounds, as its offsets end at 65535;
// when it is the oldest of many, it is the one that is given up.
func TestFragmentOldestGivesWayToItself(t *testing.T) {
	var stats Stats
	table := fragmentTable{stats: &stats}
	add := func(id, offset, n int) *uint64 {
		_, counter := table.add(fragmentKey{src: srcV4, dst: dstV4, protocol: 17, id: uint32(id)}, offset, true, 17, bytesOf(n), 0)
		*counter++
		return counter
	}
	add(0, 0, 8)
	for id := 1; table.bytes+maxIPPayload+pieceOverhead < maxFragmentBytes; id++ {
		add(id, 0, 65528)
	}
	room := maxFragmentBytes - table.bytes
	if counter := add(0, 8, 65520); room < 65520+pieceOverhead != (counter == &stats.FragmentsIncomplete) {
		t.Fatalf("room for %d, stats %+v", room, stats)
	}
	if got := stats.FragmentsWaiting + stats.FragmentsIncomplete; got != stats.accounted() || got == 0 {
		t.Errorf("%+v", stats)
	}
	n := uint64(0)
	for e := table.byAge.Front(); e != nil; e = e.Next() {
		n += uint64(len(e.Value.(*fragmented).pieces))
	}
	if n != stats.FragmentsWaiting {
		t.Errorf("%d pieces held, counter says %d", n, stats.FragmentsWaiting)
	}
}
