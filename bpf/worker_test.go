package bpf

import (
	"net/netip"
	"testing"
)

// Exporters in sequence, as networks number them, spread over the workers.
func TestWorkerSpread(t *testing.T) {
	for _, c := range []struct {
		name  string
		first string
		step  int // bytes from the end of the address that is counted up
	}{
		{"hosts", "192.0.2.0", 1},
		{"/24 networks", "10.1.0.1", 2},
		{"/16 networks", "10.0.0.1", 3},
		{"/8 networks", "0.0.0.1", 4},
		{"IPv6 hosts", "2001:db8::", 1},
		{"IPv6 /64 networks", "2001:db8::1", 9},
		{"IPv6 /48 networks", "2001:db8::1", 11},
	} {
		for _, workers := range []uint32{2, 3, 4, 8} {
			counts := make([]int, workers)
			for i := range 256 {
				a := netip.MustParseAddr(c.first).AsSlice()
				a[len(a)-c.step] = byte(i)
				addr, _ := netip.AddrFromSlice(a)
				counts[Worker(addr, workers)]++
			}
			mean := 256 / int(workers)
			for _, n := range counts {
				if n < mean/2 || n > mean*3/2 {
					t.Errorf("%s on %d workers: %v, want about %d each", c.name, workers, counts, mean)
					break
				}
			}
			t.Logf("%s on %d workers: %v", c.name, workers, counts)
		}
	}
}

func TestWorkerInRange(t *testing.T) {
	for _, workers := range []uint32{1, 5, 1 << 16} {
		a := netip.MustParseAddr("255.255.255.0")
		for range 1000 {
			if w := Worker(a, workers); w >= workers {
				t.Fatalf("worker %d of %d for %s", w, workers, a)
			}
			a = netip.AddrFrom16(a.As16()).Next()
		}
	}
}

func TestWorkerAllocates(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { _, _ = Worker(a, 4), Worker(b, 4) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
