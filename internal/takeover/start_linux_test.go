package takeover_test

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/mmdbtest"
)

// TestStart has the real weir translate every file of testdata and some command lines, and
// starts each line that it prints, in a network namespace of its own.
func TestStart(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("root is missing, and CI must not skip this")
		}
		t.Skip("starts programs in network namespaces: run it as root")
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-pgo=off", "-o", bin, "./cmd/weir", "./cmd/enricher")
	build.Dir = "../.."
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	sources, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	sources = append(sources,
		"goflow2", "goflow2 -format=pb -transport.file.sep= | enricher -db.asn asn.mmdb -db.country country.mmdb | cat",
		"bash -c 'goflow2 -format text 2>log'", "docker run -p 2055:2055/udp netsampler/goflow2 -listen netflow://:2055?workers=2 -addr=",
		"goflow2 -transport kafka -transport.kafka.brokers 127.0.0.1:9 -transport.kafka.sasl plain -transport.kafka.hashing=true",
		"goflow2 -templates.json.path templates.json -templates.ttl 10m -loglevel error -transport.file $HOME/flows",
	)
	started := 0
	for _, source := range sources {
		out, err := exec.Command(filepath.Join(bin, "weir"), "check", "-goflow2", source).Output()
		if err != nil {
			t.Errorf("weir check -goflow2 %s: %v", source, err)
			continue
		}
		next := true // the first line, and the one that follows a place
		for line := range strings.Lines(string(out)) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case strings.HasPrefix(line, "# "):
				next = true
			case next:
				next = false
				started++
				t.Run(line, func(t *testing.T) { start(t, bin, line) })
			}
		}
	}
	if started < 16 {
		t.Errorf("%d lines started", started)
	}
}

// start starts a line and waits until weir tells that it is ready.
func start(t *testing.T, bin, line string) {
	dir := t.TempDir()
	asn := mmdbtest.WriteASN(filepath.Join(dir, "asn.mmdb"), map[string]uint32{"10.0.0.0/8": 64512})
	country := mmdbtest.WriteCountry(filepath.Join(dir, "country.mmdb"), map[string]string{"10.0.0.0/8": "DE"})
	if err := errors.Join(asn, country); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mapping.yaml"), []byte("formatter: {fields: [bytes, src_addr]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	var log bytes.Buffer
	cmd := exec.Command("unshare", "-n", "sh", "-c", "ip link set lo up && exec sh -c \"$1\"", "sh", line)
	cmd.Dir, cmd.Stderr = dir, &log
	cmd.Env = []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "STATE_DIRECTORY=" + dir, "KAFKA_SASL_USER=u", "KAFKA_SASL_PASS=p",
		"NOTIFY_SOCKET=" + filepath.Join(dir, "notify"),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, _ = bufio.NewReader(stdout).WriteTo(&bytes.Buffer{}) // until the line ends
		ended <- cmd.Wait()
	}()
	ready := make(chan error, 1)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := notify.Read(buf)
			if err != nil || bytes.Contains(buf[:n], []byte("READY=1")) {
				ready <- err
				return
			}
		}
	}()
	select {
	case err := <-ready:
		if err != nil {
			t.Error(err)
		}
	case err := <-ended:
		t.Fatalf("ended with %v\n%s", err, log.String())
	case <-time.After(time.Minute):
		t.Error("weir is not ready after a minute")
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := <-ended; err != nil && !(errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled()) {
		t.Errorf("ends with %v", err)
	}
	if strings.Contains(log.String(), "weir: ") || strings.Contains(log.String(), "enricher: ") {
		t.Errorf("refused something:\n%s", log.String())
	}
}
