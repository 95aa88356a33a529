package enrich

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/weirflow/weir/producer/geo"
)

// Numbers of FlowMessage that enrichment reads and writes.
const (
	fieldSamplingRate = 3
	fieldSrcAddr      = 6
	fieldDstAddr      = 7
	fieldSrcAS        = 14
	fieldDstAS        = 15
	fieldSrcCountry   = 1000
	fieldDstCountry   = 1001
)

// Wire types (https://protobuf.dev/programming-guides/encoding).
const (
	wireVarint = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

// maxField is the highest number that a field may have.
const maxField = 1<<29 - 1

// ErrMessage says that bytes are no protobuf message.
var ErrMessage = errors.New("not a protobuf message")

// maxSpans is how often the fields that enrichment replaces may be in a message.
const maxSpans = 16

// A Rewriter adds to messages what a cache knows about their addresses. It is not
// for concurrent use.
type Rewriter struct {
	cache *geo.Cache
	rate  uint64

	src, dst []byte // addresses of the current message
	spans    [maxSpans]span
	n        int
}

// span is where a field stands.
type span struct {
	field      int
	start, end int
}

// NewRewriter returns a rewriter that asks cache, which may be nil for none, and
// sets the sampling rate of every message unless it is 0.
func NewRewriter(cache *geo.Cache, samplingRate uint64) *Rewriter {
	return &Rewriter{cache: cache, rate: samplingRate}
}

// Begin has the cache look for new databases. It is called now and then, as
// before each block of messages.
func (r *Rewriter) Begin() {
	if r.cache != nil {
		r.cache.Begin()
	}
}

// Append appends a protobuf message, given without its length, to dst, enriched
// and after its length as a varint. The fields that are new stand at the end,
// and are nowhere else in the message; all others, unknown ones too, are as they
// were. What the databases do not know about an address stays as it was. For bytes
// that are no message it returns ErrMessage and dst. It does not allocate but
// to grow dst; msg is not kept.
func (r *Rewriter) Append(dst, msg []byte) ([]byte, error) {
	if !r.scan(msg) {
		return dst, ErrMessage
	}
	var src, to geo.Answer
	if r.cache != nil {
		src, to = r.cache.Find(r.src), r.cache.Find(r.dst)
	}
	size := len(msg)
	keep := 0
	for i := range r.n {
		s := r.spans[i]
		if !r.replaces(s.field, src, to) {
			continue
		}
		size -= s.end - s.start
		r.spans[keep] = s
		keep++
	}
	size += sizeUint(1, r.rate) + sizeUint(1, uint64(src.AS)) + sizeUint(1, uint64(to.AS)) +
		sizeCountry(src.Country) + sizeCountry(to.Country)
	dst = binary.AppendUvarint(dst, uint64(size))
	at := 0
	for _, s := range r.spans[:keep] {
		dst = append(dst, msg[at:s.start]...)
		at = s.end
	}
	dst = append(dst, msg[at:]...)
	dst = appendUint(dst, fieldSamplingRate, r.rate)
	dst = appendUint(dst, fieldSrcAS, uint64(src.AS))
	dst = appendUint(dst, fieldDstAS, uint64(to.AS))
	dst = appendCountry(dst, fieldSrcCountry, src.Country)
	return appendCountry(dst, fieldDstCountry, to.Country), nil
}

// replaces says whether a field of the message is rewritten.
func (r *Rewriter) replaces(field int, src, dst geo.Answer) bool {
	switch field {
	case fieldSamplingRate:
		return r.rate != 0
	case fieldSrcAS:
		return src.AS != 0
	case fieldDstAS:
		return dst.AS != 0
	case fieldSrcCountry:
		return src.Country != 0
	default:
		return dst.Country != 0
	}
}

// scan walks the fields of a message and notes those of interest. Every round
// consumes bytes; every length is compared with what is left.
func (r *Rewriter) scan(msg []byte) bool {
	r.src, r.dst, r.n = nil, nil, 0
	for i := 0; i < len(msg); {
		start := i
		tag := uint64(msg[i])
		i++
		if tag >= 0x80 {
			if i < len(msg) && msg[i] < 0x80 {
				tag = tag&0x7f | uint64(msg[i])<<7
				i++
			} else {
				var n int
				if tag, n = binary.Uvarint(msg[start:]); n <= 0 || tag>>3 > maxField {
					return false
				}
				i = start + n
			}
		}
		body := i
		switch tag & 7 {
		case wireVarint:
			for {
				if i == len(msg) || i-body == binary.MaxVarintLen64 {
					return false
				}
				i++
				if msg[i-1] < 0x80 {
					break
				}
			}
			if i-body == binary.MaxVarintLen64 && msg[i-1] > 1 { // more than 64 bits
				return false
			}
		case wireBytes:
			n, k := binary.Uvarint(msg[i:])
			if k <= 0 || n > uint64(len(msg)-i-k) {
				return false
			}
			body = i + k
			i = body + int(n)
		case wireFixed4:
			i += 4
		case wireFixed8:
			i += 8
		default:
			return false
		}
		if i > len(msg) {
			return false
		}
		switch tag {
		case fieldSrcAddr<<3 | wireBytes:
			r.src = msg[body:i]
		case fieldDstAddr<<3 | wireBytes:
			r.dst = msg[body:i]
		case fieldSamplingRate << 3, fieldSrcAS << 3, fieldDstAS << 3,
			fieldSrcCountry<<3 | wireBytes, fieldDstCountry<<3 | wireBytes:
			if r.n == maxSpans {
				return false
			}
			r.spans[r.n] = span{int(tag >> 3), start, i}
			r.n++
		case 0, 1, 2, 5: // field number 0
			return false
		}
	}
	return true
}

func sizeUint(tagLen int, v uint64) int {
	if v == 0 {
		return 0
	}
	return tagLen + (bits.Len64(v|1)+6)/7
}

func sizeCountry(c geo.Country) int {
	if c == 0 {
		return 0
	}
	return 2 + 1 + 2
}

func appendUint(b []byte, field uint64, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(append(b, byte(field<<3)), v)
}

func appendCountry(b []byte, field uint64, c geo.Country) []byte {
	if c == 0 {
		return b
	}
	tag := field<<3 | wireBytes
	return append(b, byte(tag)|0x80, byte(tag>>7), 2, byte(c>>8), byte(c))
}
