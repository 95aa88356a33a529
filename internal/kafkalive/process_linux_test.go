package kafkalive

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/internal/weirtest"
)

// patience is how long anything that must happen may take. Tests do not wait for
// it unless they fail.
const patience = 30 * time.Second

func eventually(t *testing.T, what string, limit time.Duration, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// start starts a command on a host, or here if that is nil.
func start(host *testnet.Host, cmd *exec.Cmd) error {
	if host == nil {
		return cmd.Start()
	}
	return host.Do(cmd.Start)
}

// weir is a running collector.
type weir struct {
	t      *testing.T
	host   *testnet.Host // nil: this one
	cmd    *exec.Cmd
	log    weirtest.Output
	done   chan struct{}
	listen string // address of the socket
	web    string // address of the web server
	client http.Client

	memoryPeak uint64 // as settled found it
}

// startWeir starts weir and returns when it receives. It listens on a free port
// of 127.0.0.1 unless args say otherwise.
func startWeir(t *testing.T, host *testnet.Host, env []string, args ...string) *weir {
	t.Helper()
	args = append([]string{"-listen", "flow://127.0.0.1:0", "-receive.buffer", "256MiB", "-addr", "127.0.0.1:0",
		"-format", "bin", "-transport", "kafka"}, args...)
	w := &weir{t: t, host: host, cmd: exec.Command(weirProgram, args...), done: make(chan struct{})}
	w.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/", "LC_ALL=C", "TZ=UTC"}, env...)
	w.cmd.Stderr = &w.log
	if err := start(host, w.cmd); err != nil {
		t.Fatalf("start weir: %v", err)
	}
	go func() {
		defer close(w.done)
		_ = w.cmd.Wait() // the code is in ProcessState
	}()
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill() // an error says that it has ended
		<-w.done
		w.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("weir %v wrote:\n%s", args, w.log.String())
		}
	})
	w.listen = w.find(`msg=listening .*address=(\S+)`)
	w.web = w.find(`msg="serving http" address=(\S+)`)
	w.client.Timeout = 5 * time.Second
	w.client.Transport = &http.Transport{DialContext: func(_ context.Context, network, address string) (conn net.Conn, err error) {
		return dial(host, network, address)
	}}
	return w
}

func dial(host *testnet.Host, network, address string) (conn net.Conn, err error) {
	if host == nil {
		return net.DialTimeout(network, address, patience)
	}
	err = host.Do(func() (err error) {
		conn, err = net.DialTimeout(network, address, patience)
		return err
	})
	return conn, err
}

// find waits for a line of the log and returns what the group matches.
func (w *weir) find(pattern string) string {
	w.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	eventually(w.t, "weir writes "+pattern, patience, func() bool {
		found = re.FindStringSubmatch(w.log.String())
		return found != nil || !w.running()
	})
	if found == nil {
		w.t.Fatalf("weir ended and never wrote %q", pattern)
	}
	return found[len(found)-1]
}

func (w *weir) running() bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// kill ends weir by SIGKILL.
func (w *weir) kill() {
	_ = w.cmd.Process.Kill() // an error says that it has ended
	<-w.done
}

// stop ends weir by SIGTERM, which must take less than five seconds and be a
// success.
func (w *weir) stop() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatalf("stop weir: %v", err)
	}
	began := time.Now()
	select {
	case <-w.done:
	case <-time.After(patience):
		w.t.Fatal("weir does not end")
	}
	if code := w.cmd.ProcessState.ExitCode(); code != 0 || time.Since(began) > 6*time.Second {
		w.t.Errorf("stopped by SIGTERM with code %d after %v, want 0 within 5s", code, time.Since(began))
	}
}

// metrics are series and their values, without the prefix weir_.
type metrics map[string]float64

// scrape reads the metrics; it returns nil if weir does not answer.
func (w *weir) scrape() metrics {
	answer, err := w.client.Get("http://" + w.web + "/metrics")
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil
	}
	m := metrics{}
	for line := range strings.Lines(string(body)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "weir_")
		at := strings.LastIndexByte(name, ' ')
		if !ok || at < 0 {
			continue
		}
		if v, err := strconv.ParseFloat(name[at+1:], 64); err == nil {
			m[name[:at]] = v
		}
	}
	return m
}

// sum adds up all series that begin so.
func (m metrics) sum(prefix string) (n uint64) {
	for name, v := range m {
		if strings.HasPrefix(name, prefix) {
			n += uint64(v)
		}
	}
	return n
}

func (m metrics) get(name string) uint64 { return uint64(m[name]) }

// memory returns a value of weir's /proc/PID/status in bytes: VmRSS, VmHWM.
func (w *weir) memory(name string) uint64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			var kb uint64
			if _, err := fmt.Sscan(rest, &kb); err == nil {
				return kb << 10
			}
		}
	}
	return 0
}

// sent is gen's summary.
type sent struct {
	Datagrams uint64  `json:"datagrams"`
	Records   uint64  `json:"records"`
	FirstID   uint64  `json:"first_id"`
	NextID    uint64  `json:"next_id"`
	Skipped   uint64  `json:"skipped"`
	Seconds   float64 `json:"seconds"`
}

// gen is a running generator of load.
type gen struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer
	errs weirtest.Output
}

// startGen has NetFlow v9 flows with numbers sent to an address.
func startGen(t *testing.T, host *testnet.Host, to string, args ...string) *gen {
	t.Helper()
	args = append([]string{"-workload", "nf9", "-exporters", "16", "-ids", "-quiet", "-to", to}, args...)
	g := &gen{t: t, cmd: exec.Command(genProgram, args...)}
	g.cmd.Stdout, g.cmd.Stderr = &g.out, &g.errs
	if err := start(host, g.cmd); err != nil {
		t.Fatalf("start gen: %v", err)
	}
	t.Cleanup(func() { _ = g.cmd.Process.Kill() }) // an error says that it has ended
	return g
}

// end waits for the generator and returns what it sent.
func (g *gen) end() sent {
	g.t.Helper()
	if err := g.cmd.Wait(); err != nil {
		g.t.Fatalf("gen: %v: %s", err, g.errs.String())
	}
	var s sent
	if err := json.Unmarshal(g.out.Bytes(), &s); err != nil {
		g.t.Fatalf("gen wrote %q: %v", g.out.String(), err)
	}
	return s
}
