package places

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the rules for Prometheus and their tests again")

const (
	folder  = "../../scripts/packaging/prometheus"
	runbook = "../../docs/runbook.md"
	page    = "https://github.com/weirflow/weir/blob/main/"
)

// labels are those of the metrics, but for what tells a weir from another. The rules sum
// over them.
const labels = "change, listen, outcome, reason, source, unit, verdict, worker"

// selector is the counter in PromQL.
func (c *Counter) selector() string {
	if c.Label == "" {
		return c.Metric
	}
	operator := map[bool]string{false: "=~", true: "!~"}[c.Except]
	if len(c.Values) == 1 && !c.Except {
		operator = "="
	}
	return fmt.Sprintf("%s{%s%s%q}", c.Metric, c.Label, operator, strings.Join(c.Values, "|"))
}

// summed is the expression without the labels that do not tell weirs apart.
func summed(by, expr string) string {
	without := slices.DeleteFunc(strings.Split(labels+", place", ", "), func(l string) bool { return l == by })
	return fmt.Sprintf("sum without (%s) (%s)", strings.Join(without, ", "), expr)
}

const head = `# Recording and alerting rules of weir for Prometheus, a pair for each place where flows can be lost.
# Written from the table in internal/places by its test (go test ./internal/places -run Rules -update).
#
# weir:lost:increase5m{place, metric}   what was lost within five minutes, in the unit of the metric
# weir:trouble:now{place, metric}       how many exporters are in trouble at present
#
# The counters are there, at 0, from the start of weir, or from the first sight of an exporter: the first loss fires.

groups:
  - name: weir-recording
    rules:
`

func rules() []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for i := range Table {
		p := &Table[i]
		for _, c := range p.Counters {
			record, expr := "weir:lost:increase5m", "increase("+c.selector()+"[5m])"
			if p.Now {
				record, expr = "weir:trouble:now", c.selector()
			}
			fmt.Fprintf(&b, "      - record: %s\n        expr: '%s'\n        labels: {place: %s, metric: %s}\n", record, summed(c.By, expr), p.Name, c.Metric)
		}
	}
	b.WriteString("\n  - name: weir-alerts\n    rules:\n")
	for i := range Table {
		p := &Table[i]
		record := "weir:lost:increase5m"
		if p.Now {
			record = "weir:trouble:now"
		}
		fmt.Fprintf(&b, "      - alert: %s\n        expr: 'sum without (%s, metric) (%s{place=%q}) > 0'\n", p.Alert, labels, record, p.Name)
		if p.For > 0 {
			fmt.Fprintf(&b, "        for: %dm\n", p.For/time.Minute)
		}
		fmt.Fprintf(&b, "        labels: {severity: %s}\n        annotations:\n", p.Severity)
		for _, a := range p.annotations("{{ $labels.instance }}") {
			fmt.Fprintf(&b, "          %s: %q\n", a[0], a[1])
		}
	}
	return b.Bytes()
}

// annotations are those of the alert of a weir.
func (p *Place) annotations(instance string) [][2]string {
	return [][2]string{
		{"summary", "weir " + instance + ": " + p.What},
		{"description", "What to do: " + p.Action + "."},
		{"runbook_url", page + p.Runbook()},
	}
}

// value is one that a series of the counter may have for its label.
func (c *Counter) value() string {
	if c.Except {
		return "other"
	}
	return c.Values[len(c.Values)-1]
}

// first is the same counter with the first of its values.
func (c Counter) first() *Counter {
	c.Values = c.Values[:1]
	return &c
}

// series is a series of the counter of an instance, in the form of promtool.
func (c *Counter) series(instance, values string) string {
	set := []string{`job="weir"`, `instance="` + instance + `"`}
	if c.Label != "" {
		set = append(set, fmt.Sprintf("%s=%q", c.Label, c.value()))
	}
	if c.By != "" && c.By != c.Label {
		set = append(set, fmt.Sprintf("%s=%q", c.By, "x"))
	}
	return fmt.Sprintf("      - series: '%s{%s}'\n        values: '%s'\n", c.Metric, strings.Join(set, ","), values)
}

// ruleTests has a test of each counter for promtool. What is lost at instance a begins after 10
// minutes and lasts; b loses once, c nothing, and d what is no loss here.
func ruleTests() []byte {
	var b bytes.Buffer
	b.WriteString("# Unit tests of weir.rules.yml (promtool test rules), written with it.\nrule_files: [weir.rules.yml]\nevaluation_interval: 1m\n" +
		"group_eval_order: [weir-recording, weir-alerts] # any order without it, and the alerts then see the recordings of a minute ago\ntests:\n")
	for i := range Table {
		p := &Table[i]
		for _, c := range p.Counters {
			fmt.Fprintf(&b, "  - interval: 1m\n    name: %s by %s\n    input_series:\n", p.Alert, c.Metric)
			if p.Now {
				b.WriteString(c.series("a", "0x10 2x60") + c.series("b", "0x10 1 0x60") + c.series("c", "0x70"))
			} else {
				b.WriteString(c.series("a", "0x10 1+1x60") + c.series("b", "0x10 1x60") + c.series("c", "0x70"))
			}
			if len(c.Values) > 1 && !c.Except {
				b.WriteString(c.first().series("a", "0x70"))
			}
			if c.Label != "" {
				other := c
				other.Except, other.Values = false, []string{"not_here"}
				if c.Except {
					other.Values = c.Values[:1]
				}
				b.WriteString(other.series("d", "0x10 1+1x60"))
			}
			b.WriteString("    alert_rule_test:\n")
			for _, at := range []struct {
				minute int
				fire   []string
			}{
				{10, nil}, {12, []string{"a", "b"}}, {40, []string{"a"}},
			} {
				fmt.Fprintf(&b, "      - eval_time: %dm\n        alertname: %s\n", at.minute, p.Alert)
				fire := at.fire
				if at.minute == 12 && p.For > 0 {
					fire = nil // not for long enough
				}
				if at.minute == 12 && p.Now && p.For == 0 {
					fire = []string{"a"} // b is well again
				}
				if len(fire) == 0 {
					b.WriteString("        exp_alerts: []\n")
					continue
				}
				b.WriteString("        exp_alerts:\n")
				for _, instance := range fire {
					fmt.Fprintf(&b, "          - exp_labels: {job: weir, instance: %s, place: %s, severity: %s}\n            exp_annotations:\n", instance, p.Name, p.Severity)
					for _, a := range p.annotations(instance) {
						fmt.Fprintf(&b, "              %s: %q\n", a[0], a[1])
					}
				}
			}
		}
	}
	return b.Bytes()
}

// TestRules: the rules and their tests are those of the table. A test of package live has
// promtool run them.
func TestRules(t *testing.T) {
	for name, want := range map[string][]byte{"weir.rules.yml": rules(), "weir.rules.test.yml": ruleTests()} {
		path := filepath.Join(folder, name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the table says (-update writes it again): %v", name, err)
		}
	}
}

// TestRunbook: each alert has a section of the runbook, with the symptom, the metrics, the
// meaning and the action; and there are no others.
func TestRunbook(t *testing.T) {
	text, err := os.ReadFile(runbook)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split("\n"+string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[title] = body
	}
	for i := range Table {
		p := &Table[i]
		body, ok := sections[p.Alert]
		if !ok {
			t.Errorf("no section ## %s", p.Alert)
			continue
		}
		delete(sections, p.Alert)
		wants := []string{"| Symptom |", "| Metric |", "| Meaning |", "| Action |", "`place=" + p.Name + "`"}
		for _, c := range p.Counters {
			wants = append(wants, c.Metric)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s", p.Alert, want)
			}
		}
	}
	for title := range sections {
		if strings.HasPrefix(title, "Weir") {
			t.Errorf("## %s is of no alert", title)
		}
	}
}

// TestTable: rows are complete, and no two have the same name or alert.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for i := range Table {
		p := &Table[i]
		if names[p.Name] || names[p.Alert] {
			t.Errorf("%s, %s: twice", p.Name, p.Alert)
		}
		names[p.Name], names[p.Alert] = true, true
		if p.What == "" || p.Unit == "" || p.Action == "" || p.Severity == "" || len(p.Counters) == 0 || p.read == nil {
			t.Errorf("%s is not complete: %+v", p.Name, p)
		}
		if text := p.What + p.Action; strings.ContainsAny(text, `"'`) && strings.Contains(text, `"`) || strings.HasSuffix(text, ".") {
			t.Errorf("%s: %s", p.Name, text)
		}
	}
}
