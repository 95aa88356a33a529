package app

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckKafka(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", filepath.Join(dir, "state"))
	for _, tc := range []struct {
		args []string
		says string
		code int
	}{
		{[]string{"-spool.dir", filepath.Join(dir, "a", "b")}, "kafka topic flow-messages at 127.0.0.1:9092,[::1]:9092, message flow, acks all", ExitOK},
		{nil, "ok    spool          " + filepath.Join(dir, "state", "kafka-spool"), ExitOK},
		{[]string{"-transport.kafka.srv", "_kafka._tcp.example.org", "-spool.dir", "none"}, "brokers of _kafka._tcp.example.org", ExitOK},
		{[]string{"-spool.dir", "none"}, "warn  spool          none", ExitOK},
		{[]string{"-spool.dir", "/dev/null/x"}, "FAIL  spool          /dev/null/x: ", ExitError},
		{[]string{"-transport.kafka.topic", "no such"}, `-transport.kafka.topic "no such"`, ExitUsage},
		{[]string{"-transport.kafka.tls", "-transport.kafka.tls.ca", "/dev/null"}, "has no certificate", ExitError},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"check", "-transport", "kafka", "-listen", "flow://127.0.0.1:0", "-addr", ""}, tc.args...)
		code := Main(Env{Args: args, Stdout: &out, Stderr: &errs})
		if code != tc.code || !strings.Contains(out.String()+errs.String(), tc.says) {
			t.Errorf("%v: code %d, want %d and %q:\n%s%s", tc.args, code, tc.code, tc.says, out.String(), errs.String())
		}
	}
}
