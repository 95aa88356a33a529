package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/weirflow/weir/internal/weirtest"
)

const (
	weirProgram = "/bin/weir"
	flowsFile   = "/tmp/flows.json"
	firstAddr   = "127.0.0.1:8080"
	secondAddr  = "127.0.0.1:8081"
)

// weir is a running collector.
type weir struct {
	cmd  *exec.Cmd
	addr string // of its web server
	log  weirtest.Output
	done chan struct{} // closed when it has ended
}

// startWeir starts a collector and waits until it serves its metrics and has a mode.
func startWeir(addr string, listenPort int, file string, args ...string) (*weir, error) {
	all := append([]string{
		"-listen", fmt.Sprintf("flow://:%d", listenPort), "-addr", addr, "-transport.file", file, "-batch.linger", "20ms",
		"-xdp.interface", nic, "-xdp.workers", "2",
	}, args...)
	w := &weir{cmd: exec.Command(weirProgram, all...), addr: addr, done: make(chan struct{})}
	w.cmd.Stdout, w.cmd.Stderr = &w.log, &w.log
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start weir: %w", err)
	}
	go func() {
		defer close(w.done)
		_ = w.cmd.Wait() // the code is in ProcessState
	}()
	serving := eventually(func() bool {
		if !w.running() {
			return true
		}
		m, err := w.scrape()
		return err == nil && m.mode() != ""
	})
	if !w.running() {
		return nil, fmt.Errorf("weir ended at its start with code %d: %s", w.cmd.ProcessState.ExitCode(), tail(w.log.String()))
	}
	if !serving {
		_ = w.cmd.Process.Kill()
		return nil, fmt.Errorf("weir does not serve metrics with a mode of the card: %s", tail(w.log.String()))
	}
	return w, nil
}

func (w *weir) running() bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// end signals weir and waits for its end; the code is -1 after a signal that kills.
func (w *weir) end(s syscall.Signal) (code int, err error) {
	if err := w.cmd.Process.Signal(s); err != nil {
		return 0, fmt.Errorf("signal weir: %w", err)
	}
	select {
	case <-w.done:
		return w.cmd.ProcessState.ExitCode(), nil
	case <-time.After(patience):
		_ = w.cmd.Process.Kill()
		return 0, fmt.Errorf("weir does not end by %v", s)
	}
}

// tail is the end of a log.
func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// metrics are the samples of one page, by name with labels as exported.
type metrics map[string]float64

func (w *weir) scrape() (metrics, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + w.addr + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return weirtest.ParseMetrics(string(text))
}

func (m metrics) sum(name string, labels ...string) int { return int(weirtest.Sum(m, name, labels...)) }

// mode is the mode in force of the card, "" if weir states none or several.
func (m metrics) mode() string { return weirtest.Mode(m, nic) }

// paths is what was received by AF_XDP and over the sockets.
func (m metrics) paths() (xdp, udp int) {
	return m.sum("datagrams_received_total", `path="xdp"`), m.sum("datagrams_received_total", `path="udp"`)
}

// unbalanced returns the sums of the ledger that do not hold on this page.
func (m metrics) unbalanced() (wrong []string) {
	equal := func(what string, a int, other string, b int) {
		if a != b {
			wrong = append(wrong, fmt.Sprintf("%d %s, %d %s", a, what, b, other))
		}
	}
	equal("datagrams received", m.sum("datagrams_received_total"),
		"by outcome, and held", m.sum("datagrams_total")+m.sum("datagrams_held"))
	xdp, _ := m.paths()
	equal("frames redirected", m.sum("xdp_verdicts_total", `"redirect"`), "received by xdp, and dropped", xdp+m.sum("xdp_dropped_total"))
	equal("records produced", m.sum("records_produced_total"),
		"acknowledged, dropped and in flight", m.sum("records_sink_total")+m.sum("records_in_flight"))
	return wrong
}

// lost is what weir says that was lost anywhere.
func (m metrics) lost() int {
	return m.sum("xdp_dropped_total") + m.sum("socket_dropped_total") + m.sum("records_dropped_total") +
		m.sum("datagrams_total", `outcome="failed"`) + m.sum("datagrams_total", `outcome="dropped"`)
}

// countLines counts the flows in a file.
func countLines(name string) (int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, fmt.Errorf("count flows: %w", err)
	}
	return bytes.Count(text, []byte("\n")), nil
}
