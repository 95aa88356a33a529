package config

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/option"
)

// TestEveryOption holds each option to what the table promises: it is in the
// help with its default and variable, and all its layers reach it.
func TestEveryOption(t *testing.T) {
	help := newConfig().table().Help()
	envs, keys := map[string]string{}, map[string]string{}
	for _, o := range newConfig().options() {
		t.Run(o.Name, func(t *testing.T) {
			if !regexp.MustCompile(`^[a-z]+([.-][a-z]+2?)*$`).MatchString(o.Name) {
				t.Errorf("name %q", o.Name)
			}
			if o.Group == "" || o.Shape == "" || !strings.HasSuffix(o.Help, ".") {
				t.Errorf("no group, shape or help: %+v", o)
			}
			if !strings.Contains(help, "\n  -"+o.Name+" "+o.Shape+"\n") {
				t.Error("not in the help")
			}
			env := o.Env()
			if env == "" || !strings.Contains(strings.Join(strings.Fields(help), " ")+" ", "environment "+env+" ") {
				t.Errorf("variable %q is not in the help", env)
			}
			if other := envs[env]; other != "" {
				t.Errorf("%s stands for %s too", env, other)
			}
			envs[env] = o.Name
			if isServiceEnv(env) {
				t.Errorf("%s is a name of Kubernetes", env)
			}
			if o.Default != "" && !strings.Contains(help, "Default "+o.Default+",") && !strings.Contains(help, `Default "`+o.Default+`",`) {
				t.Error("default is not in the help")
			}

			// What Get prints, Set understands.
			if err := o.Value.Set(o.Default); err != nil {
				t.Fatalf("default: %v", err)
			}
			if err := o.Value.Check(); err != nil {
				t.Fatalf("default: %v", err)
			}
			if got := o.Value.Get(); got != o.Default {
				t.Errorf("default %q is printed as %q", o.Default, got)
			}

			if o.Name == "config" {
				if o.Key() != "" {
					t.Error("the file cannot name itself")
				}
				return
			}
			if keys[o.Key()] != "" || o.Key() == "" {
				t.Errorf("key %q", o.Key())
			}
			keys[o.Key()] = o.Name
			text := other(o)
			// What the options of rotation need, by a layer of its own.
			var needs []string
			if strings.HasPrefix(o.Name, "transport.file.") {
				needs = append(needs, "-transport.file=x")
			}
			if o.Name == "transport.file.compress" || strings.HasPrefix(o.Name, "transport.file.keep.") {
				needs = append(needs, "-transport.file.rotate.interval=1h")
			}
			if strings.HasPrefix(o.Name, "errors.sample.keep.") {
				needs = append(needs, "-errors.sample=x")
			}
			layers := map[string]func() (*Config, error){
				"flag": func() (*Config, error) { return Parse(append(needs, "-"+o.Name, text), nil, io.Discard) },
				"env":  func() (*Config, error) { return Parse(needs, []string{env + "=" + text}, io.Discard) },
			}
			for form, yaml := range spellings(o, text) {
				layers[form] = func() (*Config, error) {
					path := filepath.Join(t.TempDir(), "weir.yaml")
					if err := os.WriteFile(path, []byte(yaml), 0o644); err != nil {
						t.Fatal(err)
					}
					return Parse(append(needs, "-config", path), nil, io.Discard)
				}
			}
			for layer, parse := range layers {
				c, err := parse()
				if err != nil {
					t.Errorf("%s: %v", layer, err)
					continue
				}
				if got := find(c.options(), o.Name).Value.Get(); got != text {
					t.Errorf("%s: got %q, want %q", layer, got, text)
				}
				if c.Sources[o.Name] == "default" {
					t.Errorf("%s: source is the default", layer)
				}
			}
		})
	}
}

// other returns an allowed value of the option that is not its default.
func other(o option.Option) string {
	switch o.Name {
	case "listen":
		return "flow://127.0.0.1:9995/?count=2"
	case "cpu.pin":
		return "2-5,7"
	case "format":
		return "bin"
	case "transport.file":
		return "/var/log/x y"
	case "transport.file.sep":
		return `\0\\`
	case "transport.file.rotate.size":
		return "1GB"
	case "transport.file.rotate.interval":
		return "24h"
	case "transport.file.compress":
		return "zstd"
	case "transport.file.fifo":
		return "wait"
	case "transport.file.keep.free":
		return "10%"
	case "transport.file.keep.bytes", "errors.sample.keep.bytes":
		return "3GiB"
	case "transport.file.keep.age", "errors.sample.keep.age":
		return "168h"
	case "addr":
		return "[::1]:1"
	case "templates.path":
		return "/t"
	case "loglevel":
		return "error"
	case "logfmt":
		return "json"
	case "exporters.max", "errors.sample.count", "transport.file.keep.count":
		return "77"
	case "exporters.silent-after":
		return "1m"
	case "sampling":
		return "192.0.2.0/24=1000,2001:db8::1@3=500"
	case "errors.sample":
		return "/var/lib/weir/errors"
	case "samplingrate.default", "sink.depth", "metrics.exporters":
		return "512"
	case "transport":
		return "kafka"
	case "transport.kafka.brokers":
		return "a:9092,b:9092"
	case "transport.kafka.srv", "transport.kafka.topic", "transport.kafka.tls.ca", "transport.kafka.tls.client",
		"transport.kafka.tls.key", "transport.kafka.sasl.file", "spool.dir":
		return "some-name"
	case "transport.kafka.version":
		return "3.6.0"
	case "transport.kafka.tls", "transport.kafka.tls.insecure", "transport.kafka.hashing":
		return "true"
	case "transport.kafka.sasl":
		return "plain"
	case "transport.kafka.maxmsgbytes", "transport.kafka.flushbytes":
		return "65536"
	case "transport.kafka.linger":
		return "5ms"
	case "transport.kafka.compression":
		return "lz4"
	case "transport.kafka.compression.level":
		return "3"
	case "transport.kafka.acks":
		return "1"
	case "transport.kafka.idempotent":
		return "off"
	case "transport.kafka.message":
		return "batch"
	case "templates.ttl", "templates.sweep-interval", "templates.json.interval":
		return "2h"
	case "templates.ttl.extend-on-access":
		return "true"
	case "templates.key-port":
		return "auto"
	case "templates.max-domains", "templates.max-per-domain", "templates.max-fields", "templates.max-samplers":
		return "77"
	case "templates.pending":
		return "32MiB,5s,77"
	case "templates.json.path":
		return "/var/lib/x y"
	case "spool.max-bytes", "templates.max-bytes", "memory.max":
		return "1GiB"
	case "spool.mode":
		return "always"
	case "xdp.interface":
		return "eth0,eth1"
	case "xdp.mode":
		return "generic"
	case "xdp.zerocopy":
		return "off"
	case "xdp.queues", "xdp.workers", "xdp.ring":
		return "128"
	case "xdp.busy-poll":
		return "20µs"
	case "xdp.require":
		return "true"
	case "latency":
		return "2ms"
	case "exporters.allow":
		return "192.0.2.0/24,2001:db8::/32"
	case "exporters.deny":
		return "192.0.2.7/32"
	case "exporters.rate":
		return "5000"
	case "receive.buffer", "batch.size":
		return "64KiB"
	case "batch.linger":
		return "1m"
	}
	return o.Default
}

// spellings returns the forms in which the file can hold the option.
func spellings(o option.Option, text string) map[string]string {
	quoted := "'" + text + "'"
	nested := func(path string) string {
		var b strings.Builder
		parts := strings.Split(path, ".")
		for depth, part := range parts {
			b.WriteString(strings.Repeat("  ", depth) + part + ":")
			if depth < len(parts)-1 {
				b.WriteByte('\n')
			}
		}
		return b.String() + " " + quoted + "\n"
	}
	out := map[string]string{"dotted": o.Name + ": " + quoted + "\n", "nested": nested(o.Name)}
	if o.Inner != "" {
		out["inner"] = nested(o.Name + "." + o.Inner)
		out["inner, dotted"] = o.Name + "." + o.Inner + ": " + quoted + "\n"
	}
	return out
}

func TestInnerKeysAreNoOptions(t *testing.T) {
	options := newConfig().options()
	for _, o := range options {
		below := false
		for _, p := range options {
			below = below || strings.HasPrefix(p.Name, o.Name+".")
			if o.Inner != "" && (p.Name == o.Name+"."+o.Inner || strings.HasPrefix(p.Name, o.Name+"."+o.Inner+".")) {
				t.Errorf("%s.%s is an option", o.Name, o.Inner)
			}
		}
		if below != (o.Inner != "") {
			t.Errorf("%s: inner key %q, other names begin with it: %v", o.Name, o.Inner, below)
		}
	}
}

func TestOldNames(t *testing.T) {
	options := newConfig().options()
	for _, old := range oldNames() {
		if find(options, old.name) != nil {
			t.Errorf("%s is an option", old.name)
		}
		set := 0
		for _, s := range []string{old.to, old.noEffect, old.refusal} {
			if s != "" {
				set++
			}
		}
		if old.onlyTrue {
			set-- // noEffect and refusal
		}
		if set != 1 || old.to != "" && find(options, old.to) == nil {
			t.Errorf("%+v", old)
		}
		if findOld(old.name).name != old.name {
			t.Errorf("%s is shadowed", old.name)
		}
	}
}

func TestExamples(t *testing.T) {
	for _, e := range newConfig().table().Examples {
		words := strings.Fields(strings.NewReplacer("'", "", `""`, "=").Replace(e.Line))
		var args, env []string
		for i, w := range words {
			switch {
			case w == "weir":
				args = words[i+1:]
			case args == nil:
				env = append(env, w)
			}
		}
		for i := range args {
			if args[i] == "=" {
				args[i] = ""
			}
		}
		_, err := Parse(args, env, io.Discard)
		if err != nil && !strings.Contains(err.Error(), "cannot read the file") {
			t.Errorf("%s: %v", e.Line, err)
		}
	}
}

func TestValues(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"-receive.buffer=0", ""},
		{"-receive.buffer=1k", `"1k": out of range; allowed: 0 (the kernel's default) or 4KiB to 1073741823`},
		{"-receive.buffer=2GiB", `"2GiB": out of range; allowed: 0 (the kernel's default) or 4KiB to 1073741823`},
		{"-receive.buffer=-1", `"-1": not a size; allowed: ` + option.SizeForms},
		{"-batch.size=9223372036854775807k", `"9223372036854775807k": size too large; allowed: ` + option.SizeForms},
		{"-batch.size=", `"": not a size; allowed: ` + option.SizeForms},
		{"-batch.size=KiB", `"KiB": not a size; allowed: ` + option.SizeForms},
		{"-batch.linger=100", `"100": not a duration; allowed: 1ms to 1m, written with a unit such as 100ms, 10s, 5m or 1h`},
		{"-batch.linger=0", `"0": out of range; allowed: 1ms to 1m`},
		{"-transport.file=x -transport.file.rotate.interval=1ms", `"1ms": out of range; allowed: 0 (never) or 1s to 8784h`},
		{"-sink.depth=1", `"1": out of range; allowed: a whole number from 2 to 4096`},
		{"-sink.depth=1e3", `"1e3": not a whole number in range; allowed: a whole number from 2 to 4096`},
		{"-samplingrate.default=-5", `"-5": not a sampling rate; allowed: 0 for none, or N from 1 to 4294967295 for 1 packet in N`},
		{"-samplingrate.default=4294967296", `"4294967296": out of range; allowed: 0 for none, or N from 1 to 4294967295 for 1 packet in N`},
		{"-cpu.pin=1,2-1", `"2-1": range runs backwards; allowed: CPU numbers from 0 to 1023 and ranges of them, such as 2-5,7`},
		{"-cpu.pin=1-3,2", `"2": CPU 2 is listed twice; allowed: CPU numbers from 0 to 1023 and ranges of them, such as 2-5,7`},
		{"-cpu.pin=0-4000000000", `"0-4000000000": CPU number too large; allowed: CPU numbers from 0 to 1023 and ranges of them, such as 2-5,7`},
		{"-cpu.pin=1,,2", `"": not a CPU number or range; allowed: CPU numbers from 0 to 1023 and ranges of them, such as 2-5,7`},
		{"-addr=8080", `"8080": not host:port; allowed: host:port with a port from 0 to 65535, such as :8080, 127.0.0.1:8080 or [::1]:8080, or empty for no web server`},
		{"-addr=:http", `":http": port "http" is not a port number; allowed: host:port with a port from 0 to 65535, such as :8080, 127.0.0.1:8080 or [::1]:8080, or empty for no web server`},
		{"-addr.hosts=weir.example.net,192.0.2.1,2001:db8::1", ""},
		{"-addr.hosts=a,weir:8080", `"weir:8080": not a host name; allowed: host names or addresses without port, such as weir.example.net,192.0.2.1`},
		{"-addr.hosts=*", `"*": no pattern is understood; allowed: host names or addresses without port, such as weir.example.net,192.0.2.1`},
		{"-templates.pending=0", ""},
		{"-templates.pending=1MiB,1s", ""},
		{"-templates.pending=1MiB", `"1MiB": not a size and a duration; allowed: ` + allowedPending},
		{"-templates.pending=1MiB,1", `"1MiB,1": "1" is not a duration; allowed: ` + allowedPending},
		{"-templates.pending=x,1s", `"x,1s": "x" is not a size; allowed: ` + allowedPending},
		{"-templates.pending=1MiB,1s,x", `"1MiB,1s,x": "x" is not a number; allowed: ` + allowedPending},
		{"-templates.pending=1MiB,1h", `"1MiB,1h": out of range; allowed: ` + allowedPending},
		{"-templates.key-port=maybe", `"maybe": unknown choice; allowed: off, on, auto`},
		{"-memory.max=1", `"1": out of range; allowed: 0 (no limit) or 64MiB to 16TiB`},
		{"-templates.path=", ""},
		{"-templates.path=/metrics", `"/metrics": path is taken; allowed: a path that starts with /, has letters, digits and -._~/ only and is not that of another page (/metrics, /__health, /health, /config, /exporters, /-/reload), or empty for no such page`},
		{"-templates.path=/health", `"/health": path is taken; allowed: a path that starts with /, has letters, digits and -._~/ only and is not that of another page (/metrics, /__health, /health, /config, /exporters, /-/reload), or empty for no such page`},
		{"-templates.path=/config", `"/config": path is taken; allowed: a path that starts with /, has letters, digits and -._~/ only and is not that of another page (/metrics, /__health, /health, /config, /exporters, /-/reload), or empty for no such page`},
		{"-metrics.path=/a/../b", `"/a/../b": path has empty, . or .. elements; allowed: a path that starts with /, has letters, digits and -._~/ only and is not that of another page (/metrics, /__health, /health, /config, /exporters, /-/reload), or empty for no such page`},
		{"-templates.path=/{x}", `"/{x}": path has the character "{"; allowed: a path that starts with /, has letters, digits and -._~/ only and is not that of another page (/metrics, /__health, /health, /config, /exporters, /-/reload), or empty for no such page`},
		{"-loglevel=WARN", ""},
		{"-loglevel=loud", `"loud": unknown log level; allowed: debug, info, warn, error`},
		{"-produce=raw", ""},
		{"-produce=flow", `"flow": unknown choice; allowed: sample, raw`},
		{"-produce=raw -format=text", `"text": raw output is JSON alone; allowed: json, or -produce sample`},
		{"-compat=goflow", `"goflow": unknown choice; allowed: none, goflow2`},
		{"-format.hash=SrcAS,dst_as -mapping=m.yaml", ""},
		{"-transport=nats", `"nats": unknown choice; allowed: file, kafka`},
		{"-transport.kafka.brokers=a:1,b", `"b": not a broker's address; allowed: host:port, such as kafka1:9092,kafka2:9092`},
		{"-transport.kafka.compression=lzma", `"lzma": unknown choice; allowed: none, gzip, snappy, lz4, zstd`},
		{"-format=xml", `"xml": unknown choice; allowed: json, text, bin (or pb), human`},
		{`-transport.file.sep=a\x`, `"a\\x": unknown escape "\\x"; allowed: ` + option.EscapeForms},
		{`-transport.file.sep=\`, `"\\": backslash at the end; allowed: ` + option.EscapeForms},
		{"-format=" + strings.Repeat("x", 200), `"` + strings.Repeat("x", 120) + `"...: unknown choice; allowed: json, text, bin (or pb), human`},
	} {
		args := strings.Fields(tc.args)
		_, err := parse(args, nil, io.Discard, noNames(t))
		last, _, _ := strings.Cut(args[len(args)-1], "=")
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || err.Error() != last+" "+tc.want) {
			t.Errorf("%s:\ngot  %v\nwant %s %s", tc.args, err, last, tc.want)
		}
	}
}

func TestSeparators(t *testing.T) {
	for text, want := range map[string]string{``: "", `\n`: "\n", `\r\n\t`: "\r\n\t", `\0`: "\x00", `\\n`: `\n`, "\n": "\n", "--\t": "--\t"} {
		c := mustParse(t, []string{"-transport.file.sep", text}, nil)
		if fileOf(c).Separator != want {
			t.Errorf("%q: got %q, want %q", text, fileOf(c).Separator, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "17": 17, "17B": 17, "64k": 64 << 10, "64KiB": 64 << 10, "64 kb": 64000, "512MiB": 512 << 20,
		"1GB": 1e9, "1gib": 1 << 30, "2T": 2 << 40, "3TB": 3e12, " 5 M ": 5 << 20, "9223372036854775807": 1<<63 - 1,
	} {
		got, err := option.ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
		if back, err := option.ParseSize(option.FormatSize(want)); err != nil || back != want {
			t.Errorf("%d is printed as %s, which is %d, %v", want, option.FormatSize(want), back, err)
		}
	}
	for _, text := range []string{"", " ", "k", "1.5G", "-1", "+1", "1KBB", "0x10", "1_000", "9223372036854775808", "9000000T"} {
		if n, err := option.ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, n)
		}
	}
}

func TestSuggestions(t *testing.T) {
	known := newConfig().table().names()
	for name, want := range map[string]string{
		"fromat": "format", "listne": "listen", "file.sep": "transport.file.sep", "transport-file": "transport.file",
		"LOGLEVEL": "loglevel", "log.level": "loglevel", "frobnicate": "", "": "", "versoin": "version",
		strings.Repeat("listen", 100): "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestTable is a command with options of its own in addition to shared ones.
func TestTable(t *testing.T) {
	c, rounds, words := newConfig(), 0, ""
	table := &Table{
		Command: "weir try",
		Options: append(c.options(),
			option.Option{Name: "rounds", Default: "2", Group: option.GroupRun, Shape: "n", Help: "Rounds.", Value: option.IntValue(&rounds, 1, 9)},
			option.Option{Name: "words", Group: option.GroupRun, Shape: "text", Help: "Words.", Value: option.TextValue(&words)}),
		FileOption: "config",
		Files:      true,
	}
	inFolder(t, "rounds: 4\nwords: file\nlogfmt: json\n")
	res, err := table.Load([]string{"a", "-words", "flag", "b"}, []string{"WEIR_ROUNDS=5", "WEIR_CONFIG=weir.yaml"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if rounds != 5 || words != "flag" || c.LogFormat != "json" || strings.Join(res.Files, "") != "ab" || res.Sources["logfmt"] != "weir.yaml:3" {
		t.Errorf("%d, %s, %s, %+v", rounds, words, c.LogFormat, res)
	}
	if res, err := table.Load([]string{"-rounds=10"}, nil, io.Discard); res == nil || err == nil || err.Error() != `-rounds "10": out of range; allowed: a whole number from 1 to 9` {
		t.Errorf("%+v, %v", res, err)
	}
	if err := table.Options[0].Value.Set("nonsense"); err == nil || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
}
