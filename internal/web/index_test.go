package web

import (
	"strings"
	"testing"
)

// TestIndex: / names the pages that there are, and no others.
func TestIndex(t *testing.T) {
	s := start(t, Config{MetricsPath: "/m", Settings: func() string { return "" }})
	url := "http://" + s.Addr().String()
	code, body := fetch(t, "GET", url+"/", "")
	if code != 200 {
		t.Fatalf("%d %q", code, body)
	}
	for _, line := range strings.Split(body, "\n")[2:] {
		if path, _, _ := strings.Cut(line, " "); path != "" {
			if code, _ := fetch(t, "GET", url+path, ""); code == 404 {
				t.Errorf("%s is named and is not there", path)
			}
		}
	}
	if !strings.Contains(body, "/m ") || !strings.Contains(body, "/config") || strings.Contains(body, "/exporters") || strings.Contains(body, "reload") {
		t.Errorf("%q", body)
	}
	if code, _ := fetch(t, "GET", url+"/other", ""); code != 404 {
		t.Errorf("another path: %d", code)
	}
}
