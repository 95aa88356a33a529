package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

func TestLine(t *testing.T) {
	var out bytes.Buffer
	c := &clock{time.Unix(1, 0)}
	l := newLine(&out, "decode", 4_000_000_000, c.now)
	l.Set(1)
	c.pass(499 * time.Millisecond)
	l.Set(2)
	if out.Len() > 0 {
		t.Errorf("short work is shown: %q", out.String())
	}
	c.pass(time.Second - 499*time.Millisecond)
	l.Set(1_000_000_000)
	want := clear + "decode: 1.0 GB of 4.0 GB (25 %), 1.0 GB/s, 3s left"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	c.pass(every - 1)
	l.Set(1_100_000_000)
	if out.String() != want {
		t.Errorf("written too often: %q", out.String())
	}
	out.Reset()
	if n, err := l.Write([]byte("a log line\n")); n != 11 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	l.Clear()
	if want := clear + "a log line\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	l.Of(1_500_000_000, 3_000_000_000)
	if !strings.Contains(out.String(), "of 3.0 GB (50 %)") {
		t.Errorf("got %q", out.String())
	}
	out.Reset()
	l.Of(3_000_000_000, 3_000_000_000)
	if out.String() != clear {
		t.Errorf("at the end: %q", out.String())
	}
}

// TestBounds: an unknown total, and a line that would be too long.
func TestBounds(t *testing.T) {
	var out bytes.Buffer
	c := &clock{time.Unix(1, 0)}
	l := newLine(&out, strings.Repeat("x", 200), 0, c.now)
	c.pass(time.Second)
	l.Set(1)
	if n := out.Len() - len(clear); n != columns {
		t.Errorf("%d columns", n)
	}
	l = newLine(&out, "x", 0, c.now)
	c.pass(2 * time.Second)
	out.Reset()
	l.Set(3_000)
	if want := clear + "x: 3.0 kB, 1.5 kB/s"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	var none *Line // no terminal
	none.Set(1)
	none.Of(1, 2)
	none.Clear()
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 99_949: "99.9 kB", 99_951: "100 kB", 999_499: "999 kB", 999_501: "1.0 MB", 12_345_678_901: "12.3 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}
