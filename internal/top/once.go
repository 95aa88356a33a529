package top

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// once writes the tables of a weir that has answered with first. Each line begins with the
// name of its table.
func once(c *client, first answer, out io.Writer) error {
	st := newState()
	st.apply(&first)
	requests := []request{{page: pageMetrics}, {page: pageExporters, limit: pageLimit}}
	for i := 0; i < len(requests); i++ {
		a := c.ask(context.Background(), requests[i])
		if a.err != nil {
			return fmt.Errorf("read %s of %s: %w", requests[i].path(), clean(c.addr), a.err)
		}
		st.apply(&a)
		if a.page == pageExporters && a.exporters.Next != "" {
			requests = append(requests, request{page: pageExporters, limit: pageLimit, after: a.exporters.Next})
		}
	}
	buffered := bufio.NewWriter(out)
	writeTables(buffered, st, c.addr, c.now())
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write tables: %w", err)
	}
	return nil
}

// writeTables writes what is known of weir. Errors of w are left to its owner.
func writeTables(w io.Writer, st *state, addr string, now time.Time) {
	// Tables are padded by themselves, with an empty line between two.
	table := func(name string, columns ...string) (row func(cells ...any), end func()) {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		row = func(cells ...any) {
			words := []string{name}
			for _, c := range cells {
				words = append(words, fmt.Sprint(c))
			}
			_, _ = fmt.Fprintln(t, strings.Join(words, "\t"))
		}
		_, _ = fmt.Fprintln(t, strings.Join(append([]string{strings.ToUpper(name)}, columns...), "\t"))
		return row, func() { _ = t.Flush() }
	}
	m, h := st.metrics, st.health
	row, end := table("total", "NAME", "VALUE")
	row("address", clean(addr).word())
	row("version", m.version().word())
	row("status", h.Status.word())
	if start, ok := st.up(); ok {
		row("uptime_seconds", int64(now.Add(st.skew).Sub(start).Seconds()))
	}
	row("datagrams_per_second", decimal(h.DatagramsPerSecond))
	row("records_per_second", decimal(h.RecordsPerSecond))
	for _, c := range []struct {
		name, metric string
		labels       []string
	}{
		{"datagrams_received", received, nil},
		{"datagrams_received_xdp", received, []string{"path", "xdp"}},
		{"bytes_received", "weir_datagrams_received_bytes_total", nil},
		{"datagrams_failed", "weir_datagrams_total", []string{"outcome", "failed"}},
		{"datagrams_dropped", "weir_datagrams_total", []string{"outcome", "dropped"}},
		{"records_produced", produced, nil},
		{"records_acknowledged", "weir_records_sink_total", []string{"outcome", "acknowledged"}},
		{"records_dropped", "weir_records_sink_total", []string{"outcome", "dropped"}},
		{"bytes_written", "weir_sink_bytes_total", nil},
		{"exporters", "weir_exporters", nil},
	} {
		row(c.name, whole(m.sum(c.metric, c.labels...)))
	}
	row("exporters_silent", st.totals.silent)
	row("memory_bytes", whole(m.sum("process_resident_memory_bytes")))
	end()

	_, _ = fmt.Fprintln(w)
	row, end = table("place", "NAME", "STATUS", "LAST_MINUTE", "SINCE_START", "UNIT")
	for _, p := range h.Places {
		row(p.Place.word(), p.Status.word(), p.LastMinute, p.Lost, p.Unit.word())
	}
	end()

	_, _ = fmt.Fprintln(w)
	row, end = table("queue", "NAME", "WAITING", "MOST", "ROOM")
	for _, q := range []struct{ name, metric string }{
		{"frames_in_rings", "weir_xdp_frames_waiting"}, {"sets_pending", "weir_sets_held"}, {"datagrams_pending", "weir_datagrams_held"},
		{"records_in_flight", "weir_records_in_flight"}, {"kafka_held_bytes", "weir_kafka_held_bytes"},
		{"records_spooled", "weir_records_spooled"}, {"spool_bytes", "weir_spool_bytes"},
	} {
		if m.has(q.metric) {
			row(q.name, whole(m.sum(q.metric)), "-", "-")
		}
	}
	for _, r := range m.rings() {
		row(r.name.word(), "-", whole(r.high), whole(r.size))
	}
	end()

	_, _ = fmt.Fprintln(w)
	row, end = table("exporter", "ADDRESS", "PROTOCOLS", "DATAGRAMS_PER_SECOND", "RECORDS_PER_SECOND", "DATAGRAMS", "RECORDS", "LOST_NETWORK", "LOST_HERE", "FAULTS", "LAST_SEEN_SECONDS", "STATE")
	list := sorted(st.rows, byRate, false, "", now)
	for _, r := range list {
		state := "sends"
		if r.silent {
			state = "silent"
		}
		row(r.addr.word(), text(r.protocols).word(), decimal(r.datagramRate), decimal(r.rate), r.datagrams, r.records, r.network, r.here, r.fault, int64(r.seen.Seconds()), state)
	}
	end()
}

// decimal writes a rate with one digit after the point.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
