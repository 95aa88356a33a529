// Command replay sends the UDP payloads of captures to a collector.
//
// The journey of one datagram: internal/capture reads it from a file into
// memory; the workload drops it if the port is not wanted and gives it the
// address it is sent from; the pacer says when it is due; its export time is set
// to now if that was asked for; the socket of its source sends it, many to a
// system call. With -interface it was put in Ethernet frames beforehand, and a copy
// of them, with addresses, times and checksums patched, goes to an AF_XDP or
// AF_PACKET socket. Datagrams of one source keep their order. Those of different
// sources that are due at the same moment may change places.
//
// It writes a line of progress a second to standard error and one JSON object to
// standard output at the end. Exit codes: 0 done (sending errors are counted in
// the summary), 1 it could not run or could not send a single datagram, 2 wrong
// usage.
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
)

const usage = `Usage: replay [flags] -to host:port FILE...

Sends the UDP payloads of captures (pcap or pcapng, plain or gzip'ed; "-" is
standard input) to a collector, in the order they were captured.

  -to host:port   where to send (required)
  -pps N          datagrams a second, fractions allowed; 0 is as fast as possible (default 0)
  -loop N         times to go over the files; 0 is until -duration ends, or without
                  one until interrupted (default 1)
  -duration D     stop after this time, such as 10s; 0 is no limit (default 0)
  -port N         only datagrams that were captured on their way to this port
  -rewrite-time   set export times to now: seconds and nanoseconds of NetFlow v1, v5 and
                  v7, seconds of v9, export time of IPFIX. Only the header changes. Times
                  relative to it (system uptime in v1 to v9) move along; absolute times
                  in IPFIX records and all of sFlow stay as captured
  -rewrite-sequence
                  have sequence numbers go on from pass to pass, as if the exporters had sent
                  on: those of NetFlow v5, v7 and v9, IPFIX, sFlow datagrams and samples. The
                  first pass is sent as captured. Uptimes, and the pools of sFlow samples, stay
  -keep-source    send from the captured address and port, each from a socket of its own.
                  An address is kept if it is in 127.0.0.0/8 or assigned to this host.
                  Any other becomes one of 127.x.y.z, always the same for the same files,
                  if the target is in 127.0.0.0/8, and is refused if not. A port that
                  is taken is replaced by a free one

What is to go wrong on the way, as a share of the datagrams, such as 1% or 0.01:

  -drop S         leave out
  -reorder S      send behind 1 to 8 later ones of the same source
  -duplicate S    send twice
  -seed N         chooses which (default 1)
                  With any of them the summary has "truth": for each exporter, protocol
                  and domain, and for each source of sFlow samples, what was dropped in
                  datagrams, records, flows and templates, and how many were reordered
                  and duplicated. Use it with -loop 1

Without sockets, as Ethernet frames (Linux, as root):

  -interface X    put frames on this interface instead; -to is where they are addressed
                  to. What is longer than the MTU is sent in fragments. -keep-source keeps
                  any address and port; only what is of the other IP version than the target
                  gets an address of -sources. Without both all comes from the interface's
                  own address. A receiver that is no XDP program drops what comes from
                  addresses that it has no route to
  -sources N      send from N addresses: 198.18.0.1 (2001:2::1) and on. Each captured source
                  has its own, and another one in each pass over the files, until all were
                  used
  -to-mac M       the hardware address to send to (default: by ARP or neighbour discovery)
  -send KIND      afxdp is a socket on each transmit queue; afpacket is one that goes past
                  the queueing discipline; auto is afxdp if it can be had (default auto)

Without -rewrite-sequence, sequence numbers are sent as captured in each pass, which to a
collector is exporters that begin again.
`

// options are the parsed command line.
type options struct {
	to              netip.AddrPort
	pps             float64
	loop            int
	duration        time.Duration
	port            uint16
	rewriteTime     bool
	rewriteSequence bool
	keepSource      bool
	files           []string
	impair          impairment

	iface   string           // send frames on it; empty: datagrams by sockets
	send    string           // how
	toMAC   net.HardwareAddr // nil: to be found out
	sources int              // synthetic addresses; 0: none
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
		fmt.Fprintf(stderr, "replay: %v\n\n%s", err, usage)
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "replay: %v\n", err)
		return 1
	}
	summary, err := replay(ctx, o, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "replay: %v\n", err)
		return 1
	}
	if err := summary.write(stdout); err != nil {
		fmt.Fprintf(stderr, "replay: write summary: %v\n", err)
		return 1
	}
	if summary.Datagrams == 0 && summary.Skipped > 0 {
		return 1
	}
	return 0
}

func parseOptions(args []string) (options, error) {
	var o options
	var to, mac string
	var port int
	var drop, reorder, duplicate string
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&to, "to", "", "")
	flags.Float64Var(&o.pps, "pps", 0, "")
	flags.IntVar(&o.loop, "loop", 1, "")
	flags.DurationVar(&o.duration, "duration", 0, "")
	flags.IntVar(&port, "port", 0, "")
	flags.BoolVar(&o.rewriteTime, "rewrite-time", false, "")
	flags.BoolVar(&o.rewriteSequence, "rewrite-sequence", false, "")
	flags.BoolVar(&o.keepSource, "keep-source", false, "")
	flags.StringVar(&drop, "drop", "0", "")
	flags.StringVar(&reorder, "reorder", "0", "")
	flags.StringVar(&duplicate, "duplicate", "0", "")
	flags.Uint64Var(&o.impair.seed, "seed", 1, "")
	flags.StringVar(&o.iface, "interface", "", "")
	flags.StringVar(&o.send, "send", sendAuto, "")
	flags.StringVar(&mac, "to-mac", "", "")
	flags.IntVar(&o.sources, "sources", 0, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	o.files, o.port = flags.Args(), uint16(port)

	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(to == "", "-to is missing")
	fault(len(o.files) == 0, "no capture file is named")
	for _, s := range []struct {
		name, text string
		share      *float64
	}{{"drop", drop, &o.impair.drop}, {"reorder", reorder, &o.impair.reorder}, {"duplicate", duplicate, &o.impair.duplicate}} {
		var err error
		*s.share, err = parseShare(s.text)
		fault(err != nil, "-%s %v", s.name, err)
	}
	fault(o.impair.drop+o.impair.reorder > 1, "-drop and -reorder are more than all together")
	fault(o.pps < 0 || math.IsNaN(o.pps) || math.IsInf(o.pps, 0), "-pps %v: want 0 or more", o.pps)
	fault(o.loop < 0, "-loop %d: want 0 or more", o.loop)
	fault(o.duration < 0, "-duration %v: want 0 or more", o.duration)
	fault(port < 0 || port > 65535, "-port %d: want 0 to 65535", port)
	fault(o.send != sendAuto && o.send != sendAFXDP && o.send != sendAFPacket, "-send %s: want auto, afxdp or afpacket", o.send)
	fault(o.sources < 0 || o.sources > maxSynthetic, "-sources %d: want 0 to %d", o.sources, maxSynthetic)
	fault(o.sources > 0 && o.rewriteSequence, "-sources and -rewrite-sequence exclude each other: with -sources each pass is of other exporters")
	fault(o.sources > 0 && o.keepSource, "-sources and -keep-source exclude each other")
	if mac != "" {
		var err error
		o.toMAC, err = net.ParseMAC(mac)
		fault(err != nil || len(o.toMAC) != 6, "-to-mac %s: want six bytes, such as 02:00:00:00:00:01", mac)
	}
	fault(o.iface == "" && (o.sources > 0 || mac != "" || o.send != sendAuto), "-sources, -to-mac and -send want -interface")
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	addr, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		return o, fmt.Errorf("resolve -to %s: %w", to, err)
	}
	target := addr.AddrPort()
	o.to = netip.AddrPortFrom(target.Addr().Unmap(), target.Port())
	if !o.to.Addr().IsValid() || o.to.Addr().IsUnspecified() || o.to.Port() == 0 {
		return o, fmt.Errorf("%w: -to %s: want a host and a port", errUsage, to)
	}
	return o, nil
}
