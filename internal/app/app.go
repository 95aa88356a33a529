package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/manual"
	"github.com/weirflow/weir/internal/manual/programs"
	"github.com/weirflow/weir/internal/metrics"
	"github.com/weirflow/weir/internal/probe"
	"github.com/weirflow/weir/internal/progress"
	"github.com/weirflow/weir/internal/top"
	"github.com/weirflow/weir/sink/output"
)

// Exit codes of weir.
const (
	ExitOK    = 0
	ExitError = 1 // something failed while running
	ExitUsage = 2 // the command line or the configuration is wrong
)

// Env is what a command needs of the process around it.
type Env struct {
	Args           []string // without the program's name
	Environ        []string // as os.Environ
	Stdout, Stderr io.Writer
	// Outputs are outputs that -transport may choose in addition to those of the registry.
	Outputs []output.Kind
}

// Main runs the command that the arguments name and returns the exit code.
func Main(env Env) int {
	command, args := "", env.Args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if (command == "reload" || command == "xdp" || command == "completion") && asksHelp(args) {
		command = "help"
	}
	switch command {
	case "", "run":
		return runCommand(env, args)
	case "decode":
		return decodeCommand(env, args)
	case "check":
		return checkCommand(env, args)
	case "xdp":
		return xdpCommand(env, args)
	case "reload":
		return reloadCommand(env, args)
	case "top":
		return topCommand(env, args)
	case "health":
		return healthCommand(env, args)
	case "help":
		return helpCommand(env, args)
	case "completion":
		return completionCommand(env, args)
	case "version":
		fmt.Fprintln(env.Stdout, versionLine())
		return ExitOK
	}
	fmt.Fprintf(env.Stderr, "weir: unknown command %q: want %s (weir help explains each)\n", command, programs.Names())
	return ExitUsage
}

// asksHelp reports whether the arguments of a command without flags ask for help.
func asksHelp(args []string) bool {
	return len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0])
}

func helpCommand(env Env, args []string) int {
	if len(args) == 0 || asksHelp(args) {
		fmt.Fprint(env.Stdout, programs.Help())
		return ExitOK
	}
	switch args[0] {
	case "run", "decode", "check", "top", "health":
		env.Stderr = env.Stdout
		env.Args = []string{args[0], "-h"}
		return Main(env)
	case "help", "version", "xdp", "reload", "completion":
		fmt.Fprint(env.Stdout, programs.Help())
		return ExitOK
	}
	text, ok := config.WeirTable().Explain(args[0])
	if !ok {
		fmt.Fprintf(env.Stderr, "weir: no help on %q: %s (weir help lists the commands, weir -h the options)\n", args[0], text)
		return ExitUsage
	}
	fmt.Fprint(env.Stdout, text)
	return ExitOK
}

// topCommand shows a running weir.
func topCommand(env Env, args []string) int {
	o, err := top.Parse(args, env.Environ, env.Stderr)
	if err == nil && o.Version {
		fmt.Fprintln(env.Stdout, versionLine())
		return ExitOK
	}
	if err == nil {
		err = o.Run(env.Stdout)
	}
	if err != nil {
		return fail(env, err)
	}
	return ExitOK
}

// healthCommand asks the weir that runs with the same configuration whether it works.
func healthCommand(env Env, args []string) int {
	cfg, err := config.Parse(args, env.Environ, env.Stderr, env.Outputs...)
	if err != nil {
		return fail(env, err)
	}
	if cfg.Addr == "" {
		fmt.Fprintln(env.Stderr, "weir: no health without a web server: set -addr")
		return ExitUsage
	}
	if err := probe.Health(context.Background(), cfg.Addr, cfg.WebConfigFile != ""); err != nil {
		return fail(env, err)
	}
	fmt.Fprintln(env.Stdout, "OK")
	return ExitOK
}

// completionCommand writes the completions of a shell.
func completionCommand(env Env, args []string) int {
	if len(args) == 1 {
		if text, ok := manual.Completion(args[0], &programs.All()[0]); ok {
			fmt.Fprint(env.Stdout, text)
			return ExitOK
		}
	}
	fmt.Fprintln(env.Stderr, "weir: want weir completion bash, weir completion zsh or weir completion fish")
	return ExitUsage
}

// xdpCommand removes what earlier weirs left on interfaces.
func xdpCommand(env Env, args []string) int {
	if len(args) < 2 || args[0] != "detach" {
		fmt.Fprintln(env.Stderr, "weir: want weir xdp detach INTERFACE...")
		return ExitUsage
	}
	code := ExitOK
	for _, name := range args[1:] {
		done, err := detachLeft(name)
		if err != nil {
			code = fail(env, err)
			continue
		}
		fmt.Fprintln(env.Stdout, done)
	}
	return code
}

// fail prints an error and returns the exit code that it asks for.
func fail(env Env, err error) int {
	var usage *config.UsageError
	switch {
	case errors.Is(err, config.ErrHelp):
		return ExitOK
	case errors.As(err, &usage):
		fmt.Fprintf(env.Stderr, "weir: %v\n", err)
		return ExitUsage
	}
	fmt.Fprintf(env.Stderr, "weir: %v\n", err)
	return ExitError
}

// newLogger returns the logger that a command writes to standard error with.
func newLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// The linker sets version (the file VERSION) and commit (of git) in what make builds.
var version, commit = "", ""

// build says which weir this is.
func build() metrics.Build {
	b := metrics.Build{Version: version, Revision: commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.Version == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && b.Revision == "" {
				b.Revision = s.Value[:min(12, len(s.Value))]
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

// versionLine says the same in a line.
func versionLine() string {
	b := build()
	if b.Revision == "" {
		b.Revision = "unknown"
	}
	return fmt.Sprintf("weir %s (commit %s, %s, %s/%s)", b.Version, b.Revision, b.Go, b.OS, b.Arch)
}

// isTerminal reports whether what is written to w is shown on a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// showProgress returns the progress of work on total bytes for the terminal that standard
// error is, nil if it is none. Log lines go through it while it is shown.
func showProgress(env Env, what string, total int64) *progress.Line {
	if !isTerminal(env.Stderr) || slices.Contains(env.Environ, "TERM=dumb") {
		return nil
	}
	return progress.New(env.Stderr, what, total)
}

// logWriter returns what log lines are written to.
func logWriter(env Env, line *progress.Line) io.Writer {
	if line == nil {
		return env.Stderr
	}
	return line
}

// colored reports whether the user wants colors (https://no-color.org).
func colored(environ []string) bool {
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if name == "NO_COLOR" && value != "" || name == "TERM" && value == "dumb" {
			return false
		}
	}
	return true
}
