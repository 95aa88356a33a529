package collector

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestAllowed(t *testing.T) {
	for _, test := range []struct {
		name        string
		allow, deny []netip.Prefix
		yes, no     []string
	}{
		{"no rules", nil, nil, []string{"192.0.2.1", "2001:db8::1", "::", "0.0.0.0"}, nil},
		{"deny alone", nil, prefixes("192.0.2.0/24", "2001:db8::/32"),
			[]string{"192.0.3.0", "2001:db9::1"}, []string{"192.0.2.0", "192.0.2.255", "2001:db8::1"}},
		{"allow alone", prefixes("192.0.2.0/24"), nil,
			[]string{"192.0.2.7"}, []string{"192.0.1.255", "2001:db8::1", "::ffff:0:1"}},
		{"longest prefix", prefixes("10.0.0.0/8", "10.1.2.0/24", "10.1.2.4/32"), prefixes("10.1.0.0/16", "10.1.2.3/32"),
			[]string{"10.0.0.1", "10.1.2.1", "10.1.2.4"}, []string{"10.1.1.1", "10.1.2.3", "11.0.0.1"}},
		{"deny on ties", prefixes("10.0.0.0/8", "10.1.0.0/16", "::/0"), prefixes("10.1.0.0/16", "2001:db8::/32"),
			[]string{"10.2.0.1", "2001:db9::"}, []string{"10.1.0.1", "2001:db8::"}},
		{"deny on ties, named twice", prefixes("10.1.0.0/16", "10.1.0.0/16"), prefixes("10.1.0.0/16"),
			nil, []string{"10.1.0.1"}},
		{"bits behind the prefix", prefixes("10.1.2.3/8"), prefixes("10.9.8.7/16"),
			[]string{"10.200.0.1"}, []string{"10.9.255.255", "11.1.2.3"}},
		{"mapped prefixes are of IPv4", prefixes("::ffff:10.0.0.0/104"), prefixes("::ffff:10.1.0.0/112"),
			[]string{"10.0.0.1"}, []string{"10.1.0.1", "11.0.0.1", "::ffff:10.0.0.1"}},
		{"all of a family", prefixes("0.0.0.0/0"), nil, []string{"192.0.2.1"}, []string{"2001:db8::1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := NewAdmission(test.allow, test.deny, 0)
			for _, addr := range test.yes {
				if !a.allowed(netip.MustParseAddr(addr)) {
					t.Errorf("%s may not send", addr)
				}
			}
			for _, addr := range test.no {
				if a.allowed(netip.MustParseAddr(addr)) {
					t.Errorf("%s may send", addr)
				}
			}
		})
	}
}

// The table of prefixes against a search through the lists.
func TestAllowedAgainstSearch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	// Few bits vary, so that prefixes meet.
	address := func() netip.Addr {
		if rng.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(rng.IntN(4)), byte(rng.IntN(2)) << 7, byte(rng.IntN(4))})
		}
		return netip.AddrFrom16([16]byte{0: 0x20, 1: byte(rng.IntN(4)), 7: byte(rng.IntN(2)), 15: byte(rng.IntN(4))})
	}
	list := func() (out []netip.Prefix) {
		for range rng.IntN(6) {
			a := address()
			out = append(out, netip.PrefixFrom(a, rng.IntN(a.BitLen()+1)))
		}
		return out
	}
	longest := func(list []netip.Prefix, a netip.Addr) int {
		bits := -1
		for _, p := range list {
			if p.Masked().Contains(a) {
				bits = max(bits, p.Bits())
			}
		}
		return bits
	}
	for range 2000 {
		allow, deny := list(), list()
		adm := NewAdmission(allow, deny, 0)
		for range 10 {
			a := address()
			yes, no := longest(allow, a), longest(deny, a)
			want := yes > no || yes < 0 && no < 0 && len(allow) == 0
			if got := adm.allowed(a); got != want {
				t.Fatalf("allow %v deny %v: %v may send is %v", allow, deny, a, got)
			}
		}
	}
}

// admitted counts how many of n datagrams at one moment are within the limit.
func admitted(a *Admission, next *atomic.Int64, at time.Duration, n int) int {
	got := 0
	for range n {
		if a.admit(next, int64(epoch+at)) {
			got++
		}
	}
	return got
}

// epoch is when simulated time begins, after 1970.
const epoch = 1_700_000_000 * time.Second

func TestRateBurstAndRefill(t *testing.T) {
	for _, test := range []struct{ rate, burst int }{
		{1, 64}, {50, 64}, {640, 64}, {650, 65}, {1000, 100}, {3333, 333}, {100_000, 10_000}, {1_000_000, 100_000},
	} {
		a := NewAdmission(nil, nil, test.rate)
		next := new(atomic.Int64)
		if got := admitted(a, next, 0, test.burst+10); got != test.burst {
			t.Errorf("rate %d: %d at once, want %d", test.rate, got, test.burst)
			continue
		}
		turn := (time.Second + time.Duration(test.rate)/2) / time.Duration(test.rate)
		if got := admitted(a, next, turn-1, 5); got != 0 {
			t.Errorf("rate %d: %d before the next turn, want 0", test.rate, got)
		}
		if got := admitted(a, next, turn, 5); got != 1 {
			t.Errorf("rate %d: %d at the next turn, want 1", test.rate, got)
		}
		if got := admitted(a, next, 4*turn, 10); got != 3 {
			t.Errorf("rate %d: %d after three turns, want 3", test.rate, got)
		}
		// However long it was silent, it has one burst.
		if got := admitted(a, next, time.Hour, 2*test.burst); got != test.burst {
			t.Errorf("rate %d: %d after an hour, want %d", test.rate, got, test.burst)
		}
	}
}

// One that sends at the rate loses nothing; one that sends twice as much is held to
// the rate, and to its burst once.
func TestRateOverTime(t *testing.T) {
	const rate, seconds = 200, 30
	for _, factor := range []int{1, 2, 10} {
		a := NewAdmission(nil, nil, rate)
		next := new(atomic.Int64)
		got := 0
		for i := range rate * seconds * factor {
			at := time.Duration(i) * time.Second / time.Duration(rate*factor)
			got += admitted(a, next, at, 1)
		}
		want := rate*seconds + minBurst - 1
		if factor == 1 {
			want = rate * seconds
		}
		if got < want-1 || got > want+1 {
			t.Errorf("%d times the rate: %d admitted in %d s, want %d", factor, got, seconds, want)
		}
	}
}

func TestRateClockSetBack(t *testing.T) {
	a := NewAdmission(nil, nil, 100)
	next := new(atomic.Int64)
	if got := admitted(a, next, time.Hour, 100); got != minBurst {
		t.Fatalf("%d at once, want %d", got, minBurst)
	}
	// Receive times of two workers: out of order, and no further burst.
	if got := admitted(a, next, time.Hour-time.Second, 100); got != 0 {
		t.Errorf("%d of a second before, want 0", got)
	}
	// The clock was set back: the rate goes on from there.
	got := 0
	for i := range 100 {
		got += admitted(a, next, time.Duration(i)*time.Second/100, 1)
	}
	if got < 98 {
		t.Errorf("%d of 100 at the rate after the clock was set back", got)
	}
}

func TestNoRate(t *testing.T) {
	a := NewAdmission(nil, nil, 0)
	if got := admitted(a, new(atomic.Int64), 0, 100_000); got != 100_000 {
		t.Errorf("%d of 100000 without a limit", got)
	}
}

// Two workers that receive from one exporter share its limit.
func TestRateSharedByWorkers(t *testing.T) {
	a := NewAdmission(nil, nil, 10)
	e := NewExporters().Get(netip.MustParseAddr("192.0.2.1"))
	var got atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() { got.Add(int64(admitted(a, &e.next, 0, 1000))) })
	}
	workers.Wait()
	if got.Load() != minBurst {
		t.Errorf("%d admitted, want %d", got.Load(), minBurst)
	}
}
