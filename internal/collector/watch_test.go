package collector

import (
	"bytes"
	"log/slog"
	"net/netip"
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
