package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"strconv"
)

// Profiler serves profiles of the process (net/http/pprof) on an address of
// its own. Its methods may be called by any goroutine.
type Profiler struct {
	http     *http.Server
	listener net.Listener
	done     chan struct{}
}

const (
	// maxProfiles is how many profiles may be taken at once.
	maxProfiles = 2
	// maxSeconds and maxTraceSeconds bound the time that one takes: a trace is
	// megabytes a second.
	maxSeconds, maxTraceSeconds = 300, 10
)

// StartProfiler listens on addr, host:port, and serves until Stop. It refuses
// an address that others than this host reach. The pages answer to names of this
// host and to hosts.
func StartProfiler(addr string, hosts []string, log *slog.Logger) (*Profiler, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for profiles on %q (choose another -pprof): %w", addr, err)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("listen for profiles on %q: %v is no loopback address", addr, l.Addr()), l.Close())
	}
	works := newWorks(maxProfiles, 0)
	page := func(limit int, f http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := checkSeconds(r, limit); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			if headOnly(r) {
				return
			}
			k := works.enter(r.Context(), w)
			if k == nil {
				busy(w)
				return
			}
			defer k.leave()
			f(w, r)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", page(maxSeconds, pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", page(0, pprof.Cmdline))
	mux.HandleFunc("GET /debug/pprof/profile", page(maxSeconds, pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", page(0, pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/trace", page(maxTraceSeconds, pprof.Trace))
	// The profiles' handlers add the seconds that were asked for to the time that
	// the server gives them for writing.
	p := &Profiler{http: newServer(mux, newGuard(l, hosts), newConns(), log), listener: l, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if err := p.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("server of profiles ended", "error", err)
		}
	}()
	log.Info("serving profiles", "address", l.Addr().String())
	return p, nil
}

// checkSeconds refuses a request for a longer profile than the limit.
func checkSeconds(r *http.Request, limit int) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errors.New("query: not well-formed")
	}
	for _, text := range q["seconds"] {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n >= 0 && n <= float64(limit)) {
			return fmt.Errorf("seconds: want a number from 0 to %d", limit)
		}
	}
	return nil
}

// Addr returns the address that the profiler listens on.
func (p *Profiler) Addr() net.Addr { return p.listener.Addr() }

// Stop ends the profiler, and a profile that is being taken with it.
func (p *Profiler) Stop(ctx context.Context) error {
	err := p.http.Shutdown(ctx)
	if err != nil {
		err = p.http.Close()
	}
	<-p.done
	return err
}
