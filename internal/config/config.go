package config

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"
)

// A Config is how weir is told to run. Parse fills it; after that nothing
// writes to it, so that any goroutine may read it.
type Config struct {
	// ConfigFile is the YAML file that was read, or "".
	ConfigFile string
	// Version is true if only the version was asked for.
	Version bool

	Listen        []Listen
	ReceiveBuffer int   // bytes of each socket's receive buffer; 0 leaves the kernel's default
	CPUPin        []int // CPUs that workers are pinned to, in order; nil for none
	XDP           XDP
	Latency       time.Duration // longest time that datagrams may gather; 0 for none
	Exporters     Exporters
	Watch         Watch

	Produce             string // "sample" or "raw"
	Mapping             Mapping
	SamplingRateDefault uint64 // rate of exporters that announce none; 0 for none
	Enrich              Enrich

	Format                      string        // "json", "text" or "bin"
	Transport                   string        // "file"
	TransportFile               string        // path; "" is standard output
	TransportFileSep            string        // bytes after every message, escapes already replaced
	TransportFileRotateSize     int64         // bytes; 0 never rotates by size
	TransportFileRotateInterval time.Duration // 0 never rotates by time
	TransportFileCompress       string        // "none" or "zstd"
	Templates                   Templates
	MemoryMax                   int64 // bytes; 0 sets no limit
	Kafka                       Kafka
	Spool                       Spool
	BatchSize                   int           // bytes at which a batch is sealed
	Linger                      time.Duration // age at which a batch is sealed
	SinkDepth                   int           // batches of a worker that may wait for the sink

	Addr             string   // host:port of the web server; "" is none
	AddrHosts        []string // names that the web server answers to, besides those of this host
	AddrTokenFile    string   // file with the token that other hosts need for POST; "" is none
	TemplatesPath    string   // path of the templates page; "" is none
	MetricsExporters int      // exporters with metrics of their own
	Goflow2          Goflow2
	LogLevel         slog.Level
	LogFormat        string // "normal" or "json"
	Profile          Profile

	// Sources says for each option, by name, where its value came from:
	// "default", "weir.yaml:12", "WEIR_FORMAT", "-format".
	Sources map[string]string
	// Warnings look like mistakes and are no faults: unknown WEIR_
	// variables.
	Warnings []string
	// Notes are settings that were accepted and mean nothing, or less than
	// it seems.
	Notes []string

	origins map[string]setting
}

// Parse builds the configuration from defaults, the YAML file that -config or
// WEIR_CONFIG names, environment and flags. args are the arguments after the
// command's name, environ has the form of os.Environ. Host names of listen
// addresses are resolved.
//
// For -h it writes the help to w and returns ErrHelp; for -v it returns a
// Config whose Version is true, and looks at nothing else. Everything that is
// wrong comes back at once as a *UsageError, which it leaves to the caller to
// print.
func Parse(args []string, environ []string, w io.Writer) (*Config, error) {
	return parse(args, environ, w, net.DefaultResolver.LookupNetIP)
}

func parse(args, environ []string, w io.Writer, find lookup) (*Config, error) {
	c := &Config{}
	t := c.table()
	res, faults, err := t.load(args, environ, w)
	if err != nil {
		return nil, err
	}
	c.Version, c.Sources, c.Warnings, c.origins = res.Version, res.Sources, res.Warnings, res.origins
	if c.Version {
		return c, nil
	}
	c.Notes = res.Notes
	if !concerns(faults, "listen") {
		notes, bad := resolveListens(context.Background(), c.Listen, find)
		c.Notes = append(c.Notes, notes...)
		if len(bad) > 0 {
			faults = append(faults, c.faultsOf("listen", bad)...)
		} else {
			// A name may have become an address that is there already.
			faults = append(faults, c.faultsOf("listen", checkListens(c.Listen))...)
		}
	}
	faults = append(faults, c.together(faults)...)
	if c.Transport == "kafka" {
		if err := c.Kafka.secrets(environ); err != nil {
			faults = append(faults, c.faultsOf("transport.kafka.sasl", err)...)
		}
	}
	if len(faults) > 0 {
		return nil, usageError(faults)
	}
	c.addNotes()
	return c, nil
}

// Default returns the configuration that no file, variable or flag changed.
func Default() *Config {
	c := &Config{Sources: map[string]string{}}
	for _, o := range c.options() {
		if err := o.Value.Set(o.Default); err != nil {
			panic(fmt.Sprintf("default of %s: %v", o.Name, err))
		}
		c.Sources[o.Name] = "default"
	}
	return c
}

// Validate checks every value, and those that must fit together, and returns
// all faults as a *UsageError, or nil. Parse has done the same; Validate is
// for configurations made or changed in Go.
func (c *Config) Validate() error {
	var faults []Fault
	for _, o := range c.options() {
		faults = append(faults, c.faultsOf(o.Name, o.Value.Check())...)
	}
	for i, l := range c.Listen {
		if !l.Addr.Addr().IsValid() {
			faults = append(faults, c.faultsOf("listen", &Problem{
				Part: show(l.RawURI), Index: i, Text: "host " + show(l.Host) + " is not resolved", Allowed: allowedHost,
			})...)
		}
	}
	return usageError(append(faults, c.together(faults)...))
}

// faultsOf turns what is wrong with an option's present value into faults at
// the place where the value came from.
func (c *Config) faultsOf(name string, err error) []Fault {
	s, ok := c.origins[name]
	if !ok {
		s = setting{option: name, name: "-" + name}
		if o := find(c.options(), name); o != nil {
			s.text = o.Value.Get()
		}
	}
	return s.faults(err)
}

// together checks the options that must fit each other, unless what they
// should be is not known because of another fault.
func (c *Config) together(have []Fault) []Fault {
	if concerns(have, "config") || concerns(have, "transport.file") {
		return nil
	}
	out := rawFaults(c.Produce, c.Format, c.faultsOf)
	const size, interval = "transport.file.rotate.size", "transport.file.rotate.interval"
	const text = "standard output cannot be rotated"
	const allowed = "this option together with -transport.file"
	if c.TransportFile == "" && c.TransportFileRotateSize != 0 {
		out = append(out, c.faultsOf(size, &Problem{Text: text, Allowed: allowed})...)
	}
	if c.TransportFile == "" && c.TransportFileRotateInterval != 0 {
		out = append(out, c.faultsOf(interval, &Problem{Text: text, Allowed: allowed})...)
	}
	if c.TemplatesPath != "" && c.TemplatesPath == c.Goflow2.MetricsPath && !concerns(have, "templates.path") {
		out = append(out, c.faultsOf("metrics.path", &Problem{Text: "path is that of the templates too", Allowed: "another path than templates.path"})...)
	}
	rotates := c.TransportFileRotateSize != 0 || c.TransportFileRotateInterval != 0
	if c.TransportFileCompress == "zstd" && !rotates && !concerns(have, size) && !concerns(have, interval) {
		out = append(out, c.faultsOf("transport.file.compress", &Problem{
			Text:    "compression applies to rotated files, and rotation is off",
			Allowed: "zstd together with -" + size + " or -" + interval,
		})...)
	}
	return out
}

// concerns tells whether a fault is about the option.
func concerns(faults []Fault, option string) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool { return f.Option == option })
}

// addNotes notes what was accepted and means nothing, once each.
func (c *Config) addNotes() {
	seen := map[string]bool{}
	for _, l := range c.Listen {
		for _, param := range l.Notes {
			if !seen[param] {
				seen[param] = true
				c.Notes = append(c.Notes, listenNote(param))
			}
		}
	}
	if note := sepNote(c.Format, c.TransportFileSep, c.Sources["transport.file.sep"]); note != "" && c.Transport == "file" {
		c.Notes = append(c.Notes, note)
	}
}

// sepNote notes a separator that was not asked for between messages that need
// none.
func sepNote(format, sep, source string) string {
	if format == "bin" && sep != "" && source == "default" {
		return `-format bin puts the default separator "\n" after every message, which begins with its length already; set -transport.file.sep "" for a stream without it`
	}
	return ""
}

// A Setting is one line of the effective configuration.
type Setting struct{ Name, Value, Source string }

// Settings returns the effective configuration in the order of the help.
func (c *Config) Settings() []Setting { return settingsOf(c.options(), c.Sources) }

func settingsOf(options []Option, sources map[string]string) []Setting {
	out := make([]Setting, 0, len(options))
	for _, o := range options {
		source := sources[o.Name]
		if source == "" {
			source = "set by the program"
		}
		out = append(out, Setting{Name: o.Name, Value: shown(o.Name, o.Value.Get()), Source: source})
	}
	return out
}

// Render returns the effective configuration as aligned lines of name, value
// and source, in the order of the help.
func (c *Config) Render() string { return renderSettings(c.Settings()) }

func renderSettings(settings []Setting) string {
	names, values := 0, 0
	for _, s := range settings {
		names = max(names, len(s.Name))
		values = max(values, len(printable(s.Value)))
	}
	values = min(values, 48)
	var b strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", names, s.Name, values, printable(s.Value), s.Source)
	}
	return b.String()
}

// printable quotes a value that is empty, has spaces or would not show.
func printable(v string) string {
	quoted := show(v)
	if v == "" || strings.ContainsAny(v, " ") || quoted != `"`+v+`"` && !strings.Contains(v, `\`) {
		return quoted
	}
	return v
}
