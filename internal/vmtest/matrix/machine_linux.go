package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirflow/weir/internal/vmtest"
)

// build makes the programs of the guest and returns their folder.
func build(ctx context.Context, o options) (string, error) {
	folder := filepath.Join(o.work, "programs")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "building the programs")
	commands := [][]string{{"build", "-ldflags", "-s -w", "-o", folder + "/guest", "./internal/vmtest/guest"}}
	if o.weir == "" {
		commands = append(commands, []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", folder + "/weir", "./cmd/weir"})
	} else if err := copyFile(o.weir, folder+"/weir"); err != nil {
		return "", err
	}
	for _, name := range vmtest.Packages {
		commands = append(commands, []string{"test", "-c", "-ldflags", "-s -w", "-o", folder + "/" + name + ".test", "./" + name})
	}
	for _, args := range commands {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
		}
	}
	return folder, nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o755)
}

// prepare fetches a kernel and makes its image.
func prepare(ctx context.Context, o options, kernel, programs string) (folder, image string, err error) {
	if folder, err = script(ctx, o, "packages.sh", "kernel", kernel); err != nil {
		return "", "", err
	}
	image = filepath.Join(o.work, "image-"+kernel)
	_, err = script(ctx, o, "image.sh", folder, programs, image)
	return folder, image, err
}

// script runs one of the scripts and returns what it prints.
func script(ctx context.Context, o options, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(o.scripts, name), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// qemuRoot is the root of the system whose QEMU has the card, "" for this one's.
func (o *options) qemuRoot(ctx context.Context, card string) (string, error) {
	if card != "igb" {
		return "", nil
	}
	out, err := exec.CommandContext(ctx, "qemu-system-x86_64", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("qemu-system-x86_64: %w", err)
	}
	if major(string(out)) >= 8 {
		return "", nil
	}
	return script(ctx, *o, "packages.sh", "qemu")
}

var versionNumber = regexp.MustCompile(`version (\d+)`)

func major(version string) int {
	found := versionNumber.FindStringSubmatch(version)
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1]) // digits
	return n
}

// machine is what one machine is made of.
type machine struct {
	kernel, card  string
	folder, image string // of the kernel
	root          string // of the system whose QEMU is used; empty is this one's
	disk          string // made from the suite's root; empty without systemd
	logs          string
}

// fetch fetches what else a machine needs, with a disk of its own.
func (o *options) fetch(ctx context.Context, m *machine, programs string) (err error) {
	if m.root, err = o.qemuRoot(ctx, m.card); err != nil || !o.systemd {
		return err
	}
	system, err := script(ctx, *o, "packages.sh", "system", m.kernel)
	if err != nil {
		return err
	}
	m.disk = filepath.Join(o.work, "disk-"+m.kernel+"-"+m.card)
	_, err = script(ctx, *o, "disk.sh", system, programs, m.disk)
	return err
}

// machine boots one machine and reads its reports. All that goes wrong is a failed
// step of the row.
func (o *options) machine(ctx context.Context, m machine) row {
	release, _ := os.ReadFile(filepath.Join(m.folder, "release"))
	r := row{Kernel: m.kernel, Release: strings.TrimSpace(string(release)), Card: m.card}
	var steps, do []string
	m.logs = filepath.Join(o.work, m.kernel+"-"+m.card)
	if len(o.steps) > 0 {
		do, steps = append(do, "scenario"), append(steps, o.steps...)
	}
	if o.tests && m.card == testCard {
		do, steps = append(do, "tests"), append(steps, vmtest.Packages...)
	}
	if o.systemd {
		do, steps = []string{"systemd"}, vmtest.Systemd
		m.logs += "-systemd"
	}
	began := time.Now()
	var said strings.Builder // at once at the end: machines run side by side
	fmt.Fprintf(&said, "%s (%s), %s\n", r.Release, m.kernel, m.card)
	text, readErr := os.ReadFile(filepath.Join(m.logs, "reports"))
	reports, ended := vmtest.Read(bytes.NewReader(text), steps)
	var err error
	if !o.resume || !ended {
		err = o.boot(ctx, m,
			"weir.driver="+m.card, "weir.do="+strings.Join(do, ","), "weir.expect="+expected(m.kernel, m.card),
			"weir.steps="+strings.ReplaceAll(strings.Join(o.steps, ","), " ", "+"))
		text, readErr = os.ReadFile(filepath.Join(m.logs, "reports"))
		reports, ended = vmtest.Read(bytes.NewReader(text), steps)
	}
	r.Reports = reports
	if !ended || err != nil || readErr != nil {
		r.Broken = fmt.Sprintf("the machine did not come to its end: %s", why(err, readErr, filepath.Join(m.logs, "console")))
	}
	for _, one := range reports {
		if one.Result != vmtest.OK {
			fmt.Fprintf(&said, "  %s: %s: %s\n", one.Step, one.Result, one.Text)
		}
		if one.Note != "" {
			fmt.Fprintf(&said, "  %s: note: %s\n", one.Step, one.Note)
		}
		if one.Result == vmtest.Failed && one.Log != "" {
			name := filepath.Join(m.logs, strings.NewReplacer(" ", "", "/", "").Replace(one.Step)+".log")
			if err := os.WriteFile(name, []byte(one.Log), 0o644); err == nil {
				fmt.Fprintf(&said, "    see %s\n", name)
			}
		}
	}
	if r.Broken != "" {
		fmt.Fprintln(&said, "  "+r.Broken)
	}
	fmt.Fprintf(&said, "  %.0f s\n", time.Since(began).Seconds())
	fmt.Fprint(os.Stderr, said.String())
	return r
}

// boot runs the machine until it is switched off.
func (o *options) boot(ctx context.Context, m machine, params ...string) error {
	if err := os.RemoveAll(m.logs); err != nil {
		return err
	}
	if err := os.MkdirAll(m.logs, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(o.scripts, "boot.sh"), slices.Concat([]string{m.folder, m.image, m.card, m.logs}, params)...)
	cmd.Env = append(os.Environ(), "QEMU_ROOT="+m.root, "DISK="+m.disk)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("not done after %v", o.limit)
		}
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(out.String()))
	}
	return nil
}

// why explains a machine that ended too early.
func why(boot, read error, console string) string {
	var parts []string
	for _, err := range []error{boot, read} {
		if err != nil {
			parts = append(parts, err.Error())
		}
	}
	text, _ := os.ReadFile(console) // what is not there says nothing
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	parts = append(parts, lines[max(0, len(lines)-6):]...)
	return strings.Join(parts, "; ")
}

// host describes this machine.
func host() string {
	model := "unknown CPU"
	text, _ := os.ReadFile("/proc/cpuinfo") // the line is for the reader only
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("host: %d CPUs (%s), QEMU by TCG", runtime.NumCPU(), model)
}
