package top

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

var update = flag.Bool("update", false, "write the screens in testdata")

// fakeWeir is a web server with pages of weir that a test changes.
type fakeWeir struct {
	*httptest.Server
	metrics, health, exporter string
	status                    int
}

func newFakeWeir(t *testing.T) *fakeWeir {
	f := &fakeWeir{status: http.StatusOK}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics":
			fmt.Fprint(w, f.metrics)
		case "/health":
			w.WriteHeader(f.status)
			fmt.Fprint(w, f.health)
		case "/exporters":
			fmt.Fprintf(w, `{"totals":{},"list":[%s]}`, f.exporter)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeWeir) addr() string { return f.Listener.Addr().String() }

// page writes metrics of weir at its n-th look.
func page(n float64, extra string) string {
	return fmt.Sprintf(`# TYPE weir_build_info gauge
weir_build_info{version="0.9.0"} 1
process_start_time_seconds 1.7e+09
process_cpu_seconds_total %g
process_resident_memory_bytes 1.048576e+08
go_gc_gomemlimit_bytes 5.36870912e+08
weir_datagrams_received_total{path="udp"} %g
weir_datagrams_received_total{path="xdp"} %g
weir_datagrams_received_bytes_total{path="udp"} %g
weir_records_produced_total{protocol="ipfix"} %g
weir_records_sink_total{outcome="acknowledged"} %g
weir_records_sink_total{outcome="dropped"} 7
weir_records_in_flight 12
weir_exporters 3
weir_exporters_max 100000
weir_exporters_silent 1
weir_templates 40
weir_xdp_frames_waiting 5
weir_capture_mode{interface="eth0",mode="native"} 1
weir_capture_mode{interface="eth0",mode="udp"} 0
weir_config_last_reload_successful 1
weir_exporter_records_total{exporter="192.0.2.1"} %g
weir_exporter_datagrams_total{exporter="192.0.2.1"} %g
weir_exporter_bytes_total{exporter="192.0.2.1"} %g
weir_exporter_lost_total{exporter="192.0.2.1",unit="flows"} %g
weir_exporter_records_total{exporter="2001:db8:1234:5678:9abc:def0:1234:5678"} %g
weir_exporter_datagrams_failed_total{exporter="2001:db8:1234:5678:9abc:def0:1234:5678"} %g
%s`, 1+n, 1000*n, 500*n, 1.5e6*n, 30000*n, 29000*n, 20000*n, 1000*n, 1.4e6*n, 3*n, 10000*n, 2*n, extra)
}

const wellHealth = `{"status":"ok","reasons":[],"places":[{"place":"socket","status":"ok","unit":"datagrams","lost":0,"lost_last_minute":0}]}`

const lossHealth = `{"status":"degraded","reasons":["x"],"places":[
	{"place":"socket","status":"degraded","unit":"datagrams","lost":104121,"lost_last_minute":1234},
	{"place":"template_contradicted","status":"degraded","unit":"contradictions","lost":9,"lost_last_minute":3},
	{"place":"ring","status":"ok","unit":"frames","lost":0,"lost_last_minute":0}]}`

// readTwice makes two readings, a second apart by their clocks.
func readTwice(t *testing.T, f *fakeWeir, extra string) (before, now *Reading) {
	t.Helper()
	c := NewClient(f.addr(), nil, time.Minute)
	f.metrics = page(1, extra)
	before, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.metrics = page(2, extra)
	if now, err = c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	before.At, now.At = time.Unix(1_700_003_600, 0), time.Unix(1_700_003_601, 0)
	return before, now
}

// golden compares a screen with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s: %v: -update writes what there is now:\n%s", file, err, got)
	}
}

func TestScreens(t *testing.T) {
	f := newFakeWeir(t)
	f.health = lossHealth
	before, now := readTwice(t, f, "")
	golden(t, "once", NewScreen("127.0.0.1:8080", before, now).Text("records", "", 0))
	golden(t, "start", NewScreen("127.0.0.1:8080", nil, now).Text("silent", "2001", 1))

	m := newModel(t.Context(), NewClient(f.addr(), nil, time.Minute), Options{Addr: "127.0.0.1:8080", Interval: time.Second, Order: "records"})
	m.take(before, nil)
	m.take(now, nil)
	for _, size := range []struct{ width, height int }{{80, 24}, {120, 30}, {40, 12}} {
		m.Update(tea.WindowSizeMsg{Width: size.width, Height: size.height})
		lines := m.lines()
		for _, l := range lines {
			if n := len([]rune(l)); n > size.width {
				t.Errorf("a line of %d columns on a screen of %d: %q", n, size.width, l)
			}
		}
		if len(lines) > size.height {
			t.Errorf("%d lines on a screen of %d", len(lines), size.height)
		}
		golden(t, fmt.Sprintf("live-%dx%d", size.width, size.height), strings.Join(lines, "\n")+"\n")
	}
	m.width, m.height = 80, 24
	for _, step := range []struct{ keys, name string }{
		{"j", "chosen"}, {"s", "by-datagrams"}, {"/20", "filter"}, {"\n", "filtered"}, {"?", "help"},
	} {
		for _, k := range step.keys {
			key, text := string(k), string(k)
			if k == '\n' {
				key, text = "enter", ""
			}
			m.key(key, text)
		}
		golden(t, step.name, strings.Join(m.lines(), "\n")+"\n")
	}
}

// TestDetail opens an exporter whose names are hostile.
func TestDetail(t *testing.T) {
	f := newFakeWeir(t)
	f.health = wellHealth
	f.exporter = `{"exporter":"192.0.2.1","options":[{"names":{"interface":{"1":"\u001b[2Jeth0\u0007\u202e"}}}]}`
	before, now := readTwice(t, f, "weir_exporter_records_total{exporter=\"evil\x1b[31m\"} 5\n")
	m := newModel(t.Context(), NewClient(f.addr(), nil, time.Minute), Options{Addr: f.addr(), Interval: time.Second, Order: "records", Color: true})
	m.take(before, nil)
	m.take(now, nil)
	m.key("j", "j")
	m.chosen = "192.0.2.1"
	_, cmd := m.key("enter", "")
	m.Update(cmd())
	text := strings.Join(m.lines(), "\n")
	if m.mode != detailMode || !strings.Contains(text, `"exporter": "192.0.2.1"`) || !strings.Contains(text, "eth0") {
		t.Errorf("details:\n%s", text)
	}
	m.key("q", "q")
	for _, text := range []string{text, strings.Join(m.lines(), "\n")} {
		for _, own := range []string{"\x1b[1m", "\x1b[7m", "\x1b[0m"} {
			text = strings.ReplaceAll(text, own, "")
		}
		if strings.ContainsAny(text, "\x1b\x07\u202e") {
			t.Errorf("control characters on the screen: %q", text)
		}
	}
	f.exporter = ""
	if _, err := m.client.Exporter(t.Context(), "192.0.2.9"); err == nil || !strings.Contains(err.Error(), "want one exporter") {
		t.Errorf("an exporter that is not there: %v", err)
	}
}

// TestGone: while weir is away the last screen stays and says so; after a restart of weir rates
// are those since its start, not less than 0.
func TestGone(t *testing.T) {
	f := newFakeWeir(t)
	f.health = wellHealth
	before, now := readTwice(t, f, "")
	m := newModel(t.Context(), NewClient(f.addr(), nil, time.Minute), Options{Addr: f.addr(), Interval: time.Second, Order: "records"})
	m.take(before, nil)
	m.take(now, nil)
	f.Close()
	m.Update(m.read()())
	if text := strings.Join(m.lines(), "\n"); !strings.Contains(text, "NOT READ: ask weir:") || !strings.Contains(text, "192.0.2.1") {
		t.Errorf("weir is away:\n%s", text)
	}
	again := *now
	again.Started, again.At = now.At.Add(time.Second), now.At.Add(11*time.Second)
	again.Produced = 100
	m.take(&again, nil)
	if s := m.screen; s.Seconds != 0 || s.Records != 10 {
		t.Errorf("after a restart: %v records a second over %v s", s.Records, s.Seconds)
	}
	// A pause keeps the screen.
	m.key("p", "p")
	later := again
	later.At, later.Produced = again.At.Add(time.Second), 1e6
	m.take(&later, nil)
	if m.screen.Records != 10 || !strings.Contains(strings.Join(m.lines(), "\n"), "PAUSED") {
		t.Error("a pause does not hold")
	}
	m.key("p", "p")
	if m.screen.Records < 1000 {
		t.Errorf("%v records a second after the pause", m.screen.Records)
	}
}

func TestOnce(t *testing.T) {
	f := newFakeWeir(t)
	f.health, f.status, f.metrics = wellHealth, http.StatusServiceUnavailable, page(1, "")
	var b strings.Builder
	o := Options{Addr: f.addr(), Interval: time.Millisecond, Order: "records"}
	if err := Once(t.Context(), &b, o, 1); err != nil || strings.Count(b.String(), "\n") != 12 || !strings.Contains(b.String(), "loss       none") {
		t.Errorf("%v\n%s", err, &b)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Once(canceled, &b, o, 0); err == nil {
		t.Error("no error after a signal")
	}
	f.metrics = "up 1\n"
	if err := Once(t.Context(), &b, o, 0); err == nil || !strings.Contains(err.Error(), "not weir's") {
		t.Errorf("another program's metrics: %v", err)
	}
	f.metrics = "\x00"
	if err := Once(t.Context(), &b, o, 0); err == nil {
		t.Error("no error from garbage")
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.2", 7: "7", 99.94: "99.9", 1234: "1234", 99_999: "99999", 100_000: "100.0k", 999_949: "999.9k", 1e6: "1.0M", 3.4e9: "3.4G", 5e16: "50000T"} {
		if got := count(v); got != want || len(got) > 6 {
			t.Errorf("count(%v) = %q, want %q", v, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-1: "-", 5 * time.Second: "5s", 65 * time.Second: "1m05s", 25*time.Hour + time.Minute: "25h01m", 73 * time.Hour: "3d01h"} {
		if got := age(d); got != want {
			t.Errorf("age(%v) = %q, want %q", d, got, want)
		}
	}
}
