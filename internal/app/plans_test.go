package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/config"
)

// TestDumpPlans decodes a capture and looks for what its template became.
func TestDumpPlans(t *testing.T) {
	names, err := filepath.Glob("../corpus/testdata/*.pcap")
	if err != nil || len(names) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	var out, log bytes.Buffer
	env := Env{Stdout: &out, Stderr: &log, Environ: os.Environ()}
	if code := decodeCommand(env, append([]string{"-dump-plans", "-transport.file", filepath.Join(t.TempDir(), "none")}, names...)); code != ExitOK {
		t.Fatalf("exit %d: %s", code, log.String())
	}
	for _, want := range []string{"plan 1: ", "  templates: ", "offset  bytes  element", "src_addr", "fused"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %.2000s", want, out.String())
		}
	}
}

// TestProfilesEnd serves profiles on a free port and stops.
func TestProfilesEnd(t *testing.T) {
	var log bytes.Buffer
	cfg := config.Default()
	cfg.Profile.Addr = "127.0.0.1:0"
	stop, err := startProfiles(cfg, newLogger(&log, cfg.LogLevel, cfg.LogFormat))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if !strings.Contains(log.String(), "serving profiles") {
		t.Errorf("log: %q", log.String())
	}
}
