package geo

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// oracle answers by the first bytes of an address: whole /24 and /48 have one
// answer, but for those whose third byte is odd.
func oracle(addr netip.Addr) (Answer, int) {
	b := addr.As16()
	if addr.Is4() {
		v := addr.As4()
		if v[2]%2 == 1 {
			return Answer{AS: uint32(v[3]) + 1, Country: 'X'<<8 | 'Y'}, 32
		}
		return Answer{AS: uint32(v[0])<<16 | uint32(v[1])<<8 | uint32(v[2])}, 24
	}
	if b[5]%2 == 1 {
		return Answer{AS: uint32(b[15]) + 1}, 128
	}
	return Answer{AS: uint32(b[5]) + 7, Country: 'D'<<8 | 'E'}, 40
}

func TestCacheAgreesWithSource(t *testing.T) {
	source := &Source{Find: oracle}
	c := NewCache(source)
	rng := rand.New(rand.NewPCG(1, 2))
	// More networks and addresses than the cache has room for.
	for range 1_000_000 {
		var addr []byte
		switch rng.IntN(3) {
		case 0:
			addr = []byte{10, byte(rng.IntN(4)), byte(rng.Uint32()), byte(rng.Uint32())}
		case 1:
			addr = make([]byte, 16)
			addr[0], addr[4], addr[5], addr[15] = 0x20, byte(rng.IntN(64)), byte(rng.Uint32()), byte(rng.Uint32())
		case 2: // mapped
			addr = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, byte(rng.Uint32()), byte(rng.Uint32())}
		}
		ip, _ := netip.AddrFromSlice(addr)
		want, _ := oracle(ip.Unmap())
		if got := c.Find(addr); got != want {
			t.Fatalf("%v: got %v, want %v", ip, got, want)
		}
	}
	for _, addr := range [][]byte{nil, {}, {1, 2, 3}, make([]byte, 17)} {
		if got := c.Find(addr); got != (Answer{}) {
			t.Errorf("%v: got %v", addr, got)
		}
	}
}

func TestNeighboursHit(t *testing.T) {
	c := NewCache(&Source{Find: oracle})
	for i := range 256 {
		c.Find([]byte{192, 0, 2, byte(i)})
		c.Find([]byte{0x20, 1, 0xd, 0xb8, 0, 2, 15: byte(i)})
	}
	if c.Misses() != 2 {
		t.Errorf("%d misses in two networks, want 2", c.Misses())
	}
}

func TestNewAnswers(t *testing.T) {
	as := uint32(1)
	source := &Source{Find: func(netip.Addr) (Answer, int) { return Answer{AS: as}, 8 }}
	c := NewCache(source)
	addr := []byte{192, 0, 2, 1}
	c.Find(addr)
	as = 2
	c.Begin()
	if got := c.Find(addr).AS; got != 1 {
		t.Errorf("AS %d before the generation changed", got)
	}
	source.Generation.Add(1)
	c.Begin()
	if got := c.Find(addr).AS; got != 2 {
		t.Errorf("AS %d after the generation changed, want 2", got)
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	c := NewCache(&Source{Find: oracle})
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		c.Begin()
		c.Find([]byte{10, byte(i >> 8), byte(i), 1})
		c.Find([]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i), 15: 1})
	}); n != 0 {
		t.Errorf("%v allocations a look-up", n)
	}
}

func BenchmarkFind(b *testing.B) {
	for name, spread := range map[string]int{"hit": 8, "miss": 1 << 22} {
		b.Run(name, func(b *testing.B) {
			c := NewCache(&Source{Find: oracle})
			for i := range b.N {
				v := i * 0x9e37 % spread
				c.Find([]byte{10, byte(v >> 16), byte(v >> 8), byte(v)})
			}
		})
	}
}
