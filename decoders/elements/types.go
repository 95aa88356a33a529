package elements

// Type is an abstract data type, in IANA's numbers: RFC 7012 section 3.1, RFC
// 5610 section 3.1, RFC 6313 section 11.1.
type Type uint8

// Abstract data types.
const (
	OctetArray Type = iota
	Unsigned8
	Unsigned16
	Unsigned32
	Unsigned64
	Signed8
	Signed16
	Signed32
	Signed64
	Float32
	Float64
	Boolean
	MACAddress
	String
	DateTimeSeconds
	DateTimeMilliseconds
	DateTimeMicroseconds
	DateTimeNanoseconds
	IPv4Address
	IPv6Address
	BasicList
	SubTemplateList
	SubTemplateMultiList
	Unsigned256

	numTypes
)

var typeNames = [numTypes]string{
	"octetArray", "unsigned8", "unsigned16", "unsigned32", "unsigned64", "signed8", "signed16", "signed32", "signed64",
	"float32", "float64", "boolean", "macAddress", "string", "dateTimeSeconds", "dateTimeMilliseconds",
	"dateTimeMicroseconds", "dateTimeNanoseconds", "ipv4Address", "ipv6Address", "basicList", "subTemplateList",
	"subTemplateMultiList", "unsigned256",
}

// String returns IANA's name of the type, "" for a number that is none.
func (t Type) String() string {
	if t >= numTypes {
		return ""
	}
	return typeNames[t]
}

// Numeric reports whether values of the type are whole numbers, whose encoding
// may have a reduced size: RFC 7011 section 6.2.
func (t Type) Numeric() bool { return t >= Unsigned8 && t <= Signed64 }

// Signed reports whether values of the type are signed whole numbers.
func (t Type) Signed() bool { return t >= Signed8 && t <= Signed64 }

// List reports whether values of the type are lists: RFC 6313.
func (t Type) List() bool { return t >= BasicList && t <= SubTemplateMultiList }

// Semantics is what a value counts or says: RFC 5610 section 3.6.
type Semantics uint8

// Data type semantics.
const (
	Default Semantics = iota
	Quantity
	TotalCounter
	DeltaCounter
	Identifier
	Flags
	ListSemantics
	SNMPCounter
	SNMPGauge

	numSemantics
)

var semanticsNames = [numSemantics]string{
	"default", "quantity", "totalCounter", "deltaCounter", "identifier", "flags", "list", "snmpCounter", "snmpGauge",
}

// String returns IANA's name of the semantics, "" for a number that is none.
func (s Semantics) String() string {
	if s >= numSemantics {
		return ""
	}
	return semanticsNames[s]
}

// Enterprise numbers that the table has elements of, or that mean something.
const (
	IANA      uint32 = 0
	Cisco     uint32 = 9
	Nokia     uint32 = 637
	Huawei    uint32 = 2011
	Juniper   uint32 = 2636
	Ixia      uint32 = 3054
	NetScaler uint32 = 5951
	CERT      uint32 = 6871 // YAF
	VMware    uint32 = 6876
	CESNET    uint32 = 8057
	Barracuda uint32 = 10704
	Plixer    uint32 = 13745
	A10       uint32 = 22610
	Gigamon   uint32 = 26866
	Reverse   uint32 = 29305 // IANA's elements in the reverse direction: RFC 5103
	Ntop      uint32 = 35632
	Niagara   uint32 = 47729
)

var vendors = []struct {
	pen  uint32
	name string
}{
	{IANA, "iana"}, {Cisco, "cisco"}, {Nokia, "nokia"}, {Huawei, "huawei"}, {Juniper, "juniper"}, {Ixia, "ixia"},
	{NetScaler, "netscaler"}, {CERT, "cert"}, {VMware, "vmware"}, {CESNET, "cesnet"}, {Barracuda, "barracuda"},
	{Plixer, "plixer"}, {A10, "a10"}, {Gigamon, "gigamon"}, {Reverse, "reverse"}, {Ntop, "ntop"}, {Niagara, "niagara"},
}

// Vendor returns a short name of an enterprise number, "" for others.
func Vendor(pen uint32) string {
	for _, v := range vendors {
		if v.pen == pen {
			return v.name
		}
	}
	return ""
}
