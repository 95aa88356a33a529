package config

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/yamltree"
)

func TestFileForms(t *testing.T) {
	for _, tc := range []struct {
		name, yaml string
		check      func(c *Config) bool
	}{
		{"empty", "", func(c *Config) bool { return c.Format == "json" }},
		{"comment only", "# nothing\n", func(c *Config) bool { return c.Format == "json" }},
		{"null document", "---\n~\n", func(c *Config) bool { return c.Format == "json" }},
		{"empty sections", "batch:\ntemplates: {}\n", func(c *Config) bool { return c.BatchSize == 256<<10 }},
		{"scalar and dotted", "transport: file\ntransport.file: out\ntransport.file.sep: ''\n", func(c *Config) bool {
			return c.Transport == "file" && fileOf(c).Path == "out" && fileOf(c).Separator == ""
		}},
		{"inner keys", "transport:\n  type: file\n  file: {path: out, sep: '', rotate: {size: 1GB}}\n", func(c *Config) bool {
			return fileOf(c).Path == "out" && fileOf(c).Separator == "" && fileOf(c).RotateSize == 1e9 && c.Sources["transport.file"] == "weir.yaml:3"
		}},
		{"half dotted", "transport.file:\n  rotate.interval: 1h\n  path: out\n", func(c *Config) bool {
			return fileOf(c).RotateInterval.Hours() == 1
		}},
		{"listen as text", "listen: sflow://:1, netflow://:2\n", func(c *Config) bool {
			return len(c.Listen) == 2 && c.Listen[1].RawURI == "netflow://:2" && c.Sources["listen"] == "weir.yaml:1"
		}},
		{"listen as sequence", "listen:\n- sflow://:1\n- netflow://:2/?count=3\n", func(c *Config) bool {
			return len(c.Listen) == 2 && c.Listen[1].Count == 3 && c.Sources["listen"] == "weir.yaml:2"
		}},
		{"CPUs as sequence", "cpu.pin: [2, 4-5, '7']\n", func(c *Config) bool { return formatCPUs(c.CPUPin) == "2,4-5,7" }},
		{"CPUs as number", "cpu: {pin: 2}\n", func(c *Config) bool { return formatCPUs(c.CPUPin) == "2" }},
		{"no CPUs", "cpu.pin: []\n", func(c *Config) bool { return c.CPUPin == nil }},
		{"plain, quoted, numbers", "addr: :1\nbatch.size: 65536\nsink: {depth: '8'}\n", func(c *Config) bool {
			return c.Addr == ":1" && c.BatchSize == 65536 && c.SinkDepth == 8
		}},
		{"separators", `transport.file.sep: "\t"`, func(c *Config) bool { return fileOf(c).Separator == "\t" }},
		{"separator in single quotes", `transport.file.sep: '\t\0'`, func(c *Config) bool { return fileOf(c).Separator == "\t\x00" }},
		{"byte order mark and CRLF", "\ufefflogfmt: json\r\nloglevel: warn\r\n", func(c *Config) bool { return c.LogFormat == "json" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inFolder(t, tc.yaml)
			if c := mustParse(t, []string{"-config", "weir.yaml"}, nil); !tc.check(c) {
				t.Errorf("%s", c.Render())
			}
		})
	}
}

func TestFileFaults(t *testing.T) {
	for _, tc := range []struct{ name, yaml, want string }{
		{"unknown key", "\nfromat: json\n", `weir.yaml:2: fromat: unknown key; did you mean format?`},
		{"unknown nested key", "transport:\n  file:\n    spe: x\n", `weir.yaml:3: transport.file.spe: unknown key; did you mean transport.file.sep?`},
		{"unknown section, once", "trasnport:\n  file:\n    sep: x\n    path: y\n", `weir.yaml:1: trasnport: unknown key; did you mean transport?`},
		{"key below an option", "produce:\n  type: raw\n", `weir.yaml:2: produce: a mapping where one value should be; allowed: sample|raw`},
		{"dotted below an option", "produce.type: raw\n", `weir.yaml:1: produce.type: unknown key; did you mean produce?`},
		{"duplicate key", "format: json\naddr: :1\nformat: bin\n", `weir.yaml:3: format: key appears twice, first in line 1; allowed: each key once`},
		{"duplicate section", "batch: {size: 4KiB}\nbatch: {linger: 1s}\n", `weir.yaml:2: batch: key appears twice, first in line 1; allowed: each key once`},
		{"option in two spellings", "transport.file.sep: a\ntransport:\n  file:\n    sep: b\n", `weir.yaml:4: transport.file.sep "b": option transport.file.sep is given twice, first in line 1; allowed: each option once`},
		{"option and inner key", "transport.type: file\ntransport: file\n", `weir.yaml:2: transport "file": option transport is given twice, first in line 1; allowed: each option once`},
		{"wrong value", "a: 1\n# x\nbatch:\n  size: huge\n", `weir.yaml:1: a: unknown key` + "\n" + `weir.yaml:4: batch.size "huge": not a size; allowed: ` + option.SizeForms},
		{"null", "format:\n", `weir.yaml:1: format: key without a value; allowed: json|text|bin|human; "" for an empty text; or no such key, for the default`},
		{"number for text", "transport.file: 12\n", `weir.yaml:1: transport.file "12": not a text but a number; allowed: the value in quotes`},
		{"boolean for text", "transport.file: true\n", `weir.yaml:1: transport.file "true": not a text but a boolean; allowed: the value in quotes`},
		{"date for text", "templates.path: 2020-01-01\n", `weir.yaml:1: templates.path "2020-01-01": not a text but a date; allowed: the value in quotes`},
		{"boolean for choice", "format: true\n", `weir.yaml:1: format "true": unknown choice; allowed: json, text, bin (or pb), human`},
		{"float for number", "sink.depth: 1.5\n", `weir.yaml:1: sink.depth "1.5": not a whole number in range; allowed: a whole number from 2 to 4096`},
		{"sequence for value", "format: [json]\n", `weir.yaml:1: format: a list where one value should be; allowed: json|text|bin|human`},
		{"mapping for list", "listen: {a: b}\n", `weir.yaml:1: listen: a mapping where one value should be; allowed: uri,...`},
		{"mapping in list", "listen:\n- a: b\n", `weir.yaml:2: listen: a mapping where one value should be; allowed: uri,...`},
		{"null in list", "listen:\n- sflow://:1\n-\n", `weir.yaml:3: listen: key without a value; allowed: uri,...; "" for an empty text; or no such key, for the default`},
		{"fault in list", "listen:\n- sflow://:1,sflow://:2\n- http://:3\n", `weir.yaml:3: listen "http://:3": unknown scheme "http"; allowed: ` + allowedSchemes},
		{"same address in list", "listen:\n- sflow://:1,sflow://:2\n- flow://:3\n- sflow://:2\n", `weir.yaml:4: listen "sflow://:2": same address as "sflow://:2"; allowed: each address once; ?count=N opens several sockets, and flow:// takes every protocol on one port`},
		{"empty list", "listen: []\n", `weir.yaml:1: listen "": empty listen address; allowed: ` + allowedURI},
		{"scalar for section", "batch: 4KiB\n", `weir.yaml:1: batch: a text where a section should be; allowed: keys below batch`},
		{"sequence for section", "batch: [size]\n", `weir.yaml:1: batch: a list where a section should be; allowed: keys below batch`},
		{"document is a list", "- a\n", `weir.yaml:1: a list where the options should be; allowed: option: value, one a line`},
		{"document is a text", "format json\n", `weir.yaml:1: a text where the options should be; allowed: option: value, one a line`},
		{"second document", "format: json\n---\nformat: bin\n", `weir.yaml:2: second document in the file; allowed: one`},
		{"broken second document", "format: json\n---\na: [\n", `weir.yaml:3: not YAML: did not find expected node content`},
		{"syntax", "a: b\n  c: d\n", `weir.yaml:2: not YAML: mapping values are not allowed in this context`},
		{"number as key", "1: json\n", `weir.yaml:1: a number where a key should be; allowed: the names of options`},
		{"sequence as key", "batch:\n  ? [a]\n  : b\n", `weir.yaml:2: batch: a list where a key should be; allowed: the names of options`},
		{"alias", "transport.file: &a x\naddr: *a\n", "weir.yaml:1: transport.file: anchors and aliases are not supported; allowed: the value itself\nweir.yaml:2: addr: anchors and aliases are not supported; allowed: the value itself"},
		{"alias in list", "listen: [&a 'sflow://:1', *a]\n", "weir.yaml:1: listen: anchors and aliases are not supported; allowed: the value itself"},
		{"merge key", "<<: {format: bin}\n", `weir.yaml:1: <<: unknown key`},
		{"tag", "format: !x json\n", `weir.yaml:1: format "json": not a text but a value with a tag; allowed: the value in quotes`},
		{"binary", "format: !!binary anNvbg==\n", `weir.yaml:1: format "anNvbg==": not a text but a value with a tag; allowed: the value in quotes`},
		{"config", "config: x\n", `weir.yaml:1: config: cannot stand in the file; use the flag -config`},
		{"section that is not here", "format: json\nnetflow.templates: {path: [a, b]}\n", `weir.yaml:2: netflow.templates: ` + ownSaving},
		{"old name", "metrics:\n  addr: :1\n", `weir.yaml:2: metrics.addr: old name; write addr`},
		{"old name without effect", "err.cnt: 1\n", `weir.yaml:1: err.cnt: has no effect (errors are counted, not logged one by one); remove it`},
		{"flag words", "netflow.templates: a\n", `weir.yaml:1: netflow.templates: ` + ownSaving},
		{"order by line", "addr: x\nfoo: 1\nformat: y\n", `weir.yaml:1: addr "x": not host:port; allowed: host:port with a port from 0 to 65535, such as :8080, 127.0.0.1:8080 or [::1]:8080, or empty for no web server` +
			"\nweir.yaml:2: foo: unknown key\nweir.yaml:3: format \"y\": unknown choice; allowed: json, text, bin (or pb), human"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inFolder(t, tc.yaml)
			_, err := parse([]string{"-config", "weir.yaml"}, nil, io.Discard, noNames(t))
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestFileTooLarge(t *testing.T) {
	inFolder(t, strings.Repeat("#", yamltree.MaxFile+1))
	_, err := Parse(nil, []string{"WEIR_CONFIG=weir.yaml"}, io.Discard)
	if err == nil || err.Error() != `WEIR_CONFIG "weir.yaml": cannot read the file: it is larger than 1MiB` {
		t.Error(err)
	}
	if err := os.Truncate("weir.yaml", yamltree.MaxFile); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(nil, []string{"WEIR_CONFIG=weir.yaml"}, io.Discard); err != nil {
		t.Error(err)
	}
}

func FuzzYAML(f *testing.F) {
	for _, s := range []string{
		"transport:\n  type: file\n  file: {path: out, sep: '', rotate: {size: 1GB}}\n", "listen: [sflow://:1, 'netflow://:2']\n", "cpu.pin: [1, 2-3]\n",
		"a: &x [1]\nb: *x\n", "<<: *x\n", "format: !!binary aa\n", "- a", "? [a]\n: b\n", "a: 1\n---\nb: 2\n", "transport.file.rotate.size: 1", "\x00", "batch:\nbatch:\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newConfig()
		table := c.table()
		settings, faults := table.parseYAML("f.yaml", data)
		res := &Result{Sources: map[string]string{}, origins: map[string]setting{}}
		faults = append(faults, table.applyAll(settings, res)...)
		seen := map[string]bool{}
		for _, s := range settings {
			o := find(table.Options, s.option)
			if o == nil || o.NoFile || seen[s.option] || s.line < 1 {
				t.Fatalf("setting %+v", s)
			}
			seen[s.option] = true
		}
		for _, fault := range faults {
			if !strings.HasPrefix(fault.Where, "f.yaml") || fault.Problem == "" {
				t.Fatalf("fault %+v", fault)
			}
		}
		var u *UsageError
		if err := usageError(faults); err != nil && (!errors.As(err, &u) || len(u.Error()) == 0) {
			t.Fatalf("error %v", err)
		}
	})
}
