package live

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"
)

// buildStatic builds weir without C, as it is released: only then can it order all
// of its threads to give up capabilities.
func buildStatic(t *testing.T) string {
	t.Helper()
	path := filepath.Join(publicDir(t), "weir")
	cmd := exec.Command("go", "build", "-o", path, "github.com/weirflow/weir/cmd/weir")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build weir: %v\n%s", err, out)
	}
	return path
}

// TestXDPKeepsWhatItNeeds: once it captures, each thread of a weir that was started
// as root has the capabilities to capture again and to open its output again, and
// no more; and they are enough.
func TestXDPKeepsWhatItNeeds(t *testing.T) {
	t.Parallel()
	l := newXDPLab(t, 2)
	file := filepath.Join(t.TempDir(), "flows.json")
	cmd := weirCommand(l.collector, "-listen", "flow://:2055", "-transport.file", file, "-batch.linger", "20ms", "-xdp.interface", "eth0", "-xdp.require")
	cmd.Path = buildStatic(t)
	w := startWeirCommand(t, l.collector, file, cmd)

	var want uint64
	for _, c := range []int{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_IPC_LOCK, unix.CAP_DAC_OVERRIDE} {
		want |= 1 << c
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", w.pid()))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		for name, value := range map[string]string{"CapEff": fmt.Sprintf("%016x", want), "CapPrm": fmt.Sprintf("%016x", want), "CapInh": fmt.Sprintf("%016x", 0), "NoNewPrivs": "1"} {
			if found := regexp.MustCompile(name + `:\s+(\w+)`).FindSubmatch(status); found == nil || string(found[1]) != value {
				t.Errorf("%s: %s, want %s %s", task, found, name, value)
			}
		}
	}

	const each = 200
	l.deliver(w, l.numberedFrames(0, each))
	for i, lose := range []func(){l.detachProgram, func() { l.disconnect(); l.connect() }} {
		lose()
		eventually(t, "the interface is captured again", func() bool {
			m := w.scrape()
			return m.mode("eth0") == "native" && m.count("capture_opened_total") == 2+i
		})
		l.deliver(w, l.numberedFrames((1+i)*each, each))
	}
	if m := w.settleBoth(3 * each); m.path("xdp") != 3*each {
		t.Errorf("%d datagrams by AF_XDP, want %d", m.path("xdp"), 3*each)
	}
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	w.signal(unix.SIGHUP)
	w.waitFor("output reopened")
	w.stop()
	l.noProgram()
	eachOnce(t, numbersOf(readLines(t, file+".1", file)), 3*each*recordsPerDatagram)
}
