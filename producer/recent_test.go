package producer

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/weirflow/weir/decoders/template"
)

// be appends big-endian numbers of 16 bits.
func be(b []byte, v ...uint16) []byte {
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

// message9 is a v9 datagram with one set.
func message9(set uint16, body []byte) []byte {
	b := be(nil, 9, 1, 0, 1, 0x6553, 0xf100, 0, 1, 0, 7)
	return append(be(b, set, uint16(4+len(body))), body...)
}

// TestRecent has another worker change what one has decoded by: each next data
// set has to see it.
func TestRecent(t *testing.T) {
	store := NewStore(template.DefaultLimits())
	p, other := New(Config{}, store), New(Config{}, store)
	batch, rest := NewBatch(0, 4096), NewBatch(1, 4096)
	from := Meta{Source: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 2055), ReceivedNs: 1}
	data := message9(256, be(nil, 1, 2, 3, 4))
	records := func() int {
		batch.Reset()
		return p.Datagram(batch, from, data).Records
	}
	tell := func(datagram []byte) {
		t.Helper()
		if res := other.Datagram(rest, from, datagram); !res.Decoded || res.Reason != ReasonNone {
			t.Fatalf("%v", res)
		}
	}
	expect := func(what string, want int) {
		t.Helper()
		// Twice: the first may ask the store, the second need not.
		for range 2 {
			if n := records(); n != want {
				t.Fatalf("%s: %d records, want %d", what, n, want)
			}
		}
	}
	expect("no template", 0)
	tell(message9(0, be(nil, 256, 2, 7, 2, 11, 2)))
	expect("two ports", 2)
	if s := p.recent.find(&template.Key{Exporter: p.source, Domain: 7, Port: 2055, Version: template.V9}, 256, store.Changes()); s == nil {
		t.Fatal("nothing is remembered")
	}
	tell(message9(0, be(nil, 256, 1, 7, 2)))
	expect("one port", 4)
	tell(message9(0, be(nil, 257, 1, 7, 2)))
	expect("beside another", 4)
	tell(message9(0, be(nil, 256, 4, 7, 2, 11, 2, 2, 2, 1, 2)))
	expect("four numbers", 1)

	// Two templates of one message, with data before, between and behind.
	var m []byte
	for _, set := range [][]byte{be(nil, 256, 12, 1, 2, 3, 4), be(nil, 0, 12, 256, 1, 7, 2), be(nil, 256, 12, 1, 2, 3, 4)} {
		m = append(m, set...)
	}
	batch.Reset()
	if n := p.Datagram(batch, from, append(be(nil, 9, 3, 0, 1, 0x6553, 0xf100, 0, 1, 0, 7), m...)).Records; n != 1+4 {
		t.Fatalf("%d records of a message that changes the template, want 5", n)
	}
	expect("one port again", 4)

	if n := store.Expire(1e18, 1, false); n == 0 {
		t.Fatal("nothing expired")
	}
	expect("expired", 0)
}

// TestRecentGrows has many exporters remembered at the same time.
func TestRecentGrows(t *testing.T) {
	store := NewStore(template.DefaultLimits())
	p := New(Config{}, store)
	batch := NewBatch(0, 1<<20)
	const exporters = 5000
	meta := func(i int) Meta {
		return Meta{Source: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 2055), ReceivedNs: 1}
	}
	for i := range exporters {
		p.Datagram(batch, meta(i), message9(0, be(nil, 256, 1, 7, 2)))
	}
	for range 30 {
		batch.Reset()
		for i := range exporters {
			if n := p.Datagram(batch, meta(i), message9(256, be(nil, 1, 2))).Records; n != 2 {
				t.Fatalf("exporter %d: %d records, want 2", i, n)
			}
		}
	}
	found := 0
	for i := range exporters {
		key := template.Key{Exporter: meta(i).Source.Addr().As16(), Domain: 7, Port: 2055, Version: template.V9}
		if p.recent.find(&key, 256, store.Changes()) != nil {
			found++
		}
	}
	if found < exporters*9/10 || len(p.recent.pairs) > mostRecent {
		t.Fatalf("%d of %d exporters are remembered, in %d pairs", found, exporters, len(p.recent.pairs))
	}
}
