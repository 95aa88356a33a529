package config

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink/file"
	"github.com/weirflow/weir/sink/kafka"
	"github.com/weirflow/weir/sink/output"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testdata is the folder of golden files, from before tests change their
// working directory.
var testdata string

func TestMain(m *testing.M) {
	wd, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	testdata = filepath.Join(wd, "testdata")
	os.Exit(m.Run())
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update rewrites it):\n%s", path, got)
	}
}

// inFolder makes an empty folder the working directory and writes weir.yaml
// into it, so that messages name the file without a path.
func inFolder(t *testing.T, yaml string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("weir.yaml", []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
}

// noNames is a resolver that fails the test.
func noNames(t *testing.T) lookup {
	return func(_ context.Context, _, host string) ([]netip.Addr, error) {
		t.Errorf("looked up %s", host)
		return nil, errors.New("not here")
	}
}

func mustParse(t *testing.T, args, environ []string) *Config {
	t.Helper()
	c, err := parse(args, environ, io.Discard, noNames(t))
	if err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	return c
}

// fileOf returns the settings of the output to files.
func fileOf(c *Config) *file.Settings { return c.Outputs["file"].(*file.Settings) }

func TestDefaults(t *testing.T) {
	c := mustParse(t, nil, nil)
	want := &Config{
		Listen: []Listen{
			{Scheme: "sflow", Addr: netip.MustParseAddrPort("[::]:6343"), Count: 1, RawURI: "sflow://:6343"},
			{Scheme: "netflow", Addr: netip.MustParseAddrPort("[::]:2055"), Count: 1, RawURI: "netflow://:2055"},
		},
		Outputs: map[string]output.Settings{
			"file": &file.Settings{Separator: "\n", Compress: "none", FIFO: "drop"},
			"kafka": &kafka.Settings{
				Cluster:         kafka.Cluster{Brokers: []string{"127.0.0.1:9092", "[::1]:9092"}, Topic: "flow-messages", Version: "2.8.0", SASL: "none"},
				MaxMessageBytes: 1000000, FlushBytes: 104857600, Linger: 100 * time.Millisecond, Compression: "none",
				Acks: "all", Idempotent: "auto", Message: "flow", Spool: kafka.SpoolSettings{MaxBytes: 8 << 30, Mode: "outage"},
			},
		},
		Templates: Templates{
			SweepInterval: time.Minute, KeyPort: "auto", MaxDomains: 100_000, MaxPerDomain: 4096, MaxFields: 1024,
			MaxBytes: 128 << 20, MaxSamplers: 100_000, Pending: Pending{Bytes: 64 << 20, Age: 10 * time.Second, Sets: 100_000},
			StateInterval: 10 * time.Second,
		},
		MemoryMax: 512 << 20,
		Watch:     Watch{MaxExporters: 100_000, SilentAfter: 5 * time.Minute, ErrorsCount: 16},
		XDP:       XDP{Mode: "auto", ZeroCopy: "auto", RingSize: 2048},
		Latency:   10 * time.Millisecond, ReceiveBuffer: 32 << 20, Produce: "sample", Mapping: Mapping{Compat: "none"}, Format: "json", Transport: "file",
		BatchSize: 256 << 10,
		Linger:    50 * time.Millisecond, SinkDepth: 64, Addr: "127.0.0.1:8080", TemplatesPath: "/templates",
		MetricsExporters: 1000, Goflow2: Goflow2{MetricsPath: "/metrics", Metrics: "on"}, LogLevel: slog.LevelInfo, LogFormat: "normal",
	}
	sources := c.Sources
	c.Sources, c.origins = nil, nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	for name, source := range sources {
		if source != "default" {
			t.Errorf("source of %s is %s", name, source)
		}
	}
	d := Default()
	d.Sources = nil
	if !reflect.DeepEqual(d, want) {
		t.Errorf("Default() = %+v\nwant %+v", d, want)
	}
	if err := d.Validate(); err != nil {
		t.Errorf("defaults do not validate: %v", err)
	}
}

func TestPrecedence(t *testing.T) {
	inFolder(t, "# order\naddr: file:1\nbatch:\n  linger: 1s\nloglevel: warn\n")
	for _, tc := range []struct {
		name         string
		args, env    []string
		addr, source string
	}{
		{"default", nil, nil, "127.0.0.1:8080", "default"},
		{"file", []string{"-config", "weir.yaml"}, nil, "file:1", "weir.yaml:2"},
		{"file by environment", nil, []string{"WEIR_CONFIG=weir.yaml"}, "file:1", "weir.yaml:2"},
		{"flag names the file", []string{"--config=weir.yaml"}, []string{"WEIR_CONFIG=absent.yaml"}, "file:1", "weir.yaml:2"},
		{"empty -config reads none", []string{"-config="}, []string{"WEIR_CONFIG=weir.yaml"}, "127.0.0.1:8080", "default"},
		{"environment over file", []string{"-config=weir.yaml"}, []string{"WEIR_ADDR=env:2"}, "env:2", "WEIR_ADDR"},
		{"empty variable is a value", []string{"-config=weir.yaml"}, []string{"WEIR_ADDR="}, "", "WEIR_ADDR"},
		{"flag over all", []string{"-addr", "flag:3", "-config=weir.yaml"}, []string{"WEIR_ADDR=env:2"}, "flag:3", "-addr"},
		{"last flag", []string{"-addr", "flag:3", "--addr=flag:4"}, nil, "flag:4", "-addr"},
		{"old name", []string{"-metrics.addr", "flag:5"}, nil, "flag:5", "-metrics.addr"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := mustParse(t, tc.args, tc.env)
			if c.Addr != tc.addr || c.Sources["addr"] != tc.source {
				t.Errorf("addr %q from %s, want %q from %s", c.Addr, c.Sources["addr"], tc.addr, tc.source)
			}
		})
	}
}

func TestRender(t *testing.T) {
	inFolder(t, "batch:\n  linger: 60s\nlisten:\n- netflow://:2055/?count=2\n- sflow://[::1]:6343\n")
	c := mustParse(t, []string{"-config", "weir.yaml", "-format", "pb", "-cpu.pin", "5,2-4,7"},
		[]string{"WEIR_TRANSPORT_FILE_SEP=\t", "WEIR_RECEIVE_BUFFER=1000kb", "WEIR_TRANSPORT_FILE=a b"})
	golden(t, "render.txt", c.Render())
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"-v", "--v", "-version", "-v=true"} {
		c, err := Parse([]string{arg, "-format", "nonsense"}, []string{"WEIR_ADDR=x"}, io.Discard)
		if err != nil || !c.Version {
			t.Errorf("%s: %+v, %v", arg, c, err)
		}
	}
	if c := mustParse(t, []string{"-v=false"}, nil); c.Version {
		t.Error("-v=false asked for the version")
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"-h", "--help", "-help"} {
		var b strings.Builder
		if _, err := Parse([]string{"-format", "nonsense", arg}, nil, &b); !errors.Is(err, ErrHelp) {
			t.Errorf("%s: %v", arg, err)
		}
		golden(t, "help.txt", b.String())
	}
	if _, err := Parse([]string{"-h"}, nil, failingWriter{}); err == nil || errors.Is(err, ErrHelp) {
		t.Errorf("help that cannot be written: %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestNotes(t *testing.T) {
	c := mustParse(t, []string{
		"-listen", "netflow://:1/?workers=2&blocking=true,sflow://:2/?workers=4&queue_size=10",
		"-err.cnt", "3", "-err.int=1s", "-err.cnt", "4", "-metrics.addr=:1", "-format=bin",
	}, []string{"WEIR_FOO=1", "WEIR_ERR_CNT=1", "WEIR_ADRR=:2", "WEIR_METRICS_ADDR=1", "WEIR_MAPPING=x", "WEIR_PORT=tcp://10.0.0.1:1", "WEIR_PORT_2055_UDP=1", "WEIR_SERVICE_HOST=1", "WEIR_STATS=1", "OTHER=1"})
	golden(t, "notes.txt", strings.Join(c.Notes, "\n")+"\n\n"+strings.Join(c.Warnings, "\n")+"\n")
	if c.Addr != ":1" {
		t.Errorf("addr %q", c.Addr)
	}
}

func TestSepNote(t *testing.T) {
	for _, args := range [][]string{{"-format=bin", "-transport.file.sep="}, {"-format=bin", `-transport.file.sep=\n`}, {"-format=json"}} {
		if c := mustParse(t, args, nil); len(c.Notes) != 0 {
			t.Errorf("%q: %q", args, c.Notes)
		}
	}
}

func TestValidate(t *testing.T) {
	c := Default()
	c.Listen = append(c.Listen, Listen{Scheme: "sflow", RawURI: "sflow://name:1", Host: "name", Addr: netip.AddrPortFrom(netip.Addr{}, 1), Count: 300})
	c.Format = "xml"
	c.LogLevel = 3
	c.BatchSize = 1
	c.Linger = time.Hour
	c.SinkDepth = 0
	fileOf(c).RotateSize = 1 << 20
	c.CPUPin = []int{1, 1}
	c.SamplingRateDefault = 1 << 40
	c.TemplatesPath = "templates"
	err := c.Validate()
	var usage *UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("Validate: %v", err)
	}
	golden(t, "validate.txt", err.Error()+"\n")
	if errs := usage.Unwrap(); len(errs) != len(usage.Faults) {
		t.Errorf("%d errors for %d faults", len(errs), len(usage.Faults))
	}
	var fault Fault
	if !errors.As(err, &fault) || fault.Option != "listen" {
		t.Errorf("first fault: %+v", fault)
	}
}

func TestEverythingAtOnce(t *testing.T) {
	inFolder(t, `formt: json
transport:
  type: kafka
  file:
    path: 123
    rotate: {size: 12 parsecs}
listen:
  - sflow://:6343
  - netflw://:99999/?count=0&foo=1
  - ':2055'
batch:
addr:
logfmt: true
mapping: x
transport.kafka: {brokers: a}
transport.file.rotate.size: 1
`)
	_, err := parse([]string{
		"-config", "weir.yaml", "-fromat", "json", "-transport.kafka.brokers", "a:1", "-reuseport", "-format", "text",
		"-workers", "4", "stray", "-produce=raw", "-metrics.addr", "x", "-listen",
	}, []string{"WEIR_BATCH_SIZE=1", "WEIR_LOGLEVEL=loud"}, io.Discard, noNames(t))
	if err == nil {
		t.Fatal("no error")
	}
	golden(t, "everything.txt", err.Error()+"\n")
}

func TestTogether(t *testing.T) {
	inFolder(t, "transport.file.rotate:\n  size: 1GiB\n  interval: 1h\n")
	const words = `standard output cannot be rotated; allowed: this option together with -transport.file`
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"-config=weir.yaml", "-transport.file=x"}, ""},
		{[]string{"-config=weir.yaml"}, `weir.yaml:2: transport.file.rotate.size "1GiB": ` + words + "\n" + `weir.yaml:3: transport.file.rotate.interval "1h": ` + words},
		{[]string{"-transport.file.rotate.interval=1h"}, `-transport.file.rotate.interval "1h": ` + words},
		{[]string{"-transport.file=x", "-transport.file.compress=zstd"}, `-transport.file.compress "zstd": compression applies to rotated files, and rotation is off; allowed: zstd together with -transport.file.rotate.size or -transport.file.rotate.interval`},
		{[]string{"-transport.file=x", "-transport.file.compress=zstd", "-transport.file.rotate.size=1GB"}, ""},
		{[]string{"-transport.file.compress=zstd", "-transport.file.rotate.size=x"}, `-transport.file.rotate.size "x": not a size; allowed: ` + option.SizeForms},
		{[]string{"-transport.file=x", "-transport.file.keep.free=10%", "-transport.file.keep.age=1h"}, `-transport.file.keep.age "1h": only rotated files are deleted, and rotation is off; allowed: this option together with -transport.file.rotate.size or -transport.file.rotate.interval
-transport.file.keep.free "10%": only rotated files are deleted, and rotation is off; allowed: this option together with -transport.file.rotate.size or -transport.file.rotate.interval`},
		{[]string{"-config=weir.yaml", "-transport.file=x", "-transport.file.keep.bytes=1GB"}, `-transport.file.keep.bytes "1GB": less than one rotated file, which would be deleted at once; allowed: -transport.file.rotate.size (1GiB) or more`},
		{[]string{"-config=weir.yaml", "-transport.file=x", "-transport.file.keep.bytes=1GiB"}, ""},
		{[]string{"-config=weir.yaml", "-transport.file=x", "-transport.file.keep.free=100%"}, `-transport.file.keep.free "100%": not a percentage in range; allowed: 0 (no limit), 1KiB to 1048576TiB, or 1% to 99% of the disk`},
		{[]string{"-config=weir.yaml", "-transport.file=x", "-transport.file.keep.free=much"}, `-transport.file.keep.free "much": neither a size nor a percentage; allowed: 0 (no limit), 1KiB to 1048576TiB, or 1% to 99% of the disk`},
		{[]string{"-config=weir.yaml", "-transport.file=x", "-transport.file.keep.free=1"}, `-transport.file.keep.free "1": out of range; allowed: 0 (no limit), 1KiB to 1048576TiB, or 1% to 99% of the disk`},
		{[]string{"-errors.sample.keep.age=1h"}, `-errors.sample.keep.age "1h": no samples are kept; allowed: this option together with -errors.sample`},
		// The file that cannot be read may well name the output.
		{[]string{"-config=absent.yaml", "-transport.file.rotate.interval=1h"}, `-config "absent.yaml": cannot read the file: no such file or directory`},
	} {
		_, err := parse(tc.args, nil, io.Discard, noNames(t))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%q:\ngot  %s\nwant %s", tc.args, got, tc.want)
		}
	}
}

// TestKafkaFaults: what Kafka would refuse is wrong usage, by flag, value and what is allowed.
func TestKafkaFaults(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"-transport.kafka.topic", "a b"}, `-transport.kafka.topic "a b": not a name of a topic; allowed: 1 to 249`},
		{[]string{"-transport.kafka.version", "0.10.0"}, `-transport.kafka.version "0.10.0"`},
		{[]string{"-transport.kafka.version", "2.0.0", "-transport.kafka.compression", "zstd"}, `-transport.kafka.compression "zstd"`},
		{[]string{"-transport.kafka.acks", "1", "-transport.kafka.idempotent", "on"}, `-transport.kafka.idempotent "on"`},
	} {
		_, err := Parse(append([]string{"-transport", "kafka"}, tc.args...), nil, io.Discard)
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: want %s, got: %v", tc.args, tc.want, err)
		}
		if _, err := Parse(tc.args, nil, io.Discard); err != nil {
			t.Errorf("%v without -transport kafka: %v", tc.args, err)
		}
	}
}
