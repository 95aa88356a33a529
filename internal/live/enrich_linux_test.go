package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weirflow/weir/internal/mmdbtest"
)

// geoDatabases writes databases that know something of every address.
func geoDatabases(t *testing.T) (asn, country string) {
	t.Helper()
	dir := t.TempDir()
	asn, country = filepath.Join(dir, "GeoLite2-ASN.mmdb"), filepath.Join(dir, "GeoLite2-Country.mmdb")
	if err := mmdbtest.WriteASN(asn, map[string]uint32{"10.0.0.1/32": 64501, "10.0.0.2/32": 64502, "::/0": 64500}); err != nil {
		t.Fatal(err)
	}
	if err := mmdbtest.WriteCountry(country, map[string]string{"10.0.0.1/32": "DE", "10.0.0.2/32": "FR"}); err != nil {
		t.Fatal(err)
	}
	return asn, country
}

// enrichedLine is what the tests look at.
type enrichedLine struct {
	Bytes      int    `json:"bytes"`
	SrcAS      uint32 `json:"src_as"`
	DstAS      uint32 `json:"dst_as"`
	SrcCountry string `json:"src_country"`
	DstCountry string `json:"dst_country"`
	Rate       uint64 `json:"sampling_rate"`
}

func enrichedLines(t *testing.T, text []byte) (numbers []int, rate uint64) {
	t.Helper()
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		var l enrichedLine
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		if l.SrcAS != 64501 || l.DstAS != 64502 || l.SrcCountry != "DE" || l.DstCountry != "FR" {
			t.Fatalf("line %s", s.Text())
		}
		numbers, rate = append(numbers, l.Bytes), l.Rate
	}
	return numbers, rate
}

// TestPipelines: the pipelines that are documented for goflow2, as typed, with
// weir in its place. Ctrl-C ends both programs, and nothing is lost.
func TestPipelines(t *testing.T) {
	t.Parallel()
	asn, country := geoDatabases(t)
	for name, line := range map[string]string{
		"bin":          "weir -transport.file.sep= -format=bin | enricher -db.asn " + asn + " -db.country " + country,
		"pb":           "weir -format=pb -format.protobuf.fixedlen=true -reuseport -workers 2 | enricher -db.asn " + asn + " -db.country " + country,
		"json":         "weir | enricher -db.asn " + asn + " -db.country " + country,
		"rate":         "weir -transport.file.sep= -format=bin | enricher -samplingrate 1000 -db.asn " + asn + " -db.country " + country,
		"bin and back": "weir -transport.file.sep= -format=bin | enricher -format bin -transport.file.sep= -db.asn " + asn + " -db.country " + country + " | enricher",
		"one program":  "weir -enrich.asn " + asn + " -enrich.country " + country,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newHost(t)
			out := filepath.Join(t.TempDir(), "out")
			cmd := host.Command(context.Background(), "sh", "-c", line+" > "+out)
			cmd.Env = environment("PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"))
			c := startChild(t, cmd)
			c.waitFor("serving http")
			const datagrams = 200
			for _, d := range numbered(datagrams) {
				send(t, dial(t, host), d)
			}
			(&weir{child: c, host: host}).waitMetric(datagrams, "datagrams_received_total")
			// An enricher that has not come to its signal handler yet would end without reading.
			eventually(t, "all programs of the pipeline work", func() bool {
				info, err := os.Stat(out)
				return err == nil && info.Size() > 0
			})
			if err := syscall.Kill(-c.pid(), syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			c.waitEnd()
			text, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			numbers, rate := enrichedLines(t, text)
			eachOnce(t, numbers, datagrams*recordsPerDatagram)
			if name == "rate" && rate != 1000 {
				t.Errorf("sampling rate %d", rate)
			}
			if errs := c.out.count("level=ERROR"); errs != 0 {
				t.Errorf("%d errors", errs)
			}
		})
	}
}

// runEnricher runs the enricher over a file.
func runEnricher(t *testing.T, input []byte, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, input, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := newHost(t).Command(context.Background(), enricher, args...)
	cmd.Env, cmd.Stdin = environment(), f
	return runWeir(t, cmd)
}

// TestEnricherFaults: what is whole is written, and what is wrong is said.
func TestEnricherFaults(t *testing.T) {
	t.Parallel()
	asn, _ := geoDatabases(t)
	message := []byte{6, 1 << 3, 2, 6<<3 | 2, 0, 9 << 3, 7}
	good := bytes.Repeat(message, 3)
	malformed := []byte{2, 9 << 3, 0x80}
	for _, c := range []struct {
		name  string
		input []byte
		args  []string
		code  int
		lines int
		want  string
	}{
		{"empty", nil, nil, 0, 0, "messages_read=0"},
		{"good", good, []string{"-db.asn", asn}, 0, 3, "messages_written=3"},
		{"one malformed", append(append([]byte{}, good...), append(malformed, good...)...), nil, 0, 6, "messages_malformed=1"},
		{"torn", good[:len(good)-2], nil, 1, 2, "message at byte 14"},
		{"broken length", append(append([]byte{}, good...), 0xff, 0xff, 0xff, 0xff, 0x7f), nil, 1, 3, "message at byte 21"},
		{"no database", good, []string{"-db.asn", "/no/such"}, 2, 0, `-db.asn "/no/such"`},
		{"wrong database", good, []string{"-db.country", asn}, 2, 0, `country.iso_code: no record has it`},
		{"unknown flag", good, []string{"-db.asm", asn}, 2, 0, "did you mean -db.asn?"},
		{"format", good, []string{"-format", "xml"}, 2, 0, "allowed: json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := runEnricher(t, c.input, c.args...)
			if code != c.code || strings.Count(stdout, "\n") != c.lines || !strings.Contains(stderr, c.want) {
				t.Errorf("code %d, %d lines, want %d, %d and %q in:\n%s", code, strings.Count(stdout, "\n"), c.code, c.lines, c.want, stderr)
			}
		})
	}
}

// TestEnricherOutputGone: a reader that goes away ends the enricher.
func TestEnricherOutputGone(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	cmd := host.Command(context.Background(), "sh", "-c", "while :; do printf '\\006\\010\\002\\062\\000\\110\\007'; done | { "+enricher+"; echo code $? >&2; } | head -c 1000 >/dev/null")
	cmd.Env = environment()
	c := startChild(t, cmd)
	c.waitFor("code 1")
	if c.out.count("output is closed") == 0 {
		t.Error("nothing says that the output is closed")
	}
}

// TestEnrichReload: weir takes a new database while it runs.
func TestEnrichReload(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	asn, country := geoDatabases(t)
	w := startWeir(t, host, "-enrich.asn", asn, "-enrich.country", country)
	conn := dial(t, host)
	seen := func(want string) func() bool {
		return func() bool {
			send(t, conn, netflow5(0, 1))
			text, err := os.ReadFile(w.file)
			return err == nil && strings.Contains(string(text), want)
		}
	}
	eventually(t, "flows of the first database", seen(`"src_as":64501,`))
	if err := mmdbtest.WriteASN(asn, map[string]uint32{"10.0.0.0/8": 65000}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "flows of the second database", seen(`"src_as":65000,`))
	m := w.scrape()
	if m.count("enrich_database_reloads_total", `database="asn"`, `outcome="taken"`) != 1 || m.sum("enrich_database_built_timestamp_seconds") == 0 || m.sum("enrich_database_loaded_timestamp_seconds") == 0 {
		t.Error("the metrics do not show the new database")
	}
	w.stop()
}
