package producer

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
)

// appendCommunity appends the usual text of a large community of 12 bytes (RFC 8092
// section 5), of an extended community (RFC 4360 section 4, RFC 5668) or of a route
// distinguisher (RFC 4364 section 4.2), of 8 bytes; all others in hexadecimal.
func appendCommunity(b, v []byte, extended bool) []byte {
	if len(v) == 12 {
		b = strconv.AppendUint(b, uint64(binary.BigEndian.Uint32(v)), 10)
		for _, part := range [][]byte{v[4:8], v[8:]} {
			b = strconv.AppendUint(append(b, ':'), uint64(binary.BigEndian.Uint32(part)), 10)
		}
		return b
	}
	if len(v) != 8 {
		return hex.AppendEncode(b, v)
	}
	kind := binary.BigEndian.Uint16(v)
	if extended {
		switch v[1] {
		case 2:
			b = append(b, "rt:"...)
		case 3:
			b = append(b, "soo:"...)
		default:
			return hex.AppendEncode(b, v)
		}
		kind = uint16(v[0] &^ 0x40) // transitive or not
	}
	short, long := uint64(binary.BigEndian.Uint16(v[6:])), uint64(binary.BigEndian.Uint32(v[4:]))
	switch kind {
	case 0:
		b = strconv.AppendUint(b, uint64(binary.BigEndian.Uint16(v[2:])), 10)
		return strconv.AppendUint(append(b, ':'), long, 10)
	case 1:
		b = netip.AddrFrom4([4]byte(v[2:6])).AppendTo(b)
	case 2:
		b = strconv.AppendUint(b, uint64(binary.BigEndian.Uint32(v[2:])), 10)
	default:
		return hex.AppendEncode(b, v)
	}
	return strconv.AppendUint(append(b, ':'), short, 10)
}
