package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
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
	r := &report{w: env.Stdout}
	cfg, err := config.Parse(r.ownFlags(args), env.Environ, env.Stderr, env.Outputs...)
	if err != nil {
		return fail(env, err)
	}
	if cfg.Version {
		fmt.Fprintln(env.Stdout, versionLine())
		return ExitOK
	}
	for _, w := range cfg.Warnings {
		r.Warn("configuration", w, "")
	}
	for _, n := range cfg.Notes {
		r.OK("configuration", n)
	}
	r.user()
	r.sockets(cfg)
	r.captures(cfg)
	r.databases(cfg)
	r.mapping(cfg)
	r.cpus(cfg)
	r.state(cfg)
	r.memory(cfg)
	cfg.Output().Check(cfg.Format, r)
	r.http(cfg)
	r.host()
	return r.end(cfg)
}

// report is the list of findings. It implements [output.Report].
type report struct {
	w                      io.Writer
	strict, json, defaults bool // -strict, -json, -defaults
	findings               []finding
	warned, refused        int
}

// A finding is what check found of a part of weir.
type finding struct {
	Severity string `json:"severity"` // "error", "warning" or "ok"
	Part     string `json:"part"`
	Finding  string `json:"finding"`
	Advice   string `json:"advice,omitempty"`
}

// severities are in the order of the report, with the marks of its lines.
var severities = []struct{ name, mark string }{{"error", "FAIL"}, {"warning", "warn"}, {"ok", "ok"}}

// ownFlags takes the flags of check alone out of the arguments.
func (r *report) ownFlags(args []string) (others []string) {
	own := map[string]*bool{"strict": &r.strict, "json": &r.json, "defaults": &r.defaults}
	for i, arg := range args {
		if arg == "--" {
			return append(others, args[i:]...)
		}
		if flag := own[strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")]; flag != nil && strings.HasPrefix(arg, "-") {
			*flag = true
			continue
		}
		others = append(others, arg)
	}
	return others
}

func (r *report) add(severity, part, text, advice string) {
	r.findings = append(r.findings, finding{severity, part, text, advice})
}

// OK adds a finding that is as it should be.
func (r *report) OK(what, finding string) { r.add("ok", what, finding, "") }

// Warn adds a finding with which weir would start.
func (r *report) Warn(what, finding, advice string) {
	r.warned++
	r.add("warning", what, finding, advice)
}

// Refuse adds a finding with which weir would not start.
func (r *report) Refuse(what, finding, advice string) {
	r.refused++
	r.add("error", what, finding, advice)
}

// countOf is a number of things, of which there may be one.
func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// end writes the report, the most serious findings first, and returns the exit code.
func (r *report) end(cfg *config.Config) int {
	slices.SortStableFunc(r.findings, func(a, b finding) int { return rankOf(a.Severity) - rankOf(b.Severity) })
	if r.json {
		r.writeJSON(cfg)
	} else {
		r.writeText(cfg)
	}
	if r.refused > 0 || r.strict && r.warned > 0 {
		return ExitError
	}
	return ExitOK
}

// rankOf is the place of a severity in severities.
func rankOf(severity string) int {
	for i, s := range severities {
		if s.name == severity {
			return i
		}
	}
	return len(severities)
}

func (r *report) writeText(cfg *config.Config) {
	fmt.Fprintf(r.w, "%s\n\n", versionLine())
	for _, f := range r.findings {
		fmt.Fprintf(r.w, "%-5s %-14s %s\n", severities[rankOf(f.Severity)].mark, f.Part, f.Finding)
		if f.Advice != "" {
			fmt.Fprintf(r.w, "%-5s %-14s -> %s\n", "", "", f.Advice)
		}
	}
	fmt.Fprintln(r.w)
	switch {
	case r.refused > 0:
		fmt.Fprintf(r.w, "weir would not start: %s, %s.\n", countOf(r.refused, "error"), countOf(r.warned, "warning"))
	case r.warned > 0 && r.strict:
		fmt.Fprintf(r.w, "weir would start: %s, which -strict does not accept.\n", countOf(r.warned, "warning"))
	case r.warned > 0:
		fmt.Fprintf(r.w, "weir would start: %s.\n", countOf(r.warned, "warning"))
	default:
		fmt.Fprintln(r.w, "weir would start.")
	}
	settings := r.settings(cfg)
	switch {
	case len(settings) > 0 && r.defaults:
		fmt.Fprintf(r.w, "\nConfiguration (name, value, where it comes from):\n\n%s", config.RenderSettings(settings))
	case len(settings) > 0:
		fmt.Fprintf(r.w, "\nConfiguration, without what is at its default (-defaults shows all):\n\n%s", config.RenderSettings(settings))
	default:
		fmt.Fprintln(r.w, "\nEvery option is at its default (-defaults shows all).")
	}
}

// settings returns the settings to show.
func (r *report) settings(cfg *config.Config) []config.Setting {
	all := cfg.Settings()
	if r.defaults {
		return all
	}
	return slices.DeleteFunc(all, func(s config.Setting) bool { return s.Source == "default" })
}

func (r *report) writeJSON(cfg *config.Config) {
	type setting struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Source string `json:"source"`
	}
	page := struct {
		Version       string    `json:"version"`
		WouldStart    bool      `json:"would_start"`
		Errors        int       `json:"errors"`
		Warnings      int       `json:"warnings"`
		Findings      []finding `json:"findings"`
		Configuration []setting `json:"configuration"`
	}{versionLine(), r.refused == 0, r.refused, r.warned, r.findings, []setting{}}
	for _, s := range r.settings(cfg) {
		page.Configuration = append(page.Configuration, setting{s.Name, s.Value, s.Source})
	}
	e := json.NewEncoder(r.w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(page) // to standard output: there is nobody to tell
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
			text := strings.TrimSuffix(err.Error(), ": "+hint) // said once, as the advice
			r.Refuse("listen", l.RawURI+": "+text, hint)
			continue
		}
		asked, granted := s.ReceiveBuffer()
		finding := fmt.Sprintf("%s: %s, %s, receive buffer of %d KiB each", l.RawURI, s.LocalAddr(), countOf(l.Count, "socket"), granted>>10)
		if granted < asked {
			r.Warn("listen", fmt.Sprintf("%s of %d KiB asked", finding, asked>>10),
				fmt.Sprintf("sysctl -w net.core.rmem_max=%d, or give weir CAP_NET_ADMIN", asked))
		} else {
			r.OK("listen", finding)
		}
		if err := s.Close(); err != nil {
			r.Warn("listen", fmt.Sprintf("%s: %v", l.RawURI, err), "")
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
	finding := fmt.Sprintf("%s, %s for this process", countOf(workers, "worker"), countOf(n, "CPU"))
	if workers > n {
		r.Warn("cpu", finding, "more busy workers than CPUs get in each other's way: lower count")
	} else {
		r.OK("cpu", finding)
	}
	for _, cpu := range cfg.CPUPin {
		if err := tryPin(cpu); err != nil {
			r.Warn("cpu", fmt.Sprintf("-cpu.pin: a worker would not be pinned to CPU %d: %v", cpu, err), "see nproc --all, and AllowedCPUs= of the unit or the container's cpuset")
		}
	}
}

func (r *report) http(cfg *config.Config) {
	if cfg.Addr == "" {
		r.Warn("http", "no metrics, no health", "set -addr")
		return
	}
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		r.Refuse("http", err.Error(), `choose another -addr, or -addr "" for none`)
		return
	}
	if cfg.WebConfigFile != "" {
		if err := web.ValidateConfig(cfg.WebConfigFile); err != nil {
			r.Refuse("http", err.Error(), "see https://prometheus.io/docs/prometheus/latest/configuration/https/")
		}
	}
	if cfg.AddrTokenFile != "" {
		if _, err := web.ReadToken(cfg.AddrTokenFile); err != nil {
			r.Refuse("http", err.Error(), "put a token into it, such as from openssl rand -hex 32, and chmod it to 0600")
		}
	}
	r.OK("http", "http://"+l.Addr().String()+cfg.Goflow2.MetricsPath)
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
			r.Warn("host", finding, fmt.Sprintf("sysctl -w %s=%d", s.name, s.want))
		} else {
			r.OK("host", finding)
		}
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err == nil {
		r.OK("host", fmt.Sprintf("%d open files allowed", lim.Cur))
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
