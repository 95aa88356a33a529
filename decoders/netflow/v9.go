package netflow

import "encoding/binary"

const v9HeaderLen = 20

// Set ids of version 9 (RFC 3954 sections 5.2 and 6.1). Ids above 255 are
// template ids; the others are reserved.
const (
	SetTemplates        = 0
	SetOptionsTemplates = 1
)

// Header is the header of a v9 datagram (RFC 3954 section 5.1).
type Header struct {
	// Count is the number of records, or of sets: exporters differ, and
	// nothing depends on it.
	Count uint16
	// UptimeMs is the exporter's time since boot in milliseconds.
	UptimeMs uint32
	// UnixSecs is the exporter's clock at export.
	UnixSecs uint32
	// Sequence is the number of datagrams exported before this one.
	Sequence uint32
	// SourceID is the observation domain.
	SourceID uint32
}

// ParseHeader reads a v9 header and returns the sets after it, a view into
// b. Errors: ErrShort, ErrVersion.
func ParseHeader(b []byte) (h Header, sets []byte, err error) {
	if len(b) < v9HeaderLen {
		return h, nil, ErrShort
	}
	if binary.BigEndian.Uint16(b) != V9 {
		return h, nil, ErrVersion
	}
	return Header{
		Count:    binary.BigEndian.Uint16(b[2:]),
		UptimeMs: binary.BigEndian.Uint32(b[4:]),
		UnixSecs: binary.BigEndian.Uint32(b[8:]),
		Sequence: binary.BigEndian.Uint32(b[12:]),
		SourceID: binary.BigEndian.Uint32(b[16:]),
	}, b[v9HeaderLen:], nil
}
