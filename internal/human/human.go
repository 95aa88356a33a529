// Package human writes flows as lines for people:
//
//	09:31:02.345 192.0.2.1 3>4 TCP 203.0.113.1:443 > 198.51.100.7:51234 SA..F... 12 pkt 14.5 kB AS64496>AS64497 DE>US
//
// Columns are padded to the width of usual values, and longer values shift the rest of the
// line.
package human

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

// ANSI escape sequences.
const (
	dim   = "\x1b[2m"
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

// IP protocols.
const protoICMP, protoTCP, protoUDP, protoICMPv6 = 1, 6, 17, 58

// line appends columns.
type line struct {
	b     []byte
	begin int // of the column
	color bool
}

// column begins a column in a style; end pads it to a width in characters, all of which are
// ASCII, and ends the style.
func (l *line) column(style string) {
	if l.color {
		l.b = append(l.b, style...)
	}
	l.begin = len(l.b)
}

func (l *line) end(width int) {
	missing := width - (len(l.b) - l.begin)
	if l.color {
		l.b = append(l.b, reset...)
	}
	for ; missing > 0; missing-- {
		l.b = append(l.b, ' ')
	}
	l.b = append(l.b, ' ')
}

// right ends a column that is aligned to the right.
func (l *line) right(width int) {
	text := len(l.b) - l.begin
	for range width - text {
		l.b = append(l.b, ' ')
	}
	if missing := width - text; missing > 0 {
		copy(l.b[l.begin+missing:], l.b[l.begin:l.begin+text])
		for i := range missing {
			l.b[l.begin+i] = ' '
		}
	}
	l.end(0)
}

// Append appends a flow as a line for people, without the line's end; color adds ANSI
// escape sequences. Times are in the local time zone, packets and bytes multiplied by the
// sampling rate. It does not allocate, but to grow dst.
func Append(dst []byte, f *producer.Flow, color bool) []byte {
	l := line{b: dst, color: color}
	l.column(dim)
	l.b = time.Unix(0, int64(timeOf(f))).AppendFormat(l.b, "15:04:05.000")
	l.end(12)
	l.column(dim)
	l.b = appendAddr(l.b, f.SamplerAddress)
	l.end(15)
	l.column(dim)
	l.b = strconv.AppendUint(l.b, uint64(f.InIf), 10)
	l.b = append(l.b, '>')
	l.b = strconv.AppendUint(l.b, uint64(f.OutIf), 10)
	l.end(7)
	l.column(bold)
	l.b = append(l.b, producer.ProtocolName(f.Proto)...)
	l.end(5)
	// The destination port of ICMP is type and code in some versions of NetFlow.
	ports := f.Proto == protoTCP || f.Proto == protoUDP || f.SrcPort|f.DstPort != 0 && f.Proto != protoICMP && f.Proto != protoICMPv6
	l.column("")
	l.endpoint(f.SrcAddr, f.SrcPort, ports)
	l.end(21)
	l.b = append(l.b, "> "...)
	l.column("")
	l.endpoint(f.DstAddr, f.DstPort, ports)
	l.end(21)
	l.column(dim)
	if f.Proto == protoTCP {
		l.b = appendFlags(l.b, f.TCPFlags)
	}
	l.end(8)
	rate := max(f.SamplingRate, 1)
	l.column("")
	l.b = appendNumber(l.b, f.Packets, rate, 1000)
	l.b = append(l.b, "pkt"...)
	l.right(9)
	l.column(bold)
	l.b = appendNumber(l.b, f.Bytes, rate, 1000)
	l.b = append(l.b, 'B')
	l.right(8)
	if f.SrcAS|f.DstAS != 0 {
		l.column(dim)
		l.b = strconv.AppendUint(append(l.b, "AS"...), uint64(f.SrcAS), 10)
		l.b = strconv.AppendUint(append(l.b, ">AS"...), uint64(f.DstAS), 10)
		l.end(0)
	}
	if f.SrcCountry != 0 || f.DstCountry != 0 {
		l.column(dim)
		l.b = appendCountry(l.b, f.SrcCountry)
		l.b = append(l.b, '>')
		l.b = appendCountry(l.b, f.DstCountry)
		l.end(0)
	}
	end := len(l.b)
	for end > len(dst) && l.b[end-1] == ' ' {
		end--
	}
	return l.b[:end]
}

// timeOf is when the flow ended, or was received if that is not known.
func timeOf(f *producer.Flow) uint64 {
	if f.TimeFlowEndNs != 0 && f.TimeFlowEndNs <= 1<<63-1 {
		return f.TimeFlowEndNs
	}
	return f.TimeReceivedNs & (1<<63 - 1)
}

func (l *line) endpoint(addr []byte, port uint32, ports bool) {
	brackets := ports && len(addr) == 16
	if brackets {
		l.b = append(l.b, '[')
	}
	l.b = appendAddr(l.b, addr)
	if brackets {
		l.b = append(l.b, ']')
	}
	if ports {
		l.b = strconv.AppendUint(append(l.b, ':'), uint64(port), 10)
	}
}

// appendAddr appends an address, or a hyphen for none.
func appendAddr(b, addr []byte) []byte {
	a, ok := netip.AddrFromSlice(addr)
	if !ok {
		return append(b, '-')
	}
	return a.AppendTo(b)
}

func appendCountry(b []byte, c geo.Country) []byte {
	if c == 0 {
		return append(b, '-')
	}
	return append(b, byte(c>>8), byte(c))
}

// appendFlags appends the TCP flags from CWR to FIN, a point for each that is not set.
func appendFlags(b []byte, flags uint32) []byte {
	const letters = "CEUAPRSF"
	for i := range len(letters) {
		if flags>>(7-i)&1 != 0 {
			b = append(b, letters[i])
		} else {
			b = append(b, '.')
		}
	}
	return b
}

// appendNumber appends n times rate in three digits, with a prefix for the power of
// unit: "999 ", "1.50 k", "12.3 M".
func appendNumber(b []byte, n, rate, unit uint64) []byte {
	const prefixes = "kMGTPE"
	v := float64(n) * float64(rate)
	if v < float64(unit) {
		return append(strconv.AppendUint(b, uint64(v), 10), ' ')
	}
	at := -1
	for v >= float64(unit)*0.9995 && at < len(prefixes)-1 {
		v /= float64(unit)
		at++
	}
	digits := 2
	switch {
	case v >= 99.95:
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	b = strconv.AppendFloat(b, v, 'f', digits, 64)
	return append(b, ' ', prefixes[at])
}
