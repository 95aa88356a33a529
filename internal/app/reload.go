package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/mapping"
	"github.com/weirflow/weir/internal/metrics"
	"github.com/weirflow/weir/internal/reload"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink/output"
)

// loadPrograms makes the program that the options ask for. What is wrong is a
// *config.UsageError.
func loadPrograms(m *config.Mapping, e *config.Enrich) (*producer.Programs, []string, error) {
	p, notes, err := loadProgram(m, e)
	if err != nil {
		return nil, nil, err
	}
	return producer.NewPrograms(p), notes, nil
}

func loadProgram(m *config.Mapping, e *config.Enrich) (*producer.Program, []string, error) {
	return mapping.Load(m.File, producer.Settings{Hash: m.Hash, Compat: m.Compat == "goflow2", Enriched: *e != config.Enrich{}})
}

// outputPatience is how long the output may take to end a write, before a reload is refused.
const outputPatience = 10 * time.Second

// reloads is what a collection needs to reload its configuration.
type reloads struct {
	again parseAgain
	level *slog.LevelVar

	running  atomic.Bool                   // all that a reload changes is there
	until    context.Context               // done when weir stops
	abandon  context.CancelFunc            // of until
	signaled sync.WaitGroup                // the reload that SIGHUP asked for
	mu       sync.Mutex                    // one reload at a time
	config   atomic.Pointer[config.Config] // in force
	memory   atomic.Pointer[metrics.Memory]
	ok, bad  atomic.Uint64
	failed   atomic.Bool  // the last one was refused
	reloaded atomic.Int64 // when the last one was not, in Unix seconds
}

// parseAgain is what the configuration was made of at the start.
type parseAgain struct {
	args, environ []string
	outputs       []output.Kind
}

// answerReloads has weir reload ask this process, until stop is called.
func (c *collection) answerReloads() (stop func()) {
	s, err := reload.Serve(os.Getpid(), c.reopenAndReload)
	if err != nil {
		c.log.Warn("weir reload cannot ask this process: send it SIGHUP", "error", err)
		return func() {}
	}
	return s.Close
}

// begin makes reloads ready. They are refused until running is set.
func (r *reloads) begin(level *slog.LevelVar, again parseAgain) {
	r.level, r.again = level, again
	r.until, r.abandon = context.WithCancel(context.Background())
}

// end refuses further reloads. One that waits for the output gives up.
func (r *reloads) end() {
	r.running.Store(false)
	r.abandon()
	r.signaled.Wait()
	r.mu.Lock() // one that the web server was asked for
	defer r.mu.Unlock()
}

// stats returns what became of reloads.
func (r *reloads) stats() metrics.Reloads {
	return metrics.Reloads{OK: r.ok.Load(), Refused: r.bad.Load(), LastRefused: r.failed.Load(), LastSuccess: r.reloaded.Load()}
}

// reload reads configuration, mapping and token again and puts them into force, or
// nothing of them if anything is wrong. It returns what changed and what needs a restart,
// in lines; the error has a line for each fault. systemd is told meanwhile.
func (c *collection) reload() (string, error) {
	r := &c.reloads
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.running.Load() {
		return "", errors.New("weir is starting or stopping: try again in a moment")
	}
	notifySystemd(c.log, reload.State())
	defer notifySystemd(c.log, daemon.SdNotifyReady)
	text, err := c.reloadNow()
	if err != nil {
		r.bad.Add(1)
		r.failed.Store(true)
		for line := range strings.Lines(err.Error()) {
			c.log.Error("configuration not reloaded, nothing is changed", "error", strings.TrimSpace(line))
		}
		return "", err
	}
	r.ok.Add(1)
	r.failed.Store(false)
	r.reloaded.Store(time.Now().Unix())
	return text, nil
}

func (c *collection) reloadNow() (string, error) {
	was := c.config.Load()
	next, err := config.Parse(c.again.args, c.again.environ, io.Discard, c.again.outputs...)
	if err != nil {
		return "", err
	}
	plan, err := reload.NewPlan(was, next, c.fixed()...)
	if err != nil {
		return "", err
	}
	ch, err := c.prepare(plan)
	if err == nil {
		err = c.changeOutput(plan, ch.turn)
	}
	if err != nil {
		ch.undo()
		return "", err
	}
	ch.commit()
	c.config.Store(plan.Config)
	for _, n := range next.Warnings {
		c.log.Warn(n)
	}
	c.log.Info("configuration reloaded", "changed", strings.Join(plan.Changed, ", "))
	if len(plan.Restart) > 0 {
		c.log.Warn("some options keep their values until weir is started again", "options", strings.Join(plan.Restart, ", "))
	}
	return plan.String(), nil
}

// fixed returns the live options that this process cannot change.
func (c *collection) fixed() []string {
	if c.captures.Load() != nil || runtime.GOOS != "linux" {
		return nil
	}
	// Without an interface at the start weir gave up the capabilities that capturing takes.
	return []string{"xdp.interface"}
}

// changes are what a reload has made and not yet put into force.
type changes struct {
	turns, commits, undos []func()
}

// turn puts into force what changes with the form of records. Like commit it cannot fail.
func (ch *changes) turn() { all(ch.turns) }

// commit puts the rest into force.
func (ch *changes) commit() { all(ch.commits) }

// undo takes back what was made.
func (ch *changes) undo() { all(ch.undos) }

func all(list []func()) {
	for _, f := range list {
		f()
	}
}

// prepare makes what the plan asks for, but for the output. The error has all that is wrong.
func (c *collection) prepare(plan *reload.Plan) (ch *changes, err error) {
	cfg := plan.Config
	ch = &changes{}
	if c.web != nil {
		token, terr := c.web.PrepareToken()
		ch.commits, err = append(ch.commits, token), errors.Join(err, terr)
	}
	if cfg.Mapping.File != "" || plan.Has("mapping", "format.hash", "compat") {
		program, notes, perr := loadProgram(&cfg.Mapping, &cfg.Enrich)
		err = errors.Join(err, perr)
		ch.turns = append(ch.turns, func() {
			for _, n := range notes {
				c.log.Warn(n)
			}
			c.programs.Set(program)
			c.log.Info("mapping reloaded", "file", cfg.Mapping.File)
		})
	}
	listens := c.addresses()
	if plan.Has("listen") && err == nil {
		l, lerr := c.prepareListen(cfg)
		err = errors.Join(err, lerr)
		if lerr == nil {
			listens = boundTo(l.after())
			ch.undos = append(ch.undos, func() { c.undoListen(l) })
			defer func() { ch.commits = append(ch.commits, func() { c.commitListen(l) }) }() // after the captures
		}
	}
	if captures := c.captures.Load(); captures != nil && err == nil && (plan.Has("listen", "exporters.allow", "exporters.deny", "exporters.rate") || plan.HasBelow("xdp.")) {
		swap, drop, cerr := captures.Prepare(c.captureConfig(cfg, listens))
		err = errors.Join(err, cerr)
		ch.commits, ch.undos = append(ch.commits, swap), append(ch.undos, drop)
	}
	if plan.Has("exporters.allow", "exporters.deny", "exporters.rate") {
		x := cfg.Exporters
		admission := collector.NewAdmission(x.Allow, x.Deny, x.Rate)
		ch.commits = append(ch.commits, func() { c.gate.Set(admission) })
	}
	ch.commits = append(ch.commits, func() { c.commitTables(plan) })
	return ch, err
}

// commitTables puts options into force that are numbers and lists.
func (c *collection) commitTables(plan *reload.Plan) {
	cfg := plan.Config
	c.level.Set(cfg.LogLevel)
	if plan.Has("sampling") {
		c.source.Exporters.SetSampling(samplingRules(cfg.Watch.Sampling))
	}
	c.source.Exporters.SetSilentAfter(cfg.Watch.SilentAfter)
	if c.errors != nil {
		c.errors.SetLimits(retain.Limits{Bytes: cfg.Watch.ErrorsBytes, Age: cfg.Watch.ErrorsAge})
	}
	if plan.Has("metrics.exporters") {
		c.source.Exporters.SetNamed(cfg.MetricsExporters)
		if c.names != nil {
			c.names.SetLimit(cfg.MetricsExporters)
		}
	}
	if plan.Has("metrics.exporters", "transport", "batch.size", "sink.depth") {
		c.setMemory(limitMemory(cfg, len(c.workers), c.log))
	}
}

func (c *collection) setMemory(limit int64, caps []metrics.Cap) {
	c.memory.Store(&metrics.Memory{Max: limit, Caps: caps})
}

// reopenAndReload is what SIGHUP and weir reload ask for.
func (c *collection) reopenAndReload() (string, error) {
	opened := c.reopen()
	text, err := c.reload()
	return text, errors.Join(opened, err)
}

// onSignal does the same in a goroutine of its own, so that a stop need not wait for an
// output that does not take anything. done has one slot.
func (c *collection) onSignal(done chan<- struct{}) {
	c.signaled.Go(func() {
		_, _ = c.reopenAndReload() // which log what is wrong
		done <- struct{}{}
	})
}

// reopen has the output opened again, for log rotation by others.
func (c *collection) reopen() error {
	ctx, cancel := context.WithTimeout(c.until, outputPatience)
	defer cancel()
	err := c.outlet.Load().hub.Reopen(ctx)
	if err != nil {
		c.log.Error("output not reopened, still using the old one", "error", err)
	} else {
		c.log.Info("output reopened")
	}
	return err
}

// mapping compiles the mapping file.
func (r *report) mapping(cfg *config.Config) {
	if cfg.Mapping.File == "" && len(cfg.Mapping.Hash) == 0 {
		return
	}
	_, notes, err := loadPrograms(&cfg.Mapping, &cfg.Enrich)
	if err != nil {
		for _, line := range bytes.Split([]byte(err.Error()), []byte("\n")) {
			r.Refuse("mapping", string(line), "")
		}
		return
	}
	for _, n := range notes {
		r.Warn("mapping", n, "")
	}
	if cfg.Mapping.File != "" {
		r.OK("mapping", cfg.Mapping.File+" compiles")
	}
}

// reloadCommand has a running weir reload its configuration, and waits for it.
func reloadCommand(env Env, args []string) int {
	pid, err := 0, error(nil)
	switch {
	case len(args) > 1:
		err = errors.New("want weir reload [PID]")
	case len(args) == 1:
		pid, err = strconv.Atoi(args[0])
	case os.Getenv("MAINPID") != "": // of ExecReload=
		pid, err = strconv.Atoi(os.Getenv("MAINPID"))
	}
	if err != nil || pid < 0 {
		fmt.Fprintf(env.Stderr, "weir: want weir reload [PID], with the number of the process of a running weir\n")
		return ExitUsage
	}
	text, ok, err := reload.Ask(pid)
	if err != nil {
		return fail(env, err)
	}
	if !ok {
		fmt.Fprint(env.Stderr, text)
		return ExitError
	}
	fmt.Fprint(env.Stdout, text)
	return ExitOK
}
