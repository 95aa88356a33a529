package web

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"
)

const (
	// headerTimeout and readTimeout bound the time to send the header and all of a
	// request, idleTimeout the time to its first byte.
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	idleTimeout   = time.Minute
	// maxHeader is the size of a request's header in bytes, as far as net/http
	// keeps to it (some 4 KiB more).
	maxHeader = 16 << 10
	// maxBody is the most bytes that the body of a request may have: no page takes
	// one.
	maxBody = 4 << 10
)

// newServer returns a server with bounds to all that clients can make it hold:
// connections, headers, bodies, and the time for each. Pages that take longer to
// write than writeTimeout set deadlines of their own. With TLS it speaks HTTP/1.1 only:
// a connection has one request at a time, which c counts on.
func newServer(pages http.Handler, g *guard, c *conns, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:                      c.wrap(g.wrap(http.MaxBytesHandler(pages, maxBody))),
		DisableGeneralOptionsHandler: true, // OPTIONS * passes the guard too
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeader,
		TLSNextProto:                 map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ConnContext:                  c.context,
		ConnState:                    c.state,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
