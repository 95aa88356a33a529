package schema

// Kind is the type of a field's values.
type Kind uint8

// Kinds.
const (
	Uint32 Kind = iota
	Uint64
	Bytes     // a string of bytes: an address of 4 or 16 bytes, or a text
	Uints     // a list of 32-bit numbers
	BytesList // a list of strings of bytes
	FlowType  // the enumeration FlowType
	Layers    // a list of values of the enumeration LayerStack
)

// Form is how JSON and text show a field.
type Form uint8

// Forms.
const (
	Number        Form = iota
	Address            // "192.0.2.1", "" where there is none
	Prefix             // the network of the address of the same side: "192.0.2.0/24"
	MAC                // "02:00:00:00:00:01"
	TypeName           // the name of a flow type
	EtherType          // the name of an EtherType
	Protocol           // the name of an IP protocol
	NumberList         // [1,2]
	AddressList        // ["192.0.2.1"]
	LayerList          // ["Ethernet","IPv4"]
	Text               // any text
	TunnelName         // the name of a kind of tunnel
	Distinguisher      // a route distinguisher: "64500:1", "192.0.2.1:1"
	CommunityList      // ["rt:64500:1","64500:1:2"]
	RateSource         // the name of what a sampling rate came from
)

// Conversion is how the value of an element becomes that of a field.
type Conversion uint8

// Conversions. Numbers are big-endian and of 1 to 8 bytes: exporters may shorten
// them (RFC 7011 section 6.2).
const (
	// Plain is a number as it is, or an address of 4 or 16 bytes, or a text without
	// the zero bytes at its end.
	Plain Conversion = iota
	// IPv4 and IPv6 are addresses of the packet; they set etype too. A zero one
	// does not replace one that is there.
	IPv4
	IPv6
	// Append adds an address to a list, or a number or a string of Element.Length bytes.
	Append
	// Label is a label of the MPLS stack, at the place that Element.Place says.
	Label
	// Uptime is a time in milliseconds since the exporter started.
	Uptime
	Seconds // since 1970
	Millis  // since 1970
	NTP     // 64 bits, seconds since 1900 and their fraction
	Before  // microseconds before the export
	// BootTime is when the exporter started, in milliseconds since 1970. It makes
	// times of values of Uptime.
	BootTime
	// IPVersion is 4 or 6.
	IPVersion
	// Interval is the sampling interval of the record, Sampler the number of a
	// sampler whose interval options data announced.
	Interval
	Sampler
	// FrameSize is the length of a sampled frame: one packet of so many bytes.
	FrameSize
	// Frame and Packet are the beginning of a sampled frame, and of a sampled IP
	// packet. They fill the fields that have a source in a sampled header.
	Frame
	Packet
	// DurationMillis and DurationMicros are how long the flow took: they give the one
	// of start and end that the template does not have.
	DurationMillis
	DurationMicros
	// EthernetType is the EtherType of a record without addresses.
	EthernetType
	// Implies says that the protocol is Element.Place.
	Implies
	// ICMPPort is a part of the destination port, if the protocol is ICMP or ICMPv6.
	ICMPPort
	// CodePoint is a differentiated services code point: the upper six bits of the field.
	CodePoint
	// Chosen is the value that Element.Lookup has for the element's.
	Chosen
	// Application is an application id, also one of 9 bytes with an enterprise number.
	Application
	// BasicList is a list of values (RFC 6313 section 4.5.1).
	BasicList
	// Segments are addresses of 16 bytes one after the other.
	Segments
	// RoutingHeader is an IPv6 segment routing header (RFC 8754).
	RoutingHeader
	// Labels is the beginning of a sampled packet with its label stack, PacketPayload
	// that of what follows its IP header.
	Labels
	PacketPayload
	// Union is a set of bits that is added to those of the field's other elements.
	Union
	// NumConversions is the number of conversions.
	NumConversions
)

// An Element is an information element that fills a field.
type Element struct {
	ID   uint16
	PEN  uint32 // enterprise number, 0 for IANA's
	Name string // in IANA's registry, or the enterprise's
	// Conv is applied to Bits bits of the value, without its lowest Shift bits. Bits
	// is 0 for all bits. Only Plain looks at these.
	Conv        Conversion
	Shift, Bits uint8
	// Place is that of a label in the MPLS stack, 0 being the top; of Implies it is the
	// number of the protocol; of an Interval, which part of a rate it is (package
	// producer has the parts); of a Sampler, 1 for a selection sequence, 2 for a line
	// card and 3 for a selector instead; of an NTP, 1 for nanoseconds.
	Place uint8
	// Rank orders the elements of a field: one is not used where the template has
	// another of the same field with a lower rank, unless its rank is IfZero. Among
	// equals the first one in the template counts that is not zero (RFC 7011 section 8).
	Rank uint8
	// Length is the only length in bytes that the value may have, 0 for any. Of
	// BasicList it is that of the list's values.
	Length uint8
	// Lookup is what values stand for; of Chosen alone.
	Lookup *Lookup
	// Side restricts the element to records of one direction.
	Side Side
	// Reverse elements fill the field of the other direction's flow, as those of
	// RFC 5103 do.
	Reverse bool
	// New elements are those that goflow2 does not know.
	New bool
}

// Side is the side of the exporter that an element without direction is about, by the
// record's flow direction (61).
type Side uint8

// Sides.
const (
	AnySide Side = iota
	Ingress      // of all records but those of Egress
	Egress       // of records whose direction is 1
)

// IfZero is the rank of elements that are used where the value of all others is zero
// in a record.
const IfZero = 255

// A Source is a member of a record of sFlow flow samples.
type Source struct {
	Record uint32 // enterprise and format: the word before the record
	Member string // see Records
}

// A Field is a row of the table.
type Field struct {
	Name   string // in flow.proto, JSON, text and mappings
	Go     string // in Go code
	Number int    // in flow.proto; never given again
	Kind   Kind
	Form   Form
	Unit   string
	Doc    string // one sentence, for docs/fields.md and flow.proto
	// Elements of NetFlow v9 and IPFIX.
	Elements []Element
	// Fixed says where the versions of NetFlow with fixed layouts have the field, Header what of the
	// datagram itself or of the sample fills it, Sampled what of sampled headers.
	Fixed, Header, Sampled string
	// SFlow are the records that fill it.
	SFlow []Source
	// Extra fields are those that goflow2 does not have. JSON and text show them only
	// where they have a value, and -compat goflow2 leaves them out.
	Extra bool
	// ZeroIsValue: 0 is a value of the field, not its absence. It is optional in
	// flow.proto, and written as 0 where the element was there. For extra fields
	// alone.
	ZeroIsValue bool
	// ZeroIsNone: an address of zeros is how exporters say that there is none: the field
	// is absent then. For extra addresses alone.
	ZeroIsNone bool
}

// IsList tells whether the field is a list.
func (f *Field) IsList() bool { return f.Kind == Uints || f.Kind == BytesList || f.Kind == Layers }

// Tag returns the field's key in the protobuf wire format, as a number.
func (f *Field) Tag() int {
	switch f.Kind {
	case Uint32, Uint64, FlowType:
		return f.Number << 3
	}
	return f.Number<<3 | 2
}

// NumCore returns the number of fields that are not extra: they come first.
func NumCore() int {
	n := 0
	for n < len(Fields) && !Fields[n].Extra {
		n++
	}
	return n
}
