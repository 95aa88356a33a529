package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// Profiler serves profiles of the process (net/http/pprof) on an address of
// its own. Its methods may be called by any goroutine.
type Profiler struct {
	http     *http.Server
	listener net.Listener
	done     chan struct{}
}

// StartProfiler listens on addr, host:port, and serves until Stop. It refuses
// an address that others than this host reach.
func StartProfiler(addr string, log *slog.Logger) (*Profiler, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for profiles on %q (choose another -pprof): %w", addr, err)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("listen for profiles on %q: %v is no loopback address", addr, l.Addr()), l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	p := &Profiler{
		http:     &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		listener: l,
		done:     make(chan struct{}),
	}
	go func() {
		defer close(p.done)
		if err := p.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("server of profiles ended", "error", err)
		}
	}()
	log.Info("serving profiles", "address", l.Addr().String())
	return p, nil
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
