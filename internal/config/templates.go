package config

import (
	"strconv"
	"time"
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

// templateOptions declares the options of templates, and of memory.
func (c *Config) templateOptions() []Option {
	t := &c.Templates
	option := func(name, def, shape string, v Value, help string) Option {
		return Option{Name: "templates." + name, Group: GroupTemplates, Default: def, Shape: shape, Value: v, Help: help}
	}
	ttl := option("ttl", "0", "duration", DurationValue(&t.TTL, time.Second, 366*24*time.Hour, "never"),
		"Forget templates that were not announced for this long. 0 never does.")
	ttl.Inner = "age"
	return []Option{
		ttl,
		option("ttl.extend-on-access", "false", "true|false", SwitchValue(&t.ExtendOnAccess),
			"Let the use of a template count like an announcement."),
		option("sweep-interval", "1m", "duration", DurationValue(&t.SweepInterval, time.Second, 24*time.Hour, ""),
			"How often to look for templates that are too old."),
		option("key-port", "off", "off|on|auto", ChoiceValue(&t.KeyPort, Choices{Allowed: []string{"off", "on", "auto"}}),
			"Whether exporters of one address are told apart by their source port. off keeps templates over a restart of the exporter and through NAT; on is for several exporters behind one address; auto is off until two ports announce one template differently, and on from then for that observation domain."),
		option("max-domains", "100000", "n", IntValue(&t.MaxDomains, 1, 10_000_000),
			"Exporters, times their observation domains, to keep templates of. When there are more, the one that was of least use goes, but none that sent data for minutes."),
		option("max-per-domain", "4096", "n", IntValue(&t.MaxPerDomain, 1, 65280),
			"Templates of one observation domain."),
		option("max-fields", "1024", "n", IntValue(&t.MaxFields, 1, 16384),
			"Fields of one template."),
		option("max-bytes", "128MiB", "size", SizeValue(&t.MaxBytes, 1<<20, 1<<40, ""),
			"Memory of all templates. Those that are alike share most of theirs. One observation domain may have an eighth."),
		option("max-samplers", "100000", "n", IntValue(&t.MaxSamplers, 0, 10_000_000),
			"Sampling rates by sampler that options data of all exporters may announce; one observation domain may have 1024."),
		option("pending", "64MiB,10s,100000", "size,duration,n", pendingValue(&t.Pending),
			"Room for data that comes before its template, and how long it waits; the third is the number of data sets and may be left out. Data of one template may take an eighth. 0 holds none."),
		option("json.path", "", "path", TextValue(&t.StatePath),
			"File to keep templates, sampling rates and what is known of exporters in, over a restart. It is written on change, at most once a second. Empty is templates.json in the state directory that systemd gives, and none where there is none."),
		option("json.interval", "10s", "duration", DurationValue(&t.StateInterval, time.Second, 24*time.Hour, ""),
			"How often to save what is no change of templates: when they were used last, and counts."),
		{
			Name: "memory.max", Group: GroupRun, Default: "512MiB", Shape: "size",
			Value: SizeValue(&c.MemoryMax, 64<<20, 1<<44, "no limit"),
			Help:  "Memory that weir keeps within as far as it can, beside the packet memory of XDP and the sockets' receive buffers. The tables that the network fills, and batches, have limits of their own: where these add up to more, a start says so, or raises the limit if it was not set. 0 sets no limit.",
		},
	}
}

const allowedPending = "size,duration or size,duration,n, such as 64MiB,10s,100000: 1MiB to 1TiB, 100ms to 10m, 1 to 10000000; or 0 for none"

// pendingValue is size, duration and number, or 0.
func pendingValue(p *Pending) Value {
	const allowed = allowedPending
	const sets = 100_000
	return Value{
		List: true,
		Set: func(s string) error {
			if s == "0" {
				*p = Pending{}
				return nil
			}
			parts := split(s)
			if len(parts) < 2 || len(parts) > 3 {
				return &Problem{Text: "not a size and a duration", Allowed: allowed}
			}
			v := Pending{Sets: sets}
			var err error
			if v.Bytes, err = ParseSize(parts[0]); err != nil {
				return &Problem{Text: show(parts[0]) + " is not a size", Allowed: allowed}
			}
			if v.Age, err = time.ParseDuration(parts[1]); err != nil {
				return &Problem{Text: show(parts[1]) + " is not a duration", Allowed: allowed}
			}
			if len(parts) == 3 {
				if v.Sets, err = strconv.Atoi(parts[2]); err != nil {
					return &Problem{Text: show(parts[2]) + " is not a number", Allowed: allowed}
				}
			}
			*p = v
			return nil
		},
		Get: func() string {
			if *p == (Pending{}) {
				return "0"
			}
			return FormatSize(p.Bytes) + "," + formatDuration(p.Age) + "," + strconv.Itoa(p.Sets)
		},
		Check: func() error {
			if *p == (Pending{}) {
				return nil
			}
			if p.Bytes < 1<<20 || p.Bytes > 1<<40 || p.Age < 100*time.Millisecond || p.Age > 10*time.Minute || p.Sets < 1 || p.Sets > 10_000_000 {
				return &Problem{Text: "out of range", Allowed: allowed}
			}
			return nil
		},
	}
}
