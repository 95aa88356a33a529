package config

import (
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/weirflow/weir/internal/option"
)

// WeirTable returns the table of the weir command, for manuals.
func WeirTable() *Table { return newConfig().table() }

// table is the table of the weir command, tied to c.
func (c *Config) table() *Table {
	return &Table{
		Command:    "weir",
		Usage:      "weir [run] [flags]\n       weir check [flags]        what this host and configuration would do\n       weir decode, reload, xdp  other commands: see weir help",
		About:      "weir receives NetFlow v1, v5, v7, v8 and v9, IPFIX and sFlow v5 over UDP and writes every flow as a line of JSON or a protobuf message.",
		FileOption: "config",
		Options:    c.options(),
		Others:     (&Decode{}).options(),
		Examples: []Example{
			{"weir", "Receive sFlow on port 6343 and NetFlow and IPFIX on port 2055, and write JSON lines to standard output."},
			{"weir -listen 'netflow://:2055/?count=4' -cpu.pin 2-5", "Receive NetFlow and IPFIX with four sockets, whose workers are pinned to CPUs 2 to 5."},
			{`weir -format bin -transport.file.sep "" -transport.file /var/log/weir/flows.bin -transport.file.rotate.size 512MiB`, "Write length-delimited protobuf messages to a file, and begin a new one every 512 MiB."},
			{"WEIR_LOGLEVEL=debug weir -config /etc/weir/weir.yaml", "Read the file and log more than it says."},
		},
	}
}

// options declares every option of weir once. Options that weir decode shares
// are declared below, by functions of their own.
func (c *Config) options() []option.Option {
	return slices.Concat(c.listenOptions(), c.captureOptions(), c.watchOptions(), c.templateOptions(), c.otherOptions(), c.Records.options(), c.Mapping.options(), c.Enrich.options("enrich."), c.Goflow2.options(), c.Profile.options())
}

// listenOptions declares the options of the sockets.
func (c *Config) listenOptions() []option.Option {
	return []option.Option{
		{
			Name: "listen", Live: true, Group: option.GroupReceive, Default: "sflow://:6343,netflow://:2055", Shape: "uri,...",
			Value: listenValue(&c.Listen),
			Help:  "Addresses to receive on, scheme://host:port/?count=N. Schemes: sflow; netflow (NetFlow and IPFIX); nfl (NetFlow, old name); flow (all of them on one port). The host may be empty for all addresses, an IPv4 address, an IPv6 address in brackets, or a name, which is resolved once. count is the number of sockets that share the port, each with its own worker.",
		},
		{
			Name: "receive.buffer", Group: option.GroupReceive, Default: "32MiB", Shape: "size",
			Value: option.SizeValue(&c.ReceiveBuffer, 4<<10, 1<<30-1, "the kernel's default"),
			Help:  "Receive buffer of each socket. The kernel grants no more than net.core.rmem_max to a process without CAP_NET_ADMIN.",
		},
		{
			Name: "cpu.pin", Group: option.GroupReceive, Default: "", Shape: "cpu,...",
			Value: cpusValue(&c.CPUPin),
			Help:  "CPUs to pin the workers to, in this order, such as 2-5,7. Empty pins none.",
		},
	}
}

// otherOptions declares the options of what follows receiving.
func (c *Config) otherOptions() []option.Option {
	return slices.Concat([]option.Option{
		produceOption(&c.Produce),
		samplingOption(&c.SamplingRateDefault),
	}, c.writeOptions(), c.webOptions(), c.logOptions(), []option.Option{
		{
			Name: "handover", Group: option.GroupRun, Default: "", Shape: "path",
			Value: socketPathValue(&c.Handover),
			Help:  "Unix socket over which a new weir takes the sockets of the running one over, so that an upgrade loses nothing: start the new one with the same path. It must run as the same user. Empty is for systemd, which keeps the sockets itself, and for none.",
		},
		{
			Name: "config", Group: option.GroupRun, Default: "", Shape: "file", NoFile: true,
			Value: option.TextValue(&c.ConfigFile),
			Help:  "YAML file to read options from. Empty reads none.",
		},
	})
}

// maxSocketPath is the length of the path of a Unix socket (unix(7): 108 bytes with the
// zero at the end).
const maxSocketPath = 107

// socketPathValue is the path of a Unix socket.
func socketPathValue(p *string) option.Value {
	v := option.TextValue(p)
	v.Check = func() error {
		if len(*p) > maxSocketPath {
			return &option.Problem{Text: strconv.Itoa(len(*p)) + " bytes are too long for a Unix socket", Allowed: "a path of up to " + strconv.Itoa(maxSocketPath) + " bytes"}
		}
		return nil
	}
	return v
}

// writeOptions declares the options of the output, which weir and the enricher share.
func (c *Config) writeOptions() []option.Option {
	return slices.Concat([]option.Option{
		formatOption(&c.Format),
		c.transportOption(),
	}, c.outputOptions(), []option.Option{
		{
			Name: "batch.size", Live: true, Group: option.GroupWrite, Default: "256KiB", Shape: "size",
			Value: option.SizeValue(&c.BatchSize, 4<<10, 64<<20, ""),
			Help:  "Bytes of messages that a worker collects before it passes them to the output.",
		},
		{
			Name: "batch.linger", Live: true, Group: option.GroupWrite, Default: "50ms", Shape: "duration",
			Value: option.DurationValue(&c.Linger, time.Millisecond, time.Minute, ""),
			Help:  "Maximum time that a message waits for the batch to fill.",
		},
		{
			Name: "sink.depth", Live: true, Group: option.GroupWrite, Default: "64", Shape: "n",
			Value: option.IntValue(&c.SinkDepth, 2, 4096),
			Help:  "Batches per worker that may wait for the output. Each takes the memory of batch.size.",
		},
	})
}

// logOptions declares the options of the log.
func (c *Config) logOptions() []option.Option {
	return []option.Option{levelOption(&c.LogLevel), logFormatOption(&c.LogFormat)}
}

func samplingOption(p *uint64) option.Option {
	return option.Option{
		Name: "samplingrate.default", Live: true, Group: option.GroupDecode, Default: "0", Shape: "n",
		Value: rateValue(p),
		Help:  "Sampling rate of flows whose exporter announces none: N for one packet in N, 0 for none.",
	}
}

func formatOption(p *string) option.Option {
	return option.Option{
		Name: "format", Live: true, Group: option.GroupWrite, Default: "json", Shape: "json|text|bin|human", Inner: "type",
		Value: option.ChoiceValue(p, option.Choices{
			Allowed: []string{"json", "text", "bin", "human"},
			Same:    map[string]string{"pb": "bin"},
		}),
		Help: "json writes one object a line, text key=value pairs, bin (or pb) protobuf messages that begin with their length, human aligned columns for a person to read, with packets and bytes multiplied by the sampling rate.",
	}
}

func levelOption(p *slog.Level) option.Option {
	return option.Option{
		Name: "loglevel", Live: true, Group: option.GroupSee, Default: "info", Shape: "debug|info|warn|error",
		Value: levelValue(p),
		Help:  "Lowest level of the messages that are logged.",
	}
}

func logFormatOption(p *string) option.Option {
	return option.Option{
		Name: "logfmt", Group: option.GroupSee, Default: "normal", Shape: "normal|json",
		Value: option.ChoiceValue(p, option.Choices{
			Allowed: []string{"normal", "json"},
		}),
		Help: "Form of the log, which goes to standard error.",
	}
}
