package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fates says what becomes of every flag of goflow2 v2.2.6 and of those that older
// releases had, with a value that it may have. A flag is "obeyed", by its own or
// another name, has "no effect", or is "refused".
var fates = []struct{ flag, value, fate string }{
	{"listen", "sflow://:6343?count=4&workers=16&blocking=false&queue_size=1000000,netflow://:2055,nfl://:2056,flow://:2057", "obeyed"},
	{"produce", "sample", "obeyed"},
	{"format", "json", "obeyed"},
	{"format", "bin", "obeyed"},
	{"format", "pb", "obeyed"},
	{"transport", "file", "obeyed"},
	{"transport", "kafka", "obeyed"},
	{"loglevel", "info", "obeyed"},
	{"logfmt", "json", "obeyed"},
	{"err.cnt", "10", "no effect"},
	{"err.int", "10s", "no effect"},
	{"addr", ":8080", "obeyed"},
	{"templates.path", "/templates", "obeyed"},
	{"transport.file", "flows.json", "obeyed"},
	{"transport.file.sep", "\n", "obeyed"},
	{"transport.file.sep", "", "obeyed"},
	{"transport.kafka.brokers", "127.0.0.1:9092,[::1]:9092", "obeyed"},
	{"transport.kafka.topic", "flows", "obeyed"},
	{"transport.kafka.srv", "_kafka._tcp.example.org", "obeyed"},
	{"transport.kafka.version", "2.8.0", "obeyed"},
	{"transport.kafka.tls", "true", "obeyed"},
	{"transport.kafka.tls.ca", "ca.pem", "obeyed"},
	{"transport.kafka.tls.client", "c.pem", "obeyed"},
	{"transport.kafka.tls.key", "k.pem", "obeyed"},
	{"transport.kafka.tls.insecure", "true", "obeyed"},
	{"transport.kafka.sasl", "scram-sha512", "obeyed"},
	{"transport.kafka.maxmsgbytes", "1000000", "obeyed"},
	{"transport.kafka.flushbytes", "104857600", "obeyed"},
	{"transport.kafka.flushfreq", "5s", "obeyed"},
	{"transport.kafka.hashing", "true", "obeyed"},
	{"transport.kafka.compression", "", "obeyed"},
	{"transport.kafka.compression", "gzip", "obeyed"},
	{"v", "true", "obeyed"},

	{"reuseport", "true", "no effect"},
	{"workers", "4", "no effect"},
	{"metrics.addr", ":9090", "obeyed"},
	{"metrics.path", "/m", "obeyed"},
	{"format.protobuf.fixedlen", "true", "no effect"},
	{"format.protobuf.fixedlen", "false", "refused"},
	{"samplingrate.fallback", "1000", "obeyed"},
	{"transport.kafka.compression.type", "snappy", "obeyed"},
	{"transport.kafka.log.err", "true", "no effect"},
}

func TestFates(t *testing.T) {
	for _, f := range fates {
		t.Run(f.flag+"="+f.value, func(t *testing.T) {
			environ := []string{"KAFKA_SASL_USER=u", "KAFKA_SASL_PASS=p"}
			c, err := parse([]string{"-" + f.flag + "=" + f.value}, environ, io.Discard, noNames(t))
			fate := "obeyed"
			switch {
			case err != nil:
				fate = "refused"
				if strings.Contains(err.Error(), "unknown flag") {
					t.Errorf("refused as unknown: %v", err)
				}
			case slices.ContainsFunc(c.Notes, func(n string) bool { return strings.HasPrefix(n, "-"+f.flag+" has no effect") }):
				fate = "no effect"
			}
			if fate != f.fate {
				t.Errorf("%s, want %s (%v)", fate, f.fate, err)
			}
		})
	}
}

// TestNoFlagUnknown looks that no flag that goflow2 has, or had, is unknown here,
// and that the list of them is complete.
func TestNoFlagUnknown(t *testing.T) {
	known := goflow2Flags()
	table := newConfig().table()
	for flag := range known {
		if strings.HasPrefix(flag, "db.") || flag == "samplingrate" || flag == "v" {
			continue // those of the enricher; built in
		}
		old := findOld(flag)
		if find(table.Options, flag) == nil && (old == nil || old.to != "" && find(table.Options, old.to) == nil) {
			t.Errorf("-%s of goflow2 is unknown", flag)
		}
	}
	for _, f := range fates {
		if _, ok := known[f.flag]; !ok {
			t.Errorf("-%s is not in the list", f.flag)
		}
	}
	for flag := range sourceFlags(t) {
		if _, ok := known[flag]; !ok {
			t.Errorf("-%s of goflow2 v2.2.6 is not in the list", flag)
		}
	}
}

// sourceFlags returns the flags that goflow2's source declares.
func sourceFlags(t *testing.T) map[string]bool {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/netsampler/goflow2/v2")
	cmd.Dir = filepath.Join("..", "..", "bench", "peers")
	out, err := cmd.Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skipf("goflow2's source is not there (go mod download in bench/peers): %v", err)
	}
	flags := map[string]bool{}
	for _, folder := range []string{"cmd", "transport", "format", "producer", "utils"} {
		err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); !ok || x.Name != "flag" {
					return true
				}
				at := 0
				if strings.HasSuffix(sel.Sel.Name, "Var") {
					at = 1
				}
				if len(call.Args) > at {
					if lit, ok := call.Args[at].(*ast.BasicLit); ok && lit.Kind == token.STRING {
						name, _ := strconv.Unquote(lit.Value)
						flags[name] = true
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(flags) < 30 {
		t.Fatalf("only %d flags found: %v", len(flags), slices.Collect(maps.Keys(flags)))
	}
	return flags
}

func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		line, want string
		changes    []string // in this order, among others
		refused    int
	}{
		{"$ ./goflow2", "weir", nil, 0},
		{"./goflow2 -transport.file.sep= -format=pb -format.protobuf.fixedlen=true | ./enricher -db.asn path-to/a.mmdb -db.country 'path to/c.mmdb'",
			"weir -transport.file.sep= -format=bin | enricher -db.asn=path-to/a.mmdb '-db.country=path to/c.mmdb'",
			[]string{"the format pb", "-format.protobuf.fixedlen is left out"}, 0},
		{"goflow2 -transport=kafka \\\n  -transport.kafka.brokers=localhost:9092 \\\n  -transport.kafka.topic=flows -format=bin -transport.kafka.compression.type=gzip",
			"weir -transport=kafka -transport.kafka.brokers=localhost:9092 -transport.kafka.topic=flows -format=bin -transport.kafka.compression=gzip",
			[]string{"-transport.kafka.compression.type is called -transport.kafka.compression"}, 0},
		{"goflow2 -listen flow://:6343/?count=4&workers=16&blocking=false&queue_size=1000000",
			"weir '-listen=flow://:6343/?count=4'", []string{"workers in -listen", "blocking in -listen", "queue_size in -listen"}, 0},
		{"-reuseport -workers 4 -metrics.addr :9 -err.cnt=3", "weir -addr=:9",
			[]string{"-reuseport is left out", "-workers is left out", "-metrics.addr is called -addr", "-err.cnt is left out"}, 0},
		{"sudo docker run -p 6343:6343/udp -ti netsampler/goflow2:latest -logfmt json", "weir -logfmt=json", []string{"the line is for weir outside of a container"}, 0},
		{"bash -c 'exec goflow2 -format=pb -transport.file.sep= | tee x'", "bash -c 'exec weir -format=bin -transport.file.sep= | tee x'", []string{"the format pb"}, 0},
		{"sudo docker run --entrypoint /bin/sh netsampler/goflow2 -ec \"/goflow2 -format pb | /enricher -db.asn 'a b'\"",
			`/bin/sh -c 'weir -format=bin | enricher '\''-db.asn=a b'\'''`, []string{"the format pb", "the line is for weir", "the image of weir has no shell"}, 0},
		{"cd /data && goflow2 -mapping m.yaml; echo done", "cd /data && weir -mapping=m.yaml ; echo done", nil, 0},
		{"goflow2 -transport.kafka.topic \"$TOPIC\" -transport.file='$x' $ARGS", "weir \"-transport.kafka.topic=$TOPIC\" '-transport.file=$x' $ARGS",
			[]string{"$ARGS is set elsewhere"}, 0},
		{"goflow2 -format=bin -format.protobuf.fixedlen=false -nonsense x", "weir -format=bin", nil, 2},
		{"A=b nohup goflow2-2.2.6-linux --logfmt=json > flows.json 2>>log &", "A=b nohup weir -logfmt=json > flows.json 2>> log &", nil, 0},
		{"goflow2 -transport.file.sep='\n' -transport.file \"a b\"", "weir '-transport.file.sep=\n' '-transport.file=a b'", nil, 0},
		{"zcat x | goflow2 -addr= | tee y", "zcat x | weir -addr= | tee y", nil, 0},
	} {
		got, err := Translate(c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		// The default of -addr is written out wherever it is not given.
		if strings.Count(got.Line, "-addr=") != 1 {
			t.Errorf("%s: no -addr in %s", c.line, got.Line)
		}
		if got.Line = strings.ReplaceAll(got.Line, " -addr=:8080", ""); got.Line != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.line, got.Line, c.want)
		}
		if len(got.Refused) != c.refused {
			t.Errorf("%s: refused %q", c.line, got.Refused)
		}
		at := 0
		for _, want := range c.changes {
			n := slices.IndexFunc(got.Changes[at:], func(s string) bool { return strings.HasPrefix(s, want) })
			if n < 0 {
				t.Errorf("%s: changes %q, want %q in order", c.line, got.Changes, c.changes)
				break
			}
			at += n + 1
		}
	}
	for line, want := range map[string]string{
		"goflow2":                       "perfs.json (metrics goflow2_flow_traffic_*",
		"goflow2 -addr=":                "shows nothing, as before",
		"goflow2 -metrics.path=/m":      "metrics_path of Prometheus stays /m",
		"goflow2 -transport kafka":      "those tables read protobuf",
		"goflow2 -transport=kafka -v x": "goflow2 v1 (TimeReceived) shows times of 1970",
	} {
		got, err := Translate(line)
		if err != nil || !strings.Contains(strings.Join(got.Dashboards, "\n"), want) {
			t.Errorf("%s: %+v, %v; want %q", line, got, err, want)
		}
	}
	for line, want := range map[string]string{
		"":           "no command of goflow2",
		"nfcapd -p1": "no command of goflow2",
		"goflow2 'x": "quote is not closed",
		`goflow2 "x`: "quote is not closed",
		`goflow2 \`:  "backslash",
	} {
		if _, err := Translate(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add("./goflow2 -transport.file.sep= -format=pb | ./enricher -db.asn x")
	f.Add(`goflow2 -listen 'flow://:1?count=2&workers=3' "a\"b" > c`)
	f.Fuzz(func(t *testing.T, line string) {
		got, err := Translate(line)
		if err != nil {
			return
		}
		// What comes out can be read again.
		if _, err := splitWords(got.Line); err != nil {
			t.Errorf("%q became %q: %v", line, got.Line, err)
		}
	})
}
