package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"time"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/state"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
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
	var list []collector.SavedExporter
	for dec.More() {
		var s savedExporter
		if err := dec.Decode(&s); err != nil {
			return fmt.Errorf("%w: %w", state.ErrDamaged, err)
		}
		if !s.Exporter.IsValid() || s.Exporter.Zone() != "" || s.Exporter.Is4In6() {
			return fmt.Errorf("%w: exporter %q is no address", state.ErrDamaged, s.Exporter)
		}
		list = append(list, collector.SavedExporter{
			Addr: s.Exporter, FirstSeenNs: s.FirstSeen, LastSeenNs: s.LastSeen,
			FirstUseNs: s.FirstUse, LastUseNs: s.LastUse, Silent: s.Silent,
		})
	}
	collector.SortSaved(list)
	for i := range list {
		table.Restore(&list[i])
	}
	_, err := dec.Token()
	return err
}

// withRecords adds what the configuration says about records to a producer's configuration.
func withRecords(cfg producer.Config, r *config.Records, table *names.Table) producer.Config {
	cfg.Discards, cfg.Names = r.Discards, table
	for _, name := range r.Join {
		kind, _ := names.ParseKind(name) // the configuration has checked it
		cfg.Join = cfg.Join.With(kind)
		if kind == names.Sampler {
			cfg.Join = cfg.Join.With(names.SamplerMode)
		}
	}
	return cfg
}

// savedNames are the names of a domain in the file of state.
type savedNames struct {
	Exporter netip.Addr                   `json:"exporter"`
	Version  uint16                       `json:"version"`
	Domain   uint32                       `json:"domain"`
	Port     uint16                       `json:"port,omitempty"`
	Seen     int64                        `json:"seen"` // Unix nanoseconds
	Names    map[string]map[uint64]string `json:"names,omitempty"`
}

// namesSection returns the section of what options data said about numbers.
func namesSection(table *names.Table) state.Section {
	return state.Section{
		Name:    "names",
		Changes: table.Changes,
		Save:    func(w io.Writer) error { return saveNames(w, table) },
		Load:    func(dec *json.Decoder) error { return loadNames(dec, table) },
	}
}

// saveNames writes an array of domains, one a line.
func saveNames(w io.Writer, table *names.Table) error {
	out := bufio.NewWriter(w) // it keeps the first error
	out.WriteByte('[')
	first := true
	table.Each(func(d *names.Domain) {
		key := d.Key()
		s := savedNames{
			Exporter: netip.AddrFrom16(key.Exporter).Unmap(), Version: key.Version, Domain: key.Domain, Port: key.Port, Seen: d.SeenNs(),
			Names: map[string]map[uint64]string{},
		}
		for k := range names.Kind(names.NumKinds) {
			for _, e := range d.Names(k) {
				if s.Names[k.String()] == nil {
					s.Names[k.String()] = map[uint64]string{}
				}
				s.Names[k.String()][e.ID] = e.Name
			}
		}
		text, err := json.Marshal(&s)
		if err != nil || len(s.Names) == 0 {
			return // there is nothing that JSON lacks
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.WriteByte('\n')
		out.Write(text)
	})
	out.WriteByte(']')
	return out.Flush()
}

// loadNames reads the array. What has no room is learned again.
func loadNames(dec *json.Decoder, table *names.Table) error {
	var all []savedNames
	if err := dec.Decode(&all); err != nil {
		return fmt.Errorf("%w: %w", state.ErrDamaged, err)
	}
	now := time.Now().UnixNano()
	for i := range all {
		s := &all[i]
		if !s.Exporter.IsValid() || s.Exporter.Zone() != "" {
			return fmt.Errorf("%w: exporter %q is no address", state.ErrDamaged, s.Exporter)
		}
		key := names.Key{Exporter: s.Exporter.As16(), Domain: s.Domain, Port: s.Port, Version: s.Version}
		for kind, list := range s.Names {
			k, ok := names.ParseKind(kind)
			if !ok {
				continue // of a later version
			}
			for id, name := range list {
				table.Learn(&key, k, id, []byte(name), min(s.Seen, now))
			}
		}
	}
	return nil
}
