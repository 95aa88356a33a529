package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/weirflow/weir/internal/config"
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
}

// Main runs the command that the arguments name and returns the exit code.
func Main(env Env) int {
	command, args := "", env.Args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command {
	case "", "run":
		return runCommand(env, args)
	case "decode":
		return decodeCommand(env, args)
	case "check":
		return checkCommand(env, args)
	case "help":
		return helpCommand(env, args)
	case "version":
		fmt.Fprintln(env.Stdout, versionLine())
		return ExitOK
	}
	fmt.Fprintf(env.Stderr, "weir: unknown command %q: want run, decode, check, version or help (weir help explains each)\n", command)
	return ExitUsage
}

const helpText = `weir receives NetFlow, IPFIX and sFlow and writes the flows as JSON lines or protobuf.

  weir [run] [flags]          collect until SIGTERM; weir -h lists the flags
  weir decode [flags] FILE... write the flows in pcap and pcapng captures
  weir check [flags]          say what this host and configuration would do
  weir check -goflow2 "LINE"  a command line of goflow2 as one of weir, and what differs
  weir help [command]         this text, or the flags of a command
  weir version                the version

Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.
`

func helpCommand(env Env, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(env.Stdout, helpText)
		return ExitOK
	}
	switch args[0] {
	case "run", "decode", "check":
		env.Stderr = env.Stdout
		env.Args = []string{args[0], "-h"}
		return Main(env)
	case "help", "version":
		fmt.Fprint(env.Stdout, helpText)
		return ExitOK
	}
	fmt.Fprintf(env.Stderr, "weir: no help on %q: want run, decode or check\n", args[0])
	return ExitUsage
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
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// version is set by the linker for releases.
var version = ""

// versionLine says which weir this is.
func versionLine() string {
	v, revision := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	if v == "" {
		v = "devel"
	}
	return fmt.Sprintf("weir %s%s %s %s/%s", v, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
