//go:build linux

package file

import (
	"os"
	"path/filepath"
	"testing"
)

// TestForeignMark: a mark that another user put into a folder that all may write to is
// not believed.
func TestForeignMark(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this test needs root, to make files of another user; try again with sudo")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o1777); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(dir, "flows.bin")
	if err := os.WriteFile(output, make([]byte, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := openPath(output)
	if err != nil {
		t.Fatal(err)
	}
	m, err := openMark(output, &out)
	if err != nil {
		t.Fatal(err)
	}
	m.set(&out, 100, markClosed)
	m.close()
	if end, _, ok := readMark(output, &out); !ok || end != 100 {
		t.Fatalf("own mark: %d, %v", end, ok)
	}
	if err := os.Chown(markPath(output), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := readMark(output, &out); ok {
		t.Error("the mark of another user is believed")
	}
}
