package web

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReload(t *testing.T) {
	var err error
	calls := 0
	s := start(t, Config{Reload: func() (string, error) { calls++; return "reloaded\n", err }})
	url := "http://" + s.Addr().String() + "/-/reload"
	if code, body := fetch(t, "POST", url, ""); code != 200 || body != "reloaded\n" {
		t.Errorf("%d %q", code, body)
	}
	err = errors.New("map.yaml:3: wrong")
	if code, body := fetch(t, "POST", url, ""); code != 422 || body != "map.yaml:3: wrong\n" {
		t.Errorf("%d %q", code, body)
	}
	if code, _ := fetch(t, "GET", url, ""); code != 405 || calls != 2 {
		t.Errorf("GET: %d, %d calls", code, calls)
	}
	if code, _ := fetch(t, "POST", "http://"+start(t, Config{}).Addr().String()+"/-/reload", ""); code != 404 {
		t.Errorf("without: %d", code)
	}
}

// TestPrepareToken: a token counts from its commit on, and a wrong one not at all.
func TestPrepareToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret)
	s := start(t, Config{TokenFile: path})
	inForce := func(want string) {
		t.Helper()
		if !s.guard.isToken("Bearer " + want) {
			t.Errorf("%q is not in force", want)
		}
	}
	write("short")
	if _, err := s.PrepareToken(); err == nil || !strings.Contains(err.Error(), "5 characters") {
		t.Errorf("a short token: %v", err)
	}
	inForce(secret)
	write(secret + "2")
	commit, err := s.PrepareToken()
	if err != nil {
		t.Fatal(err)
	}
	inForce(secret)
	commit()
	inForce(secret + "2")
}

// TestReloadPace: reloads come in bursts of a few, then at a pace, faults too; one at a time.
func TestReloadPace(t *testing.T) {
	now := time.Unix(1e9, 0)
	calls := 0
	var inside func()
	h := &reloadHandler{now: func() time.Time { return now }, reload: func() (string, error) {
		calls++
		if inside != nil {
			inside()
		}
		return "", errors.New("wrong")
	}}
	post := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/-/reload", nil))
		return w
	}
	for i := range reloadBurst {
		if w := post(); w.Code != 422 {
			t.Fatalf("reload %d: %d", i, w.Code)
		}
	}
	for range 1000 {
		if w := post(); w.Code != 429 || w.Header().Get("Retry-After") != "2" {
			t.Fatalf("after a burst: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
	}
	now = now.Add(reloadEvery - 1)
	if w := post(); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("a moment early: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	now = now.Add(1)
	inside = func() {
		inside = nil
		if w := post(); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("during another one: %d", w.Code)
		}
	}
	if w := post(); w.Code != 422 || post().Code != 429 || calls != reloadBurst+1 {
		t.Errorf("in time: %d, %d calls", w.Code, calls)
	}
	now = now.Add(time.Hour) // no more than a burst is saved up
	for range 2 * reloadBurst {
		post()
	}
	if calls != 2*reloadBurst+1 {
		t.Errorf("%d calls after an hour", calls)
	}
}
