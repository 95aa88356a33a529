package top

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Screen is what happened between two readings, and how much there is now.
type Screen struct {
	Addr      string
	Reading   *Reading
	Seconds   float64 // between the readings; 0 for one since the start of weir
	Datagrams float64 // a second, as all rates
	ByPath    map[string]float64
	Bytes     float64
	Records   float64
	Written   float64
	CPU       float64 // CPUs
	List      []Exporter
}

// An Exporter is a line of the list: rates a second.
type Exporter struct {
	Name                                             string
	Records, Datagrams, Bytes, Lost, Failed, Limited float64
	Silent                                           time.Duration // since the last datagram; negative if not known
}

// NewScreen compares two readings. Without an earlier one, or after weir was started again,
// rates are those since the start of weir.
func NewScreen(addr string, before, now *Reading) *Screen {
	s := &Screen{Addr: addr, Reading: now, ByPath: map[string]float64{}}
	if before != nil && before.Started.Equal(now.Started) {
		s.Seconds = now.At.Sub(before.At).Seconds()
	} else {
		before = &Reading{At: now.Started}
	}
	seconds := max(now.At.Sub(before.At).Seconds(), 0.001)
	rate := func(was, is float64) float64 { return max(is-was, 0) / seconds }
	for path, n := range now.Received {
		s.ByPath[path] = rate(before.Received[path], n)
		s.Datagrams += s.ByPath[path]
	}
	s.Bytes, s.Records = rate(before.ReceivedBytes, now.ReceivedBytes), rate(before.Produced, now.Produced)
	s.Written, s.CPU = rate(before.Acknowledged, now.Acknowledged), rate(before.CPUSeconds, now.CPUSeconds)
	for name, c := range now.Named {
		was := before.Named[name]
		if was == nil {
			was = &Counts{}
			if s.Seconds > 0 { // it got a name meanwhile: what it counted before is no rate
				was = c
			}
		}
		e := Exporter{Name: clean(name), Records: rate(was.Records, c.Records), Datagrams: rate(was.Datagrams, c.Datagrams), Bytes: rate(was.Bytes, c.Bytes),
			Lost: rate(was.Lost, c.Lost), Failed: rate(was.Failed, c.Failed), Limited: rate(was.Limited, c.Limited), Silent: -1}
		if !c.LastSeen.IsZero() {
			e.Silent = max(now.At.Sub(c.LastSeen), 0)
		}
		s.List = append(s.List, e)
	}
	return s
}

// clean makes text from the network harmless for a terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// Orders are the columns that the list can be sorted by.
var Orders = []string{"records", "datagrams", "bytes", "lost", "failed", "silent", "exporter"}

// Sorted returns the exporters whose names contain filter, in an order: the greatest first, but
// names from the first on.
func (s *Screen) Sorted(order, filter string) []Exporter {
	var list []Exporter
	for _, e := range s.List {
		if strings.Contains(e.Name, filter) {
			list = append(list, e)
		}
	}
	value := func(e *Exporter) float64 {
		switch order {
		case "records":
			return e.Records
		case "datagrams":
			return e.Datagrams
		case "bytes":
			return e.Bytes
		case "lost":
			return e.Lost
		case "failed":
			return e.Failed + e.Limited
		case "silent":
			return e.Silent.Seconds()
		}
		return 0
	}
	slices.SortFunc(list, func(a, b Exporter) int {
		return cmp.Or(cmp.Compare(value(&b), value(&a)), strings.Compare(a.Name, b.Name))
	})
	return list
}

// count writes a number in at most six characters: 12345, 123.4k, 1.2M.
func count(v float64) string {
	for _, unit := range []string{"", "k", "M", "G", "T"} {
		switch {
		case unit == "" && v < 99_999.5:
			if v != math.Trunc(v) && v < 99.95 {
				return fmt.Sprintf("%.1f", v)
			}
			return fmt.Sprintf("%.0f", v)
		case unit != "" && v < 999.95:
			return fmt.Sprintf("%.1f%s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.0fT", 1000*v)
}

// age writes a time since something.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// Head returns the lines above the list.
func (s *Screen) Head() []string {
	r := s.Reading
	since := fmt.Sprintf("rates of the last %.1f s", s.Seconds)
	if s.Seconds == 0 {
		since = "rates since weir's start"
	}
	paths := []string{"sockets " + count(s.ByPath["udp"]) + "/s"}
	if len(r.Captures) > 0 || r.Received["xdp"] > 0 {
		paths = append(paths, "XDP "+count(s.ByPath["xdp"])+"/s", "in rings "+count(r.FramesWaiting))
	}
	lines := []string{
		fmt.Sprintf("weir %s  %s  up %s  %s", clean(r.Version), s.Addr, age(r.At.Sub(r.Started)), since),
		fmt.Sprintf("health     %s%s", clean(r.Health.Status), note(r.LastReloadFailed, "  the last reload was refused")),
		fmt.Sprintf("received   %s datagrams/s  %sB/s  %s", count(s.Datagrams), count(s.Bytes), strings.Join(paths, "  ")),
		fmt.Sprintf("records    %s/s  written %s/s  in flight %s  spooled %s", count(s.Records), count(s.Written), count(r.InFlight), count(r.Spooled)),
		fmt.Sprintf("process    %.0f %% of a CPU  memory %.0f of %.0f MiB", 100*s.CPU, r.Resident/(1<<20), r.Limit/(1<<20)),
		fmt.Sprintf("tables     %s of %s exporters, %s silent  %s templates", count(r.Exporters), count(r.ExportersMax), count(r.Silent), count(r.Templates)),
	}
	for _, name := range sortedKeys(r.Captures) {
		lines = append(lines, fmt.Sprintf("capture    %s %s", clean(name), clean(r.Captures[name])))
	}
	return append(lines, s.losses()...)
}

func note(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

func sortedKeys(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// losses returns a line for each place that lost something in the last minute or is not well.
func (s *Screen) losses() (lines []string) {
	for _, p := range s.Reading.Health.Places {
		if p.Minute == 0 && p.Status == "ok" {
			continue
		}
		lines = append(lines, fmt.Sprintf("%-21s  %s %s in the last minute, %s in all", clean(p.Place), count(p.Minute), clean(p.Unit), count(p.Lost)))
	}
	if lines == nil {
		return []string{"loss       none in the last minute"}
	}
	return append([]string{"loss"}, indent(lines)...)
}

func indent(lines []string) []string {
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return lines
}

// The list needs listWidth columns beside the names, which take nameLeast to nameMost of them.
const listWidth, nameLeast, nameMost = 56, 24, 39

// nameWidth returns how wide names may be on a screen.
func nameWidth(width int) int { return min(max(width-listWidth, nameLeast), nameMost) }

// row lays out a line of the list.
func row(width int, name, records, datagrams, bytes, lost, failed, seen string) string {
	return fmt.Sprintf("%-*s %9s %9s %9s %8s %8s %7s", width, cut(name, width), records, datagrams, bytes, lost, failed, seen)
}

// heading is the line above the list; names are of that width.
func heading(width int) string {
	return row(width, "EXPORTER", "RECORDS/S", "DGRAMS/S", "BYTES/S", "LOST/S", "FAILED/S", "SEEN")
}

// line returns the line of an exporter.
func (e *Exporter) line(width int) string {
	return row(width, e.Name, count(e.Records), count(e.Datagrams), count(e.Bytes), count(e.Lost), count(e.Failed+e.Limited), age(e.Silent))
}

// Summary says what the list has.
func (s *Screen) Summary(list []Exporter, order, filter string) string {
	text := fmt.Sprintf("%s of %s exporters have metrics (-metrics.exporters)", count(float64(len(s.List))), count(s.Reading.Exporters))
	if filter != "" {
		text = fmt.Sprintf("%d match %q; %s", len(list), clean(filter), text)
	}
	return "by " + order + ": " + text
}

// Text returns the whole screen, with rows exporters at most (0 for all), for -once.
func (s *Screen) Text(order, filter string, rows int) string {
	list := s.Sorted(order, filter)
	lines := append(s.Head(), "", s.Summary(list, order, filter), heading(nameMost))
	for i := range list {
		if rows > 0 && i == rows {
			break
		}
		lines = append(lines, list[i].line(nameMost))
	}
	return strings.Join(lines, "\n") + "\n"
}

// cut shortens a line to a width.
func cut(line string, width int) string {
	if r := []rune(line); len(r) > width {
		return string(r[:max(width-1, 0)]) + "…"
	}
	return line
}
