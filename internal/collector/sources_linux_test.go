package collector

import (
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
		now := time.Now()
		g.napped, g.since = now.Add(-10*ms), c.came
		g.pause(now)
		if used := g.alarm != nil && g.alarm.set; used != c.alarm {
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

func TestAlarm(t *testing.T) {
	enough, armed := false, 0
	a, err := newAlarm(func() bool { armed++; return enough }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if allocs := testing.AllocsPerRun(20, func() { a.sleep(50 * time.Microsecond) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
	if armed != 21 {
		t.Errorf("armed %d times, slept 21 times", armed)
	}
	for _, d := range []time.Duration{0, 20 * time.Millisecond} {
		began := time.Now()
		if !a.sleep(d) {
			t.Fatal("it cannot sleep")
		}
		if took := time.Since(began); took < d || took > d+patience {
			t.Errorf("%v: slept %v", d, took)
		}
	}
	// There is enough to do already.
	enough = true
	if began := time.Now(); !a.sleep(time.Hour) || time.Since(began) > patience {
		t.Error("slept though there was enough to do")
	}
	enough = false
}

// TestAlarmBell: a bell ends the sleep, each time, and if rung at the last moment.
func TestAlarmBell(t *testing.T) {
	bell, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(bell)
	ring := func() {
		if _, err := unix.Write(bell, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			t.Error(err)
		}
	}
	var then func()
	a, err := newAlarm(func() bool { then(); return false }, []unix.PollFd{{Fd: int32(bell), Events: unix.POLLIN}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	for i := range 40 {
		then = ring // at the last moment
		if i%2 == 0 {
			then = func() { time.AfterFunc(time.Millisecond, ring) }
		}
		if i%10 == 0 { // an alarm of before
			then = func() {}
			a.sleep(50 * time.Microsecond)
			then = ring
		}
		if began := time.Now(); !a.sleep(time.Hour) || time.Since(began) > patience {
			t.Fatal("not woken up")
		}
	}
}
