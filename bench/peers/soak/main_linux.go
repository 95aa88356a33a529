package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// options are the parsed command line.
type options struct {
	weir      string
	duration  time.Duration
	interval  time.Duration
	warmUp    time.Duration
	pps       float64
	exporters int
	garbage   float64
	restarts  float64
	churn     float64
	seed      uint64
	adversary float64 // Mbit/s
	good      float64 // datagrams a second
	day       bool
	args      []string // further ones of weir
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	var o options
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.StringVar(&o.weir, "weir", "bin/weir", "the collector to run")
	flags.DurationVar(&o.duration, "duration", 30*time.Minute, "how long")
	flags.DurationVar(&o.interval, "interval", 10*time.Second, "time between two looks")
	flags.DurationVar(&o.warmUp, "warm-up", 5*time.Minute, "time before memory is judged; half the duration if that is less")
	flags.Float64Var(&o.pps, "pps", 50_000, "datagrams a second, all together")
	flags.IntVar(&o.exporters, "exporters", 5000, "exporters")
	flags.Float64Var(&o.garbage, "garbage", 0.01, "share of the datagrams that is garbage, from forged addresses")
	flags.Float64Var(&o.restarts, "restarts", 1, "exporters that restart, a second")
	flags.Float64Var(&o.churn, "churn", 0.01, "share of the datagrams that redefines a template")
	flags.Uint64Var(&o.seed, "seed", 1, "chooses the flows")
	flags.Float64Var(&o.adversary, "adversary", 0, "Mbit/s, headers counted, of what costs the collector most, from forged addresses; 0 for none")
	flags.Float64Var(&o.good, "good", 2000, "datagrams a second of an exporter that must lose nothing and be at the output within 200 ms, with -adversary")
	flags.BoolVar(&o.day, "day", false, "run a day in the duration, from the root of the tree: rotation, retention, reloads, restarts, a kill, an outage of Kafka")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "Usage: soak [flags] [-- flags of weir]\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	o.args = flags.Args()
	o.warmUp = min(o.warmUp, o.duration/2)
	if o.pps <= 0 || o.exporters < 4 || o.duration < 10*o.interval {
		fmt.Fprintln(os.Stderr, "soak: want -pps above 0, -exporters from 4, and a -duration of ten -interval at least")
		return 2
	}
	do := soak
	if o.day {
		do = runDay
	}
	ok, err := do(ctx, o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "soak: %v\n", err)
		return 1
	}
	if !ok {
		return 1
	}
	return 0
}

// soak runs the collector and the load, and reports whether all was well.
func soak(ctx context.Context, o options) (bool, error) {
	var g *good
	if o.adversary > 0 {
		g = &good{pps: o.good}
	}
	c, err := startCollector(o, g)
	if err != nil {
		return false, err
	}
	defer c.kill()
	l, err := newLoad(o, c.port)
	if err != nil {
		return false, err
	}
	defer l.close()
	fmt.Printf("# soak: %.0f packets/s, %d exporters, %.1f %% garbage, %.1f %% template churn, %.1f restarts/s, %v; %s, %d CPUs, %s\n",
		o.pps, o.exporters, 100*o.garbage, 100*o.churn, o.restarts, o.duration, runtime.GOARCH, runtime.NumCPU(), time.Now().UTC().Format(time.DateTime))

	loadCtx, cancel := context.WithTimeout(ctx, o.duration)
	defer cancel()
	w := &watch{o: o, c: c, l: l, g: g, began: time.Now()}
	runs := []func(context.Context) error{l.run}
	if o.adversary > 0 {
		if w.a, err = newAdversary(o, c.port); err != nil {
			return false, err
		}
		defer w.a.out.close()
		if g.out, err = newSender(c.port); err != nil {
			return false, err
		}
		defer g.out.close()
		runs = append(runs, w.a.run, g.run)
	}
	ended := make(chan error, len(runs))
	for _, run := range runs {
		go func() { ended <- run(loadCtx) }()
	}
	if err := w.run(loadCtx); err != nil {
		return false, err
	}
	for range runs {
		if err := <-ended; err != nil {
			return false, err
		}
	}
	if err := w.settle(); err != nil {
		return false, err
	}
	if g != nil { // what it received is known once the output has ended
		c.stop()
		if err := <-c.read; err != nil {
			return false, err
		}
	}
	return w.verdict(), nil
}

// collector is the one that is soaked.
type collector struct {
	cmd      *exec.Cmd
	port     int    // that it receives on
	base     string // of its web server
	profiles string // base of its profiles
	dir      string
	log      *os.File
	read     chan error // has what came of reading the output, once it has ended
}

// freePort returns a port that is free at the moment.
func freePort(network string) (int, error) {
	if network == "udp" {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return 0, fmt.Errorf("find a port: %w", err)
		}
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).Port, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// startCollector starts it; its output goes to g, nil for nobody.
func startCollector(o options, g *good) (*collector, error) {
	port, err := freePort("udp")
	if err != nil {
		return nil, err
	}
	web, err := freePort("tcp")
	if err != nil {
		return nil, err
	}
	profiles, err := freePort("tcp")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "weir-soak-")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	c := &collector{port: port, base: fmt.Sprintf("http://127.0.0.1:%d", web), profiles: fmt.Sprintf("http://127.0.0.1:%d", profiles), dir: dir, read: make(chan error, 1)}
	output := "/dev/null"
	if g != nil {
		output = filepath.Join(dir, "flows")
		if err := syscall.Mkfifo(output, 0o600); err != nil {
			return nil, fmt.Errorf("make pipe: %w", err)
		}
		go func() { c.read <- g.read(output) }()
	}
	args := append([]string{
		"-listen", fmt.Sprintf("flow://127.0.0.1:%d", port), "-addr", fmt.Sprintf("127.0.0.1:%d", web),
		"-format", "bin", "-transport.file", output, "-transport.file.sep", "", "-metrics.exporters", "100",
		"-templates.json.path", filepath.Join(dir, "templates.json"), "-errors.sample", filepath.Join(dir, "errors"),
		"-pprof", fmt.Sprintf("127.0.0.1:%d", profiles),
	}, o.args...)
	if g == nil { // forged addresses are to fill the table before memory is judged; the adversary fills any
		args = append([]string{"-exporters.max", strconv.Itoa(3 * o.exporters)}, args...)
	}
	c.cmd = exec.Command(o.weir, args...)
	if c.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, fmt.Errorf("make log: %w", err)
	}
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.weir, err)
	}
	for range 100 {
		if _, err := c.scrape(); err == nil {
			return c, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(c.log.Name())
	c.kill()
	return nil, fmt.Errorf("%s does not answer:\n%s", o.weir, text)
}

// stop ends the collector if it has not.
func (c *collector) stop() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = c.cmd.Wait()
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = c.cmd.Process.Kill()
			<-done
		}
	}
}

// kill ends the collector if it has not, and removes what it left.
func (c *collector) kill() {
	c.stop()
	_ = c.log.Close()
	_ = os.RemoveAll(c.dir)
}
