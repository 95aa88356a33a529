package app

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/internal/web"
)

// checkCommand says what this host and configuration would do. It leaves
// nothing behind: no file is made, no port stays open.
func checkCommand(env Env, args []string) int {
	if line, ok := goflow2Line(args); ok {
		return checkGoflow2(env, line)
	}
	cfg, err := config.Parse(args, env.Environ, env.Stderr)
	if err != nil {
		return fail(env, err)
	}
	if cfg.Version {
		fmt.Fprintln(env.Stdout, versionLine())
		return ExitOK
	}
	r := &report{w: env.Stdout}
	fmt.Fprintf(r.w, "%s\n\nConfiguration (name, value, where it comes from):\n\n%s\n", versionLine(), cfg.Render())
	for _, w := range cfg.Warnings {
		r.warn("configuration", w, "")
	}
	for _, n := range cfg.Notes {
		r.ok("configuration", n)
	}
	r.sockets(cfg)
	r.captures(cfg)
	r.databases(cfg)
	r.mapping(cfg)
	r.cpus(cfg)
	r.state(cfg)
	r.memory(cfg)
	r.output(cfg)
	r.http(cfg)
	r.host()
	return r.end()
}

// report is the list of findings.
type report struct {
	w               io.Writer
	warned, refused int
}

func (r *report) line(mark, what, finding, advice string) {
	fmt.Fprintf(r.w, "%-5s %-14s %s\n", mark, what, finding)
	if advice != "" {
		fmt.Fprintf(r.w, "%-5s %-14s -> %s\n", "", "", advice)
	}
}

func (r *report) ok(what, finding string) { r.line("ok", what, finding, "") }

func (r *report) warn(what, finding, advice string) {
	r.warned++
	r.line("warn", what, finding, advice)
}

func (r *report) refuse(what, finding, advice string) {
	r.refused++
	r.line("FAIL", what, finding, advice)
}

func (r *report) end() int {
	switch {
	case r.refused > 0:
		fmt.Fprintf(r.w, "\nweir would not start: %d to mend, %d warnings.\n", r.refused, r.warned)
		return ExitError
	case r.warned > 0:
		fmt.Fprintf(r.w, "\nweir would start: %d warnings.\n", r.warned)
	default:
		fmt.Fprintln(r.w, "\nweir would start.")
	}
	return ExitOK
}

// sockets opens and closes each listen address.
func (r *report) sockets(cfg *config.Config) {
	for _, l := range cfg.Listen {
		s, err := udp.Listen(udp.Config{Addr: l.Addr, ReceiveBuffer: cfg.ReceiveBuffer})
		if err != nil {
			var listen *udp.ListenError
			hint := ""
			if errors.As(err, &listen) {
				hint = listen.Hint
			}
			r.refuse("listen", fmt.Sprintf("%s: %v", l.RawURI, err), hint)
			continue
		}
		asked, granted := s.ReceiveBuffer()
		finding := fmt.Sprintf("%s: %s, %d sockets, receive buffer of %d KiB each", l.RawURI, s.LocalAddr(), l.Count, granted>>10)
		if granted < asked {
			r.warn("listen", fmt.Sprintf("%s of %d KiB asked", finding, asked>>10),
				fmt.Sprintf("sysctl -w net.core.rmem_max=%d, or give weir CAP_NET_ADMIN", asked))
		} else {
			r.ok("listen", finding)
		}
		if err := s.Close(); err != nil {
			r.warn("listen", fmt.Sprintf("%s: %v", l.RawURI, err), "")
		}
	}
}

// cpus compares the workers with the CPUs.
func (r *report) cpus(cfg *config.Config) {
	workers := 0
	for _, l := range cfg.Listen {
		workers += l.Count
	}
	n := runtime.NumCPU()
	finding := fmt.Sprintf("%d workers, %d CPUs for this process", workers, n)
	if workers > n {
		r.warn("cpu", finding, "more busy workers than CPUs get in each other's way: lower count")
	} else {
		r.ok("cpu", finding)
	}
	allowed := allowedCPUs()
	for _, cpu := range cfg.CPUPin {
		if allowed != nil && !allowed(cpu) {
			r.refuse("cpu", fmt.Sprintf("-cpu.pin: CPU %d is not there, or not for this process", cpu), "see taskset -p $$ and nproc --all")
		}
	}
}

// output checks that the output could be opened.
func (r *report) output(cfg *config.Config) {
	if cfg.Transport == "kafka" {
		r.kafka(cfg)
		return
	}
	path := cfg.TransportFile
	if path == "" {
		r.ok("output", "standard output")
		return
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		r.refuse("output", path+" is a directory", "name a file in it")
		return
	case err == nil:
		err = unix.Access(path, unix.W_OK)
	case errors.Is(err, os.ErrNotExist):
		err = unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK)
		if err == nil {
			path += " (to be made)"
		}
	}
	if err != nil {
		r.refuse("output", fmt.Sprintf("%s: %v", path, err), fmt.Sprintf("make the directory %s, writable for the user that weir runs as", filepath.Dir(cfg.TransportFile)))
		return
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(cfg.TransportFile), &fs); err != nil {
		r.warn("output", fmt.Sprintf("%s: free space unknown: %v", path, err), "")
		return
	}
	free := uint64(fs.Bavail) * uint64(fs.Bsize)
	finding := fmt.Sprintf("%s, %d MiB free", path, free>>20)
	if free < 1<<30 {
		r.warn("output", finding, "a backbone fills this soon: rotate and move files away, or give it more space")
	} else {
		r.ok("output", finding)
	}
}

func (r *report) http(cfg *config.Config) {
	if cfg.Addr == "" {
		r.warn("http", "no metrics, no health", "set -addr")
		return
	}
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		r.refuse("http", err.Error(), `choose another -addr, or -addr "" for none`)
		return
	}
	if cfg.AddrTokenFile != "" {
		if _, err := web.ReadToken(cfg.AddrTokenFile); err != nil {
			r.refuse("http", err.Error(), "put a token into it, such as from openssl rand -hex 32, and chmod it to 0600")
		}
	}
	r.ok("http", "http://"+l.Addr().String()+cfg.Goflow2.MetricsPath)
	_ = l.Close() // nobody has connected
}

// host reports limits of the host that a collector runs into.
func (r *report) host() {
	for _, s := range []struct {
		name string
		want int
		why  string
	}{
		{"net.core.rmem_max", 32 << 20, "bounds receive buffers of processes without CAP_NET_ADMIN"},
		{"net.core.netdev_max_backlog", 1000, "bounds the queue between network card and sockets"},
	} {
		value, err := readSysctl(s.name)
		if err != nil {
			continue // not a Linux host
		}
		finding := fmt.Sprintf("%s = %d (%s)", s.name, value, s.why)
		if value < s.want {
			r.warn("host", finding, fmt.Sprintf("sysctl -w %s=%d", s.name, s.want))
		} else {
			r.ok("host", finding)
		}
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err == nil {
		r.ok("host", fmt.Sprintf("%d open files allowed", lim.Cur))
	}
}

// readSysctl reads a number from /proc/sys.
func readSysctl(name string) (int, error) {
	text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return 0, fmt.Errorf("read sysctl %s: %w", name, err)
	}
	var n int
	if _, err := fmt.Sscan(string(text), &n); err != nil {
		return 0, fmt.Errorf("read sysctl %s: %w", name, err)
	}
	return n, nil
}
