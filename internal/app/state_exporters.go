package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/state"
)

// savedExporter is an exporter in the file of state. Times are in Unix
// nanoseconds.
type savedExporter struct {
	Exporter  netip.Addr `json:"exporter"`
	FirstSeen int64      `json:"first_seen"`
	LastSeen  int64      `json:"last_seen"`
	FirstUse  int64      `json:"first_use"`
	LastUse   int64      `json:"last_use"`
	Silent    bool       `json:"silent"`
}

// exportersSection returns the section of the exporters that are known.
func exportersSection(table *collector.Exporters) state.Section {
	return state.Section{
		Name:    "exporters",
		Changes: table.SavedChanges,
		Save:    func(w io.Writer) error { return saveExporters(w, table) },
		Load:    func(dec *json.Decoder) error { return loadExporters(dec, table) },
	}
}

// saveExporters writes an array of exporters, one a line.
func saveExporters(w io.Writer, table *collector.Exporters) error {
	out := bufio.NewWriter(w) // it keeps the first error
	out.WriteByte('[')
	var b []byte
	table.Saved(func(s *collector.SavedExporter) {
		if b != nil {
			out.WriteByte(',')
		}
		b = append(s.Addr.AppendTo(append(b[:0], "\n{\"exporter\":\""...)), '"')
		for _, f := range []struct {
			name string
			ns   int64
		}{{"first_seen", s.FirstSeenNs}, {"last_seen", s.LastSeenNs}, {"first_use", s.FirstUseNs}, {"last_use", s.LastUseNs}} {
			b = strconv.AppendInt(append(append(append(b, `,"`...), f.name...), `":`...), f.ns, 10)
		}
		b = append(strconv.AppendBool(append(b, `,"silent":`...), s.Silent), '}')
		out.Write(b)
	})
	out.WriteByte(']')
	return out.Flush()
}

// loadExporters reads the array. Those for which there is no room are new when
// they come.
func loadExporters(dec *json.Decoder, table *collector.Exporters) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return fmt.Errorf("%w: exporters are no array", state.ErrDamaged)
	}
	for dec.More() {
		var s savedExporter
		if err := dec.Decode(&s); err != nil {
			return fmt.Errorf("%w: %w", state.ErrDamaged, err)
		}
		if !s.Exporter.IsValid() || s.Exporter.Zone() != "" || s.Exporter.Is4In6() {
			return fmt.Errorf("%w: exporter %q is no address", state.ErrDamaged, s.Exporter)
		}
		table.Restore(&collector.SavedExporter{
			Addr: s.Exporter, FirstSeenNs: s.FirstSeen, LastSeenNs: s.LastSeen,
			FirstUseNs: s.FirstUse, LastUseNs: s.LastUse, Silent: s.Silent,
		})
	}
	_, err := dec.Token()
	return err
}
