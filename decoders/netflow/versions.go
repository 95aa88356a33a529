package netflow

import "github.com/weirflow/weir/decoders/sequence"

// A Version is a version of NetFlow whose records have a fixed layout. The header of
// each begins with version, count, uptime, seconds and nanoseconds, as in v1.
type Version struct {
	Number    uint16
	HeaderLen int // bytes
	// Offsets in the header, 0 for what the version does not have: flow sequence (4
	// bytes), engine type and id (1 each), sampling mode and interval (2),
	// aggregation scheme and its version (1 each).
	Sequence, Engine, Sampling, Aggregation int
	// Counts is what numbers of Sequence count, where there is one.
	Counts sequence.Kind
	// Layouts are those of the records: that of aggregation scheme n is the n-th.
	// Without schemes the first one counts, unless the length of the datagram tells.
	Layouts []*Layout
}

// A Layout is the form of a record.
type Layout struct {
	// Index numbers the layouts of all versions from 0.
	Index int
	// Name is that of the aggregation scheme, or says what is special; it may be empty.
	Name string
	// Len is the length of a record in bytes.
	Len int
	// Columns are in the order that raw messages have them in. Bytes of a record
	// that are in no column are reserved.
	Columns []Column
}

// A Column is a part of a record.
type Column struct {
	Offset, Len int // bytes
	// Element of NetFlow v9 that means the same (RFC 3954 section 8), 0 for none.
	Element uint16
	// Address: the value is an IPv4 address, not a number.
	Address bool
	Name    string // in raw messages
}

// Versions are those with a fixed layout, by number (Cisco, NetFlow Export Datagram
// Formats). The layouts of v8 are its router-based aggregation schemes, where a record
// stands for several flows (dflows).
var Versions = []Version{
	{Number: V1, HeaderLen: 16, Layouts: []*Layout{
		{Len: 48, Columns: v1Columns},
		{Name: "long", Len: 52, Columns: v1Columns}, // some exporters reserve more bytes at the end
	}},
	{Number: V5, HeaderLen: 24, Sequence: 16, Engine: 20, Sampling: 22, Counts: sequence.NetFlow5, Layouts: []*Layout{
		{Len: 48, Columns: v5Columns},
	}},
	{Number: V7, HeaderLen: 24, Sequence: 16, Counts: sequence.NetFlow7, Layouts: []*Layout{
		{Len: 52, Columns: append(v5Columns[:len(v5Columns):len(v5Columns)], address(48, 0, "router"))},
	}},
	{Number: V8, HeaderLen: 28, Sequence: 16, Engine: 20, Aggregation: 22, Counts: sequence.NetFlow8, Layouts: []*Layout{
		{Name: "AS", Len: 28, Columns: aggregate(srcAS(20), dstAS(22), input(24), output(26))},
		{Name: "protocol and port", Len: 28, Columns: aggregate(proto(20), srcPort(24), dstPort(26))},
		{Name: "source prefix", Len: 32, Columns: aggregate(address(20, 8, "src-prefix"), srcMask(24), srcAS(26), input(28))},
		{Name: "destination prefix", Len: 32, Columns: aggregate(address(20, 12, "dst-prefix"), dstMask(24), dstAS(26), output(28))},
		{Name: "prefix", Len: 40, Columns: prefixes(srcAS(32), dstAS(34))},
		{Name: "destination (Catalyst)", Len: 32, Columns: catalyst(4, address(0, 12, "dst-addr"), output(20), tos(22), number(23, 1, 0, "marked-tos"))},
		{Name: "source and destination (Catalyst)", Len: 40, Columns: catalyst(8, address(0, 12, "dst-addr"), address(4, 8, "src-addr"),
			output(24), input(26), tos(28), number(29, 1, 0, "marked-tos"))},
		{Name: "full flow (Catalyst)", Len: 44, Columns: catalyst(12, address(0, 12, "dst-addr"), address(4, 8, "src-addr"),
			dstPort(8), srcPort(10), output(28), input(30), tos(32), proto(33), number(34, 1, 0, "marked-tos"))},
		{Name: "AS and ToS", Len: 32, Columns: aggregate(srcAS(20), dstAS(22), input(24), output(26), tos(28))},
		{Name: "protocol, port and ToS", Len: 32, Columns: aggregate(proto(20), tos(21), srcPort(24), dstPort(26), input(28), output(30))},
		{Name: "source prefix and ToS", Len: 32, Columns: aggregate(address(20, 8, "src-prefix"), srcMask(24), tos(25), srcAS(26), input(28))},
		{Name: "destination prefix and ToS", Len: 32, Columns: aggregate(address(20, 12, "dst-prefix"), dstMask(24), tos(25), dstAS(26), output(28))},
		{Name: "prefix and ToS", Len: 40, Columns: prefixes(tos(30), srcAS(32), dstAS(34))},
		{Name: "prefix, protocol and port", Len: 40, Columns: prefixes(tos(30), proto(31), srcPort(32), dstPort(34))},
	}},
}

var v1Columns = []Column{
	address(0, 8, "src-addr"), address(4, 12, "dst-addr"), address(8, 15, "next-hop"), input(12), output(14),
	number(16, 4, 2, "dpkts"), number(20, 4, 1, "doctets"), number(24, 4, 22, "first"), number(28, 4, 21, "last"),
	srcPort(32), dstPort(34), number(40, 1, 6, "tcp-flags"), proto(38), tos(39),
}

var v5Columns = []Column{
	address(0, 8, "src-addr"), address(4, 12, "dst-addr"), address(8, 15, "next-hop"), input(12), output(14),
	number(16, 4, 2, "dpkts"), number(20, 4, 1, "doctets"), number(24, 4, 22, "first"), number(28, 4, 21, "last"),
	srcPort(32), dstPort(34), number(36, 1, 0, "pad1"), number(37, 1, 6, "tcp-flags"), proto(38), tos(39),
	srcAS(40), dstAS(42), srcMask(44), dstMask(45), number(46, 2, 0, "pad2"),
}

// aggregate returns the columns of a scheme of routers: counters and times, and what
// records of the scheme have in common.
func aggregate(columns ...Column) []Column {
	return append([]Column{
		number(0, 4, 3, "dflows"), number(4, 4, 2, "dpkts"), number(8, 4, 1, "doctets"), number(12, 4, 22, "first"), number(16, 4, 21, "last"),
	}, columns...)
}

// prefixes returns the columns of a scheme by the prefixes of both sides. The mask of
// the destination comes first.
func prefixes(columns ...Column) []Column {
	return append(aggregate(address(20, 8, "src-prefix"), address(24, 12, "dst-prefix"), dstMask(28), srcMask(29)),
		append(columns, input(36), output(38))...)
}

// catalyst returns the columns of a scheme of Catalyst switches, whose counters are at
// an offset and whose records end with the packets that exceeded the contract and the
// router that was bypassed.
func catalyst(counters int, columns ...Column) []Column {
	end := 0
	for _, c := range columns {
		end = max(end, c.Offset+c.Len)
	}
	end = (end + 3) &^ 3
	return append(columns,
		number(counters, 4, 2, "dpkts"), number(counters+4, 4, 1, "doctets"), number(counters+8, 4, 22, "first"), number(counters+12, 4, 21, "last"),
		number(end, 4, 0, "extra-pkts"), address(end+4, 0, "router"))
}

func number(offset, length int, element uint16, name string) Column {
	return Column{Offset: offset, Len: length, Element: element, Name: name}
}

func address(offset int, element uint16, name string) Column {
	return Column{Offset: offset, Len: 4, Element: element, Address: true, Name: name}
}

func input(offset int) Column   { return number(offset, 2, 10, "input") }
func output(offset int) Column  { return number(offset, 2, 14, "output") }
func srcPort(offset int) Column { return number(offset, 2, 7, "src-port") }
func dstPort(offset int) Column { return number(offset, 2, 11, "dst-port") }
func srcAS(offset int) Column   { return number(offset, 2, 16, "src-as") }
func dstAS(offset int) Column   { return number(offset, 2, 17, "dst-as") }
func srcMask(offset int) Column { return number(offset, 1, 9, "src-mask") }
func dstMask(offset int) Column { return number(offset, 1, 13, "dst-mask") }
func proto(offset int) Column   { return number(offset, 1, 4, "proto") }
func tos(offset int) Column     { return number(offset, 1, 5, "tos") }

// VersionOf returns the version of a number, nil for one that has no fixed layout.
func VersionOf(number uint16) *Version {
	if int(number) >= len(byNumber) {
		return nil
	}
	return byNumber[number]
}

var byNumber = func() (all [V9]*Version) {
	index := 0
	for i := range Versions {
		v := &Versions[i]
		all[v.Number] = v
		for _, l := range v.Layouts {
			l.Index = index
			index++
		}
	}
	return all
}()

// Layouts returns the layouts of all versions, by index.
func Layouts() []*Layout {
	var all []*Layout
	for i := range Versions {
		all = append(all, Versions[i].Layouts...)
	}
	return all
}
