package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How memory is judged. The resident memory of a Go program is no measure of what it
// keeps: the runtime lets the heap grow to twice what is live, the more the later the
// collector of garbage gets CPU time, and returns what is free late. So two things that
// follow what is kept at once must stay flat from when the tables are full: what is
// live after a collection, where a leak shows as half of what it adds to the resident
// memory, and the resident memory without the free parts of the heap. The resident
// memory itself must stay below the memory limit of the collector.

// liveLooks is how many times in a run the collector is asked for a collection, about.
const liveLooks = 20

// liveHeap has the collector collect its garbage, and returns the bytes of what is live.
func (c *collector) liveHeap() (float64, error) {
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(c.profiles + "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, fmt.Errorf("read live heap: %w", err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "# HeapAlloc = "); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, errors.Join(errors.New("read live heap: the profile has no HeapAlloc"), lines.Err())
}

// full returns the time from which memory is judged: the warm-up is over, and no table
// was for the first time as full as it is in the median of the second half of the run (but
// for 5 %) later than that. It reports false if that leaves less than half of the run.
func (w *watch) full() (from time.Duration, ok bool) {
	from = w.o.warmUp
	for _, count := range []func(*sample) float64{
		func(s *sample) float64 { return s.exporters },
		func(s *sample) float64 { return s.template },
		func(s *sample) float64 { return s.streams },
	} {
		var late []float64
		for i := len(w.samples) / 2; i < len(w.samples); i++ {
			late = append(late, count(&w.samples[i]))
		}
		slices.Sort(late)
		for i := range w.samples {
			if s := &w.samples[i]; count(s) >= 0.95*late[len(late)/2] {
				from = max(from, s.at)
				break
			}
		}
	}
	return from, from <= w.o.duration/2+w.o.interval
}

// slope returns the growth of what value returns in bytes an hour, from a time on, by
// least squares, and the mean. Values of 0 are none.
func (w *watch) slope(from time.Duration, value func(*sample) float64) (perHour, mean float64) {
	var n, sx, sy, sxx, sxy float64
	for i := range w.samples {
		s := &w.samples[i]
		x, y := s.at.Hours(), value(s)
		if s.at < from || y == 0 {
			continue
		}
		n++
		sx += x
		sy += y
		sxx += x * x
		sxy += x * y
	}
	if n < 3 {
		return math.NaN(), math.NaN() // which no comparison accepts
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx), sy / n
}

// verdictMemory says whether memory stayed flat from when the tables were full.
func (w *watch) verdictMemory(check func(ok bool, format string, args ...any), from time.Duration, full bool) {
	last := w.samples[len(w.samples)-1]
	check(full, "tables: full, and the warm-up over, from %v on (half of the run at most)", from.Round(time.Second))
	flat := func(what string, value func(*sample) float64) {
		perHour, mean := w.slope(from, value)
		grown := perHour * (last.at - from).Hours()
		check(grown < 0.05*mean, "%s: %.1f MiB on average, slope %+.2f MiB/h, %+.2f MiB over the time (less than 5 %% wanted)",
			what, mean/(1<<20), perHour/(1<<20), grown/(1<<20))
	}
	flat("live heap", func(s *sample) float64 { return s.live })
	flat("memory in use", func(s *sample) float64 { return s.inUse })
	perHour, mean := w.slope(from, func(s *sample) float64 { return s.rss })
	most, limit := 0.0, w.last["go_gc_gomemlimit_bytes"]
	for _, s := range w.samples {
		most = max(most, s.rss)
	}
	check(most <= limit, "resident memory: %.1f MiB on average, slope %+.2f MiB/h, %.1f MiB at most, the limit is %.0f MiB",
		mean/(1<<20), perHour/(1<<20), most/(1<<20), limit/(1<<20))
}
