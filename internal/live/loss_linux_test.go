package live

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// buildTool builds a command of the module.
func buildTool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(name))
	if out, err := exec.Command("go", "build", "-o", path, "github.com/weirflow/weir/"+name).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}

// exportersPage is what of /exporters the tests look at.
type exportersPage struct {
	Totals struct {
		Exporters int
		Silent    int
	}
	List []exporterEntry
}

type exporterEntry struct {
	Exporter  string
	Silent    bool
	Protocols []string
	Templates int
	Sampling  []struct {
		Source    string
		Rate      uint64
		Interface *uint32
	}
	Records          uint64
	RecordsPerSecond float64  `json:"records_per_second"`
	ClockSkew        *float64 `json:"clock_skew_seconds"`
	Lost             struct {
		Network map[string]uint64
		Here    struct {
			Restart map[string]uint64
			Socket  map[string]uint64
			Limit   uint64 `json:"limit_datagrams"`
			Decode  uint64 `json:"decode_datagrams"`
		}
	}
	Reordered, Duplicates, Restarts uint64
	Streams                         []struct {
		Protocol string
		CountsBy string `json:"counts_by"`
		Lost     uint64
	}
}

func (w *weir) exporters() *exportersPage {
	w.t.Helper()
	status, body, err := w.get("/exporters")
	if err != nil || status != 200 {
		w.t.Fatalf("/exporters: %d, %v", status, err)
	}
	p := &exportersPage{}
	if err := json.Unmarshal([]byte(body), p); err != nil {
		w.t.Fatalf("/exporters: %v in %s", err, body)
	}
	return p
}

// TestInjectedLoss drops, reorders and repeats a share of what exporters of four
// protocols send, and compares what weir reports of each with the truth.
func TestInjectedLoss(t *testing.T) {
	host := newHost(t)
	w := startWeir(t, host, "-format", "bin", "-transport.file", "/dev/null", "-receive.buffer", "64MiB")
	capture := filepath.Join(t.TempDir(), "mix.pcap")
	if out, err := exec.Command(buildTool(t, "bench/gen"), "-workload", "mix", "-exporters", "8", "-count", "24000", "-write", capture, "-quiet").CombinedOutput(); err != nil {
		t.Fatalf("gen: %v\n%s", err, out)
	}
	replay := host.Command(context.Background(), buildTool(t, "bench/replay"), "-to", "127.0.0.1:2055", "-keep-source",
		"-pps", "4000", "-drop", "1%", "-reorder", "1%", "-duplicate", "1%", "-seed", "7", capture)
	var out, errs bytes.Buffer
	replay.Stdout, replay.Stderr = &out, &errs
	if err := replay.Run(); err != nil {
		t.Fatalf("replay: %v\n%s", err, errs.String())
	}
	var sent struct {
		Datagrams int
		Truth     []struct {
			Source, Protocol      string
			Dropped               struct{ Datagrams, Records, Flows, Templates uint64 }
			Reordered, Duplicated uint64
			ReorderedEmpty        uint64 `json:"reordered_empty"`
			DuplicatedEmpty       uint64 `json:"duplicated_empty"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &sent); err != nil {
		t.Fatal(err)
	}
	m := w.waitMetric(sent.Datagrams, "datagrams_received_total")
	if lost := m.count("socket_dropped_total"); lost > 0 {
		t.Skipf("the kernel dropped %d datagrams: too busy a machine", lost)
	}
	time.Sleep(4 * time.Second) // what is missing at the end becomes a loss
	m = w.scrape()
	unit := map[string]string{"netflow_v5": "flows", "netflow_v9": "datagrams", "ipfix": "records", "sflow_5": "datagrams"}
	type key struct{ exporter, unit string }
	want, seen := map[key]uint64{}, map[string][2]uint64{}
	for _, tr := range sent.Truth {
		exporter := netip.MustParseAddrPort(tr.Source).Addr().String()
		switch u := unit[tr.Protocol]; u {
		case "flows", "records":
			want[key{exporter, u}] += tr.Dropped.Records
			seen[exporter] = [2]uint64{tr.Reordered - tr.ReorderedEmpty, tr.Duplicated - tr.DuplicatedEmpty}
		case "datagrams":
			want[key{exporter, u}] += tr.Dropped.Datagrams
			seen[exporter] = [2]uint64{tr.Reordered, tr.Duplicated}
		default:
			if tr.Protocol == "sflow_5_flow_samples" {
				want[key{exporter, "samples"}] += tr.Dropped.Records
			}
		}
	}
	if len(want) != 10 {
		t.Fatalf("truth of %d exporters and units: %v", len(want), want)
	}
	for k, n := range want {
		got := m.sum("exporter_lost_total", `exporter="`+k.exporter+`"`, `unit="`+k.unit+`"`)
		// One datagram at the very end may be seen or not.
		slack := 0.01*float64(n) + 1
		if k.unit != "datagrams" {
			slack += 30
		}
		if math.Abs(got-float64(n)) > slack || n == 0 {
			t.Errorf("%s lost %v %s, truth %d", k.exporter, got, k.unit, n)
		}
	}
	for exporter, n := range seen {
		label := `exporter="` + exporter + `"`
		if got := m.sum("exporter_reordered_total", label); math.Abs(got-float64(n[0])) > 2 {
			t.Errorf("%s: %v reordered, truth %d", exporter, got, n[0])
		}
		if got := m.sum("exporter_duplicates_total", label); math.Abs(got-float64(n[1])) > 2 {
			t.Errorf("%s: %v duplicates, truth %d", exporter, got, n[1])
		}
		if got := m.sum("exporter_restarts_total", label); got != 0 {
			t.Errorf("%s: %v restarts", exporter, got)
		}
	}
	if got := m.count("exporter_lost_total"); got == 0 {
		t.Error("nothing was lost")
	}
	for _, e := range w.exporters().List {
		if len(e.Protocols) != 1 || len(e.Streams) == 0 || e.Streams[0].CountsBy == "unknown" || len(e.Lost.Network) == 0 || e.RecordsPerSecond <= 0 {
			t.Errorf("%+v", e)
		}
	}
}

// TestExporterLife: an exporter is new, falls silent, comes back; garbage is no
// exporter; overrides of sampling rates hold.
func TestExporterLife(t *testing.T) {
	host := newHost(t)
	w := startWeir(t, host, "-exporters.silent-after", "2s",
		"-sampling", "127.0.0.2=500,127.0.0.3@7=900")
	plain, rated, byInterface := dialOn(t, host, "127.0.0.1", "127.0.0.1:2055"), dialOn(t, host, "127.0.0.2", "127.0.0.1:2055"), dialOn(t, host, "127.0.0.3", "127.0.0.1:2055")
	garbage := dialOn(t, host, "127.0.0.4", "127.0.0.1:2055")
	d := netflow5(0, 3)
	send(t, plain, d)
	send(t, rated, d)
	send(t, byInterface, d)
	send(t, garbage, []byte("garbage"))
	w.waitFor("new exporter")
	w.waitMetric(3, "exporters_new_total")
	m := w.waitMetric(9, "records_sampling_total")
	if m.count("records_sampling_total", `source="override"`) < 3 {
		t.Errorf("overrides hold for %d records", m.count("records_sampling_total", `source="override"`))
	}
	w.waitMetric(3, "exporters_silent_changes_total", `change="silent"`)
	w.waitFor("place=exporter_silent loss=begins exporters=")
	if p := w.exporters(); p.Totals.Exporters != 4 || p.Totals.Silent != 3 || !p.List[0].Silent {
		t.Errorf("%+v", p)
	}
	send(t, plain, d)
	w.waitMetric(1, "exporters_silent_changes_total", `change="returned"`)
	w.stop()
}

// TestForgedExporters: many forged sources neither take a real exporter's place
// nor flood the log.
func TestForgedExporters(t *testing.T) {
	host := newHost(t)
	w := startWeir(t, host, "-exporters.max", "50")
	real := dialOn(t, host, "127.0.0.1", "127.0.0.1:2055")
	send(t, real, netflow5(0, 3))
	for i := range 500 {
		addr := netip.AddrFrom4([4]byte{127, 9, byte(i / 200), byte(1 + i%200)}).String()
		conn := dialOn(t, host, addr, "127.0.0.1:2055")
		send(t, conn, []byte("no flows"))
		conn.Close()
		if i%100 == 0 {
			send(t, real, netflow5(0, 3))
		}
	}
	m := w.settle(506)
	if m.count("exporters") != 50 || m.count("exporters_evicted_total") < 440 {
		t.Errorf("%d exporters, %d evicted", m.count("exporters"), m.count("exporters_evicted_total"))
	}
	if got := m.count("exporter_records_total", `exporter="127.0.0.1"`); got != 18 {
		t.Errorf("%d records of the real exporter have its name", got)
	}
	if got := m.count("exporter_datagrams_total"); got != 506 {
		t.Errorf("%d datagrams of all exporters", got)
	}
	if n := w.out.count("new exporter"); n > 30 {
		t.Errorf("%d lines on new exporters", n)
	}
}

// TestErrorSamples: what cannot be decoded is kept, and weir decode says about it what
// weir said.
func TestErrorSamples(t *testing.T) {
	host := newHost(t)
	dir := filepath.Join(t.TempDir(), "errors")
	w := startWeir(t, host, "-errors.sample", dir, "-errors.sample.count", "2", "-templates.pending", "0")
	conn := dial(t, host)
	for i := range 5 {
		whole := netflow9(1, 1, set(256, flowRecords(1)))
		send(t, conn, []byte("garbage"), []byte{0, 5, 0, 1}, netflow5(i, 1)[:50],
			netflow9(1, 1, set(0, flowTemplate(256))),
			netflow9(1, 1, set(256, []byte{1, 2, 3})), // less than a record: of use only with its template
			ipfix(7, set(2, words(300, 1, 8, 0))),     // no bytes
			ipfix(7, set(777, flowRecords(1))),        // no template
			whole[:len(whole)-3])
	}
	w.settle(40)
	w.stop()
	files, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil || len(files) < 7 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		reason := filepath.Base(file[:len(file)-len(".pcap")])
		code, _, stats := runWeir(t, weirCommand(host, "decode", "-stats", "-", file))
		var s struct {
			Faults            map[string]int
			DatagramsReceived int `json:"datagrams_received"`
		}
		want := 0
		if reason == "unknown_version" {
			want = 1 // nothing in the capture is of a flow protocol
		}
		if err := json.Unmarshal([]byte(stats), &s); err != nil || code != want {
			t.Fatalf("decode %s: %d, %v\n%s", file, code, err, stats)
		}
		if s.Faults[reason] != 2 {
			t.Errorf("%s has %v", file, s.Faults)
		}
	}

	// A folder that cannot be written to costs a line.
	w = startWeir(t, host, "-errors.sample", "/proc/none", "-templates.pending", "0")
	send(t, dial(t, host), []byte("garbage"))
	w.waitFor("not kept")
	w.settle(1)
}
