package config

import (
	"io"
	"strings"
	"testing"

	"github.com/weirflow/weir/producer"
)

func TestFlagFaults(t *testing.T) {
	const lists = " (weir -h lists all flags)"
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"-format"}, []string{`-format: needs a value`}},
		{[]string{"-fromat", "json"}, []string{`-fromat: unknown flag; did you mean -format?` + lists}},
		{[]string{"--file.sep=x"}, []string{`-file.sep: unknown flag; did you mean -transport.file.sep?` + lists}},
		{[]string{"-nothing.like.it", "-format=json"}, []string{`-nothing.like.it: unknown flag` + lists}},
		{[]string{"-"}, []string{`unexpected argument; allowed: flags only, as -name value or -name=value`}},
		{[]string{"a", "--", "-format"}, []string{
			`unexpected argument; allowed: flags only, as -name value or -name=value`,
			`unexpected argument; allowed: flags only, as -name value or -name=value`,
		}},
		{[]string{"-="}, []string{`-: unknown flag` + lists}},
		{[]string{"-v=maybe"}, []string{`-v "maybe": not a truth value; allowed: true, false`}},
		{[]string{"-stats", "x"}, []string{`-stats: not an option of weir` + lists}},
		{[]string{"-templates.ttl", "1", "-templates.sweep-interval=0", "-templates.ttl.extend-on-access=x"}, []string{
			`-templates.ttl "1": not a duration; allowed: 0 (never) or 1s to 8784h, written with a unit such as 100ms, 10s, 5m or 1h`,
			`-templates.sweep-interval "0": out of range; allowed: 1s to 24h`,
			`-templates.ttl.extend-on-access "x": not a truth value; allowed: true, false`,
		}},
		{[]string{"-netflow.templates", "x"}, []string{`-netflow.templates: ` + ownSaving}},
		{[]string{"-format.protobuf.fixedlen=false", "-metrics.path=m", "-metrics.goflow2=maybe"}, []string{
			`-metrics.path "m": path does not start with /; allowed: a path that starts with /, has letters, digits and -._~/ only and is not that of another page (/metrics, /__health, /health, /config, /exporters, /-/reload), or empty for no such page`,
			`-metrics.goflow2 "maybe": unknown choice; allowed: on (or true), off (or false)`,
			`-format.protobuf.fixedlen "false": messages of -format bin always begin with their length; remove the flag, and have readers expect the length`,
		}},
		{[]string{"-format.selector=x"}, []string{
			`-format.selector: name the fields of json and text in a mapping file, under formatter.fields`,
		}},
		// Both of two values of one flag are checked.
		{[]string{"-format=a", "-format=json", "-format=b"}, []string{
			`-format "a": unknown choice; allowed: json, text, bin (or pb), human`, `-format "b": unknown choice; allowed: json, text, bin (or pb), human`,
		}},
		{[]string{"-samplingrate.fallback=x"}, []string{`-samplingrate.fallback "x": not a sampling rate; allowed: 0 for none, or N from 1 to 4294967295 for 1 packet in N`}},
		{[]string{"-config", "absent.yaml"}, []string{`-config "absent.yaml": cannot read the file: no such file or directory`}},
		{[]string{"-config", "."}, []string{`-config ".": cannot read the file: is a directory`}},
		{[]string{"-err.cnt"}, []string{`-err.cnt: needs a value`}},
	} {
		_, err := parse(tc.args, nil, io.Discard, noNames(t))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if want := strings.Join(tc.want, "\n"); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", tc.args, got, want)
		}
	}
}

// TestFlagValueWithDash pins the rule of the flag package that the argument
// after a flag is its value, whatever it looks like.
func TestFlagValueWithDash(t *testing.T) {
	c := mustParse(t, []string{"-transport.file", "-format", "-transport.file.sep", "-"}, nil)
	if fileOf(c).Path != "-format" || fileOf(c).Separator != "-" || c.Format != "json" {
		t.Errorf("%+v", c)
	}
}

func TestDecode(t *testing.T) {
	environ := []string{"WEIR_FORMAT=bin", "WEIR_TRANSPORT_FILE=/var/log/weir/flows.json", "WEIR_LISTEN=nonsense", "WEIR_PORT=tcp://1.2.3.4:1", "WEIR_REPEAT=9", "WEIR_LOGFMT=json"}
	d, err := ParseDecode([]string{"a.pcap", "-port", "2055", "b.pcap", "-stats", "-", "-repeat=3", "-transport.file.sep=", "--", "-c.pcap"}, environ, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(d.Files, " ") != "a.pcap b.pcap -c.pcap" || d.Port != 2055 || d.Repeat != 3 || d.Format != "bin" ||
		d.File.Path != "" || d.File.Separator != "" || d.Stats != "-" || d.LogFormat != "json" {
		t.Errorf("%+v", d)
	}
	if d.Sources["format"] != "WEIR_FORMAT" || d.Sources["transport.file"] != "default" || len(d.Notes) != 0 {
		t.Errorf("sources %v, notes %q", d.Sources, d.Notes)
	}
	if len(d.Warnings) != 1 || d.Warnings[0] != "WEIR_REPEAT is ignored: unknown variable" {
		t.Errorf("warnings %q", d.Warnings)
	}
	golden(t, "decode.txt", RenderSettings(d.Settings()))
}

func TestDecodeFaults(t *testing.T) {
	_, err := ParseDecode([]string{"-repeat", "0", "-port=70000", "-listen=sflow://:1", "-format", "text", "-produce=raw", "-metrics.addr=:1", "-config=x"},
		[]string{"WEIR_LOGLEVEL=x"}, io.Discard)
	if err == nil {
		t.Fatal("no error")
	}
	golden(t, "decode-faults.txt", err.Error()+"\n")
	for _, tc := range []struct{ args, want string }{
		{"", `no capture file given; allowed: one or more pcap files, such as weir decode flows.pcap`},
		{"-repeat=0", `-repeat "0": out of range; allowed: a whole number from 1 to 1000000000` + "\n" + `no capture file given; allowed: one or more pcap files, such as weir decode flows.pcap`},
		// The file may have been taken for the value of the flag.
		{"-bogus a.pcap", `-bogus: unknown flag (weir decode -h lists all flags)`},
	} {
		if _, err := ParseDecode(strings.Fields(tc.args), nil, io.Discard); err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.args, err, tc.want)
		}
	}
	var b strings.Builder
	if _, err := ParseDecode([]string{"-h"}, nil, &b); err != ErrHelp {
		t.Error(err)
	}
	golden(t, "help-decode.txt", b.String())
	if d, err := ParseDecode([]string{"-v"}, nil, io.Discard); err != nil || !d.Version {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestAddrOfGoflow2: with -compat goflow2 the web server is where goflow2 has it, unless the
// configuration says otherwise.
func TestAddrOfGoflow2(t *testing.T) {
	for _, c := range []struct {
		args []string
		env  []string
		want string
	}{
		{nil, nil, "127.0.0.1:8080"},
		{[]string{"-compat", "goflow2"}, nil, ":8080"},
		{nil, []string{"WEIR_COMPAT=goflow2"}, ":8080"},
		{[]string{"-compat", "goflow2", "-addr", "127.0.0.1:8080"}, nil, "127.0.0.1:8080"},
		{[]string{"-compat", "goflow2", "-addr", ""}, nil, ""},
	} {
		got, err := Parse(c.args, c.env, io.Discard)
		if err != nil || got.Addr != c.want {
			t.Errorf("%q %q: address %q, want %q (%v)", c.args, c.env, got.Addr, c.want, err)
		}
	}
}

// TestWordsOfV1: values that goflow2's first releases take are taken.
func TestWordsOfV1(t *testing.T) {
	for given, want := range map[string]string{"trace": "debug", "warning": "warn", "WARNING": "warn", "fatal": "error", "panic": "error"} {
		c, err := Parse([]string{"-loglevel", given}, nil, io.Discard)
		if err != nil || !strings.EqualFold(c.LogLevel.String(), want) {
			t.Errorf("-loglevel %s: %v (%v)", given, c, err)
		}
	}
	for given, want := range map[string]string{"TimeReceived": "time_received_ns", "DstAddress": "dst_addr", "SamplerAddress": "sampler_address", "TimeFlowStart": "time_flow_start_ns"} {
		c, err := Parse([]string{"-format.hash", given}, nil, io.Discard)
		if err != nil || len(c.Mapping.Hash) != 1 {
			t.Errorf("-format.hash %s: %v", given, err)
			continue
		}
		if name, ok := producer.FieldName(c.Mapping.Hash[0]); !ok || name != want {
			t.Errorf("-format.hash %s: %s, want %s", given, name, want)
		}
	}
	kafka := []string{"-transport", "kafka", "-transport.kafka.hashing=true"}
	c, err := Parse(kafka, nil, io.Discard)
	if err != nil || len(c.Mapping.Hash) != 1 || c.Mapping.Hash[0] != "sampler_address" {
		t.Errorf("hashing alone: key %v (%v)", c.Mapping.Hash, err)
	}
	if c, err = Parse(append(kafka, "-format.hash", "src_as"), nil, io.Discard); err != nil || c.Mapping.Hash[0] != "src_as" {
		t.Errorf("hashing with a key: %v (%v)", c.Mapping.Hash, err)
	}
	if c, err = Parse(append(kafka, "-mapping", "m.yaml"), nil, io.Discard); err != nil || len(c.Mapping.Hash) != 0 {
		t.Errorf("hashing with a mapping file: %v (%v)", c.Mapping.Hash, err)
	}
}
