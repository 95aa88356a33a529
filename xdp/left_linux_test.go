package xdp

import (
	"bytes"
	"os"
	"testing"
)

// TestIsWeir: a weir that runs is known under any name that its binary may have.
func TestIsWeir(t *testing.T) {
	own, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"weir": true, "weir-1.2": true, string(bytes.TrimSpace(own)): true, "systemd": false, "?": false, "": false,
	} {
		if isWeir(name) != want {
			t.Errorf("%q: %v, want %v", name, !want, want)
		}
	}
}
