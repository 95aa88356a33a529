// Package ipfix reads the header of IPFIX messages (RFC 7011 section 3.1). The
// sets after it are the business of package template.
//
// Pure: no I/O, no log, no allocation. All numbers on the wire are big-endian.
package ipfix

import (
	"encoding/binary"
	"errors"
)

// Version is the version word of an IPFIX message.
const Version = 10

// HeaderLen is the length of a message header in bytes.
const HeaderLen = 16

// Set ids (RFC 7011 section 3.3.2). Ids above 255 are template ids; the others
// are reserved.
const (
	SetTemplates        = 2
	SetOptionsTemplates = 3
)

// Errors of ParseHeader.
var (
	ErrShort   = errors.New("read ipfix header: datagram too short")
	ErrVersion = errors.New("read ipfix header: wrong version")
)

// Header is a message header.
type Header struct {
	// Length is the length of the message in bytes, header included, as the
	// exporter claims it.
	Length uint16
	// ExportTime is the exporter's clock at export, in Unix seconds.
	ExportTime uint32
	// Sequence is the number of data records sent before this message, for
	// the stream and observation domain.
	Sequence uint32
	// DomainID is the observation domain id.
	DomainID uint32
}

// ParseHeader reads the header of the message in datagram b, and returns the
// sets behind it: a view of all bytes of b that follow the header, whatever
// Length claims. A datagram holds one message. Errors: ErrShort, ErrVersion.
func ParseHeader(b []byte) (h Header, sets []byte, err error) {
	if len(b) < HeaderLen {
		return h, nil, ErrShort
	}
	if binary.BigEndian.Uint16(b) != Version {
		return h, nil, ErrVersion
	}
	return Header{
		Length:     binary.BigEndian.Uint16(b[2:]),
		ExportTime: binary.BigEndian.Uint32(b[4:]),
		Sequence:   binary.BigEndian.Uint32(b[8:]),
		DomainID:   binary.BigEndian.Uint32(b[12:]),
	}, b[HeaderLen:], nil
}
