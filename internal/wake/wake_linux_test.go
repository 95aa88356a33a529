package wake

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how much later than due something may happen here.
const patience = 5 * time.Second

func TestAlarm(t *testing.T) {
	enough, armed := false, 0
	a, err := NewAlarm(func() bool { armed++; return enough }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if allocs := testing.AllocsPerRun(20, func() { a.Sleep(50 * time.Microsecond) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
	if armed != 21 {
		t.Errorf("armed %d times, slept 21 times", armed)
	}
	for _, d := range []time.Duration{0, 20 * time.Millisecond} {
		began := time.Now()
		if !a.Sleep(d) {
			t.Fatal("it cannot sleep")
		}
		if took := time.Since(began); took < d || took > d+patience {
			t.Errorf("%v: slept %v", d, took)
		}
	}
	// There is enough to do already.
	enough = true
	if began := time.Now(); !a.Sleep(time.Hour) || time.Since(began) > patience {
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
	a, err := NewAlarm(func() bool { then(); return false }, []int{bell})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for i := range 40 {
		then = ring // at the last moment
		if i%2 == 0 {
			then = func() { time.AfterFunc(time.Millisecond, ring) }
		}
		if i%10 == 0 { // an alarm of before
			then = func() {}
			a.Sleep(50 * time.Microsecond)
			then = ring
		}
		if began := time.Now(); !a.Sleep(time.Hour) || time.Since(began) > patience {
			t.Fatal("not woken up")
		}
	}
}

// rung waits for the bell, and fails if it does not come.
func rung(t *testing.T, b *Bell) {
	t.Helper()
	done := make(chan struct{})
	go func() { b.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("not woken up")
	}
}

func bells(t *testing.T, test func(t *testing.T, b *Bell)) {
	t.Run("eventfd", func(t *testing.T) {
		b := NewBell()
		if b.file == nil {
			t.Fatal("no eventfd")
		}
		test(t, b)
		b.Close()
		b.Ring() // harms nobody, whoever has the descriptor now
	})
	t.Run("channel", func(t *testing.T) {
		b := &Bell{slot: make(chan struct{}, 1)}
		test(t, b)
		b.Close()
	})
}

func TestBell(t *testing.T) {
	bells(t, func(t *testing.T, b *Bell) {
		b.Ring() // before the wait, twice for one
		b.Ring()
		rung(t, b)
		for range 100 {
			done := make(chan struct{})
			go func() { b.Wait(); close(done) }()
			select {
			case <-done:
				t.Fatal("woken up without a ring")
			case <-time.After(100 * time.Microsecond):
			}
			b.Ring()
			select {
			case <-done:
			case <-time.After(patience):
				t.Fatal("not woken up")
			}
		}
		if n := testing.AllocsPerRun(100, func() { b.Ring(); b.Wait() }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// TestBellMissesNothing: whoever looks after each Wait sees all that was done before a Ring.
func TestBellMissesNothing(t *testing.T) {
	const ringers, each = 4, 20000
	bells(t, func(t *testing.T, b *Bell) {
		var mu sync.Mutex
		work := 0
		for range ringers {
			go func() {
				for range each {
					mu.Lock()
					work++
					mu.Unlock()
					b.Ring()
				}
			}()
		}
		end := time.AfterFunc(12*patience, func() { panic("a ring was missed") })
		defer end.Stop()
		for done := 0; done < ringers*each; {
			b.Wait()
			mu.Lock()
			done, work = done+work, 0
			mu.Unlock()
		}
	})
}
