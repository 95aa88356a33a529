// Package progress shows on a terminal how far long work is: one line that is written over,
// with what is done of the total, the rate and the time that is left.
package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// quiet is how long work may take before it is shown.
	quiet = 500 * time.Millisecond
	// every is how often the line is written again.
	every = 200 * time.Millisecond
	// columns bounds the line, so that it never wraps on a terminal of 80.
	columns = 79
	// clear returns to the start of the line and removes what is on it.
	clear = "\r\x1b[K"
)

// Line is the progress of one piece of work, in bytes. A nil Line shows nothing, so that
// callers need not ask whether there is a terminal. Goroutines may share it.
type Line struct {
	mu            sync.Mutex
	w             io.Writer
	what          string
	total         int64 // 0: unknown
	started, last time.Time
	shown         bool
	now           func() time.Time
}

// New returns the progress of work on total bytes, 0 if that is unknown, for a terminal w.
func New(w io.Writer, what string, total int64) *Line {
	return newLine(w, what, total, time.Now)
}

func newLine(w io.Writer, what string, total int64, now func() time.Time) *Line {
	return &Line{w: w, what: what, total: total, started: now(), now: now}
}

// Set shows that so many bytes are done. It may be called often: it writes a few times a
// second at most, and not before the work has taken half a second.
func (l *Line) Set(done int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(done)
}

// Of does the same for work whose total is known only when it has begun. The line goes when
// all is done.
func (l *Line) Of(done, total int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total = total; done >= total {
		l.erase()
		return
	}
	l.set(done)
}

func (l *Line) set(done int64) {
	now := l.now()
	taken := now.Sub(l.started)
	if taken < quiet || l.shown && now.Sub(l.last) < every {
		return
	}
	l.last, l.shown = now, true
	rate := float64(done) / taken.Seconds()
	text := fmt.Sprintf("%s: %s", l.what, Bytes(done))
	if l.total > 0 {
		text += fmt.Sprintf(" of %s (%d %%)", Bytes(l.total), min(100, done*100/l.total))
	}
	text += fmt.Sprintf(", %s/s", Bytes(int64(rate)))
	if left := l.total - done; left > 0 && rate > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	if len(text) > columns {
		text = text[:columns]
	}
	_, _ = io.WriteString(l.w, clear+text) // a terminal that is gone needs no progress
}

// Clear removes the line.
func (l *Line) Clear() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
}

func (l *Line) erase() {
	if l.shown {
		l.shown = false
		_, _ = io.WriteString(l.w, clear)
	}
}

// Write writes something else to the terminal, such as a log line, in the place of the
// line, which comes back after it.
func (l *Line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	return l.w.Write(p)
}

// Bytes is a number of bytes for people: 1.2 GB.
func Bytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	f, unit := float64(n), 0
	for f >= 999.5 && unit < len(units)-1 {
		f /= 1000
		unit++
	}
	if unit == 0 || f >= 99.95 {
		return fmt.Sprintf("%.0f %s", f, units[unit])
	}
	return fmt.Sprintf("%.1f %s", f, units[unit])
}

// Count is a number with its thousands apart: 12,345.
func Count(n uint64) string {
	s := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
