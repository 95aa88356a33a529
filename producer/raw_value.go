package producer

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"

	ie "github.com/weirflow/weir/decoders/elements"
	"github.com/weirflow/weir/decoders/template"
)

// maxListDepth is how deep lists are followed into lists. What is deeper is
// written as its bytes.
const maxListDepth = 8

// field writes the number, the name and the value of a field. Without types, or
// where the element is not known, the value is its bytes in base64.
func (w *rawWriter) field(t *Template, f *template.Field, v []byte) {
	w.open("", '{')
	w.truth("pen-provided", f.PEN != 0)
	w.number("type", uint64(f.ID))
	w.number("pen", uint64(f.PEN))
	e, known := w.element(t, f)
	if !known {
		w.base64("value", v)
		w.close('}')
		return
	}
	w.next()
	w.name("name")
	w.b = append(append(append(w.b, '"'), e.Name...), '"')
	w.typedValue(e.Type, v)
	w.close('}')
}

// typedValue writes the key and the value of a type; a value of a size that its
// type cannot have as its bytes, with "base64":true.
func (w *rawWriter) typedValue(kind ie.Type, v []byte) {
	w.next()
	at := len(w.b)
	w.name("value")
	if w.value(kind, v) {
		w.comma = true
		return
	}
	w.b = w.b[:at]
	w.comma = false
	w.truth("base64", true)
	w.base64("value", v)
}

// scopeNames are the scopes of NetFlow version 9: RFC 3954 section 6.1.
var scopeNames = [...]string{1: "system", 2: "interface", 3: "lineCard", 4: "cache", 5: "template"}

// element returns what is known about a field; nothing under goflow2's form.
func (w *rawWriter) element(t *Template, f *template.Field) (ie.Element, bool) {
	if !w.typed {
		return ie.Element{}, false
	}
	if f.Scope && t.Version == template.V9 {
		if f.ID == 0 || int(f.ID) >= len(scopeNames) {
			return ie.Element{}, false
		}
		return ie.Element{Name: scopeNames[f.ID], Type: ie.Unsigned64}, true
	}
	return ie.Lookup(f.PEN, f.ID)
}

// value appends a value by its type: numbers and truth values as those of JSON,
// addresses, MAC addresses and times (RFC 3339, UTC) as strings, lists as
// objects. It reports false, with nothing appended that counts, if v has not a
// size of the type.
func (w *rawWriter) value(kind ie.Type, v []byte) bool {
	switch {
	case kind == ie.OctetArray:
		w.bytes(v)
		return true
	case kind == ie.String:
		w.b = appendJSONString(w.b, trimZeros(v))
		return true
	case kind.List():
		return w.list(kind, v)
	case len(v) == 0:
		return false
	case kind.Numeric() && len(v) <= 8:
		n := bigEndian(v)
		if kind.Signed() {
			shift := 64 - 8*len(v)
			w.b = strconv.AppendInt(w.b, int64(n<<shift)>>shift, 10)
		} else {
			w.b = strconv.AppendUint(w.b, n, 10)
		}
		return true
	}
	switch kind {
	case ie.Unsigned256:
		if len(v) <= 8 {
			w.b = strconv.AppendUint(w.b, bigEndian(v), 10)
			return true
		}
		w.b = append(hex.AppendEncode(append(w.b, `"0x`...), v), '"')
		return len(v) <= 32
	case ie.IPv4Address, ie.IPv6Address:
		a, ok := netip.AddrFromSlice(v)
		if !ok {
			return false
		}
		w.b = append(a.AppendTo(append(w.b, '"')), '"')
		return true
	case ie.MACAddress:
		if len(v) != 6 {
			return false
		}
		w.b = append(w.b, '"')
		for i, c := range v {
			if i > 0 {
				w.b = append(w.b, ':')
			}
			w.b = append(w.b, hexDigits[c>>4], hexDigits[c&15])
		}
		w.b = append(w.b, '"')
		return true
	case ie.Boolean:
		return w.boolean(v)
	case ie.Float32, ie.Float64:
		return w.float(v)
	}
	return w.time(kind, v)
}

// bytes appends bytes in base64.
func (w *rawWriter) bytes(v []byte) {
	w.b = append(appendBase64(append(w.b, '"'), v), '"')
}

// boolean appends true for 1 and false for 2 (RFC 7011 section 6.1.5), and the
// number for others, of whatever size.
func (w *rawWriter) boolean(v []byte) bool {
	if len(v) > 8 {
		return false
	}
	switch n := bigEndian(v); n {
	case 1:
		w.text("true")
	case 2:
		w.text("false")
	default:
		w.b = strconv.AppendUint(w.b, n, 10)
	}
	return true
}

// float appends a number of IEEE 754, as a string if JSON has no number for it.
func (w *rawWriter) float(v []byte) bool {
	var n float64
	bits := 64
	switch len(v) {
	case 4:
		n, bits = float64(math.Float32frombits(binary.BigEndian.Uint32(v))), 32
	case 8:
		n = math.Float64frombits(binary.BigEndian.Uint64(v))
	default:
		return false
	}
	special := math.IsNaN(n) || math.IsInf(n, 0)
	if special {
		w.b = append(w.b, '"')
	}
	w.b = strconv.AppendFloat(w.b, n, 'g', -1, bits)
	if special {
		w.b = append(w.b, '"')
	}
	return true
}

// Seconds from 1900 and from 1970 to where times of NTP begin again (RFC 5905
// section 6), and from 1970 to the year 10000.
const (
	ntpOffset   = 2208988800
	ntpEra      = 1 << 32
	year10000   = 253402300800
	microsecond = 1000
)

// time appends a time: RFC 7011 sections 6.1.7 to 6.1.10. Those of NTP with the
// high bit clear are after 2036, and null if all is zero. A time of the year
// 10000 or later is the number that it is.
func (w *rawWriter) time(kind ie.Type, v []byte) bool {
	if len(v) > 8 {
		return false
	}
	n := bigEndian(v)
	var secs, nanos uint64
	switch kind {
	case ie.DateTimeSeconds:
		secs = n
	case ie.DateTimeMilliseconds:
		secs, nanos = n/1000, n%1000*1_000_000
	case ie.DateTimeMicroseconds, ie.DateTimeNanoseconds:
		if len(v) != 8 {
			return false
		}
		if n == 0 {
			w.text("null")
			return true
		}
		secs = n>>32 - ntpOffset
		if n>>63 == 0 {
			secs += ntpEra
		}
		fraction := n & (1<<32 - 1)
		if kind == ie.DateTimeMicroseconds {
			fraction &^= 1<<11 - 1
			nanos = (fraction*1_000_000 + 1<<31) >> 32 * microsecond
		} else {
			nanos = fraction * 1_000_000_000 >> 32
		}
		secs, nanos = secs+nanos/1_000_000_000, nanos%1_000_000_000
	default:
		return false
	}
	if secs >= year10000 {
		w.b = strconv.AppendUint(w.b, n, 10)
		return true
	}
	w.b = append(appendTime(append(w.b, '"'), int64(secs), uint32(nanos)), '"')
	return true
}

// bigEndian reads up to 8 bytes.
func bigEndian(v []byte) (n uint64) {
	for _, c := range v {
		n = n<<8 | uint64(c)
	}
	return n
}

// trimZeros leaves out the zeros that fill up a string of a fixed length.
func trimZeros(v []byte) []byte {
	for len(v) > 0 && v[len(v)-1] == 0 {
		v = v[:len(v)-1]
	}
	return v
}
