package web

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReload(t *testing.T) {
	var err error
	calls := 0
	s := start(t, Config{Reload: func() (func(), error) { calls++; return func() {}, err }})
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

// TestReloadAllOrNothing: a fault in the token or in the rest leaves both as they are.
func TestReloadAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret)
	var fault error
	commits := 0
	s := start(t, Config{TokenFile: path, Reload: func() (func(), error) { return func() { commits++ }, fault }})
	for _, c := range []struct {
		token   string
		fault   error
		commits int
		inForce string // the token afterwards
		said    []string
	}{
		{secret + "2", errors.New("map wrong"), 0, secret, []string{"map wrong"}},
		{"short", nil, 0, secret, []string{"5 characters"}},
		{"short", errors.New("map wrong"), 0, secret, []string{"5 characters", "map wrong"}},
		{secret + "2", nil, 1, secret + "2", nil},
	} {
		write(c.token)
		fault = c.fault
		err := s.Reload()
		if (err == nil) != (len(c.said) == 0) || commits != c.commits || !s.guard.isToken("Bearer "+c.inForce) {
			t.Errorf("%s, %v: %v, %d commits, token in force: %v", c.token, c.fault, err, commits, s.guard.isToken("Bearer "+c.inForce))
		}
		for _, text := range c.said {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("no %q in %v", text, err)
			}
		}
	}
}
