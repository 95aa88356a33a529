package producer

import "math/bits"

// FNV-1, 32 bits (draft-eastlake-fnv section 2).
const (
	fnvOffset = 2166136261
	fnvPrime  = 16777619
	// fnvInverse takes back a multiplication by the prime.
	fnvInverse = 899433627
)

// fnv is the hash of a text that is being written.
//
// Numbers are hashed without branches, whatever the number of their digits: a
// digit that is not printed stands as a zero, which leaves only a
// multiplication by the prime, and the hash is multiplied by as many inverses
// before.
type fnv uint32

func (h fnv) byte(c byte) fnv { return h*fnvPrime ^ fnv(c) }

func (h fnv) text(s string) fnv {
	for i := range len(s) {
		h = h.byte(s[i])
	}
	return h
}

// fnvDigits are the digits of an octet.
type fnvDigits struct {
	scale fnv // the prime, and the inverses for digits that are not there
	// The characters, 0 for those that are not there.
	hundreds, tens, ones fnv
}

// fnvScales are the scales of numbers by how many digits they lack.
var fnvScales = func() (t [8]fnv) {
	t[0] = fnvPrime
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1] * fnvInverse
	}
	return t
}()

// fnvOctets are the digits of all octets.
var fnvOctets = func() (t [256]fnvDigits) {
	for i := range t {
		o, v := &t[i], fnv(i)
		lack := 2
		if v >= 100 {
			o.hundreds = '0' + v/100
			lack--
		}
		if v >= 10 {
			o.tens = '0' + v/10%10
			lack--
		}
		o.ones = '0' + v%10
		o.scale = fnvScales[lack]
	}
	return t
}()

// octet hashes the decimal digits of v.
func (h fnv) octet(v byte) fnv {
	o := &fnvOctets[v]
	return ((h*o.scale^o.hundreds)*fnvPrime^o.tens)*fnvPrime ^ o.ones
}

// half hashes the decimal digits of v, which is below 100000.
func (h fnv) half(v uint32) fnv {
	high := v / 10000
	digits := uint64(high) | uint64(fourDigits(v-10000*high))<<8
	// Behind the digits that are not there, all are characters.
	lack := uint(bits.TrailingZeros64(digits|1<<39)) &^ 7
	digits |= 0x3030303030 << lack
	h = h*fnvScales[lack>>3&7] ^ fnv(digits&0xff)
	h = h*fnvPrime ^ fnv(digits>>8&0xff)
	h = h*fnvPrime ^ fnv(digits>>16&0xff)
	h = h*fnvPrime ^ fnv(digits>>24&0xff)
	return h*fnvPrime ^ fnv(digits>>32&0xff)
}

// fourDigits returns the decimal digits of v, below 10000, the first lowest.
func fourDigits(v uint32) uint32 {
	high := v * 5243 >> 19
	pairs := high | (v-100*high)<<16
	tens := pairs * 103 >> 10 & 0x000f000f
	return tens | (pairs-10*tens)<<8
}

// eight hashes the last eight decimal digits of v, or those of them that are
// there if no others stand before them.
func (h fnv) eight(v uint32, others bool) fnv {
	high := v / 10000
	digits := uint64(fourDigits(high)) | uint64(fourDigits(v-10000*high))<<32
	lack := uint(bits.TrailingZeros64(digits|1<<63)) &^ 7
	if others {
		lack = 0
	}
	digits |= 0x3030303030303030 << lack
	h *= fnvScales[lack>>3&7] * fnvInverse
	for range 8 {
		h = h*fnvPrime ^ fnv(digits&0xff)
		digits >>= 8
	}
	return h
}

// number hashes the decimal digits of v.
func (h fnv) number(v uint64) fnv {
	if v < 1<<16 {
		return h.half(uint32(v))
	}
	return h.large(v)
}

// large is number for any v.
func (h fnv) large(v uint64) fnv {
	const unit = 1e8
	if v < unit {
		return h.eight(uint32(v), false)
	}
	return h.large(v/unit).eight(uint32(v%unit), true)
}

// bytes hashes a string of bytes as fmt prints one: [192 0 2 1].
func (h fnv) bytes(v []byte) fnv {
	sign := byte('[')
	for _, c := range v {
		h = h.byte(sign).octet(c)
		sign = ' '
	}
	if len(v) == 0 {
		h = h.byte('[')
	}
	return h.byte(']')
}
