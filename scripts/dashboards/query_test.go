package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const (
	root      = "../.."
	committed = "../packaging/grafana"
	inside    = "WEIR_DASHBOARDS_INSIDE" // set in the network namespace
)

// missing skips a test that needs something that is not here, or fails it where CI=true.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI must not skip this", what)
	}
	t.Skipf("%s is missing", what)
}

// TestSchema: the committed files are what the tables give, and Grafana's schema knows
// every key in them.
func TestSchema(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	if err := run(committed, true); err != nil {
		t.Fatal(err)
	}
	for name := range files() {
		text, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := strict(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var d dashboard.Dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := d.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		ids := map[uint32]bool{}
		for _, p := range d.Panels {
			id := uint32(0)
			if p.RowPanel != nil {
				id = p.RowPanel.Id
			} else if p.Panel.Id != nil {
				id = *p.Panel.Id
			}
			if ids[id] || id == 0 {
				t.Errorf("%s: panel id %d twice, or 0", name, id)
			}
			ids[id] = true
		}
		for _, m := range regexp.MustCompile(`"uid": "([^"]*)"`).FindAllSubmatch(text, -1) {
			if uid := string(m[1]); uid != "${datasource}" && uid+".json" != name {
				t.Errorf("%s names the data source %s", name, uid)
			}
		}
	}
	for _, text := range []string{`{"title": "x", "panel": []}`, `{"panels": [{"type": "stat", "titel": "x"}]}`, `{"panels": [{"type": "timeseries", "options": {"x": 1}}]}`} {
		if strict([]byte(text)) == nil {
			t.Errorf("an unknown key is accepted: %s", text)
		}
	}
}

// strict reads a dashboard and its panels by Grafana's schema, and refuses unknown keys.
// The SDK returns lists of errors that are empty for panels without any.
func strict(text []byte) error {
	known := func(err error) error {
		var list cog.BuildErrors
		if errors.As(err, &list) && len(list) == 0 {
			return nil
		}
		return err
	}
	var page map[string]json.RawMessage
	if err := json.Unmarshal(text, &page); err != nil {
		return err
	}
	var panels []json.RawMessage
	if page["panels"] != nil {
		if err := json.Unmarshal(page["panels"], &panels); err != nil {
			return err
		}
	}
	page["panels"] = json.RawMessage("[]")
	rest, err := json.Marshal(page)
	if err != nil {
		return err
	}
	var d dashboard.Dashboard
	err = known(d.UnmarshalJSONStrict(rest))
	for _, raw := range panels {
		var p dashboard.PanelOrRowPanel
		err = errors.Join(err, known(p.UnmarshalJSONStrict(raw)))
	}
	return err
}

// target is a query of a committed dashboard.
type target struct {
	title string
	Expr  string `json:"expr"`
}

func targets(t *testing.T, name string) (all []target) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(committed, name))
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Panels []struct {
			Title   string
			Targets []target
		}
	}
	if err := json.Unmarshal(text, &page); err != nil {
		t.Fatal(err)
	}
	for _, p := range page.Panels {
		for _, q := range p.Targets {
			q.title = p.Title
			all = append(all, q)
		}
	}
	if len(all) < 10 {
		t.Fatalf("%d queries", len(all))
	}
	return all
}

// TestQueries runs every query of both dashboards: by a real Prometheus that scrapes a real
// weir, and by ClickHouse (chdb) with the flows that this weir wrote. All of it runs in a
// network namespace.
func TestQueries(t *testing.T) {
	if os.Getenv(inside) != "" {
		queries(t)
		return
	}
	if os.Geteuid() != 0 {
		missing(t, "root, for a network namespace")
	}
	for _, program := range []string{"prometheus", "unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" (Debian: apt-get install prometheus util-linux iproute2)")
		}
	}
	python, err := exec.Command(root+"/scripts/kafka", "python").Output()
	if err != nil {
		missing(t, "a Python with chdb")
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-pgo=off", "-o", bin, "./cmd/weir", "./bench/gen")
	build.Dir = root
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-n", "sh", "-c", `ip link set lo up && exec "$@"`, "sh", self, "-test.run=^TestQueries$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), inside+"="+bin, "PYTHON="+strings.TrimSpace(string(python)))
	text, err := cmd.CombinedOutput()
	t.Logf("%s", text)
	if err != nil {
		t.Fatal(err)
	}
}

// background starts a program that ends with the test.
func background(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it was told to
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("%s: %s", filepath.Base(name), text[max(0, len(text)-2000):])
		}
	})
	return cmd
}

// eventually waits for a condition, for a minute at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s after a minute", what)
		}
	}
}

func queries(t *testing.T) {
	bin, dir := os.Getenv(inside), t.TempDir()
	bytes := filepath.Join(dir, "flows.bin")
	weir := background(t, filepath.Join(bin, "weir"), "-format", "bin", "-transport.file", bytes, "-transport.file.sep", "", "-addr", "127.0.0.1:8080")
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: weir, static_configs: [{targets: ['127.0.0.1:8080']}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:9090")
	eventually(t, "healthy weir", func() bool { return exec.Command(filepath.Join(bin, "weir"), "health").Run() == nil })
	background(t, filepath.Join(bin, "gen"), "-workload", "mix", "-exporters", "8", "-pps", "200", "-duration", "150s", "-quiet", "-to", "127.0.0.1:2055", "-to-sflow", "127.0.0.1:6343")

	for _, q := range targets(t, "weir-operations.json") {
		expr := strings.NewReplacer("$instance", ".+", "$__rate_interval", "5s").Replace(q.Expr)
		if strings.Contains(expr, "$") {
			t.Errorf("%s: a variable is left: %s", q.title, expr)
		}
		var got string
		eventually(t, "answer to "+expr, func() bool {
			got = ask(t, expr)
			return got != ""
		})
		t.Logf("%s: %s", q.title, got)
	}
	// What must be above 0 under load.
	for _, expr := range []string{operationSections[0].panels[0].queries[0].expr, operationSections[0].panels[1].queries[0].expr} {
		expr = "(" + strings.ReplaceAll(expr, "$instance", ".+") + ") > 0"
		eventually(t, "rate for "+expr, func() bool { return ask(t, expr) != "" })
	}
	if err := weir.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = weir.Wait() // all is written
	out, err := exec.Command(os.Getenv("PYTHON"), "query.py", root+"/docs/pipelines/clickhouse.sql", root+"/producer/flowpb/flow.proto", bytes, committed+"/weir-flows.json").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("query.py: %v", err)
	}
}

// ask returns what Prometheus answers, as text, "" for nothing. A query that it refuses
// fails the test.
func ask(t *testing.T, expr string) string {
	t.Helper()
	answer, err := http.Get("http://127.0.0.1:9090/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return "" // not yet
	}
	defer answer.Body.Close()
	var page struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&page); err != nil {
		return ""
	}
	if page.Error != "" {
		t.Fatalf("%s: %s", expr, page.Error)
	}
	if len(page.Data.Result) == 0 {
		return ""
	}
	first := page.Data.Result[0]
	return fmt.Sprintf("%d series, such as %v %v", len(page.Data.Result), first.Metric, first.Value[1])
}
