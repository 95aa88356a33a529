package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/state"
)

func savedExporters(table *collector.Exporters) []collector.SavedExporter {
	var all []collector.SavedExporter
	table.Saved(func(s *collector.SavedExporter) { all = append(all, *s) })
	return all
}

func TestExportersSection(t *testing.T) {
	table := collector.NewExporters()
	write := func(table *collector.Exporters) []byte {
		var b bytes.Buffer
		if err := state.Write(&b, []state.Section{exportersSection(table)}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	read := func(data []byte, table *collector.Exporters) error {
		return state.Read(bytes.NewReader(data), int64(len(data)), []state.Section{exportersSection(table)})
	}
	if err := read(write(table), table); err != nil || len(savedExporters(table)) != 0 {
		t.Fatalf("empty: %v", err)
	}
	for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
		table.Restore(&collector.SavedExporter{Addr: netip.MustParseAddr(addr), FirstSeenNs: 1, LastSeenNs: 5, FirstUseNs: 2, LastUseNs: 4, Silent: addr == "192.0.2.1"})
	}
	again := collector.NewExporters()
	if err := read(write(table), again); err != nil || !reflect.DeepEqual(savedExporters(again), savedExporters(table)) {
		t.Errorf("%v: got %+v, want %+v", err, savedExporters(again), savedExporters(table))
	}
	for _, text := range []string{`{}`, `[{"exporter":"x"}]`, `[{}]`, `[7]`, `[{"exporter":"::ffff:1.2.3.4"}]`, `[{"exporter":"fe80::1%eth0"}]`} {
		section := exportersSection(collector.NewExporters())
		if err := section.Load(json.NewDecoder(strings.NewReader(text))); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMemoryFinding(t *testing.T) {
	cfg := config.Default()
	if f := memoryFinding(cfg, memoryCaps(cfg, 64)); f != "" {
		t.Errorf("a limit that was not asked for: %s", f)
	}
	cfg.Sources["memory.max"] = "-memory.max"
	if f := memoryFinding(cfg, memoryCaps(cfg, 64)); !strings.Contains(f, "less than") || !strings.Contains(f, "batches") {
		t.Errorf("with 64 workers: %q", f)
	}
	for _, enough := range []int64{0, 8 << 30} {
		cfg.MemoryMax = enough
		if f := memoryFinding(cfg, memoryCaps(cfg, 64)); f != "" {
			t.Errorf("with %d: %s", enough, f)
		}
	}
}

// TestLimitMemory: a limit that was not asked for is no less than what the parts
// may take.
func TestLimitMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	log := slog.New(slog.DiscardHandler)
	cfg := config.Default()
	limit, caps := limitMemory(cfg, 64, log)
	if limit != sumOf(caps) || limit < cfg.MemoryMax || debug.SetMemoryLimit(-1) != limit {
		t.Errorf("limit %d, the parts %d", limit, sumOf(caps))
	}
	cfg.Sources["memory.max"] = "-memory.max"
	if limit, _ = limitMemory(cfg, 64, log); limit != cfg.MemoryMax || debug.SetMemoryLimit(-1) != limit {
		t.Errorf("limit %d, asked for %d", limit, cfg.MemoryMax)
	}
}
