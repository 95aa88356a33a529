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
