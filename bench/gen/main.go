// Command gen sends synthetic flow export datagrams to a collector, or writes
// them to a capture.
//
// The journey of one datagram: package workload makes it, with the flows that
// are in it; the pacer says when it is due; the socket of its exporter sends it,
// or it gets Ethernet, IP and UDP headers and goes to a pcap file. What was
// taken is counted, by protocol.
//
// It writes a line of progress a second to standard error and one JSON object to
// standard output at the end. Exit codes: 0 done or interrupted (sending errors
// are counted in the summary), 1 it could not run or could not send a single
// datagram, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/weirflow/weir/bench/gen/workload"
)

const usage = `Usage: gen [flags] -to host:port
       gen [flags] -write FILE {-count N | -duration D}

Sends synthetic NetFlow v5, v9, IPFIX and sFlow datagrams to a collector, or writes
them to a capture (pcap). The same flags and seed give the same flows.

  -workload NAME  what is exported (default mix):
                    nf5    NetFlow v5, 30 records a datagram
                    nf9    NetFlow v9, 24 records of 21 fields a datagram
                    ipfix  IPFIX, 12 IPv4 and 4 IPv6 records a datagram
                    sflow  sFlow v5, 8 samples with 128 bytes of header a datagram
                    mix    exporters of all four, and 20 further templates with
                           fields of variable length, of enterprises, MPLS, NAT...
                  v9 and IPFIX announce templates and sampling every 20th datagram
  -exporters N    number of exporters (default 64)
  -seed N         chooses the flows (default 1)
  -ids            number the flows, from 1, and put the number where the flow's bytes
                  would be: what becomes of each can be told from the field "bytes".
                  It wraps after 4294967295
  -first-id N     the number of the first flow (default 1)
  -max-payload N  longest datagram in bytes, from 1232: sFlow datagrams of 8 samples
                  have 2500 and more, and are fragmented on an Ethernet; 1472 keeps
                  them whole, with fewer samples (default 0, as the workload has it)

  -to host:port        where to send
  -to-sflow host:port  where to send sFlow (default as -to)
                  To an address in 127.0.0.0/8 each exporter sends from one of its own,
                  127.1.0.1 and on (on Linux); elsewhere from a port of its own
  -write FILE     write a capture: from 198.19.0.1 and on, to ports 2055 and 6343
  -pps N          datagrams a second, of all exporters together, fractions allowed; 0 is
                  as fast as possible (default 0). A capture is not paced; -pps sets its
                  times, 1000 if it is 0
  -count N        stop after so many datagrams; 0 is no limit (default 0)
  -duration D     stop after this time, such as 10s; 0 is no limit (default 0)
  -clock now|sim  what exporters take for the time: now is the host's clock (default
                  with -to), sim starts at 2026-01-01 00:00 UTC and advances by 1/pps
                  with each datagram (default with -write). A capture's now is the
                  present at its first datagram
  -quiet          no lines of progress
`

// options are the parsed command line.
type options struct {
	workload workload.Config
	to       netip.AddrPort
	toSFlow  netip.AddrPort
	write    string
	pps      float64
	count    uint64
	duration time.Duration
	now      bool // the host's clock
	quiet    bool
}

// errUsage marks errors of the command line.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the process at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "gen: %v\n\n%s", err, usage)
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "gen: %v\n", err)
		return 1
	}
	summary, err := play(ctx, o, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "gen: %v\n", err)
		return 1
	}
	if err := summary.write(stdout); err != nil {
		fmt.Fprintf(stderr, "gen: write summary: %v\n", err)
		return 1
	}
	if summary.Datagrams == 0 && summary.Skipped > 0 {
		return 1
	}
	return 0
}

func parseOptions(args []string) (options, error) {
	var o options
	var to, toSFlow, clock string
	var firstID uint64
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	w := &o.workload
	flags.StringVar(&w.Workload, "workload", "mix", "")
	flags.IntVar(&w.Exporters, "exporters", 64, "")
	flags.Uint64Var(&w.Seed, "seed", 1, "")
	flags.BoolVar(&w.IDs, "ids", false, "")
	flags.Uint64Var(&firstID, "first-id", 1, "")
	flags.IntVar(&w.MaxPayload, "max-payload", 0, "")
	flags.StringVar(&to, "to", "", "")
	flags.StringVar(&toSFlow, "to-sflow", "", "")
	flags.StringVar(&o.write, "write", "", "")
	flags.Float64Var(&o.pps, "pps", 0, "")
	flags.Uint64Var(&o.count, "count", 0, "")
	flags.DurationVar(&o.duration, "duration", 0, "")
	flags.StringVar(&clock, "clock", "", "")
	flags.BoolVar(&o.quiet, "quiet", false, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	w.FirstID = uint32(firstID)
	o.now = clock == "now" || clock == "" && o.write == ""

	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(flags.NArg() > 0, "unexpected argument %q", flags.Arg(0))
	fault(to == "" && o.write == "", "-to or -write is missing")
	fault(o.write != "" && (to != "" || toSFlow != ""), "-to and -write exclude each other")
	fault(o.write != "" && o.count == 0 && o.duration == 0, "-write wants -count or -duration")
	fault(firstID < 1 || firstID > math.MaxUint32, "-first-id %d: want 1 to %d", firstID, uint32(math.MaxUint32))
	fault(o.pps < 0 || o.pps > 1e9 || math.IsNaN(o.pps), "-pps %v: want 0 to 1e9", o.pps)
	fault(o.duration < 0, "-duration %v: want 0 or more", o.duration)
	fault(clock != "" && clock != "now" && clock != "sim", "-clock %q: want now or sim", clock)
	if _, err := workload.New(*w); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	if o.write != "" {
		return o, nil
	}
	var err error
	if o.to, err = resolve("-to", to); err != nil {
		return o, err
	}
	o.toSFlow = o.to
	if toSFlow != "" {
		o.toSFlow, err = resolve("-to-sflow", toSFlow)
	}
	return o, err
}

// resolve finds the address that a flag names.
func resolve(name, to string) (netip.AddrPort, error) {
	addr, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		var syntax *net.AddrError
		if errors.As(err, &syntax) {
			return netip.AddrPort{}, fmt.Errorf("%w: %s %s: %w", errUsage, name, to, err)
		}
		return netip.AddrPort{}, fmt.Errorf("resolve %s %s: %w", name, to, err)
	}
	target := addr.AddrPort()
	target = netip.AddrPortFrom(target.Addr().Unmap(), target.Port())
	if !target.Addr().IsValid() || target.Addr().IsUnspecified() || target.Port() == 0 {
		return target, fmt.Errorf("%w: %s %s: want a host and a port", errUsage, name, to)
	}
	return target, nil
}
