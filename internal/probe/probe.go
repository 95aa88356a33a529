// Package probe asks a running weir for its health, for health checks of containers: an
// image has no other program to ask with.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Timeout is how long a weir may take to answer.
const Timeout = 4 * time.Second

// Health asks the weir that listens on addr, as -addr has it, whether it works. It returns
// nil if weir answers OK, else what is wrong. secured says that weir may speak TLS; the certificate
// is not checked, as it need not be of the address that is asked.
func Health(ctx context.Context, addr string, secured bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("read address %q: %w", addr, err)
	}
	// A server on all addresses is asked over loopback, and without a name: a container may
	// have neither /etc/hosts nor DNS.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // and no proxy
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
	ask := func(scheme string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+net.JoinHostPort(host, port)+"/__health", nil)
		if err != nil {
			return nil, fmt.Errorf("ask for health: %w", err)
		}
		answer, err := client.Do(request)
		if err != nil {
			return nil, fmt.Errorf("ask for health: %w", err)
		}
		return answer, nil
	}
	scheme := "http://"
	if secured {
		scheme = "https://"
	}
	answer, err := ask(scheme)
	if secured && errors.Is(err, http.ErrSchemeMismatch) {
		answer, err = ask("http://") // users, and no TLS
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return fmt.Errorf("read health: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("weir on %s answers %s: %s", addr, answer.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
