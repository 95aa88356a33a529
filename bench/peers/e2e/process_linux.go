package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// group returns the processes of the collector: some fork.
func (p *process) group() []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
		if group, _ := strconv.Atoi(f[2]); group == p.pid() {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// cpu returns the CPU time that the collector has used: its threads together,
// by their schedstat, which counts in nanoseconds.
func (p *process) cpu() time.Duration {
	total := time.Duration(0)
	for _, pid := range p.group() {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, name := range tasks {
			text, err := os.ReadFile(name)
			if err != nil || len(text) == 0 {
				continue // it ended
			}
			ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
			total += time.Duration(ns)
		}
	}
	return total
}

// rss returns the resident memory in bytes, shared memory of ours once for each
// process.
func (p *process) rss() int64 {
	total := int64(0)
	for _, pid := range p.group() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				total += kb << 10
			}
		}
	}
	return total
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
