package app

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/top"
)

// topCommand shows a running weir on a terminal.
func topCommand(env Env, args []string) int {
	o := top.Options{Color: colored(env.Environ)}
	flags := flag.NewFlagSet("weir top", flag.ContinueOnError)
	flags.SetOutput(env.Stderr)
	flags.StringVar(&o.Addr, "addr", config.Default().Addr, "`host:port` of the running weir's web server, the value of its -addr; with -web.config.file a URL: https://user:password@host:port")
	flags.DurationVar(&o.Interval, "interval", 2*time.Second, "time between two looks, from 1s on")
	flags.StringVar(&o.Order, "sort", top.Orders[0], "`column` to sort exporters by: "+strings.Join(top.Orders, ", "))
	flags.StringVar(&o.Filter, "filter", "", "show exporters whose address contains this `text`")
	ca := flags.String("ca", "", "`file` with the certificates of authorities to trust, for https")
	once := flags.Bool("once", false, "write one screen with all exporters to standard output, and end")
	rows := flags.Int("rows", 0, "with -once: exporters to write at most; 0 for all")
	flags.Usage = func() {
		w := env.Stderr
		fmt.Fprint(w, "Usage: weir top [-addr HOST:PORT] [-once] [flags]\n\nShow rates, loss and exporters of a running weir. ? lists the keys.\n\n")
		flags.SetOutput(w)
		flags.PrintDefaults()
	}
	if slices.ContainsFunc(args, func(a string) bool { return asksHelp([]string{a}) }) {
		env.Stderr = env.Stdout
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return ExitOK
	case err != nil:
		return ExitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(env.Stderr, "weir: top: unknown argument %q (weir top -h)\n", flags.Arg(0))
		return ExitUsage
	case o.Interval < time.Second || o.Interval > time.Hour:
		fmt.Fprintf(env.Stderr, "weir: -interval %v: allowed are 1s to 1h\n", o.Interval)
		return ExitUsage
	case !slices.Contains(top.Orders, o.Order):
		fmt.Fprintf(env.Stderr, "weir: -sort %s: allowed are %s\n", o.Order, strings.Join(top.Orders, ", "))
		return ExitUsage
	case *rows < 0:
		fmt.Fprintf(env.Stderr, "weir: -rows %d: allowed are 0 and more\n", *rows)
		return ExitUsage
	}
	if *ca != "" {
		text, err := os.ReadFile(*ca)
		if err != nil {
			return fail(env, err)
		}
		if o.Roots = x509.NewCertPool(); !o.Roots.AppendCertsFromPEM(text) {
			fmt.Fprintf(env.Stderr, "weir: -ca %s: no certificate in PEM form\n", *ca)
			return ExitUsage
		}
	}
	o.Addr = dialable(o.Addr)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *once:
		err = top.Once(ctx, env.Stdout, o, *rows)
	case !isTerminal(env.Stdout):
		fmt.Fprintln(env.Stderr, "weir: top: standard output is no terminal: -once writes a table")
		return ExitUsage
	default:
		err = top.Run(ctx, os.Stdin, env.Stdout, env.Environ, o)
	}
	if err != nil && ctx.Err() == nil {
		return fail(env, err)
	}
	return ExitOK
}

// dialable turns an address to listen on into one to ask: :8080 is this host's.
func dialable(addr string) string {
	for _, any := range []string{":", "0.0.0.0:", "[::]:"} {
		if port, ok := strings.CutPrefix(addr, any); ok {
			return "localhost:" + port
		}
	}
	return addr
}
