package top

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// si writes a number in at most five columns: 3.2, 94, 1.23k, 131k, 2.18M. Unknown is -.
func si(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	if v < 0 {
		return "-" + si(-v)
	}
	for _, unit := range []string{"", "k", "M", "G", "T", "P"} {
		switch {
		case v < 9.995 && unit == "":
			return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
		case v < 9.995:
			return strconv.FormatFloat(v, 'f', 2, 64) + unit
		case v < 99.95 && unit != "":
			return strconv.FormatFloat(v, 'f', 1, 64) + unit
		case v < 999.5:
			return strconv.FormatFloat(v, 'f', 0, 64) + unit
		}
		v /= 1000
	}
	return "huge"
}

// compact writes a count in at most six columns, whole where it fits.
func compact(n uint64) string {
	if n < 1_000_000 {
		return strconv.FormatUint(n, 10)
	}
	return si(float64(n))
}

// group writes a count with a comma between thousands.
func group(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// whole turns a value of a metric into a count.
func whole(v float64) uint64 {
	if !(v > 0) || v > math.MaxInt64 {
		return 0
	}
	return uint64(v)
}

// size writes bytes in binary units.
func size(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return "-"
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for v >= 1023.5 && i < len(units)-1 {
		v /= 1024
		i++
	}
	digits := 0
	if i > 0 && v < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + units[i]
}

// bits writes bytes a second as bits a second.
func bits(bytes float64) string {
	s := si(bytes * 8)
	if s == "-" {
		return "-"
	}
	last := s[len(s)-1]
	if last >= '0' && last <= '9' {
		return s + " bit/s"
	}
	return s[:len(s)-1] + " " + string(last) + "bit/s"
}

// span writes a duration with its two largest units: 12s, 3m12s, 2h05m, 5d03h.
func span(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	two := func(a int64, ua string, b int64, ub string) string {
		text := strconv.FormatInt(b, 10)
		if b < 10 {
			text = "0" + text
		}
		return strconv.FormatInt(a, 10) + ua + text + ub
	}
	switch {
	case s < 60:
		return strconv.FormatInt(s, 10) + "s"
	case s < 3600:
		return two(s/60, "m", s%60, "s")
	case s < 86400:
		return two(s/3600, "h", s/60%60, "m")
	}
	return two(s/86400, "d", s/3600%24, "h")
}

// since writes how long ago t was, - for never.
func since(now, t time.Time) string {
	if t.IsZero() || t.Unix() <= 0 {
		return "-"
	}
	return span(now.Sub(t))
}

// The steps of a line of history, and those for terminals without Unicode.
var (
	steps      = []rune("▁▂▃▄▅▆▇█")
	plainSteps = []rune("_.-=+*%#")
)

// history draws the last values in a line of at most width columns, the highest of them as the
// highest step. Unknown ones are blank.
func history(values []float64, width int, steps []rune) string {
	if width <= 0 {
		return ""
	}
	values = values[max(0, len(values)-width):]
	high := 0.0
	for _, v := range values {
		if v > high {
			high = v
		}
	}
	var b strings.Builder
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			b.WriteByte(' ')
		case high == 0:
			b.WriteRune(steps[0])
		default:
			b.WriteRune(steps[int(math.Round(v/high*float64(len(steps)-1)))])
		}
	}
	return b.String()
}

// left pads a text to a width with spaces after it, and cuts what is longer.
func left(s string, width int) string {
	s = cut(s, width)
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}

// right pads a text to a width with spaces before it, and cuts what is longer.
func right(s string, width int) string {
	s = cut(s, width)
	return strings.Repeat(" ", max(0, width-ansi.StringWidth(s))) + s
}

// cut shortens a text to a width. What was cut is shown by two dots.
func cut(s string, width int) string { return ansi.Truncate(s, max(0, width), "..") }

// middle shortens an address in its middle, since its two ends say most.
func middle(s string, width int) string {
	if len(s) <= width || width < 8 {
		return cut(s, width)
	}
	head := (width - 2) / 2
	return s[:head] + ".." + s[len(s)-(width-2-head):]
}

// wrap breaks text between words into lines of at most width columns, and words that are
// longer anywhere. There is at least one line.
func wrap(s string, width int) []string {
	width = max(10, width)
	lines := []string{""}
	for _, word := range strings.Fields(s) {
		last := &lines[len(lines)-1]
		w := ansi.StringWidth(word)
		switch {
		case *last == "" && w <= width:
			*last = word
		case *last != "" && ansi.StringWidth(*last)+1+w <= width:
			*last += " " + word
		case w <= width:
			lines = append(lines, word)
		default:
			pieces := strings.Split(ansi.Hardwrap(word, width, true), "\n")
			if *last == "" {
				lines = lines[:len(lines)-1]
			}
			lines = append(lines, pieces...)
		}
	}
	return lines
}

// style colors and marks text. Without color it still uses bold and reverse.
type style struct {
	color bool
	steps []rune
}

func (s style) paint(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[m"
}

func (s style) good(text string) string { return s.paint("32", text) }
func (s style) warn(text string) string { return s.paint("33", text) }
func (s style) bad(text string) string  { return s.paint("1;31", text) }
func (s style) name(text string) string { return s.paint("36", text) }

// bold and reverse are no colors.
func (s style) bold(text string) string    { return "\x1b[1m" + text + "\x1b[m" }
func (s style) reverse(text string) string { return "\x1b[7m" + text + "\x1b[m" }

// status colors the status of weir or of a place.
func (s style) status(status text, shown string) string {
	switch status {
	case "ok":
		return s.good(shown)
	case "degraded":
		return s.warn(shown)
	}
	return s.bad(shown)
}
