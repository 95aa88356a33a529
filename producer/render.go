package producer

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/weirflow/weir/producer/schema"
)

// Renderer is how a value is written as text.
type Renderer uint8

// Renderers. One that does not fit the type of a value leaves numbers as
// numbers and writes bytes in hexadecimal, as RenderNone does.
const (
	// RenderDefault is the field's own: addresses as addresses, names for
	// etype, proto and type, RenderNone for added fields.
	RenderDefault Renderer = iota
	// RenderNone writes numbers as numbers, bytes in hexadecimal.
	RenderNone
	// RenderIP writes 4 or 16 bytes as an address, others as nothing.
	RenderIP
	// RenderMAC writes the low 48 bits of a 64-bit number.
	RenderMAC
	// RenderEtype writes ARP, IPv4, IPv6 or nothing.
	RenderEtype
	// RenderProto writes the name of an IP protocol.
	RenderProto
	// RenderType writes the name of a flow type.
	RenderType
	// RenderNetwork writes the prefix of the address that src_net or dst_net
	// belongs to.
	RenderNetwork
	// RenderDateTime writes Unix seconds as RFC 3339 in UTC.
	RenderDateTime
	// RenderDateTimeNano writes Unix nanoseconds as RFC 3339 in UTC.
	RenderDateTimeNano
	// RenderString writes bytes as a text.
	RenderString

	// Those of fields that have a form of their own; mappings cannot ask for them.
	renderTunnel
	renderRateSource
	renderDistinguisher
	renderCommunity
)

var rendererNames = [...]string{
	RenderNone: "none", RenderIP: "ip", RenderMAC: "mac", RenderEtype: "etype", RenderProto: "proto", RenderType: "type",
	RenderNetwork: "network", RenderDateTime: "datetime", RenderDateTimeNano: "datetimenano", RenderString: "string",
}

// RendererNames returns the names that ParseRenderer knows.
func RendererNames() []string { return rendererNames[RenderNone:] }

// ParseRenderer returns the renderer of that name.
func ParseRenderer(name string) (Renderer, bool) {
	for r, n := range rendererNames {
		if n == name && n != "" {
			return Renderer(r), true
		}
	}
	return 0, false
}

// defaultRenderer returns how a field is written where the mapping says nothing.
func defaultRenderer(id fieldID) Renderer {
	switch fieldTable[id].form {
	case schema.MAC:
		return RenderMAC
	case schema.Address, schema.AddressList:
		return RenderIP
	case schema.EtherType:
		return RenderEtype
	case schema.Protocol:
		return RenderProto
	case schema.Prefix:
		return RenderNetwork
	case schema.Text:
		return RenderString
	case schema.TunnelName:
		return renderTunnel
	case schema.RateSource:
		return renderRateSource
	case schema.Distinguisher:
		return renderDistinguisher
	case schema.CommunityList:
		return renderCommunity
	}
	return RenderNone
}

// notation is the textual form of a message.
type notation uint8

const (
	notationJSON notation = iota
	notationText
)

// quoted appends a word of our own tables, which needs no escapes.
func (n notation) quoted(b []byte, word string) []byte {
	if n == notationText {
		return append(b, word...)
	}
	return append(append(append(b, '"'), word...), '"')
}

// quote appends the quotation mark of JSON strings.
func (n notation) quote(b []byte) []byte {
	if n == notationText {
		return b
	}
	return append(b, '"')
}

// number appends a number. wide says that the field has 64 bits.
func (n notation) number(b []byte, v uint64, wide bool, r Renderer) []byte {
	switch r {
	case RenderMAC:
		if wide {
			return n.quote(appendMAC(n.quote(b), v))
		}
	case RenderEtype:
		return n.quoted(b, etypeName(uint32(v)))
	case RenderProto:
		return n.quoted(b, ProtocolName(uint32(v)))
	case RenderType:
		return n.quoted(b, typeName(uint32(v)))
	case renderTunnel:
		return n.quoted(b, tunnelName(uint32(v)))
	case renderRateSource:
		return n.quoted(b, rateSourceName(uint32(v)))
	case RenderDateTime:
		return n.quote(appendTime(n.quote(b), int64(v), 0))
	case RenderDateTimeNano:
		if wide {
			secs, nanos := int64(v)/1e9, int64(v)%1e9
			if nanos < 0 {
				secs, nanos = secs-1, nanos+1e9
			}
			return n.quote(appendTime(n.quote(b), secs, uint32(nanos)))
		}
	}
	return strconv.AppendUint(b, v, 10)
}

// bytes appends a string of bytes.
func (n notation) bytes(b, v []byte, r Renderer) []byte {
	switch r {
	case RenderIP:
		b = n.quote(b)
		if ip, ok := netip.AddrFromSlice(v); ok {
			b = ip.AppendTo(b)
		}
		return n.quote(b)
	case RenderEtype, RenderProto, RenderType:
		return n.quoted(b, "unknown")
	case RenderString:
		if n == notationText {
			return appendTextString(b, v)
		}
		return appendJSONString(b, v)
	case renderDistinguisher, renderCommunity:
		return n.quote(appendCommunity(n.quote(b), v, r == renderCommunity))
	}
	return n.quote(hex.AppendEncode(n.quote(b), v))
}

// network appends the prefix of an address. compat has what cannot be one
// written as goflow2 does.
func (n notation) network(b, addr []byte, bits uint32, compat bool) []byte {
	b = n.quote(b)
	if ip, ok := netip.AddrFromSlice(addr); ok && bits <= uint32(ip.BitLen()) {
		p, _ := ip.Prefix(int(bits)) // bits are in range
		b = p.AppendTo(b)
	} else if compat {
		b = append(b, "invalid Prefix"...)
	}
	return n.quote(b)
}

func appendMAC(b []byte, mac uint64) []byte {
	for shift := 40; shift >= 0; shift -= 8 {
		c := byte(mac >> shift)
		b = append(b, hexDigits[c>>4], hexDigits[c&15], ':')
	}
	return b[:len(b)-1]
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends v as a JSON string (RFC 8259 section 7). What is no
// UTF-8 becomes U+FFFD. Like encoding/json it escapes <, > and &, U+2028 and
// U+2029 too, which goflow2's consumers are used to.
func appendJSONString(b, v []byte) []byte {
	b = append(b, '"')
	for len(v) > 0 {
		c := v[0]
		if c < utf8.RuneSelf {
			v = v[1:]
			switch {
			case c == '"' || c == '\\':
				b = append(b, '\\', c)
			case c == '\n':
				b = append(b, '\\', 'n')
			case c == '\r':
				b = append(b, '\\', 'r')
			case c == '\t':
				b = append(b, '\\', 't')
			case c < ' ' || c == '<' || c == '>' || c == '&':
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			default:
				b = append(b, c)
			}
			continue
		}
		r, size := utf8.DecodeRune(v)
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, `\ufffd`...)
		case r == 0x2028 || r == 0x2029:
			b = append(b, `\u202`...)
			b = append(b, hexDigits[r&15])
		default:
			b = append(b, v[:size]...)
		}
		v = v[size:]
	}
	return append(b, '"')
}

// appendTextString appends v as it is, or as a JSON string where it has
// something that the text format gives a meaning, or that is no printable UTF-8.
func appendTextString(b, v []byte) []byte {
	for i := 0; i < len(v); {
		if c := v[i]; c < utf8.RuneSelf {
			if c <= ' ' || c == '"' || c == '=' || c == '\\' || c == '[' || c == ']' || c == ',' || c == 0x7f {
				return appendJSONString(b, v)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(v[i:])
		if !strconv.IsPrint(r) || r == utf8.RuneError && size == 1 {
			return appendJSONString(b, v)
		}
		i += size
	}
	return append(b, v...)
}

// appendTime appends a time in RFC 3339, in UTC, without trailing zeros of the
// fraction. secs counts from 1970, before it if negative.
func appendTime(b []byte, secs int64, nanos uint32) []byte {
	days, rest := secs/86400, secs%86400
	if rest < 0 {
		days, rest = days-1, rest+86400
	}
	// Years that begin with March, in cycles of 400.
	days += 719468
	era := days / 146097
	if days < 0 {
		era = (days - 146096) / 146097
	}
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	year := yoe + era*400
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day := doy - (153*mp+2)/5 + 1
	month := mp + 3
	if month > 12 {
		month, year = month-12, year+1
	}
	if year < 0 {
		b, year = append(b, '-'), -year
	}
	for limit := int64(1000); limit > 1 && year < limit; limit /= 10 {
		b = append(b, '0')
	}
	b = strconv.AppendInt(b, year, 10)
	b = two(append(b, '-'), month)
	b = two(append(b, '-'), day)
	b = two(append(b, 'T'), rest/3600)
	b = two(append(b, ':'), rest/60%60)
	b = two(append(b, ':'), rest%60)
	if nanos > 0 {
		var digits [9]byte
		for i := 8; i >= 0; i-- {
			digits[i] = '0' + byte(nanos%10)
			nanos /= 10
		}
		n := 9
		for digits[n-1] == '0' {
			n--
		}
		b = append(append(b, '.'), digits[:n]...)
	}
	return append(b, 'Z')
}

func two(b []byte, n int64) []byte { return append(b, '0'+byte(n/10), '0'+byte(n%10)) }

// The names of ICMP and ICMPv6 types that icmp_name knows.
func icmpTypeName(proto, icmpType uint32) string {
	switch proto {
	case 1:
		switch icmpType {
		case 0:
			return "EchoReply"
		case 3:
			return "DestinationUnreachable"
		case 8:
			return "Echo"
		case 9:
			return "RouterAdvertisement"
		case 10:
			return "RouterSolicitation"
		case 11:
			return "TimeExceeded"
		}
		return ""
	case 58:
		switch icmpType {
		case 1:
			return "DestinationUnreachable"
		case 2:
			return "PacketTooBig"
		case 3:
			return "TimeExceeded"
		case 128:
			return "EchoRequest"
		case 129:
			return "EchoReply"
		case 133:
			return "RouterSolicitation"
		case 134:
			return "RouterAdvertisement"
		}
		return ""
	}
	return "unknown"
}
