package web

import (
	"errors"
	"testing"
)

func TestReload(t *testing.T) {
	var err error
	calls := 0
	s := start(t, Config{Reload: func() error { calls++; return err }})
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
