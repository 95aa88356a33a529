package kafka

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink"
	"github.com/weirflow/weir/sink/output"
)

// Prefix begins the names of the options.
const Prefix = "transport.kafka."

// Kind returns the row of the registry.
func Kind() output.Kind {
	return output.Kind{
		Name: "kafka", Help: "a topic of a Kafka cluster",
		New:     func() output.Settings { return &Settings{} },
		Metrics: kindMetrics,
	}
}

// Settings are the options that begin with -transport.kafka, and those of the spool.
type Settings struct {
	output.Base
	Cluster
	SRV              string // DNS name whose SRV records list the brokers; "" uses Brokers
	MaxMessageBytes  int
	FlushBytes       int
	Linger           time.Duration
	Hashing          bool
	Compression      string // "none", "gzip", "snappy", "lz4", "zstd"
	CompressionLevel int    // 0 is the codec's own
	Acks             string // "all", "1", "0"
	Idempotent       string // "auto", "on", "off"
	Message          string // "flow", "batch"
	Spool            SpoolSettings
}

// Options implements [output.Settings].
func (k *Settings) Options() []option.Option {
	add := func(name, def, shape string, v option.Value, help string) option.Option {
		return option.Option{Name: Prefix + name, Group: Group, Default: def, Shape: shape, Value: v, Help: help}
	}
	choice := func(name, def string, p *string, words []string, same map[string]string, help string) option.Option {
		return add(name, def, strings.Join(words, "|"), option.ChoiceValue(p, option.Choices{Allowed: words, Same: same}), help)
	}
	options := k.Cluster.Options(Prefix,
		"Brokers to begin with; the cluster names the others. It need not be there at the start.", "Topic to write to.")
	srv := add("srv", "", "name", option.TextValue(&k.SRV), "DNS name whose SRV records list the brokers, instead of transport.kafka.brokers.")
	options = append(options[:1], append([]option.Option{srv}, options[1:]...)...)
	compression := choice("compression", "none", &k.Compression, []string{"none", "gzip", "snappy", "lz4", "zstd"}, map[string]string{"": "none"},
		"Compression of the record batches.")
	compression.Inner = "type"
	options = append(options,
		add("maxmsgbytes", "1000000", "n", option.IntValue(&k.MaxMessageBytes, 1000, 64<<20), "Largest message, and largest record batch, in bytes before compression. The brokers' message.max.bytes must not be less."),
		add("flushbytes", "104857600", "n", option.IntValue(&k.FlushBytes, 1, 1<<30), "Bytes at which a record batch is sent, if less than transport.kafka.maxmsgbytes."),
		add("linger", "100ms", "duration", option.DurationValue(&k.Linger, time.Millisecond, time.Minute, ""), "Longest time that a record batch waits for more messages. goflow2 calls it transport.kafka.flushfreq."),
		add("hashing", "false", "true|false", option.SwitchValue(&k.Hashing), "Put messages of equal keys into the same partition."),
		compression,
		add("compression.level", "0", "n", option.IntValue(&k.CompressionLevel, 0, 22), "Level of the compression; 0 is the codec's own."),
		choice("acks", "all", &k.Acks, []string{"all", "1", "0"}, map[string]string{"-1": "all"},
			"Which brokers must have a record batch before it counts as written: all in sync, the leader, none."),
		choice("idempotent", "auto", &k.Idempotent, []string{"auto", "on", "off"}, nil,
			"Number the record batches, so that the cluster writes one that is sent again only once. auto does where the cluster can."),
		choice("message", "flow", &k.Message, []string{"flow", "batch"}, nil,
			"What a Kafka message holds: one flow, as goflow2's do, or as many as fit, one after the other, which costs a fraction."),
	)
	return append(options, k.Spool.options()...)
}

// Secrets implements [output.Settings].
func (k *Settings) Secrets(environ []string) []output.Fault {
	return k.Cluster.Secrets(environ, Prefix)
}

// Validate implements [output.Settings]: what New would refuse and no option
// refuses by itself, files of TLS aside.
func (k *Settings) Validate(g *output.Given) (faults []output.Fault) {
	if !g.Chosen {
		return nil
	}
	fault := func(name, text, allowed string) {
		if !g.Wrong(Prefix + name) {
			faults = append(faults, output.Fault{Option: Prefix + name, Err: &option.Problem{Text: text, Allowed: allowed}})
		}
	}
	if g.Format == "human" && !g.Wrong("format") {
		faults = append(faults, output.Fault{Option: "format", Err: &option.Problem{Text: "human is for terminals and files", Allowed: "json, text or bin with -transport kafka"}})
	}
	if !validTopic(k.Topic) {
		fault("topic", "not a name of a topic", "1 to 249 of a-z A-Z 0-9 . _ -")
	}
	version, err := parseVersion(k.Version)
	switch {
	case err != nil:
		fault("version", err.Error(), "0.11.0 or later, such as 2.8.0")
	case k.Compression == "zstd" && !version.IsAtLeast(sarama.V2_1_0_0):
		fault("compression", "needs brokers of version 2.1.0 or later", "zstd together with -"+Prefix+"version 2.1.0 or later")
	}
	if Idempotent(k.Idempotent) == IdempotentOn && k.Acks != "all" {
		fault("idempotent", "needs acknowledgements of all brokers", "on together with -"+Prefix+"acks all")
	}
	return faults
}

// Config returns the configuration of the sink for messages in a format.
func (k *Settings) Config(format string, log *slog.Logger) Config {
	c := k.Cluster.Config()
	c.SRV = k.SRV
	c.MaxMessageBytes = k.MaxMessageBytes
	c.FlushBytes = k.FlushBytes
	c.Linger = k.Linger
	c.Hashing = k.Hashing
	c.Compression = k.Compression
	c.CompressionLevel = k.CompressionLevel
	c.Acks = k.Acks
	c.Idempotent = Idempotent(k.Idempotent)
	c.Shape = Shape(k.Message)
	c.Format = FormatJSON
	switch format {
	case "bin":
		c.Format = FormatProtobuf
	case "text":
		c.Format = FormatText
	}
	c.Logger = log
	return c
}

// Memory implements [output.Settings]: batches in place of those that the sink keeps,
// copies of what is in them, compressed and not, and those read from the spool.
func (k *Settings) Memory(batch int64) int64 {
	return 3*DefaultBufferBytes + sink.DefaultWindow*batch
}

// Holds implements [output.Settings]: a spool has one owner, a cluster many. There may be one
// by default, too.
func (k *Settings) Holds() []string {
	dir, _ := k.Spool.dir(os.Getenv("STATE_DIRECTORY"), stateDir)
	if dir == noSpool {
		return nil
	}
	return []string{"spool " + dir}
}

// Adapts implements [output.Settings].
func (k *Settings) Adapts(string) bool { return false }

// Open implements [output.Settings]. The cluster need not be there.
func (k *Settings) Open(format string, log *slog.Logger) (*output.Output, error) {
	s, err := New(k.Config(format, log))
	if err != nil {
		return nil, fmt.Errorf("open kafka output: %w", err)
	}
	disk, err := k.Spool.open(os.Getenv("STATE_DIRECTORY"), stateDir, log)
	if err != nil {
		_ = s.Close() // nothing was written
		return nil, err
	}
	out := &output.Output{Async: s, Always: k.Spool.Mode == "always"}
	if disk != nil {
		out.Spool, out.Files = disk, true
	}
	out.Collect = func(e output.Emitter, spooled, recovered uint64) {
		collect(e, s)
		if disk != nil {
			collectSpool(e, disk, spooled, recovered)
		}
	}
	return out, nil
}

// Check implements [output.Settings]: what can be known without asking the cluster, which
// need not be there, and the place of the spool.
func (k *Settings) Check(format string, r output.Report) {
	c := k.Config(format, nil)
	if err := c.Validate(); err != nil {
		for line := range strings.Lines(err.Error()) {
			r.Refuse("output", "kafka: "+strings.TrimSpace(line), "")
		}
		return
	}
	to := strings.Join(k.Brokers, ",")
	if k.SRV != "" {
		to = "brokers of " + k.SRV
	}
	r.OK("output", fmt.Sprintf("kafka topic %s at %s, message %s, acks %s", k.Topic, to, k.Message, k.Acks))
	k.Spool.check(r, os.Getenv("STATE_DIRECTORY"), stateDir)
}
