package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/capture"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/human"
	"github.com/weirflow/weir/internal/progress"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/file"
)

// decodeCommand writes the flows in captures.
func decodeCommand(env Env, args []string) int {
	cfg, err := config.ParseDecode(args, env.Environ, env.Stderr)
	if err != nil {
		return fail(env, err)
	}
	if cfg.Version {
		fmt.Fprintln(env.Stdout, versionLine())
		return ExitOK
	}
	terminal := cfg.File.Path == "" && isTerminal(env.Stdout)
	size := capture.Size(cfg.Files)
	var line *progress.Line
	if !terminal { // there the flows are what moves
		line = showProgress(env, "decode", size)
	}
	log := newLogger(logWriter(env, line), cfg.LogLevel, cfg.LogFormat)
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	for _, n := range cfg.Notes {
		log.Debug(n)
	}
	if terminal && cfg.Sources["format"] == "default" && cfg.Produce != "raw" && cfg.Mapping.File == "" && cfg.Mapping.Compat == "none" {
		cfg.Format = "human"
		fmt.Fprintln(env.Stderr, "weir: flows for people; -format json writes JSON lines")
	}
	d, err := newDecode(cfg, log)
	if err != nil {
		return fail(env, err)
	}
	d.color = terminal && colored(env.Environ)
	d.progress = line
	err = errors.Join(d.run(), d.out.Flush(), d.out.Close())
	if cfg.DumpPlans && err == nil {
		_, err = env.Stdout.Write(producer.AppendPlans(nil, d.store))
	}
	if cfg.Stats != "" {
		err = errors.Join(err, writeStats(cfg.Stats, env.Stderr, d.stats()))
	}
	line.Clear()
	if errors.Is(err, sink.ErrClosed) {
		return ExitError // the reader has what it wanted, as with head
	}
	if err != nil {
		return fail(env, err)
	}
	code := d.judge()
	if isTerminal(env.Stderr) && !cfg.DumpPlans {
		fmt.Fprintln(env.Stderr, d.summary(size*int64(max(1, cfg.Repeat)), time.Since(d.started)))
	}
	return code
}

// summary says in a line what was decoded, and how fast. size is that of the captures, 0 if
// it is not known.
func (d *decode) summary(size int64, taken time.Duration) string {
	datagrams, flows := producer.Sum(d.counters.Datagrams[:]), producer.Sum(d.counters.Records[:])
	seconds := max(taken.Seconds(), 1e-6)
	rate := func(n uint64) string { return progress.Count(uint64(float64(n) / seconds)) }
	text := fmt.Sprintf("weir: %s datagrams, %s flows", progress.Count(datagrams), progress.Count(flows))
	if size > 0 {
		text += " of " + progress.Bytes(size)
	}
	text += fmt.Sprintf(" in %v: %s datagrams/s, %s flows/s", taken.Round(time.Millisecond), rate(datagrams), rate(flows))
	if size > 0 {
		text += ", " + progress.Bytes(int64(float64(size)/seconds)) + "/s"
	}
	return text
}

// judge logs what could not be read, and returns ExitError if a capture was damaged or has
// no datagram of a flow protocol. It logs nothing where the statistics are on standard error:
// they have the same counts, and programs read them as JSON.
func (d *decode) judge() int {
	c := &d.captures
	log := d.log
	if d.cfg.Stats == "-" {
		log = slog.New(slog.DiscardHandler)
	}
	for _, unread := range []struct {
		packets uint64
		what    string
	}{
		{c.TCP, "TCP packets were not read: IPFIX over TCP is not decoded"},
		{c.UnknownLink, "packets of an unknown link type were not read"},
		{c.Truncated, "packets were captured too short to be read: capture with a larger snap length (tcpdump -s 0)"},
		{c.FragmentsIncomplete, "fragments were not read: their datagrams are not whole in the capture"},
	} {
		if unread.packets > 0 {
			log.Warn(unread.what, "packets", unread.packets)
		}
	}
	code := ExitOK
	if d.damaged {
		code = ExitError
	}
	known := producer.Sum(d.counters.Datagrams[:]) - d.counters.Datagrams[producer.ProtocolUnknown]
	if known == 0 {
		log.Error("no datagram of NetFlow, IPFIX or sFlow", "packets", c.Frames, "udp_datagrams", c.Datagrams, "other_ports", d.skipped)
		return ExitError
	}
	if producer.Sum(d.counters.Records[:]) == 0 {
		log.Warn("no flows in the datagrams: -stats - prints why", "datagrams", known, "without_template", d.counters.SetsWithoutTemplate)
	}
	return code
}

// decode is one run of weir decode.
type decode struct {
	// progress is shown on standard error, nil if that is no terminal. before is the size of
	// the captures that are done.
	progress *progress.Line
	before   int64

	color   bool // the output is a terminal that shows colors
	damaged bool // a capture was not read to its end
	cfg     *config.Decode
	log     *slog.Logger
	out     *file.File
	batch   *producer.Batch

	counters producer.Counters // of all rounds that are over
	prod     *producer.Producer
	store    *producer.TemplateStore // of the current round
	programs *producer.Programs
	skipped  uint64 // datagrams to other ports than the one asked for
	captures capture.Stats
	started  time.Time
}

func newDecode(cfg *config.Decode, log *slog.Logger) (*decode, error) {
	programs, notes, err := loadPrograms(&cfg.Mapping, &config.Enrich{})
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		log.Warn(n)
	}
	// No logger: what the output has to say comes back as errors.
	out, err := file.New(file.Config{Path: cfg.File.Path})
	if err != nil {
		return nil, err
	}
	return &decode{
		cfg:      cfg,
		log:      log,
		out:      out,
		batch:    producer.NewBatch(0, producer.DefaultBatchSize),
		programs: programs,
		started:  time.Now(),
	}, nil
}

// producerConfig returns how records become messages.
func producerConfig(produce, format, separator string, samplingRate uint64, programs *producer.Programs) producer.Config {
	cfg := producer.Config{
		Raw: produce == "raw", Separator: []byte(separator), SamplingRate: samplingRate, Programs: programs,
		IgnoreWithdrawals: true, // all that is decoded came over UDP
	}
	switch format {
	case "bin":
		cfg.Format = producer.FormatBin
	case "text":
		cfg.Format = producer.FormatText
	case "human":
		cfg.Format = producer.FormatLine
		cfg.Line = func(dst []byte, f *producer.Flow) []byte { return human.Append(dst, f, false) }
	}
	return cfg
}

// coloredLine appends a line for people on a terminal.
func coloredLine(dst []byte, f *producer.Flow) []byte { return human.Append(dst, f, true) }

// run decodes the files as often as asked for. A file is streamed, unless it
// is needed again.
func (d *decode) run() error {
	if d.cfg.Repeat <= 1 {
		d.begin()
		for _, name := range d.cfg.Files {
			if err := d.stream(name); err != nil {
				return err
			}
		}
		return d.end()
	}
	var all []capture.Datagram
	for _, name := range d.cfg.Files {
		list, stats, err := capture.Load(name)
		d.addCapture(stats)
		if err := d.tolerate(err); err != nil {
			return err
		}
		all = append(all, list...)
	}
	for range d.cfg.Repeat {
		d.begin()
		for i := range all {
			if err := d.datagram(&all[i]); err != nil {
				return err
			}
		}
		if err := d.end(); err != nil {
			return err
		}
	}
	return nil
}

// begin starts a round with no templates known.
func (d *decode) begin() {
	d.store = producer.NewStore(template.DefaultLimits())
	usePorts(d.store, d.cfg.KeyPort)
	records := producerConfig(d.cfg.Produce, d.cfg.Format, d.cfg.File.Separator, d.cfg.SamplingRateDefault, d.programs)
	records = withRecords(records, &d.cfg.Records, names.NewTable(names.DefaultBytes))
	records.Held = d.held()
	if d.color {
		records.Line = coloredLine
	}
	d.prod = producer.New(records, d.store)
}

// end ends a round.
func (d *decode) end() error {
	d.prod.Abandon(nil)
	d.counters.Add(&d.prod.Counters)
	return d.flush()
}

// stream decodes one file as it is read.
func (d *decode) stream(name string) error {
	r, err := capture.Open(name)
	if err != nil {
		return err
	}
	defer func() {
		d.before += r.Position()
		r.Close()
	}()
	for n := 0; ; n++ {
		if n%1024 == 0 {
			d.progress.Set(d.before + r.Position())
		}
		dg, err := r.Next()
		if err != nil {
			d.addCapture(r.Stats())
			if err == io.EOF {
				return nil
			}
			return d.tolerate(err)
		}
		if err := d.datagram(&dg); err != nil {
			return err
		}
	}
}

// tolerate makes a warning of a capture that ends early: what was read of it
// is good.
func (d *decode) tolerate(err error) error {
	var damaged *capture.DamagedError
	if errors.As(err, &damaged) {
		d.log.Warn("capture not read to its end", "error", err)
		d.damaged = true
		return nil
	}
	return err
}

func (d *decode) datagram(dg *capture.Datagram) error {
	if d.cfg.Port != 0 && int(dg.Dst.Port()) != d.cfg.Port {
		d.skipped++
		return nil
	}
	d.prod.Datagram(d.batch, producer.Meta{
		Source:     dg.Src,
		ReceivedNs: dg.TimeNs,
		Truncated:  dg.Cut,
	}, dg.Payload)
	if d.prod.Holds() {
		return d.release(dg.TimeNs)
	}
	if len(d.batch.Buf) >= producer.DefaultBatchSize {
		return d.flush()
	}
	return nil
}

// flush writes the batch.
func (d *decode) flush() error {
	if d.batch.Records() == 0 {
		return nil
	}
	defer d.batch.Reset()
	if d.cfg.DumpPlans {
		return nil
	}
	if _, err := d.out.Write(context.Background(), d.batch); err != nil {
		return fmt.Errorf("write flows: %w", err)
	}
	return nil
}

func (d *decode) addCapture(s capture.Stats) {
	d.captures.Frames += s.Frames
	d.captures.Datagrams += s.Datagrams
	d.captures.NonIP += s.NonIP
	d.captures.TCP += s.TCP
	d.captures.OtherIP += s.OtherIP
	d.captures.UnknownLink += s.UnknownLink
	d.captures.Truncated += s.Truncated
	d.captures.Malformed += s.Malformed
	d.captures.FragmentsUsed += s.FragmentsUsed
	d.captures.FragmentsIncomplete += s.FragmentsIncomplete
	d.captures.Cut += s.Cut
	d.captures.OverLimit += s.OverLimit
	d.captures.InterfacesIgnored += s.InterfacesIgnored
}
