package top

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// began is when the weir of the tests was started, and noon when top begins to look.
var (
	noon  = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	began = noon.Add(-50*time.Hour - 7*time.Minute)
)

// hostile is a name that an exporter might choose, to take over the terminal of who looks.
const hostile = "Gi0/1\x1b]0;owned\x07\x1b[2J\u009b31m\r\n\u202egnp.exe\u200b\xff"

// metricsPage is a page of metrics of a weir that has received so many datagrams by then.
func metricsPage(datagrams, start int64) string {
	var b strings.Builder
	for _, line := range []struct {
		series string
		v      any
	}{
		{`process_cpu_seconds_total`, float64(datagrams) / 1e5},
		{`process_resident_memory_bytes`, 389 << 20},
		{`process_start_time_seconds`, start},
		{`weir_build_info{goarch="amd64",goos="linux",goversion="go1.26.8",revision="",version="1.2.3"}`, 1},
		{`weir_datagrams_held`, 3},
		{`weir_datagrams_received_bytes_total{path="udp"}`, 300 * datagrams},
		{`weir_datagrams_received_bytes_total{path="xdp"}`, 1100 * datagrams},
		{`weir_datagrams_received_total{path="udp"}`, datagrams / 4},
		{`weir_datagrams_received_total{path="xdp"}`, datagrams - datagrams/4},
		{`weir_datagrams_total{outcome="decoded",reason="none"}`, datagrams - 7},
		{`weir_datagrams_total{outcome="failed",reason="unknown_version"}`, 7},
		{`weir_datagrams_total{outcome="dropped",reason="rate"}`, 0},
		{`weir_exporter_datagrams_total{exporter="192.0.2.1"}`, 99},
		{`weir_exporters`, 23},
		{`weir_exporters_max`, 100000},
		{`weir_kafka_held_bytes`, 3 << 20},
		{`weir_memory_max_bytes`, 1 << 30},
		{`weir_records_dropped_total{reason="sink_behind"}`, 1200},
		{`weir_records_in_flight`, 5120},
		{`weir_records_produced_total{protocol="ipfix"}`, 9 * datagrams},
		{`weir_records_produced_total{protocol="sflow_5"}`, 8 * datagrams},
		{`weir_records_sink_total{outcome="acknowledged"}`, 17*datagrams - 6320},
		{`weir_records_sink_total{outcome="dropped"}`, 1200},
		{`weir_records_spooled`, 0},
		{`weir_sequence_streams`, 230},
		{`weir_sets_held`, 4},
		{`weir_sets_held_bytes`, 4800},
		{`weir_sink_bytes_total`, 4000 * datagrams},
		{`weir_socket_dropped_total{listen="flow://:2055",worker="0"}`, 12044},
		{`weir_spool_bytes`, 65536},
		{`weir_templates`, 310},
		{`weir_templates_bytes`, 172000},
		{`weir_xdp_dropped_total{reason="rx_ring_full"}`, 11},
		{`weir_xdp_frames_waiting`, 64},
		{`weir_xdp_ring_high_water{interface="eth0",ring="rx 0/0"}`, 310},
		{`weir_xdp_ring_high_water{interface="eth0",ring="rx 1/0"}`, 1900},
		{`weir_xdp_ring_size{interface="eth0",ring="rx 0/0"}`, 2048},
		{`weir_xdp_ring_size{interface="eth0",ring="rx 1/0"}`, 2048},
	} {
		fmt.Fprintf(&b, "# TYPE %s untyped\n%s %v\n", strings.Split(line.series, "{")[0], line.series, line.v)
	}
	return onlyOneType(b.String())
}

// onlyOneType leaves out repeated lines of types.
func onlyOneType(page string) string {
	seen := map[string]bool{}
	var b strings.Builder
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "# TYPE") {
			if seen[line] {
				continue
			}
			seen[line] = true
		}
		b.WriteString(line)
	}
	return b.String()
}

// healthPage is /health of a weir that lost, or not.
func healthPage(losing bool) string {
	page := map[string]any{"status": "ok", "datagrams_per_second": 131600.4, "records_per_second": 2237200.0, "exporters": 23}
	var list []any
	for _, name := range []string{"network", "socket", "ring", "rate", "decode", "template_missing", "template_contradicted", "sampling", "queue", "output", "spool", "disk", "exporter_silent", "clock"} {
		units := map[string]string{"network": "units", "ring": "frames", "decode": "faults", "template_missing": "sets", "template_contradicted": "contradictions", "sampling": "records", "queue": "records", "output": "records", "spool": "records", "disk": "records", "exporter_silent": "exporters", "clock": "exporters"}
		unit := units[name]
		if unit == "" {
			unit = "datagrams"
		}
		p := map[string]any{"place": name, "status": "ok", "unit": unit, "lost": 0, "lost_last_minute": 0}
		if losing {
			switch name {
			case "network":
				p["lost"], p["last_loss"] = 17, noon.Add(-3*time.Hour)
			case "socket":
				p["status"], p["lost"], p["lost_last_minute"], p["last_loss"] = "degraded", 12044, 1204, noon.Add(-3*time.Second)
				p["reasons"] = []string{"socket: the kernel drops datagrams because a socket's receive buffer is full: 1204 datagrams in the last minute"}
				p["action"] = "raise -receive.buffer and net.core.rmem_max; then add sockets (?count= in -listen), give weir more CPU, or use -xdp.interface"
				p["runbook"] = "docs/runbook.md#weirsocketdrops"
			case "exporter_silent":
				p["status"], p["lost"], p["lost_last_minute"] = "degraded", 2, 2
				p["reasons"] = []string{"exporter_silent: exporters have sent nothing for -exporters.silent-after: 2 exporters (192.0.2.9, 192.0.2.18)"}
				p["action"] = "look at the exporters (/exporters, silent) and at the way to them"
			}
		}
		list = append(list, p)
	}
	page["places"] = list
	if losing {
		page["status"] = "degraded"
	}
	return marshal(page)
}

func marshal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// entry is an exporter of a page. Every ninth is silent, and lossy says how much more the
// sixth has lost.
func entry(i int, lossy uint64, at time.Time) map[string]any {
	e := map[string]any{
		"exporter": fmt.Sprintf("192.0.2.%d", i), "first_seen": began, "last_seen": at.Add(-time.Duration(i%3) * time.Second), "silent": false,
		"protocols": []string{[]string{"netflow_v5", "netflow_v9", "ipfix", "sflow_5"}[i%4]},
		"datagrams": 1000 * i, "bytes": 1400000 * i, "records": 24000 * i, "datagrams_per_second": 10 * float64(i), "records_per_second": 240 * float64(i),
		"templates": i % 4 * 3, "sampling": []any{map[string]any{"source": "record", "rate": 1024}}, "clock_skew_seconds": 0.4,
	}
	switch {
	case i%9 == 0:
		e["silent"], e["last_seen"], e["datagrams_per_second"], e["records_per_second"] = true, at.Add(-time.Duration(i)*time.Hour), 0, 0
	case i == 6:
		e["lost"] = map[string]any{"network": map[string]any{"datagrams": 40 + lossy}, "here": map[string]any{"socket": map[string]any{"datagrams": 12}, "decode_incomplete_datagrams": 5}}
	case i == 4:
		e["exporter"] = "2001:db8:1234:5678:9abc:def0:1234:5678"
		e["protocols"] = []string{"netflow_v9", "ipfix"}
	}
	return e
}

// exportersPage is /exporters with the entries from first to last.
func exportersPage(first, last int, lossy uint64, next string, at time.Time) string {
	page := map[string]any{"totals": map[string]any{"exporters": 23, "exporters_max": 100000, "silent": 2}}
	var list []any
	for i := first; i <= last; i++ {
		list = append(list, entry(i, lossy, at))
	}
	page["list"] = list
	if next != "" {
		page["next"] = next
	}
	return marshal(page)
}

// detailPage is /exporters of one exporter, which chose hostile names.
func detailPage(at time.Time) string {
	e := entry(6, 3, at)
	e["reordered"], e["duplicates"], e["restarts"] = 4, 5, 6
	e["options"] = []any{map[string]any{"domain": 7, "names": map[string]any{"interface": map[string]any{"1": hostile, "2": "to Zürich 東京"}}}}
	e["elements_ignored"] = []any{map[string]any{"element": 9999, "enterprise": 9}, map[string]any{"element": 5, "name": "class\x1b[1m"}}
	e["streams"] = []any{
		map[string]any{"protocol": "ipfix", "domain": 7, "source_port": 4739, "counts_by": "records", "unit": "records", "lost": 43, "reordered": 4, "duplicates": 5, "strays": 1},
		map[string]any{"protocol": "sflow_5", "source": "0:12", "counts_by": "samples_with_own", "lost": 0},
	}
	return marshal(map[string]any{"totals": map[string]any{"exporters": 23}, "list": []any{e}})
}

// read makes an answer of a page.
func read(t *testing.T, r request, page string, at time.Time) answer {
	t.Helper()
	a := answer{request: r, began: at.Add(-30 * time.Millisecond), at: at}
	var err error
	switch r.page {
	case pageHealth:
		a.health, err = readHealth(strings.NewReader(page))
	case pageMetrics:
		a.metrics, err = readMetrics(strings.NewReader(page))
	default:
		a.exporters, err = readExporters(strings.NewReader(page))
	}
	if err != nil {
		t.Fatalf("read %s: %v", r.path(), err)
	}
	return a
}

// looker is a model and what it is fed.
type looker struct {
	*model
	t  *testing.T
	at time.Time
}

// look returns a model that has seen a minute of a weir.
func look(t *testing.T, width, height int, losing bool) *looker {
	t.Helper()
	l := &looker{t: t, at: noon}
	first := read(t, request{page: pageHealth}, healthPage(losing), noon)
	l.model = newModel(func(request) answer { panic("asked") }, "127.0.0.1:8080", style{steps: steps}, first)
	l.send(tea.WindowSizeMsg{Width: width, Height: height})
	lossy := uint64(0)
	for i := range 10 {
		l.metrics(1e9+int64(i)*400_000+int64(i*i)*20_000, began.Unix())
		if losing && i > 5 {
			lossy += 3
		}
		l.exporters(lossy)
	}
	return l
}

// metrics and exporters feed a page, after a second or three.
func (l *looker) metrics(datagrams, start int64) {
	l.at = l.at.Add(3 * time.Second)
	l.send(read(l.t, request{page: pageMetrics}, metricsPage(datagrams, start), l.at))
}

func (l *looker) exporters(lossy uint64) {
	l.at = l.at.Add(time.Second)
	l.send(read(l.t, request{page: pageExporters, limit: pageLimit}, exportersPage(1, 23, lossy, "", l.at), l.at))
}

// fail feeds an error.
func (l *looker) fail(p page, err error) {
	l.at = l.at.Add(time.Second)
	l.send(answer{request: request{page: p}, began: l.at, at: l.at, err: err})
}

// wait lets seconds pass.
func (l *looker) wait(d time.Duration) {
	l.at = l.at.Add(d)
	l.send(second(l.at))
}

func (l *looker) send(msg tea.Msg) tea.Cmd {
	_, cmd := l.Update(msg)
	return cmd
}

// press presses keys: names, or texts of one character.
func (l *looker) press(keys ...string) {
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "down": tea.KeyDown, "up": tea.KeyUp, "tab": tea.KeyTab, "end": tea.KeyEnd, "pgdown": tea.KeyPgDown, "backspace": tea.KeyBackspace, "space": tea.KeySpace}
	for _, k := range keys {
		key := tea.KeyPressMsg{Code: named[k]}
		if key.Code == 0 {
			key = tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		}
		l.send(key)
	}
}
