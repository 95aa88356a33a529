package top

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// recent is the time that recent losses of an exporter are added up over.
	recent = time.Minute
	// baseline is how old counters may be to compute a rate from.
	baseline = 30 * time.Second
	// kept is how many rates are kept for the lines of history.
	kept = 120
)

// state is what is known of weir, from its pages. It belongs to one goroutine.
type state struct {
	health   *health
	metrics  metrics // the last page; nil before the first
	readAt   time.Time
	before   metrics // the page before, nil if there is none of this process
	beforeAt time.Time

	datagrams, records []float64 // rates, the oldest first

	rows   map[text]*row
	sweep  int  // the walk of the pages of exporters that is going on
	swept  bool // one of them came to its end
	pages  int  // pages of the last complete walk
	page   int  // pages of this walk so far
	totals struct{ exporters, max, silent int }

	detail    *exporter
	detailErr error

	// skew is how far weir's clock is ahead of ours.
	skew time.Duration

	// away is why weir cannot be reached, nil if it can.
	away      error
	awaySince time.Time
	reached   time.Time // the last answer
	// failed are the errors of pages while weir can be reached.
	failed map[page]error
}

// row is what is shown of an exporter.
type row struct {
	addr                 text
	ip                   netip.Addr
	protocols            string
	datagramRate, rate   float64 // datagrams and records a second
	datagrams, records   uint64
	network, here, fault uint64        // lost, by place, and faulty datagrams
	lastSeen             time.Time     // by weir's clock
	seen                 time.Duration // how long ago that was when the page was read
	silent               bool
	templates            int
	sampling             string
	sweep                int
	losses               []loss // of the last minute
}

// loss is what was found lost at a time.
type loss struct {
	at time.Time
	n  uint64
}

// lost is all that the exporter lost since weir was started.
func (r *row) lost() uint64 { return r.network + r.here }

// recent is what it lost in the last minute, as far as it was watched.
func (r *row) recent(now time.Time) (n uint64) {
	for _, l := range r.losses {
		if now.Sub(l.at) < recent {
			n += l.n
		}
	}
	return n
}

func newState() *state {
	return &state{rows: map[text]*row{}, failed: map[page]error{}}
}

// apply takes an answer over.
func (s *state) apply(a *answer) {
	if a.err != nil {
		s.fail(a)
		return
	}
	s.away, s.reached, s.skew = nil, a.at, a.skew
	delete(s.failed, a.page)
	switch a.page {
	case pageHealth:
		s.health = a.health
	case pageMetrics:
		s.count(a.metrics, a.at)
	case pageExporters:
		s.take(a)
	case pageDetail:
		s.detail, s.detailErr = nil, errGone
		if len(a.exporters.List) > 0 {
			s.detail, s.detailErr = &a.exporters.List[0], nil
		}
	}
}

// fail notes an error. Whether weir is away is what /health says: another page may be slow, or
// not there.
func (s *state) fail(a *answer) {
	if a.page == pageDetail && errors.Is(a.err, errGone) {
		s.detail, s.detailErr = nil, errGone
		return
	}
	if a.page == pageExporters {
		s.restartSweep()
	}
	if a.page != pageHealth {
		s.failed[a.page] = a.err
		return
	}
	if s.away == nil {
		s.awaySince = a.at
	}
	s.away = a.err
	clear(s.failed)
}

// count takes a page of metrics over and computes the rates.
func (s *state) count(m metrics, at time.Time) {
	if s.metrics != nil && (m.sum(startTime) != s.metrics.sum(startTime) || m.sum(received) < s.metrics.sum(received)) {
		s.metrics = nil // it was restarted and counts from 0
	}
	s.before, s.beforeAt = s.metrics, s.readAt
	if at.Sub(s.readAt) > baseline {
		s.before = nil
	}
	s.metrics, s.readAt = m, at
	push := func(list []float64, v float64) []float64 {
		return append(list[max(0, len(list)-kept+1):], v)
	}
	s.datagrams = push(s.datagrams, s.rate(received))
	s.records = push(s.records, s.rate(produced))
}

// Metrics that state looks at itself.
const (
	startTime = "process_start_time_seconds"
	received  = "weir_datagrams_received_total"
	produced  = "weir_records_produced_total"
)

// rate returns how fast a metric grows, a second; NaN if that is not known.
func (s *state) rate(name string, labels ...string) float64 {
	if s.before == nil {
		return math.NaN()
	}
	d := s.readAt.Sub(s.beforeAt).Seconds()
	grown := s.metrics.sum(name, labels...) - s.before.sum(name, labels...)
	if d <= 0 || grown < 0 {
		return math.NaN()
	}
	return grown / d
}

// rates returns datagrams and records a second: between two pages of metrics, or where there
// are none yet, over weir's last ten seconds.
func (s *state) rates() (datagrams, records float64) {
	datagrams, records = s.rate(received), s.rate(produced)
	if math.IsNaN(datagrams) && s.health != nil {
		datagrams, records = s.health.DatagramsPerSecond, s.health.RecordsPerSecond
	}
	return datagrams, records
}

// restartSweep begins the walk of the pages of exporters again.
func (s *state) restartSweep() { s.sweep, s.page = s.sweep+1, 0 }

// take takes a page of exporters over. At the end of a walk, those that were not in it go.
func (s *state) take(a *answer) {
	e := a.exporters
	s.totals.exporters, s.totals.max, s.totals.silent = e.Totals.Exporters, e.Totals.Max, e.Totals.Silent
	for i := range e.List {
		x := &e.List[i]
		r := s.rows[x.Addr]
		if r == nil {
			ip, _ := netip.ParseAddr(string(x.Addr)) // readExporters has looked
			r = &row{addr: x.Addr, ip: ip, network: sum(x.Lost.Network), here: x.Lost.here()}
			s.rows[x.Addr] = r
		}
		r.update(x, a.at)
		r.seen = a.at.Add(a.skew).Sub(x.LastSeen)
		r.sweep = s.sweep
	}
	s.page++
	if e.Next != "" {
		return
	}
	for addr, r := range s.rows {
		if r.sweep != s.sweep {
			delete(s.rows, addr)
		}
	}
	s.pages, s.swept = s.page, true
	s.restartSweep()
}

func (r *row) update(x *exporter, at time.Time) {
	before := r.lost()
	if x.Datagrams < r.datagrams { // weir was restarted, or the entry was evicted and made again
		r.losses, before = nil, 0
	}
	r.losses = slices.DeleteFunc(r.losses, func(l loss) bool { return at.Sub(l.at) >= recent })
	r.protocols = protocols(x.Protocols)
	r.datagramRate, r.rate = x.DatagramRate, x.RecordRate
	r.datagrams, r.records = x.Datagrams, x.Records
	r.network, r.here, r.fault = sum(x.Lost.Network), x.Lost.here(), x.Lost.Here.Decode+x.Lost.Here.Incomplete
	r.lastSeen, r.silent, r.templates = x.LastSeen, x.Silent, x.Templates
	r.sampling = samplingRates(x)
	if now := r.lost(); now > before {
		r.losses = append(r.losses, loss{at, now - before})
	}
}

// protocols writes protocols in the short form: v9,IPFIX.
func protocols(list []text) string {
	var names []string
	for _, p := range list {
		name := string(p)
		if v, ok := strings.CutPrefix(name, "netflow_"); ok {
			name = v
		}
		switch name {
		case "ipfix":
			name = "IPFIX"
		case "sflow_5":
			name = "sFlow"
		}
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// samplingRates writes the sampling rate of an exporter, or the range of several.
func samplingRates(x *exporter) string {
	var low, high uint64
	for i, s := range x.Sampling {
		if i == 0 || s.Rate < low {
			low = s.Rate
		}
		high = max(high, s.Rate)
	}
	switch {
	case len(x.Sampling) == 0:
		return "-"
	case low == high:
		return "1:" + strconv.FormatUint(low, 10)
	}
	return "1:" + compact(low) + "-" + compact(high)
}

// up is since when weir runs, false if that is not known.
func (s *state) up() (time.Time, bool) {
	start := s.metrics.sum(startTime)
	return time.Unix(int64(start), 0), start > 0 && start < math.MaxInt32*4
}

// problem is the error to show: why weir cannot be reached, or what page does not come.
func (s *state) problem() error {
	if s.away != nil {
		return s.away
	}
	for p, name := range []string{pageMetrics: "/metrics", pageExporters: "/exporters", pageDetail: "/exporters"} {
		if err := s.failed[page(p)]; err != nil {
			return errors.New(name + ": " + err.Error())
		}
	}
	return nil
}
