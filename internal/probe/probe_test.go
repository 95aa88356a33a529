package probe

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/__health" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("the output fails\n"))
	}))
	l, err := net.Listen("tcp", ":0") // of both families, as weir's
	if err != nil {
		t.Fatal(err)
	}
	s.Listener.Close()
	s.Listener = l
	s.Start()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	addr := "127.0.0.1:" + port
	t.Setenv("http_proxy", "http://192.0.2.1:1") // must not be asked
	addresses := []string{addr, ":" + port, "0.0.0.0:" + port}
	if c, err := net.Dial("tcp", "[::1]:"+port); err == nil { // not every machine has IPv6
		c.Close()
		addresses = append(addresses, "[::]:"+port)
	}
	for _, a := range addresses {
		if err := errors.Join(Health(t.Context(), a, false), Health(t.Context(), a, true)); err != nil { // true: users, and no TLS
			t.Errorf("%s: %v", a, err)
		}
	}
	status = http.StatusServiceUnavailable
	if err := Health(t.Context(), addr, false); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "the output fails") {
		t.Errorf("unhealthy: %v", err)
	}
	s.Close()
	if err := Health(t.Context(), addr, false); err == nil {
		t.Error("nobody answers, and it is healthy")
	}
	if err := Health(t.Context(), "nonsense", false); err == nil {
		t.Error("no address, and it is healthy")
	}
}
