package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bench/peers/figures"
	"github.com/weirflow/weir/xdp"
)

const usage = `Usage: receive [flags]

Measures what it costs to receive a datagram of 1400 bytes by AF_XDP (native and
generic), github.com/asavie/xdp and recvmmsg, in one run. As root.

  -rounds N         rounds of cost, at least 5, or 0 to leave it out (default 51)
  -slice D          time of each receiver in a round of cost (default 80ms)
  -load N,...       rates of load in datagrams a second; empty leaves it out
                    (default 1000,20000,100000)
  -load-rounds N    rounds of load, at least 5 (default 7)
  -load-time D      time of each receiver in a round of load (default 500ms)
  -peak-rounds N    searches for the peak, 0 leaves it out (default 5)
  -peak-time D      how long a rate must be received without loss (default 1s)
  -latency D        how long receivers may let datagrams gather (default 1ms)
  -only NAME,...    measure these ways only: native, generic, asavie, recvmmsg
  -cpus N,N         CPUs of sender and receiver (default 0,1)
`

// way is a way to receive with its cable and the generator on it.
type way struct {
	name      string
	open      func(*cable, *side, *generator) (receiver, error)
	cable     *cable
	receiver  receiver
	generator *generator
	napi      int // kernel thread that polls; 0: softirqs do
}

const (
	dropped  = "drop"     // by XDP in the driver
	droppedS = "drop-skb" // as a socket buffer, by a classifier
	native   = "native"
	generic  = "generic"
	asavieX  = "asavie"
	recvmmsg = "recvmmsg"
)

// baselines is how many of the ways only drop; they come first.
const baselines = 2

// ownBaseline is the baseline that has the same driver work as a way.
func ownBaseline(name string) string {
	switch name {
	case generic, recvmmsg, droppedS:
		return droppedS
	}
	return dropped
}

func ways(p pause) []*way {
	return []*way{
		{name: dropped, open: newDropInDriver},
		{name: droppedS, open: newDropBuffers},
		{name: native, open: newOurs(xdp.Native, p)},
		{name: asavieX, open: newTheirs(p)},
		{name: generic, open: newOurs(xdp.Generic, p)},
		{name: recvmmsg, open: newBatched(p)},
	}
}

// options are the parsed command line.
type options struct {
	rounds, loadRounds        int
	peakRounds                int
	slice, loadTime, peakTime time.Duration
	latency                   time.Duration
	only                      []string // ways; empty: all
	loads                     []float64
	sendCPU, recvCPU          int
}

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "receive: %v\n\n%s", err, usage)
		os.Exit(2)
	}
	if err := measure(o); err != nil {
		fmt.Fprintln(os.Stderr, "receive:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var loads, cpus, only string
	flags := flag.NewFlagSet("receive", flag.ContinueOnError)
	flags.SetOutput(nowhere{})
	flags.IntVar(&o.rounds, "rounds", 51, "")
	flags.IntVar(&o.loadRounds, "load-rounds", 7, "")
	flags.IntVar(&o.peakRounds, "peak-rounds", 5, "")
	flags.DurationVar(&o.slice, "slice", 80*time.Millisecond, "")
	flags.DurationVar(&o.loadTime, "load-time", 500*time.Millisecond, "")
	flags.DurationVar(&o.peakTime, "peak-time", time.Second, "")
	flags.DurationVar(&o.latency, "latency", time.Millisecond, "")
	flags.StringVar(&only, "only", "", "")
	flags.StringVar(&loads, "load", "1000,20000,100000", "")
	flags.StringVar(&cpus, "cpus", "0,1", "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(flags.NArg() > 0, "unexpected argument %q", flags.Arg(0))
	fault(o.rounds != 0 && o.rounds < 5, "-rounds %d: want 0, or at least 5, for a median that means something", o.rounds)
	fault(o.loadRounds < 5, "-load-rounds %d: want at least 5, for a median that means something (-load '' leaves it out)", o.loadRounds)
	fault(o.peakRounds < 0, "-peak-rounds %d: want 0 or more", o.peakRounds)
	fault(o.slice <= 0 || o.loadTime <= 0 || o.peakTime <= 0, "-slice, -load-time, -peak-time: want more than 0")
	for _, text := range strings.FieldsFunc(loads, func(r rune) bool { return r == ',' }) {
		rate, err := strconv.ParseFloat(text, 64)
		fault(err != nil || rate < 1000 || rate > 1e6, "-load %s: want 1000 to 1000000", text)
		o.loads = append(o.loads, rate)
	}
	for _, name := range strings.FieldsFunc(only, func(r rune) bool { return r == ',' }) {
		known := slices.ContainsFunc(ways(pause{}), func(w *way) bool { return w.name == name })
		fault(!known, "-only %s: want native, generic, asavie or recvmmsg", name)
		o.only = append(o.only, name)
	}
	fault(o.latency < 0, "-latency %v: want 0 or more", o.latency)
	_, err := fmt.Sscanf(cpus, "%d,%d", &o.sendCPU, &o.recvCPU)
	fault(err != nil || o.sendCPU < 0 || o.recvCPU < 0 || o.sendCPU == o.recvCPU, "-cpus %s: want two numbers that differ", cpus)
	return o, errors.Join(faults...)
}

// nowhere keeps package flag quiet.
type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// measure makes the network, and measures from a thread on the sender's side.
func measure(o options) error {
	defer prefer()()
	send, err := newSide()
	if err != nil {
		return err
	}
	recv, err := newSide()
	if err != nil {
		return err
	}
	list := o.choose(ways(pause{latency: o.latency}))

	return send.do(func() error {
		for i, w := range list {
			if err := w.setUp(i, send, recv); err != nil {
				return fmt.Errorf("set up %s: %w", w.name, err)
			}
		}
		printHead()
		for _, p := range []place{{"split", o.sendCPU, mostNice, false}, {"one", o.recvCPU, leastNice, true}} {
			if p.threaded {
				if err := threaded(list, recv, o.recvCPU); err != nil {
					return err
				}
			}
			if err := pin(0, p.cpu, p.nice); err != nil {
				return err
			}
			if o.rounds == 0 {
				continue
			}
			if err := costs(o, list, p.name); err != nil {
				return err
			}
		}
		if err := pin(0, o.sendCPU, mostNice); err != nil {
			return err
		}
		for _, rate := range o.loads {
			if err := loads(o, list, rate); err != nil {
				return err
			}
		}
		if o.peakRounds == 0 {
			return nil
		}
		for _, w := range list {
			if _, err := w.cable.threaded(recv, false); err != nil {
				return fmt.Errorf("set up %s: %w", w.name, err)
			}
		}
		return peaks(o, list[baselines:])
	})
}

// choose leaves those that are asked for; the baselines always are.
func (o options) choose(list []*way) []*way {
	if len(o.only) == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(w *way) bool {
		return w.name != dropped && w.name != droppedS && !slices.Contains(o.only, w.name)
	})
}

// place is where the sender runs, and where the NAPI poll.
type place struct {
	name      string
	cpu, nice int
	threaded  bool // in a thread on the receiver's CPU; otherwise in the sender's softirqs
}

// Niceness of threads: all that receives goes first.
const (
	mostNice  = -20
	leastNice = -10
)

func (w *way) setUp(i int, send, recv *side) (err error) {
	if w.cable, err = newCable(i, send, recv); err != nil {
		return err
	}
	if w.generator, err = newGenerator(w.cable); err != nil {
		return err
	}
	w.receiver, err = w.open(w.cable, recv, w.generator)
	return err
}

// threaded moves the NAPI polls of all ways to a CPU.
func threaded(list []*way, recv *side, cpu int) (err error) {
	for _, w := range list {
		if w.napi, err = w.cable.threaded(recv, true); err != nil {
			return fmt.Errorf("set up %s: %w", w.name, err)
		}
		if err := pin(w.napi, cpu, mostNice); err != nil {
			return fmt.Errorf("set up %s: %w", w.name, err)
		}
	}
	return nil
}

func printHead() {
	var name unix.Utsname
	_ = unix.Uname(&name) // then there is none to print
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("# %s, %d CPUs, Linux %s, %s, %s\n", figures.Model(), runtime.NumCPU(), unix.ByteSliceToString(name.Release[:]), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	fmt.Printf("# command: receive %s\n", strings.Join(os.Args[1:], " "))
	fmt.Printf("# load of the machine before: %s# veth, copy mode; %d bytes of payload; %d sources, one queue, one receiver; rings of %d, socket buffers of %d MiB\n",
		load, payloadSize, sources, ringSize, receiveBuffer>>20)
}

// prefer has the scheduler prefer this session to others, where it groups threads by
// session and niceness counts only within (sched(7), autogroup). It returns what puts
// that back.
func prefer() (undo func()) {
	const file = "/proc/self/autogroup"
	text, err := os.ReadFile(file)
	if err != nil {
		return func() {} // it does not group
	}
	_, before, _ := strings.Cut(string(text), " nice ")
	// Refused or not: it only makes for less noise.
	_ = os.WriteFile(file, fmt.Append(nil, mostNice), 0)
	undo = func() { _ = os.WriteFile(file, []byte(strings.TrimSpace(before)), 0) }
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		undo()
		os.Exit(1)
	}()
	return undo
}

// pin has a thread, 0 for the calling one, run on one CPU.
func pin(thread, cpu, nice int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(thread, &set); err != nil {
		return fmt.Errorf("pin to CPU %d: %w", cpu, err)
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, thread, nice); err != nil { // of a thread
		return fmt.Errorf("set priority: %w", err)
	}
	return nil
}
