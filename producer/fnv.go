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

// fnvScales are what the hash is multiplied by for the first digit of a number,
// by how many digits it lacks.
var fnvScales = func() (t [8]fnv) {
	t[0] = fnvPrime
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1] * fnvInverse
	}
	return t
}()

// octetDigits are the digits of a number of one byte.
type octetDigits struct {
	scale                fnv
	hundreds, tens, ones fnv // characters, 0 for those that are not there
}

var fnvOctets = func() (t [256]octetDigits) {
	for i := range t {
		v := fnv(i)
		o := octetDigits{scale: fnvScales[2], ones: '0' + v%10}
		if v >= 10 {
			o.scale, o.tens = fnvScales[1], '0'+v/10%10
		}
		if v >= 100 {
			o.scale, o.hundreds = fnvScales[0], '0'+v/100
		}
		t[i] = o
	}
	return t
}()

// octet hashes the decimal digits of v.
func (h fnv) octet(v byte) fnv {
	o := &fnvOctets[v]
	return ((h*o.scale^o.hundreds)*fnvPrime^o.tens)*fnvPrime ^ o.ones
}

// Digits and spaces have no more than six bits: what they change of a hash,
// beyond its multiplications, depends on its lowest six bits alone. So an octet
// and the space after it are one multiplication and one addition.
var (
	spacedScales = func() (t [256]fnv) {
		for v := range t {
			t[v] = fnvOctets[v].scale
			for range 3 {
				t[v] *= fnvPrime
			}
		}
		return t
	}()
	spacedSums = func() (t [256][64]fnv) {
		for v := range t {
			for low := range t[v] {
				h := fnv(low)
				t[v][low] = h.octet(byte(v)).byte(' ') - h*spacedScales[v]
			}
		}
		return t
	}()
)

// spaced hashes the decimal digits of v and a space.
func (h fnv) spaced(v byte) fnv { return h*spacedScales[v] + spacedSums[v][h&63] }

// instead makes the space that was hashed last another character.
func (h fnv) instead(c byte) fnv { return h ^ ' ' ^ fnv(c) }

// bytes hashes a string of bytes as fmt prints one: [192 0 2 1].
func (h fnv) bytes(v []byte) fnv {
	h = h.byte('[')
	if len(v) == 0 {
		return h.byte(']')
	}
	for _, c := range v {
		h = h.spaced(c)
	}
	return h.instead(']')
}

// number hashes the decimal digits of v.
func (h fnv) number(v uint64) fnv {
	if v < shortLimit {
		return h.short(shortDigits(uint32(v)))
	}
	return h.large(v)
}

// shortLimit is above the numbers that short hashes.
const shortLimit = 100_000

// shortFirst are the digits of such a number that stand before the last three.
type shortFirst struct {
	scale      fnv
	tens, ones fnv
	// rest is what the last three digits have in common where others stand
	// before them.
	rest uint32
}

var shortFirsts = func() (t [128]shortFirst) {
	t[0].scale = fnvScales[2]
	for i := 1; i < 100; i++ {
		o := &fnvOctets[i]
		t[i] = shortFirst{o.scale * fnvPrime, o.tens, o.ones, '0'<<24 | '0'<<16 | '0'<<8 | 3}
	}
	return t
}()

// shortRests are the last three digits, the first lowest, and below them 3 if
// all are there, 1 if two are; shortScales are the scales by that.
var (
	shortRests = func() (t [1024]uint32) {
		for i := range t {
			v := uint32(i)
			t[i] = ('0' + v%10) << 24
			if v >= 10 {
				t[i] |= ('0'+v/10%10)<<16 | 1
			}
			if v >= 100 {
				t[i] |= ('0'+v/100%10)<<8 | 3
			}
		}
		return t
	}()
	shortScales = [256]fnv{0: fnvScales[2], 1: fnvScales[1], 3: fnvScales[0]}
)

// shortDigits returns the digits of a number below shortLimit.
func shortDigits(v uint32) (first *shortFirst, rest uint32) {
	high := v / 1000
	first = &shortFirsts[high&127]
	return first, shortRests[(v-1000*high)&1023] | first.rest
}

// short hashes them.
func (h fnv) short(first *shortFirst, rest uint32) fnv {
	h = (h*first.scale^first.tens)*fnvPrime ^ first.ones
	h = h*shortScales[byte(rest)] ^ fnv(rest>>8&0xff)
	h = h*fnvPrime ^ fnv(rest>>16&0xff)
	return h*fnvPrime ^ fnv(rest>>24)
}

// large is number for any v.
func (h fnv) large(v uint64) fnv {
	const unit = 1e8
	if v < unit {
		return h.eight(uint32(v), false)
	}
	return h.large(v/unit).eight(uint32(v%unit), true)
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

// fourDigits returns the decimal digits of v, below 10000, the first lowest.
func fourDigits(v uint32) uint32 {
	high := v * 5243 >> 19
	pairs := high | (v-100*high)<<16
	tens := pairs * 103 >> 10 & 0x000f000f
	return tens | (pairs-10*tens)<<8
}
