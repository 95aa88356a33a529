// Package web is the collector's HTTP server: metrics, health and templates.
// It reads snapshots and never stands in the way of a worker.
package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weirflow/weir/decoders/template"
)

// Config says what the server serves.
type Config struct {
	// Addr is the address to listen on, host:port.
	Addr string
	// TemplatesPath is the path of the template listing; empty for none.
	TemplatesPath string
	// MetricsPath is the path of the metrics; empty for /metrics.
	MetricsPath string
	Registry    *prometheus.Registry
	Templates   *template.Store
	// Detail returns what /__health says behind OK, whole lines; nil for
	// nothing.
	Detail func() string
	Logger *slog.Logger
}

// Server is a running HTTP server. Its methods may be called by any goroutine.
type Server struct {
	http     *http.Server
	listener net.Listener
	healthy  atomic.Bool
	detail   func() string
	done     chan struct{}
}

// Start listens and serves until Stop. The server says that it is not healthy
// until SetHealthy.
func Start(cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for http on %q (choose another -addr, or -addr \"\" for none): %w", cfg.Addr, err)
	}
	s := &Server{listener: l, detail: cfg.Detail, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("GET "+cmp.Or(cfg.MetricsPath, "/metrics"), promhttp.HandlerFor(cfg.Registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /__health", s.health)
	if cfg.TemplatesPath != "" {
		mux.Handle("GET "+cfg.TemplatesPath, templatesHandler{cfg.Templates})
	}
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			cfg.Logger.Error("http server ended", "error", err)
		}
	}()
	return s, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// SetHealthy sets what /__health answers: 200 OK or 503.
func (s *Server) SetHealthy(ok bool) { s.healthy.Store(ok) }

// Stop ends the server and waits for requests that are being served, until ctx
// is done.
func (s *Server) Stop(ctx context.Context) error {
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

// templatesHandler lists all templates as JSON: by exporter, then by a number
// made of version, observation domain and template id, as goflow2 does.
type templatesHandler struct{ store *template.Store }

type fieldJSON struct {
	PenProvided bool   `json:"pen-provided"`
	Type        uint16 `json:"type"`
	Length      uint16 `json:"length"`
	Pen         uint32 `json:"pen"`
}

type templateJSON struct {
	Version    uint16      `json:"version"`
	Domain     uint32      `json:"observation-domain-id"`
	ID         uint16      `json:"template-id"`
	FieldCount *int        `json:"field-count,omitempty"`
	Fields     []fieldJSON `json:"fields,omitempty"`
	Scopes     []fieldJSON `json:"scopes,omitempty"`
	Options    []fieldJSON `json:"options,omitempty"`
	LastSeen   time.Time   `json:"last-seen"`
}

func (h templatesHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	all := map[string]map[string]templateJSON{}
	for _, d := range h.store.Domains() {
		key := d.Key()
		exporter := netip.AddrFrom16(key.Exporter).Unmap().String()
		byID := all[exporter]
		if byID == nil {
			byID = map[string]templateJSON{}
			all[exporter] = byID
		}
		for _, t := range d.Templates() {
			number := uint64(t.Version)<<48 | uint64(key.Domain)<<16 | uint64(t.ID)
			byID[strconv.FormatUint(number, 10)] = newTemplateJSON(&key, t)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	// An error is the client's going away.
	_ = enc.Encode(all)
}

func newTemplateJSON(key *template.Key, t *template.Template) templateJSON {
	out := templateJSON{
		Version:  t.Version,
		Domain:   key.Domain,
		ID:       t.ID,
		LastSeen: time.Unix(0, t.LastSeenNs()).UTC(),
	}
	for _, f := range t.Fields {
		field := fieldJSON{PenProvided: f.PEN != 0, Type: f.ID, Length: f.Length, Pen: f.PEN}
		switch {
		case !t.Options:
			out.Fields = append(out.Fields, field)
		case f.Scope:
			out.Scopes = append(out.Scopes, field)
		default:
			out.Options = append(out.Options, field)
		}
	}
	if !t.Options {
		n := len(t.Fields)
		out.FieldCount = &n
	}
	return out
}
