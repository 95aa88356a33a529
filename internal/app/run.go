package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/enrich"
	"github.com/weirflow/weir/internal/metrics"
	"github.com/weirflow/weir/internal/places"
	"github.com/weirflow/weir/internal/progress"
	"github.com/weirflow/weir/internal/state"
	"github.com/weirflow/weir/internal/web"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/output"
)

// controlPlaces is how many goroutines in addition to the workers may run at once: the
// hub, and the web server or the garbage collector. One more makes each wake-up
// cost more, as threads that find nothing to do look through all places.
const controlPlaces = 2

// runCommand collects until it is told to stop.
func runCommand(env Env, args []string) int {
	cfg, err := config.Parse(args, env.Environ, env.Stderr, env.Outputs...)
	if err != nil {
		return fail(env, err)
	}
	if cfg.Version {
		fmt.Fprintln(env.Stdout, versionLine())
		return ExitOK
	}
	if cfg.AddrTokenFile != "" {
		if _, err := web.ReadToken(cfg.AddrTokenFile); err != nil {
			// The value is not shown: it may be the token itself.
			return fail(env, &config.UsageError{Faults: []config.Fault{{Option: "addr.token-file", Name: "-addr.token-file", Problem: err.Error()}}})
		}
	}
	if cfg.WebConfigFile != "" {
		if err := web.ValidateConfig(cfg.WebConfigFile); err != nil {
			return fail(env, &config.UsageError{Faults: []config.Fault{{Option: "web.config.file", Name: "-web.config.file", Problem: err.Error()}}})
		}
	}
	programs, notes, err := loadPrograms(&cfg.Mapping, &cfg.Enrich)
	if err != nil {
		return fail(env, err)
	}
	level := new(slog.LevelVar)
	level.Set(cfg.LogLevel)
	var recovery *progress.Line
	if r, ok := cfg.Output().(output.Recovering); ok {
		if recovery = showProgress(env, "reading the spool", 0); recovery != nil {
			r.OnRecovery(recovery.Of)
		}
	}
	log := newLogger(logWriter(env, recovery), level, cfg.LogFormat)
	for _, n := range notes {
		log.Warn(n)
	}
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	for _, n := range cfg.Notes {
		log.Info(n)
	}

	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(stop)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	// A reader of the output that goes away is an error of the output, not
	// the end of the process.
	signal.Ignore(syscall.SIGPIPE)

	stopProfiles, err := startProfiles(cfg, log)
	if err != nil {
		return fail(env, err)
	}
	defer stopProfiles()
	keeper := newKeeper(cfg, log)
	defer keeper.close()
	c, err := newCollection(cfg, programs, log, keeper, level, parseAgain{args, env.Environ, env.Outputs})
	if err != nil {
		return fail(env, err)
	}
	if err := c.run(stop, hup); err != nil {
		return fail(env, err)
	}
	return ExitOK
}

// collection is one run of the collector.
type collection struct {
	cfg *config.Config
	log *slog.Logger

	programs *producer.Programs

	outlet  atomic.Pointer[outlet]
	swapped chan struct{} // one slot: there is another outlet
	formats formats
	held    *producer.Held // data that waits for its template, of all workers
	keeper  *keeper
	listening
	retired retired
	life    *lives
	adopted []bool // by socket of the start: it was open before
	workers []*collector.Worker
	failed  chan error // what ends weir
	web     *web.Server
	source  metrics.Source
	watcher *watcher                // nil before run
	loss    *places.Watcher         // of places where flows can be lost
	errors  *collector.ErrorSamples // nil: none are kept
	enrich  *enrich.Databases       // nil for none
	names   *collector.Goflow2Names
	// optionNames are what options data said about numbers.
	optionNames *names.Table
	// captures is nil unless interfaces are captured.
	captures atomic.Pointer[collector.Captures]
	started  time.Time
	state    *state.File // nil where nothing is kept
	// numbers and their file are nil where nothing is kept.
	numbers     *sequences
	numbersFile *state.File
	sweep       chan struct{} // closed to end the sweep of old templates; nil for none
	gate        *collector.Gate
	reloads
}

// newCollection opens the output, the sockets and the web server. Nothing is
// received before run.
func newCollection(cfg *config.Config, programs *producer.Programs, log *slog.Logger, keeper *keeper, level *slog.LevelVar, again parseAgain) (_ *collection, err error) {
	c := &collection{cfg: cfg, programs: programs, log: log, keeper: keeper, started: time.Now(), loss: places.NewWatcher(log), swapped: make(chan struct{}, 1)}
	c.reloads.begin(level, again)
	c.config.Store(cfg)
	c.reloaded.Store(c.started.Unix())
	if c.enrich, err = openDatabases(&cfg.Enrich, "enrich.", log); err != nil {
		return nil, err
	}
	settings := cfg.Output()
	if len(settings.Holds()) > 0 {
		keeper.finished()
	}
	out, err := settings.Open(cfg.Format, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.closeSockets()
			out.Close()
		}
	}()

	c.life = c.openLives()
	c.retire()
	if err := c.listen(); err != nil {
		return nil, err
	}
	store := newStore(cfg)
	exporters := c.newExporters(store)
	c.optionNames = names.NewTable(names.DefaultBytes)
	if cfg.Goflow2.Metrics == "on" && cfg.Addr != "" {
		c.names = collector.NewGoflow2Names(cfg.MetricsExporters)
	}
	if err := c.makeWorkers(out, store, exporters); err != nil {
		return nil, err
	}
	c.state = c.loadState(state.Templates(store, log), namesSection(c.optionNames), exportersSection(exporters), c.newSequences(exporters))
	c.names.Restore(exporters)
	c.openSequences()
	c.setMemory(limitMemory(cfg, len(c.workers), log))
	c.source = metrics.Source{
		Kept:          metrics.Kept{State: c.state, Memory: c.memory.Load},
		Workers:       c.workers,
		Sink:          c.counters(),
		Exporters:     exporters,
		Templates:     store,
		OptionNames:   c.optionNames,
		ExporterLimit: func() int { return c.config.Load().MetricsExporters },
		Reloads:       c.stats,
		Build:         build(),
		Formats:       c.formats.each,
		Captures:      &c.captures,
		Errors:        c.errors,
		Kinds:         cfg.Kinds(),
		Output:        func() *output.Output { return c.outlet.Load().out },
		Databases:     c.enrich,
		Names:         c.names,
	}
	if cfg.Addr != "" {
		c.web, err = web.Start(web.Config{
			Addr:          cfg.Addr,
			Hosts:         cfg.AddrHosts,
			TokenFile:     cfg.AddrTokenFile,
			ConfigFile:    cfg.WebConfigFile,
			TemplatesPath: cfg.TemplatesPath,
			MetricsPath:   cfg.Goflow2.MetricsPath,
			Registry:      metrics.NewRegistry(c.source),
			Templates:     store,
			Detail:        c.detail,
			Health:        c.health,
			Reload:        c.reload,
			Settings:      func() string { return c.config.Load().Render() },
			Page:          c.page(),
			Exporters:     web.Exporters{Table: exporters, Names: c.optionNames, DefaultRate: func() uint64 { return c.config.Load().SamplingRateDefault }, LostHere: c.lostHere},
			Logger:        log,
		})
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// makeWorkers makes the workers and gives them the sockets: one each, unless
// -xdp.workers says how many workers there are.
func (c *collection) makeWorkers(out *output.Output, store *producer.TemplateStore, exporters *collector.Exporters) error {
	cfg := c.cfg
	listeners := c.listeners()
	n := len(listeners)
	if len(cfg.XDP.Interfaces) > 0 && runtime.GOOS == "linux" { // elsewhere a worker has one socket
		if n = cfg.XDP.Workers; n == 0 {
			n = runtime.NumCPU()
		}
	}
	// A worker may keep its place in the scheduler even while it naps, and one that
	// does not must find one when it wakes up. So the rest of weir has its own.
	if want := n + controlPlaces; runtime.GOMAXPROCS(0) < want && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(want)
	}
	o := c.newOutlet(out, cfg, n, nil, false)
	c.outlet.Store(o)
	c.errors = c.newErrorSamples(store)
	c.gate = collector.NewGate(collector.NewAdmission(cfg.Exporters.Allow, cfg.Exporters.Deny, cfg.Exporters.Rate))
	c.held = newHeld(cfg)
	c.formats.begin(cfg.Format, [producer.NumPaths]uint64{})
	records := c.records(cfg, out)
	c.failed = make(chan error, n+1)
	for i := range n {
		parts := collector.Parts{
			CPU:       -1,
			Producer:  producer.New(c.withGeo(records), store),
			Lane:      o.lanes[i],
			Notify:    o.hub.Notify,
			Exporters: exporters,
			Gate:      c.gate,
			Errors:    c.errors,
			Names:     c.names,
			Life:      c.life.page.Worker(i),
			Logger:    c.log,
		}
		if len(cfg.CPUPin) > 0 {
			parts.CPU = cfg.CPUPin[i%len(cfg.CPUPin)]
		}
		if i == 0 {
			parts.Waited, parts.WaitedDropped, parts.WaitedDrops = c.retired.datagrams, c.retired.dropped, c.retired.drops
		}
		for j := i; j < len(listeners); j += n {
			parts.Sockets = append(parts.Sockets, listeners[j].sock)
			parts.Listens = append(parts.Listens, listeners[j].uri)
		}
		w, err := collector.NewWorker(i, workerConfig(cfg), parts)
		if err != nil {
			return err
		}
		c.workers = append(c.workers, w)
	}
	return nil
}

// startCaptures attaches the interfaces, if there are any.
func (c *collection) startCaptures() error {
	if len(c.cfg.XDP.Interfaces) == 0 {
		return nil
	}
	captures, err := collector.StartCaptures(c.captureConfig(c.cfg, c.addresses()), c.workers)
	if err != nil {
		return err
	}
	c.captures.Store(captures)
	return nil
}

// captureConfig says what to capture: datagrams to these addresses.
func (c *collection) captureConfig(cfg *config.Config, listens []netip.AddrPort) collector.CaptureConfig {
	x, e := &cfg.XDP, &cfg.Exporters
	return collector.CaptureConfig{
		Interfaces: x.Interfaces,
		Mode:       x.Mode,
		ZeroCopy:   x.ZeroCopy,
		Queues:     x.Queues,
		RingSize:   x.RingSize,
		BusyPoll:   x.BusyPoll,
		Require:    x.Require,
		Listens:    listens,
		Links:      links{c.keeper},
		Allow:      e.Allow,
		Deny:       e.Deny,
		Rate:       e.Rate,
		Logger:     c.log,
	}
}

// dropPrivileges gives up what the start needed and the rest does not.
func (c *collection) dropPrivileges() {
	var keep []int
	if len(c.cfg.XDP.Interfaces) > 0 {
		keep = append(keep, captureCaps...)
	}
	if c.outlet.Load().out.Files || c.state != nil {
		keep = append(keep, outputCaps...)
	}
	kept, err := dropPrivileges(keep)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		c.log.Warn("capabilities not dropped: this binary was built with cgo (CGO_ENABLED=0 builds one that can)")
	case err != nil:
		c.log.Warn("capabilities not dropped", "error", err)
	default:
		c.log.Debug("capabilities dropped", "kept", kept)
	}
}

// detail is what /__health reports in addition to OK: how each interface is captured.
func (c *collection) detail() string {
	captures := c.captures.Load()
	if captures == nil {
		return ""
	}
	var b strings.Builder
	for _, s := range captures.Stats() {
		if s.Removed {
			continue
		}
		fmt.Fprintf(&b, "capture %s %s\n", s.Interface, s.Mode)
	}
	return b.String()
}

// run collects until a signal comes over stop, or something fails for good. A
// second signal ends the process at once.
func (c *collection) run(stop, hup <-chan os.Signal) error {
	c.outlet.Load().run()

	var workers sync.WaitGroup
	for _, w := range c.workers {
		workers.Go(func() {
			if err := w.Run(); err != nil {
				c.failed <- err
			}
		})
	}
	c.life.run()
	c.watcher = c.watchExporters()
	err := c.startCaptures()
	if err != nil {
		c.log.Error("stopping", "error", err)
		return errors.Join(err, c.stop(&workers))
	}
	c.dropPrivileges()
	if c.web != nil {
		c.web.SetHealthy(true)
	}
	defer c.watchDatabases()()
	c.keep(c.source.Templates)
	watchdogDone := make(chan struct{})
	go c.watchdog(watchdogDone)
	c.keeper.dropLinks()
	if err := c.keeper.serve(); err != nil {
		c.log.Warn("a new process cannot take over from this one", "error", err)
	}
	c.running.Store(true)
	stopAsking := c.answerReloads()
	if c.web != nil {
		at := []any{"address", c.web.Addr()}
		if a, err := netip.ParseAddrPort(c.web.Addr().String()); err == nil && a.Addr().IsLoopback() {
			at = append(at, "for", "this host only; set -addr :8080 for a Prometheus on another host")
		}
		c.log.Info("serving http", at...)
	}
	notifySystemd(c.log, daemon.SdNotifyReady)

	err = c.wait(stop, hup)
	close(watchdogDone)
	c.reloads.end()
	stopAsking()

	notifySystemd(c.log, daemon.SdNotifyStopping)
	finished := make(chan struct{})
	defer close(finished)
	go c.giveUp(stop, finished, time.Now())
	return errors.Join(err, c.stop(&workers))
}

// echo is how soon after the first a signal is taken for the same one: what
// runs weir, timeout(1) for one, may signal both the process and its group.
const echo = 300 * time.Millisecond

// giveUp ends the process at a second signal.
func (c *collection) giveUp(stop <-chan os.Signal, finished <-chan struct{}, first time.Time) {
	for {
		select {
		case s := <-stop:
			if time.Since(first) < echo {
				continue
			}
			c.log.Error("second signal: giving up what is in flight", "signal", s.String(), "records", c.ledger().InFlight)
			os.Exit(ExitError)
		case <-finished:
			return
		}
	}
}

// wait returns when it is time to stop, with the reason if it is a failure.
func (c *collection) wait(stop, hup <-chan os.Signal) error {
	requests := c.keeper.requests()
	signals, reloaded := hup, make(chan struct{}, 1)
	for {
		o := c.outlet.Load()
		select {
		case s := <-stop:
			c.log.Info("stopping", "signal", s.String())
			return nil
		case r := <-requests:
			if r == nil {
				requests = nil
				continue
			}
			c.log.Info("stopping: another process takes over", "process", r.PID())
			c.keeper.succeed(r)
			return nil
		case err := <-c.failed:
			c.log.Error("stopping", "error", err)
			return err
		case <-c.swapped:
		case <-o.hub.Closed():
			if o != c.outlet.Load() {
				continue // of the output before
			}
			return fmt.Errorf("write flows: %w", sink.ErrClosed)
		case <-signals:
			signals = nil // one at a time: the channel keeps the next one
			c.onSignal(reloaded)
		case <-reloaded:
			signals = hup
		}
	}
}

// counters returns the output's, which stay the same when the output changes.
func (c *collection) counters() *sink.Counters { return c.outlet.Load().hub.Counters() }

func (c *collection) ledger() *collector.Ledger {
	return collector.NewLedger(c.workers, c.counters())
}

// summary logs where everything ended, in the words of the metrics.
func (c *collection) summary() {
	l := c.ledger()
	d := &l.Workers.Decode
	attrs := []any{
		"seconds", fmt.Sprintf("%.1f", time.Since(c.started).Seconds()),
		"datagrams_received", l.Received(),
		"datagrams_decoded", producer.Sum(d.Decoded[:]),
		"datagrams_failed", producer.Sum(d.Failed[:]),
		"datagrams_held", d.Held.Datagrams,
		"datagrams_dropped_denied", l.Workers.Denied,
		"datagrams_dropped_rate", l.Workers.Limited,
		"datagrams_dropped_shutdown", l.Workers.Shutdown,
		"socket_dropped", l.Workers.SocketDropped,
		"records_produced", l.Produced(),
		"records_acknowledged", l.Acknowledged,
		"records_dropped", l.DroppedRecords(),
		"records_spooled", l.Spooled,
		"spool_recovered_records", l.Recovered,
		"records_in_flight", l.InFlight,
		"sets_without_template", d.SetsWithoutTemplate,
		"exporters", c.source.Exporters.Len(),
	}
	if captures := c.captures.Load(); captures != nil {
		redirected, dropped := collector.SumCaptures(captures.Stats())
		attrs = append(attrs, "xdp_verdicts_redirect", redirected, "xdp_dropped", dropped+l.Workers.FramesMalformed)
	}
	for reason, n := range byReason(&d.Failed) {
		attrs = append(attrs, "datagrams_failed_"+reason, n)
	}
	for _, drop := range l.Dropped {
		if drop.Records > 0 {
			attrs = append(attrs, "records_dropped_"+drop.Reason, drop.Records)
		}
	}
	c.log.Info("ledger", attrs...)
}

// standstill is how long a worker may not turn before it counts as stuck. An
// idle one turns once a second.
const standstill = 3 * time.Second

// watchdog tells systemd that the process is alive, if it wants to know: only
// while every worker's loop turns.
func (c *collection) watchdog(done <-chan struct{}) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	last := make([]uint64, len(c.workers))
	turned := make([]time.Time, len(c.workers))
	for i := range turned {
		turned[i] = time.Now()
	}
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		alive, now := true, time.Now()
		for i, w := range c.workers {
			if turns := w.Turns(); turns != last[i] {
				last[i], turned[i] = turns, now
			}
			alive = alive && now.Sub(turned[i]) < standstill
		}
		if !alive {
			c.log.Warn("a worker's loop stands still, so systemd's watchdog is not notified")
			continue
		}
		notifySystemd(c.log, daemon.SdNotifyWatchdog)
	}
}

// notifySystemd tells systemd the state, where weir runs under it.
func notifySystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil && !errors.Is(err, net.ErrClosed) {
		log.Debug("notify systemd", "error", err)
	}
}
