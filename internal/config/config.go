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

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink/output"
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
	Records             Records
	SamplingRateDefault uint64 // rate of exporters that announce none; 0 for none
	Enrich              Enrich

	Format    string                     // "json", "text" or "bin"
	Transport string                     // name of the output, a key of Outputs
	Outputs   map[string]output.Settings // settings of all outputs by name, chosen or not
	Templates Templates
	MemoryMax int64         // bytes; 0 sets no limit
	BatchSize int           // bytes at which a batch is sealed
	Linger    time.Duration // age at which a batch is sealed
	SinkDepth int           // batches of a worker that may wait for the sink

	Addr             string   // host:port of the web server; "" is none
	AddrHosts        []string // names that the web server answers to, besides those of this host
	AddrTokenFile    string   // file with the token that other hosts need for POST; "" is none
	WebConfigFile    string   // Prometheus' web configuration file, for TLS and users; "" is none
	TemplatesPath    string   // path of the templates page; "" is none
	MetricsExporters int      // exporters with metrics of their own
	Goflow2          Goflow2
	Handover         string // path of the Unix socket over which a new process takes over; "" for none
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
	more    []output.Kind // outputs in addition to those of the registry
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
//
// more are outputs in addition to those of the registry.
func Parse(args []string, environ []string, w io.Writer, more ...output.Kind) (*Config, error) {
	return parse(args, environ, w, net.DefaultResolver.LookupNetIP, more...)
}

func parse(args, environ []string, w io.Writer, find lookup, more ...output.Kind) (*Config, error) {
	c := newConfig(more...)
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
	if c.Mapping.Compat == "goflow2" && c.Sources["addr"] == "default" {
		c.Addr, c.Sources["addr"] = goflow2Addr, "-compat goflow2"
	}
	c.hashAlone(t)
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
	faults = append(faults, c.secrets(environ)...)
	if len(faults) > 0 {
		return nil, usageError(faults)
	}
	c.addNotes()
	return c, nil
}

// hashAlone makes the sampler's address the key of messages where hashing is asked for and no
// key is given, as goflow2 v1 does. A mapping file may have a key.
func (c *Config) hashAlone(t *Table) {
	o := find(t.Options, "transport.kafka.hashing")
	if o == nil || o.Value.Get() != "true" || c.Transport != "kafka" || len(c.Mapping.Hash) > 0 || c.Mapping.File != "" {
		return
	}
	c.Mapping.Hash, c.Sources["format.hash"] = []string{"sampler_address"}, "-transport.kafka.hashing"
	c.Notes = append(c.Notes, "-transport.kafka.hashing without -format.hash: the key of messages is sampler_address, as in goflow2 v1")
}

// goflow2Addr is where goflow2 serves its metrics unless told otherwise.
const goflow2Addr = ":8080"

// Default returns the configuration that no file, variable or flag changed.
func Default() *Config {
	c := newConfig()
	c.Sources = map[string]string{}
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
			faults = append(faults, c.faultsOf("listen", &option.Problem{
				Part: option.Show(l.RawURI), Index: i, Text: "host " + option.Show(l.Host) + " is not resolved", Allowed: allowedHost,
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
	if concerns(have, "config") {
		return nil
	}
	out := append(rawFaults(c.Produce, c.Format, c.faultsOf), c.Watch.faults(c.faultsOf)...)
	if c.TemplatesPath != "" && c.TemplatesPath == c.Goflow2.MetricsPath && !concerns(have, "templates.path") {
		out = append(out, c.faultsOf("metrics.path", &option.Problem{Text: "path is that of the templates too", Allowed: "another path than templates.path"})...)
	}
	return append(out, c.outputFaults(have)...)
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
	c.Notes = append(c.Notes, c.outputNotes()...)
}

// A Setting is one line of the effective configuration.
type Setting struct{ Name, Value, Source string }

// Settings returns the effective configuration in the order of the help.
func (c *Config) Settings() []Setting { return settingsOf(c.options(), c.Sources) }

func settingsOf(options []option.Option, sources map[string]string) []Setting {
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
func (c *Config) Render() string { return RenderSettings(c.Settings()) }

// RenderSettings returns settings as lines of name, value and source.
func RenderSettings(settings []Setting) string {
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
	quoted := option.Show(v)
	if v == "" || strings.ContainsAny(v, " ") || quoted != `"`+v+`"` && !strings.Contains(v, `\`) {
		return quoted
	}
	return v
}

// Changed returns the names of the options that have another value in next, in the order
// of the help.
func (c *Config) Changed(next *Config) (names []string) {
	options := c.options()
	for _, o := range next.options() {
		if had := find(options, o.Name); had != nil && had.Value.Get() != o.Value.Get() {
			names = append(names, o.Name)
		}
	}
	return names
}

// Live reports whether a reload changes the option of that name.
func (c *Config) Live(name string) bool {
	o := find(c.options(), name)
	return o != nil && o.Live
}

// Asked reports whether the option's value in force was given, and is not the default.
func (c *Config) Asked(name string) bool {
	return strings.TrimSuffix(c.Sources[name], pendingRestart) != "default"
}

// Retain gives the options of these names the values that they have in before, which are
// in force until weir is started again.
func (c *Config) Retain(before *Config, names []string) error {
	for _, name := range names {
		was, o := find(before.options(), name), find(c.options(), name)
		if err := o.Value.Set(was.Value.Get()); err != nil {
			return fmt.Errorf("keep the value of -%s: %w", name, err)
		}
		if name == "listen" {
			c.Listen = before.Listen // with the addresses that names had
		}
		if c.Sources[name] = before.Sources[name]; !strings.HasSuffix(before.Sources[name], pendingRestart) {
			c.Sources[name] += pendingRestart
		}
	}
	return nil
}

// pendingRestart follows the source of a value that another one takes the place of at the
// next start.
const pendingRestart = " (changed: restart weir)"
