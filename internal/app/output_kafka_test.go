package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/config"
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
			cfg := config.Default()
			cfg.Transport, cfg.Spool.Dir = "kafka", tc.dir
			var text bytes.Buffer
			l, err := openSpool(cfg, tc.systemd, tc.fallback, slog.New(slog.NewTextHandler(&text, nil)))
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
			if _, err := openSpool(cfg, tc.systemd, tc.fallback, slog.New(slog.DiscardHandler)); (err != nil) != (tc.name != "by itself") {
				t.Errorf("opened twice: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckKafka(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", filepath.Join(dir, "state"))
	for _, tc := range []struct {
		args []string
		says string
		code int
	}{
		{[]string{"-spool.dir", filepath.Join(dir, "a", "b")}, "kafka topic flow-messages at 127.0.0.1:9092,[::1]:9092, message flow, acks all", ExitOK},
		{nil, "ok    spool          " + filepath.Join(dir, "state", spoolFolder), ExitOK},
		{[]string{"-transport.kafka.srv", "_kafka._tcp.example.org", "-spool.dir", "none"}, "brokers of _kafka._tcp.example.org", ExitOK},
		{[]string{"-spool.dir", "none"}, "warn  spool          none", ExitOK},
		{[]string{"-spool.dir", "/dev/null/x"}, "FAIL  spool          /dev/null/x: ", ExitError},
		{[]string{"-transport.kafka.topic", "no such"}, `FAIL  output         kafka: topic "no such"`, ExitError},
		{[]string{"-transport.kafka.tls", "-transport.kafka.tls.ca", "/dev/null"}, "has no certificate", ExitError},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"check", "-transport", "kafka", "-listen", "flow://127.0.0.1:0", "-addr", ""}, tc.args...)
		code := Main(Env{Args: args, Stdout: &out, Stderr: &errs})
		if code != tc.code || !strings.Contains(out.String(), tc.says) {
			t.Errorf("%v: code %d, want %d and %q:\n%s%s", tc.args, code, tc.code, tc.says, out.String(), errs.String())
		}
	}
}
