package top

import "time"

const (
	// interval is the minimum time between two requests.
	interval = time.Second
	// pageLimit is how many exporters a page has at most, and pageLeast how many at least
	// where weir is slow.
	pageLimit, pageLeast = 500, 20
	// slow is the time after which an answer makes the pages smaller.
	slow = 2 * time.Second
)

// schedule says what to ask for next. The first three requests follow each other, so that the
// screen is full at once; after them there is one a second at most.
type schedule struct {
	turn  int
	asked int
	probe bool // a page did not come: ask for /health next
	limit int  // exporters of a page
	after text // where the next page of exporters begins
	one   text // the exporter whose detail is shown, "" for none
}

func newSchedule() *schedule { return &schedule{limit: pageLimit} }

// cycle is the order of pages. The second page of exporters is left out where all fit into
// one.
var cycle = []page{pageMetrics, pageExporters, pageHealth, pageExporters}

// next returns the next request. While weir is away it is /health, which costs least.
func (s *schedule) next(st *state) request {
	s.asked++
	if st.away != nil || st.health == nil || s.probe {
		s.probe = false
		return request{page: pageHealth}
	}
	p := cycle[s.turn%len(cycle)]
	if s.turn%len(cycle) == len(cycle)-1 && st.pages <= 1 && s.after == "" && s.one == "" {
		s.turn++
		p = cycle[s.turn%len(cycle)]
	}
	s.turn++
	if p != pageExporters {
		return request{page: p}
	}
	if s.one != "" {
		return request{page: pageDetail, addr: s.one}
	}
	return request{page: p, limit: s.limit, after: s.after}
}

// done notes what became of a request, and returns how long to wait before the next one.
func (s *schedule) done(a *answer) time.Duration {
	took := a.at.Sub(a.began)
	if a.page == pageExporters {
		s.after = ""
		if a.err == nil {
			s.after = a.exporters.Next
		}
		if a.err != nil || took > slow {
			s.limit = max(pageLeast, s.limit/2)
		} else {
			s.limit = min(pageLimit, s.limit+s.limit/4)
		}
	}
	s.probe = a.err != nil && a.page != pageHealth
	if s.asked < 3 && a.err == nil {
		return 0
	}
	// A weir that takes long has as much time again to itself.
	return min(max(interval-took, took/2), 2*slow)
}

// show asks for the detail of an exporter next, or with "" for all exporters again.
func (s *schedule) show(addr text) {
	s.one = addr
	s.turn = 1
}
