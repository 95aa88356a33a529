package metrics

import (
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var described = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]*)"`)

// TestNames: times are named as Prometheus names them, and an old name is exported together
// with its new one.
func TestNames(t *testing.T) {
	ch := make(chan *prometheus.Desc, 1000)
	NewCollector(Source{}).Describe(ch)
	close(ch)
	help := map[string]string{}
	for d := range ch {
		m := described.FindStringSubmatch(d.String())
		if help[m[1]] != "" {
			t.Errorf("%s is described twice", m[1])
		}
		help[m[1]] = m[2]
	}
	for name, text := range help {
		if strings.Contains(text, "in Unix seconds") && !strings.HasSuffix(name, "_timestamp_seconds") {
			t.Errorf("%s is a time: want a name in _timestamp_seconds", name)
		}
		if now, ok := strings.CutPrefix(text, "The old name of "); ok {
			now, _, _ = strings.Cut(now, ",")
			if help[now] == "" {
				t.Errorf("%s is the old name of %s, which is not exported", name, now)
			}
		}
	}
}

// TestRenamed: a renamed gauge has the same value under both names.
func TestRenamed(t *testing.T) {
	cases := map[*prometheus.Desc][]string{exporterSeen: {"192.0.2.1"}, stateSaved: nil, enrichBuilt: {"asn"}, enrichLoaded: {"asn"}}
	if len(cases) != len(renamed) {
		t.Errorf("%d of %d renamed metrics are tested", len(cases), len(renamed))
	}
	for now, labels := range cases {
		ch := make(chan prometheus.Metric, 2)
		emitter(ch).gauge(now, 7, labels...)
		close(ch)
		names := map[*prometheus.Desc]bool{}
		for m := range ch {
			names[m.Desc()] = true
		}
		if len(names) != 2 || !names[now] || !names[renamed[now]] {
			t.Errorf("%s: %d metrics", now, len(names))
		}
	}
}
