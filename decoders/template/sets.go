package template

import "encoding/binary"

// setHeaderLen is the length of a set header: id and length, two bytes each
// (RFC 7011 section 3.3.2, RFC 3954 section 5).
const setHeaderLen = 4

// Sets walks the sets of one message. The zero value is an empty walk; it is
// meant to live on the caller's stack. Not for concurrent use.
type Sets struct {
	rest []byte

	// ID is the current set's id.
	ID uint16
	// Body is the current set without its header, a view into the message.
	Body []byte
	// Here is all from the header of the set on, also of one that Next could not read.
	Here []byte
	// Fault is what the last call of Next found wrong, FaultNone otherwise.
	// It may be set both with a set (FaultSetOverrun) and at the end.
	Fault Fault
}

// Init starts the walk over b, a message without its header. The walk goes by
// the bytes that are there, not by what the message's header claims.
func (s *Sets) Init(b []byte) { *s = Sets{rest: b} }

// Next advances to the next set and reports whether there is one.
func (s *Sets) Next() bool {
	s.Fault = FaultNone
	s.Body, s.Here = nil, s.rest
	if len(s.rest) < setHeaderLen {
		if !allZero(s.rest) {
			s.Fault = FaultTrailingBytes
		}
		s.rest = nil
		return false
	}
	length := int(binary.BigEndian.Uint16(s.rest[2:]))
	if length < setHeaderLen {
		s.Fault = FaultSetLength
		if allZero(s.rest) {
			s.Fault = FaultTrailingZeros
		}
		s.rest = nil
		return false
	}
	if length > len(s.rest) {
		s.Fault = FaultSetOverrun
		length = len(s.rest)
	}
	s.ID = binary.BigEndian.Uint16(s.rest)
	s.Body = s.rest[setHeaderLen:length]
	s.rest = s.rest[length:]
	return true
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
