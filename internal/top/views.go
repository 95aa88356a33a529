package top

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// lossLines is every place where flows can be lost.
func (m *model) lossLines() []string {
	h := m.state.health
	if h == nil {
		return []string{"", "reading /health ..."}
	}
	lines := []string{"", m.style.bold("Loss by place") + ", in the order in which a flow comes by them", ""}
	lines = append(lines, m.style.name(left("  PLACE", 24)+right("LAST MINUTE", 12)+right("SINCE START", 15)+"  "+left("UNIT", 15)+right("LAST LOSS", 10)))
	var notes []string
	for _, p := range h.Places {
		last := "-"
		if p.LastLoss != nil {
			last = since(m.now.Add(m.state.skew), *p.LastLoss)
		}
		mark := "  "
		if p.LastMinute > 0 {
			mark = "! "
		}
		line := left(mark+string(p.Place), 24) + right(group(p.LastMinute), 12) + right(group(p.Lost), 15) + "  " + left(string(p.Unit), 15) + right(last, 10)
		switch {
		case p.LastMinute > 0:
			line = m.style.status(p.Status, line)
			notes = append(notes, "")
			for _, reason := range p.Reasons {
				notes = append(notes, wrap(string(reason), m.width)...)
			}
			notes = append(notes, indent(wrap(string(p.Action), m.width-4))...)
			if p.Runbook != "" {
				notes = append(notes, "    "+string(p.Runbook))
			}
		case p.Lost > 0:
			line = m.style.bold(line)
		}
		lines = append(lines, line)
	}
	if notes == nil {
		notes = []string{"", m.style.good("Nothing is lost at present.")}
	}
	lines = append(lines, notes...)
	return append(lines, m.reasons()...)
}

// reasons are the reasons for which records and frames were lost, and the sockets that lost
// datagrams.
func (m *model) reasons() (lines []string) {
	s := m.state.metrics
	for _, c := range []struct{ title, metric, by string }{
		{"Records dropped, by reason", "weir_records_dropped_total", "reason"},
		{"Frames lost in rings, by reason", "weir_xdp_dropped_total", "reason"},
		{"Datagrams dropped by the kernel, by socket", "weir_socket_dropped_total", "listen"},
		{"Datagrams of which nothing could be used, or that were refused, by reason", "weir_datagrams_total", "reason"},
	} {
		heading := false
		for _, n := range s.by(c.metric, c.by) {
			if c.metric == "weir_datagrams_total" {
				n.n = s.sum(c.metric, c.by, string(n.name), "outcome", "failed") + s.sum(c.metric, c.by, string(n.name), "outcome", "dropped")
			}
			if n.n <= 0 {
				continue
			}
			if !heading {
				lines = append(lines, "", m.style.bold(c.title))
				heading = true
			}
			lines = append(lines, "  "+left(string(n.name), 34)+right(group(whole(n.n)), 15))
		}
	}
	return lines
}

func indent(lines []string) []string {
	for i := range lines {
		lines[i] = "    " + lines[i]
	}
	return lines
}

// queueLines is what waits on its way through weir, and what fills its tables.
func (m *model) queueLines() []string {
	s := m.state.metrics
	if s == nil {
		return []string{"", "reading /metrics ..."}
	}
	line := func(name, value, note string) string { return "  " + left(name, 30) + right(value, 14) + "  " + note }
	number := func(metric string) string { return group(whole(s.sum(metric))) }
	lines := []string{"", m.style.bold("Queues") + ", in the order in which a flow comes by them"}
	if s.has("weir_xdp_frames_waiting") {
		lines = append(lines, line("frames in rings", number("weir_xdp_frames_waiting"), "redirected, not yet read"))
	}
	if s.has("weir_sets_held") {
		lines = append(lines, line("sets pending", number("weir_sets_held"), "wait for their template, "+size(s.sum("weir_sets_held_bytes"))),
			line("datagrams pending", number("weir_datagrams_held"), "those with these sets"))
	}
	lines = append(lines, line("records in flight", number("weir_records_in_flight"), "encoded, not yet written"))
	if s.has("weir_kafka_held_bytes") {
		lines = append(lines, line("held for Kafka", size(s.sum("weir_kafka_held_bytes")), "not yet acknowledged"))
	}
	if s.has("weir_spool_bytes") {
		lines = append(lines, line("spooled", number("weir_records_spooled"), "records on disk, "+size(s.sum("weir_spool_bytes"))))
	}
	lines = append(lines, "", m.style.bold("Output"),
		line("records acknowledged", group(whole(s.sum("weir_records_sink_total", "outcome", "acknowledged"))), perSecond(m.state.rate("weir_records_sink_total", "outcome", "acknowledged"))),
		line("records dropped", group(whole(s.sum("weir_records_sink_total", "outcome", "dropped"))), perSecond(m.state.rate("weir_records_sink_total", "outcome", "dropped"))),
		line("bytes written", size(s.sum("weir_sink_bytes_total")), outRate(m.state.rate("weir_sink_bytes_total"))))
	if rings := s.rings(); len(rings) > 0 {
		lines = append(lines, "", m.style.bold("Rings")+", the fullest first: entries that waited at most, of how many")
		for _, r := range rings {
			full := fmt.Sprintf("of %s  %3.0f %% %s", group(whole(r.size)), r.full()*100, bar(r.full(), 10))
			if r.full() > 0.8 {
				full = m.style.bad(full)
			}
			lines = append(lines, line(string(r.name), group(whole(r.high)), full))
		}
	}
	lines = append(lines, "", m.style.bold("Tables"),
		line("exporters", number("weir_exporters"), "of "+number("weir_exporters_max")+" (-exporters.max)"),
		line("templates", number("weir_templates"), size(s.sum("weir_templates_bytes"))),
		line("streams of sequence numbers", number("weir_sequence_streams"), ""))
	return lines
}

func perSecond(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return si(v) + "/s"
}

// bar draws a share of 1.
func bar(share float64, width int) string {
	n := int(math.Round(min(1, max(0, share)) * float64(width)))
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", width-n) + "]"
}

// detailLines is all about one exporter.
func (m *model) detailLines() []string {
	x := m.state.detail
	addr := string(m.plan.one)
	switch {
	case m.state.detailErr != nil:
		return []string{"", m.style.bold("Exporter " + addr), "", "weir has no entry of it any more (esc shows all)"}
	case x == nil && m.paused:
		return []string{"", m.style.bold("Exporter " + addr), "", "not read yet: p ends the pause"}
	case x == nil:
		return []string{"", m.style.bold("Exporter " + addr), "", "reading ..."}
	}
	state := m.style.good("sends")
	if x.Silent {
		state = m.style.warn("silent")
	}
	names := make([]string, len(x.Protocols))
	for i, p := range x.Protocols {
		names[i] = string(p)
	}
	lines := []string{
		"", m.style.bold("Exporter "+addr) + "  " + state, "",
		m.named("Seen", "last "+since(m.now.Add(m.state.skew), x.LastSeen)+" ago, first "+x.FirstSeen.In(m.now.Location()).Format("2006-01-02 15:04:05")),
		m.named("Sends", strings.Join(names, ", ")),
		m.named("Rates", fmt.Sprintf("%s datagrams/s, %s records/s over the last minute", si(x.DatagramRate), si(x.RecordRate))),
		m.named("In all", fmt.Sprintf("%s datagrams, %s, %s records", group(x.Datagrams), size(float64(x.Bytes)), group(x.Records))),
		m.named("Lost", "on the network: "+m.loud(units(x.Lost.Network))),
		m.named("", "here: socket "+m.loud(units(x.Lost.Here.Socket))+"; ring "+m.loud(units(x.Lost.Here.Ring))+"; restart "+m.loud(units(x.Lost.Here.Restart))),
		m.named("", "over -exporters.rate: "+m.loud(group(x.Lost.Here.Limit))+" datagrams"),
		m.named("Faulty", m.loud(group(x.Lost.Here.Decode))+" datagrams unusable, "+m.loud(group(x.Lost.Here.Incomplete))+" in part"),
		m.named("Order", fmt.Sprintf("%s reordered, %s duplicates, %s restarts", group(x.Reordered), group(x.Duplicates), group(x.Restarts))),
		m.named("Clock", clock(x.ClockSkew)),
		m.named("Templates", strconv.Itoa(x.Templates)),
	}
	lines = append(lines, m.list("Sampling", samplings(x))...)
	lines = append(lines, m.list("Names", announced(x))...)
	lines = append(lines, m.list("Ignored", elements(x))...)
	return append(lines, m.streams(x)...)
}

// loud colors a count that is not 0.
func (m *model) loud(n string) string {
	if n == "0" {
		return n
	}
	return m.style.bad(n)
}

// list is a line, or several, with a name before the first.
func (m *model) list(name string, items []string) (lines []string) {
	if len(items) == 0 {
		return nil
	}
	for i, line := range wrap(strings.Join(items, ", "), m.width-11) {
		if i > 0 {
			name = ""
		}
		lines = append(lines, m.named(name, line))
	}
	return lines
}

// clock says how far an exporter's clock is off.
func clock(skew *float64) string {
	switch {
	case skew == nil:
		return "tells no time"
	case math.Abs(*skew) < 1.5:
		return "right"
	case *skew > 0:
		return si(*skew) + " s ahead of weir's"
	}
	return si(-*skew) + " s late"
}

func samplings(x *exporter) (list []string) {
	for _, s := range x.Sampling {
		item := "1:" + group(s.Rate) + " by " + string(s.Source)
		for _, of := range []struct {
			name string
			n    *uint64
		}{{"domain", s.Domain}, {"sampler", s.Sampler}, {"interface", s.Interface}} {
			if of.n != nil {
				item += " " + of.name + " " + strconv.FormatUint(*of.n, 10)
			}
		}
		list = append(list, item)
	}
	return more(list, x.SamplingMore)
}

// announced are the names that the exporter announced, of its own choice.
func announced(x *exporter) (list []string) {
	for _, d := range x.Options {
		for kind, names := range d.Names {
			for number, name := range names {
				list = append(list, fmt.Sprintf("%s %s \"%s\"", kind, number, name))
			}
		}
	}
	slices.Sort(list)
	return more(list, 0)
}

func elements(x *exporter) (list []string) {
	for _, e := range x.Ignored {
		name := string(e.Name)
		if name == "" {
			name = "element " + strconv.FormatUint(e.Element, 10)
		}
		list = append(list, name)
	}
	return more(list, x.IgnoredMore)
}

// listed is how many items of a list are shown.
const listed = 64

// more cuts a list, and says how many items there are besides.
func more(list []string, left int) []string {
	if len(list) > listed {
		left += len(list) - listed
		list = list[:listed]
	}
	if left > 0 {
		list = append(list, strconv.Itoa(left)+" more")
	}
	return list
}

// streams is the table of the exporter's sequences of numbers.
func (m *model) streams(x *exporter) []string {
	if len(x.Streams) == 0 {
		return nil
	}
	cells := func(a, b, c, d, e, f, g string) string {
		return left(a, 11) + " " + left(b, 14) + " " + left(c, 22) + right(d, 7) + right(e, 8) + right(f, 8) + right(g, 7)
	}
	lines := []string{"", m.style.bold("Sequences of numbers"), m.style.name(cells("PROTOCOL", "DOMAIN", "COUNTS BY", "LOST", "REORDER", "DUPLIC", "STRAYS"))}
	for _, s := range x.Streams {
		domain := string(s.Source)
		if s.Domain != nil {
			domain = strconv.FormatUint(*s.Domain, 10)
		}
		if s.Port != 0 {
			domain += " port " + strconv.Itoa(int(s.Port))
		}
		lines = append(lines, cells(string(s.Protocol), domain, string(s.CountsBy), compact(s.Lost), compact(s.Reordered), compact(s.Duplicates), compact(s.Strays)))
	}
	if x.StreamsMore > 0 {
		lines = append(lines, strconv.Itoa(x.StreamsMore)+" more")
	}
	return lines
}

// helpText is the help. Columns are explained as they are called.
const helpText = `
Keys
  tab, 1 2 3     exporters, loss by place, queues and rings
  up, down, j k  move; page up, page down, home and end too
  enter          all about the exporter under the cursor; esc returns
  s, r           sort by records/s, loss, silence or address; reverse the order
  /              filter: part of an address or protocol, a prefix as
                 192.0.2.0/24, silent, or lost; esc shows all again
  p, space       pause, and continue
  q, ctrl-c      quit; ctrl-z suspends

Numbers
  k, M, G are thousands, millions and so on; KiB and MiB are of 1,024.
  Received and records: between two reads of /metrics. CPU: 100 % is one CPU.
  DGRAM/S REC/S  datagrams and flow records, over the last minute
  LOST/MIN       lost in the last minute, as far as it was watched
  LOST           lost since weir was started, in the exporter's own units:
                 on the network, and on this host (HERE)
  FAULTS         datagrams of which a part or all could not be decoded
  STATE          losing: in the last minute; silent: -exporters.silent-after
  Places of loss and what to do about each: docs/runbook.md.`

func (m *model) helpLines() []string {
	lines := strings.Split(helpText, "\n")
	for i, line := range lines {
		if line == "Keys" || line == "Numbers" {
			lines[i] = m.style.bold(line)
		}
	}
	return lines
}
