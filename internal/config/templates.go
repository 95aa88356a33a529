package config

import (
	"strconv"
	"time"

	"github.com/weirflow/weir/internal/option"
)

// Templates says how templates are kept, and the data that waits for them.
type Templates struct {
	TTL            time.Duration // 0 is never
	SweepInterval  time.Duration
	ExtendOnAccess bool
	KeyPort        string // "off", "on", "auto"

	// What the network can make the store hold.
	MaxDomains   int
	MaxPerDomain int
	MaxFields    int
	MaxBytes     int64
	MaxSamplers  int

	Pending Pending

	// StatePath is the file that templates and other state are kept in; ""
	// is templates.json in the state directory that systemd gives, and none
	// where there is none.
	StatePath string
	// StateInterval is how often what changes all the time is saved beside
	// what is saved on change.
	StateInterval time.Duration
}

// Pending bounds the data that waits for its template.
type Pending struct {
	Bytes int64 // 0 holds none
	Age   time.Duration
	Sets  int
}

// keyPortOption declares whether the source port belongs to an exporter.
func keyPortOption(p *string) option.Option {
	return option.Option{
		Name: "templates.key-port", Group: option.GroupTemplates, Default: "auto", Shape: "off|on|auto",
		Value: option.ChoiceValue(p, option.Choices{Allowed: []string{"off", "on", "auto"}}),
		Help:  "Whether templates, sampling rates and sequence numbers belong to a source port of an exporter. auto: they do, but a new port takes over what the other ports of its address agree on once those have been silent for 2 s, as after a restart. on: they do, without exception. off: they belong to the address.",
	}
}

// pendingOption declares the limits of data that comes before its template.
func pendingOption(p *Pending) option.Option {
	return option.Option{
		Name: "templates.pending", Group: option.GroupTemplates, Default: "64MiB,10s,100000", Shape: "size,duration,n",
		Value: pendingValue(p),
		Help:  "Limits of data that comes before its template: bytes, time, and number of data sets, which may be left out. Data of one template may use an eighth. 0 keeps none.",
	}
}

// templateOptions declares the options of templates, and of memory.
func (c *Config) templateOptions() []option.Option {
	t := &c.Templates
	add := func(name, def, shape string, v option.Value, help string) option.Option {
		return option.Option{Name: "templates." + name, Group: option.GroupTemplates, Default: def, Shape: shape, Value: v, Help: help}
	}
	ttl := add("ttl", "0", "duration", option.DurationValue(&t.TTL, time.Second, 366*24*time.Hour, "never"),
		"Forget templates that were not announced for this long. 0 never does.")
	ttl.Inner = "age"
	return []option.Option{
		ttl,
		add("ttl.extend-on-access", "false", "true|false", option.SwitchValue(&t.ExtendOnAccess),
			"Count the use of a template like an announcement, for templates.ttl."),
		add("sweep-interval", "1m", "duration", option.DurationValue(&t.SweepInterval, time.Second, 24*time.Hour, ""),
			"How often to remove templates that are older than templates.ttl."),
		keyPortOption(&t.KeyPort),
		add("max-domains", "100000", "n", option.IntValue(&t.MaxDomains, 1, 10_000_000),
			"Maximum number of observation domains of all exporters with templates. A new one replaces the least useful one, never one that has sent data for minutes."),
		add("max-per-domain", "4096", "n", option.IntValue(&t.MaxPerDomain, 1, 65280),
			"Maximum number of templates of one observation domain."),
		add("max-fields", "1024", "n", option.IntValue(&t.MaxFields, 1, 16384),
			"Maximum number of fields of one template."),
		add("max-bytes", "128MiB", "size", option.SizeValue(&t.MaxBytes, 1<<20, 1<<40, ""),
			"Maximum memory of all templates. Equal templates share most of theirs. One observation domain may use an eighth."),
		add("max-samplers", "100000", "n", option.IntValue(&t.MaxSamplers, 0, 10_000_000),
			"Maximum number of sampling rates by sampler, announced in options data, of all exporters. One observation domain may have 1024."),
		pendingOption(&t.Pending),
		add("json.path", "", "path", option.TextValue(&t.StatePath),
			"File that keeps templates, sampling rates and exporters over a restart. weir writes it on change, at most once a second. Empty is templates.json in the state directory that systemd gives; without systemd there is no file."),
		add("json.interval", "10s", "duration", option.DurationValue(&t.StateInterval, time.Second, 24*time.Hour, ""),
			"How often to save times of last use and counts, when no template changed."),
		{
			Name: "memory.max", Group: option.GroupRun, Default: "512MiB", Shape: "size",
			Value: option.SizeValue(&c.MemoryMax, 64<<20, 1<<44, "no limit"),
			Help:  "Memory limit, without the packet memory of XDP and the sockets' receive buffers. It is a soft limit of the Go runtime. Tables and batches have limits of their own. If these add up to more, weir logs a warning at the start, or raises the limit if it was not set. 0 sets no limit.",
		},
	}
}

const allowedPending = "size,duration or size,duration,n, such as 64MiB,10s,100000: 1MiB to 1TiB, 100ms to 10m, 1 to 10000000; or 0 for none"

// pendingValue is size, duration and number, or 0.
func pendingValue(p *Pending) option.Value {
	const allowed = allowedPending
	const sets = 100_000
	return option.Value{
		List: true,
		Set: func(s string) error {
			if s == "0" {
				*p = Pending{}
				return nil
			}
			parts := option.Split(s)
			if len(parts) < 2 || len(parts) > 3 {
				return &option.Problem{Text: "not a size and a duration", Allowed: allowed}
			}
			v := Pending{Sets: sets}
			var err error
			if v.Bytes, err = option.ParseSize(parts[0]); err != nil {
				return &option.Problem{Text: option.Show(parts[0]) + " is not a size", Allowed: allowed}
			}
			if v.Age, err = time.ParseDuration(parts[1]); err != nil {
				return &option.Problem{Text: option.Show(parts[1]) + " is not a duration", Allowed: allowed}
			}
			if len(parts) == 3 {
				if v.Sets, err = strconv.Atoi(parts[2]); err != nil {
					return &option.Problem{Text: option.Show(parts[2]) + " is not a number", Allowed: allowed}
				}
			}
			*p = v
			return nil
		},
		Get: func() string {
			if *p == (Pending{}) {
				return "0"
			}
			return option.FormatSize(p.Bytes) + "," + option.FormatDuration(p.Age) + "," + strconv.Itoa(p.Sets)
		},
		Check: func() error {
			if *p == (Pending{}) {
				return nil
			}
			if p.Bytes < 1<<20 || p.Bytes > 1<<40 || p.Age < 100*time.Millisecond || p.Age > 10*time.Minute || p.Sets < 1 || p.Sets > 10_000_000 {
				return &option.Problem{Text: "out of range", Allowed: allowed}
			}
			return nil
		},
	}
}
