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
	Number      Form = iota
	Address          // "192.0.2.1", "" where there is none
	Prefix           // the network of the address of the same side: "192.0.2.0/24"
	MAC              // "02:00:00:00:00:01"
	TypeName         // the name of a flow type
	EtherType        // the name of an EtherType
	Protocol         // the name of an IP protocol
	NumberList       // [1,2]
	AddressList      // ["192.0.2.1"]
	LayerList        // ["Ethernet","IPv4"]
	Text             // any text
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
	// Append adds an address to a list.
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
	// Place is that of a label in the MPLS stack, 0 being the top; of an Interval, which
	// part of a rate it is (package producer has the parts); of a Sampler, 1 for a
	// selection sequence and 2 for a line card instead.
	Place uint8
	// Rank orders the elements of a field: one is not used where the template has
	// another of the same field with a lower rank. Among equals the last one in the
	// template counts.
	Rank uint8
}

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
	// Fixed says where NetFlow v1, v5 and v7 have the field, Header what of the
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
}

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
