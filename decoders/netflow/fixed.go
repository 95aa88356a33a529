package netflow

import (
	"encoding/binary"
	"errors"
)

// Versions, as in the first two bytes of a datagram.
const (
	V1 = 1
	V5 = 5
	V7 = 7
	V9 = 9
)

// Header and record lengths in bytes.
const (
	v1HeaderLen = 16
	v5HeaderLen = 24 // v7 too
	v5RecordLen = 48
	v7RecordLen = 52
	// Exporters disagree on the reserved bytes at the end of a v1 record.
	v1RecordLen     = 48
	v1LongRecordLen = 52
)

// ErrShort: the datagram ends before its header does.
var ErrShort = errors.New("read netflow header: datagram too short")

// ErrVersion: the version word is not the one that the function reads.
var ErrVersion = errors.New("read netflow header: wrong version")

// Fixed is the header of a v1, v5 or v7 datagram.
type Fixed struct {
	Version uint16
	// Count is the number of records, as the header claims.
	Count uint16
	// UptimeMs is the exporter's time since boot in milliseconds. It wraps
	// after 49.7 days.
	UptimeMs uint32
	// UnixSecs and UnixNsecs are the exporter's clock at export.
	UnixSecs, UnixNsecs uint32
	// Sequence is the number of flows exported before this datagram; 0 in
	// v1, which has none.
	Sequence uint32
	// EngineType and EngineID tell the exporter's slots apart (v5).
	EngineType, EngineID uint8
	// Sampling is the v5 sampling word: mode in the upper two bits, interval
	// in the lower 14.
	Sampling uint16
	// RecordLen is the length of a record of this version in bytes.
	RecordLen int
}

// SamplingInterval returns the v5 sampling interval, 0 if there is none.
func (f *Fixed) SamplingInterval() uint64 { return uint64(f.Sampling & 0x3fff) }

// ParseFixed reads the header of a v1, v5 or v7 datagram. It returns the bytes
// behind the header, a view into b. Errors: ErrShort, ErrVersion.
func ParseFixed(b []byte) (h Fixed, records []byte, err error) {
	if len(b) < 2 {
		return h, nil, ErrShort
	}
	headerLen := v5HeaderLen
	switch h.Version = binary.BigEndian.Uint16(b); h.Version {
	case V1:
		headerLen = v1HeaderLen
		h.RecordLen = v1RecordLen
	case V5:
		h.RecordLen = v5RecordLen
	case V7:
		h.RecordLen = v7RecordLen
	default:
		return h, nil, ErrVersion
	}
	if len(b) < headerLen {
		return h, nil, ErrShort
	}
	h.Count = binary.BigEndian.Uint16(b[2:])
	if body := len(b) - headerLen; h.Version == V1 && isLongV1(body, int(h.Count)) {
		h.RecordLen = v1LongRecordLen
	}
	h.UptimeMs = binary.BigEndian.Uint32(b[4:])
	h.UnixSecs = binary.BigEndian.Uint32(b[8:])
	h.UnixNsecs = binary.BigEndian.Uint32(b[12:])
	if h.Version != V1 {
		h.Sequence = binary.BigEndian.Uint32(b[16:])
	}
	if h.Version == V5 {
		h.EngineType, h.EngineID = b[20], b[21]
		h.Sampling = binary.BigEndian.Uint16(b[22:])
	}
	return h, b[headerLen:], nil
}

// isLongV1 says whether body bytes are v1 records of the longer form. The
// count tells; where it lies, the bytes do if they come out even.
func isLongV1(body, count int) bool {
	if count > 0 && body/count >= v1LongRecordLen && body%count == 0 {
		return body/count == v1LongRecordLen
	}
	if count > 0 && body == count*v1RecordLen {
		return false
	}
	return body%v1LongRecordLen == 0 && body%v1RecordLen != 0
}

// Records returns how many records of the header's version are in body, the
// bytes that follow the header: Count of them, or those that are whole if there
// are fewer. What follows them is no record. Nothing else in the datagram says
// how many there are, and exporters advance Sequence by Count.
func (f *Fixed) Records(body []byte) int {
	return min(len(body)/f.RecordLen, int(f.Count))
}

// A Record is one record of a v1, v5 or v7 datagram. What a version does not
// have is zero.
type Record struct {
	SrcAddr, DstAddr, NextHop []byte // views, 4 bytes each
	Input, Output             uint16 // SNMP interface indices
	Packets, Bytes            uint32
	FirstMs, LastMs           uint32 // on the exporter's uptime clock
	SrcPort, DstPort          uint16
	Protocol, TOS, TCPFlags   uint8
	SrcAS, DstAS              uint16
	SrcMask, DstMask          uint8 // prefix lengths
}

// ParseRecord reads one record of the header's version from b, which holds at
// least RecordLen bytes. r's slices are views into b.
func (f *Fixed) ParseRecord(b []byte, r *Record) {
	_ = b[f.RecordLen-1]
	*r = Record{
		SrcAddr: b[0:4:4],
		DstAddr: b[4:8:8],
		NextHop: b[8:12:12],
		Input:   binary.BigEndian.Uint16(b[12:]),
		Output:  binary.BigEndian.Uint16(b[14:]),
		Packets: binary.BigEndian.Uint32(b[16:]),
		Bytes:   binary.BigEndian.Uint32(b[20:]),
		FirstMs: binary.BigEndian.Uint32(b[24:]),
		LastMs:  binary.BigEndian.Uint32(b[28:]),
		SrcPort: binary.BigEndian.Uint16(b[32:]),
		DstPort: binary.BigEndian.Uint16(b[34:]),
	}
	if f.Version == V1 {
		// 36-37 pad, 38 protocol, 39 tos, 40 flags.
		r.Protocol, r.TOS, r.TCPFlags = b[38], b[39], b[40]
		return
	}
	// 36 pad (flags in v7), 37 tcp flags, 38 protocol, 39 tos.
	r.TCPFlags, r.Protocol, r.TOS = b[37], b[38], b[39]
	r.SrcAS = binary.BigEndian.Uint16(b[40:])
	r.DstAS = binary.BigEndian.Uint16(b[42:])
	r.SrcMask, r.DstMask = b[44], b[45]
}
