package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/enrich"
	"github.com/weirflow/weir/producer/geo"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/output"
)

// enricherGrace is how long the enricher goes on reading after a signal: what
// writes to it may have got the same signal, and has something left to write.
const enricherGrace = 5 * time.Second

// EnricherMain runs the enricher and returns its exit code, one of weir's.
func EnricherMain(env Env, stdin io.Reader) int {
	cfg, err := config.ParseEnricher(env.Args, env.Environ, env.Stderr)
	if err != nil {
		return failEnricher(env, err)
	}
	if cfg.Version {
		fmt.Fprintln(env.Stdout, strings.Replace(versionLine(), "weir", "enricher", 1))
		return ExitOK
	}
	log := newLogger(env.Stderr, cfg.Output.LogLevel, cfg.Output.LogFormat)
	for _, n := range cfg.Notes {
		log.Info(n)
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(stop)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	signal.Ignore(syscall.SIGPIPE)

	e, err := newEnricher(cfg, stdin, log)
	if err != nil {
		return failEnricher(env, err)
	}
	if err := e.run(stop, hup); err != nil {
		return failEnricher(env, err)
	}
	return ExitOK
}

func failEnricher(env Env, err error) int {
	var usage *config.UsageError
	switch {
	case errors.Is(err, config.ErrHelp):
		return ExitOK
	case errors.As(err, &usage):
		fmt.Fprintf(env.Stderr, "enricher: %v\n", err)
		return ExitUsage
	}
	fmt.Fprintf(env.Stderr, "enricher: %v\n", err)
	return ExitError
}

// enricher is one run.
type enricher struct {
	cfg       *config.Enricher
	log       *slog.Logger
	databases *enrich.Databases // nil for none
	cache     *geo.Cache
	feed      *feed
	hub       output.Hub
	source    messageSource
	started   time.Time
}

// messageSource is where messages come from.
type messageSource interface {
	// start begins to read.
	start(ctx context.Context)
	// step waits for what comes next and gives it to the feed, or returns when
	// ctx is done. It returns io.EOF when there is no more.
	step(ctx context.Context, f *feed) error
	// stop ends reading; what was read has been given to the feed.
	stop(f *feed) error
}

func newEnricher(cfg *config.Enricher, stdin io.Reader, log *slog.Logger) (*enricher, error) {
	e := &enricher{cfg: cfg, log: log, started: time.Now()}
	var err error
	if e.databases, err = openDatabases(&cfg.Enrich, "db.", log); err != nil {
		return nil, err
	}
	if e.databases != nil {
		e.cache = geo.NewCache(e.databases.Source())
	}
	if cfg.Input == "kafka" {
		e.source, err = newKafkaSource(&cfg.Kafka, cfg.Group, cfg.InputFormat, log)
	} else {
		e.source = newStreamSource(stdin, cfg.InputFormat, log)
	}
	if err != nil {
		return nil, err
	}
	out, err := cfg.Output.Output().Open(cfg.Output.Format, log)
	if err != nil {
		return nil, err
	}
	lane := sink.NewLane(0, cfg.Output.SinkDepth, cfg.Output.BatchSize)
	e.hub = out.NewHub([]*sink.Lane{lane}, nil, false, log)
	t := enrich.NewTransformer(enrich.NewRewriter(e.cache, cfg.SamplingRate), enricherOutput(cfg.Output.Format), out.Separator)
	e.feed = newFeed(t, lane, e.hub, cfg.Output.BatchSize, cfg.Output.Linger)
	return e, nil
}

func enricherOutput(format string) enrich.Output {
	switch format {
	case "bin":
		return enrich.OutputBin
	case "text":
		return enrich.OutputText
	}
	return enrich.OutputJSON
}

// run enriches until the input ends, a signal comes over stop, or something fails
// for good.
func (e *enricher) run(stop, hup <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	hubDone := make(chan error, 1)
	go func() { hubDone <- e.hub.Run(context.Background()) }()
	if e.databases != nil {
		go e.databases.Watch(ctx)
	}
	reading, endReading := context.WithCancel(ctx)
	defer endReading()
	finished := make(chan struct{})
	defer close(finished)
	go e.signals(stop, hup, endReading, finished)

	e.source.start(reading)
	var err error
	for err == nil && reading.Err() == nil {
		err = e.source.step(reading, e.feed)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		err = nil
	}
	err = errors.Join(err, e.source.stop(e.feed))
	if !errors.Is(err, sink.ErrClosed) { // what is whole is written, whatever came after it
		err = errors.Join(err, e.feed.settle())
	}
	stopCtx, cancelStop := context.WithTimeout(context.Background(), stopTimeout)
	defer cancelStop()
	err = errors.Join(err, e.hub.Stop(stopCtx))
	return errors.Join(err, e.summary())
}

// signals ends reading after a signal, and everything after the second.
func (e *enricher) signals(stop, hup <-chan os.Signal, endReading func(), finished <-chan struct{}) {
	var first time.Time
	var grace <-chan time.Time
	for {
		select {
		case s := <-stop:
			switch {
			case first.IsZero():
				first = time.Now()
				e.log.Info("stopping", "signal", s.String())
				if e.cfg.Input == "kafka" {
					endReading()
				} else {
					grace = time.After(enricherGrace)
				}
			case time.Since(first) >= echo:
				e.log.Error("second signal: giving up what is in flight", "signal", s.String())
				os.Exit(ExitError)
			}
		case <-grace:
			endReading()
		case <-hup:
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			if err := e.hub.Reopen(ctx); err != nil {
				e.log.Error("output not reopened, still using the old one", "error", err)
			}
			cancel()
		case <-finished:
			return
		}
	}
}

// summary logs where everything ended; an error says that something was lost.
func (e *enricher) summary() error {
	c := &e.feed.transformer.Counts
	l := e.hub.Counters().Ledger()
	seconds := time.Since(e.started).Seconds()
	attrs := []any{
		"seconds", fmt.Sprintf("%.1f", seconds),
		"messages_read", c.Messages,
		"messages_malformed", c.Malformed,
		"messages_written", l.Acked,
		"messages_spooled", l.Spooled,
		"messages_dropped", l.Dropped,
		"bytes_read", c.Bytes,
	}
	if e.cache != nil {
		attrs = append(attrs, "lookups_missed_cache", e.cache.Misses())
	}
	e.log.Info("enriched", attrs...)
	if l.Dropped > 0 {
		return fmt.Errorf("%d messages were not written", l.Dropped)
	}
	return nil
}
