package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// Exporters is what /exporters reads.
type Exporters struct {
	Table *collector.Exporters
	// Names are those that options data announced; nil for none.
	Names *names.Table
	// DefaultRate returns the sampling rate of flows whose exporter announces none, 0 for none.
	DefaultRate func() uint64
	// LostHere returns what was lost on this host, of whichever exporters.
	LostHere func() collector.LostHere
}

// exportersHandler lists the exporters as JSON, in the order of their addresses:
// ?exporter=ADDRESS one, ?limit=N the first N, ?after=ADDRESS those after an
// address. A page that is not the last has "next", the value of after for the next
// page.
//
// A request holds the details of one exporter, up to 2*keyChunk keys of each table
// and, during a walk, a copy of the table's list of pointers. Tables are locked only
// to copy that list or the details of one exporter.
type exportersHandler struct {
	src   Exporters
	store *producer.TemplateStore
	works *works
	one   sync.Mutex // held while the details of exporters are in memory
	// each and addrs walk the store and the table of exporters.
	each  func(func(*producer.TemplateDomain))
	addrs func(after netip.Addr, f func(netip.Addr))
}

func newExportersHandler(src Exporters, store *producer.TemplateStore) *exportersHandler {
	return &exportersHandler{src: src, store: store, works: newWorks(listSlots, listQueue), each: store.Each, addrs: src.Table.After}
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

	Templates       int            `json:"templates"`
	Sampling        []samplingJSON `json:"sampling"`
	SamplingLeftOut int            `json:"sampling_left_out,omitempty"`
	// Ignored are the elements of its templates that fill no field.
	Ignored        []ignoredJSON `json:"elements_ignored"`
	IgnoredLeftOut int           `json:"elements_ignored_left_out,omitempty"`
	// Names are what options data said about numbers, by domain.
	Names []namesJSON `json:"options,omitempty"`
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
		Restart    map[string]uint64 `json:"restart"`
		Limit      uint64            `json:"limit_datagrams"`
		Decode     uint64            `json:"decode_datagrams"`
		Incomplete uint64            `json:"decode_incomplete_datagrams"`
	} `json:"here"`
}

type streamJSON struct {
	Protocol     string   `json:"protocol"`
	Domain       *uint64  `json:"domain,omitempty"`
	SourcePort   uint16   `json:"source_port,omitempty"`
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

// maxListed is how many streams and how many sampling rates of an exporter are
// listed, maxListedOne those of one that is asked for by itself: a large switch has
// thousands of sources of samples.
const maxListed, maxListedOne = 64, 4096

// ServeHTTP writes the page.
func (h *exportersHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want, err := newPaging(r, "exporter")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	page := exportersPage{h: h, left: want.limit}
	if want.after != "" {
		if page.after, err = netip.ParseAddr(want.after); err != nil {
			http.Error(w, "after: want an address", http.StatusBadRequest)
			return
		}
	}
	var only netip.Addr
	if text := want.query.Get("exporter"); text != "" {
		if only, err = netip.ParseAddr(text); err != nil || only.Zone() != "" {
			http.Error(w, "exporter: want an address", http.StatusBadRequest)
			return
		}
		only = only.Unmap()
		if !h.src.Table.Has(only) {
			http.Error(w, "no such exporter", http.StatusNotFound)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if headOnly(r) {
		return
	}
	k := h.works.enter(r.Context(), w)
	if k == nil {
		busy(w)
		return
	}
	defer k.leave()
	page.list = newList(k)
	page.write(only)
}

// exportersPage is a page in the making.
type exportersPage struct {
	h     *exportersHandler
	list  list
	left  int        // exporters to write; negative for all
	after netip.Addr // the last one that was written, or passed
	n     int        // exporters that were written
}

// write writes the page, of one exporter if only is valid.
func (p *exportersPage) write(only netip.Addr) {
	st := p.h.src.Table.TableStats()
	other := p.h.src.Table.Others()
	head, err := json.Marshal(map[string]any{
		"exporters": st.Exporters, "exporters_max": st.Max, "evicted": st.Evicted, "overflowed": st.Overflowed,
		"silent": st.SilentNow, "lost_here_of_all": p.h.src.LostHere(),
		"others": map[string]any{"datagrams": other.Datagrams, "records": other.Records},
	})
	if err != nil {
		panic(http.ErrAbortHandler) // cannot be: it is all numbers
	}
	p.list.string("{\"totals\":" + string(head) + ",\n\"list\":[")
	next := ""
	domains := newEntries(compareByExporter, eachKey(p.h.each))
	if only.IsValid() {
		p.exporter(only, domains, maxListedOne)
	} else {
		next = p.all(domains)
	}
	p.list.string("\n]")
	if next != "" {
		p.list.string(",\n\"next\":\"" + next + "\"")
	}
	p.list.string("}\n")
	p.list.end()
}

// all writes the exporters after p.after. It returns where the next page begins if
// this one is full.
func (p *exportersPage) all(domains *entries[template.Key]) (next string) {
	after := p.after
	addrs := newEntries(func(a, b *netip.Addr) int { return a.Compare(*b) }, func(f func(*netip.Addr)) {
		p.h.addrs(after, func(a netip.Addr) { f(&a) })
	})
	if p.left >= 0 {
		addrs.limit = min(keyChunk-1, p.left) + 1 // one more tells whether there is a next page
	}
	for addr := addrs.next(); addr != nil; addr = addrs.next() {
		if p.left == 0 {
			if p.after.IsValid() {
				next = p.after.String()
			}
			break
		}
		p.exporter(*addr, domains, maxListed)
		p.after = *addr
		p.left--
	}
	return next
}

// exporter writes the one with the address, with up to listed of its streams and
// sampling rates. Calls are in the order of addresses.
func (p *exportersPage) exporter(addr netip.Addr, domains *entries[template.Key], listed int) {
	text := p.h.exporter(addr, p.h.domains(addr, domains, listed), listed)
	if text == nil {
		return // it made room for another one meanwhile
	}
	if p.n++; p.n > 1 {
		p.list.string(",")
	}
	p.list.string("\n")
	p.list.text(text)
}

// exporter returns the entry of an exporter, nil if it has none any more.
func (h *exportersHandler) exporter(addr netip.Addr, domains *domainsOf, listed int) []byte {
	h.one.Lock()
	defer h.one.Unlock()
	d := h.src.Table.One(addr, time.Now().UnixNano())
	if d == nil {
		return nil
	}
	text, err := json.Marshal(newExporterJSON(d, domains, listed, h.src.DefaultRate()))
	if err != nil {
		return nil // cannot be: no values that JSON lacks
	}
	return text
}

func newExporterJSON(d *collector.ExporterDetail, domains *domainsOf, listed int, defaultRate uint64) *exporterJSON {
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
		Reordered:          d.Sequence.Reordered,
		Duplicates:         d.Sequence.Duplicates,
		Restarts:           d.Sequence.Restarts,
		Streams:            []streamJSON{},
		Ignored:            []ignoredJSON{},
	}
	for _, p := range d.Protocols {
		e.Protocols = append(e.Protocols, p.String())
	}
	if domains != nil {
		e.Templates = domains.templates
		e.Ignored, e.IgnoredLeftOut, e.Names = domains.ignoredList(), domains.ignoredLeftOut, domains.names
	}
	e.Sampling, e.SamplingLeftOut = sampling(d, domains, listed)
	if defaultRate != 0 {
		e.Sampling = append(e.Sampling, samplingJSON{Source: producer.SamplingDefault.String(), Rate: defaultRate})
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
	e.Lost.Here.Restart = units(sequence.Restart)
	e.Lost.Here.Limit, e.Lost.Here.Decode, e.Lost.Here.Incomplete = d.Limited, d.Failed, d.Incomplete
	newest := int64(0)
	for i := range d.Streams {
		s := &d.Streams[i]
		out := newStreamJSON(s)
		if s.HasSkew && s.LastNs > newest {
			newest, e.ClockSkewSeconds = s.LastNs, out.ClockSkew
		}
		if len(e.Streams) == listed {
			e.StreamsLeftOut++
			continue
		}
		e.Streams = append(e.Streams, out)
	}
	return e
}

func newStreamJSON(s *sequence.Info) streamJSON {
	out := streamJSON{
		Protocol: s.Key.Kind.String(), SourcePort: s.Key.Port, CountsBy: s.CountsBy, Observations: s.Observations, NextSequence: s.Next,
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
