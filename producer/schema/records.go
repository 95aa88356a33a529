package schema

// Words before the records of sFlow flow samples: enterprise<<12 | format.
const (
	RawHeader       = 1
	Ethernet        = 2
	IPv4Record      = 3
	IPv6Record      = 4
	ExtendedSwitch  = 1001
	ExtendedRouter  = 1002
	ExtendedGateway = 1003
	ExtendedUser    = 1004
	ExtendedMPLS    = 1006
)

// MemberType is the XDR type of a member of a record (RFC 4506).
type MemberType uint8

// Member types.
const (
	XDRUint32 MemberType = iota
	XDRUint64
	XDRAddress // a type, and 0, 4 or 16 bytes
	XDROpaque  // a length, that many bytes, and padding to 4
)

// A Member is a part of a record.
type Member struct {
	Name string
	Type MemberType
}

// A Record is a format of records in sFlow flow samples.
type Record struct {
	Word uint32
	Name string
	// Members are those up to the last one that a field is filled from. The records
	// that package producer reads by itself, as they depend on each other, have none.
	Members []Member
}

// Records are the formats of records that fields are filled from
// (https://sflow.org/developers/structures.php).
var Records = []Record{
	{Word: RawHeader, Name: "sampled_header"},
	{Word: Ethernet, Name: "sampled_ethernet"},
	{Word: IPv4Record, Name: "sampled_ipv4"},
	{Word: IPv6Record, Name: "sampled_ipv6"},
	{Word: ExtendedSwitch, Name: "extended_switch"},
	{Word: ExtendedRouter, Name: "extended_router"},
	{Word: ExtendedGateway, Name: "extended_gateway"},
	{Word: ExtendedUser, Name: "extended_user", Members: []Member{
		{"src_charset", XDRUint32}, {"src_user", XDROpaque}, {"dst_charset", XDRUint32}, {"dst_user", XDROpaque},
	}},
	{Word: ExtendedMPLS, Name: "extended_mpls"},
}

// RecordByWord returns a format of records, nil if there is none.
func RecordByWord(word uint32) *Record {
	for i := range Records {
		if Records[i].Word == word {
			return &Records[i]
		}
	}
	return nil
}
