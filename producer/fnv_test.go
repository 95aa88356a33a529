package producer

import (
	"math/rand/v2"
	"testing"
)

// slowNumber and slowBytes are number and bytes a character at a time.
func slowNumber(h fnv, v uint64) fnv {
	if v >= 10 {
		h = slowNumber(h, v/10)
	}
	return h.byte('0' + byte(v%10))
}

func slowBytes(h fnv, v []byte) fnv {
	h = h.byte('[')
	for i, c := range v {
		if i > 0 {
			h = h.byte(' ')
		}
		h = slowNumber(h, uint64(c))
	}
	return h.byte(']')
}

// TestHash compares the hashes of numbers and strings of bytes with those of
// their characters in turn.
func TestHash(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	number := func(v uint64) {
		t.Helper()
		h := fnv(r.Uint32())
		want := slowNumber(h, v)
		if got := h.number(v); got != want {
			t.Fatalf("number %d: got %08x, want %08x", v, got, want)
		}
		if got := h.octet(byte(v)); v < 1<<8 && got != want {
			t.Fatalf("octet %d: got %08x, want %08x", v, got, want)
		}
		if got := h.octet(byte(v)).byte(' '); v < 1<<8 && got != h.spaced(byte(v)) {
			t.Fatalf("octet %d and a space: got %08x, want %08x", v, h.spaced(byte(v)), got)
		}
		if got := h.large(v); got != want {
			t.Fatalf("large %d: got %08x, want %08x", v, got, want)
		}
	}
	for v := range uint64(1 << 17) {
		number(v)
	}
	for power := uint64(10); ; power *= 10 {
		for v := power - 3; v < power+3; v++ {
			number(v)
		}
		if power == 1e19 {
			break
		}
	}
	for v := ^uint64(0); v > ^uint64(0)-3; v-- {
		number(v)
	}
	for range 100_000 {
		number(r.Uint64() >> r.IntN(64))
	}
	for n := range 41 {
		for range 300 {
			v := make([]byte, n)
			for i := range v {
				v[i] = byte(r.Uint32() >> r.IntN(8))
			}
			h := fnv(r.Uint32())
			if got, want := h.bytes(v), slowBytes(h, v); got != want {
				t.Fatalf("bytes %v: got %08x, want %08x", v, got, want)
			}
		}
	}
}
