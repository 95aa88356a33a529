package top

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRestart: a weir that counts from 0 again has neither rates nor losses below 0, and both
// are right with the next page.
func TestRestart(t *testing.T) {
	l := look(t, 80, 24, true)
	if r := l.state.rows["192.0.2.6"]; r.recent(l.at) != 12 || r.lost() != 64 {
		t.Fatalf("lost %d, %d of it lately, want 64 and 12", r.lost(), r.recent(l.at))
	}
	l.metrics(900, l.at.Unix()-2)
	if v := l.state.rate(received); !math.IsNaN(v) {
		t.Errorf("rate right after the restart is %v, want none", v)
	}
	l.metrics(2100, l.at.Unix()-5) // 1200 in 3 s; the start differs by what the test's clock does
	l.metrics(3300, l.at.Unix()-8)
	l.state.metrics = nil
	l.metrics(100, 77)
	l.metrics(1300, 77)
	if v := l.state.rate(received); v != 400 {
		t.Errorf("rate is %v, want 400", v)
	}
	// The same process, and yet a counter that is smaller: no rate either.
	l.metrics(50, 77)
	if v := l.state.rate(received); !math.IsNaN(v) {
		t.Errorf("rate of a counter that went back is %v, want none", v)
	}
	// The exporter begins again too: 2 lost since then.
	l.at = l.at.Add(time.Second)
	page := marshal(map[string]any{"totals": map[string]any{}, "list": []any{map[string]any{
		"exporter": "192.0.2.6", "datagrams": 5, "lost": map[string]any{"network": map[string]any{"flows": 2}}, "last_seen": l.at,
	}}})
	l.send(read(t, request{page: pageExporters}, page, l.at))
	if r := l.state.rows["192.0.2.6"]; r.recent(l.at) != 2 || r.lost() != 2 {
		t.Errorf("lost %d, %d of it lately, want 2 and 2", r.lost(), r.recent(l.at))
	}
	if len(l.rows) != 1 {
		t.Errorf("%d exporters are shown, want the one that is there", len(l.rows))
	}
	l.wait(recent)
	if n := l.state.rows["192.0.2.6"].recent(l.at); n != 0 {
		t.Errorf("%d lost lately a minute later, want none", n)
	}
}

// TestSchedule: after the first three requests there is none within a second of another,
// pages follow each other, and a weir that is away is asked for /health alone.
func TestSchedule(t *testing.T) {
	s, st := newSchedule(), newState()
	s.asked = 1
	st.apply(&answer{health: &health{Status: "ok"}, at: noon})
	at := noon
	var asked []string
	step := func(err error, took time.Duration, next text) time.Duration {
		r := s.next(st)
		asked = append(asked, r.path())
		a := answer{request: r, began: at, at: at.Add(took), err: err}
		if err == nil {
			a.health, a.metrics, a.exporters = &health{Status: "ok"}, metrics{}, &exporters{Next: next}
		}
		wait := s.done(&a)
		st.apply(&a)
		at = at.Add(took + wait)
		return took + wait
	}
	for i := range 12 {
		if d := step(nil, 100*time.Millisecond, ""); i > 0 && d < interval {
			t.Errorf("request %d is followed by another after %v", i, d)
		}
	}
	const first = "/exporters?limit=500"
	want := []string{"/metrics", first, "/health", "/metrics", first, "/health", "/metrics"}
	if got := asked[:len(want)]; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("asked for %q, want %q", got, want)
	}

	// Several pages: two of four requests are for them, each after the other.
	asked = nil
	follow := map[string]text{first: "192.0.2.8", first + "&after=192.0.2.8": "2001:db8::1"}
	s.turn = 0
	for range 8 {
		r := *s
		step(nil, 0, follow[r.next(st).path()])
	}
	want = []string{"/metrics", first, "/health", first + "&after=192.0.2.8", "/metrics", first + "&after=2001%3Adb8%3A%3A1", "/health", first}
	if st.pages != 3 || strings.Join(asked, " ") != strings.Join(want, " ") {
		t.Errorf("%d pages, asked for\n%q, want\n%q", st.pages, asked, want)
	}

	// Away: only /health, once a second.
	step(errors.New("refused"), 0, "")
	asked = nil
	for range 4 {
		if d := step(errors.New("refused"), 0, ""); d != interval {
			t.Errorf("asked again after %v, want %v", d, interval)
		}
	}
	if got := strings.Join(asked, " "); got != "/health /health /health /health" {
		t.Errorf("asked for %s of a weir that is away", got)
	}
	if st.away == nil {
		t.Error("weir is not noticed to be away")
	}
	step(nil, 0, "")
	if st.away != nil {
		t.Error("weir is not noticed to be back")
	}

	// Slow pages become smaller and leave weir time; metrics come meanwhile.
	asked = nil
	for range 12 {
		r := s.next(st)
		asked = append(asked, r.path())
		a := answer{request: r, began: at, at: at.Add(timeout), health: &health{Status: "ok"}, metrics: metrics{}}
		if r.page == pageExporters {
			a.err = errors.New("no answer")
		}
		if d := s.done(&a); d < slow {
			t.Errorf("after an answer that took %v the next request is sent after %v", timeout, d)
		}
		st.apply(&a)
	}
	if s.limit > 100 || s.limit < pageLeast {
		t.Errorf("pages are of %d exporters, want fewer", s.limit)
	}
	if !strings.Contains(strings.Join(asked, " "), "/metrics") || st.away != nil {
		t.Errorf("asked for %q, want /metrics too", asked)
	}

	s.show("192.0.2.1")
	if r := s.next(st); r.path() != "/exporters?exporter=192.0.2.1" && s.next(st).path() != "/exporters?exporter=192.0.2.1" {
		t.Errorf("the exporter that is shown is not asked for")
	}
}

// TestThousands: 5,000 exporters come page by page, those that are gone go with the end of a
// walk, and each order puts first what it should.
func TestThousands(t *testing.T) {
	l := look(t, 80, 24, false)
	address := func(i int) string { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String() }
	for walk := range 2 {
		for first := 0; first < 5000; first += pageLimit {
			var list []any
			for i := first; i < first+pageLimit; i++ {
				if walk == 1 && i == 4321 {
					continue
				}
				list = append(list, map[string]any{
					"exporter": address(i), "datagrams": 10 + walk, "records_per_second": float64(i % 4999), "last_seen": noon.Add(-time.Duration(i) * time.Second),
					"lost": map[string]any{"network": map[string]any{"flows": (i % 7) * 10 * walk}},
				})
			}
			page := map[string]any{"totals": map[string]any{"exporters": 5000}, "list": list}
			if first+pageLimit < 5000 {
				page["next"] = address(first + pageLimit - 1)
			}
			l.at = l.at.Add(time.Second)
			l.send(read(t, request{page: pageExporters, limit: pageLimit}, marshal(page), l.at))
			if walk == 0 && first == 0 && len(l.rows) != 23+pageLimit {
				t.Errorf("%d exporters are shown after the first page, want those of before too", len(l.rows))
			}
		}
	}
	if len(l.rows) != 4999 || l.state.rows[text(address(4321))] != nil {
		t.Errorf("%d exporters are shown, want 4999", len(l.rows))
	}
	for _, c := range []struct {
		key  string
		want string
	}{{"", address(4998)}, {"s", address(4997)}, {"s", address(4999)}, {"s", address(0)}, {"r", address(4999)}} {
		if c.key != "" {
			l.press(c.key)
		}
		if got := string(l.rows[0].addr); got != c.want {
			t.Errorf("sorted %v (reversed %v): first is %s, want %s", l.sort, l.backwards, got, c.want)
		}
	}
	l.press("/")
	for _, k := range "10.0.3.0/24" {
		l.press(string(k))
	}
	if l.press("enter"); len(l.rows) != 256 {
		t.Errorf("%d exporters in the prefix, want 256", len(l.rows))
	}
	// The cursor stays on its exporter whatever the order.
	l.press("down", "down")
	on := l.selected
	l.press("s") // sorting puts it on the first row again
	if l.selected != "" || on == "" {
		t.Errorf("the cursor is on %q, and was on %q", l.selected, on)
	}
	l.press("esc")
	if len(l.rows) != 4999 {
		t.Errorf("%d exporters without the filter, want 4999", len(l.rows))
	}
}

// TestClient: what is wrong with a server is said in a line, and a page neither comes late
// nor without end.
func TestClient(t *testing.T) {
	page := map[string]func(w http.ResponseWriter){
		"weir":      func(w http.ResponseWriter) { fmt.Fprint(w, healthPage(true)) },
		"failing":   func(w http.ResponseWriter) { w.WriteHeader(503); fmt.Fprint(w, `{"status":"failing"}`) },
		"other":     func(w http.ResponseWriter) { fmt.Fprint(w, "<html>\x1b[2J") },
		"json":      func(w http.ResponseWriter) { fmt.Fprint(w, `{"hello":1}`) },
		"missing":   func(w http.ResponseWriter) { w.WriteHeader(404) },
		"refused":   func(w http.ResponseWriter) { w.WriteHeader(421); fmt.Fprint(w, "host \x1b[2J is not served") },
		"elsewhere": func(w http.ResponseWriter) { w.Header().Set("Location", "http://192.0.2.1/"); w.WriteHeader(302) },
		"cut":       func(w http.ResponseWriter) { w.Header().Set("Content-Length", "99"); fmt.Fprint(w, `{"sta`) },
		"clock": func(w http.ResponseWriter) {
			w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			fmt.Fprint(w, healthPage(false))
		},
	}
	var mu sync.Mutex
	serve := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		page[serve](w)
	}))
	defer server.Close()
	c := newClient(strings.TrimPrefix(server.URL, "http://"), access{})
	for name, want := range map[string]string{
		"weir": "", "failing": "", "clock": "", "other": "not weir", "json": "not weir", "missing": "too old", "refused": `answered 421: host \x1b[2J is not served`,
		"elsewhere": "answered 302", "cut": "ended early",
	} {
		mu.Lock()
		serve = name
		mu.Unlock()
		a := c.ask(context.Background(), request{page: pageHealth})
		got := fmt.Sprint(a.err)
		if (a.err == nil) != (want == "") || !strings.Contains(got, want) && want != "" || strings.ContainsAny(got, "\x1b\n") {
			t.Errorf("%s: %s, want %q", name, got, want)
		}
		if skewed := a.skew > 30*time.Minute; skewed != (name == "clock") {
			t.Errorf("%s: clock is ahead by %v", name, a.skew)
		}
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	c = newClient(silent.Addr().String(), access{})
	c.http.Timeout = 50 * time.Millisecond
	if a := c.ask(context.Background(), request{page: pageHealth}); a.err == nil || !strings.Contains(a.err.Error(), "no answer within") {
		t.Errorf("silent server: %v", a.err)
	}
	if _, err := readMetrics(&bounded{r: endless{}, left: 1 << 20}); !errors.Is(err, errTooLarge) {
		t.Errorf("endless page: %v", err)
	}
	for addr, want := range map[string]string{
		":8080": "http://localhost:8080", "0.0.0.0:1": "http://127.0.0.1:1", "[::]:1": "http://localhost:1", "[2001:db8::1]:1": "http://[2001:db8::1]:1",
	} {
		if got := newClient(addr, access{}).base; got != want {
			t.Errorf("%s is asked at %s, want %s", addr, got, want)
		}
	}
}

// endless is a page that has no end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

// TestHostileOnce: names that exporters chose harm neither the terminal nor the columns of
// -once, and an exporter whose address is none is left out.
func TestHostileOnce(t *testing.T) {
	st := newState()
	at := noon
	for r, page := range map[request]string{
		{page: pageHealth}:    strings.ReplaceAll(healthPage(true), `"units"`, `"\u001b[2J a b"`),
		{page: pageMetrics}:   strings.ReplaceAll(metricsPage(1e6, began.Unix()), `version="1.2.3"`, `version="\n\"x\" \\`+"\x1b[1m\""),
		{page: pageExporters}: strings.ReplaceAll(strings.ReplaceAll(exportersPage(1, 5, 0, "", at), `"netflow_v9"`, `"v9 \u001b]0;x\u0007"`), "192.0.2.3", `\u001b[31m`),
	} {
		a := read(t, r, page, at)
		st.apply(&a)
	}
	var b strings.Builder
	writeTables(&b, st, "127.0.0.1:8080", at)
	out := b.String()
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if strings.IndexFunc(line, func(r rune) bool { return !shown(r) }) >= 0 {
			t.Errorf("line is no text: %q", line)
		}
		fields := len(strings.Fields(line))
		for table, n := range map[string]int{"place": 6, "exporter": 12, "queue": 5, "total": 3} {
			if (strings.HasPrefix(line, table) || strings.HasPrefix(line, strings.ToUpper(table))) && fields != n {
				t.Errorf("%d fields, want %d: %s", fields, n, line)
			}
		}
	}
	if n := strings.Count(out, "\nexporter "); n != 4 {
		t.Errorf("%d exporters, want the 4 that have an address:\n%s", n, out)
	}
	golden(t, "once", out[:len(out)-1])
}

// TestPause: nothing is asked for during a pause, and one request follows it.
func TestPause(t *testing.T) {
	l := look(t, 80, 24, false)
	l.press("p")
	before := l.screen()
	if l.send(due{}) != nil {
		t.Error("a request is sent during the pause")
	}
	l.wait(time.Minute)
	if l.screen() != before {
		t.Error("the screen changes during the pause")
	}
	if cmd := l.pause(); cmd == nil || cmd() != any(due{}) {
		t.Error("no request follows the pause")
	}
	first, second := l.pause(), l.pause() // before the request is sent
	if first != nil || second != nil {
		t.Error("a second request follows the pause")
	}
}

// FuzzPages: whatever a page holds, a screen comes of it that is text.
func FuzzPages(f *testing.F) {
	f.Add(healthPage(true), metricsPage(1e6, began.Unix()), exportersPage(1, 9, 1, "192.0.2.9", noon), detailPage(noon))
	f.Add(`{"status":"\u001b"}`, "weir_datagrams_received_total NaN\nweir_xdp_ring_size{ring=\"\x1b\"} -1e300\nweir_xdp_ring_size{ring=\"b\"} NaN\nweir_xdp_ring_size{ring=\"c\"} +Inf\n", `{"list":[{"exporter":"::1","last_seen":"0001-01-01T00:00:00Z"}]}`, `{"list":[{"exporter":"1.1.1.1"}]}`)
	f.Fuzz(func(t *testing.T, healthText, metricsText, exportersText, detailText string) {
		m := newModel(nil, "127.0.0.1:8080", style{steps: steps}, answer{request: request{page: pageHealth}, at: noon, health: &health{Status: "ok"}})
		m.plan.one = "192.0.2.1"
		give := func(a answer, err error) {
			if a.at = noon; err == nil {
				m.Update(a)
			}
		}
		h, err := readHealth(strings.NewReader(healthText))
		give(answer{request: request{page: pageHealth}, health: h}, err)
		p, err := readMetrics(strings.NewReader(metricsText))
		give(answer{request: request{page: pageMetrics}, metrics: p}, err)
		e, err := readExporters(strings.NewReader(exportersText))
		give(answer{request: request{page: pageExporters}, exporters: e}, err)
		d, err := readExporters(strings.NewReader(detailText))
		give(answer{request: request{page: pageDetail, addr: m.plan.one}, exporters: d}, err)
		for m.view = range viewDetail + 1 {
			screen := marks.ReplaceAllString(m.screen(), "")
			for line := range strings.SplitSeq(screen, "\n") {
				if i := strings.IndexFunc(line, func(r rune) bool { return !shown(r) }); i >= 0 {
					t.Errorf("line is no text: %q", line)
				}
			}
		}
	})
}
