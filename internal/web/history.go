package web

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
)

// The history has a point every historyEvery, for an hour.
const (
	historyEvery  = 10 * time.Second
	historyPoints = 360
)

// Totals are counts since the start of weir.
type Totals struct {
	Datagrams, Bytes, Records, Written uint64
	// LostDatagrams were dropped by the kernel or could not be decoded, LostRecords were not
	// written.
	LostDatagrams, LostRecords uint64
}

// values returns the totals in the order of series.
func (t *Totals) values() [6]uint64 {
	return [6]uint64{t.Datagrams, t.Bytes, t.Records, t.Written, t.LostDatagrams, t.LostRecords}
}

// history keeps rates of the last hour. It takes memory of a fixed size.
type history struct {
	mu     sync.Mutex
	last   Totals
	lastAt time.Time
	rates  [historyPoints][6]float32 // a second
	n      int                       // points so far; the n-th is at n%historyPoints
}

// add takes note of the totals at a time.
func (h *history) add(now time.Time, t Totals) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.lastAt.IsZero() {
		seconds := now.Sub(h.lastAt).Seconds()
		was, is := h.last.values(), t.values()
		for i := range is {
			h.rates[h.n%historyPoints][i] = float32(float64(max(is[i], was[i])-was[i]) / max(seconds, 0.001))
		}
		h.n++
	}
	h.last, h.lastAt = t, now
}

// run adds a point every historyEvery until quit is closed.
func (h *history) run(totals func() Totals, quit <-chan struct{}) {
	h.add(time.Now(), totals())
	tick := time.NewTicker(historyEvery)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return
		case now := <-tick.C:
			h.add(now, totals())
		}
	}
}

// series returns the points of a rate, the oldest first.
func (h *history) series(i int) (points []float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k := max(h.n-historyPoints, 0); k < h.n; k++ {
		points = append(points, float64(h.rates[k%historyPoints][i]))
	}
	return points
}

// plot is a drawing of a rate over the last hour.
type plot struct {
	Name, Unit string
	Line       string // points of a polyline in 600 by 100
	Now, Most  string
	Minutes    int
}

// newPlot draws points. The last one is at the right.
func newPlot(name, unit string, points []float64) plot {
	p := plot{Name: name, Unit: unit, Minutes: int(math.Ceil(float64(len(points)) * historyEvery.Minutes())), Now: "0", Most: "0"}
	most := 0.0
	for _, v := range points {
		most = max(most, v)
	}
	var b strings.Builder
	for i, v := range points {
		x := 600 - float64(len(points)-1-i)*600/(historyPoints-1)
		y := 98.0
		if most > 0 {
			y = 98 - 96*v/most
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", x, y)
	}
	if n := len(points); n > 0 {
		p.Now, p.Most = short(points[n-1]), short(most)
	}
	p.Line = strings.TrimSpace(b.String())
	return p
}

// short writes a number in a few characters: 950, 12.3k, 4.0M.
func short(v float64) string {
	for _, unit := range []string{"", "k", "M", "G"} {
		if v < 999.5 {
			if unit == "" && v == math.Trunc(v) {
				return fmt.Sprintf("%.0f", v)
			}
			return fmt.Sprintf("%.1f%s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.1fT", v)
}
