// Package web is the collector's HTTP server: metrics, health, exporters and
// templates. It reads snapshots and never stands in the way of a worker.
//
// A request passes the bound on connections (conns), the rules on hosts, origins
// and the token (guard), and comes to its page. Pages that can be large have a
// bound on requests at work (works). They are written in pieces, each of which has
// a deadline, and take memory that does not grow with their size: lists are walked
// in chunks (templates, exporters), and all that wait for the metrics share one
// page (scrapes).
package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirflow/weir/producer"
)

// Config says what the server serves.
type Config struct {
	// Addr is the address to listen on, host:port.
	Addr string
	// Hosts are names that the server answers to besides localhost and loopback
	// addresses. A server on other addresses answers to all names where it is
	// empty.
	Hosts []string
	// TokenFile has the bearer token that other hosts need for POST. If empty, POST
	// from other hosts is refused.
	TokenFile string
	// ConfigFile is a web configuration file as Prometheus' programs have it
	// (https://prometheus.io/docs/prometheus/latest/configuration/https/): TLS, users with
	// passwords, headers. It is read again for each connection and request. If empty, the
	// server speaks plain HTTP. ValidateConfig has checked it.
	ConfigFile string
	// TemplatesPath is the path of the template listing; empty for none.
	TemplatesPath string
	// MetricsPath is the path of the metrics; empty for /metrics.
	MetricsPath string
	// Registry has the metrics. Start adds those of the server.
	Registry  *prometheus.Registry
	Templates *producer.TemplateStore
	// Detail returns what /__health says after OK, whole lines; nil for
	// nothing.
	Detail func() string
	// Health returns what /health answers, as JSON, and whether weir works; nil for no such
	// page.
	Health func() (ok bool, page any)
	// Reload reads the configuration again for POST /-/reload, and TokenFile by
	// PrepareToken; nil for no such page. It returns lines about what it changed, or an
	// error if it changed nothing.
	Reload func() (text string, err error)
	// Settings returns the effective configuration for /config: names, values
	// and where each came from, without secrets; nil for no such page.
	Settings func() string
	// Exporters is what /exporters reads; a nil Table for no such page.
	Exporters Exporters
	// Page is what the page at / shows for browsers; nil Totals for a list of pages only.
	Page   PageSource
	Logger *slog.Logger
}

// Server is a running HTTP server. Its methods may be called by any goroutine.
type Server struct {
	http     *http.Server
	listener net.Listener
	healthy  atomic.Bool
	detail   func() string
	done     chan struct{}
	quit     chan struct{} // closed by Stop
	stopOnce sync.Once

	guard     *guard
	tokenFile string
}

// Start listens and serves until Stop. The server says that it is not healthy
// until SetHealthy.
func Start(cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for http on %q (choose another -addr, or -addr \"\" for none): %w", cfg.Addr, err)
	}
	s := &Server{listener: l, detail: cfg.Detail, done: make(chan struct{}), quit: make(chan struct{}), guard: newGuard(l, cfg.Hosts), tokenFile: cfg.TokenFile}
	useToken, err := s.PrepareToken()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	useToken()
	mux := http.NewServeMux()
	scrapes := newScrapes(cfg.Registry, cfg.Logger)
	pages := map[string]*works{"metrics": scrapes.works}
	mux.Handle(pattern(cmp.Or(cfg.MetricsPath, "/metrics")), scrapes)
	mux.HandleFunc("GET /__health", s.health)
	if cfg.Health != nil {
		mux.HandleFunc("GET /health", s.places(cfg.Health))
	}
	if cfg.Reload != nil {
		mux.Handle("POST /-/reload", &reloadHandler{reload: cfg.Reload, now: time.Now})
	}
	if cfg.TemplatesPath != "" {
		h := newTemplatesHandler(cfg.Templates)
		pages["templates"] = h.works
		mux.Handle(pattern(cfg.TemplatesPath), h)
	}
	var exporters *exportersHandler
	if cfg.Exporters.Table != nil {
		h := newExportersHandler(cfg.Exporters, cfg.Templates)
		pages["exporters"] = h.works
		mux.Handle("GET /exporters", h)
		exporters = h
	}
	if cfg.Settings != nil {
		mux.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprint(w, cfg.Settings())
		})
	}
	if cfg.Page.Totals == nil {
		mux.HandleFunc("GET /{$}", index(cfg))
	} else {
		h := newPageHandler(cfg, exporters)
		mux.Handle("GET /{$}", h)
		go h.history.run(cfg.Page.Totals, s.quit)
	}
	connections := newConns()
	if err := register(cfg.Registry, pages, connections); err != nil {
		return nil, errors.Join(fmt.Errorf("register metrics: %w", err), l.Close())
	}
	var handler http.Handler = mux
	var secured *tls.Config
	if cfg.ConfigFile != "" {
		if handler, secured, err = secure(l, cfg.ConfigFile, mux, cfg.Logger); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	s.http = newServer(handler, s.guard, connections, cfg.Logger)
	s.http.TLSConfig = secured
	go func() {
		defer close(s.done)
		if err := s.serve(); !errors.Is(err, http.ErrServerClosed) {
			cfg.Logger.Error("http server ended", "error", err)
		}
	}()
	return s, nil
}

// serve serves until Stop.
func (s *Server) serve() error {
	if s.http.TLSConfig == nil {
		return s.http.Serve(s.listener)
	}
	return s.http.ServeTLS(s.listener, "", "")
}

// link is a page that there is.
type link struct{ path, what string }

// links returns the pages that there are.
func links(cfg Config) (list []link) {
	for _, page := range []struct {
		path, what string
		there      bool
	}{
		{cmp.Or(cfg.MetricsPath, "/metrics"), "metrics for Prometheus", true},
		{"/__health", "OK, or 503", true},
		{"/health", "where flows are lost, and what to do", cfg.Health != nil},
		{cfg.TemplatesPath, "templates of every exporter (limit, after)", cfg.TemplatesPath != ""},
		{"/exporters", "who sends what, and what was lost (limit, after)", cfg.Exporters.Table != nil},
		{"/config", "options in force, and where each is from", cfg.Settings != nil},
		{"/-/reload", "POST reads the mapping and token files again", cfg.Reload != nil},
	} {
		if page.there {
			list = append(list, link{page.path, page.what})
		}
	}
	return list
}

// index returns the page that says which others there are.
func index(cfg Config) http.HandlerFunc {
	var b strings.Builder
	b.WriteString("weir\n\n")
	for _, page := range links(cfg) {
		fmt.Fprintf(&b, "%-12s  %s\n", page.path, page.what)
	}
	text := b.String()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, text)
	}
}

// pattern returns the pattern of a page: of that path, and not of those below it.
func pattern(path string) string {
	if strings.HasSuffix(path, "/") {
		path += "{$}"
	}
	return "GET " + path
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// SetHealthy sets what /__health answers: 200 OK or 503.
func (s *Server) SetHealthy(ok bool) { s.healthy.Store(ok) }

// Stop ends the server and waits for requests that are being served, until ctx
// is done.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.quit) })
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.done
	return err
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !s.healthy.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "not ready")
		return
	}
	fmt.Fprintln(w, "OK")
	if s.detail != nil {
		fmt.Fprint(w, s.detail())
	}
}

// places serves /health. It answers 503 where weir does not work.
func (s *Server) places(health func() (ok bool, page any)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		ok, page := health()
		if !s.healthy.Load() {
			ok, page = false, map[string]any{"status": "failing", "reasons": []string{"weir is starting or stopping"}}
		}
		w.Header().Set("Content-Type", "application/json")
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(page) // the client has gone
	}
}
