package top

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	prometheus "github.com/prometheus/common/model"
)

// maxPage bounds a page that is read.
const maxPage = 256 << 20

// A Client reads from one weir. It is not for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the web server at addr (host:port, or a URL with https:// and
// user:password@), which may take timeout for a page. roots are the certificate authorities to
// trust; nil for the system's.
func NewClient(addr string, roots *x509.CertPool, timeout time.Duration) *Client {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &Client{base: strings.TrimSuffix(addr, "/"), http: &http.Client{Timeout: timeout, Transport: transport}}
}

// A Reading is what weir counted up to a moment.
type Reading struct {
	At      time.Time
	Version string
	Started time.Time

	Received      map[string]float64 // datagrams by path: udp, xdp
	ReceivedBytes float64
	Produced      float64 // records
	Acknowledged  float64
	InFlight      float64
	Spooled       float64
	SinkBytes     float64

	CPUSeconds       float64
	Resident, Limit  float64 // bytes
	Exporters        float64
	ExportersMax     float64
	Silent           float64
	Templates        float64
	FramesWaiting    float64
	Named            map[string]*Counts // exporters that have metrics of their own
	Captures         map[string]string  // mode by interface
	LastReloadFailed bool

	Health Health
}

// Counts are those of one exporter.
type Counts struct {
	Datagrams, Bytes, Records, Lost, Failed, Limited float64
	LastSeen                                         time.Time
}

// Health is the page /health.
type Health struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons"`
	Places  []Place  `json:"places"`
}

// A Place is one where flows can be lost.
type Place struct {
	Place  string  `json:"place"`
	Status string  `json:"status"`
	Unit   string  `json:"unit"`
	Lost   float64 `json:"lost"`
	Minute float64 `json:"lost_last_minute"`
	Action string  `json:"action"`
}

// get fetches a page.
func (c *Client) get(ctx context.Context, path string, accept ...int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask weir: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask weir: %w%s", err, hint(err))
	}
	defer res.Body.Close()
	ok := res.StatusCode == http.StatusOK
	for _, code := range accept {
		ok = ok || res.StatusCode == code
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	switch {
	case !ok:
		return nil, fmt.Errorf("ask weir for %s: %s: %s", path, res.Status, strings.TrimSpace(string(body[:min(len(body), 200)])))
	case err != nil:
		return nil, fmt.Errorf("ask weir for %s: %w", path, err)
	}
	return body, nil
}

// hint says what to do about an error.
func hint(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return " (is weir running, and is this the value of its -addr? weir logs it at the start: \"serving http\")"
	case errors.As(err, &dns):
		return " (want -addr host:port)"
	}
	return ""
}

// Read reads the counters and the health.
func (c *Client) Read(ctx context.Context) (*Reading, error) {
	text, err := c.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	r := &Reading{At: time.Now()}
	parser := expfmt.NewTextParser(prometheus.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(text)))
	if err != nil {
		return nil, fmt.Errorf("read /metrics: %w", err)
	}
	if families["weir_datagrams_received_total"] == nil {
		return nil, errors.New("read /metrics: these are not weir's: see -addr")
	}
	r.fill(families)
	if text, err = c.get(ctx, "/health", http.StatusServiceUnavailable); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &r.Health); err != nil {
		return nil, fmt.Errorf("read /health: %w", err)
	}
	return r, nil
}

// Exporter returns the details of an exporter as indented JSON.
func (c *Client) Exporter(ctx context.Context, addr string) (string, error) {
	text, err := c.get(ctx, "/exporters?exporter="+url.QueryEscape(addr))
	if err != nil {
		return "", err
	}
	var page struct {
		List []json.RawMessage `json:"list"`
	}
	if err := json.Unmarshal(text, &page); err != nil || len(page.List) != 1 {
		return "", errors.Join(fmt.Errorf("read /exporters: want one exporter, got %d", len(page.List)), err)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(page.List[0]); err != nil {
		return "", fmt.Errorf("read /exporters: %w", err)
	}
	return b.String(), nil
}

// fill takes what is shown from the metrics.
func (r *Reading) fill(families map[string]*dto.MetricFamily) {
	sum := func(name string, labels ...string) (total float64) {
		each(families[name], func(label func(string) string, v float64) {
			for i := 0; i+1 < len(labels); i += 2 {
				if label(labels[i]) != labels[i+1] {
					return
				}
			}
			total += v
		})
		return total
	}
	each(families["weir_build_info"], func(label func(string) string, _ float64) { r.Version = label("version") })
	r.Started = time.Unix(0, int64(sum("process_start_time_seconds")*1e9))
	r.Received = map[string]float64{}
	each(families["weir_datagrams_received_total"], func(label func(string) string, v float64) { r.Received[label("path")] += v })
	r.ReceivedBytes = sum("weir_datagrams_received_bytes_total")
	r.Produced = sum("weir_records_produced_total")
	r.Acknowledged = sum("weir_records_sink_total", "outcome", "acknowledged")
	r.InFlight, r.Spooled, r.SinkBytes = sum("weir_records_in_flight"), sum("weir_records_spooled"), sum("weir_sink_bytes_total")
	r.CPUSeconds, r.Resident, r.Limit = sum("process_cpu_seconds_total"), sum("process_resident_memory_bytes"), sum("go_gc_gomemlimit_bytes")
	r.Exporters, r.ExportersMax, r.Silent = sum("weir_exporters"), sum("weir_exporters_max"), sum("weir_exporters_silent")
	r.Templates, r.FramesWaiting = sum("weir_templates"), sum("weir_xdp_frames_waiting")
	r.LastReloadFailed = families["weir_config_last_reload_successful"] != nil && sum("weir_config_last_reload_successful") == 0
	r.Captures = map[string]string{}
	each(families["weir_capture_mode"], func(label func(string) string, v float64) {
		if v == 1 {
			r.Captures[label("interface")] = label("mode")
		}
	})
	r.Named = map[string]*Counts{}
	for name, to := range map[string]func(c *Counts) *float64{
		"weir_exporter_datagrams_total":        func(c *Counts) *float64 { return &c.Datagrams },
		"weir_exporter_bytes_total":            func(c *Counts) *float64 { return &c.Bytes },
		"weir_exporter_records_total":          func(c *Counts) *float64 { return &c.Records },
		"weir_exporter_lost_total":             func(c *Counts) *float64 { return &c.Lost },
		"weir_exporter_datagrams_failed_total": func(c *Counts) *float64 { return &c.Failed },
		"weir_exporter_limited_total":          func(c *Counts) *float64 { return &c.Limited },
	} {
		each(families[name], func(label func(string) string, v float64) { *to(r.counts(label("exporter"))) += v })
	}
	each(families["weir_exporter_last_seen_timestamp_seconds"], func(label func(string) string, v float64) {
		r.counts(label("exporter")).LastSeen = time.Unix(0, int64(v*1e9))
	})
}

// counts returns those of an exporter.
func (r *Reading) counts(exporter string) *Counts {
	c := r.Named[exporter]
	if c == nil {
		c = &Counts{}
		r.Named[exporter] = c
	}
	return c
}

// each calls f for each sample of a family; nil has none.
func each(f *dto.MetricFamily, call func(label func(string) string, v float64)) {
	for _, m := range f.GetMetric() {
		v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		call(func(name string) string {
			for _, l := range m.GetLabel() {
				if l.GetName() == name {
					return l.GetValue()
				}
			}
			return ""
		}, v)
	}
}
