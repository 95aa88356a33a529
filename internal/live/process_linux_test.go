package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/testnet"
	"github.com/weirflow/weir/internal/weirtest"
)

// patience is how long anything that must happen may take. Tests do not wait for
// it unless they fail, so that it is long enough for a machine with a load of ten a CPU.
const patience = time.Minute

// stopLimit is how long a stop may take in tests: the 4.5 s that weir gives itself, and
// more for a busy machine. A stop that waits for its output without a deadline takes
// longer than patience.
const stopLimit = 15 * time.Second

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// text is what a program writes while it runs. Any goroutine may use it.
type text struct{ weirtest.Output }

// count returns how many lines hold s.
func (b *text) count(s string) int {
	n := 0
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, s) {
			n++
		}
	}
	return n
}

// child is a program that runs in the background. The test ends it.
type child struct {
	t    *testing.T
	cmd  *testnet.Cmd
	name string
	out  text          // standard error, and standard output unless it was set
	done chan struct{} // closed when it has ended
}

// startChild starts cmd, whose output goes to child.out unless it was set.
func startChild(t *testing.T, cmd *testnet.Cmd) *child {
	t.Helper()
	c := &child{t: t, cmd: cmd, name: filepath.Base(cmd.Path), done: make(chan struct{})}
	// A group of its own, so that what it forks ends with it.
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.WaitDelay = time.Second
	cmd.Stderr = &c.out
	if cmd.Stdout == nil {
		cmd.Stdout = &c.out
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", c.name, err)
	}
	go func() {
		defer close(c.done)
		_ = cmd.Wait() // the code is in ProcessState
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-c.pid(), syscall.SIGKILL) // an error says that all have ended
		<-c.done
		if t.Failed() {
			t.Logf("%s wrote:\n%s", c.name, c.out.String())
		}
	})
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) signal(s os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatalf("signal %s: %v", c.name, err)
	}
}

// hold stops the program and returns when each of its threads has stopped, which
// is some time after the signal on a busy machine.
func (c *child) hold() {
	c.t.Helper()
	c.signal(syscall.SIGSTOP)
	eventually(c.t, "all threads of "+c.name+" are stopped", func() bool {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", c.pid()))
		if err != nil || len(stats) == 0 {
			c.t.Fatalf("no threads of %s to look at: %v", c.name, err)
		}
		for _, name := range stats {
			line, err := os.ReadFile(name)
			if err != nil {
				return false // it ended meanwhile
			}
			// The state follows the name, which is in parentheses and may hold any of them.
			if i := bytes.LastIndexByte(line, ')'); !bytes.HasPrefix(line[i+1:], []byte(" T")) {
				return false
			}
		}
		return true
	})
}

func (c *child) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// waitEnd waits for the end of the program and returns its exit code, -1 if a
// signal ended it, and how long it took.
func (c *child) waitEnd() (code int, took time.Duration) {
	c.t.Helper()
	began := time.Now()
	select {
	case <-c.done:
	case <-time.After(patience):
		c.t.Fatalf("%s does not end", c.name)
	}
	return c.cmd.ProcessState.ExitCode(), time.Since(began)
}

// waitFor waits until the program has written s.
func (c *child) waitFor(s string) {
	c.t.Helper()
	eventually(c.t, c.name+" writes "+s, func() bool {
		return strings.Contains(c.out.String(), s) || !c.running()
	})
	if !strings.Contains(c.out.String(), s) {
		c.t.Fatalf("%s ended and never wrote %q", c.name, s)
	}
}

// environment is what programs get of this one's: no variable of weir's.
func environment(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/", "LC_ALL=C", "TZ=UTC"}, more...)
}

// weirCommand prepares weir to run on a host.
func weirCommand(host *testnet.Host, args ...string) *testnet.Cmd {
	cmd := host.Command(context.Background(), program, args...)
	cmd.Env = environment()
	return cmd
}

// weir is a running collector.
type weir struct {
	*child
	host *testnet.Host
	file string // the output
}

// startWeir starts a collector that listens for everything on port 2055, serves
// metrics on port 8080 and writes JSON lines to a file, unless args say
// otherwise: the last one of a flag counts. It returns when weir receives.
func startWeir(t *testing.T, host *testnet.Host, args ...string) *weir {
	t.Helper()
	file := filepath.Join(t.TempDir(), "flows.json")
	return startWeirTo(t, host, file, args...)
}

// startWeirTo is startWeir with a file to write to.
func startWeirTo(t *testing.T, host *testnet.Host, file string, args ...string) *weir {
	t.Helper()
	all := append([]string{"-listen", "flow://:2055", "-transport.file", file, "-batch.linger", "20ms"}, args...)
	return startWeirCommand(t, host, file, weirCommand(host, all...))
}

func startWeirCommand(t *testing.T, host *testnet.Host, file string, cmd *testnet.Cmd) *weir {
	t.Helper()
	w := &weir{child: startChild(t, cmd), host: host, file: file}
	w.waitFor("serving http")
	return w
}

// stop ends weir by SIGTERM, which must be a success. How long a stop takes has tests of
// its own.
func (w *weir) stop() {
	w.t.Helper()
	w.signal(syscall.SIGTERM)
	if code, took := w.waitEnd(); code != 0 {
		w.t.Fatalf("stopped by SIGTERM with code %d after %v, want 0", code, took)
	}
}

// runWeir runs weir to its end and returns its exit code and output.
func runWeir(t *testing.T, cmd *testnet.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start weir: %v", err)
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run weir: %v", err)
	}
	if ctx.Err() != nil {
		t.Fatalf("weir %v does not end:\n%s", cmd.Args[1:], errs.String())
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// runOn runs a program on a host, which must succeed, and returns its output.
func runOn(t *testing.T, host *testnet.Host, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := host.Command(ctx, name, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
