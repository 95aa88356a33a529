package collector

import (
	"math"
	"testing"
	"time"
)

func TestNapFor(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		latency, before time.Duration
		n               int
		want            time.Duration
	}{
		{ms, math.MaxInt64, 0, ms}, // the first
		{ms, math.MaxInt64, 1 << 40, ms},
		{ms, ms, 100, ms},
		{ms, ms, 512, ms},
		{ms, ms, 1024, ms / 2}, // a million a second: half as long
		{ms, ms / 2, 512, ms / 2},
		{ms, 10 * ms, 20 * 512, ms / 2},
		{10 * ms, ms, 1024, ms / 2},
		{ms, 0, 10, 0},
	} {
		if got := napFor(c.latency, c.before, c.n, 512); got != c.want {
			t.Errorf("latency %v, %d in %v: %v, want %v", c.latency, c.n, c.before, got, c.want)
		}
	}
}

func TestGatherLimits(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		latency time.Duration
		holds   int
		room    int
		most    time.Duration
	}{
		{5 * ms, 2 * 32 << 20 / bufferShare, 512, 5 * ms}, // buffers of 32 MiB
		{5 * ms, 2 * 212992 / bufferShare, 46, ms},        // what a user gets by default
		{5 * ms, 2048, 512, 1024 * ms / 1000},             // a ring
		{5 * ms, 8192, 512, 4096 * ms / 1000},
		{ms / 2, 2048, 512, ms / 2},
		{ms / 2, 1, 1, ms / 2},
		{0, 2048, 512, 0},
		{100 * ms, math.MaxInt, 512, 100 * ms}, // neither
	} {
		if room, most := gatherLimits(c.latency, c.holds); room != c.room || most != c.most {
			t.Errorf("latency %v, room for %d: %d for %v, want %d for %v", c.latency, c.holds, room, most, c.room, c.most)
		}
	}
}
