package option

import (
	"math"
	"strconv"
	"strings"
	"time"
)

type unit struct {
	name  string
	bytes int64
}

// units are the suffixes of sizes, in lower case; the ones that FormatSize
// prints first.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3},
		{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10},
		{"B", 1},
	}
}

// SizeForms says which texts ParseSize understands.
const SizeForms = "a number of bytes such as 4096, 256KiB, 512MiB or 1GB (Ki, Mi, Gi, Ti and bare K, M, G, T count in 1024, KB, MB, GB, TB in 1000)"

// ParseSize reads a number of bytes with an optional unit, in any case:
// 4096, 64k, 512MiB, 1 GB. KiB, MiB, GiB, TiB and K, M, G, T count in 1024;
// KB, MB, GB, TB count in 1000. The error is a *Problem.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimSpace(s)
	factor := int64(1)
	for _, u := range units() {
		if n := len(digits) - len(u.name); n > 0 && strings.EqualFold(digits[n:], u.name) {
			digits, factor = strings.TrimSpace(digits[:n]), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, &Problem{Text: "not a size", Allowed: SizeForms}
	}
	if n > math.MaxInt64/uint64(factor) {
		return 0, &Problem{Text: "size too large", Allowed: SizeForms}
	}
	return int64(n) * factor, nil
}

// FormatSize prints a number of bytes exactly, in the largest unit that
// divides it, so that ParseSize gives the same number back.
func FormatSize(n int64) string {
	for _, u := range units()[:8] {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// FormatDuration prints a duration without the zero parts that
// time.Duration's String adds: 1h, not 1h0m0s.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// EscapeForms says which texts an EscapedValue understands.
const EscapeForms = `any text, with \n newline, \t tab, \r carriage return, \0 zero byte, \\ backslash; empty for none`

// unescape replaces the escapes that a shell or a plain YAML value leaves in
// a separator.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", &Problem{Text: "backslash at the end", Allowed: EscapeForms}
		}
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '0':
			b.WriteByte(0)
		case '\\':
			b.WriteByte('\\')
		default:
			return "", &Problem{Text: "unknown escape " + Show(s[i-1:i+1]), Allowed: EscapeForms}
		}
	}
	return b.String(), nil
}

// escape is the inverse of unescape.
func escape(s string) string {
	return strings.NewReplacer("\\", `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "\x00", `\0`).Replace(s)
}
