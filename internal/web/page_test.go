package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// newTestPage returns the page of a table with n exporters, of which the second has a
// template and hostile names.
func newTestPage(t *testing.T, n int) *pageHandler {
	t.Helper()
	table, store := collector.NewExporters(), producer.NewStore(template.DefaultLimits())
	for i := range n {
		table.Get(addrOf(1 + i))
	}
	announce(t, store, exporterKey(2, 7), definition(t, template.IPFIX, 256, 3, false), definition(t, template.IPFIX, 257, 2, true))
	from := exportersOf(table)
	from.Names = names.NewTable(names.DefaultBytes)
	key := exporterKey(2, 7)
	own := names.Key{Exporter: key.Exporter, Domain: key.Domain, Version: key.Version}
	from.Names.Learn(&own, names.Interface, 3, []byte("<script>alert(1)</script>"), 1)
	cfg := Config{
		Logger: slog.New(slog.DiscardHandler), Exporters: from, TemplatesPath: "/templates",
		Settings: func() string { return "listen: \"<b>\"\n" },
		Health: func() (bool, any) {
			return true, map[string]any{"status": "degraded", "reasons": []string{"socket: lost <5>"}, "places": []map[string]any{
				{"place": "socket", "status": "degraded", "unit": "datagrams", "lost": 104121, "lost_last_minute": 12, "action": "raise -receive.buffer"},
			}}
		},
		Page: PageSource{Version: "0.9.0", Totals: func() Totals { return Totals{} }, Facts: func() [][2]string { return [][2]string{{"Output", "file & more"}} }},
	}
	return newPageHandler(cfg, newExportersHandler(from, store))
}

// browse asks for the page as a browser does.
func browse(h http.Handler, target string) (int, string, http.Header) {
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func TestPage(t *testing.T) {
	h := newTestPage(t, 250)
	now := time.Unix(1_700_000_000, 0)
	for i := range 400 { // more than an hour
		h.history.add(now.Add(time.Duration(i)*historyEvery), Totals{Datagrams: uint64(5000 * i), LostDatagrams: uint64(10 * i)})
	}
	code, page, head := browse(h, "/")
	if code != 200 || head.Get("Content-Security-Policy") != pagePolicy || head.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d, %v", code, head)
	}
	for _, want := range []string{
		"weir</a> <span class=\"soft\">0.9.0", "Degraded: something was lost", "socket: lost &lt;5&gt;", "raise -receive.buffer", "104121", "file &amp; more",
		"Datagrams received over 60 minutes: now 500 /s, at most 500", "now 1 /s", "100 of 250", "/?exporter=10.0.0.1\"", "/exporters", "&lt;b&gt;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "http://") || strings.Contains(page, "https://") || strings.Count(page, "/?exporter=") != pageRows {
		t.Error("the page has a script, a reference to another host, or too many rows")
	}
	if code, text, _ := browse(h, "/?q=10.0.0.24&sort=address"); code != 200 || !strings.Contains(text, "11 of 11") || !strings.Contains(text, `value="10.0.0.24"`) {
		t.Errorf("a query: %d\n%s", code, text)
	}
	// By address, page after page, each exporter once.
	seen := map[string]bool{}
	for next, pages := "", 0; pages < 5; pages++ {
		_, text, _ := browse(h, "/?sort=address&after="+next)
		rows := strings.Split(text, "/?exporter=")[1:]
		for _, r := range rows {
			name, _, _ := strings.Cut(r, "\"")
			if seen[name] {
				t.Fatalf("%s is listed twice", name)
			}
			seen[name] = true
			next = name
		}
		if !strings.Contains(text, "Next page") {
			break
		}
	}
	if len(seen) != 250 {
		t.Errorf("%d exporters on all pages", len(seen))
	}

	code, page, _ = browse(h, "/?exporter=10.0.0.2")
	for _, want := range []string{"Exporter 10.0.0.2", "sourceIPv4Address (4)", "ipfix domain 7, template 256", "template 257 (options)", "&lt;script&gt;alert(1)"} {
		if code != 200 || !strings.Contains(page, want) {
			t.Errorf("an exporter: %d, without %q", code, want)
		}
	}
	if strings.Contains(page, "<script>") {
		t.Error("a name of the network is part of the page")
	}
	for target, want := range map[string]int{"/?exporter=192.0.2.1": 404, "/?exporter=" + url.QueryEscape("<b>"): 400} {
		if code, page, _ := browse(h, target); code != want || !strings.Contains(page, "role=\"alert\"") || strings.Contains(page, "\"<b>") {
			t.Errorf("%s: %d", target, code)
		}
	}
	// Who does not ask for HTML gets the list of pages.
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if !strings.HasPrefix(w.Body.String(), "weir\n\n/metrics") {
		t.Errorf("for curl: %q", w.Body)
	}
}

func TestHistory(t *testing.T) {
	var h history
	now := time.Unix(1_700_000_000, 0)
	if p := newPlot("x", "/s", h.series(0)); p.Now != "0" || p.Line != "" {
		t.Errorf("without points: %+v", p)
	}
	h.add(now, Totals{Records: 100})
	h.add(now.Add(10*time.Second), Totals{Records: 200})
	h.add(now.Add(20*time.Second), Totals{Records: 150}) // as if it counted anew
	if got := fmt.Sprint(h.series(2)); got != "[10 0]" {
		t.Errorf("rates %s", got)
	}
	if p := newPlot("x", "/s", h.series(2)); p.Now != "0" || p.Most != "10" || p.Line != "598.3,2.0 600.0,98.0" {
		t.Errorf("%+v", p)
	}
	for v, want := range map[float64]string{0: "0", 950: "950", 0.25: "0.2", 1234: "1.2k", 3.4e6: "3.4M", 7e12: "7.0T"} {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %q, want %q", v, got, want)
		}
	}
}
