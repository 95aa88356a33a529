package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/metrics"
	"github.com/weirflow/weir/internal/state"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// newStore returns the template store that the configuration asks for.
func newStore(cfg *config.Config) *producer.TemplateStore {
	store := producer.NewStore(templateLimits(cfg))
	usePorts(store, cfg.Templates.KeyPort)
	return store
}

// usePorts sets the policy of ports by its name.
func usePorts(store *producer.TemplateStore, policy string) {
	store.UsePorts(map[string]template.Ports{
		"off": template.PortsOff, "on": template.PortsOn, "auto": template.PortsAuto,
	}[policy])
}

func templateLimits(cfg *config.Config) template.Limits {
	t := &cfg.Templates
	return template.Limits{
		Domains:            t.MaxDomains,
		TemplatesPerDomain: t.MaxPerDomain,
		FieldsPerTemplate:  t.MaxFields,
		Bytes:              t.MaxBytes,
		Samplers:           t.MaxSamplers,
	}
}

// newHeld returns the room for data that comes before its template.
func newHeld(cfg *config.Config) *producer.Held {
	return producer.NewHeld(pendingLimits(&cfg.Templates.Pending))
}

func pendingLimits(p *config.Pending) producer.HeldLimits {
	return producer.HeldLimits{Bytes: p.Bytes, Sets: p.Sets, AgeNs: int64(p.Age)}
}

// statePath returns the file that state is kept in, "" for none.
func statePath(cfg *config.Config) string {
	if cfg.Templates.StatePath != "" {
		return cfg.Templates.StatePath
	}
	if dir := stateDirectory(); dir != "" {
		return filepath.Join(dir, "templates.json")
	}
	return ""
}

// stateDirectory returns the folder that systemd gives for state, "" for none.
func stateDirectory() string {
	dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	return dir
}

// loadState loads what was kept over the restart. It returns nil where nothing
// is kept. Nothing else works with the sections yet.
func (c *collection) loadState(sections ...state.Section) *state.File {
	path := statePath(c.cfg)
	if path == "" {
		c.log.Info("no saved state: exporters have to announce their templates after a restart (set -templates.json.path)")
		return nil
	}
	f := state.New(state.Config{
		Path:     path,
		Interval: c.cfg.Templates.StateInterval,
		Activity: c.activity,
		Logger:   c.log,
	})
	for _, s := range sections {
		f.Register(s)
	}
	f.Load()
	return f
}

// activity grows with the datagrams that were received.
func (c *collection) activity() uint64 {
	n := uint64(0)
	for _, w := range c.workers {
		s := w.Snapshot()
		n += producer.Sum(s.Received[:])
	}
	return n
}

// keep saves state, and forgets templates that are too old, until stopKeeping.
func (c *collection) keep(store *producer.TemplateStore) {
	if c.state != nil {
		go c.state.Run()
	}
	if c.numbers != nil {
		c.numbers.begun.Store(true)
		go c.numbersFile.Run()
	}
	t := &c.cfg.Templates
	if t.TTL == 0 {
		return
	}
	c.sweep = make(chan struct{})
	go func() {
		tick := time.NewTicker(t.SweepInterval)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				if n := store.Expire(now.UnixNano(), int64(t.TTL), t.ExtendOnAccess); n > 0 {
					c.log.Info("templates forgotten: not announced for too long", "templates", n, "ttl", t.TTL)
				}
			case <-c.sweep:
				return
			}
		}
	}()
}

// stopKeeping saves state once more. ended tells that the workers have stopped.
func (c *collection) stopKeeping(ctx context.Context, ended bool) error {
	if c.sweep != nil {
		close(c.sweep)
	}
	if c.state == nil {
		return nil
	}
	c.numbers.stopped.Store(ended)
	errs := []error{c.state.Stop(ctx), c.numbersFile.Stop(ctx)}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

const (
	batchSlack = 64 << 10 // what a batch has beyond batch.size
	baseBytes  = 48 << 20 // the program, its stacks, web server and metrics
	// collectorShare is the part of what tables and batches may take that the
	// garbage collector has in addition: the reciprocal. Without room it would run
	// all the time.
	collectorShare = 3
)

// memoryCaps returns what the parts of a collector of so many workers may take. The
// tables that the network fills come first.
func memoryCaps(cfg *config.Config, workers int) []metrics.Cap {
	batch := int64(cfg.BatchSize) + batchSlack + int64(cfg.BatchSize)/64*4
	limits := collector.TableLimits{
		Templates: templateLimits(cfg),
		Pending:   pendingLimits(&cfg.Templates.Pending),
		Exporters: cfg.Watch.MaxExporters,
		Sockets:   max(workers, len(cfg.Listen)),
		Workers:   workers,
		Errors:    cfg.Watch.ErrorsDir != "",

		OptionNames: names.DefaultBytes,
	}
	if cfg.Goflow2.Metrics == "on" && cfg.Addr != "" {
		limits.Names = cfg.MetricsExporters
	}
	var caps []metrics.Cap
	for _, table := range collector.Tables(&limits) {
		if n := len(caps); n > 0 && caps[n-1].Part == table.Part {
			caps[n-1].Bytes += table.Bytes
			continue
		}
		caps = append(caps, metrics.Cap{Part: table.Part, Bytes: table.Bytes})
	}
	caps = append(caps,
		metrics.Cap{Part: "batches", Bytes: int64(workers) * int64(cfg.SinkDepth) * batch},
		metrics.Cap{Part: "base", Bytes: baseBytes},
	)
	if n := cfg.Output().Memory(batch); n > 0 {
		caps = append(caps, metrics.Cap{Part: cfg.Transport, Bytes: n})
	}
	return append(caps, metrics.Cap{Part: "collector", Bytes: sumOf(caps) / collectorShare})
}

// limitMemory tells the runtime the limit, and returns it with what the parts may
// take: 0 for none. A limit that was asked for and is less is said. One that was
// not asked for is no less than what they may take. GOMEMLIMIT counts where
// -memory.max was not set.
func limitMemory(cfg *config.Config, workers int, log *slog.Logger) (limit int64, caps []metrics.Cap) {
	caps = memoryCaps(cfg, workers)
	asked := cfg.Asked("memory.max")
	if !asked && os.Getenv("GOMEMLIMIT") != "" {
		limit = debug.SetMemoryLimit(-1) // asks only
		log.Info("memory limit of the environment", "GOMEMLIMIT", os.Getenv("GOMEMLIMIT"))
		return limit, caps
	}
	if cfg.MemoryMax == 0 {
		return 0, caps
	}
	limit = cfg.MemoryMax
	if total := sumOf(caps); !asked && total > limit {
		limit = total
		log.Info("memory limit raised to what tables, batches and the garbage collector may take (-memory.max sets another)", "mib", limit>>20)
	}
	debug.SetMemoryLimit(limit)
	if finding := memoryFinding(cfg, caps); finding != "" {
		log.Warn(finding)
	}
	return limit, caps
}

func sumOf(caps []metrics.Cap) int64 {
	total := int64(0)
	for _, c := range caps {
		total += c.Bytes
	}
	return total
}

// memoryFinding says that the parts may take more than the limit that was asked
// for; "" if they may not.
func memoryFinding(cfg *config.Config, caps []metrics.Cap) string {
	total := sumOf(caps)
	if cfg.MemoryMax == 0 || total <= cfg.MemoryMax || !cfg.Asked("memory.max") {
		return ""
	}
	var parts []string
	for _, c := range caps {
		parts = append(parts, fmt.Sprintf("%s %d", c.Part, c.Bytes>>20))
	}
	return fmt.Sprintf("-memory.max of %d MiB is less than the %d MiB that tables, batches and the garbage collector may take (%s MiB): raise it, or lower -sink.depth, -batch.size, -exporters.max, -templates.max-bytes or -templates.pending",
		cfg.MemoryMax>>20, total>>20, strings.Join(parts, ", "))
}
