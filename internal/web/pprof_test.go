package web

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestProfiler(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	p, err := StartProfiler("127.0.0.1:0", log)
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
	if _, err := StartProfiler("0.0.0.0:0", log); err == nil {
		t.Error("profiles were served to all")
	}
}
