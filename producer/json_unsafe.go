//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"math/bits"
	"net/netip"
	"unsafe"
)

// Text is written in words: a store may go up to jsonSlack bytes beyond the end
// of what counts, for which callers keep room, and pieces of text are read up
// to as far after their end, for which their makers do.

// putText copies n bytes.
func putText(w, text unsafe.Pointer, n uintptr) unsafe.Pointer {
	copy32(w, text)
	for i := uintptr(32); i < n; i += 32 {
		copy32(unsafe.Add(w, i), unsafe.Add(text, i))
	}
	return unsafe.Add(w, n)
}

// copy32 copies 32 bytes, in two halves: of these the compiler makes loads and
// stores of 16 bytes, of the whole a call.
func copy32(w, text unsafe.Pointer) {
	*(*[16]byte)(w) = *(*[16]byte)(text)
	*(*[16]byte)(unsafe.Add(w, 16)) = *(*[16]byte)(unsafe.Add(text, 16))
}

const zeros8 = 0x3030303030303030

// digits8 returns the eight decimal digits of v, below 1e8, the first one in
// the lowest byte: halves, then pairs, then digits, all at once.
func digits8(v uint64) uint64 {
	hi := v / 10000
	x := hi | (v-hi*10000)<<32
	t := x * 10486 >> 20 & 0x0000007f_0000007f
	x = t | (x-t*100)<<16
	t = x * 103 >> 10 & 0x000f000f_000f000f
	return t | (x-t*10)<<8
}

// put8Digits is putNumber for v below 1e8.
func put8Digits(w unsafe.Pointer, v uint64) unsafe.Pointer {
	x := digits8(v)
	z := bits.TrailingZeros64(x|1<<56) &^ 7
	*(*uint64)(w) = (x | zeros8) >> (z & 63)
	return unsafe.Add(w, 8-z>>3)
}

// putNumber writes v in decimal digits.
func putNumber(w unsafe.Pointer, v uint64) unsafe.Pointer {
	if v < 1e8 {
		return put8Digits(w, v)
	}
	return putBig(w, v)
}

// putBig is putNumber for v of 1e8 and above.
func putBig(w unsafe.Pointer, v uint64) unsafe.Pointer {
	high := v / 1e8
	low := v - high*1e8
	if high >= 1e8 {
		top := high / 1e8
		if top < 256 { // as of times until 2051
			t := &octets[top]
			*(*uint32)(w) = t.text
			w = unsafe.Add(w, t.n-1)
		} else {
			w = put8Digits(w, top)
		}
		*(*uint64)(w) = digits8(high-top*1e8) | zeros8
		w = unsafe.Add(w, 8)
	} else {
		w = put8Digits(w, high)
	}
	*(*uint64)(w) = digits8(low) | zeros8
	return unsafe.Add(w, 8)
}

// octet is the text of a byte with a dot after it, first character lowest, and
// the length of both.
type octet struct{ text, n uint32 }

// octets are the texts of all bytes.
var octets = func() (t [256]octet) {
	for i := range t {
		s := netip.AddrFrom4([4]byte{byte(i)}).String() // i.0.0.0
		n := len(s) - len("0.0.0")
		for j := range n {
			t[i].text |= uint32(s[j]) << (8 * j)
		}
		t[i].n = uint32(n)
	}
	return t
}()

// putAddr4 writes an IPv4 address, a big-endian number.
func putAddr4(w unsafe.Pointer, v uint32) unsafe.Pointer {
	a, b, c, d := &octets[v>>24], &octets[v>>16&0xff], &octets[v>>8&0xff], &octets[v&0xff]
	*(*uint32)(w) = a.text
	w = unsafe.Add(w, a.n)
	*(*uint32)(w) = b.text
	w = unsafe.Add(w, b.n)
	*(*uint32)(w) = c.text
	w = unsafe.Add(w, c.n)
	*(*uint32)(w) = d.text
	return unsafe.Add(w, d.n-1)
}

// hexPairs are the two hexadecimal digits of all bytes, the first lowest.
var hexPairs = func() (t [256]uint16) {
	const hex = "0123456789abcdef"
	for i := range t {
		t[i] = uint16(hex[i>>4]) | uint16(hex[i&15])<<8
	}
	return t
}()

// putMACText writes a MAC address, 48 bits.
func putMACText(w unsafe.Pointer, v uint64) unsafe.Pointer {
	const colon = ':' << 16
	*(*uint32)(w) = uint32(hexPairs[v>>40&0xff]) | colon
	*(*uint32)(unsafe.Add(w, 3)) = uint32(hexPairs[v>>32&0xff]) | colon
	*(*uint32)(unsafe.Add(w, 6)) = uint32(hexPairs[v>>24&0xff]) | colon
	*(*uint32)(unsafe.Add(w, 9)) = uint32(hexPairs[v>>16&0xff]) | colon
	*(*uint32)(unsafe.Add(w, 12)) = uint32(hexPairs[v>>8&0xff]) | colon
	*(*uint16)(unsafe.Add(w, 15)) = hexPairs[v&0xff]
	return unsafe.Add(w, 17)
}

// zeroRun is the longest run of zero groups of an IPv6 address, the first of
// several, if it is longer than one.
type zeroRun struct{ start, end uint8 }

// zeroRuns are the runs by the bits of the groups that are zero, the first
// group lowest.
var zeroRuns = func() (t [256]zeroRun) {
	for m := range t {
		t[m] = zeroRun{8, 8}
		for i, best := 0, 1; i < 8; i++ {
			j := i
			for j < 8 && m>>j&1 != 0 {
				j++
			}
			if j-i > best {
				best = j - i
				t[m] = zeroRun{uint8(i), uint8(j)}
			}
		}
	}
	return t
}()

// zeroGroups returns a bit for each of the four 16-bit groups of v that is
// zero, the first, highest, group lowest.
func zeroGroups(v uint64) uint64 {
	const low = 0x7fff7fff_7fff7fff
	z := ^((v&low + low) | v) & 0x80008000_80008000
	return z>>63 | z>>47&1<<1 | z>>31&1<<2 | z>>15&1<<3
}

// putAddr16 writes an IPv6 address, its halves as big-endian numbers, as
// netip.Addr does (RFC 5952).
func putAddr16(w unsafe.Pointer, high, low uint64) unsafe.Pointer {
	if high == 0 && low>>32 == 0xffff {
		*(*uint64)(w) = ':' | ':'<<8 | 'f'<<16 | 'f'<<24 | 'f'<<32 | 'f'<<40 | ':'<<48
		return putAddr4(unsafe.Add(w, 7), uint32(low))
	}
	run := zeroRuns[zeroGroups(high)|zeroGroups(low)<<4&0xff]
	for i := uint8(0); i < 8; i++ {
		if i == run.start {
			*(*uint16)(w) = ':' | ':'<<8
			w = unsafe.Add(w, 2)
			if i = run.end; i >= 8 {
				break
			}
		} else if i > 0 {
			*(*byte)(w) = ':'
			w = unsafe.Add(w, 1)
		}
		v := high
		if i >= 4 {
			v = low
		}
		v = v >> (48 - 16*(i&3)) & 0xffff
		n := (bits.Len16(uint16(v)|1) + 3) >> 2
		x := uint32(hexPairs[v>>8]) | uint32(hexPairs[v&0xff])<<16
		*(*uint32)(w) = x >> (32 - 8*n)
		w = unsafe.Add(w, n)
	}
	return w
}

// putNet4 writes the prefix of so many bits, or nothing if there is none.
func putNet4(w unsafe.Pointer, v uint32, length uint64) unsafe.Pointer {
	if length > 32 {
		return w
	}
	w = putAddr4(w, v&^uint32(1<<(32-length)-1))
	return putSlash(w, length)
}

func putNet16(w unsafe.Pointer, high, low, length uint64) unsafe.Pointer {
	switch {
	case length > 128:
		return w
	case length >= 64:
		low &^= 1<<(128-length) - 1
	default:
		high &^= 1<<(64-length) - 1
		low = 0
	}
	return putSlash(putAddr16(w, high, low), length)
}

// putSlash writes the length of a prefix.
func putSlash(w unsafe.Pointer, length uint64) unsafe.Pointer {
	o := &octets[length&0xff]
	*(*uint32)(w) = '/' | o.text<<8
	return unsafe.Add(w, o.n)
}

// nameText is a name with room for a copy of its whole width.
type nameText struct {
	text [32]byte
	n    uintptr
}

// protocolTexts are the names of the protocols that a byte can say.
var protocolTexts = func() (t [256]nameText) {
	for i := range t {
		t[i].n = uintptr(copy(t[i].text[:], ProtocolName(uint32(i))))
	}
	return t
}()

// putProtocol writes the name of a protocol.
func putProtocol(w unsafe.Pointer, proto uint32) unsafe.Pointer {
	if proto > 255 {
		return unsafe.Add(w, copy(unsafe.Slice((*byte)(w), 32), ProtocolName(proto)))
	}
	t := &protocolTexts[proto]
	copy32(w, unsafe.Pointer(&t.text))
	return unsafe.Add(w, t.n)
}

// load reads the 8 bytes of the record at rec that end where an integer does,
// or those from the record's beginning where there are fewer.
func (l *jsonLoad) load(rec unsafe.Pointer) uint64 {
	if l.end < 8 {
		return loadFirst(rec, l.end)
	}
	return bits.ReverseBytes64(*(*uint64)(unsafe.Add(rec, l.end-8)))
}

// loadFirst reads the first n bytes at rec.
func loadFirst(rec unsafe.Pointer, n uint32) (v uint64) {
	for _, c := range unsafe.Slice((*byte)(rec), n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func load32(p unsafe.Pointer) uint32 { return bits.ReverseBytes32(*(*uint32)(p)) }
func load64(p unsafe.Pointer) uint64 { return bits.ReverseBytes64(*(*uint64)(p)) }
