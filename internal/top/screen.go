package top

import (
	"fmt"
	"math"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/weirflow/weir/internal/places"
)

// screen returns the lines of the screen, as many as it has and none longer than it is wide.
func (m *model) screen() string {
	var lines []string
	switch {
	case m.help:
		lines = m.scrolled([]string{m.title()}, m.helpLines())
	case m.view == viewLoss:
		lines = m.scrolled([]string{m.title()}, m.lossLines())
	case m.view == viewQueues:
		lines = m.scrolled([]string{m.title()}, m.queueLines())
	case m.view == viewDetail:
		lines = m.scrolled([]string{m.title()}, m.detailLines())
	default:
		lines = m.exporterScreen()
	}
	rows := max(1, m.height-1)
	for len(lines) < rows {
		lines = append(lines, "")
	}
	lines = append(lines[:rows], m.footer())
	for i, line := range lines {
		if ansi.StringWidth(line) > m.width {
			lines[i] = ansi.Truncate(line, m.width, "..") + "\x1b[m"
		}
	}
	return strings.Join(lines, "\n")
}

// scrolled returns head and the part of the lines that m.scroll says.
func (m *model) scrolled(head, lines []string) []string {
	room := max(1, m.height-1-len(head))
	m.scroll = max(0, min(m.scroll, len(lines)-room))
	return append(head, lines[m.scroll:min(len(lines), m.scroll+room)]...)
}

// title is the first line of every screen: which weir, since when, how it is, and the time.
func (m *model) title() string {
	s := m.state
	what := "weir"
	if v := s.metrics.version(); v != "" {
		what += " " + string(v)
	}
	what = m.style.bold(cut(what, 24)) + " at " + string(clean(m.addr))
	if start, ok := s.up(); ok {
		what += ", up " + span(m.now.Add(s.skew).Sub(start))
	}
	status := text("reading")
	if s.health != nil {
		status = s.health.Status
	}
	state := m.style.status(status, strings.ToUpper(cut(string(status), 12)))
	switch {
	case s.away != nil:
		state = m.style.bad("AWAY " + span(m.now.Sub(s.awaySince)))
	case m.paused:
		state = m.style.bold("PAUSED")
	}
	state += "  " + m.now.Format("15:04:05")
	gap := m.width - ansi.StringWidth(what) - ansi.StringWidth(state)
	if gap < 1 {
		return cut(what, m.width-ansi.StringWidth(state)-1) + " " + state
	}
	return what + strings.Repeat(" ", gap) + state
}

// exporterScreen is the first screen: totals and the table of exporters.
func (m *model) exporterScreen() []string {
	head := m.headLines()
	// A low screen keeps the table rather than the totals.
	head = head[:max(1, min(len(head), m.height-6))]
	s := m.state
	known := s.totals.exporters
	if !s.swept && s.page == 0 && s.health != nil {
		known = s.health.Exporters
	}
	title := m.style.bold("Exporters") + "  " + group(uint64(max(0, known)))
	if s.totals.silent > 0 {
		title += ", " + m.style.warn(group(uint64(s.totals.silent))+" silent")
	}
	title += ", " + m.sort.String()
	if m.backwards {
		title += " (reversed)"
	}
	switch {
	case m.typing:
		title += "   filter: " + m.filter + m.style.reverse(" ")
	case m.filter != "":
		title += "   filter: " + m.filter
	}
	lines := append(head, "")
	room := max(1, m.height-1-len(lines)-2)
	m.first = max(0, min(m.first, len(m.rows)-room))
	if m.index < m.first {
		m.first = m.index
	} else if m.index >= m.first+room {
		m.first = m.index - room + 1
	}
	last := min(len(m.rows), m.first+room)
	where := ""
	if len(m.rows) > 0 {
		where = fmt.Sprintf("%d-%d of %s", m.first+1, last, group(uint64(len(m.rows))))
	}
	if !s.swept && s.page > 0 {
		where = "reading, " + group(uint64(len(s.rows))) + " so far"
	}
	gap := m.width - ansi.StringWidth(title) - len(where)
	lines = append(lines, title+strings.Repeat(" ", max(1, gap))+where, m.style.name(heading(m.width)))
	for i, r := range m.rows[m.first:last] {
		lines = append(lines, r.line(m.width, m.now, m.first+i == m.index, m.style))
	}
	if len(m.rows) == 0 {
		lines = append(lines, "  "+m.empty())
	}
	return lines
}

// empty says why the table is empty.
func (m *model) empty() string {
	switch {
	case !m.state.swept && m.state.failed[pageExporters] == nil:
		return "reading /exporters ..."
	case m.filter != "":
		return "no exporter has " + m.filter + " (esc shows all)"
	}
	return "no exporter has sent anything yet: see -listen, and what the exporters are set to send to"
}

// headLines are the totals above the table.
func (m *model) headLines() []string {
	s := m.state
	lines := []string{m.title()}
	datagrams, records := s.rates()
	lines = append(lines, m.flow("Received", datagrams, "datagrams/s", bits(s.rate("weir_datagrams_received_bytes_total")), s.datagrams))
	lines = append(lines, m.flow("Records", records, "records/s", outRate(s.rate("weir_sink_bytes_total")), s.records))
	lines = append(lines, m.named("Process", m.process()), m.named("Queues", m.queues()), m.named("Loss", m.loss()))
	if a := m.action(); a != "" {
		for i, line := range wrap(a, m.width-11)[:min(2, len(wrap(a, m.width-11)))] {
			name := ""
			if i == 0 {
				name = "To do"
			}
			lines = append(lines, m.named(name, line))
		}
	}
	if err := s.problem(); err != nil {
		what := err.Error()
		if s.away != nil {
			what += "; numbers of " + s.reached.Format("15:04:05") + "; asking again each second"
		}
		lines = append(lines, m.named("Trouble", m.style.bad(cut(what, m.width-11))))
	}
	return lines
}

func outRate(bytes float64) string {
	if math.IsNaN(bytes) {
		return "-"
	}
	return size(bytes) + "/s"
}

// named is a line with a name before it.
func (m *model) named(name, what string) string { return m.style.name(left(name, 11)) + what }

// flow is a line with a rate, its bytes and its history.
func (m *model) flow(name string, rate float64, unit, bytes string, values []float64) string {
	line := fmt.Sprintf("%6s %-12s %12s  ", si(rate), unit, bytes)
	return m.named(name, line+m.style.good(history(values, m.width-11-len(line), m.style.steps)))
}

// process is what weir takes of its host, and what does not reach the output.
func (m *model) process() string {
	s := m.state
	if s.metrics == nil {
		return "-"
	}
	cpu := "-"
	if v := s.rate("process_cpu_seconds_total"); !math.IsNaN(v) {
		cpu = fmt.Sprintf("%.0f %%", v*100)
	}
	memory := size(s.metrics.sum("process_resident_memory_bytes"))
	if limit := s.metrics.sum("weir_memory_max_bytes"); limit > 0 {
		memory += " of " + size(limit)
	}
	line := "CPU " + cpu + ", memory " + memory
	if xdp := s.rate(received, "path", "xdp"); xdp > 0 {
		line += ", " + si(xdp) + "/s by XDP"
	}
	return line
}

// queues is what waits, in a line.
func (m *model) queues() string {
	s := m.state.metrics
	if s == nil {
		return "-"
	}
	parts := []string{si(s.sum("weir_records_in_flight")) + " records in flight"}
	if s.has("weir_sets_held") {
		parts = append(parts, si(s.sum("weir_sets_held"))+" sets pending")
	}
	if rings := s.rings(); len(rings) > 0 {
		parts = append(parts, fmt.Sprintf("rings %.0f %%", rings[0].full()*100))
	}
	if s.has("weir_spool_bytes") {
		parts = append(parts, "spool "+size(s.sum("weir_spool_bytes")))
	}
	return strings.Join(parts, ", ")
}

// lossless are the places that lose no flow, or that say how many exporters are in trouble.
var lossless = func() map[text]bool {
	list := map[text]bool{}
	for i := range places.Table {
		p := &places.Table[i]
		list[text(p.Name)] = p.Lossless || p.Now
	}
	return list
}()

// loss is what was lost in the last minute, in a line.
func (m *model) loss() string {
	h := m.state.health
	if h == nil {
		return "-"
	}
	if len(h.Places) == 0 && len(h.Reasons) > 0 { // weir starts or stops
		return m.style.bad(string(h.Reasons[0]))
	}
	var lost, trouble []string
	for _, p := range h.Places {
		switch {
		case p.LastMinute == 0:
		case lossless[p.Place]:
			trouble = append(trouble, m.style.warn(fmt.Sprintf("%s %s (%s)", group(p.LastMinute), p.Unit, p.Place)))
		default:
			lost = append(lost, m.style.bad(fmt.Sprintf("%s %s (%s)", group(p.LastMinute), p.Unit, p.Place)))
		}
	}
	line := m.style.good("nothing in the last minute")
	if lost != nil {
		line = "last minute: " + strings.Join(lost, ", ")
	}
	if trouble != nil {
		line += "; " + strings.Join(trouble, ", ")
	}
	return line
}

// action is what to do about the first place that loses, or else is in trouble.
func (m *model) action() string {
	if m.state.health == nil {
		return ""
	}
	action := ""
	for _, p := range m.state.health.Places {
		if p.LastMinute == 0 || p.Action == "" {
			continue
		}
		if !lossless[p.Place] {
			return string(p.Place + ": " + p.Action)
		}
		if action == "" {
			action = string(p.Place + ": " + p.Action)
		}
	}
	return action
}

// footer is the last line: the keys that do something here.
func (m *model) footer() string {
	keys := "1 exporters  2 loss  3 queues  s sort  / filter  enter detail  ? help  q quit"
	switch {
	case m.typing:
		keys = "filter: text, prefix (192.0.2.0/24), silent or lost   enter keep  esc clear"
	case m.help, m.view == viewDetail:
		keys = "up/down scroll  esc back  p pause  ? help  q quit"
	case m.view != viewExporters:
		keys = "1 exporters  2 loss  3 queues  up/down scroll  p pause  ? help  q quit"
	}
	if m.paused {
		keys = "p continue  " + strings.Replace(keys, "p pause  ", "", 1)
	}
	return m.style.reverse(left(" "+keys, m.width))
}
