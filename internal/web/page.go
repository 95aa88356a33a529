package web

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirflow/weir/decoders/elements"
	wire "github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
)

// PageSource is what the page at / shows in addition to the other pages.
type PageSource struct {
	Version string
	// Totals returns counts since the start.
	Totals func() Totals
	// Facts returns names and values about sockets, captures, workers and the output.
	Facts func() [][2]string
}

const (
	// pageRows is how many exporters a page lists, pageLooks how many it looks at to sort
	// them, and pageTemplates how many templates of one it lists.
	pageRows, pageLooks, pageTemplates = 100, 2000, 200
)

//go:embed page.html
var pageText string

// pagePolicy lets the page have nothing but its own styles.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// pageOrders are what exporters can be sorted by.
var pageOrders = []string{"records", "datagrams", "lost", "failed", "last seen", "address"}

// pageHandler serves the page at /: for a browser. Other clients get a list of pages.
type pageHandler struct {
	cfg       Config
	plain     http.HandlerFunc
	page      *template.Template
	exporters *exportersHandler // nil: there is no table
	history   *history
	links     []string
}

func newPageHandler(cfg Config, exporters *exportersHandler) *pageHandler {
	h := &pageHandler{cfg: cfg, plain: index(cfg), page: template.Must(template.New("page").Parse(pageText)), exporters: exporters, history: &history{}}
	for _, l := range links(cfg) {
		if l.path != "/-/reload" { // POST
			h.links = append(h.links, l.path)
		}
	}
	return h
}

// pageExporter is a row of the list.
type pageExporter struct {
	Name, Protocols, Seen string
	Records, Datagrams    float64
	Lost, Failed          uint64
	Silent                bool
	at                    time.Time
	addr                  netip.Addr
}

// pageTemplate is a template of an exporter.
type pageTemplate struct {
	Protocol string
	Domain   uint32
	ID       uint16
	Kind     string
	Fields   []string
}

// pageHealth is what the page takes of /health.
type pageHealth struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons"`
	Places  []struct {
		Place      string `json:"place"`
		Status     string `json:"status"`
		Unit       string `json:"unit"`
		Lost       uint64 `json:"lost"`
		LastMinute uint64 `json:"lost_last_minute"`
		Action     string `json:"action"`
	} `json:"places"`
}

// pageData is what the template shows.
type pageData struct {
	Version, Problem       string
	Links                  []string
	Health                 pageHealth
	HealthWords            string
	Plots                  []plot
	Facts                  [][2]string
	List                   []pageExporter
	Orders                 []string
	Order, Query, ListNote string
	Next                   string
	Settings               string
	Exporter               *exporterJSON
	Clock                  string // how far the exporter's is ahead, in seconds
	Templates              []pageTemplate
}

// ServeHTTP implements http.Handler.
func (h *pageHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.plain(w, r)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Security-Policy", pagePolicy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")
	if headOnly(r) {
		return
	}
	d := &pageData{Version: h.cfg.Page.Version, Links: h.links, Orders: pageOrders}
	code, out := http.StatusOK, io.Writer(w)
	if h.exporters != nil {
		k := h.exporters.works.enter(r.Context(), w)
		if k == nil {
			busy(w)
			return
		}
		defer k.leave()
		out = k
	}
	if name := r.URL.Query().Get("exporter"); name != "" {
		code = h.exporter(d, name)
	}
	if d.Exporter == nil {
		h.overview(d, r)
	}
	var b bytes.Buffer
	if err := h.page.Execute(&b, d); err != nil {
		h.cfg.Logger.Error("page not made", "error", err)
		http.Error(w, "the page could not be made: the log says why", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(code)
	_, _ = out.Write(b.Bytes()) // the client has gone
}

// overview fills the page about all of weir.
func (h *pageHandler) overview(d *pageData, r *http.Request) {
	if h.cfg.Health != nil {
		_, page := h.cfg.Health()
		if text, err := json.Marshal(page); err == nil {
			_ = json.Unmarshal(text, &d.Health) // made by the same program
		}
	}
	d.HealthWords = map[string]string{
		"ok": "Well: nothing was lost in the last minute.", "degraded": "Degraded: something was lost in the last minute, or an exporter is in trouble.",
		"failing": "Failing: nothing is received, or nothing is written.",
	}[d.Health.Status]
	for i, s := range []struct{ name, unit string }{
		{"Datagrams received", "/s"}, {"Bytes received", "B/s"}, {"Flow records", "/s"}, {"Records written", "/s"}, {"Datagrams lost or not decoded", "/s"}, {"Records lost", "/s"},
	} {
		d.Plots = append(d.Plots, newPlot(s.name, s.unit, h.history.series(i)))
	}
	d.Facts = h.cfg.Page.Facts()
	if h.cfg.Settings != nil {
		d.Settings = h.cfg.Settings()
	}
	if h.exporters != nil {
		h.list(d, r)
	}
}

// list fills the list of exporters: those whose addresses contain the query, after an address.
// If there are more than pageLooks they are sorted among those that a page looks at.
func (h *pageHandler) list(d *pageData, r *http.Request) {
	query := r.URL.Query()
	d.Query, d.Order = query.Get("q"), query.Get("sort")
	if !slices.Contains(pageOrders, d.Order) {
		d.Order = pageOrders[0]
	}
	after, _ := netip.ParseAddr(query.Get("after")) // else from the first on
	matching := newSmallest(pageLooks, func(a, b *netip.Addr) int { return a.Compare(*b) })
	all := 0
	h.exporters.addrs(after, func(a netip.Addr) {
		if d.Query == "" || strings.Contains(a.String(), d.Query) {
			all++
			matching.add(&a)
		}
	})
	addrs, more := matching.sorted()
	now := time.Now()
	for _, a := range addrs {
		h.exporters.one.Lock()
		e := h.exporters.src.Table.One(a, now.UnixNano())
		if e != nil {
			d.List = append(d.List, newPageExporter(e, now))
		}
		h.exporters.one.Unlock()
	}
	value := func(e *pageExporter) float64 {
		switch d.Order {
		case "records":
			return e.Records
		case "datagrams":
			return e.Datagrams
		case "lost":
			return float64(e.Lost)
		case "failed":
			return float64(e.Failed)
		case "last seen":
			return float64(e.at.UnixNano())
		}
		return 0
	}
	slices.SortStableFunc(d.List, func(a, b pageExporter) int { return cmp.Compare(value(&b), value(&a)) })
	shown := min(len(d.List), pageRows)
	if d.Order == "address" && shown < all {
		d.Next = d.List[shown-1].Name
	} else if more {
		d.Next = addrs[len(addrs)-1].String()
	}
	d.ListNote = fmt.Sprintf("%d of %d", shown, all)
	if more && d.Order != "address" {
		d.ListNote += fmt.Sprintf("; sorted among %d by address: a query shows others", len(addrs))
	}
	d.List = d.List[:shown]
}

func newPageExporter(e *collector.ExporterDetail, now time.Time) pageExporter {
	j := newExporterJSON(e, nil, 0, 0)
	p := pageExporter{
		Name: j.Exporter, Protocols: strings.Join(j.Protocols, " "), Records: j.RecordsPerSecond, Datagrams: j.DatagramsPerSecond,
		Failed: j.Lost.Here.Decode, Silent: j.Silent, at: j.LastSeen, addr: e.Addr,
		Seen: now.Sub(j.LastSeen).Round(time.Second).String() + " ago",
	}
	for _, n := range j.Lost.Network {
		p.Lost += n
	}
	return p
}

// exporter fills the page about one exporter, and returns the status code.
func (h *pageHandler) exporter(d *pageData, name string) int {
	addr, err := netip.ParseAddr(name)
	if err != nil || h.exporters == nil {
		d.Problem = fmt.Sprintf("%q is no address of an exporter.", name)
		return http.StatusBadRequest
	}
	addr = addr.Unmap()
	keys := newEntries(compareByExporter, eachKey(h.exporters.each))
	sum := h.exporters.domains(addr, keys, maxListed)
	h.exporters.one.Lock()
	defer h.exporters.one.Unlock()
	e := h.exporters.src.Table.One(addr, time.Now().UnixNano())
	if e == nil {
		d.Problem = fmt.Sprintf("No exporter %s has sent anything.", addr)
		return http.StatusNotFound
	}
	d.Exporter = newExporterJSON(e, sum, maxListed, h.exporters.src.DefaultRate())
	if skew := d.Exporter.ClockSkewSeconds; skew != nil {
		d.Clock = fmt.Sprintf("%+.1f", *skew)
	}
	keys = newEntries(compareByExporter, eachKey(h.exporters.each))
	keys.seek(wire.Key{Exporter: addr.As16(), Port: 0}) // the first of the address
	for key := keys.peek(); key != nil && exporterOf(key) == addr && len(d.Templates) < pageTemplates; key = keys.peek() {
		domain := h.exporters.store.Find(keys.next())
		if domain == nil {
			continue // it made room for another one meanwhile
		}
		for _, t := range domain.Templates() {
			if len(d.Templates) == pageTemplates {
				break
			}
			d.Templates = append(d.Templates, newPageTemplate(domain.Key(), t))
		}
	}
	return http.StatusOK
}

func newPageTemplate(key wire.Key, t *producer.Template) pageTemplate {
	p := pageTemplate{Protocol: "netflow_v9", Domain: key.Domain, ID: t.ID}
	if t.Version != wire.V9 {
		p.Protocol = "ipfix"
	}
	if t.Options {
		p.Kind = "options"
	}
	for i := range t.Fields {
		f := &t.Fields[i]
		name := elementName(t.Version, f)
		if f.Length == wire.VariableLength {
			name += " (variable)"
		} else {
			name += fmt.Sprintf(" (%d)", f.Length)
		}
		p.Fields = append(p.Fields, name)
	}
	return p
}

// elementName returns the name of a field, or its numbers where it has none.
func elementName(version uint16, f *wire.Field) string {
	if e, ok := elements.Lookup(f.PEN, f.ID); ok && !(version == wire.V9 && f.Scope) {
		return e.Name
	}
	if f.PEN != 0 {
		return strconv.FormatUint(uint64(f.PEN), 10) + "/" + strconv.FormatUint(uint64(f.ID), 10)
	}
	return strconv.FormatUint(uint64(f.ID), 10)
}
