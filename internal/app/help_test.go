package app

import (
	"bytes"
	"strings"
	"testing"
)

// TestHelpOfOption: weir help explains one option, however it is named.
func TestHelpOfOption(t *testing.T) {
	for _, c := range []struct {
		name string
		code int
		want []string
	}{
		{"receive.buffer", ExitOK, []string{"-receive.buffer size", "Default      32MiB", "WEIR_RECEIVE_BUFFER", "In the file  receive.buffer", "needs a restart"}},
		{"-loglevel", ExitOK, []string{"-loglevel debug|info|warn|error", "takes effect at a reload"}},
		{"WEIR_ADDR", ExitOK, []string{"-addr host:port", "In the file  addr"}},
		{"transport.file.path", ExitOK, []string{"-transport.file path"}},
		{"batch.sice", ExitUsage, []string{"no help on \"batch.sice\"", "did you mean -batch.size?"}},
		{"nothing.of.the.kind", ExitUsage, []string{"unknown option", "weir help lists"}},
		{"check", ExitOK, []string{"Usage: weir"}},
		{"top", ExitOK, []string{"Usage: weir top [-addr host:port] [-once]", "environment WEIR_ADDR"}},
	} {
		var out, errs bytes.Buffer
		code := Main(Env{Args: []string{"help", c.name}, Stdout: &out, Stderr: &errs})
		text := out.String() + errs.String()
		for _, want := range c.want {
			if code != c.code || !strings.Contains(text, want) {
				t.Errorf("help %s: code %d, want %d and %q in\n%s", c.name, code, c.code, want, text)
			}
		}
		if (code == ExitOK) != (errs.Len() == 0) {
			t.Errorf("help %s: code %d with stderr %q", c.name, code, &errs)
		}
	}
}
