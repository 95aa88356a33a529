package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

const (
	// scrapeSlots is how many scrapes are at work at most, and scrapeQueue how many
	// wait.
	scrapeSlots, scrapeQueue = 64, 64
	// maxPages is how many pages of metrics are in memory at most: what clients
	// still read, and the one that is being made.
	maxPages = 4
	// pageGrace is the minimum age of a page whose readers are cut off because they
	// are stalled.
	pageGrace = 2 * time.Second
)

// scrapes serves the metrics. One page at a time is gathered. All requests that
// wait for a page get the same one, so that the memory for pages does not grow
// with the number of clients. A request never gets a page that was gathered
// before it came.
type scrapes struct {
	gatherer prometheus.Gatherer
	works    *works
	log      *slog.Logger
	one      chan struct{} // taken by the one who gathers
	grace    time.Duration // pageGrace

	mu    sync.Mutex
	next  map[pageForm]*page // requests can still join these
	pages []*page            // gathered, and being read; the oldest first
	freed chan struct{}      // closed, and made again, when one of pages goes
	sizes map[pageForm]int   // bytes of the last page of each form, of which there are few
}

// pageForm is the form in which a client wants a page.
type pageForm struct {
	format expfmt.Format
	gzip   bool
}

// page is one page of metrics and who reads it.
type page struct {
	form    pageForm
	ready   chan struct{} // closed when the fields below are set
	body    []byte
	err     error
	made    time.Time
	readers map[*work]struct{} // guarded by the mutex of scrapes
}

func newScrapes(g prometheus.Gatherer, log *slog.Logger) *scrapes {
	return &scrapes{
		gatherer: g, works: newWorks(scrapeSlots, scrapeQueue), log: log, one: make(chan struct{}, 1), grace: pageGrace,
		next: map[pageForm]*page{}, sizes: map[pageForm]int{}, freed: make(chan struct{}),
	}
}

// ServeHTTP answers a scrape.
func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form := pageForm{expfmt.NegotiateAccept(r.Header, expfmt.DefaultAcceptedFormats()...), acceptsGzip(r)}
	w.Header().Set("Content-Type", string(form.format))
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	if form.gzip {
		w.Header().Set("Content-Encoding", "gzip")
	}
	if headOnly(r) {
		return
	}
	fail := func(f func()) {
		w.Header().Del("Content-Encoding")
		f()
	}
	k := s.works.enter(r.Context(), w)
	if k == nil {
		fail(func() { busy(w) })
		return
	}
	defer k.leave()
	p := s.join(form, k)
	defer s.done(p, k)
	select {
	case <-p.ready:
	case <-r.Context().Done():
		return
	}
	if p.err != nil {
		fail(func() { http.Error(w, "gather metrics: "+p.err.Error(), http.StatusInternalServerError) })
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(p.body)))
	if _, err := k.Write(p.body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// acceptsGzip reports whether the client takes a compressed page.
func acceptsGzip(r *http.Request) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.ReplaceAll(params, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

// join adds a reader to the page that will be gathered next.
func (s *scrapes) join(form pageForm, k *work) *page {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.next[form]
	if p == nil {
		p = &page{form: form, ready: make(chan struct{}), readers: map[*work]struct{}{}}
		s.next[form] = p
		go s.gather(p)
	}
	p.readers[k] = struct{}{}
	return p
}

// done removes a reader, and the page with its last one.
func (s *scrapes) done(p *page, k *work) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(p.readers, k)
	if len(p.readers) == 0 {
		s.remove(p)
	}
}

// remove gives the place of a page to another. The lock is held.
func (s *scrapes) remove(p *page) {
	for i := range s.pages {
		if s.pages[i] == p {
			s.pages = append(s.pages[:i:i], s.pages[i+1:]...)
			close(s.freed)
			s.freed = make(chan struct{})
			return
		}
	}
}

// gather makes a page, when it is its turn and there is a place for it.
func (s *scrapes) gather(p *page) {
	s.one <- struct{}{}
	defer func() { <-s.one }()
	s.mu.Lock()
	s.makeRoom()
	delete(s.next, p.form) // who comes from here on gets the next page
	wanted := len(p.readers) > 0
	if wanted {
		p.made = time.Now()
		s.pages = append(s.pages, p)
	}
	size := s.sizes[p.form]
	s.mu.Unlock()
	if wanted {
		p.body, p.err = s.renderSafely(p.form, size)
	}
	if len(p.body) > 0 {
		s.mu.Lock()
		s.sizes[p.form] = len(p.body)
		s.mu.Unlock()
	}
	close(p.ready)
}

// renderSafely is render, where a panic of a collector becomes an error. net/http
// recovers panics only in the goroutine of a request, and this is another one.
func (s *scrapes) renderSafely(form pageForm, size int) (body []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("gather metrics: panic", "panic", v, "stack", string(debug.Stack()))
			body, err = nil, errors.New("a collector panicked: see the log")
		}
	}()
	return s.render(form, size)
}

// makeRoom waits until another page may be made, and cuts off readers for it: see
// victim. The lock is held when it is called and when it returns.
func (s *scrapes) makeRoom() {
	for len(s.pages) >= maxPages {
		if p := s.victim(time.Now()); p != nil {
			for k := range p.readers {
				if !k.cutOff.Load() {
					s.works.cut.Add(1)
				}
				k.stop() // they leave at once
			}
		}
		freed := s.freed
		s.mu.Unlock()
		timer := time.NewTimer(stalledAfter / 10)
		select {
		case <-freed:
		case <-timer.C:
		}
		timer.Stop()
		s.mu.Lock()
	}
}

// victim returns the page whose readers have to make room: the oldest of those beyond
// the grace period whose readers all are stalled. If there is none, it is the oldest
// page, but only after longAfter. It returns nil while readers have time. The lock is
// held.
func (s *scrapes) victim(now time.Time) *page {
	for _, p := range s.pages {
		if now.Sub(p.made) >= s.grace && p.stalled(now) {
			return p
		}
	}
	if oldest := s.pages[0]; now.Sub(oldest.made) >= longAfter {
		return oldest
	}
	return nil
}

// stalled reports whether no reader makes progress.
func (p *page) stalled(now time.Time) bool {
	for k := range p.readers {
		if k.stall(now) < stalledAfter {
			return false
		}
	}
	return true
}

// render gathers the metrics and writes them in the form that is wanted. size is
// what the page is expected to take, in bytes.
func (s *scrapes) render(form pageForm, size int) ([]byte, error) {
	families, err := s.gatherer.Gather()
	if err != nil {
		s.log.Warn("gather metrics", "error", err)
		return nil, err
	}
	b := bytes.NewBuffer(make([]byte, 0, size+size/8))
	var out io.Writer = b
	var zip *gzip.Writer
	if form.gzip {
		zip, _ = gzip.NewWriterLevel(b, gzip.BestSpeed) // a level that exists
		out = zip
	}
	enc := expfmt.NewEncoder(out, form.format)
	for i, f := range families {
		families[i] = nil // for the collector of garbage
		if err := enc.Encode(f); err != nil {
			return nil, err
		}
	}
	if zip != nil {
		if err := zip.Close(); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
