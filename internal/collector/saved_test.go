package collector

import (
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/producer"
)

// TestSavedExporters: an exporter that was known before a restart is not new, is
// missed when it does not come back, and keeps its place in a full table.
func TestSavedExporters(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	addr := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, i}) }
	before := NewExporterTable(ExportersConfig{})
	seen := func(table *Exporters, i byte, at time.Time) {
		table.Get(addr(i)).count(100, &producer.Result{Decoded: true, Records: 1, Protocol: producer.ProtocolIPFIX}, at.UnixNano())
	}
	for s := range 200 {
		seen(before, 1, now.Add(time.Duration(s)*time.Second))
		seen(before, 2, now.Add(time.Duration(s)*time.Second))
		before.Sweep(now.Add(time.Duration(s)*time.Second), sequence.Network)
	}
	before.Get(addr(3)) // never sent anything of use
	changes := before.SavedChanges()
	var saved []SavedExporter
	before.Saved(func(s *SavedExporter) { saved = append(saved, *s) })
	if len(saved) != 2 || changes != 2 || saved[0].FirstSeenNs != now.UnixNano() {
		t.Fatalf("%+v, %d changes", saved, changes)
	}

	var log strings.Builder
	after := NewExporterTable(ExportersConfig{Max: 2, SilentAfter: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for i := range saved {
		if !after.Restore(&saved[i]) {
			t.Fatal("no room")
		}
	}
	if after.Restore(&SavedExporter{Addr: addr(9)}) {
		t.Error("restored into a full table")
	}
	var again []SavedExporter
	after.Saved(func(s *SavedExporter) { again = append(again, *s) })
	if !reflect.DeepEqual(saved, again) {
		t.Errorf("restored %+v, saved %+v", again, saved)
	}
	if w := after.Get(addr(1)).worth(now.Add(300 * time.Second).UnixNano()); w.class != classLive {
		t.Errorf("class %d", w.class)
	}
	later := now.Add(290 * time.Second)
	seen(after, 1, later)
	after.Sweep(later, sequence.Network)
	if s := log.String(); strings.Contains(s, "new exporter") {
		t.Errorf("logged: %s", s)
	}
	if now := after.Troubles(); now.Announced != 2 || now.Silent != 1 || !slices.Equal(now.Lately, []netip.Addr{addr(2)}) {
		t.Errorf("%+v", now)
	}
}
