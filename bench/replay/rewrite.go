package main

import (
	"encoding/binary"
	"time"
)

// rewriteTime sets the export time in the header of a NetFlow v1, v5, v7, v9 or
// IPFIX message to now, all in network byte order, and reports whether it did.
// Nothing else changes: the uptime-relative times of v1 to v9 move along with
// the header, since a collector reads them as header time - uptime + value. What
// is not such a message, is shorter than its header, or is sFlow stays as it is.
//
// Headers: Cisco NetFlow export datagram formats (v1, v5, v7), RFC 3954 section
// 5.1 (v9), RFC 7011 section 3.1 (IPFIX). sFlow begins with a 32-bit version,
// whose first half is zero.
func rewriteTime(payload []byte, now time.Time) bool {
	if len(payload) < 2 {
		return false
	}
	seconds, nanoseconds := uint32(now.Unix()), uint32(now.Nanosecond())
	switch version := binary.BigEndian.Uint16(payload); {
	case version == 1 && len(payload) >= 16, (version == 5 || version == 7) && len(payload) >= 24:
		binary.BigEndian.PutUint32(payload[8:], seconds)
		binary.BigEndian.PutUint32(payload[12:], nanoseconds)
	case version == 9 && len(payload) >= 20:
		binary.BigEndian.PutUint32(payload[8:], seconds)
	case version == 10 && len(payload) >= 16:
		binary.BigEndian.PutUint32(payload[4:], seconds)
	default:
		return false
	}
	return true
}
