package app

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
)

// followed returns a table with streams of some exporters, and the next number of each.
func followed() (*collector.Exporters, []netip.Addr) {
	table := collector.NewExporters()
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	for i, a := range addrs {
		restore(table, a, 1<<63+5, uint16(4739*i))
	}
	return table, addrs
}

func restore(table *collector.Exporters, a netip.Addr, domain uint64, port uint16) {
	table.RestoreStream(a, &sequence.Saved{
		Key: sequence.Key{Kind: sequence.SFlow, Domain: domain, Source: 7, Port: port}, CountsBy: "samples", Next: 1<<32 - 1, Open: true,
		FirstNs: 1e18, LastNs: 1e18 + 5, Units: 1 << 40, Average: 33, Rate: 1000, UptimeMs: 9, AtMs: 8,
		Last: sequence.SavedDatagram{Sequence: 4, UptimeMs: 5, AtMs: 6, Flags: 3, Count: [4]uint16{1, 2, 3, 4}},
	}, sequence.GapOrdinary)
}

func streamsOf(table *collector.Exporters) map[netip.Addr]sequence.Saved {
	all := map[netip.Addr]sequence.Saved{}
	table.SavedStreams(func(a netip.Addr, v *sequence.Saved) { all[a] = *v })
	return all
}

// TestSequencesSaved reads back what was saved, whole.
func TestSequencesSaved(t *testing.T) {
	table, addrs := followed()
	s := &sequences{table: table, process: "p"}
	s.stopped.Store(true)
	var b bytes.Buffer
	if err := s.save(&b); err != nil {
		t.Fatal(err)
	}
	again := &sequences{table: collector.NewExporters(), gap: sequence.GapOrdinary, before: "p"}
	if err := again.load(json.NewDecoder(bytes.NewReader(b.Bytes()))); err != nil {
		t.Fatal(err)
	}
	got, want := streamsOf(again.table), streamsOf(table)
	for _, a := range addrs {
		if got[a] != want[a] || want[a].Next == 0 {
			t.Errorf("%v: %+v, want %+v", a, got[a], want[a])
		}
	}
	if again.table.StreamKey() != table.StreamKey() {
		t.Error("agents are hashed in another way")
	}
	for name, change := range map[string]func(*sequences, string) string{
		"another process wrote the state since": func(s *sequences, text string) string { s.before = ""; return text },
		"not of a stop": func(_ *sequences, text string) string {
			return strings.Replace(text, `"stopped":true`, `"stopped":false`, 1)
		},
	} {
		later := &sequences{table: collector.NewExporters(), gap: sequence.GapOrdinary, before: "p"}
		text := change(later, b.String())
		if err := later.load(json.NewDecoder(strings.NewReader(text))); err != nil {
			t.Fatal(err)
		}
		// The habit is known and the number is not: nothing is saved of it before the first
		// datagram.
		if n := len(streamsOf(later.table)); n != 0 {
			t.Errorf("%s: %d streams go on at the number that was saved", name, n)
		}
	}
	for _, bad := range []string{`[]`, `{"key":"x"}`, `{"key":"1","streams":[[]]}`, strings.Replace(b.String(), "192.0.2.1", "192.0.2", 1),
		strings.Replace(b.String(), ",1000,", ",-1,", 1), strings.Replace(b.String(), `"sflow_5"`, `5`, 1)} {
		if err := (&sequences{table: collector.NewExporters()}).load(json.NewDecoder(strings.NewReader(bad))); err == nil {
			t.Errorf("loaded: %.80s", bad)
		}
	}
	other := strings.Replace(b.String(), `"sflow_5"`, `"netflow_v77"`, 1)
	newer := &sequences{table: collector.NewExporters(), gap: sequence.GapOrdinary, before: "p"}
	if err := newer.load(json.NewDecoder(strings.NewReader(other))); err != nil || newer.left != 1 {
		t.Errorf("a kind of another version: %v, %d left out", err, newer.left)
	}
}

// BenchmarkSequencesSave is the cost of a save, which is made once a second while datagrams
// come.
func BenchmarkSequencesSave(b *testing.B) {
	table := collector.NewExporters()
	for i := range 20_000 {
		restore(table, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1, 0)
	}
	s := &sequences{table: table}
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if err := s.save(&out); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(out.Len()))
}
