package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxConns is how many connections a server has open at most. It is more than
	// the requests that can be at work or wait, so that there is always a connection
	// that may be closed.
	maxConns = 256
	// connGrace is how long a connection is left alone that waits for a request.
	connGrace = 100 * time.Millisecond
	// sendBuffer bounds what the kernel holds for a client that does not read, in
	// bytes.
	sendBuffer = 256 << 10
)

// conns are the connections of a server. When there are too many, a new one takes
// the place of the one that has waited for a request for the longest time. All
// methods may be called by any goroutine.
type conns struct {
	max int
	mu  sync.Mutex
	all map[net.Conn]*connection

	refused atomic.Uint64 // new connections that found all others at work
}

// connection is what is known about one. It is guarded by the mutex of conns.
type connection struct {
	atWork bool // a page is being made for it
	since  time.Time
}

func newConns() *conns { return &conns{max: maxConns, all: map[net.Conn]*connection{}} }

// connKey is the key of the connection in the context of a request.
type connKey struct{}

// context is the ConnContext of an http.Server.
func (c *conns) context(ctx context.Context, conn net.Conn) context.Context {
	if tcp, ok := rawOf(conn).(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // a bound less, no fault
	}
	entry := &connection{since: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[conn] = entry
	return context.WithValue(ctx, connKey{}, entry)
}

// rawOf returns a connection without the TLS around it.
func rawOf(conn net.Conn) net.Conn {
	if secured, ok := conn.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return conn
}

const tooMany = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// state is the ConnState of an http.Server.
func (c *conns) state(conn net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if victim := c.excess(conn); victim != nil {
			if victim == conn {
				c.refused.Add(1)
				// TLS would begin a handshake here, and wait for the client in the loop that accepts.
				if raw := rawOf(conn); raw == conn {
					_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
					_, _ = conn.Write([]byte(tooMany)) // its send buffer is empty
				}
			}
			_ = rawOf(victim).Close() // it may have gone by itself; TLS would say so to the client first
		}
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		delete(c.all, conn)
		c.mu.Unlock()
	}
}

// excess returns the connection that has to go, if there are too many.
func (c *conns) excess(fresh net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) <= c.max {
		return nil
	}
	victim, since := fresh, time.Now().Add(-connGrace)
	for conn, e := range c.all {
		if !e.atWork && e.since.Before(since) {
			victim, since = conn, e.since
		}
	}
	delete(c.all, victim)
	return victim
}

// wrap returns a handler that keeps account of which connections have a request at
// work.
func (c *conns) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, ok := r.Context().Value(connKey{}).(*connection)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		c.set(e, true)
		defer c.set(e, false)
		next.ServeHTTP(w, r)
	})
}

func (c *conns) set(e *connection, atWork bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.atWork, e.since = atWork, time.Now()
}
