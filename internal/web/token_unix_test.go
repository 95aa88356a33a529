//go:build unix

package web

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTokenFIFO: a FIFO without a writer is refused, not waited for.
func TestTokenFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadToken(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("%v", err)
	}
}
