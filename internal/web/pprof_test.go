package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestProfiler(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	p, err := StartProfiler("127.0.0.1:0", nil, log)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.Get("http://" + p.Addr().String() + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil || !strings.Contains(string(body), "goroutine profile:") {
		t.Errorf("%v: %.80s", err, body)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := StartProfiler("0.0.0.0:0", nil, log); err == nil {
		t.Error("profiles were served to all")
	}
}

func startProfiler(t *testing.T) string {
	t.Helper()
	p, err := StartProfiler("127.0.0.1:0", nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p.Addr().String()
}

// TestProfileSeconds: nobody has the process traced for hours, nor many at once.
func TestProfileSeconds(t *testing.T) {
	addr := startProfiler(t)
	for path, code := range map[string]int{
		"/debug/pprof/profile?seconds=301":            400,
		"/debug/pprof/profile?seconds=-1":             400,
		"/debug/pprof/profile?seconds=NaN":            400,
		"/debug/pprof/profile?seconds=1&seconds=9999": 400,
		"/debug/pprof/trace?seconds=11":               400,
		"/debug/pprof/trace?seconds=x":                400,
		"/debug/pprof/heap?seconds=1e9":               400,
		"/debug/pprof/heap?%zz":                       400,
		"/debug/pprof/trace?seconds=0.1":              200,
		"/debug/pprof/heap?debug=1":                   200,
		"/debug/pprof/none":                           404,
	} {
		if code2, body := fetch(t, "GET", "http://"+addr+path, ""); code2 != code {
			t.Errorf("%s: %d, want %d: %.100s", path, code2, code, body)
		}
	}
	for path, code := range map[string]int{
		"/debug/pprof/cmdline?seconds=1": 400, "/debug/pprof/symbol?seconds=1": 400, "/debug/pprof/cmdline?seconds=0": 200,
	} {
		if got, body := fetch(t, "GET", "http://"+addr+path, ""); got != code {
			t.Errorf("%s: %d, want %d: %.100s", path, got, code, body)
		}
	}
	// Two at once, and no more. Both end when their clients go.
	answers := func() int {
		code, _ := fetch(t, "GET", "http://"+addr+"/debug/pprof/cmdline", "")
		return code
	}
	first := dialGet(t, addr, "/debug/pprof/allocs?seconds=300")
	if code := answers(); code != http.StatusOK {
		t.Errorf("during one profile: %d", code)
	}
	second := dialGet(t, addr, "/debug/pprof/allocs?seconds=300")
	eventually(t, "another profile is refused", func() bool { return answers() == http.StatusServiceUnavailable })
	first.Close()
	eventually(t, "a profile whose client went makes room", func() bool { return answers() == http.StatusOK })
	second.Close()
}

// TestSecondsLimits: what is asked for may be the limit, and no more.
func TestSecondsLimits(t *testing.T) {
	for seconds, ok := range map[string]bool{"0": true, "300": true, "300.1": false, "-0.1": false, "+Inf": false, "": false} {
		r := httptest.NewRequest("GET", "/?seconds="+url.QueryEscape(seconds), nil)
		if err := checkSeconds(r, 300); (err == nil) != ok {
			t.Errorf("%q: %v", seconds, err)
		}
	}
	if maxProfiles != 2 || maxSeconds != 300 || maxTraceSeconds != 10 {
		t.Errorf("%d profiles at once, of %d s, traces of %d s: the docs say 2, 300 and 10", maxProfiles, maxSeconds, maxTraceSeconds)
	}
}
