package places

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// every is how often readings are taken, and statusEvery how many of them the status
	// line lasts.
	every       = time.Second
	statusEvery = 5
	// lineEvery is how long a place has to itself after a line.
	lineEvery = time.Minute
	// minute is how many readings there are in a minute.
	minute = 60
	// still is for how long nothing may be received or written, while all of it is lost,
	// before a place fails.
	still = 10 * time.Second
)

// A Watcher notices what is lost. Its methods may be called by any goroutine.
//
// Of each place it logs a line when a loss begins, one a minute while it lasts, and one when
// a minute passed without a loss. There is never more than one line a minute and place, so
// that a loss that begins less than a minute after the last one ended is logged later.
type Watcher struct {
	log *slog.Logger

	mu       sync.Mutex
	last     *Reading // nil before that
	states   []state  // one for each row of Table
	flow     [numFlows]rate
	standing [numSides]time.Time // when something was received, and written, last
}

const numSides = int(writing) + 1

// Flows whose rates the status line has.
const (
	flowDatagrams = iota
	flowRecords
	numFlows
)

// state is what is known about a place.
type state struct {
	active   bool
	lines    time.Time // of the last line; zero: there was none
	began    time.Time // of the loss that lasts, or the last one
	lastLoss time.Time
	told     []Count // as of the last line
	before   []Count // as of the begin
	now      []Count
	recent   rate
}

// rate remembers a count for a minute.
type rate struct {
	counts [minute + 1]uint64
	n      int // readings that there were
}

func (r *rate) add(n uint64) {
	r.counts[r.n%len(r.counts)] = n
	r.n++
}

// since returns by how much the count grew in so many readings, or since the first, and in
// how many that was.
func (r *rate) since(readings int) (grown uint64, in int) {
	in = min(readings, r.n-1, minute)
	if in <= 0 {
		return 0, 0
	}
	now := r.counts[(r.n-1)%len(r.counts)]
	return now - min(now, r.counts[(r.n-1-in)%len(r.counts)]), in
}

// perSecond returns the rate over the last ten readings.
func (r *rate) perSecond() float64 {
	grown, in := r.since(10)
	return float64(grown) / max(float64(in), 1)
}

// NewWatcher returns a watcher that has no reading yet: what the first one has counted was
// lost since the start.
func NewWatcher(log *slog.Logger) *Watcher {
	return &Watcher{log: log, states: make([]state, len(Table))}
}

// Run takes a reading every second until done is closed, and calls status with the status
// line every five seconds. It is called once.
func (w *Watcher) Run(done <-chan struct{}, read func() *Reading, status func(line string)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		case now := <-tick.C:
			w.take(read(), now)
			if n%statusEvery == 0 {
				status(w.Line())
			}
		}
	}
}

// take takes the next reading, and logs what there is to say.
func (w *Watcher) take(r *Reading, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.standing = [numSides]time.Time{now, now, now}
		for i := range w.states {
			w.states[i].recent.add(0)
		}
	}
	if w.last == nil || r.Received > w.last.Received {
		w.standing[receiving] = now
	}
	if w.last == nil || r.Written > w.last.Written {
		w.standing[writing] = now
	}
	w.last = r
	w.flow[flowDatagrams].add(r.Received)
	w.flow[flowRecords].add(r.Produced)
	for i := range Table {
		w.look(&Table[i], &w.states[i], now)
	}
}

// Finish takes the last reading before the end of the process, and logs of each place what
// was lost since its last line. Run has returned.
func (w *Watcher) Finish(r *Reading, now time.Time) {
	w.take(r, now)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range Table {
		p, s := &Table[i], &w.states[i]
		if !p.Now && total(s.now) > total(s.told) {
			w.say(p, s, "until the stop", now)
		}
	}
}

// look does what is due for a place.
func (w *Watcher) look(p *Place, s *state, now time.Time) {
	before := total(s.now)
	s.now = p.read(w.last)
	n := total(s.now)
	s.recent.add(n)
	lost := n > before
	if p.Now {
		lost = n > 0
	}
	if lost {
		if s.lastLoss.IsZero() || now.Sub(s.lastLoss) >= lineEvery && !s.active {
			s.began = now
		}
		s.lastLoss = now
	}
	if !s.lines.IsZero() && now.Sub(s.lines) < lineEvery {
		return
	}
	// Lost since the last line, or, at present, in trouble.
	lasts := total(s.told) < n
	if p.Now {
		lasts = n > 0
	}
	switch {
	case lasts && !s.active:
		s.active, s.before = true, s.told
		w.say(p, s, "begins", now)
	case lasts:
		w.say(p, s, "lasts", now)
	case s.active:
		s.active = false
		w.say(p, s, "ended", now)
	}
}

// say logs a line of a place.
func (w *Watcher) say(p *Place, s *state, loss string, now time.Time) {
	level, attrs := slog.LevelWarn, []any{"place", p.Name, "loss", loss}
	since := differences(s.now, s.told)
	switch {
	case loss == "ended":
		level, since = slog.LevelInfo, differences(s.now, s.before)
		attrs = append(attrs, "after", s.lastLoss.Sub(s.began).Round(time.Second))
	case loss != "begins":
		attrs = append(attrs, "for", now.Sub(s.began).Round(time.Second))
	}
	if p.Severity == Critical && loss != "ended" {
		level = slog.LevelError
	}
	if p.Now {
		since = s.now
	}
	if !p.Now || loss != "ended" {
		attrs = append(attrs, p.Unit, total(since))
	}
	if by := list(since); by != "" {
		attrs = append(attrs, "by", by)
	}
	if loss == "lasts" && !p.Now {
		attrs = append(attrs, "all", total(s.now)-total(s.before))
	}
	if p.names != nil && loss != "ended" {
		attrs = append(attrs, "which", strings.Join(p.names(w.last), ","))
	}
	if loss != "ended" {
		if err := w.cause(p, since); err != nil {
			attrs = append(attrs, "error", err)
		}
		attrs = append(attrs, "do", p.Action)
	}
	w.log.Log(context.Background(), level, p.What, attrs...)
	s.told, s.lines = s.now, now
}

// cause returns the output's last error for what was lost most.
func (w *Watcher) cause(p *Place, since []Count) error {
	if w.last.LastError == nil || len(since) == 0 || p.reasons == nil {
		return nil
	}
	most := slices.MaxFunc(since, func(a, b Count) int { return int(min(a.N, 1<<40)) - int(min(b.N, 1<<40)) })
	return w.last.LastError(most.Label)
}

func total(counts []Count) uint64 {
	n := uint64(0)
	for _, c := range counts {
		n += c.N
	}
	return n
}

// differences returns what now has more than before, by label.
func differences(now, before []Count) []Count {
	var list []Count
	for _, c := range now {
		for _, b := range before {
			if b.Label == c.Label {
				c.N -= min(c.N, b.N)
				break
			}
		}
		if c.N > 0 {
			list = append(list, c)
		}
	}
	return list
}

// mostListed is how many labels a line has at most.
const mostListed = 6

// list returns the counts that have labels, the greatest first: "set_overrun=3,short_header=1".
func list(counts []Count) string {
	counts = slices.DeleteFunc(slices.Clone(counts), func(c Count) bool { return c.Label == "" || c.N == 0 })
	slices.SortStableFunc(counts, func(a, b Count) int {
		switch {
		case a.N > b.N:
			return -1
		case a.N < b.N:
			return 1
		}
		return 0
	})
	var b strings.Builder
	for i, c := range counts {
		if i == mostListed {
			fmt.Fprintf(&b, ",others=%d", total(counts[i:]))
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s=%d", c.Label, c.N)
	}
	return b.String()
}
