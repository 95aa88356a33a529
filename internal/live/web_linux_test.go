package live

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/weirflow/weir/internal/weirtest"
)

// TestWebConfig serves all pages by TLS, to users with a password only; weir top and weir reload
// work with that, and a file that is wrong is an error at the start.
func TestWebConfig(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	dir := t.TempDir()
	cert, key := weirtest.Certificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "web.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "tls_server_config: {cert_file: %s, key_file: %s}\nbasic_auth_users: {ops: %s}\n", cert, key, hash), 0o600); err != nil {
		t.Fatal(err)
	}
	w := startWeir(t, host, "-web.config.file", file)
	roots := x509.NewCertPool()
	text, err := os.ReadFile(cert)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			derr := host.Do(func() error {
				conn, err = (&net.Dialer{}).DialContext(ctx, network, addr)
				return err
			})
			return conn, derr
		},
	}}
	for _, path := range []string{"/", "/metrics", "/health", "/exporters", "/config"} {
		for password, want := range map[string]int{"": 401, "wrong": 401, "secret": 200} {
			req, err := http.NewRequest("GET", "https://127.0.0.1:8080"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if password != "" {
				req.SetBasicAuth("ops", password)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("%s with password %q: %d, want %d", path, password, res.StatusCode, want)
			}
		}
	}
	if status, _, err := w.get("/metrics"); err == nil && status == 200 {
		t.Error("served without TLS")
	}
	top := weirCommand(host, "top", "-once", "-tls", cert, "-user", "ops")
	top.Env = append(top.Env, "WEIR_TOP_PASSWORD=secret")
	if code, out, errs := runWeir(t, top); code != 0 || !strings.Contains(out, "exporter") || strings.Contains(out, "secret") {
		t.Errorf("weir top: %d\n%s%s", code, out, errs)
	}
	if code, out, errs := runWeir(t, weirCommand(host, "health", "-web.config.file", file)); code != 0 || out != "OK\n" {
		t.Errorf("weir health: %d\n%s%s", code, out, errs)
	}
	if code, _, errs := runWeir(t, weirCommand(host, "reload", itoa(w.pid()))); code != 0 {
		t.Errorf("weir reload: %d\n%s", code, errs)
	}
	w.stop()
	if err := os.WriteFile(file, []byte("tls_server_config: {cert_fil: x}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"run", "check"} {
		want := map[string]int{"run": 2, "check": 1}[command]
		if code, out, errs := runWeir(t, weirCommand(host, command, "-web.config.file", file)); code != want || !strings.Contains(out+errs, file) || !strings.Contains(out+errs, "cert_fil") {
			t.Errorf("a wrong file: weir %s: %d\n%s%s", command, code, out, errs)
		}
	}
}
