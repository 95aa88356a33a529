package config

import (
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// levelValue is a log level by name, in any case.
func levelValue(p *slog.Level) option.Value {
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	same := map[string]string{"trace": "debug", "warning": "warn", "fatal": "error", "panic": "error"} // of goflow2 v1
	bad := &option.Problem{Text: "unknown log level", Allowed: "debug, info, warn, error"}
	return option.Value{
		Set: func(s string) error {
			if other := same[strings.ToLower(s)]; other != "" {
				s = other
			}
			for _, l := range levels {
				if strings.EqualFold(s, l.String()) {
					*p = l
					return nil
				}
			}
			return bad
		},
		Get: func() string { return strings.ToLower(p.String()) },
		Check: func() error {
			if !slices.Contains(levels, *p) {
				return bad
			}
			return nil
		},
	}
}

// rateValue is a sampling rate: 0 for none, or the N of 1:N in 32 bits.
func rateValue(p *uint64) option.Value {
	const allowed = "0 for none, or N from 1 to 4294967295 for 1 packet in N"
	return option.Value{
		Set: func(s string) error {
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				return &option.Problem{Text: "not a sampling rate", Allowed: allowed}
			}
			*p = n
			return nil
		},
		Get: func() string { return strconv.FormatUint(*p, 10) },
		Check: func() error {
			if *p > 1<<32-1 {
				return &option.Problem{Text: "out of range", Allowed: allowed}
			}
			return nil
		},
	}
}

// pathValue is the path of a page of the web server, or empty.
func pathValue(p *string) option.Value {
	const allowed = "a path that starts with /, has letters, digits and -._~/ only and is not that of another page (/metrics, /__health, /health, /config, /exporters, /-/reload), or empty for no such page"
	v := option.TextValue(p)
	v.Check = func() error {
		s := *p
		switch {
		case s == "":
			return nil
		case s[0] != '/':
			return &option.Problem{Text: "path does not start with /", Allowed: allowed}
		case slices.Contains([]string{"/", "/metrics", "/__health", "/health", "/config", "/exporters", "/-/reload"}, strings.TrimSuffix(s, "/")), s == "/":
			return &option.Problem{Text: "path is taken", Allowed: allowed}
		case path.Clean(s) != strings.TrimSuffix(s, "/"):
			return &option.Problem{Text: "path has empty, . or .. elements", Allowed: allowed}
		}
		for _, r := range s {
			if !isAlnum(r) && !strings.ContainsRune("-._~/", r) {
				return &option.Problem{Text: "path has the character " + option.Show(string(r)), Allowed: allowed}
			}
		}
		return nil
	}
	return v
}

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// cpusValue is a list of CPU numbers and ranges.
func cpusValue(p *[]int) option.Value {
	return option.Value{
		List: true,
		Set: func(s string) error {
			cpus, err := parseCPUs(s)
			if err != nil {
				return err
			}
			*p = cpus
			return nil
		},
		Get: func() string { return formatCPUs(*p) },
		Check: func() error {
			_, err := parseCPUs(formatCPUs(*p))
			return err
		},
	}
}
