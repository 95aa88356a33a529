package sflow

import "encoding/binary"

// Version is the only version of sFlow that is read.
const Version = 5

// Address types of XDR unions with an address.
const (
	addressUnknown = 0
	addressIPv4    = 1
	addressIPv6    = 2
)

// Header is the fixed part of a datagram.
type Header struct {
	Agent       []byte // view of 4 or 16 bytes; none if the agent does not know its own
	SubAgentID  uint32
	Sequence    uint32 // of datagrams, per agent and sub-agent
	UptimeMs    uint32 // milliseconds since the agent booted
	SampleCount uint32 // as the agent says, not checked
}

// ParseHeader reads the header of a datagram and returns what lies after it.
// The error is [ErrVersion], [ErrAgentAddress] or [ErrShortHeader]; nothing of
// the datagram can be read then.
func ParseHeader(b []byte) (h Header, samples []byte, err error) {
	if len(b) < 8 {
		if len(b) >= 4 && binary.BigEndian.Uint32(b) != Version {
			return h, nil, ErrVersion
		}
		return h, nil, ErrShortHeader
	}
	if binary.BigEndian.Uint32(b) != Version {
		return h, nil, ErrVersion
	}
	var n int
	switch binary.BigEndian.Uint32(b[4:]) {
	case addressUnknown:
	case addressIPv4:
		n = 4
	case addressIPv6:
		n = 16
	default:
		return h, nil, ErrAgentAddress
	}
	if len(b) < 8+n+16 {
		return h, nil, ErrShortHeader
	}
	h.Agent = b[8 : 8+n : 8+n]
	d := b[8+n:]
	h.SubAgentID = binary.BigEndian.Uint32(d)
	h.Sequence = binary.BigEndian.Uint32(d[4:])
	h.UptimeMs = binary.BigEndian.Uint32(d[8:])
	h.SampleCount = binary.BigEndian.Uint32(d[12:])
	return h, d[16:], nil
}

// tlv takes one sample or record off b: a word of enterprise (20 bits) and
// format (12 bits), a length in bytes, that many bytes and padding to 4. data
// is clamped to the bytes that are there; whole says that it is not cut. The
// padding of the last one may be missing. b must hold 8 bytes.
func tlv(b []byte) (word uint32, data, rest []byte, whole bool) {
	word = binary.BigEndian.Uint32(b)
	n := uint64(binary.BigEndian.Uint32(b[4:]))
	b = b[8:]
	if n > uint64(len(b)) {
		return word, b[:len(b):len(b)], nil, false
	}
	padded := min((n+3)&^3, uint64(len(b)))
	return word, b[:n:n], b[padded:], true
}
