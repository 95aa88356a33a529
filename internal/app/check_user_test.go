package app

import (
	"os"
	"path/filepath"
	"testing"
)

func TestUnitUser(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no unit", map[string]string{"etc/other.service": "User=x\n"}, ""},
		{"only a drop-in", map[string]string{"etc/weir.service.d/a.conf": "User=x\n"}, ""},
		{"the packaged unit", map[string]string{"lib/weir.service": "[Service]\n#User=x\nUser=weir\nGroup=g\n"}, "weir"},
		{"none is root", map[string]string{"lib/weir.service": "[Service]\nExecStart=/usr/bin/weir\n"}, "root"},
		{"the administrator's unit", map[string]string{"lib/weir.service": "User=weir\n", "etc/weir.service": "User = flows\n"}, "flows"},
		{"a drop-in", map[string]string{"lib/weir.service": "User=weir\n", "etc/weir.service.d/xdp.conf": "PrivateUsers=no\n", "lib/weir.service.d/u.conf": "User=flows\n"}, "flows"},
		{"the last drop-in", map[string]string{"lib/weir.service": "User=weir\n", "lib/weir.service.d/b.conf": "User=b\n", "etc/weir.service.d/a.conf": "User=a\n"}, "b"},
		{"a masked drop-in", map[string]string{"lib/weir.service": "User=weir\n", "lib/weir.service.d/a.conf": "User=b\n", "etc/weir.service.d/a.conf": ""}, "weir"},
	} {
		root := t.TempDir()
		for name, text := range test.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := unitUser([]string{filepath.Join(root, "etc"), filepath.Join(root, "lib")}); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestCountOf(t *testing.T) {
	for n, want := range map[int]string{0: "0 queues", 1: "1 queue", 2: "2 queues"} {
		if got := countOf(n, "queue"); got != want {
			t.Errorf("countOf(%d) = %q, want %q", n, got, want)
		}
	}
}
