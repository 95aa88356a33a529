package web

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/weirflow/weir/internal/weirtest"
)

// startSecure starts a server with TLS and the user ops, and returns a client that trusts it.
func startSecure(t *testing.T, cfg Config) (*Server, *http.Client) {
	t.Helper()
	dir := t.TempDir()
	cert, key := weirtest.Certificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConfigFile = filepath.Join(dir, "web.yml")
	if err := os.WriteFile(cfg.ConfigFile, fmt.Appendf(nil, "tls_server_config: {cert_file: %s, key_file: %s}\nbasic_auth_users: {ops: %s}\n", cert, key, hash), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	s := start(t, cfg)
	s.SetHealthy(true)
	return s, &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
}

// get asks for a page with a password, none if it is empty.
func get(t *testing.T, c *http.Client, url, password string, edit ...func(*http.Request)) *http.Response {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if password != "" {
		req.SetBasicAuth("ops", password)
	}
	for _, e := range edit {
		e(req)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

// TestSecure: users need their password, a request that the guard refuses is not compared with
// one, and a connection has one request at a time.
func TestSecure(t *testing.T) {
	s, c := startSecure(t, Config{})
	url := "https://" + s.Addr().String()
	for password, want := range map[string]int{"": 401, "wrong": 401, "secret": 200} {
		if res := get(t, c, url+"/metrics", password); res.StatusCode != want || res.ProtoMajor != 1 {
			t.Errorf("password %q: %d over %s, want %d over HTTP/1.1", password, res.StatusCode, res.Proto, want)
		}
	}
	foreign := func(r *http.Request) { r.Host = "weir.example.net" }
	if res := get(t, c, url+"/metrics", "", foreign); res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host: %d", res.StatusCode)
	}
	proxied := func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }
	if here, there := get(t, c, url+"/__health", ""), get(t, c, url+"/__health", "", proxied); here.StatusCode != 200 || there.StatusCode != 401 {
		t.Errorf("health without a password: %d from this host, %d through a proxy", here.StatusCode, there.StatusCode)
	}
}

// TestSilentConnections: clients that connect and say nothing, more than there may be, do not keep
// others from being answered.
func TestSilentConnections(t *testing.T) {
	s, c := startSecure(t, Config{})
	for range maxConns + 50 {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	time.Sleep(2 * connGrace) // then those that have waited make room
	if res := get(t, c, "https://"+s.Addr().String()+"/metrics", "secret"); res.StatusCode != 200 {
		t.Errorf("beside silent connections: %d", res.StatusCode)
	}
}
