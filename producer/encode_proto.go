package producer

import "math/bits"

// Wire types of protocol buffers (https://protobuf.dev/programming-guides/encoding).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// prefixRoom is what AppendDelimited keeps free for a message's length: two
// bytes hold any length below 16 KiB, which is all but every message.
const prefixRoom = 2

// AppendDelimited appends f as a flowpb.FlowMessage after its length as a
// varint. Fields are in the order of their numbers, extra ones after the others, and
// default values are left out.
func AppendDelimited(dst []byte, f *Flow) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, prefixRoom)...)
	dst = appendMessage(dst, f)
	n := len(dst) - start - prefixRoom
	switch room := varintLen(uint64(n)); {
	case room == prefixRoom:
		dst[start] = byte(n) | 0x80
		dst[start+1] = byte(n >> 7)
	case room < prefixRoom:
		copy(dst[start+room:], dst[start+prefixRoom:])
		dst = dst[:len(dst)-(prefixRoom-room)]
		dst[start] = byte(n)
	default:
		dst = append(dst, make([]byte, room-prefixRoom)...)
		copy(dst[start+room:], dst[start+prefixRoom:start+prefixRoom+n])
		appendVarint(dst[:start], uint64(n))
	}
	return dst
}

func appendMessage(b []byte, f *Flow) []byte {
	b = appendCore(b, f)
	if f.anyExtra() {
		b = appendExtra(b, f)
	}
	return appendCustom(appendCountries(b, f), f.custom)
}

func appendTag(b []byte, field, wire int) []byte {
	tag := field<<3 | wire
	if tag < 0x80 {
		return append(b, byte(tag))
	}
	return append(b, byte(tag)|0x80, byte(tag>>7))
}

func appendUint(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return appendVarint(appendTag(b, field, wireVarint), v)
}

func appendBytes(b []byte, field int, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return appendElement(b, field, v)
}

// appendElement appends an element of a repeated field, which is written even
// when it is empty.
func appendElement(b []byte, field int, v []byte) []byte {
	b = appendVarint(appendTag(b, field, wireBytes), uint64(len(v)))
	return append(b, v...)
}

func appendPacked(b []byte, field int, v []uint32) []byte {
	if len(v) == 0 {
		return b
	}
	n := 0
	for _, x := range v {
		n += varintLen(uint64(x))
	}
	b = appendVarint(appendTag(b, field, wireBytes), uint64(n))
	for _, x := range v {
		b = appendVarint(b, uint64(x))
	}
	return b
}

func appendVarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// varintLen returns how many bytes v takes as a varint.
func varintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
