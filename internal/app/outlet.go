package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/reload"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/output"
)

// An outlet is an output that is open, and the hub that writes to it.
type outlet struct {
	out   *output.Output
	hub   output.Hub
	lanes []*sink.Lane // by worker
}

// changesOutput reports whether the plan needs another output. The open one takes over some
// options by itself.
func changesOutput(plan *reload.Plan) bool {
	settings := plan.Config.Output()
	return plan.Has("transport", "batch.size", "sink.depth") ||
		slices.ContainsFunc(settings.Options(), func(o option.Option) bool { return plan.Has(o.Name) && !settings.Adapts(o.Name) })
}

// changesRecords reports whether records are written in another way, but for the mapping.
func changesRecords(plan *reload.Plan) bool {
	return plan.Has("format", "produce", "samplingrate.default", "options.join", "sflow.discards", "format.hash", "compat", "batch.linger")
}

// newOutlet makes lanes and hub of an open output, for n workers. The hub counts on where that
// of the outlet before it did; nil is none.
func (c *collection) newOutlet(out *output.Output, cfg *config.Config, n int, before *outlet, sameSpool bool) *outlet {
	o := &outlet{out: out, lanes: make([]*sink.Lane, n)}
	for i := range o.lanes {
		o.lanes[i] = sink.NewLane(i, cfg.SinkDepth, cfg.BatchSize)
	}
	var counters *sink.Counters
	if before != nil {
		counters = before.hub.Counters()
	}
	o.hub = out.NewHub(o.lanes, counters, sameSpool, c.log)
	o.hub.Counters().LeaveFaults() // c.watcher logs them
	return o
}

// run has the outlet's hub write.
func (o *outlet) run() {
	go func() { _ = o.hub.Run(context.Background()) }() // Stop has its error
}

// records returns how workers write records to the outlet.
func (c *collection) records(cfg *config.Config, out *output.Output) producer.Config {
	r := producerConfig(cfg.Produce, cfg.Format, out.Separator, cfg.SamplingRateDefault, c.programs)
	r = withRecords(r, &cfg.Records, c.optionNames)
	r.Held = c.held
	if out.Sink != nil && out.Sink.Name() == "stdout" && isTerminal(os.Stdout) && colored(os.Environ()) {
		r.Line = coloredLine
	}
	return r
}

// workerConfig returns how workers work.
func workerConfig(cfg *config.Config) collector.Config {
	return collector.Config{BatchSize: cfg.BatchSize, Linger: cfg.Linger, Latency: cfg.Latency}
}

// changeOutput puts what the plan changes of the output and of the form of records into force,
// or nothing of it and returns an error. turn is called between: no record is in work then.
//
// The new output is opened first, and the old one written to its end while the new one works
// already. Outputs that hold the same thing, such as a file, cannot be open at once: then what
// arrives waits while the one is written to its end and the other opened.
func (c *collection) changeOutput(plan *reload.Plan, turn func()) error {
	swap := changesOutput(plan)
	if !swap && !changesRecords(plan) {
		if err := c.reconfigureOutput(plan); err != nil {
			return err
		}
		turn()
		return nil
	}
	old := c.outlet.Load()
	was, next := plan.Was.Output(), plan.Config.Output()
	var opened *output.Output
	together := swap && share(was.Holds(), next.Holds())
	if swap && !together {
		var err error
		if opened, err = next.Open(plan.Config.Format, c.log); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(c.until, outputPatience)
	defer cancel()
	halts, err := c.haltWorkers(ctx)
	var again *outlet // the old output, opened again
	switch {
	case err != nil:
	case together:
		opened, again, err = c.reopenOutput(ctx, old, plan)
	case !swap:
		err = c.reconfigureOutput(plan)
	}
	if err != nil {
		c.resume(halts, again, plan.Was)
		if opened != nil {
			opened.Close()
		}
		return err
	}
	turn()
	if !swap {
		c.resume(halts, nil, plan.Config)
		return nil
	}
	o := c.newOutlet(opened, plan.Config, len(c.workers), old, slices.Equal(was.Holds(), next.Holds()))
	c.use(o)
	c.resume(halts, o, plan.Config)
	c.log.Info("output changed", "transport", plan.Config.Transport)
	if !together {
		if err := old.hub.Stop(ctx); err != nil {
			c.log.Warn("the output before is not written to its end", "error", err)
		}
	}
	return nil
}

// share reports whether two outputs hold the same thing, or may.
func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return x == output.Everything && len(b) > 0 || slices.Contains(b, x) }) ||
		slices.Contains(b, output.Everything) && len(a) > 0
}

// haltWorkers has all workers stand still, their batches handed over.
func (c *collection) haltWorkers(ctx context.Context) (halts []*collector.Halt, err error) {
	for _, w := range c.workers {
		h, err := w.Halt(ctx)
		if err != nil {
			return halts, fmt.Errorf("change output: %w", err)
		}
		halts = append(halts, h)
	}
	return halts, nil
}

// use has the outlet's hub write, and makes it the one that is open.
func (c *collection) use(o *outlet) {
	o.run()
	c.outlet.Store(o)
	select {
	case c.swapped <- struct{}{}:
	default: // wait has not seen the one before
	}
}

// resume has the workers go on with the records of a configuration, and with the lanes of an
// outlet; nil: with those that they have.
func (c *collection) resume(halts []*collector.Halt, o *outlet, cfg *config.Config) {
	c.formats.begin(cfg.Format, c.ledger().Workers.Decode.Encoded)
	records := c.records(cfg, c.outlet.Load().out)
	for i, h := range halts {
		if o != nil {
			h.Lane(o.lanes[i], o.hub.Notify)
		}
		h.Configure(workerConfig(cfg), c.withGeo(records))
		h.Resume()
	}
}

// reopenOutput writes the output to its end and opens the next one, while the workers stand
// still. If that fails it opens the one before again.
func (c *collection) reopenOutput(ctx context.Context, old *outlet, plan *reload.Plan) (*output.Output, *outlet, error) {
	if err := old.hub.Stop(ctx); err != nil {
		c.log.Warn("the output before is not written to its end", "error", err)
	}
	out, err := plan.Config.Output().Open(plan.Config.Format, c.log)
	if err == nil {
		return out, nil, nil
	}
	was, aerr := plan.Was.Output().Open(plan.Was.Format, c.log)
	if aerr != nil {
		err = errors.Join(err, fmt.Errorf("open the output before again: %w", aerr))
		c.failed <- err
		return nil, nil, err
	}
	again := c.newOutlet(was, plan.Was, len(c.workers), old, true)
	c.use(again)
	return nil, again, err
}

// reconfigureOutput has the open output take over its live options.
func (c *collection) reconfigureOutput(plan *reload.Plan) error {
	o := c.outlet.Load()
	hub, ok := o.hub.(interface {
		Do(context.Context, func() error) error
	})
	if !ok || o.out.Reconfigure == nil || !plan.HasBelow("transport."+plan.Config.Transport+".") {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.until, outputPatience)
	defer cancel()
	return hub.Do(ctx, func() error { return o.out.Reconfigure(plan.Config.Output()) })
}

// formats is what was encoded in which format.
type formats struct {
	mu    sync.Mutex
	now   string
	since [producer.NumPaths]uint64 // what was encoded before that began
	done  map[string]*[producer.NumPaths]uint64
}

// begin takes note that messages have a format from now on; total is what was encoded so far.
func (f *formats) begin(name string, total [producer.NumPaths]uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == nil {
		f.done = map[string]*[producer.NumPaths]uint64{}
	}
	if f.now != "" {
		sum := f.done[f.now]
		for i := range total {
			sum[i] += total[i] - f.since[i]
		}
	}
	if f.now, f.since = name, total; f.done[name] == nil {
		f.done[name] = new([producer.NumPaths]uint64)
	}
}

// each calls f for what was encoded in each format, of which total is the sum.
func (f *formats) each(total [producer.NumPaths]uint64, yield func(format string, encoded [producer.NumPaths]uint64)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, done := range f.done {
		sum := *done
		if name == f.now {
			for i := range total {
				sum[i] += total[i] - f.since[i]
			}
		}
		yield(name, sum)
	}
}
