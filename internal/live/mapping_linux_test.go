package live

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMappingReload changes the mapping file of a running collector: by a signal,
// by HTTP, and to one that is wrong.
func TestMappingReload(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	file := filepath.Join(t.TempDir(), "map.yaml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	columns := func(names string) string { return "formatter:\n  fields: [" + names + "]\n" }
	put(columns("src_port, bytes"))
	w := startWeir(t, host, "-listen", "netflow://:2055", "-mapping", file)
	conn := dial(t, host)
	sent := 0
	send := func() {
		t.Helper()
		for _, d := range numbered(4) {
			if _, err := conn.Write(d); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		w.settle(sent)
	}
	send()
	put(columns("dst_port, bytes"))
	w.signal(syscall.SIGHUP)
	w.waitFor("mapping reloaded")
	send()
	put(columns("dst_prot"))
	w.signal(syscall.SIGHUP)
	w.waitFor("map.yaml:2: formatter.fields[0] \\\"dst_prot\\\": unknown field")
	w.waitFor("configuration not reloaded, nothing is changed")
	send()
	m := w.settle(sent)
	m.lossless(t)
	w.stop()
	data, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	first, second := strings.Count(string(data), `{"src_port":`), strings.Count(string(data), `{"dst_port":`)
	if want := 4 * recordsPerDatagram; first != want || second != 2*want {
		t.Errorf("%d and %d lines, want %d and %d:\n%.2000s", first, second, want, 2*want, data)
	}
}

// TestWrongMapping: weir does not start, and says where what is wrong.
func TestWrongMapping(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	file := filepath.Join(t.TempDir(), "map.yaml")
	if err := os.WriteFile(file, []byte("formater: {}\nsflow:\n  mapping:\n    - {layer: upd, length: 8, destination: in_if}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-mapping", file}, {"decode", "-mapping", file, "none.pcap"}} {
		code, _, stderr := runWeir(t, weirCommand(host, args...))
		if code != 2 || !strings.Contains(stderr, "map.yaml:1: formater: unknown key; allowed: formatter") || !strings.Contains(stderr, `map.yaml:4: sflow.mapping[0].layer "upd": unknown layer`) {
			t.Errorf("%v: code %d, %s", args, code, stderr)
		}
	}
}
