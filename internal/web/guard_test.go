package web

import (
	"bufio"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const secret = "0123456789abcdef-secret"

// TestGuard: who may ask for what, on a loopback address and on another.
func TestGuard(t *testing.T) {
	const loopback, open = "127.0.0.1:8080", "192.0.2.1:8080"
	const inside, outside = "127.0.0.1:4711", "198.51.100.7:4711"
	type headers = map[string]string
	bearer := headers{"Authorization": "Bearer " + secret}
	for _, c := range []struct {
		server, method, host, from string
		hosts                      []string
		headers                    headers
		code                       int
	}{
		{loopback, "GET", "localhost:8080", inside, nil, nil, 200},
		{loopback, "GET", "localhost", inside, nil, nil, 200},
		{loopback, "GET", "LOCALHOST.:8080", inside, nil, nil, 200},
		{loopback, "HEAD", "127.0.0.1:8080", inside, nil, nil, 200},
		{loopback, "GET", "127.1.2.3", inside, nil, nil, 200},
		{loopback, "GET", "[::1]:8080", inside, nil, nil, 200},
		{loopback, "GET", "[::1]", inside, nil, nil, 200},
		{loopback, "GET", "", inside, nil, nil, 200}, // HTTP/1.0
		{loopback, "GET", "evil.example:8080", inside, nil, nil, 421},
		{loopback, "HEAD", "evil.example:8080", inside, nil, nil, 421},
		{loopback, "GET", "localhost.evil.example", inside, nil, nil, 421},
		{loopback, "GET", "192.0.2.1:8080", inside, nil, nil, 421},
		{loopback, "GET", "localhost:port", inside, nil, nil, 421},
		{loopback, "GET", "127.0.0.1.evil.example", inside, nil, nil, 421},
		{loopback, "GET", "weir.example.net:8080", inside, []string{"Weir.example.net"}, nil, 200},
		{loopback, "GET", "evil.example", inside, []string{"weir.example.net"}, nil, 421},
		// A page of another origin may send simple GETs; it cannot read the answer.
		{loopback, "GET", "localhost:8080", inside, nil, headers{"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, 200},

		{open, "GET", "weir.example.net:8080", outside, nil, nil, 200},
		{open, "GET", "192.0.2.1:8080", outside, nil, nil, 200},
		{open, "GET", "evil.example", outside, []string{"weir.example.net"}, nil, 421},
		{open, "GET", "weir.example.net", outside, []string{"weir.example.net"}, nil, 200},
		{open, "GET", "192.0.2.1", outside, []string{"weir.example.net"}, nil, 200},

		{loopback, "POST", "localhost:8080", inside, nil, nil, 200},
		{loopback, "POST", "127.0.0.1:8080", inside, nil, headers{"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}, 200},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Sec-Fetch-Site": "none"}, 200},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Origin": "http://evil.example"}, 403},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Origin": "http://localhost:9090"}, 403},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Origin": "null"}, 403},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Origin": ""}, 403},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Sec-Fetch-Site": "cross-site"}, 403},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Sec-Fetch-Site": "same-site"}, 403},
		{loopback, "POST", "evil.example", inside, nil, nil, 421},
		{loopback, "POST", "evil.example", inside, nil, headers{"Origin": "http://evil.example"}, 421},
		{loopback, "POST", "", inside, nil, nil, 421},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"X-Forwarded-For": "198.51.100.7"}, 401},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Forwarded": "for=198.51.100.7"}, 401},
		{loopback, "DELETE", "evil.example", inside, nil, nil, 421},
		{loopback, "OPTIONS", "localhost:8080", inside, nil, headers{"Origin": "http://evil.example"}, 403},

		{open, "POST", "192.0.2.1:8080", outside, nil, nil, 401},
		{open, "POST", "localhost:8080", outside, nil, nil, 401},
		{open, "POST", "weir.example.net", outside, []string{"weir.example.net"}, nil, 401},
		{open, "POST", "evil.example", inside, nil, headers{"Origin": "http://evil.example"}, 421}, // rebound to 127.0.0.1
		{open, "POST", "192.0.2.1:8080", outside, nil, bearer, 200},
		{open, "POST", "weir.example.net", outside, nil, bearer, 200},
		{open, "POST", "192.0.2.1:8080", "[::ffff:127.0.0.1]:99", nil, nil, 200},
		{open, "POST", "192.0.2.1:8080", outside, nil, headers{"Authorization": "bearer  " + secret + " "}, 200},
		{open, "POST", "192.0.2.1:8080", outside, nil, headers{"Authorization": "Bearer " + secret, "Origin": "http://evil.example"}, 403},
		{open, "POST", "192.0.2.1:8080", outside, nil, headers{"Authorization": "Bearer " + secret + "x"}, 401},
		{open, "POST", "192.0.2.1:8080", outside, nil, headers{"Authorization": "Bearer "}, 401},
		{open, "POST", "192.0.2.1:8080", outside, nil, headers{"Authorization": "Basic " + secret}, 401},
		{loopback, "POST", "localhost:8080", inside, nil, headers{"Authorization": "Bearer wrong"}, 401},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.server)
		if err != nil {
			t.Fatal(err)
		}
		_, authorized := c.headers["Authorization"]
		for _, token := range []bool{false, true} {
			code := c.code
			if !token && authorized {
				continue
			}
			// With a token every POST needs it, also from this host: a proxy may
			// add no header and change the host to its own.
			if token && !authorized && c.method != "GET" && c.method != "HEAD" && code != 403 {
				code = 401
			}
			g := newGuard(fakeListener{addr: addr}, c.hosts)
			if token {
				sum := sha256.Sum256([]byte(secret))
				g.token.Store(&sum)
			}
			r := httptest.NewRequest(c.method, "/page", nil)
			r.Host, r.RemoteAddr = c.host, c.from
			for name, value := range c.headers {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			g.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != code {
				t.Errorf("server %s (%v), token %v, %s from %s with host %q and %v: %d, want %d: %s", c.server, c.hosts, token, c.method, c.from, c.host, c.headers, w.Code, code, w.Body)
			}
			if strings.Contains(w.Body.String(), secret) || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v %s", c.server, w.Header(), w.Body)
			}
		}
	}
	// Without a token none will do, not an empty one either.
	g := newGuard(fakeListener{addr: &net.TCPAddr{}}, nil)
	for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer x"} {
		if g.isToken(auth) {
			t.Errorf("%q is a token", auth)
		}
	}
}

type fakeListener struct {
	net.Listener
	addr net.Addr
}

func (l fakeListener) Addr() net.Addr { return l.addr }

// TestPagesAreGuarded: the rules hold for every page of both servers.
func TestPagesAreGuarded(t *testing.T) {
	reloads := 0
	s := start(t, Config{TemplatesPath: "/templates", Settings: func() string { return "" }, Reload: func() (string, error) { reloads++; return "reloaded\n", nil }})
	profiles := startProfiler(t)
	for _, c := range []struct{ addr, method, path string }{
		{s.Addr().String(), "GET", "/metrics"},
		{s.Addr().String(), "GET", "/__health"},
		{s.Addr().String(), "GET", "/templates"},
		{s.Addr().String(), "GET", "/config"},
		{s.Addr().String(), "GET", "/none"},
		{s.Addr().String(), "POST", "/-/reload"},
		{s.Addr().String(), "OPTIONS", "*"},
		{profiles, "GET", "/debug/pprof/"},
		{profiles, "GET", "/debug/pprof/heap"},
		{profiles, "GET", "/debug/pprof/cmdline"},
		{profiles, "GET", "/debug/pprof/trace"},
	} {
		if got := raw(t, c.addr, c.method+" "+c.path+" HTTP/1.1\r\nHost: evil.example\r\n\r\n"); got.StatusCode != 421 {
			t.Errorf("%s %s for evil.example: %d", c.method, c.path, got.StatusCode)
		}
	}
	raw(t, s.Addr().String(), "POST /-/reload HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n")
	if reloads != 0 {
		t.Errorf("%d reloads for foreign pages", reloads)
	}
}

// raw sends a request as it stands and returns the answer, whose body is closed.
func raw(t *testing.T, addr, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	res.Body.Close()
	return res
}

// TestOddRequests: what can be said in two ways is refused, and so are bodies.
func TestOddRequests(t *testing.T) {
	s := start(t, Config{Reload: func() (string, error) { return "reloaded\n", nil }})
	s.SetHealthy(true)
	for _, c := range []struct {
		request string
		code    int
	}{
		{"GET /__health HTTP/1.0\r\n\r\n", 200},
		{"GET /__health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
		{"GET http://evil.example/__health HTTP/1.1\r\nHost: localhost\r\n\r\n", 421},
		{"GET /__health HTTP/1.1\r\n\r\n", 400},
		{"GET /__health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400},
		{"GET /__health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 413},
		{"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413},
		{"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n", 413},
		{"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
		{"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length : 1\r\n\r\nx", 400},
		{"POST /-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
		{"GET /-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
		{"GET /__health/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
		{"GET /__health/../__health HTTP/1.1\r\nHost: localhost\r\n\r\n", 307},
		{"TRACE /__health HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
		{"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 421},
		{"GET /__health HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", 200},
		{"GET /__health?" + strings.Repeat("x", 30000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
	} {
		if res := raw(t, s.Addr().String(), c.request); res.StatusCode != c.code || strings.HasPrefix(res.Header.Get("Location"), "//") {
			t.Errorf("%.120q: %d, want %d (Location %q)", c.request, res.StatusCode, c.code, res.Header.Get("Location"))
		}
	}
}

// TestTokenFile: who could read the token may not, a reload takes a new one, and a
// file that is wrong leaves the old one.
func TestTokenFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{secret, 0o600, ""},
		{secret + "\r\nmore\n", 0o440, ""},
		{secret, 0o644, "mode 0644"},
		{secret, 0o602, "mode 0602"},
		{secret, 0o660, "mode 0660"},
		{"", 0o600, "0 characters"},
		{"\n" + secret, 0o600, "0 characters"},
		{"short-secret", 0o600, "12 characters"},
		{secret + " " + secret, 0o600, "spaces"},
		{strings.Repeat(secret, 1000), 0o600, "larger"},
	} {
		sum, err := ReadToken(write("token", c.text, c.mode))
		if c.want == "" && (err != nil || sum != sha256.Sum256([]byte(secret))) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%.30q %04o: %v, want %q", c.text, c.mode, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("error has the token: %v", err)
		}
	}
	if _, err := ReadToken(dir); err == nil {
		t.Error("a folder is a token")
	}
	// The token itself in the place of the file's name.
	for _, path := range []string{secret, "base64/" + secret, "/" + secret, strings.Repeat(secret, 1000)} {
		if _, err := ReadToken(path); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error has the token: %v", err)
		}
	}

	path := write("token", secret, 0o600)
	var s *Server
	s = start(t, Config{TokenFile: path, Reload: func() (string, error) {
		commit, err := s.PrepareToken()
		if err != nil {
			return "", err
		}
		commit()
		return "reloaded\n", nil
	}})
	post := func(token string) int {
		return raw(t, s.Addr().String(), "POST /-/reload HTTP/1.1\r\nHost: any\r\nAuthorization: Bearer "+token+"\r\n\r\n").StatusCode
	}
	const fresh = "another-token-that-is-long-enough"
	for _, step := range []struct {
		file, mode, with string
		code             int
	}{
		{with: secret, code: 200},
		{file: fresh, with: secret, code: 200}, // which reads it
		{with: secret, code: 401},
		{with: fresh, code: 200},
		{file: "short", with: fresh, code: 422},
		{with: fresh, code: 422},
	} {
		if step.file != "" {
			write("token", step.file, 0o600)
		}
		if code := post(step.with); code != step.code {
			t.Errorf("%+v: %d", step, code)
		}
	}
	if _, err := Start(Config{Addr: "127.0.0.1:0", TokenFile: path}); err == nil {
		t.Error("started with a token that is too short")
	}
}
