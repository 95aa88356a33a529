package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
)

// Exporters is what /exporters reads.
type Exporters struct {
	Table *collector.Exporters
	// LostHere returns what was lost on this host, of whichever exporters.
	LostHere func() collector.LostHere
}

// exportersHandler lists the exporters as JSON, in the order of their addresses:
// ?exporter=ADDRESS one, ?limit=N the first N.
type exportersHandler struct {
	src   Exporters
	store *template.Store
}

type exporterJSON struct {
	Exporter  string    `json:"exporter"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Silent    bool      `json:"silent"`
	Protocols []string  `json:"protocols"`

	Datagrams          uint64  `json:"datagrams"`
	Bytes              uint64  `json:"bytes"`
	Records            uint64  `json:"records"`
	DatagramsPerSecond float64 `json:"datagrams_per_second"`
	RecordsPerSecond   float64 `json:"records_per_second"`

	Templates int            `json:"templates"`
	Sampling  []samplingJSON `json:"sampling"`
	// ClockSkewSeconds is how far the exporter's clock is ahead of ours, null
	// for one that tells no time.
	ClockSkewSeconds *float64 `json:"clock_skew_seconds"`

	Lost       lostJSON `json:"lost"`
	Reordered  uint64   `json:"reordered"`
	Duplicates uint64   `json:"duplicates"`
	Restarts   uint64   `json:"restarts"`

	Streams        []streamJSON `json:"streams"`
	StreamsLeftOut int          `json:"streams_left_out,omitempty"`
}

type samplingJSON struct {
	Source    string  `json:"source"`
	Rate      uint64  `json:"rate"`
	Protocol  string  `json:"protocol,omitempty"`
	Domain    *uint64 `json:"domain,omitempty"`
	Sampler   *uint64 `json:"sampler,omitempty"`
	Interface *uint32 `json:"interface,omitempty"`
}

// lostJSON tells what the network lost from what was lost here. What is missing
// by sequence is in the exporter's own unit; failed and limited ones are
// datagrams that came.
type lostJSON struct {
	Network map[string]uint64 `json:"network"`
	Here    struct {
		Socket     map[string]uint64 `json:"socket"`
		Ring       map[string]uint64 `json:"ring"`
		Limit      uint64            `json:"limit_datagrams"`
		Decode     uint64            `json:"decode_datagrams"`
		Incomplete uint64            `json:"decode_incomplete_datagrams"`
	} `json:"here"`
}

type streamJSON struct {
	Protocol     string   `json:"protocol"`
	Domain       *uint64  `json:"domain,omitempty"`
	Source       string   `json:"source,omitempty"`
	CountsBy     string   `json:"counts_by"`
	Unit         string   `json:"unit,omitempty"`
	Observations uint64   `json:"observations"`
	NextSequence uint32   `json:"next_sequence"`
	Lost         uint64   `json:"lost"`
	Reordered    uint64   `json:"reordered"`
	Duplicates   uint64   `json:"duplicates"`
	Restarts     uint64   `json:"restarts"`
	Strays       uint64   `json:"strays"`
	SamplingRate uint32   `json:"sampling_rate,omitempty"`
	ClockSkew    *float64 `json:"clock_skew_seconds,omitempty"`
}

// maxStreams is how many streams of an exporter are listed where it is not asked
// for by itself: a large switch has thousands of sources of samples.
const maxStreams = 64

func (h exportersHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	limit := -1
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			http.Error(w, "limit: want a whole number from 0", http.StatusBadRequest)
			return
		}
		limit = n
	}
	now := time.Now().UnixNano()
	var only *collector.ExporterDetail
	if text := r.FormValue("exporter"); text != "" {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			http.Error(w, "exporter: want an address", http.StatusBadRequest)
			return
		}
		if only = h.src.Table.One(addr.Unmap(), now); only == nil {
			http.Error(w, "no such exporter", http.StatusNotFound)
			return
		}
	}
	domains := map[netip.Addr][]*template.Domain{}
	for _, d := range h.store.Domains() {
		key := d.Key()
		addr := netip.AddrFrom16(key.Exporter).Unmap()
		domains[addr] = append(domains[addr], d)
	}
	st := h.src.Table.TableStats()
	_, other := h.src.Table.Stats(1 << 30)
	head, err := json.Marshal(map[string]any{
		"exporters": st.Exporters, "exporters_max": st.Max, "evicted": st.Evicted, "overflowed": st.Overflowed,
		"silent": st.SilentNow, "lost_here_of_all": h.src.LostHere(),
		"others": map[string]any{"datagrams": other.Datagrams, "records": other.Records},
	})
	if err != nil {
		http.Error(w, "encode", http.StatusInternalServerError)
		return
	}
	// One at a time: there may be a hundred thousand. Errors are the client's
	// going away.
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\"totals\":%s,\n\"list\":[", head)
	n := 0
	put := func(d *collector.ExporterDetail) bool {
		if limit >= 0 && n >= limit {
			return false
		}
		text, err := json.Marshal(newExporterJSON(d, domains[d.Addr], only == nil))
		if err != nil {
			return false
		}
		if n++; n > 1 {
			_, _ = w.Write([]byte(","))
		}
		_, _ = w.Write([]byte("\n"))
		_, err = w.Write(text)
		return err == nil
	}
	if only != nil {
		put(only)
	} else {
		h.src.Table.Each(now, put)
	}
	_, _ = w.Write([]byte("\n]}\n"))
}

func newExporterJSON(d *collector.ExporterDetail, domains []*template.Domain, short bool) *exporterJSON {
	e := &exporterJSON{
		Exporter:           d.Addr.String(),
		FirstSeen:          time.Unix(0, d.FirstSeenNs).UTC(),
		LastSeen:           time.Unix(0, d.LastSeenNs).UTC(),
		Silent:             d.Silent,
		Protocols:          []string{},
		Datagrams:          d.Datagrams,
		Bytes:              d.Bytes,
		Records:            d.Records,
		DatagramsPerSecond: d.DatagramRate,
		RecordsPerSecond:   d.RecordRate,
		Sampling:           sampling(d, domains),
		Reordered:          d.Sequence.Reordered,
		Duplicates:         d.Sequence.Duplicates,
		Restarts:           d.Sequence.Restarts,
		Streams:            []streamJSON{},
	}
	for _, p := range d.Protocols {
		e.Protocols = append(e.Protocols, p.String())
	}
	for _, domain := range domains {
		e.Templates += len(domain.Templates())
	}
	units := func(p sequence.Place) map[string]uint64 {
		m := map[string]uint64{}
		for u, n := range d.Sequence.Lost[p] {
			if n > 0 {
				m[sequence.Unit(u).String()] = n
			}
		}
		return m
	}
	e.Lost.Network = units(sequence.Network)
	e.Lost.Here.Socket, e.Lost.Here.Ring = units(sequence.Socket), units(sequence.Ring)
	e.Lost.Here.Limit, e.Lost.Here.Decode, e.Lost.Here.Incomplete = d.Limited, d.Failed, d.Incomplete
	newest := int64(0)
	for i := range d.Streams {
		s := &d.Streams[i]
		out := newStreamJSON(s)
		if s.HasSkew && s.LastNs > newest {
			newest, e.ClockSkewSeconds = s.LastNs, out.ClockSkew
		}
		if short && len(e.Streams) == maxStreams {
			e.StreamsLeftOut++
			continue
		}
		e.Streams = append(e.Streams, out)
	}
	return e
}

func newStreamJSON(s *sequence.Info) streamJSON {
	out := streamJSON{
		Protocol: s.Key.Kind.String(), CountsBy: s.CountsBy, Observations: s.Observations, NextSequence: s.Next,
		Lost: s.Lost, Reordered: s.Reordered, Duplicates: s.Duplicates, Restarts: s.Restarts, Strays: s.Strays,
		SamplingRate: s.Rate,
	}
	if s.CountsBy != sequence.Unknown {
		out.Unit = s.Unit.String()
	}
	if s.HasSkew {
		skew := float64(s.SkewNs/1e6) / 1e3
		out.ClockSkew = &skew
		out.Domain = &s.Key.Domain
	}
	if s.Key.Kind > sequence.SFlow {
		out.Source = fmt.Sprintf("%d:%d", s.Key.Source>>32, s.Key.Source&(1<<32-1))
	}
	return out
}

// sampling lists the sampling rates that hold for an exporter, and where they
// come from.
func sampling(d *collector.ExporterDetail, domains []*template.Domain) []samplingJSON {
	list := []samplingJSON{}
	if o := d.Override; o != nil {
		if o.Rate != 0 {
			list = append(list, samplingJSON{Source: producer.SamplingOverride.String(), Rate: o.Rate})
		}
		for _, index := range slices.Sorted(maps.Keys(o.Interfaces)) {
			list = append(list, samplingJSON{Source: producer.SamplingOverride.String(), Rate: o.Interfaces[index], Interface: &index})
		}
	}
	for _, domain := range domains {
		key := domain.Key()
		id, protocol := uint64(key.Domain), producer.ProtocolNetFlowV9.String()
		if key.Version == template.IPFIX {
			protocol = producer.ProtocolIPFIX.String()
		}
		s := domain.Sampling()
		s.EachSampler(func(sampler, rate uint64) {
			list = append(list, samplingJSON{Source: producer.SamplingSampler.String(), Rate: rate, Protocol: protocol, Domain: &id, Sampler: &sampler})
		})
		if rate := s.Rate(); rate != 0 {
			list = append(list, samplingJSON{Source: producer.SamplingDomain.String(), Rate: rate, Protocol: protocol, Domain: &id})
		}
	}
	// Those in headers and samples: each rate once.
	seen := map[samplingJSON]bool{}
	for i := range d.Streams {
		s := samplingJSON{Source: producer.SamplingRecord.String(), Rate: uint64(d.Streams[i].Rate), Protocol: d.Streams[i].Key.Kind.String()}
		if s.Rate != 0 && !seen[s] && len(seen) < maxStreams {
			seen[s] = true
			list = append(list, s)
		}
	}
	return list
}
