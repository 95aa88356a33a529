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
	V8 = 8
	V9 = 9
)

// ErrShort: the datagram ends before its header does.
var ErrShort = errors.New("read netflow header: datagram too short")

// ErrVersion: the version word is not the one that the function reads.
var ErrVersion = errors.New("read netflow header: wrong version")

// ErrAggregation: v8 of an aggregation scheme that is not known.
var ErrAggregation = errors.New("read netflow header: unknown aggregation scheme")

// Fixed is the header of a datagram of a version with a fixed layout. What a version
// does not have is zero.
type Fixed struct {
	Version uint16
	// Count is the number of records, as the header claims.
	Count uint16
	// UptimeMs is the exporter's time since boot in milliseconds. It wraps
	// after 49.7 days.
	UptimeMs uint32
	// UnixSecs and UnixNsecs are the exporter's clock at export.
	UnixSecs, UnixNsecs uint32
	// Sequence is the number of flows, of v8 of aggregates, exported before this
	// datagram.
	Sequence uint32
	// EngineType and EngineID tell the exporter's slots apart.
	EngineType, EngineID uint8
	// Aggregation is the scheme that v8 records were made by, AggregationVersion the
	// version of its export.
	Aggregation, AggregationVersion uint8
	// Sampling is the sampling word: mode in the upper two bits, interval in the
	// lower 14.
	Sampling uint16
	// Format is the version, Layout that of the records. Both are shared and
	// immutable.
	Format *Version
	Layout *Layout
}

// SamplingInterval returns the sampling interval, 0 if there is none.
func (f *Fixed) SamplingInterval() uint64 { return uint64(f.Sampling & 0x3fff) }

// ParseFixed reads the header of a datagram of one of [Versions]. It returns the bytes
// following the header, a view into b. Errors: ErrShort, ErrVersion, ErrAggregation.
func ParseFixed(b []byte) (h Fixed, records []byte, err error) {
	if len(b) < 2 {
		return h, nil, ErrShort
	}
	h.Version = binary.BigEndian.Uint16(b)
	v := VersionOf(h.Version)
	switch {
	case v == nil:
		return h, nil, ErrVersion
	case len(b) < v.HeaderLen:
		return h, nil, ErrShort
	}
	h.Format, h.Layout = v, v.Layouts[0]
	h.Count = binary.BigEndian.Uint16(b[2:])
	h.UptimeMs = binary.BigEndian.Uint32(b[4:])
	h.UnixSecs = binary.BigEndian.Uint32(b[8:])
	h.UnixNsecs = binary.BigEndian.Uint32(b[12:])
	if v.Sequence != 0 {
		h.Sequence = binary.BigEndian.Uint32(b[v.Sequence:])
	}
	if v.Engine != 0 {
		h.EngineType, h.EngineID = b[v.Engine], b[v.Engine+1]
	}
	if v.Sampling != 0 {
		h.Sampling = binary.BigEndian.Uint16(b[v.Sampling:])
	}
	body := b[v.HeaderLen:]
	switch {
	case v.Aggregation != 0:
		h.Aggregation, h.AggregationVersion = b[v.Aggregation], b[v.Aggregation+1]
		if h.Aggregation == 0 || int(h.Aggregation) > len(v.Layouts) {
			return h, nil, ErrAggregation
		}
		h.Layout = v.Layouts[h.Aggregation-1]
	case len(v.Layouts) > 1 && isLonger(len(body), int(h.Count), v.Layouts[0].Len, v.Layouts[1].Len):
		h.Layout = v.Layouts[1]
	}
	return h, body, nil
}

// isLonger says whether body bytes are records of the longer of two lengths. The
// count tells; where it lies, the bytes do if they come out even.
func isLonger(body, count, short, long int) bool {
	if count > 0 && body/count >= long && body%count == 0 {
		return body/count == long
	}
	if count > 0 && body == count*short {
		return false
	}
	return body%long == 0 && body%short != 0
}

// Records returns how many records of the header's layout are in body, the
// bytes that follow the header: Count of them, or those that are whole if there
// are fewer. What follows them is no record. Nothing else in the datagram says
// how many there are, and exporters advance Sequence by Count.
func (f *Fixed) Records(body []byte) int {
	return min(len(body)/f.Layout.Len, int(f.Count))
}
