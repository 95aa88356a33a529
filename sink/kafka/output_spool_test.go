package kafka

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSpoolDefaults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, tc := range []struct {
		name, dir, systemd, fallback string
		want                         string // where the spool is; "" for none
		says                         string
		fails                        bool
	}{
		{"as said", in("own"), in("state"), in("lib"), in("own"), "spool is ready", false},
		{"systemd", "", in("state"), in("lib"), in("state", spoolFolder), "spool is ready", false},
		{"systemd's first", "", in("first") + ":" + in("second"), in("lib"), in("first", spoolFolder), "spool is ready", false},
		{"by itself", "", "", in("lib"), in("lib", spoolFolder), "spool is ready", false},
		{"none wanted", noSpool, in("state2"), in("lib"), "", "no spool, as configured", false},
		{"none possible", "", "", file, "", "not a directory", false},
		{"as said and impossible", in("file", "x"), "", in("lib"), "", "", true},
		{"systemd's and impossible", "", file, in("lib"), "", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			settings := SpoolSettings{Dir: tc.dir, MaxBytes: 64 << 20, Mode: "outage"}
			var text bytes.Buffer
			l, err := settings.open(tc.systemd, tc.fallback, slog.New(slog.NewTextHandler(&text, nil)))
			if (err != nil) != tc.fails || (l != nil) != (tc.want != "") {
				t.Fatalf("spool %v, error %v", l != nil, err)
			}
			if !strings.Contains(text.String(), tc.says) || strings.Count(text.String(), "\n") > 1 {
				t.Errorf("the log says %s", text.String())
			}
			if l == nil {
				return
			}
			if _, err := os.Stat(tc.want); err != nil {
				t.Error(err)
			}
			if _, err := settings.open(tc.systemd, tc.fallback, slog.New(slog.DiscardHandler)); (err != nil) != (tc.name != "by itself") {
				t.Errorf("opened twice: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHolds: a process that takes over waits for the spool, also for that of the
// default directory, which the process before it holds until it ends.
func TestHolds(t *testing.T) {
	for dir, want := range map[string]bool{"": true, "/var/spool/weir": true, noSpool: false} {
		if s := (&Settings{Spool: SpoolSettings{Dir: dir}}); (len(s.Holds()) > 0) != want {
			t.Errorf("-spool.dir %q: %v, want %v", dir, s.Holds(), want)
		}
	}
}
