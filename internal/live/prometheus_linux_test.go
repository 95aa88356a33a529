package live

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
)

// dashboard are the queries of goflow2's dashboard (compose/kcg/grafana), as they
// stand there.
var dashboard = []string{
	`sum(rate(goflow2_flow_process_nf_flowset_records_total[5m]))`,
	`sum(rate(goflow2_flow_process_sf_samples_total[5m]))`,
	`sum(rate(goflow2_flow_traffic_bytes_total[5m])) by (remote_ip)`,
	`sum(rate(goflow2_flow_traffic_bytes_total[5m]))`,
	`sum(rate(goflow2_flow_traffic_packets_total[5m])) by (remote_ip)`,
	`sum(rate(goflow2_flow_traffic_packets_total[5m]))`,
	`sum(rate(goflow2_flow_traffic_size_bytes_sum{type="sflow"}[5m])) by (remote_ip)`,
	`sum(rate(goflow2_flow_traffic_size_bytes_sum{type="sflow"}[5m]))`,
	`sum(rate(goflow2_flow_traffic_size_bytes_count{type="sflow"}[5m])) by (remote_ip)`,
	`sum(rate(goflow2_flow_traffic_size_bytes_count{type="sflow"}[5m]))`,
	`sum(rate(goflow2_flow_traffic_size_bytes_sum{type="netflow"}[5m])) by (remote_ip)`,
	`sum(rate(goflow2_flow_traffic_size_bytes_sum{type="netflow"}[5m]))`,
	`sum(rate(goflow2_flow_traffic_size_bytes_count{type="netflow"}[5m])) by (remote_ip)`,
	`sum(rate(goflow2_flow_traffic_size_bytes_count{type="netflow"}[5m]))`,
	`sum(rate(goflow2_flow_process_nf_flowset_records_total[5m])) by (version,type)`,
	`sum(rate(goflow2_flow_process_nf_errors_total[5m])) by (error)`,
	`sum(rate(goflow2_flow_process_nf_templates_total[5m])) by (version,router,type)`,
	`sum(rate(goflow2_flow_process_nf_templates_total[5m])) by (router,version)`,
	`sum(rate(goflow2_flow_process_nf_delay_seconds[5m])) by (quantile,router,version)`,
	`sum(rate(goflow2_flow_process_sf_samples_records_total[5m])) by (version,type)`,
	`sum(rate(goflow2_flow_process_sf_samples_records_total{type="FlowSample"}[5m])) by (agent,version)`,
	`avg(goflow2_flow_decoding_time_seconds{name="netflow"}) by (quantile)`,
	`sum(rate(goflow2_flow_decoding_time_seconds{name="netflow"}[5m])) by (worker)`,
	`avg(goflow2_flow_decoding_time_seconds{name="sflow"}) by (quantile)`,
	`sum(rate(goflow2_flow_decoding_time_seconds{name="sflow"}[5m])) by (worker)`,
}

// TestPrometheus: a real Prometheus scrapes weir under load and answers the
// queries of goflow2's dashboards.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	needProgram(t, "prometheus", "prometheus")
	needProgram(t, "promtool", "prometheus")
	host := newHost(t)
	w := startWeir(t, host, "-listen", "sflow://:6343,netflow://:2055")
	sflow, netflow := dialOn(t, host, "127.0.0.2", "127.0.0.1:6343"), dialOn(t, host, "127.0.0.3", "127.0.0.1:2055")

	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { // load until the end of the test
		defer close(stopped)
		g, err := workload.New(workload.Config{Workload: "mix", Exporters: 8, Seed: 1})
		if err != nil {
			t.Error(err)
			return
		}
		for ctx.Err() == nil {
			for _, d := range g.Take(16) {
				conn := netflow
				if d.Payload[1] == 0 { // sFlow's version has 32 bits
					conn = sflow
				}
				_, _ = conn.Write(d.Payload) // weir may be gone already
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	defer func() { cancel(); <-stopped }()

	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: weir\n  static_configs:\n  - targets: ['127.0.0.1:8080']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := host.Command(context.Background(), "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:9090")
	cmd.Env, cmd.Dir = environment(), dir
	p := startChild(t, cmd)

	ask := func(query string) (series map[string]float64) {
		status, body, err := (&weir{child: p, host: host}).getFrom("127.0.0.1:9090", "/api/v1/query?query="+url.QueryEscape(query))
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
		series = map[string]float64{}
		for _, r := range answer.Data.Result {
			labels, _ := json.Marshal(r.Metric)
			text, _ := r.Value[1].(string)
			series[string(labels)], _ = strconv.ParseFloat(text, 64)
		}
		return series
	}
	eventually(t, "Prometheus sees a rate of packets", func() bool {
		return ask(`sum(rate(goflow2_flow_traffic_packets_total[5m]))`)["{}"] > 0
	})
	for _, q := range dashboard {
		var got map[string]float64
		eventually(t, "an answer to "+q, func() bool {
			got = ask(q)
			return len(got) > 0
		})
		t.Logf("%s: %v", q, got)
	}
	for query, want := range map[string]string{
		`sum(rate(goflow2_flow_traffic_packets_total[5m])) by (remote_ip)`:                                 `{"remote_ip":"127.0.0.2"}`,
		`count(goflow2_flow_traffic_packets_total) by (local_port,type)`:                                   `{"local_port":"6343","type":"sflow"}`,
		`sum(goflow2_flow_process_nf_flowset_records_total) by (version,type)`:                             `{"type":"DataFlowSet","version":"10"}`,
		`sum(goflow2_flow_process_nf_templates_total) by (version,type)`:                                   `{"type":"options_template","version":"9"}`,
		`avg(goflow2_flow_decoding_time_seconds{name="netflow"}) by (quantile)`:                            `{"quantile":"0.99"}`,
		`sum(goflow2_flow_process_sf_samples_records_total{type="FlowSample"}) by (router)`:                `{"router":"127.0.0.2"}`,
		`max(goflow2_flow_traffic_size_bytes{quantile="0.5"}) by (type)`:                                   `{"type":"sflow"}`,
		`sum(goflow2_flow_process_nf_delay_seconds{quantile="0.5"}) by (version)`:                          `{"version":"9"}`,
		`sum(rate(goflow2_flow_process_nf_total[5m])) by (router,version)`:                                 `{"router":"127.0.0.3","version":"5"}`,
		`sum(goflow2_flow_process_nf_flowset_records_total{version="10",type="TemplateFlowSet"}) > bool 0`: `{}`,
	} {
		eventually(t, query+" has "+want, func() bool { return ask(query)[want] > 0 })
	}
	cancel()
	<-stopped
	const same = `sum(goflow2_flow_traffic_bytes_total) == bool sum(weir_datagrams_received_bytes_total)`
	eventually(t, "at rest "+same, func() bool { return ask(same)["{}"] > 0 })

	_, page, err := w.get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "metrics")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := runOn(t, host, environment(), "sh", "-c", "promtool check metrics < "+file); out != "" {
		t.Errorf("promtool check metrics: %s", out)
	}
}

// TestGoflow2MetricsOff: without them there are none, and the page may be
// elsewhere.
func TestGoflow2MetricsOff(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-metrics.goflow2", "off", "-metrics.path", "/prom")
	status, page, err := w.get("/prom")
	if err != nil || status != 200 || len(page) == 0 {
		t.Fatalf("status %d, %v", status, err)
	}
	for _, name := range []string{"goflow2_", "weir_build_info"} {
		if has := strings.Contains(page, "\n"+name); has != (name == "weir_build_info") {
			t.Errorf("%s: %v", name, has)
		}
	}
	if status, _, _ := w.get("/metrics"); status != 404 {
		t.Errorf("/metrics answers %d", status)
	}
	w.stop()
}
