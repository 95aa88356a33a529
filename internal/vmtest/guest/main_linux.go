// Command guest is the first process of a virtual machine of package vmtest: it
// makes the machine ready, does the steps that the kernel's command line asks for,
// reports them over the second serial port, and switches the machine off.
//
// Parameters: weir.driver (the card under test), weir.do (scenario, tests, or both
// with a comma; or systemd), weir.steps (steps of the scenario, all if it is missing),
// weir.expect (the least mode that attach accepts). If it fails before the steps,
// it says so on the console and leaves all reports out.
//
// With weir.do=systemd it gives way to the systemd of the first disk, whose unit
// weir-vmtest.service starts this program again to do the steps there.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/vmtest"
)

// reportPort is where reports go.
const reportPort = "/dev/ttyS1"

func main() {
	if err := run(); err != nil {
		fmt.Printf("%s%v\n", vmtest.Console, err)
	}
	unix.Sync()
	time.Sleep(100 * time.Millisecond) // for the console
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // QEMU ends by this too
}

func run() error {
	if os.Getpid() != 1 {
		return asService()
	}
	if err := mounts(); err != nil {
		return err
	}
	if err := environment(); err != nil {
		return err
	}
	params, err := parameters()
	if err != nil {
		return err
	}
	if err := loadModules("/modules"); err != nil {
		return err
	}
	if params["weir.do"] == "systemd" {
		return switchRoot()
	}
	port, err := openPort(reportPort)
	if err != nil {
		return err
	}
	defer port.Close()
	for _, what := range strings.Split(params["weir.do"], ",") {
		switch what {
		case "scenario":
			steps := vmtest.Scenario
			if some := params["weir.steps"]; some != "" {
				steps = strings.Split(some, ",")
			}
			if err := scenario(port, steps, doing, params["weir.driver"], params["weir.expect"]); err != nil {
				return fmt.Errorf("scenario: %w", err)
			}
		case "tests":
			if err := packages(port); err != nil {
				return fmt.Errorf("tests: %w", err)
			}
		default:
			return fmt.Errorf("weir.do=%s: want scenario or tests", what)
		}
	}
	return vmtest.Report{}.Write(port)
}

// mounts mounts what a root has. The folders are in the image.
func mounts() error {
	var faults []error
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"}, {"bpf", "/sys/fs/bpf"},
	} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			faults = append(faults, fmt.Errorf("mount %s: %w", m.at, err))
		}
	}
	return errors.Join(faults...)
}

// environment sets what tests and programs look for.
func environment() error {
	os.Clearenv()
	var faults []error
	for name, value := range map[string]string{
		"PATH": "/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LC_ALL": "C", "TZ": "UTC",
		"CI": "true", // no test is left out for want of rights
	} {
		faults = append(faults, os.Setenv(name, value))
	}
	return errors.Join(faults...)
}

// parameters returns the kernel's command line. A plus stands for a space.
func parameters() (map[string]string, error) {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, fmt.Errorf("read command line: %w", err)
	}
	params := map[string]string{}
	for _, word := range strings.Fields(string(text)) {
		if name, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(name, "weir.") {
			params[name] = strings.ReplaceAll(value, "+", " ")
		}
	}
	return params, nil
}

// openPort opens a serial port that passes on every byte as it is.
func openPort(name string) (*os.File, error) {
	port, err := os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open report port: %w", err)
	}
	fd := int(port.Fd())
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("open report port: %w", err)
	}
	settings.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, settings); err != nil {
		return nil, fmt.Errorf("open report port: %w", err)
	}
	return port, nil
}

// loadModules loads all modules of a folder in the order of their names.
func loadModules(folder string) error {
	files, err := filepath.Glob(folder + "/*.ko")
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, name := range files {
		module, err := os.Open(name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(module.Fd()), "", 0)
		module.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load module %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}
