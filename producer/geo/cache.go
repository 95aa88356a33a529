package geo

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
)

// A Country is the two letters of ISO 3166-1, the first in the high byte, or 0
// for none.
type Country uint16

// ParseCountry returns the country of two letters; false for any other text.
func ParseCountry(code []byte) (Country, bool) {
	if len(code) != 2 || !isLetter(code[0]) || !isLetter(code[1]) {
		return 0, false
	}
	return Country(code[0])<<8 | Country(code[1]), true
}

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }

// String returns the two letters, or nothing.
func (c Country) String() string {
	if c == 0 {
		return ""
	}
	return string([]byte{byte(c >> 8), byte(c)})
}

// An Answer is what is known about an address; zero for what is not.
type Answer struct {
	AS      uint32
	Country Country
}

// A Source answers what a cache does not know. It may be used by any number of
// caches at once.
type Source struct {
	// Find returns what is known about an address, which is IPv4 or IPv6 and
	// never mapped, and the length of the prefix around it that has the same
	// answer. It is called by the goroutines of all caches.
	Find func(netip.Addr) (Answer, int)
	// Generation changes after the answers have: caches begin again.
	Generation atomic.Uint64
}

// What a slot holds.
const (
	kindNone   = iota
	kindNet4   // an IPv4 network, /24
	kindAddr4  // an IPv4 address
	kindNet6   // an IPv6 network, /48
	kindAddr6  // an IPv6 address
	net4, net6 = 24, 48
)

const (
	ways    = 4 // slots that a key may be in
	buckets = 1 << 14
)

// slot is one answer.
type slot struct {
	hi, lo  uint64 // the address or network; lo of long ones only
	as      uint32
	country Country
	kind    uint8
	split   bool // a network whose addresses have different answers
}

// A Cache remembers the answers of a [Source], 65,536 of them in 1.5 MiB. It
// is not for concurrent use.
type Cache struct {
	source     *Source
	generation uint64
	victim     uint8 // way that is overwritten next
	misses     uint64
	slots      []slot
}

// NewCache returns an empty cache before source.
func NewCache(source *Source) *Cache {
	return &Cache{source: source, generation: source.Generation.Load(), slots: make([]slot, ways*buckets)}
}

// Begin empties the cache if the source's answers have changed. It is called
// now and then, as before each datagram.
func (c *Cache) Begin() {
	if g := c.source.Generation.Load(); g != c.generation {
		c.generation = g
		clear(c.slots)
	}
}

// Misses returns how often the source was asked.
func (c *Cache) Misses() uint64 { return c.misses }

// Find returns what is known about an address of 4 or 16 bytes, in network order;
// of one of another length nothing. addr is not kept.
func (c *Cache) Find(addr []byte) Answer {
	switch len(addr) {
	case 4:
		return c.find4(binary.BigEndian.Uint32(addr))
	case 16:
		hi, lo := binary.BigEndian.Uint64(addr), binary.BigEndian.Uint64(addr[8:])
		if hi == 0 && lo>>32 == 0xffff { // IPv4, mapped
			return c.find4(uint32(lo))
		}
		return c.find6(hi, lo)
	}
	return Answer{}
}

func (c *Cache) find4(v uint32) Answer {
	s := c.probe(kindNet4, uint64(v>>8), 0)
	if s != nil && s.split {
		s = c.probe(kindAddr4, uint64(v), 0)
	}
	if s != nil {
		return Answer{s.as, s.country}
	}
	c.misses++
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	answer, bits := c.source.Find(netip.AddrFrom4(b))
	if bits <= net4 {
		c.put(slot{kind: kindNet4, hi: uint64(v >> 8), as: answer.AS, country: answer.Country})
		return answer
	}
	c.put(slot{kind: kindNet4, hi: uint64(v >> 8), split: true})
	c.put(slot{kind: kindAddr4, hi: uint64(v), as: answer.AS, country: answer.Country})
	return answer
}

func (c *Cache) find6(hi, lo uint64) Answer {
	s := c.probe(kindNet6, hi>>16, 0)
	if s != nil && s.split {
		s = c.probe(kindAddr6, hi, lo)
	}
	if s != nil {
		return Answer{s.as, s.country}
	}
	c.misses++
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	answer, bits := c.source.Find(netip.AddrFrom16(b))
	if bits <= net6 {
		c.put(slot{kind: kindNet6, hi: hi >> 16, as: answer.AS, country: answer.Country})
		return answer
	}
	c.put(slot{kind: kindNet6, hi: hi >> 16, split: true})
	c.put(slot{kind: kindAddr6, hi: hi, lo: lo, as: answer.AS, country: answer.Country})
	return answer
}

// bucket returns the slots that a key may be in.
func (c *Cache) bucket(kind uint8, hi, lo uint64) []slot {
	h := (hi ^ lo*0xff51afd7ed558ccd + uint64(kind)) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	i := h * 0xbf58476d1ce4e5b9 >> (64 - 14) * ways
	return c.slots[i : i+ways : i+ways]
}

// probe returns the slot of a key, or nil.
func (c *Cache) probe(kind uint8, hi, lo uint64) *slot {
	b := c.bucket(kind, hi, lo)
	for i := range b {
		if s := &b[i]; s.hi == hi && s.kind == kind && s.lo == lo {
			return s
		}
	}
	return nil
}

// put stores a slot: over the one of its key, or in a free one, or over one of
// its bucket in turn.
func (c *Cache) put(s slot) {
	b := c.bucket(s.kind, s.hi, s.lo)
	at := -1
	for i := range b {
		if o := &b[i]; o.hi == s.hi && o.kind == s.kind && o.lo == s.lo {
			at = i
			break
		}
		if b[i].kind == kindNone && at < 0 {
			at = i
		}
	}
	if at < 0 {
		at = int(c.victim % ways)
		c.victim++
	}
	b[at] = s
}
