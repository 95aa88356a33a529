package live

import (
	"os/exec"
	"strings"
	"testing"
)

// TestPageInChromium opens the page of a running weir in a real browser, for wide and narrow
// screens: no error on its console, and nothing from elsewhere.
func TestPageInChromium(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed (apt-get install chromium)")
	}
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host)
	send(t, dial(t, host), numbered(40)...)
	w.settle(40)
	for _, size := range []string{"1280,1000", "390,1000"} {
		for target, want := range map[string]string{"/": "The last hour", "/?exporter=127.0.0.1": "Exporter 127.0.0.1"} {
			text := runOn(t, host, nil, "sh", "-c", `exec "$0" "$@" 2>&1`, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
				"--enable-logging=stderr", "--window-size="+size, "--dump-dom", "http://127.0.0.1:8080"+target)
			if !strings.Contains(text, want) {
				t.Errorf("%s at %s: no %q", target, size, want)
			}
			for line := range strings.Lines(text) {
				if strings.Contains(line, "CONSOLE") || strings.Contains(line, "Refused to") {
					t.Errorf("%s at %s: %s", target, size, line)
				}
			}
		}
	}
	w.stop()
}
