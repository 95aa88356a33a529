package collector

import (
	"math"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/wake"
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

func TestExpected(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		length, before time.Duration
		n, want        int
	}{
		{5 * ms, 5 * ms, 15, 15},
		{5 * ms, 2 * ms, 6, 15},
		{5 * ms, time.Second, 20, 0}, // a pause before
		{ms, 0, 7, 7},                // the clock is coarse
		{100 * ms, math.MaxInt64, 1 << 30, 0},
	} {
		if got := expected(c.length, c.before, c.n); got != c.want {
			t.Errorf("%d in %v: %d in %v, want %d", c.n, c.before, got, c.length, c.want)
		}
	}
}

// A worker that is not pinned gives its place up while few are expected, and for all naps that
// are too long for a raw system call; not for short ones of many.
func TestNapsByAlarm(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		latency time.Duration
		came    int // in the 10 ms before
		alarm   bool
	}{
		{10 * ms, 30, true},
		{10 * ms, 250, true}, // not few, but for long
		{3 * ms, 30, true},
		{ms, 30, false},
		{10 * ms, 1000, false}, // 256 of them in 2.56 ms
	} {
		g := gathering{roams: true}
		g.limit(c.latency, nil, nil)
		used := false
		if g.alarm != nil {
			g.alarm.Close()
			g.alarm, _ = wake.NewAlarm(func() bool { used = true; return true }, nil)
		}
		now := time.Now()
		g.napped, g.since = now.Add(-10*ms), c.came
		g.pause(now)
		if used != c.alarm {
			t.Errorf("latency %v, %d in 10 ms: by alarm %v, want %v", c.latency, c.came, used, c.alarm)
		}
		g.close()
	}
}

func TestGatherLimits(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		latency time.Duration
		holds   int
		wakes   bool
		room    int
		most    time.Duration
	}{
		{5 * ms, 2 * 32 << 20 / bufferShare, false, 256, 5 * ms}, // buffers of 32 MiB
		{5 * ms, 2 * 212992 / bufferShare, false, 46, ms},        // what a user gets by default
		{5 * ms, 2048, false, 256, 1024 * ms / 1000},             // a ring without a bell
		{5 * ms, 2048, true, 256, 5 * ms},                        // and with one
		{5 * ms, 64, true, 16, 5 * ms},
		{5 * ms, 8192, false, 256, 4096 * ms / 1000},
		{ms / 2, 2048, false, 256, ms / 2},
		{ms / 2, 1, false, 1, ms / 2},
		{0, 2048, false, 256, 0},
		{100 * ms, math.MaxInt, false, 256, 100 * ms}, // no limit
	} {
		var g gathering
		g.limit(c.latency, nil, nil)
		g.holds(c.holds, c.wakes)
		if g.room != c.room || g.most != c.most {
			t.Errorf("latency %v, room for %d: %d for %v, want %d for %v", c.latency, c.holds, g.room, g.most, c.room, c.most)
		}
	}
}
