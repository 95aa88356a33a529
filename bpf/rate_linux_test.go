package bpf

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// limited returns RateLimited's answer.
func limited(t testing.TB, p *Program) map[netip.Addr]uint64 {
	t.Helper()
	got := make(map[netip.Addr]uint64)
	err := p.RateLimited(func(a netip.Addr, dropped uint64) bool {
		got[a] += dropped
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// burst runs the frame n times and returns how often it was not dropped for its rate.
func burst(t testing.TB, p *Program, frame []byte, n int) int {
	t.Helper()
	passed := 0
	for range n {
		switch v := run(t, p, frame, nil); v {
		case Redirect:
			passed++
		case DropRate:
		default:
			t.Fatalf("verdict %v", v)
		}
	}
	return passed
}

func TestRate(t *testing.T) {
	// One a second: no more than the burst passes, and one for each second of the test.
	began := time.Now()
	most := func(n int) int { return n + int(time.Since(began)/time.Second) + 1 }
	p := load(t, Config{RatePPS: 1}, listens())
	fillSlots(t, p)
	for _, c := range []struct {
		src   netip.Addr
		frame []byte
	}{
		{exporter4, v4(datagram{})},
		{exporter6, v6(datagram{})},
	} {
		if v := run(t, p, c.frame, nil); v != Redirect {
			t.Fatalf("%s: first datagram: %v", c.src, v)
		}
		if n := 1 + burst(t, p, c.frame, 99); n < 64 || n > most(64) {
			t.Errorf("%s: %d of 100 datagrams passed, want the burst of 64", c.src, n)
		}
	}
	if v := run(t, p, v4(datagram{port: otherPort}), nil); v != PassOtherPort {
		t.Errorf("other port of an exporter over its rate: %v", v)
	}

	sums, err := p.Verdicts()
	if err != nil {
		t.Fatal(err)
	}
	got := limited(t, p)
	if len(got) != 2 || got[exporter4]+got[exporter6] != sums[DropRate] {
		t.Errorf("exporters over the rate: %v, dropped in all: %d", got, sums[DropRate])
	}
	calls := 0
	if err := p.RateLimited(func(netip.Addr, uint64) bool { calls++; return false }); err != nil || calls != 1 {
		t.Errorf("yield was called %d times (%v) after it returned false", calls, err)
	}

	// After ten seconds there is room for ten.
	k := rateKey{Family: familyV4}
	k.Addr, _ = wire(exporter4)
	var v rateValue
	if err := p.rates.Lookup(k, &v); err != nil {
		t.Fatal(err)
	}
	v.Next -= 10e9
	if err := p.rates.Put(k, v); err != nil {
		t.Fatal(err)
	}
	if n := burst(t, p, v4(datagram{}), 20); n < 10 || n > most(10) {
		t.Errorf("%d datagrams passed after ten seconds, want 10", n)
	}
}

func TestRateOverTime(t *testing.T) {
	const pps, burstLen = 1000, 100
	p := load(t, Config{RatePPS: pps}, listens())
	fillSlots(t, p)
	frame := v4(datagram{})
	start := time.Now()
	passed, last, gap := 0, start, time.Duration(0)
	for time.Since(start) < 200*time.Millisecond {
		passed += burst(t, p, frame, 10)
		now := time.Now()
		last, gap = now, max(gap, now.Sub(last))
	}
	most := burstLen + int(time.Since(start).Seconds()*pps) + 1
	if passed > most {
		t.Errorf("%d datagrams passed, want %d at most", passed, most)
	}
	// A machine too busy to send for a while loses what could have passed then.
	if d := limited(t, p)[exporter4]; gap < 50*time.Millisecond && passed < burstLen+150 && d > 0 {
		t.Errorf("%d datagrams passed while %d were dropped, want at least %d", passed, d, burstLen+150)
	}
}

func TestNoRate(t *testing.T) {
	p := load(t, Config{}, listens())
	fillSlots(t, p)
	if n := burst(t, p, v4(datagram{}), 500); n != 500 {
		t.Errorf("%d of 500 datagrams passed without a cap", n)
	}
	if got := limited(t, p); len(got) > 0 {
		t.Errorf("exporters over no rate: %v", got)
	}
}

// Denied exporters take no place in the table, and more exporters than it has
// places cost others their state, not datagrams.
func TestRateTableBounded(t *testing.T) {
	const exporters = 3 * 4096
	p := load(t, Config{RatePPS: 1, RateExporters: 128, Deny: prefixes("192.0.2.0/24")}, listens())
	if v := run(t, p, v4(datagram{}), nil); v != DropDenied {
		t.Errorf("denied exporter: %v", v)
	}
	k := rateKey{Family: familyV4}
	k.Addr, _ = wire(exporter4)
	if err := p.rates.Lookup(k, &rateValue{}); err == nil {
		t.Error("a denied exporter is in the table")
	}
	src := netip.MustParseAddr("10.0.0.1")
	for range exporters {
		frame := v4(datagram{src: src})
		if _, err := p.XDP().Run(options(frame, nil)); err != nil {
			t.Fatal(err)
		}
		src = src.Next()
	}
	sums, err := p.Verdicts()
	if err != nil {
		t.Fatal(err)
	}
	if sums[PassNoSocket] != exporters {
		t.Errorf("verdicts %v, want %d of %v", sums, exporters, PassNoSocket)
	}
}

// Reading many entries takes several batches, and finds each once.
func TestRateLimitedComplete(t *testing.T) {
	const exporters = 2*rateBatch + 100
	p := load(t, Config{RatePPS: 1, RateExporters: 8 * exporters}, listens())
	src := netip.MustParseAddr("2001:db8::1")
	for i := range exporters {
		k := rateKey{Family: familyV6, Addr: src.As16()}
		if err := p.rates.Put(k, rateValue{Dropped: uint64(i % 2)}); err != nil {
			t.Fatal(err)
		}
		src = src.Next()
	}
	got := limited(t, p)
	for a, n := range got {
		if n != 1 {
			t.Fatalf("%s: dropped %d, want 1", a, n)
		}
	}
	if len(got) != exporters/2 {
		t.Errorf("%d exporters found, want %d", len(got), exporters/2)
	}
}

// CPUs that charge one exporter at once may let some more pass, but every datagram is counted.
func TestRateRaces(t *testing.T) {
	const runners, each = 4, 5000
	p := load(t, Config{RatePPS: 1}, listens())
	fillSlots(t, p)
	frame := v4(datagram{})
	var passed, dropped atomic.Uint64
	var wg sync.WaitGroup
	for range runners {
		wg.Go(func() {
			for range each {
				action, err := p.XDP().Run(options(frame, nil))
				switch {
				case err != nil:
					t.Error(err)
					return
				case action == xdpRedirect:
					passed.Add(1)
				case action == xdpDrop:
					dropped.Add(1)
				}
			}
		})
	}
	wg.Wait()
	sums, err := p.Verdicts()
	if err != nil {
		t.Fatal(err)
	}
	if sums[Redirect] != passed.Load() || sums[DropRate] != dropped.Load() || sums.Total() != runners*each {
		t.Errorf("verdicts %v, actions: %d redirected, %d dropped", sums, passed.Load(), dropped.Load())
	}
	if n := limited(t, p)[exporter4]; n != dropped.Load() {
		t.Errorf("the exporter's count is %d, dropped were %d", n, dropped.Load())
	}
	if n := passed.Load(); n < 64 || n > 64*runners {
		t.Errorf("%d datagrams passed, want a burst of 64 or somewhat more", n)
	}
}
