package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// guard decides who may ask for what, before a page is looked for.
//
//   - A browser on this host may be lured to a name that resolves to a loopback
//     address (DNS rebinding). A server on a loopback address therefore answers
//     only to names of this host, and to those that it is told (hosts). A server
//     on another address answers GET to any name, unless hosts are told.
//   - What changes something (every method but GET and HEAD) is never done for a
//     page of another origin. If a token is set, it needs the token. If not, it
//     must come from this host, under a name or address of this host.
//
// Its methods may be called by any goroutine.
type guard struct {
	loopback bool     // the server listens on a loopback address
	hosts    []string // names that it answers to besides its own, in lower case
	// token is the SHA-256 of the bearer token; nil without one.
	token atomic.Pointer[[sha256.Size]byte]
}

func newGuard(l net.Listener, hosts []string) *guard {
	g := &guard{}
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		g.loopback = tcp.IP.IsLoopback()
	}
	for _, h := range hosts {
		g.hosts = append(g.hosts, strings.ToLower(strings.TrimSuffix(h, ".")))
	}
	return g
}

// refusal says why a request is refused.
type refusal struct {
	code int
	text string
}

// wrap returns the handler behind the guard.
func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if no := g.check(r); no != nil {
			if no.code == http.StatusUnauthorized {
				h.Set("WWW-Authenticate", "Bearer")
			}
			http.Error(w, no.text, no.code)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// check returns nil for a request that may go on.
func (g *guard) check(r *http.Request) *refusal {
	if len(r.TransferEncoding) > 0 || r.ContentLength > maxBody {
		return &refusal{http.StatusRequestEntityTooLarge, "no page takes a request body"}
	}
	own, listed := g.host(r.Host)
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if read {
		// Browsers always send a host. Simple health checks may not.
		if own || listed || r.Host == "" || !g.loopback && len(g.hosts) == 0 {
			return nil
		}
		return g.misdirected(r)
	}
	if no := foreign(r); no != nil {
		return no
	}
	if auth := r.Header.Values("Authorization"); len(auth) > 0 {
		if len(auth) == 1 && g.isToken(auth[0]) {
			return nil
		}
		return &refusal{http.StatusUnauthorized, "not the token of -addr.token-file"}
	}
	// A proxy on this host may show neither itself nor the client's host: nginx does
	// not unless it is told to.
	if g.token.Load() != nil {
		return &refusal{http.StatusUnauthorized, r.Method + " needs the token of -addr.token-file, as Authorization: Bearer TOKEN"}
	}
	if !local(r) {
		return &refusal{http.StatusUnauthorized, r.Method + " from another host needs the token of -addr.token-file, as Authorization: Bearer TOKEN"}
	}
	if !own && !listed {
		return g.misdirected(r)
	}
	return nil
}

func (g *guard) misdirected(r *http.Request) *refusal {
	name := r.Host[:min(len(r.Host), 80)]
	return &refusal{http.StatusMisdirectedRequest, fmt.Sprintf("host %s is not served: use localhost, or add the name to -addr.hosts", strconv.QuoteToASCII(name))}
}

// host reports whether the Host of a request is this host's own, which is
// localhost and a loopback address (on servers that others reach any address), or
// one of -addr.hosts.
func (g *guard) host(host string) (own, listed bool) {
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false, false
		}
		name = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name = host[1 : len(host)-1]
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap().IsLoopback() || !g.loopback, slices.Contains(g.hosts, addr.String())
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost", slices.Contains(g.hosts, name)
}

// foreign refuses what a page of another origin had the browser ask for.
func foreign(r *http.Request) *refusal {
	no := &refusal{http.StatusForbidden, r.Method + " from a page of another origin"}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return no
		}
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) || u.Scheme != "http" && u.Scheme != "https" {
			return no
		}
	}
	return nil
}

// local reports whether a request comes from this host and from no proxy on it.
func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback()
}

// isToken compares an Authorization header with the token, in a time that does
// not depend on where they differ.
func (g *guard) isToken(auth string) bool {
	scheme, token, _ := strings.Cut(auth, " ")
	want := g.token.Load()
	if want == nil || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	have := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(have[:], want[:]) == 1
}
