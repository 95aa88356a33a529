package live

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// reloadable is a configuration file of a running weir.
type reloadable struct {
	t    *testing.T
	path string
	w    *weir
}

func (r *reloadable) put(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// reload puts a file in force by weir reload, which ends with that code.
func (r *reloadable) reload(text string, code int) string {
	r.t.Helper()
	r.put(text)
	got, stdout, stderr := runWeir(r.t, weirCommand(r.w.host, "reload", itoa(r.w.pid())))
	if got != code {
		r.t.Fatalf("weir reload: code %d, want %d\n%s%s", got, code, stdout, stderr)
	}
	return stdout + stderr
}

// TestReloadConfiguration changes the configuration of a running weir: what is live takes
// effect, what is not is named, and a bad file changes nothing.
func TestReloadConfiguration(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	r := &reloadable{t: t, path: filepath.Join(t.TempDir(), "weir.yaml")}
	r.put("listen: netflow://:2055\n")
	r.w = startWeir(t, host, "-config", r.path)
	conn := dial(t, host)
	sent := 0
	send := func() metrics {
		t.Helper()
		for _, d := range numbered(4) {
			if _, err := conn.Write(d); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		return r.w.waitMetric(sent, "datagrams_received_total")
	}
	denied := func(m metrics) int { return m.count("datagrams_total", `reason="denied"`) }
	if m := send(); denied(m) != 0 || m.count("config_last_reload_successful") != 1 {
		t.Errorf("at the start: %d denied", denied(m))
	}

	text := r.reload("listen: netflow://:2055\nexporters.deny: [127.0.0.0/8, '::/0', 10.0.0.0/8, 192.0.0.0/8]\nloglevel: debug\nreceive.buffer: 1MiB\n", 0)
	if text != "reloaded\nchanged: exporters.deny, loglevel\nchanged at the next start of weir: receive.buffer\n" {
		t.Errorf("weir reload says %q", text)
	}
	r.w.waitFor("some options keep their values until weir is started again")
	if m := send(); denied(m) != 4 {
		t.Errorf("%d denied after the reload", denied(m))
	}

	text = r.reload("listen: netflow://:2055\nexporters.deny: []\nexporters.rate: fast\nformt: json\n", 1)
	if !strings.Contains(text, "weir.yaml:3: exporters.rate") || !strings.Contains(text, "weir.yaml:4: formt: unknown key") {
		t.Errorf("faults: %q", text)
	}
	if m := send(); denied(m) != 8 || m.count("config_last_reload_successful") != 0 || m.count("config_reloads_total", `outcome="refused"`) != 1 {
		t.Errorf("a bad file: %d denied, last reload successful %d", denied(m), m.count("config_last_reload_successful"))
	}
	if _, page, err := r.w.get("/config"); err != nil || !strings.Contains(page, "127.0.0.0/8") || !strings.Contains(page, "(changed: restart weir)") {
		t.Errorf("/config: %v\n%s", err, page)
	}

	r.put("listen: netflow://:2055\n")
	r.w.signal(syscall.SIGHUP)
	r.w.waitMetric(1, "config_last_reload_successful")
	if m := send(); denied(m) != 8 || m.count("config_reloads_total", `outcome="success"`) != 2 {
		t.Errorf("after SIGHUP: %d denied", denied(m))
	}
	r.w.stop()
	eachOf := len(numbersOf(readLines(t, r.w.file)))
	if eachOf != 8*recordsPerDatagram {
		t.Errorf("%d records, want %d", eachOf, 8*recordsPerDatagram)
	}
}

// TestReloadRotation turns rotation and retention on and off while weir writes.
func TestReloadRotation(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	r := &reloadable{t: t, path: filepath.Join(t.TempDir(), "weir.yaml")}
	r.put("")
	r.w = startWeir(t, host, "-listen", "netflow://:2055", "-config", r.path)
	conn := dial(t, host)
	sent := 0
	send := func() {
		t.Helper()
		for _, d := range numbered(40) {
			if _, err := conn.Write(d); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		r.w.settle(sent).lossless(t)
	}
	rotated := func() []string {
		files, err := filepath.Glob(strings.TrimSuffix(r.w.file, filepath.Ext(r.w.file)) + "-*Z-*")
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	send()
	if n := len(rotated()); n != 0 {
		t.Fatalf("%d rotated files without rotation", n)
	}
	text := r.reload("transport.file: {rotate: {size: 4KiB}, keep: {count: 3}}\n", 0)
	if text != "reloaded\nchanged: transport.file.rotate.size, transport.file.keep.count\n" {
		t.Errorf("weir reload says %q", text)
	}
	send()
	eventually(t, "three rotated files", func() bool { return len(rotated()) == 3 })
	for _, name := range append(rotated()[1:], r.w.file) { // the first may be of before
		if info, err := os.Stat(name); err != nil || info.Size() > 4<<10 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if m := r.w.scrape(); m.count("output_deleted_files_total", `reason="count"`) == 0 || m.count("output_rotated_files") != 3 {
		t.Errorf("%d deleted, %d there", m.count("output_deleted_files_total"), m.count("output_rotated_files"))
	}
	if text := r.reload("transport.file: {keep: {count: 3}}\n", 1); !strings.Contains(text, "weir.yaml:1: transport.file.keep.count") {
		t.Errorf("keep without rotation: %q", text)
	}
	r.reload("", 0)
	send()
	if n := len(rotated()); n != 3 {
		t.Errorf("%d rotated files after rotation was turned off", n)
	}
	r.w.stop()
}

// TestXDPReloadRules changes who may send, and how much, in the XDP program of a running
// weir, in place: it receives while that happens, each frame is received or counted, and the
// interface is never without a program.
func TestXDPReloadRules(t *testing.T) {
	t.Parallel()
	for _, kind := range []int{0, 3} {
		kind := xdpKinds[kind]
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			l := newXDPLab(t, kind.queues)
			r := &reloadable{t: t, path: filepath.Join(t.TempDir(), "weir.yaml")}
			r.put("exporters.deny: [10.3.0.0/16]\n")
			r.w = startXDP(l, "-xdp.mode", kind.mode, "-xdp.workers", "2", "-config", r.path)
			var good, bad [][]byte
			for i := range 64 {
				good = append(good, l.frame(netip.MustParseAddrPort("10.2.0.1:5000"), netflow5(i*frameRecords, frameRecords)))
				bad = append(bad, l.frame(netip.MustParseAddrPort("10.3.0.1:5000"), netflow5(1<<20, frameRecords)))
			}
			first := l.programOn()
			l.deliver(r.w, good)
			l.send(bad...)
			r.w.waitMetric(64, "xdp_verdicts_total", `"drop_denied"`)

			// The other way round, under way, by an allow list that there was not.
			stop := l.stream(8, func(i int) []byte { return good[i%len(good)] })
			for i := range 10 {
				list := "exporters.allow: [10.2.0.0/16, 10.4.0.0/16]\n"
				if i%2 == 1 {
					list = "exporters.deny: [10.3.0.0/16, fd00::/16]\nexporters.rate: 1000000\n"
				}
				r.reload(list, 0)
			}
			stop() // some may be lost before the program: the queue to it is short
			// A slow weir does not keep up: then the rings were full, and that is counted.
			eventually(t, "all that was redirected is received or counted", func() bool {
				m := r.w.scrape()
				return m.path("xdp")+m.count("xdp_dropped_total") == m.verdict("redirect")
			})
			m := r.w.settleBoth(r.w.received())
			if m.path("udp") != 0 || m.count("xdp_dropped_total") != m.count("xdp_dropped_total", `"rx_ring_full"`) || m.path("xdp") < 2*len(good) || m.verdict("drop_denied") != 64 || m.count("capture_opened_total") != 1 {
				t.Errorf("%d over xdp, %d over udp, %d redirected; %d denied, opened %d times", m.path("xdp"), m.path("udp"),
					m.verdict("redirect"), m.verdict("drop_denied"), m.count("capture_opened_total"))
			}
			if now := l.programOn(); now == first || now == 0 {
				t.Errorf("program %d before, %d now", first, now)
			}
			l.send(bad...)
			r.w.waitMetric(128, "xdp_verdicts_total", `"drop_denied"`)
			r.reload("exporters.deny: [10.2.0.0/16]\n", 0)
			l.send(good...)
			l.deliver(r.w, bad)
			r.w.waitMetric(128+64, "xdp_verdicts_total", `"drop_denied"`)
			r.w.settleBoth(r.w.received())
			r.w.stop()
			l.noProgram()
		})
	}
}

// stirRetention writes more files than are kept, and reads the configuration again.
func stirRetention(t *testing.T, note *moved) {
	host := newHost(t)
	r := &reloadable{t: t, path: filepath.Join(t.TempDir(), "weir.yaml")}
	r.put("")
	r.w = startWeirTo(t, host, filepath.Join(t.TempDir(), "flows.json"), "-config", r.path,
		"-transport.file.rotate.size", "8KiB", "-transport.file.keep.count", "1")
	send(t, dial(t, host), numbered(40)...)
	r.w.waitMetric(1, "output_deleted_files_total", `reason="count"`)
	r.reload("", 0)
	m := r.w.waitMetric(1, "config_reloads_total", `outcome="success"`)
	r.w.stop()
	note.compare("retention", metrics{}, m) // some of it is there from the start
}
