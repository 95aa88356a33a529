package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	cfg.Registry = prometheus.NewRegistry()
	cfg.Templates = producer.NewStore(template.DefaultLimits())
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func fetch(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestPages(t *testing.T) {
	s := start(t, Config{
		TemplatesPath: "/templates",
		Detail:        func() string { return "capture eth0 native\n" },
		Settings:      func() string { return "format  json  default\n" },
	})
	base := "http://" + s.Addr().String()
	for _, c := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/__health", 503, "not ready"},
		{"GET", "/config", 200, "format  json  default"},
		{"GET", "/templates", 200, "{\n}"},
		{"GET", "/metrics", 200, ""},
		{"POST", "/config", 405, ""},
		{"GET", "/", 200, "/metrics"},
		{"GET", "/config/../etc/passwd", 404, ""},
	} {
		code, body := fetch(t, c.method, base+c.path, "")
		if code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %q, want %d with %q", c.method, c.path, code, body, c.code, c.want)
		}
	}
	s.SetHealthy(true)
	if code, body := fetch(t, "GET", base+"/__health", ""); code != 200 || body != "OK\ncapture eth0 native\n" {
		t.Errorf("health: %d %q", code, body)
	}
}

// TestHealth: /health is 503 only while weir does not work, or is not ready.
func TestHealth(t *testing.T) {
	works := true
	s := start(t, Config{Health: func() (bool, any) { return works, map[string]string{"status": "of places"} }})
	url := "http://" + s.Addr().String()
	check := func(code int, want string) {
		t.Helper()
		if got, body := fetch(t, "GET", url+"/health", ""); got != code || !strings.Contains(body, want) {
			t.Errorf("%d %q, want %d with %s", got, body, code, want)
		}
	}
	check(503, "starting or stopping")
	s.SetHealthy(true)
	check(200, `"status": "of places"`)
	works = false
	check(503, `"status": "of places"`)
	if code, body := fetch(t, "GET", url+"/__health", ""); code != 200 || body != "OK\n" {
		t.Errorf("/__health: %d %q", code, body)
	}
}

// TestRefusalsAreCounted: the counters exist from the start and follow.
func TestRefusalsAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	pages := map[string]*works{"metrics": newWorks(1, 0), "templates": newWorks(1, 0)}
	c := newConns()
	if err := register(registry, pages, c); err != nil {
		t.Fatal(err)
	}
	check := func(metrics, templates, connection, cut int) {
		t.Helper()
		want := fmt.Sprintf(`# HELP weir_http_cut_total Responses cut off, because the client was slow, to make room for other requests.
# TYPE weir_http_cut_total counter
weir_http_cut_total %d
# HELP weir_http_refused_total Requests and connections answered 503 because too many were in progress, by page.
# TYPE weir_http_refused_total counter
weir_http_refused_total{page="connection"} %d
weir_http_refused_total{page="metrics"} %d
weir_http_refused_total{page="templates"} %d
`, cut, connection, metrics, templates)
		w := httptest.NewRecorder()
		newScrapes(registry, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if got := w.Body.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	check(0, 0, 0, 0)
	k := pages["templates"].enter(t.Context(), httptest.NewRecorder())
	if pages["templates"].enter(t.Context(), httptest.NewRecorder()) != nil {
		t.Error("entered beyond the limit")
	}
	check(0, 1, 0, 0)
	pages["templates"].cutWorst(k.began.Add(longAfter))
	check(0, 1, 0, 1)
	// A connection beyond the limit, while all others are at work.
	c.max = 0
	near, far := net.Pipe()
	defer far.Close()
	c.context(t.Context(), near)
	go io.Copy(io.Discard, far)
	c.state(near, http.StateNew)
	check(0, 1, 1, 1)
	// Start registers them for the pages that it serves.
	s := start(t, Config{TemplatesPath: "/templates"})
	if _, body := fetch(t, "GET", "http://"+s.Addr().String()+"/metrics", ""); !strings.Contains(body, `weir_http_refused_total{page="templates"} 0`) {
		t.Errorf("not on /metrics: %s", body)
	}
}

func TestPagesThatAreOff(t *testing.T) {
	s := start(t, Config{})
	for _, path := range []string{"/templates", "/config"} {
		if code, _ := fetch(t, "GET", "http://"+s.Addr().String()+path, ""); code != 404 {
			t.Errorf("%s: %d, want 404", path, code)
		}
	}
}

// A client that sends its header slowly, or too much of it, does not hold a
// connection for ever.
func TestHeaderLimit(t *testing.T) {
	s := start(t, Config{})
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		io.WriteString(conn, "GET /__health HTTP/1.1\r\nHost: x\r\nX: ")
		for range 1024 {
			if _, err := io.WriteString(conn, strings.Repeat("x", 1024)); err != nil {
				return
			}
		}
	}()
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	b, _ := io.ReadAll(conn)
	if !strings.Contains(string(b), "431") {
		t.Errorf("answer to an endless header: %q", b)
	}
}

func TestPortTaken(t *testing.T) {
	s := start(t, Config{})
	_, err := Start(Config{Addr: s.Addr().String(), Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "-addr") {
		t.Errorf("error %v does not name the flag", err)
	}
}
