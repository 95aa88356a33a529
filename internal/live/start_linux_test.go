package live

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weirflow/weir/internal/testnet"
)

// refusal is a start that must fail.
type refusal struct {
	name string
	args []string
	env  []string
	yaml string // configuration file, whose path replaces CONFIG in args
	code int
	want []string // in standard error
}

// TestRefusedStart: what is wrong is said with its name, its value and what would
// be right, and the exit code tells wrong use from failure.
func TestRefusedStart(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	taken := listenOn(t, host, "udp", "127.0.0.1:2055")
	defer taken.Close()
	dir := t.TempDir()
	free := []string{"-listen", "flow://127.0.0.1:0", "-addr", ""}
	for _, tc := range []refusal{
		{name: "unknown flag", args: []string{"-lisen", "flow://:2055"}, code: 2, want: []string{"-lisen", "unknown flag", "-listen"}},
		{name: "unknown command", args: []string{"start"}, code: 2, want: []string{`"start"`, "run, decode, check"}},
		{name: "bad format", args: []string{"-format", "xml"}, code: 2, want: []string{"-format", `"xml"`, "allowed: json, text, bin"}},
		{name: "bad size", args: []string{"-batch.size", "1"}, code: 2, want: []string{"-batch.size", `"1"`, "allowed: "}},
		{name: "bad duration", args: []string{"-batch.linger", "soon"}, code: 2, want: []string{"-batch.linger", `"soon"`, "allowed: "}},
		{name: "bad listen scheme", args: []string{"-listen", "http://:2055"}, code: 2, want: []string{"-listen", `"http"`, "allowed: sflow://, netflow://"}},
		{name: "bad listen port", args: []string{"-listen", "flow://:70000"}, code: 2, want: []string{"-listen", `"70000"`, "0 to 65535"}},
		{name: "bad listen count", args: []string{"-listen", "flow://:2055/?count=0"}, code: 2, want: []string{"count", `"0"`, "1 to 256"}},
		{name: "several faults at once", args: []string{"-format", "xml", "-loglevel", "loud"}, code: 2, want: []string{"-format", "-loglevel"}},
		{name: "bad variable", env: []string{"WEIR_FORMAT=xml"}, code: 2, want: []string{"WEIR_FORMAT", `"xml"`, "allowed: json, text, bin"}},
		{name: "bad value in the file", yaml: "listen: flow://:2055\n\nformat: xml\n", args: []string{"-config", "CONFIG"}, code: 2,
			want: []string{"weir.yaml:3: ", "format", `"xml"`, "allowed: json, text, bin"}},
		{name: "bad YAML", yaml: "listen: flow://:2055\nformat: [json\nloglevel: info\n", args: []string{"-config", "CONFIG"}, code: 2,
			want: []string{"weir.yaml:", "not YAML"}},
		{name: "unknown name in the file", yaml: "listen: flow://:2055\nfromat: json\n", args: []string{"-config", "CONFIG"}, code: 2,
			want: []string{"weir.yaml:2: ", "fromat", "format"}},
		{name: "no such file", args: []string{"-config", filepath.Join(dir, "none.yaml")}, code: 2, want: []string{"-config", "none.yaml", "no such file"}},
		{name: "rotation of standard output", args: []string{"-transport.file.rotate.size", "1MiB"}, code: 2,
			want: []string{"-transport.file.rotate.size", "standard output", "-transport.file"}},
		{name: "port taken", args: []string{"-listen", "flow://127.0.0.1:2055", "-addr", ""}, code: 1,
			want: []string{"127.0.0.1:2055", "address already in use", "choose another port"}},
		{name: "http port taken", args: []string{"-listen", "flow://127.0.0.1:0", "-addr", "127.0.0.1:8081"}, code: 1,
			want: []string{"127.0.0.1:8081", "address already in use", "-addr"}},
		{name: "no such address", args: []string{"-listen", "flow://192.0.2.1:2055", "-addr", ""}, code: 1,
			want: []string{"192.0.2.1:2055", "no interface of this host has that address"}},
		{name: "no such directory", args: append([]string{"-transport.file", filepath.Join(dir, "none", "flows")}, free...), code: 1,
			want: []string{filepath.Join(dir, "none"), "no such file or directory"}},
		{name: "output is a directory", args: append([]string{"-transport.file", dir}, free...), code: 1,
			want: []string{dir, "is a directory"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.name == "http port taken" {
				defer listenOn(t, host, "tcp", "127.0.0.1:8081").Close()
			}
			args := append([]string{}, tc.args...)
			if tc.yaml != "" {
				path := filepath.Join(t.TempDir(), "weir.yaml")
				if err := os.WriteFile(path, []byte(tc.yaml), 0o600); err != nil {
					t.Fatal(err)
				}
				for i := range args {
					args[i] = strings.ReplaceAll(args[i], "CONFIG", path)
				}
			}
			cmd := weirCommand(host, args...)
			cmd.Env = append(cmd.Env, tc.env...)
			code, _, stderr := runWeir(t, cmd)
			if code != tc.code {
				t.Errorf("code %d, want %d", code, tc.code)
			}
			for _, want := range tc.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("no %q in %q", want, stderr)
				}
			}
			if !strings.Contains(stderr, "weir: ") {
				t.Errorf("%q does not say that it is weir's", stderr)
			}
		})
	}
}

// closer is a socket that is held.
type closer interface{ Close() error }

// listenOn takes a port of a host.
func listenOn(t *testing.T, host *testnet.Host, network, addr string) (c closer) {
	t.Helper()
	err := host.Do(func() (err error) {
		if network == "udp" {
			c, err = net.ListenPacket(network, addr)
		} else {
			c, err = net.Listen(network, addr)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPrecedence: a flag goes over a variable, that over the file, that over the
// default; check names the source of each, and weir runs by it.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "weir.yaml")
	inFile, byVariable, byFlag := filepath.Join(dir, "in-file"), filepath.Join(dir, "by-variable"), filepath.Join(dir, "by-flag")
	text := "listen:\n  - flow://127.0.0.1:2055\nloglevel: debug\nbatch:\n  linger: 30ms\ntransport.file: " + inFile + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-config", config, "-transport.file", byFlag}
	env := []string{"WEIR_TRANSPORT_FILE=" + byVariable, "WEIR_LOGLEVEL=error", "WEIR_FORMAT=json"}

	check := weirCommand(host, append([]string{"check", "-defaults"}, args...)...)
	check.Env = append(check.Env, env...)
	code, stdout, stderr := runWeir(t, check)
	if code != 0 {
		t.Fatalf("check ends with code %d: %s%s", code, stdout, stderr)
	}
	for option, want := range map[string][2]string{
		"listen":         {"flow://127.0.0.1:2055", config + ":2"},
		"transport.file": {byFlag, "-transport.file"},
		"loglevel":       {"error", "WEIR_LOGLEVEL"},
		"format":         {"json", "WEIR_FORMAT"},
		"batch.linger":   {"30ms", config + ":5"},
		"sink.depth":     {"64", "default"},
	} {
		fields := settingLine(stdout, option)
		if len(fields) != 3 || fields[1] != want[0] || !strings.HasPrefix(fields[2], strings.TrimSuffix(want[1], ":2")) {
			t.Errorf("check says %q of %s, want %q", fields, option, want)
		}
	}

	cmd := weirCommand(host, append([]string{"run"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	w := &weir{child: startChild(t, cmd), host: host, file: byFlag}
	// The log level keeps weir from saying that it serves.
	eventually(t, "weir serves metrics", func() bool { _, _, err := w.get("/metrics"); return err == nil })
	send(t, dial(t, host), numbered(1)...)
	w.settle(1)
	w.stop()
	if n := countLines(byFlag); n != recordsPerDatagram {
		t.Errorf("%d lines in the file of the flag", n)
	}
	for _, path := range []string{inFile, byVariable} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was made", filepath.Base(path))
		}
	}
	if out := w.out.String(); out != "" {
		t.Errorf("with log level error weir wrote %q", out)
	}
}

// settingLine returns the fields of an option's line in the report of check.
func settingLine(report, option string) []string {
	for line := range strings.Lines(report) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == option {
			return f
		}
	}
	return nil
}

// TestCheck: what would start is said to, what would not is named, and nothing is
// left behind.
func TestCheck(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	dir := t.TempDir()
	good := filepath.Join(dir, "flows.json")
	code, stdout, stderr := runWeir(t, weirCommand(host, "check", "-listen", "flow://:2055", "-transport.file", good))
	if code != 0 || !strings.Contains(stdout, "weir would start") || stderr != "" {
		t.Errorf("good configuration: code %d, %s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(good); err == nil {
		t.Error("check made the output")
	}
	listenOn(t, host, "udp", "[::]:2055").Close() // free again

	held := listenOn(t, host, "udp", "127.0.0.1:2055")
	defer held.Close()
	code, stdout, _ = runWeir(t, weirCommand(host, "check", "-listen", "flow://127.0.0.1:2055", "-transport.file", filepath.Join(dir, "none", "x"), "-cpu.pin", "1000"))
	if code != 1 {
		t.Errorf("bad configuration: code %d, want 1", code)
	}
	for _, want := range []string{"FAIL", "127.0.0.1:2055", "address already in use", filepath.Join(dir, "none"), "would not be pinned to CPU 1000", "weir would not start: 2 errors"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in %s", want, stdout)
		}
	}
	if code, _, stderr := runWeir(t, weirCommand(host, "check", "-format", "xml")); code != 2 || !strings.Contains(stderr, `-format "xml"`) {
		t.Errorf("bad value: code %d, %s", code, stderr)
	}
}

// TestUnprivileged: without root weir starts, works, and says that its receive
// buffer is smaller than asked for.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	dir, err := os.MkdirTemp("", "weir-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "flows.json")
	cmd := weirCommand(host, "-listen", "flow://:2055", "-transport.file", file, "-receive.buffer", "900MiB")
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Dir = "/"
	if _, err := exec.LookPath(program); err != nil {
		t.Fatal(err)
	}
	w := startWeirCommand(t, host, file, cmd)
	for _, want := range []string{"level=WARN", "receive buffer capped: asked 943718400 granted ", "net.core.rmem_max=943718400", "CAP_NET_ADMIN"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("no %q in what weir wrote", want)
		}
	}
	send(t, dial(t, host), numbered(10)...)
	w.settle(10).lossless(t)
	w.stop()
	eachOnce(t, numbersOf(readLines(t, file)), 10*recordsPerDatagram)

	// Nor can it write where it may not, and says so.
	refused := weirCommand(host, "-listen", "flow://:2055", "-transport.file", "/root-only-flows.json")
	refused.SysProcAttr = cmd.SysProcAttr
	refused.Dir = "/"
	if code, _, stderr := runWeir(t, refused); code != 1 || !strings.Contains(stderr, "/root-only-flows.json") || !strings.Contains(stderr, "permission denied") {
		t.Errorf("code %d, %q", code, stderr)
	}
}
