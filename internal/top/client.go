package top

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// timeout is how long weir may take to answer a request, page included.
	timeout = 8 * time.Second
	// maxPage is the size in bytes at which a page is given up.
	maxPage = 256 << 20
)

// Errors of pages. They are shown to users.
var (
	errNotWeir = errors.New("what answers there is not weir")
	errGone    = errors.New("no such exporter")
)

// page is one of the pages that are asked for.
type page int

const (
	pageHealth page = iota
	pageMetrics
	pageExporters
	pageDetail // of one exporter
)

// request is what to ask for.
type request struct {
	page  page
	limit int  // exporters of a page
	after text // where a page of exporters begins
	addr  text // the exporter of pageDetail
}

// path returns path and query of the request.
func (r request) path() string {
	switch r.page {
	case pageMetrics:
		return "/metrics"
	case pageExporters:
		path := "/exporters?limit=" + strconv.Itoa(r.limit)
		if r.after != "" {
			path += "&after=" + url.QueryEscape(string(r.after))
		}
		return path
	case pageDetail:
		return "/exporters?exporter=" + url.QueryEscape(string(r.addr))
	}
	return "/health"
}

// answer is what became of a request: a page, or an error.
type answer struct {
	request
	began, at time.Time     // when it was asked for, and when it was there
	skew      time.Duration // how far weir's clock is ahead of ours, if by seconds
	err       error
	health    *health
	metrics   metrics
	exporters *exporters
}

// client asks one weir for its pages. Any goroutine may use it.
type client struct {
	http *http.Client
	addr string // as the user wrote it
	base string // URL without a path
	access
	now func() time.Time
}

// access is what a weir with a web configuration file asks for.
type access struct {
	tls            bool
	roots          *x509.CertPool // authorities to trust; nil for the system's
	user, password string         // no user: none
}

// newClient returns a client of the weir that serves addr, host:port. A host that stands for
// all addresses, as in :8080, is this host.
func newClient(addr string, how access) *client {
	scheme := "http://"
	if how.tls {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = addr, "" // Parse has refused it
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
		if ip.Is4() {
			host = "127.0.0.1"
		}
	}
	return &client{
		addr: addr, base: scheme + net.JoinHostPort(host, port), now: time.Now, access: how,
		http: &http.Client{
			Timeout:       timeout,
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: how.roots, MinVersion: tls.VersionTLS12}, DisableCompression: true, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ask asks for a page and reads it.
func (c *client) ask(ctx context.Context, r request) (a answer) {
	a = answer{request: r, began: c.now()}
	defer func() { a.at = c.now() }()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+r.path(), nil)
	if err != nil {
		a.err = fmt.Errorf("ask %s: %w", c.addr, err)
		return a
	}
	q.Header.Set("User-Agent", "weir-top")
	q.Header.Set("Accept", "application/json, text/plain;version=0.0.4")
	if c.user != "" {
		q.SetBasicAuth(c.user, c.password)
	}
	resp, err := c.http.Do(q)
	if err != nil {
		a.err = c.explain(err)
		return a
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if skew := date.Sub(c.now()); skew.Abs() > 2*time.Second { // Date is of whole seconds
			a.skew = skew
		}
	}
	body := &bounded{r: resp.Body, left: maxPage}
	// /health answers 503 where weir does not work, and the page says why.
	if resp.StatusCode != http.StatusOK && (r.page != pageHealth || resp.StatusCode != http.StatusServiceUnavailable) {
		a.err = refusal(r, resp.StatusCode, body)
		return a
	}
	switch r.page {
	case pageHealth:
		a.health, err = readHealth(body)
	case pageMetrics:
		a.metrics, err = readMetrics(body)
	default:
		a.exporters, err = readExporters(body)
	}
	if err != nil {
		a.err = c.explain(err)
	}
	return a
}

// refusal says why weir does not answer with a page.
func refusal(r request, code int, body io.Reader) error {
	if r.page == pageDetail && code == http.StatusNotFound {
		return errGone
	}
	if code == http.StatusNotFound {
		return fmt.Errorf("%w, or too old: it has no %s", errNotWeir, strings.TrimSuffix(r.path(), "?"))
	}
	why, _ := io.ReadAll(io.LimitReader(body, 300)) // what there is of it
	return fmt.Errorf("answered %d: %s", code, clean(strings.TrimSpace(string(why))))
}

// explain makes an error of the network short enough for a line.
func (c *client) explain(err error) error {
	var slow interface{ Timeout() bool }
	var dns *net.DNSError
	var op *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("no such host: %s", clean(dns.Name))
	case errors.As(err, &untrusted):
		return fmt.Errorf("%s (-tls names the authorities to trust)", clean(untrusted.Err.Error()))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("no answer within %v", timeout)
	case errors.As(err, &op):
		var call *os.SyscallError
		if errors.As(op.Err, &call) {
			return fmt.Errorf("%w", call.Err)
		}
		return fmt.Errorf("%w", op.Err)
	case errors.Is(err, errNotWeir), errors.Is(err, errTooLarge):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the answer ended early")
	}
	return fmt.Errorf("%w: %s", errNotWeir, clean(err.Error()))
}

// errTooLarge ends a page that does not end.
var errTooLarge = fmt.Errorf("page of more than %d MiB", maxPage>>20)

// bounded reads no more than left bytes.
type bounded struct {
	r    io.Reader
	left int
}

// Read reads, and fails after too many bytes.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
