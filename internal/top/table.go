package top

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// order is what exporters are sorted by.
type order int

const (
	byRate order = iota
	byLoss
	bySilence
	byAddress
	orders
)

// String names the order, for the line above the table.
func (o order) String() string {
	return [...]string{"by records/s", "by loss", "by silence", "by address"}[o]
}

// compare puts first what the order looks for.
func (o order) compare(a, b *row, now time.Time) int {
	switch o {
	case byLoss:
		if c := cmp.Or(cmp.Compare(b.recent(now), a.recent(now)), cmp.Compare(b.lost(), a.lost()), cmp.Compare(b.fault, a.fault)); c != 0 {
			return c
		}
	case bySilence:
		if c := a.lastSeen.Compare(b.lastSeen); c != 0 {
			return c
		}
	case byAddress:
		return a.ip.Compare(b.ip)
	}
	return cmp.Or(cmp.Compare(b.rate, a.rate), cmp.Compare(b.datagramRate, a.datagramRate), a.ip.Compare(b.ip))
}

// sorted returns the rows that a filter keeps, in order.
func sorted(rows map[text]*row, o order, backwards bool, filter string, now time.Time) []*row {
	keep := matcher(filter)
	list := make([]*row, 0, len(rows))
	for _, r := range rows {
		if keep(r, now) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *row) int {
		if backwards {
			a, b = b, a
		}
		return o.compare(a, b, now)
	})
	return list
}

// matcher returns what a filter keeps: exporters in a prefix, silent ones, those that lost
// something, or those with the text in their address or protocols.
func matcher(filter string) func(*row, time.Time) bool {
	filter = strings.ToLower(strings.TrimSpace(filter))
	if p, err := netip.ParsePrefix(filter); err == nil {
		return func(r *row, _ time.Time) bool { return p.Contains(r.ip) }
	}
	switch filter {
	case "":
		return func(*row, time.Time) bool { return true }
	case "silent":
		return func(r *row, _ time.Time) bool { return r.silent }
	case "lost", "loss":
		return func(r *row, _ time.Time) bool { return r.lost() > 0 }
	}
	return func(r *row, _ time.Time) bool {
		return strings.Contains(string(r.addr), filter) || strings.Contains(strings.ToLower(r.protocols), filter)
	}
}

// column is one of the table of exporters. Columns with a number in from are shown on screens
// that are at least so wide.
type column struct {
	title string
	width int
	from  int
	left  bool
	cell  func(r *row, now time.Time) string
}

// columns are those after the address, which takes what they leave.
var columns = []column{
	{title: "PROTOCOL", width: 10, left: true, cell: func(r *row, _ time.Time) string { return r.protocols }},
	{title: "DGRAM/S", width: 7, cell: func(r *row, _ time.Time) string { return si(r.datagramRate) }},
	{title: "REC/S", width: 6, cell: func(r *row, _ time.Time) string { return si(r.rate) }},
	{title: "LOST/MIN", width: 8, cell: func(r *row, now time.Time) string { return compact(r.recent(now)) }},
	{title: "LOST", width: 6, cell: func(r *row, _ time.Time) string { return compact(r.lost()) }},
	{title: "HERE", width: 6, from: 100, cell: func(r *row, _ time.Time) string { return compact(r.here) }},
	{title: "FAULTS", width: 6, from: 100, cell: func(r *row, _ time.Time) string { return compact(r.fault) }},
	{title: "RECORDS", width: 7, from: 112, cell: func(r *row, _ time.Time) string { return compact(r.records) }},
	{title: "SAMPLING", width: 11, from: 126, cell: func(r *row, _ time.Time) string { return r.sampling }},
	{title: "TEMPLATES", width: 9, from: 136, cell: func(r *row, _ time.Time) string { return compact(uint64(max(0, r.templates))) }},
	{title: "LAST SEEN", width: 9, cell: func(r *row, _ time.Time) string { return span(r.seen) }},
	{title: "STATE", width: 6, left: true, cell: func(r *row, now time.Time) string { return r.state(now) }},
}

// state is the exporter's state in a word, for screens without color too.
func (r *row) state(now time.Time) string {
	switch {
	case r.silent:
		return "silent"
	case r.recent(now) > 0:
		return "losing"
	}
	return ""
}

// shownColumns returns the columns of a screen of the width, and the width of the address.
func shownColumns(width int) (list []column, address int) {
	address = width - 2
	for _, c := range columns {
		if width >= c.from {
			list = append(list, c)
			address -= c.width + 1
		}
	}
	for len(list) > 1 && address < 15 { // narrower than 80 columns: the last ones go
		address += list[len(list)-1].width + 1
		list = list[:len(list)-1]
	}
	return list, min(address, 39)
}

// heading is the first line of the table.
func heading(width int) string {
	list, address := shownColumns(width)
	line := "  " + left("EXPORTER", address)
	for _, c := range list {
		line += " " + c.place(c.title)
	}
	return line
}

func (c *column) place(s string) string {
	if c.left {
		return left(s, c.width)
	}
	return right(s, c.width)
}

// line is the row as a line of the table.
func (r *row) line(width int, now time.Time, selected bool, st style) string {
	list, address := shownColumns(width)
	mark := "  "
	if selected {
		mark = "> "
	}
	line := mark + left(middle(string(r.addr), address), address)
	for _, c := range list {
		line += " " + c.place(c.cell(r, now))
	}
	switch {
	case selected:
		return st.reverse(left(line, width))
	case r.state(now) == "losing":
		return st.bad(line)
	case r.silent:
		return st.warn(line)
	}
	return line
}
