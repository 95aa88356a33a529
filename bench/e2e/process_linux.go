package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child of ours.
type process struct {
	cmd *exec.Cmd
	err bytes.Buffer
}

// start runs a command in a process group of its own, so that a signal to us is
// not one to it.
func start(args []string, prepare func(*exec.Cmd)) (*process, error) {
	p := &process{cmd: exec.Command(args[0], args[1:]...)}
	p.cmd.Stderr = &p.err
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if prepare != nil {
		prepare(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	return p, nil
}

// stop asks the process to end, and makes it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(6 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// pid returns the process that works: a child of `ip netns exec` replaces it, so
// it is the one that was started.
func (p *process) pid() int { return p.cmd.Process.Pid }

// ticksPerSecond is USER_HZ, which is 100 on all Linux systems of today.
const ticksPerSecond = 100

// cpu returns the CPU time that the process has used, its threads together, by
// their schedstat where the kernel has it, which counts in nanoseconds.
func (p *process) cpu() time.Duration {
	dir := fmt.Sprintf("/proc/%d/task", p.pid())
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	total := time.Duration(0)
	for _, t := range tasks {
		text, err := os.ReadFile(dir + "/" + t.Name() + "/schedstat")
		if err != nil {
			return p.ticks()
		}
		ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		total += time.Duration(ns)
	}
	return total
}

// ticks is cpu by the accounting that all kernels have.
func (p *process) ticks() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid()))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond
}

// rss returns the resident memory in bytes.
func (p *process) rss() int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// socketDrops returns what the kernel dropped at sockets of the port, in the
// namespace of the process.
func (p *process) socketDrops(port int) int64 {
	drops := int64(0)
	for _, name := range []string{"udp", "udp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", p.pid(), name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 13 {
				continue
			}
			_, at, ok := strings.Cut(f[1], ":")
			raw, err := hex.DecodeString(at)
			if !ok || err != nil || len(raw) != 2 || int(binary.BigEndian.Uint16(raw)) != port {
				continue
			}
			n, _ := strconv.ParseInt(f[len(f)-1], 10, 64)
			drops += n
		}
	}
	return drops
}
