package pace

import (
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, pps := range []float64{0.5, 3, 1000, 250000} {
		p, now, total := New(pps, start), start, 0
		for now.Before(start.Add(20 * time.Second)) {
			n, wait := p.Due(now, 64)
			if n == 0 {
				if wait < MinSleep {
					t.Fatalf("pps %v: waits %v", pps, wait)
				}
				now = now.Add(wait + 30*time.Microsecond) // sleeps are always late
				continue
			}
			p.Took(n)
			total += n
			now = now.Add(time.Microsecond)
		}
		if want := pps * 20; float64(total) < want*0.999-1 || float64(total) > want*1.001+1 {
			t.Errorf("pps %v: %d in 20 s, want %v", pps, total, want)
		}
	}
	// After a stop there is no flood.
	p := New(1000, start)
	total := 0
	for now := start.Add(time.Hour); ; {
		n, _ := p.Due(now, 64)
		if n == 0 {
			break
		}
		p.Took(n)
		total += n
	}
	if total > 102 {
		t.Errorf("%d at once after an hour's stop", total)
	}
	if n, wait := New(0, start).Due(start, 64); n != 64 || wait != 0 {
		t.Errorf("without a rate %d are due after %v", n, wait)
	}
}
