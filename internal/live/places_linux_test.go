package live

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/places"
	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/internal/weirtest"
)

const rulesFolder = "../../scripts/packaging/prometheus"

// TestRules: promtool finds the rules right, and that each alert fires when it should.
func TestRules(t *testing.T) {
	t.Parallel()
	needProgram(t, "promtool", "prometheus")
	host := newHost(t)
	runOn(t, host, environment(), "promtool", "check", "rules", filepath.Join(rulesFolder, "weir.rules.yml"))
	runOn(t, host, environment(), "promtool", "test", "rules", filepath.Join(rulesFolder, "weir.rules.test.yml"))
}

// victim is a weir that loses at some places.
type victim struct {
	*weir
	at     string // address of its web server
	places []string
	lose   func(v *victim)
}

// TestPlaces: each place of loss, forced once: the line in the log, the place in /health,
// the metric, which was there at 0, and the alert of a real Prometheus.
func TestPlaces(t *testing.T) {
	t.Parallel()
	needProgram(t, "prometheus", "prometheus")
	l := newXDPLab(t, 1)
	host := l.collector
	victims := makeVictims(t, l)
	forced := map[string]bool{}
	var targets []string
	for _, v := range victims {
		targets = append(targets, v.at)
		_, page, err := v.getFrom(v.at, "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range v.places {
			p := placeOf(t, name)
			for _, c := range p.Counters {
				if !strings.Contains(page, "\n"+c.Metric+"{") && !strings.Contains(page, "\n"+c.Metric+" ") && c.Metric != "weir_xdp_verdicts_total" {
					t.Errorf("%s is not there from the start", c.Metric)
				}
			}
			forced[name] = true
		}
	}
	if len(forced) != len(places.Table) {
		t.Fatalf("%d of %d places are forced", len(forced), len(places.Table))
	}
	ask := startPrometheus(t, host, targets)
	eventually(t, "Prometheus has scraped all twice", func() bool {
		return ask(`count(count_over_time(weir_build_info[1m]) > 1)`)["{}"] == float64(len(victims))
	})
	for _, v := range victims {
		v.lose(v)
	}
	for _, v := range victims {
		for _, name := range v.places {
			p := placeOf(t, name)
			v.waitFor("place=" + name + " loss=begins ")
			if n := v.out.count("place=" + name + " loss=begins "); n != 1 {
				t.Errorf("%d lines of the beginning at %s", n, name)
			}
			eventually(t, "/health names "+name, func() bool {
				_, page, err := v.getFrom(v.at, "/health")
				return err == nil && healthOf(t, page, name) != "ok"
			})
			series := fmt.Sprintf(`ALERTS{alertname=%q,alertstate="firing",instance=%q}`, p.Alert, v.at)
			eventually(t, p.Alert+" fires", func() bool { return len(ask(series)) == 1 })
		}
	}
	// No alert fires of a place where nothing was lost.
	for series := range ask(`ALERTS{alertstate="firing"}`) {
		var labels struct{ Instance, Place string }
		if err := json.Unmarshal([]byte(series), &labels); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(victims, func(v *victim) bool { return v.at == labels.Instance })
		// Datagrams without a sampling rate, and times of the test's making, are everywhere.
		if !slices.Contains(victims[i].places, labels.Place) && !slices.Contains(anywhere, labels.Place) {
			t.Errorf("fires though nothing was lost there: %s", series)
		}
	}
}

// anywhere are places at which any weir of the test may lose something: datagrams of v5 name
// no sampling rate, and a busy machine is slow to read and to write.
var anywhere = []string{"sampling", "network", "socket", "queue"}

func placeOf(t *testing.T, name string) *places.Place {
	t.Helper()
	i := slices.IndexFunc(places.Table, func(p places.Place) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no place %s", name)
	}
	return &places.Table[i]
}

// healthOf returns the status of a place on the page of /health.
func healthOf(t *testing.T, page, place string) places.Status {
	t.Helper()
	var h places.Health
	if err := json.Unmarshal([]byte(page), &h); err != nil {
		t.Fatalf("%v in %s", err, page)
	}
	for _, p := range h.Places {
		if p.Place == place {
			return p.Status
		}
	}
	return "ok" // no reading yet
}

// startPrometheus starts a Prometheus with the rules of weir, whose warnings fire at once. It
// returns a function that asks it: values by labels as JSON.
func startPrometheus(t *testing.T, host *testnet.Host, targets []string) func(query string) map[string]float64 {
	t.Helper()
	dir := t.TempDir()
	rules, err := os.ReadFile(filepath.Join(rulesFolder, "weir.rules.yml"))
	must(err)
	must(os.WriteFile(filepath.Join(dir, "weir.rules.yml"), regexp.MustCompile(`(?m)^(\s+for:) .*$`).ReplaceAll(rules, []byte("$1 1s")), 0o600))
	list, err := json.Marshal(targets)
	must(err)
	config := "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [weir.rules.yml]\n" +
		"scrape_configs:\n- job_name: weir\n  static_configs:\n  - targets: " + string(list) + "\n"
	path := filepath.Join(dir, "prometheus.yml")
	must(os.WriteFile(path, []byte(config), 0o600))
	cmd := host.Command(context.Background(), "prometheus", "--config.file="+path, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:9090")
	cmd.Env, cmd.Dir = environment(), dir
	w := &weir{child: startChild(t, cmd), host: host}
	return func(query string) map[string]float64 {
		status, body, err := w.getFrom("127.0.0.1:9090", "/api/v1/query?query="+url.QueryEscape(query))
		if err != nil || status != 200 {
			return nil
		}
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Value  [2]any
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatalf("%s: %v: %s", query, err, body)
		}
		series := map[string]float64{}
		for _, r := range answer.Data.Result {
			labels, _ := json.Marshal(r.Metric)
			text, _ := r.Value[1].(string)
			value := 0.0
			fmt.Sscan(text, &value)
			series[string(labels)] = value
		}
		return series
	}
}

// makeVictims starts a weir for each way to lose, on the lab's collector.
func makeVictims(t *testing.T, l *xdpLab) []*victim {
	t.Helper()
	host := l.collector
	var list []*victim
	add := func(file string, names []string, lose func(v *victim), args ...string) {
		t.Helper()
		n := len(list)
		at := fmt.Sprintf("127.0.0.1:%d", 8080+n)
		all := append([]string{"-addr", at, "-listen", fmt.Sprintf("flow://:%d", 2055+n)}, args...)
		list = append(list, &victim{startWeirTo(t, host, file, all...), at, names, lose})
	}
	null := "/dev/null"
	send := func(v *victim, from string, datagrams ...[]byte) {
		conn := dialOn(t, host, from, fmt.Sprintf("127.0.0.1:%d", 2055+slices.Index(list, v)))
		defer conn.Close()
		send(t, conn, datagrams...)
	}
	// The first has the port that the lab's frames are for.
	add(null, []string{"ring"}, func(v *victim) {
		v.hold()
		for i := range 300 {
			l.send(l.frame(source(1), netflow5(i*recordsPerDatagram, recordsPerDatagram)))
		}
		v.signal(unix.SIGCONT)
	}, "-xdp.interface", "eth0", "-xdp.require", "-xdp.workers", "1", "-xdp.ring", "64")
	add(null, []string{"network", "decode", "template_missing", "template_contradicted", "sampling", "exporter_silent", "clock"}, func(v *victim) {
		const template = 256
		// From one port, which sequence numbers and templates belong to.
		stream := [][]byte{numbered9(0, set(set9Template, flowTemplate(template)))}
		for n := range uint32(20) {
			if n != 15 {
				stream = append(stream, numbered9(1+n, set(template, flowRecords(1))))
			}
		}
		send(v, "127.0.0.1", stream...)
		late := netflow5(0, 1)
		be.PutUint32(late[8:], uint32(time.Now().Add(-time.Hour).Unix()))
		send(v, "127.0.0.2", late, []byte("garbage"))
		send(v, "127.0.0.3", ipfix(1, set(300, flowRecords(1))), ipfix(2, set(setIPFIXTemplate, flowTemplate(256))), ipfix(2, set(setIPFIXTemplate, words(256, 2, 8, 4, 12, 4))))
	}, "-templates.pending", "0", "-exporters.silent-after", "1s")
	add(null, []string{"socket"}, func(v *victim) {
		v.hold()
		send(v, "127.0.0.1", numbered(200)...)
		v.signal(unix.SIGCONT)
	}, "-receive.buffer", "16KiB")
	add(null, []string{"rate"}, func(v *victim) { send(v, "127.0.0.1", numbered(300)...) }, "-exporters.rate", "20")
	add(fifo(t), []string{"queue"}, func(v *victim) { send(v, "127.0.0.1", numbered(20)...) }, "-batch.size", "4KiB", "-sink.depth", "2")
	add("/dev/full", []string{"disk"}, func(v *victim) { send(v, "127.0.0.1", numbered(1)...) })
	add(filepath.Join(t.TempDir(), "flows"), []string{"output"}, func(v *victim) {
		must(unix.Prlimit(v.pid(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 8 << 10, Max: 8 << 10}, nil))
		send(v, "127.0.0.1", numbered(5)...)
	})
	add(null, []string{"spool"}, func(v *victim) {
		for i := range 40 {
			send(v, "127.0.0.1", numbered(100)...)
			v.waitReceived(100 * (i + 1))
		}
	}, "-transport", "kafka", "-transport.kafka.brokers", "127.0.0.1:9", "-spool.dir", filepath.Join(t.TempDir(), "spool"), "-spool.max-bytes", "16MiB")
	return list
}

// waitReceived waits until n datagrams were received.
func (v *victim) waitReceived(n int) {
	v.t.Helper()
	eventually(v.t, "datagrams are received", func() bool {
		_, page, err := v.getFrom(v.at, "/metrics")
		if err != nil {
			return false
		}
		m, err := weirtest.ParseMetrics(page)
		return err == nil && metrics(m).count("datagrams_received_total")+metrics(m).count("socket_dropped_total") >= n
	})
}

// TestStatusLine: the status line of the unit has rates, and what was lost.
func TestStatusLine(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	m := newManager(t, host)
	w := m.start("/dev/full")
	status := func(want string) {
		t.Helper()
		eventually(t, "status "+want, func() bool { return strings.Contains(m.statusLine(), want) })
	}
	status("from 0 exporters; nothing lost in the last minute")
	send(t, dial(t, host), numbered(4)...)
	status("from 1 exporters; lost in the last minute: " + itoa(4*recordsPerDatagram) + " records (disk)")
	w.stop()
}
