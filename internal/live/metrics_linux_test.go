package live

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	wm "github.com/weirflow/weir/internal/metrics"
	"github.com/weirflow/weir/sink/outputs"
)

// moves says about every metric that weir exports, with every label value that is
// not a reason of the decoders, which stir makes it move.
var moves = []struct{ series, by string }{
	{`build_info{`, "datagrams"}, // 1 from the start
	{`datagrams_received_total{path="udp"}`, "datagrams"},
	{`datagrams_received_bytes_total{path="udp"}`, "datagrams"},
	{`socket_dropped_total{listen="flow://:2055",worker="0"}`, "kernel"},
	{`datagrams_total{outcome="decoded",reason="none"}`, "datagrams"},
	{`datagrams_total{outcome="decoded",reason="template_missing"}`, "datagrams"},
	{`datagrams_total{outcome="decoded",reason="count_mismatch"}`, "datagrams"},
	{`datagrams_total{outcome="failed",reason="unknown_version"}`, "datagrams"},
	{`datagrams_total{outcome="failed",reason="short_header"}`, "datagrams"},
	{`datagrams_total{outcome="dropped",reason="rate"}`, "rate"},
	{`datagrams_total{outcome="dropped",reason="denied"}`, "denied"},
	{`exporter_limited_total{exporter="127.0.0.1"}`, "rate"},
	{`decode_faults_total{reason="unknown_version"}`, "datagrams"},
	{`decode_faults_total{reason="template_missing"}`, "datagrams"},
	{`protocol_datagrams_total{protocol="netflow_v1"}`, "datagrams"},
	{`protocol_datagrams_total{protocol="netflow_v5"}`, "datagrams"},
	{`protocol_datagrams_total{protocol="netflow_v7"}`, "datagrams"},
	{`protocol_datagrams_total{protocol="netflow_v8"}`, "datagrams"},
	{`protocol_datagrams_total{protocol="netflow_v9"}`, "datagrams"},
	{`protocol_datagrams_total{protocol="ipfix"}`, "datagrams"},
	{`protocol_datagrams_total{protocol="sflow_5"}`, "datagrams"},
	{`protocol_datagrams_total{protocol="unknown"}`, "datagrams"},
	{`records_produced_total{protocol="netflow_v1"}`, "datagrams"},
	{`records_produced_total{protocol="netflow_v5"}`, "datagrams"},
	{`records_produced_total{protocol="netflow_v7"}`, "datagrams"},
	{`records_produced_total{protocol="netflow_v8"}`, "datagrams"},
	{`records_produced_total{protocol="netflow_v9"}`, "datagrams"},
	{`records_produced_total{protocol="ipfix"}`, "datagrams"},
	{`records_produced_total{protocol="sflow_5"}`, "datagrams"},
	{`records_encoded_total{format="json",path="generic"}`, "datagrams"},
	{`records_encoded_total{format="json",path="plan"}`, "datagrams"},
	{`records_sink_total{outcome="acknowledged"}`, "datagrams"},
	{`records_sink_total{outcome="dropped"}`, "stuck output"},
	{`records_dropped_total{reason="sink_behind"}`, "stuck output"},
	{`records_dropped_total{reason="disk_full"}`, "full disk"},
	{`records_dropped_total{reason="write_error"}`, "size limit"},
	// These two end with weir: its last words have them.
	{`records_dropped_total{reason="closed"}`, "reader gone"},
	{`records_dropped_total{reason="shutdown"}`, "stuck output"},
	{`records_in_flight`, "stuck output"},
	{`sink_bytes_total`, "datagrams"},
	{`batches_total`, "datagrams"},
	{`options_records_total`, "datagrams"},
	{`sets_without_template_total`, "datagrams"},
	{`templates_announced_total{change="added"}`, "datagrams"},
	{`templates_announced_total{change="replaced"}`, "datagrams"},
	{`templates_announced_total{change="unchanged"}`, "datagrams"},
	{`templates_announced_total{change="withdrawal_ignored"}`, "datagrams"},
	{`templates`, "datagrams"},
	{`templates_domains`, "templates"},
	{`templates_bytes`, "templates"},
	{`templates_samplers`, "templates"},
	{`templates_evicted_total{what="domains"}`, "templates"},
	{`templates_evicted_total{what="templates"}`, "templates"},
	{`templates_expired_total`, "templates"},
	{`templates_split_total`, "templates"},
	{`templates_taken_over_total`, "templates"},
	{`elements_ignored_total{`, "templates"},
	{`options_names{kind="interface"}`, "templates"},
	{`memory_cap_bytes{part="option names"}`, "templates"},
	{`datagrams_held`, "templates"},
	{`sets_held`, "templates"},
	{`sets_held_bytes`, "templates"},
	{`sets_held_total{outcome="released"}`, "templates"},
	{`sets_held_total{outcome="expired"}`, "templates"},
	{`sets_held_total{outcome="overflow"}`, "templates"},
	{`exporter_sets_expired_total{exporter="127.0.0.1"}`, "templates"},
	{`state_saves_total{outcome="saved"}`, "templates"},
	{`state_saves_total{outcome="failed"}`, "templates"},
	{`state_set_aside_total`, "templates"},
	{`state_bytes`, "templates"},
	{`state_saved_timestamp_seconds`, "templates"},
	{`state_saved_seconds`, "templates"}, // the old name
	{`memory_max_bytes`, "templates"},
	{`memory_cap_bytes{part="templates"}`, "templates"},
	{`memory_cap_bytes{part="samplers"}`, "templates"},
	{`memory_cap_bytes{part="pending"}`, "templates"},
	{`memory_cap_bytes{part="batches"}`, "templates"},
	{`memory_cap_bytes{part="exporters"}`, "templates"},
	{`memory_cap_bytes{part="sequences"}`, "templates"},
	{`memory_cap_bytes{part="base"}`, "templates"},
	{`memory_cap_bytes{part="recent"}`, "templates"},
	{`memory_cap_bytes{part="names"}`, "templates"},
	{`memory_cap_bytes{part="collector"}`, "templates"},
	{`memory_cap_bytes{part="sequences"}`, "templates"},
	{`exporter_lost_total{exporter="127.0.0.1",unit="datagrams"}`, "exporters"},
	{`exporter_reordered_total{exporter="127.0.0.1"}`, "exporters"},
	{`exporter_duplicates_total{exporter="127.0.0.1"}`, "exporters"},
	{`exporter_restarts_total{exporter="127.0.0.1"}`, "exporters"},
	{`exporters_max`, "templates"}, // is there from the start
	{`exporters_evicted_total`, "exporters"},
	{`exporters_new_total`, "exporters"},
	{`exporters_silent`, "exporters"},
	{`exporters_clock_off`, "exporters"},
	{`sequence_lost_total{place="network",unit="datagrams"}`, "exporters"},
	{`exporters_silent_changes_total{change="silent"}`, "exporters"},
	{`exporters_silent_changes_total{change="returned"}`, "exporters"},
	{`sequence_streams`, "exporters"},
	{`sequence_streams_overflow_total`, "exporters"},
	{`records_sampling_total{source="record"}`, "exporters"},
	{`records_sampling_total{source="sampler"}`, "exporters"},
	{`records_sampling_total{source="domain"}`, "exporters"},
	{`records_sampling_total{source="override"}`, "exporters"},
	{`records_sampling_total{source="default"}`, "exporters"},
	{`records_sampling_total{source="none"}`, "exporters"},
	{`sampling_changes_total`, "exporters"},
	{`error_samples_total{outcome="written"}`, "exporters"},
	{`error_samples_total{outcome="failed"}`, "exporters"},
	{`sflow_samples_total{kind="counter"}`, "datagrams"},
	{`sflow_samples_total{kind="drop"}`, "datagrams"},
	{`sflow_samples_total{kind="unknown"}`, "datagrams"},
	{`exporters`, "datagrams"},
	{`exporter_datagrams_total{exporter="127.0.0.1"}`, "datagrams"},
	{`exporter_bytes_total{exporter="127.0.0.1"}`, "datagrams"},
	{`exporter_records_total{exporter="127.0.0.1"}`, "datagrams"},
	{`exporter_datagrams_failed_total{exporter="127.0.0.1"}`, "datagrams"},
	{`exporter_datagrams_incomplete_total{exporter="127.0.0.1"}`, "datagrams"},
	{`exporter_last_seen_timestamp_seconds{exporter="127.0.0.1"}`, "datagrams"},
	{`exporter_last_seen_seconds{exporter="127.0.0.1"}`, "datagrams"}, // the old name
	// More exporters than -metrics.exporters=1.
	{`exporter_datagrams_total{exporter="other"}`, "datagrams"},
	{`exporter_bytes_total{exporter="other"}`, "datagrams"},
	{`exporter_records_total{exporter="other"}`, "datagrams"},
	{`exporter_datagrams_failed_total{exporter="other"}`, "datagrams"},
	{`exporter_datagrams_incomplete_total{exporter="other"}`, "datagrams"},
	{`exporter_last_seen_timestamp_seconds{exporter="other"}`, "datagrams"},
	{`exporter_last_seen_seconds{exporter="other"}`, "datagrams"},
	{`output_rotations_total`, "retention"},
	{`output_rotated_files`, "retention"},
	{`output_rotated_bytes`, "retention"},
	{`output_deleted_files_total{reason="count"}`, "retention"},
	{`output_deleted_bytes_total{reason="count"}`, "retention"},
	{`config_reloads_total{outcome="success"}`, "retention"},
	{`config_last_reload_successful`, "retention"},
	{`config_last_reload_success_timestamp_seconds`, "retention"},
	{`datagrams_received_total{path="xdp"}`, "capture"},
	{`datagrams_received_bytes_total{path="xdp"}`, "capture"},
	{`capture_mode{interface="eth0",mode="`, "capture"},
	{`capture_opened_total{interface="eth0"}`, "capture"},
	{`xdp_verdicts_total{verdict="redirect"}`, "capture"},
	{`xdp_verdicts_total{verdict="drop_rate"}`, "capture"},
	{`xdp_dropped_total{reason="rx_ring_full"}`, "capture"},
	{`xdp_exporter_limited_total{exporter="10.2.0.1"}`, "capture"},
	{`xdp_ring_high_water{interface="eth0",`, "capture"},
	{`xdp_ring_size{interface="eth0",`, "capture"},
}

// needBroker are the beginnings of the names of metrics that move only with a
// Kafka broker, which the tests here do without, or with databases, which have a
// test of their own.
var needBroker = []string{"weir_kafka_", "weir_spool_", "weir_records_spooled", "weir_enrich_", `weir_records_sink_total{outcome="spooled"}`}

// moved collects the series that grew, by the stir that made them.
type moved struct {
	mu   sync.Mutex
	seen map[string]bool // "stir series"
	late map[string]bool // counters that were not there before they grew
}

func (m *moved) note(stir, series string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[stir+" "+series] = true
}

func (m *moved) compare(stir string, before, after metrics) {
	for series, v := range after {
		family, labels, _ := strings.Cut(series, "{")
		_, there := before[series]
		// What an exporter counts is there from its first datagram.
		if !there && v > 0 && len(before) > 0 && strings.HasPrefix(family, "weir_") && strings.HasSuffix(family, "_total") && !strings.Contains(labels, "exporter=") {
			m.mu.Lock()
			m.late[series] = true
			m.mu.Unlock()
		}
		if v > before[series] {
			m.note(stir, strings.TrimPrefix(series, "weir_"))
		}
	}
}

// TestEveryMetricMoves: no metric is there for show.
func TestEveryMetricMoves(t *testing.T) {
	t.Parallel()
	seen := &moved{seen: map[string]bool{}, late: map[string]bool{}}
	stirs := map[string]func(t *testing.T, note *moved){
		"datagrams": stirDatagrams, "kernel": stirKernel, "stuck output": stirStuck,
		"rate": stirRate, "denied": stirDenied, "capture": stirCapture,
		"full disk": stirFullDisk, "size limit": stirSizeLimit, "reader gone": stirReaderGone,
		"templates": stirTemplates, "exporters": stirExporters, "retention": stirRetention,
	}
	done := &moved{seen: map[string]bool{}} // those that were not skipped
	t.Run("stir", func(t *testing.T) {
		for name, stir := range stirs {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				stir(t, seen)
				done.note(name, "")
			})
		}
	})
	for series := range seen.late {
		t.Errorf("%s was not there at 0: its first loss is no increase", series)
	}
	covered := map[string]bool{}
	for _, m := range moves {
		family, _, _ := strings.Cut(m.series, "{")
		covered["weir_"+family] = true
		found := false
		for have := range seen.seen {
			found = found || strings.HasPrefix(have, m.by+" "+m.series)
		}
		if !found && done.seen[m.by+" "] {
			t.Errorf("%s did not move by %s", m.series, m.by)
		}
	}
	for _, name := range exportedNames() {
		broker := slices.ContainsFunc(slices.Concat(needBroker, elsewhere), func(begin string) bool { return strings.HasPrefix(name, begin) })
		if !covered[name] && !broker {
			t.Errorf("%s is exported, and nothing says what moves it", name)
		}
		delete(covered, name)
	}
	for name := range maps.Keys(covered) {
		t.Errorf("%s is not exported", name)
	}
}

// exportedNames returns the names of all metrics of weir's own.
func exportedNames() []string {
	ch := make(chan *prometheus.Desc, 1000)
	wm.NewCollector(wm.Source{Kinds: outputs.All()}).Describe(ch)
	close(ch)
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	var out []string
	for d := range ch {
		out = append(out, name.FindStringSubmatch(d.String())[1])
	}
	return out
}

// stirDatagrams sends all that can be sent, from two exporters, and checks the
// account of it.
func stirDatagrams(t *testing.T, note *moved) {
	host := newHost(t)
	w := startWeir(t, host, "-metrics.exporters", "1", "-templates.pending", "0")
	before := w.scrape()
	delete(before, seriesOf(before, "build_info")[0]) // is 1 at all times

	// A sampled frame: what the agent sent, cut after the UDP header.
	frame := conversations4[0].frame(0)[:42]
	raw := append(frame, 0, 0)
	header := make([]uint32, 0, 16)
	header = append(header, 1, 82, 4, uint32(len(frame))) // Ethernet, frame length, stripped, header length
	for i := 0; i < len(raw); i += 4 {
		header = append(header, be.Uint32(raw[i:]))
	}
	record := sample(1, header...)
	flow := append([]uint32{1, 3, 64, 640, 0, 3, 4, 1}, wordsOf(record)...)

	load := [][]byte{
		netflow1(), netflow5(0, 30), netflow7(), netflow8(),
		{0, 99, 1, 2, 3, 4},                        // garbage
		{0, 5, 0, 1, 0, 0, 0, 0, 0, 0},             // ends in its header
		netflow9(1, 1)[:12],                        // too
		netflow5(0, 30)[:24+48+10],                 // announces more records than it has
		netflow9(1, 1, set(300, make([]byte, 16))), // template unknown
		netflow9(1, 3, set(set9Template, flowTemplate(256)), set(256, flowRecords(2)), set(999, make([]byte, 16))),
		// Options: scope system, field sampling interval.
		netflow9(1, 2, set(set9Options, words(257, 4, 4, 1, 4, 34, 4)), set(257, []byte{0, 0, 0, 1, 0, 0, 0, 10})),
		ipfix(1, set(setIPFIXTemplate, flowTemplate(256)), set(256, flowRecords(3))),
		ipfix(1, set(setIPFIXTemplate, flowTemplate(256))),          // again
		ipfix(1, set(setIPFIXTemplate, words(256, 2, 8, 4, 12, 4))), // another
		ipfix(1, set(setIPFIXOptions, words(258, 2, 1, 149, 4, 34, 4)), set(258, []byte{0, 0, 0, 1, 0, 0, 0, 10})),
		ipfix(1, set(setIPFIXTemplate, words(256, 0))), // a withdrawal
		sflow5(
			sample(1, flow...),
			sample(2, 1, 3, 0),                // counters, none
			sample(5, 1, 0, 3, 0, 3, 4, 1, 0), // discarded packet
			sample(4095<<12|7, 1, 2, 3),       // of another enterprise
		),
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		conn := dialOn(t, host, from, "127.0.0.1:2055")
		send(t, conn, load...)
		w.waitMetric(len(load), "exporter_datagrams_total", map[string]string{"127.0.0.1": `"127.0.0.1"`, "127.0.0.2": `"other"`}[from])
	}
	m := w.settle(2 * len(load))
	m.lossless(t)
	if n := m.count("exporters"); n != 2 {
		t.Errorf("%d exporters, want 2", n)
	}
	status, page, err := w.get("/templates")
	if err != nil || status != 200 || !strings.Contains(page, `"127.0.0.2:`) || !strings.Contains(page, `"template-id": 257`) {
		t.Errorf("templates: status %d, %v: %s", status, err, page)
	}
	if status, page, err := w.get("/__health"); err != nil || status != 200 || page != "OK\n" {
		t.Errorf("health: status %d, %v: %s", status, err, page)
	}
	w.stop()
	if n := countLines(w.file); n != m.count("records_produced_total") {
		t.Errorf("%d lines, %d records produced", n, m.count("records_produced_total"))
	}
	note.compare("datagrams", before, m)
	if t.Failed() {
		for _, series := range slices.Sorted(maps.Keys(m)) {
			if strings.HasPrefix(series, "weir_") {
				t.Log(series, m[series])
			}
		}
	}
}

// wordsOf reads bytes as 32-bit numbers.
func wordsOf(b []byte) []uint32 {
	var out []uint32
	for ; len(b) >= 4; b = b[4:] {
		out = append(out, be.Uint32(b))
	}
	return out
}

// stirKernel holds weir still until its receive buffer is full.
func stirKernel(t *testing.T, note *moved) {
	host := newHost(t)
	w := startWeir(t, host, "-receive.buffer", "16KiB")
	before := w.scrape()
	w.hold()
	send(t, dial(t, host), numbered(200)...)
	w.signal(unix.SIGCONT)
	note.compare("kernel", before, w.waitMetric(1, "socket_dropped_total"))
}

// stirRate sends faster than an exporter may.
func stirRate(t *testing.T, note *moved) {
	host := newHost(t)
	w := startWeir(t, host, "-exporters.rate", "20")
	before := w.scrape()
	const datagrams = 300
	send(t, dial(t, host), numbered(datagrams)...)
	m := w.waitMetric(datagrams, "datagrams_received_total")
	note.compare("rate", before, m)
	taken, dropped := m.count("protocol_datagrams_total"), m.count("datagrams_total", "dropped")
	if taken+dropped != datagrams || dropped != m.count("exporter_limited_total") {
		t.Errorf("%d taken and %d dropped of %d, %d by exporter", taken, dropped, datagrams, m.count("exporter_limited_total"))
	}
	w.stop()
}

// stirDenied sends from an exporter that is not let in.
func stirDenied(t *testing.T, note *moved) {
	host := newHost(t)
	w := startWeir(t, host, "-exporters.allow", "192.0.2.0/24")
	before := w.scrape()
	send(t, dial(t, host), numbered(1)...)
	m := w.waitMetric(1, "datagrams_total", "dropped", `reason="denied"`)
	note.compare("denied", before, m)
	w.stop()
	if n := countLines(w.file); n != 0 {
		t.Errorf("%d lines of an exporter that is not let in", n)
	}
}

// stirCapture captures an interface and holds weir still until its ring is full.
func stirCapture(t *testing.T, note *moved) {
	l := newXDPLab(t, 1)
	w := startXDP(l, "-xdp.workers", "1", "-xdp.ring", "64", "-exporters.rate", "20")
	w.hold()
	for i := range 300 {
		payload := netflow5(i*recordsPerDatagram, recordsPerDatagram)
		l.send(l.frame(source(1), payload), l.frame(source(2), payload))
	}
	w.signal(unix.SIGCONT)
	w.waitMetric(1, "datagrams_received_total", `path="xdp"`)
	m := w.waitMetric(1, "xdp_dropped_total", `"rx_ring_full"`)
	w.stop()
	note.compare("capture", metrics{}, m) // some of it is there from the start
}

// stirStuck has nobody read the output.
func stirStuck(t *testing.T, note *moved) {
	host := newHost(t)
	w := startWeirTo(t, host, fifo(t), "-batch.size", "4KiB", "-sink.depth", "2")
	before := w.scrape()
	send(t, dial(t, host), numbered(10)...)
	w.waitMetric(1, "records_dropped_total", "sink_behind")
	w.waitMetric(10, "datagrams_received_total")
	m := w.balance()
	note.compare("stuck output", before, m)
	w.signal(unix.SIGTERM)
	w.waitEnd()
	lastWords(w, note, "stuck output", "shutdown")
}

// lastWords takes a reason from the ledger that weir logs at its end.
func lastWords(w *weir, note *moved, stir, reason string) {
	w.t.Helper()
	if regexp.MustCompile(`msg=ledger .*dropped_` + reason + `=[1-9]`).MatchString(w.out.String()) {
		note.note(stir, fmt.Sprintf("records_dropped_total{reason=%q}", reason))
	}
}

// stirFullDisk writes to a device that is full.
func stirFullDisk(t *testing.T, note *moved) {
	host := newHost(t)
	w := startWeirTo(t, host, "/dev/full")
	before := w.scrape()
	send(t, dial(t, host), numbered(1)...)
	w.waitMetric(recordsPerDatagram, "records_dropped_total", "disk_full")
	m := w.balance()
	note.compare("full disk", before, m)
	w.stop()
}

// stirSizeLimit lets files grow to some size and no more (RLIMIT_FSIZE): weir
// survives the signal that comes with it.
func stirSizeLimit(t *testing.T, note *moved) {
	host := newHost(t)
	w := startWeir(t, host)
	limit := unix.Rlimit{Cur: 8 << 10, Max: 8 << 10}
	if err := unix.Prlimit(w.pid(), unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	before := w.scrape()
	send(t, dial(t, host), numbered(5)...)
	w.waitMetric(1, "records_dropped_total", "write_error")
	m := w.settle(5)
	note.compare("size limit", before, m)
	w.stop()
	if n := len(readLines(t, w.file)); n != m.count("records_sink_total", "acknowledged") || n == 0 {
		t.Errorf("%d lines, %d acknowledged", n, m.count("records_sink_total", "acknowledged"))
	}
}

// stirReaderGone ends the reader of the output, a pipe without a name.
func stirReaderGone(t *testing.T, note *moved) {
	host := newHost(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	w := startWeirTo(t, host, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), writer.Fd()))
	reader.Close()
	send(t, dial(t, host), numbered(1)...)
	if code, _ := w.waitEnd(); code != 1 {
		t.Errorf("ended with code %d, want 1", code)
	}
	lastWords(w, note, "reader gone", "closed")
}
