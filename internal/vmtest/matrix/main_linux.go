// Command matrix runs the tests of package vmtest in virtual machines, one for each
// kernel and card, and writes a table of what it saw.
//
// The journey of a run: the kernels are fetched (scripts/vm/packages.sh), the
// programs built, an image made for each kernel (image.sh), each machine booted
// (boot.sh) and its reports read. Logs of every machine stay in a folder of its own
// below -work. It writes progress to standard error and the table to standard
// output, or to -out.
//
// Exit codes: 0 every step of every machine is ok or refused by the kernel with a
// reason, 1 a step failed or did not run, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weirflow/weir/internal/vmtest"
)

// Kernels are those of suites of Debian, or the newest of a version that a suite has
// besides its own (kernelNames). Cards are the drivers of QEMU's devices.
var (
	allKernels  = []string{"bookworm", "trixie", "trixie-backports-6.17", "trixie-backports"}
	kernelNames = regexp.MustCompile(`^(bookworm|trixie|trixie-backports)(-\d+\.\d+)?$`)
	allCards    = []string{"virtio_net", "igb", "vmxnet3", "e1000e"}
)

// testCard is the card of the machine in which the tests of packages run: they make their own
// networks, so that one card is enough.
const testCard = "virtio_net"

// expected is the least mode that a card is captured in.
func expected(kernel, card string) string {
	switch card {
	case "virtio_net", "igb":
		if strings.HasPrefix(kernel, "trixie-backports") {
			return "native-zerocopy" // as seen on 6.17 and later
		}
		return "native"
	case "vmxnet3":
		if kernel == "bookworm" {
			return "generic" // its driver has XDP from 6.6 on
		}
		return "native"
	default:
		return "generic"
	}
}

type options struct {
	kernels, cards, steps []string
	tests, systemd        bool
	resume                bool
	scripts, work, out    string
	weir                  string
	jobs                  int
	limit                 time.Duration
}

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := 0
	switch err := run(ctx, os.Args[1:]); {
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "matrix: %v\n", err)
		code = 2
	case err != nil:
		fmt.Fprintf(os.Stderr, "matrix: %v\n", err)
		code = 1
	}
	stop()
	os.Exit(code)
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("matrix", flag.ContinueOnError)
	var kernels, cards, steps string
	flags.StringVar(&kernels, "kernels", strings.Join(allKernels, ","), "suites of Debian whose kernels are used, SUITE-6.17 for another version of a suite")
	flags.StringVar(&cards, "cards", strings.Join(allCards, ","), "cards under test")
	flags.StringVar(&steps, "steps", strings.Join(vmtest.Scenario, ","), "steps of the scenario; empty for none")
	flags.BoolVar(&o.tests, "tests", true, "run the tests of "+strings.Join(vmtest.Packages, ", ")+" in the machine with "+testCard)
	flags.BoolVar(&o.systemd, "systemd", false, "instead of these, install the packaged files on Debians of the suites and test the unit")
	flags.BoolVar(&o.resume, "resume", false, "take the reports of machines below -work that came to their end, instead of running them again")
	flags.StringVar(&o.scripts, "scripts", "scripts/vm", "folder of the scripts")
	flags.StringVar(&o.work, "work", "bin/vm", "folder of programs, images and logs")
	flags.StringVar(&o.out, "out", "", "file to write the table to; empty is standard output")
	flags.StringVar(&o.weir, "weir", "", "weir binary under test, static; empty builds this tree's")
	flags.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "machines at the same time; each takes one CPU and 1.5 GiB")
	flags.DurationVar(&o.limit, "limit", time.Hour, "time that one machine may take")
	if err := flags.Parse(args); err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	fault := func(text string) { err = errors.Join(err, fmt.Errorf("%w: %s", errUsage, text)) }
	if o.jobs < 1 {
		fault(fmt.Sprintf("-jobs %d: want at least 1", o.jobs))
	}
	if flags.NArg() > 0 {
		fault("unexpected argument " + flags.Arg(0))
	}
	for _, l := range []struct {
		what, value string
		allowed     []string
		names       *regexp.Regexp // further ones, or nil
		to          *[]string
	}{
		{"-kernels", kernels, allKernels, kernelNames, &o.kernels},
		{"-cards", cards, allCards, nil, &o.cards},
		{"-steps", steps, vmtest.Scenario, nil, &o.steps},
	} {
		if l.value == "" {
			continue
		}
		*l.to = strings.Split(l.value, ",")
		for _, word := range *l.to {
			if !slices.Contains(l.allowed, word) && (l.names == nil || !l.names.MatchString(word)) {
				fault(fmt.Sprintf("%s %s: want some of %s", l.what, word, strings.Join(l.allowed, ",")))
			}
		}
	}
	if len(o.kernels) == 0 || len(o.cards) == 0 {
		fault("-kernels and -cards: want at least one each")
	}
	if o.systemd {
		o.steps, o.tests = nil, false
	} else if len(o.steps) == 0 && !(o.tests && slices.Contains(o.cards, testCard)) {
		fault("nothing to do: no -steps, and no -tests with " + testCard)
	}
	return o, err
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	for _, folder := range []*string{&o.scripts, &o.work} { // QEMU runs elsewhere
		if *folder, err = filepath.Abs(*folder); err != nil {
			return err
		}
	}
	programs, err := build(ctx, o)
	if err != nil {
		return err
	}
	var machines []machine
	for _, kernel := range o.kernels {
		folder, image, err := prepare(ctx, o, kernel, programs)
		if err != nil {
			return err
		}
		for _, card := range o.cards {
			if !o.systemd && len(o.steps) == 0 && card != testCard {
				continue
			}
			m := machine{kernel: kernel, card: card, folder: folder, image: image}
			if err := o.fetch(ctx, &m, programs); err != nil {
				return err
			}
			machines = append(machines, m)
		}
	}
	rows := make([]row, len(machines))
	var all sync.WaitGroup
	slots := make(chan struct{}, o.jobs)
	for i, m := range machines {
		all.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; all.Done() }()
			rows[i] = o.machine(ctx, m)
		}()
	}
	all.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var out io.Writer = os.Stdout
	if o.out != "" {
		f, err := os.Create(o.out)
		if err != nil {
			return err
		}
		defer f.Close()
		out = f
	}
	if err := write(out, title(ctx, args), o.columns(), rows); err != nil {
		return err
	}
	return judge(rows)
}

// columns are the steps of the table.
func (o *options) columns() []string {
	if o.systemd {
		return vmtest.Systemd
	}
	if o.tests {
		return slices.Concat(o.steps, vmtest.Packages)
	}
	return o.steps
}

// title says when, where and how.
func title(ctx context.Context, args []string) string {
	version, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		version = []byte("unknown")
	}
	var words []string
	for _, a := range args {
		if strings.ContainsAny(a, " ") {
			a = "'" + a + "'"
		}
		words = append(words, a)
	}
	return fmt.Sprintf("%s, weir %s, %s, command: matrix %s", time.Now().UTC().Format(time.DateOnly), strings.TrimSpace(string(version)),
		host(), strings.Join(words, " "))
}
