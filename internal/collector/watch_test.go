package collector

import (
	"bytes"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/producer"
)

// TestNoticesAreBounded: a hundred thousand new exporters are twenty lines, and
// one that says how many more there were.
func TestNoticesAreBounded(t *testing.T) {
	var out bytes.Buffer
	table := NewExporterTable(ExportersConfig{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	now := time.Now()
	const n = 50_000
	for i := range n {
		table.Get(numberedAddr(i)).count(10, &producer.Result{Decoded: true, Records: 1}, now.UnixNano())
	}
	for range 2 {
		table.Sweep(now, sequence.Network)
		now = now.Add(11 * time.Second)
	}
	text := out.String()
	if lines := strings.Count(text, "\n"); lines < noticeBurst || lines > noticeBurst+10 {
		t.Errorf("%d lines", lines)
	}
	if !strings.Contains(text, "not logged one by one") {
		t.Errorf("nothing says what was left out: %s", text[len(text)-300:])
	}
	if st := table.TableStats(); st.New != n {
		t.Errorf("%d new exporters counted", st.New)
	}
}

// TestSilence: exporters fall silent and come back; those of garbage do neither.
func TestSilence(t *testing.T) {
	table := NewExporterTable(ExportersConfig{SilentAfter: time.Minute})
	now := time.Now()
	e, bad := table.Get(numberedAddr(1)), table.Get(numberedAddr(2))
	seen := func() {
		e.count(10, &producer.Result{Decoded: true, Records: 5}, now.UnixNano())
		bad.count(10, &producer.Result{Reason: producer.ReasonUnknownVersion}, now.UnixNano())
	}
	seen()
	for step, want := range []TableStats{
		{New: 1}, {New: 1}, {New: 1, Silent: 1, SilentNow: 1}, {New: 1, Silent: 1, SilentNow: 1},
		{New: 1, Silent: 1, Returned: 1}, {New: 1, Silent: 1, Returned: 1}, {New: 1, Silent: 2, Returned: 1, SilentNow: 1},
		{New: 1, Silent: 2, Returned: 2}, {New: 1, Silent: 3, Returned: 2, SilentNow: 1}, // back, but quiet again by the time of the look
	} {
		if step == 4 {
			seen()
		}
		if step == 7 {
			seen()
			now = now.Add(2 * time.Minute)
		}
		table.Sweep(now, sequence.Network)
		got := table.TableStats()
		if got.New != want.New || got.Silent != want.Silent || got.Returned != want.Returned || got.SilentNow != want.SilentNow {
			t.Errorf("step %d: %+v, want %+v", step, got, want)
		}
		now = now.Add(40 * time.Second)
	}
}

// TestRates: they are those of the last minute.
func TestRates(t *testing.T) {
	table := NewExporters()
	e := table.Get(netip.MustParseAddr("192.0.2.1"))
	now := time.Now()
	for second := range 200 {
		if second < 150 {
			for range 10 {
				e.count(100, &producer.Result{Decoded: true, Records: 3}, now.UnixNano())
			}
		}
		table.Sweep(now, sequence.Network)
		now = now.Add(time.Second)
		if second == 140 {
			if d, r := e.rates(now.UnixNano()); d < 9 || d > 11 || r < 27 || r > 33 {
				t.Errorf("%v datagrams and %v records a second", d, r)
			}
		}
	}
	for range 40 {
		table.Sweep(now, sequence.Network)
		now = now.Add(time.Second)
	}
	if d, r := e.rates(now.UnixNano()); d != 0 || r != 0 {
		t.Errorf("%v datagrams and %v records a second after the end", d, r)
	}
}

// TestTroubles: the exporters that fell silent last are named, the last one first, and those
// whose clock is off.
func TestTroubles(t *testing.T) {
	table := NewExporterTable(ExportersConfig{SilentAfter: time.Minute})
	if now := table.Troubles(); now.Announced != 0 {
		t.Errorf("before the first sweep: %+v", now)
	}
	begin := time.Unix(1_700_000_000, 0)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
	for _, i := range []int{3, 7, 1, 6, 2, 5, 4} { // the later, the greater
		table.Get(addr(i)).count(100, &producer.Result{Decoded: true, Records: 1, Protocol: producer.ProtocolIPFIX},
			begin.Add(time.Duration(i)*time.Second).UnixNano())
	}
	for _, i := range []int{2, 9} {
		at := begin.Add(68 * time.Second).UnixNano()
		o := sequence.Observation{NowNs: at, ExportNs: at - int64(2*time.Minute), Records: 1, Flows: 1}
		table.Get(addr(i)).streams.Observe(table.table, sequence.Key{Kind: sequence.NetFlow9}, &o)
	}
	table.Sweep(begin.Add(10*time.Second), sequence.Network)
	table.Sweep(begin.Add(66*time.Second), sequence.Network)
	want := Troubles{Announced: 7, Silent: 6, Lately: []netip.Addr{addr(6), addr(5), addr(4), addr(3), addr(2)}, ClockOff: 2, Clocks: []netip.Addr{addr(2), addr(9)}}
	if now := table.Troubles(); !reflect.DeepEqual(now, want) {
		t.Errorf("%+v, want %+v", now, want)
	}
	if s := table.TableStats(); s.SilentNow != 6 || s.ClockOff != 2 {
		t.Errorf("%+v", s)
	}
}

// TestSilentAfterReload: a longer time, or none, also holds for exporters that are silent.
func TestSilentAfterReload(t *testing.T) {
	for _, after := range []time.Duration{0, time.Hour} {
		table := NewExporterTable(ExportersConfig{SilentAfter: time.Minute})
		now := time.Now()
		table.Get(numberedAddr(1)).count(10, &producer.Result{Decoded: true, Records: 5}, now.UnixNano())
		now = now.Add(2 * time.Minute)
		table.Sweep(now, sequence.Network)
		if st := table.TableStats(); st.SilentNow != 1 {
			t.Fatalf("%+v", st)
		}
		table.SetSilentAfter(after)
		table.Sweep(now, sequence.Network)
		if st := table.TableStats(); st.SilentNow != 0 || st.Silent != 1 || st.Returned != 0 {
			t.Errorf("after %v: %+v", after, st)
		}
		if d := table.One(numberedAddr(1), now.UnixNano()); d.Silent {
			t.Errorf("after %v: the exporter is silent", after)
		}
		table.SetSilentAfter(time.Minute)
		table.Sweep(now, sequence.Network)
		if st := table.TableStats(); st.SilentNow != 1 || st.Silent != 2 {
			t.Errorf("a minute again: %+v", st)
		}
	}
}
