package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/vmtest"
)

const (
	unit = "weir.service"
	// serviceFlows is where the configuration in the image has flows written.
	serviceFlows = "/var/log/weir/flows.json"
)

// switchRoot gives way to the init of the first disk.
func switchRoot() error {
	if !eventually(func() bool { _, err := os.Stat("/dev/vda"); return err == nil }) {
		return errors.New("no disk")
	}
	const root = "/run/root"
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("/dev/vda", root, "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount root: %w", err)
	}
	for _, name := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(name, root+name, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", name, err)
		}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"})
}

// asService does the steps under systemd. The machine is switched off after it.
func asService() error {
	if err := os.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"); err != nil {
		return err
	}
	params, err := parameters()
	if err != nil {
		return err
	}
	port, err := openPort(reportPort)
	if err != nil {
		return err
	}
	defer port.Close()
	if err := scenario(port, vmtest.Systemd, serviceSteps, params["weir.driver"], params["weir.expect"]); err != nil {
		return err
	}
	return vmtest.Report{}.Write(port)
}

var serviceSteps = map[string]func(*lab) (string, error){
	"system":  (*lab).system,
	"unit":    (*lab).unitActive,
	"rights":  (*lab).rights,
	"receive": (*lab).receive,
	"reload":  (*lab).unitReload,
	"restart": (*lab).unitRestart,
	"kill -9": (*lab).unitKill,
	"stop":    (*lab).unitStop,
	"ledger":  (*lab).unitLedger,
	"dmesg":   (*lab).dmesg,
}

// systemctl runs systemctl, whose words are those of an error.
func systemctl(args ...string) (string, error) {
	out, err := command("systemctl", args...)
	if err != nil {
		return "", fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, oneLine(out))
	}
	return strings.TrimSpace(out), nil
}

// show is a property of the unit.
func show(property string) (string, error) {
	return systemctl("show", unit, "--value", "--property", property)
}

// system says what runs here. Its own unit is starting, which systemd counts.
func (l *lab) system() (string, error) {
	version, err := command("systemctl", "--version")
	if err != nil {
		return "", err
	}
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return "", err
	}
	failed, err := systemctl("list-units", "--failed", "--plain", "--no-legend")
	if err != nil {
		return "", err
	}
	if failed != "" {
		return "", fmt.Errorf("units failed: %s", oneLine(failed))
	}
	version, _, _ = strings.Cut(version, "\n")
	return unix.ByteSliceToString(kernel.Release[:]) + ", " + version, nil
}

// unitActive starts the unit as it was installed and waits until it captures.
func (l *lab) unitActive() (string, error) {
	l.weir = &weir{addr: firstAddr}
	if _, err := systemctl("start", unit); err != nil {
		return "", err
	}
	if err := l.captured(); err != nil {
		return "", err
	}
	return l.mode, nil
}

// captured waits until the unit is active and weir captures as expected.
func (l *lab) captured() error {
	var m metrics
	var err error
	if !eventually(func() bool {
		m, err = l.weir.scrape()
		return err == nil && slices.Index(ranks, m.mode()) >= slices.Index(ranks, l.expect)
	}) {
		journal, journalErr := command("journalctl", "--no-pager", "-o", "cat", "-u", unit, "-n", "40")
		return errors.Join(fmt.Errorf("not captured as %s: the mode is %q: %s", l.expect, m.mode(), reasons(journal)), err, journalErr)
	}
	l.mode = m.mode()
	state, err := show("ActiveState")
	if err == nil && state != "active" {
		err = fmt.Errorf("the unit is %s", state)
	}
	return errors.Join(err, carrier())
}

// granted are the capabilities of the drop-in.
const granted = 1<<unix.CAP_NET_RAW | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_BPF

// rights compares what the process may do with what the drop-in grants.
func (l *lab) rights() (string, error) {
	pid, err := show("MainPID")
	if err != nil {
		return "", err
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return "", err
	}
	seen := 0
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh":
			caps, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				return "", err
			}
			if more := caps &^ granted; more != 0 || name == "CapEff" && caps != granted {
				return "", fmt.Errorf("%s is %#x, the drop-in grants %#x", name, caps, uint64(granted))
			}
			seen++
		case "Uid":
			if strings.HasPrefix(value, "0") {
				return "", errors.New("weir runs as root")
			}
			seen++
		case "NoNewPrivs", "Seccomp":
			if value == "0" {
				return "", fmt.Errorf("%s is 0", name)
			}
			seen++
		}
	}
	if seen != 8 {
		return "", fmt.Errorf("only %d of 8 lines in the process's status", seen)
	}
	return "NET_RAW, NET_ADMIN, BPF and no more", nil
}

// unitReload reloads: the same process, which receives on.
func (l *lab) unitReload() (string, error) {
	before, err := show("MainPID")
	if err != nil {
		return "", err
	}
	if _, err := systemctl("reload", unit); err != nil {
		return "", err
	}
	time.Sleep(time.Second) // the signal is taken in the background
	after, err := show("MainPID")
	if err != nil {
		return "", err
	}
	if after != before {
		return "", fmt.Errorf("the process was %s and is %s", before, after)
	}
	return l.exact(2 * window)
}

// close adds what the running process has received to the ledger.
func (l *lab) close() error {
	m, err := l.settle()
	if err != nil {
		return err
	}
	l.lives++
	l.total += m.sum("datagrams_received_total")
	l.records += m.sum("records_sink_total", `outcome="acknowledged"`)
	return nil
}

// unitRestart restarts the unit.
func (l *lab) unitRestart() (string, error) {
	if err := l.close(); err != nil {
		return "", err
	}
	if _, err := systemctl("restart", unit); err != nil {
		return "", err
	}
	if err := l.captured(); err != nil {
		return "", err
	}
	return l.recover()
}

// unitKill kills the process; systemd starts it again.
func (l *lab) unitKill() (string, error) {
	if err := l.close(); err != nil {
		return "", err
	}
	before, err := show("MainPID")
	if err != nil {
		return "", err
	}
	if _, err := systemctl("kill", "--kill-whom=main", "--signal=KILL", unit); err != nil {
		return "", err
	}
	var now string
	if !eventually(func() bool {
		now, err = show("MainPID")
		return err == nil && now != before && now != "0"
	}) {
		return "", errors.Join(errors.New("not started again"), err)
	}
	if err := l.captured(); err != nil {
		return "", err
	}
	return l.recover()
}

// unitStop stops the unit, which leaves no program behind.
func (l *lab) unitStop() (string, error) {
	if err := l.close(); err != nil {
		return "", err
	}
	l.weir = nil
	if _, err := systemctl("stop", unit); err != nil {
		return "", err
	}
	result, err := show("Result")
	if err != nil {
		return "", err
	}
	status, err := show("ExecMainStatus")
	if err != nil {
		return "", err
	}
	if result != "success" || status != "0" {
		return "", fmt.Errorf("result %s, code %s", result, status)
	}
	return "success, code 0", unattached()
}

// unitLedger compares the file with what all lives have acknowledged.
func (l *lab) unitLedger() (string, error) {
	if len(l.gaps) > 0 {
		return "", errors.New(strings.Join(l.gaps, "; "))
	}
	lines, err := countLines(serviceFlows)
	if err != nil {
		return "", err
	}
	if lines == 0 || lines != l.records {
		return "", fmt.Errorf("%d lines, %d records acknowledged", lines, l.records)
	}
	return fmt.Sprintf("%d datagrams, %d records, %d lives", l.total, l.records, l.lives), nil
}
