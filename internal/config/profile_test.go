package config

import (
	"bytes"
	"strings"
	"testing"
)

func TestProfileAddress(t *testing.T) {
	for _, good := range []string{"127.0.0.1:6060", "[::1]:0", "localhost:6060", "127.9.9.9:1", ""} {
		c, err := Parse([]string{"-pprof", good}, nil, &bytes.Buffer{})
		if err != nil || c.Profile.Addr != good {
			t.Errorf("-pprof %q: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		":6060":            "no loopback address",
		"0.0.0.0:6060":     "no loopback address",
		"192.0.2.1:6060":   "no loopback address",
		"example.com:6060": "no loopback address",
		"127.0.0.1":        "not host:port",
		"127.0.0.1:http":   "not a port number",
		"127.0.0.1:65536":  "not a port number",
	} {
		_, err := Parse([]string{"-pprof", bad}, nil, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "-pprof") {
			t.Errorf("-pprof %q: got %v, want a fault that says %q", bad, err, why)
		}
	}
}
