package web

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for began := time.Now(); !cond(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// dialGet connects, asks for a page and does not read it.
func dialGet(t *testing.T, addr, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// A receive buffer that the kernel enlarges may have room for all of an unread page.
	if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// serveTest serves a handler as the web server does.
func serveTest(t *testing.T, h http.Handler) (addr string) {
	t.Helper()
	return serveWith(t, h, func(*http.Server) {})
}

// serveWith changes the server before it serves.
func serveWith(t *testing.T, h http.Handler, change func(*http.Server)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(h, newGuard(l, nil), newConns(), slog.New(slog.DiscardHandler))
	change(s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return l.Addr().String()
}

// TestWorks: clients that do not read hold every slot, and one that reads is
// answered all the same. It takes the time of stalledAfter.
func TestWorks(t *testing.T) {
	const slots = 3
	works := newWorks(slots, 1)
	var most, now atomic.Int32
	addr := serveTest(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := works.enter(r.Context(), w)
		if k == nil {
			busy(w)
			return
		}
		defer k.leave()
		defer now.Add(-1)
		for n := now.Add(1); n > most.Load(); {
			most.Store(n)
		}
		size := 64 << 20
		if r.URL.Path == "/small" {
			size = 1000
		}
		if _, err := k.Write(make([]byte, size)); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	var stuck []net.Conn
	for range slots {
		stuck = append(stuck, dialGet(t, addr, "/large"))
	}
	eventually(t, "all slots are taken", func() bool { return now.Load() == slots })
	// One may wait, the next is refused.
	waiting := dialGet(t, addr, "/small")
	eventually(t, "one waits", func() bool {
		works.mu.Lock()
		defer works.mu.Unlock()
		return works.waiting == 1 || works.cut.Load() > 0
	})
	if works.cut.Load() == 0 {
		if res := raw(t, addr, "GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n"); res.StatusCode != 503 && works.cut.Load() == 0 || res.StatusCode == 503 && res.Header.Get("Retry-After") != "1" {
			t.Errorf("while one waits: %d %v", res.StatusCode, res.Header)
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(waiting), nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	}
	if b, err := io.ReadAll(res.Body); err != nil || len(b) != 1000 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if works.cut.Load() == 0 || most.Load() > slots {
		t.Errorf("%d cut off, %d at work at once", works.cut.Load(), most.Load())
	}
	for _, c := range stuck {
		c.Close()
	}
	eventually(t, "all slots are free", func() bool { return now.Load() == 0 })
}

// TestCutOff: what was cut off does not look complete, neither does a client that
// goes away keep its slot.
func TestCutOff(t *testing.T) {
	works := newWorks(1, 0)
	left := make(chan error, 1)
	addr := serveTest(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := works.enter(r.Context(), w)
		defer k.leave()
		_, err := k.Write(make([]byte, 64<<20))
		left <- err
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	conn := dialGet(t, addr, "/")
	eventually(t, "it is at work", func() bool {
		works.mu.Lock()
		defer works.mu.Unlock()
		for k := range works.active {
			if k.writing.Load() {
				k.stop()
				return true
			}
		}
		return false
	})

	if err := <-left; err == nil {
		t.Error("a request that was cut off wrote its page")
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return // cut before the head
	}
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("a page that was cut off looks complete")
	}
}

// gatherer makes pages of a size, each when it is told to.
type gatherer struct {
	size  int
	gate  chan struct{} // nil: at once
	count atomic.Int32
	atWork,
	most atomic.Int32
}

func (g *gatherer) Gather() ([]*dto.MetricFamily, error) {
	n := g.atWork.Add(1)
	defer g.atWork.Add(-1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	number := g.count.Add(1)
	if g.gate != nil {
		<-g.gate
	}
	r := prometheus.NewRegistry()
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "size", Help: strings.Repeat("x", g.size)}, []string{"number"})
	v.WithLabelValues(fmt.Sprint(number)).Set(1)
	r.MustRegister(v)
	return r.Gather()
}

// TestScrapesShare: those that wait get one page, made after they came.
func TestScrapesShare(t *testing.T) {
	const clients = 40
	g := &gatherer{size: 10, gate: make(chan struct{})}
	s := newScrapes(g, slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	numbers := make([]string, clients)
	ask := func(i int) {
		all.Go(func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			if w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			_, number, _ := strings.Cut(w.Body.String(), `{number="`)
			numbers[i], _, _ = strings.Cut(number, `"`)
		})
	}
	ask(0)
	eventually(t, "the first gathers", func() bool { return g.count.Load() == 1 })
	for i := 1; i < clients; i++ {
		ask(i)
	}
	eventually(t, "the others wait", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		waiting := 0
		for _, p := range s.next {
			waiting += len(p.readers)
		}
		return waiting == clients-1
	})
	close(g.gate)
	all.Wait()
	if g.count.Load() != 2 || g.most.Load() != 1 || numbers[0] != "1" {
		t.Errorf("%d pages for %d clients, %d at once; the first got %s", g.count.Load(), clients, g.most.Load(), numbers[0])
	}
	for i, n := range numbers[1:] {
		if n != "2" {
			t.Errorf("client %d got page %q, which was begun before it came", i+1, n)
		}
	}
	if len(s.pages) != 0 || len(s.next) != 0 {
		t.Errorf("%d and %d pages are left", len(s.pages), len(s.next))
	}
}

// TestUnreadScrapes: clients that do not read hold a few pages, however many they
// are and whenever they come, and keep nobody from a new one.
func TestUnreadScrapes(t *testing.T) {
	g := &gatherer{size: 8 << 20}
	s := newScrapes(g, slog.New(slog.DiscardHandler))
	s.grace = pageGrace / 10
	addr := serveTest(t, s)
	for range 2 * maxPages {
		before := g.count.Load()
		dialGet(t, addr, "/metrics")
		eventually(t, "another page is made", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.pages) > maxPages {
				t.Fatalf("%d pages in memory", len(s.pages))
			}
			return g.count.Load() > before
		})
	}
	code, body := fetch(t, "GET", "http://"+addr+"/metrics", "")
	if code != 200 || !strings.Contains(body, "number=") {
		t.Errorf("a client that reads: %d, %d bytes", code, len(body))
	}
}

// TestScrapePanic: a collector that panics costs its page, not the process, and the
// next page is made.
func TestScrapePanic(t *testing.T) {
	panics := true
	var log bytes.Buffer
	s := newScrapes(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		if panics {
			panic("broken collector")
		}
		return nil, nil
	}), slog.New(slog.NewTextHandler(&log, nil)))
	for _, code := range []int{500, 200} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != code {
			t.Errorf("%d, want %d: %s", w.Code, code, w.Body)
		}
		panics = false
	}
	if text := log.String(); !strings.Contains(text, "broken collector") || !strings.Contains(text, "TestScrapePanic") {
		t.Errorf("no panic with its stack in the log: %s", text)
	}
}

// TestVictim: readers that make progress keep their page for longAfter; a page whose
// readers all are stalled goes first, even if it is newer.
func TestVictim(t *testing.T) {
	now := time.Unix(1000, 0)
	reader := func(stall time.Duration) *work {
		k := &work{}
		k.moved.Store(now.Add(-stall).UnixNano())
		k.writing.Store(true)
		return k
	}
	makePage := func(age time.Duration, stalls ...time.Duration) *page {
		p := &page{made: now.Add(-age), readers: map[*work]struct{}{}}
		for _, stall := range stalls {
			p.readers[reader(stall)] = struct{}{}
		}
		return p
	}
	waits := makePage(10*time.Second, stalledAfter)
	waits.readers[&work{}] = struct{}{} // has not begun to write
	moving, half, old := makePage(20*time.Second, 0), makePage(9*time.Second, stalledAfter, 0), makePage(longAfter, 0)
	stuck, newer := makePage(5*time.Second, stalledAfter, stalledAfter), makePage(4*time.Second, 3*stalledAfter)
	fresh := makePage(pageGrace-1, stalledAfter)
	for i, c := range []struct {
		pages []*page
		want  *page
	}{
		{[]*page{moving, half, waits, fresh}, nil},
		{[]*page{moving, half, stuck, newer}, stuck},
		{[]*page{old, half, waits, fresh}, old},
		{[]*page{old, moving, newer, fresh}, newer},
	} {
		s := &scrapes{grace: pageGrace, pages: c.pages}
		if got := s.victim(now); got != c.want {
			t.Errorf("case %d: %+v, want %+v", i, got, c.want)
		}
	}
}

func TestScrapeForms(t *testing.T) {
	g := &gatherer{size: 1000}
	s := newScrapes(g, slog.New(slog.DiscardHandler))
	defer func() {
		if len(s.sizes) != 3 {
			t.Errorf("sizes of %d forms, want 3: %v", len(s.sizes), s.sizes)
		}
	}()
	for _, c := range []struct{ method, accept, encoding, want, zip string }{
		{"GET", "", "", "text/plain; version=0.0.4", ""},
		{"GET", "", "gzip", "text/plain; version=0.0.4", "gzip"},
		{"GET", "", "br, gzip;q=1.0", "text/plain; version=0.0.4", "gzip"},
		{"GET", "", "gzip; q=0", "text/plain; version=0.0.4", ""},
		{"GET", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "", "application/vnd.google.protobuf", ""},
		{"HEAD", "", "", "text/plain; version=0.0.4", ""},
	} {
		before := g.count.Load()
		r := httptest.NewRequest(c.method, "/metrics?junk", nil)
		r.Header.Set("Accept", c.accept)
		r.Header.Set("Accept-Encoding", c.encoding)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), c.want) || w.Header().Get("Content-Encoding") != c.zip {
			t.Errorf("%+v: %d %v", c, w.Code, w.Header())
		}
		form := pageForm{expfmt.Format(w.Header().Get("Content-Type")), c.zip == "gzip"}
		if size := s.sizes[form]; c.method == "GET" && size != w.Body.Len() {
			t.Errorf("%+v: %d bytes are expected of the next page, want %d", c, size, w.Body.Len())
		}
		if made := g.count.Load() - before; c.method == "HEAD" && (made != 0 || w.Body.Len() != 0) {
			t.Errorf("HEAD has %d pages made", made)
		}
	}
}

// TestConnections: however many connections do nothing, another one is served.
func TestConnections(t *testing.T) {
	var open, most atomic.Int32
	addr := serveWith(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") }), func(server *http.Server) {
		server.ReadHeaderTimeout, server.ReadTimeout = time.Minute, time.Minute // longer than the dials take
		state := server.ConnState
		server.ConnState = func(c net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Add(-1)
			}
			state(c, s)
			if s == http.StateNew {
				for n, m := open.Load(), most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
			}
		}
	})
	const many = maxConns + 100
	refused := 0
	for i := range many {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if i%2 == 0 { // and some begin a header that does not end
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-")
		}
	}
	for range 5 {
		res, err := http.Get("http://" + addr)
		if err != nil {
			refused++
			time.Sleep(connGrace)
			continue
		}
		res.Body.Close()
		if res.StatusCode == 503 && res.Header.Get("Retry-After") != "" {
			refused++
			time.Sleep(connGrace)
		} else if res.StatusCode != 200 {
			t.Errorf("%d", res.StatusCode)
		}
		http.DefaultClient.CloseIdleConnections()
	}
	if refused > 1 {
		t.Errorf("%d of 5 clients were refused while %d connections do nothing", refused, many)
	}
	eventually(t, "connections beyond the limit are closed", func() bool { return open.Load() <= maxConns })
	if most.Load() < maxConns {
		t.Errorf("%d connections at most: not what was to be tested", most.Load())
	}
}
