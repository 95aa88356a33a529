package config

import (
	"log/slog"
	"slices"
	"time"
)

// table is the table of the weir command, tied to c.
func (c *Config) table() *Table {
	return &Table{
		Command:    "weir",
		Usage:      "weir [flags]",
		About:      "weir receives NetFlow v1, v5, v7 and v9, IPFIX and sFlow v5 over UDP and writes every flow as a line of JSON or a protobuf message.",
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
func (c *Config) options() []Option {
	return slices.Concat(c.listenOptions(), c.captureOptions(), c.watchOptions(), c.templateOptions(), c.otherOptions(), c.Mapping.options(), c.Enrich.options("enrich."), c.kafkaOptions(), c.Goflow2.options(), c.Profile.options())
}

// listenOptions declares the options of the sockets.
func (c *Config) listenOptions() []Option {
	return []Option{
		{
			Name: "listen", Group: GroupReceive, Default: "sflow://:6343,netflow://:2055", Shape: "uri,...",
			Value: listenValue(&c.Listen),
			Help:  "Addresses to receive on, scheme://host:port/?count=N. Schemes: sflow; netflow (NetFlow and IPFIX); nfl (NetFlow, old name); flow (all of them on one port). The host may be empty for all addresses, an IPv4 address, an IPv6 address in brackets, or a name, which is resolved once. count is the number of sockets that share the port, each with its own worker.",
		},
		{
			Name: "receive.buffer", Group: GroupReceive, Default: "32MiB", Shape: "size",
			Value: SizeValue(&c.ReceiveBuffer, 4<<10, 1<<30-1, "the kernel's default"),
			Help:  "Receive buffer of each socket. The kernel grants no more than net.core.rmem_max to a process without CAP_NET_ADMIN.",
		},
		{
			Name: "cpu.pin", Group: GroupReceive, Default: "", Shape: "cpu,...",
			Value: cpusValue(&c.CPUPin),
			Help:  "CPUs to pin the workers to, in this order, such as 2-5,7. Empty pins none.",
		},
	}
}

// otherOptions declares the options behind receiving.
func (c *Config) otherOptions() []Option {
	return slices.Concat([]Option{
		produceOption(&c.Produce),
		samplingOption(&c.SamplingRateDefault),
		formatOption(&c.Format),
		{
			Name: "transport", Group: GroupWrite, Default: "file", Shape: "file|kafka", Inner: "type",
			Value: ChoiceValue(&c.Transport, Choices{
				Allowed: []string{"file", "kafka"},
			}),
			Help: "Where to write: file is a file or standard output, kafka a topic of a Kafka cluster.",
		},
		fileOption(&c.TransportFile),
		sepOption(&c.TransportFileSep),
		{
			Name: "transport.file.rotate.size", Group: GroupWrite, Default: "0", Shape: "size",
			Value: SizeValue(&c.TransportFileRotateSize, 1<<10, 1<<50, "never"),
			Help:  "Begin a new file before this size is exceeded. 0 never does.",
		},
		{
			Name: "transport.file.rotate.interval", Group: GroupWrite, Default: "0", Shape: "duration",
			Value: DurationValue(&c.TransportFileRotateInterval, time.Second, 366*24*time.Hour, "never"),
			Help:  "Begin a new file when a period of this length, counted in UTC, is over: 1h at every full hour. 0 never does.",
		},
		{
			Name: "transport.file.compress", Group: GroupWrite, Default: "none", Shape: "none|zstd",
			Value: ChoiceValue(&c.TransportFileCompress, Choices{
				Allowed: []string{"none", "zstd"},
				Refused: map[string]string{"gzip": "gzip is not supported; zstd is smaller and faster"},
			}),
			Help: "What becomes of files that rotation put aside: none leaves them, zstd compresses them.",
		},
		{
			Name: "batch.size", Group: GroupWrite, Default: "256KiB", Shape: "size",
			Value: SizeValue(&c.BatchSize, 4<<10, 64<<20, ""),
			Help:  "Bytes of messages that a worker gathers before it hands them to the output.",
		},
		{
			Name: "batch.linger", Group: GroupWrite, Default: "100ms", Shape: "duration",
			Value: DurationValue(&c.Linger, time.Millisecond, time.Minute, ""),
			Help:  "Longest time that a message waits for the batch to fill.",
		},
		{
			Name: "sink.depth", Group: GroupWrite, Default: "64", Shape: "n",
			Value: IntValue(&c.SinkDepth, 2, 4096),
			Help:  "Batches that each worker shares with the output, and with them the messages that may wait for it. Each takes the memory of batch.size.",
		},
	}, c.webOptions(), []Option{
		levelOption(&c.LogLevel),
		logFormatOption(&c.LogFormat),
		{
			Name: "config", Group: GroupRun, Default: "", Shape: "file", NoFile: true,
			Value: TextValue(&c.ConfigFile),
			Help:  "YAML file to read options from. Empty reads none.",
		},
	})
}

func samplingOption(p *uint64) Option {
	return Option{
		Name: "samplingrate.default", Group: GroupDecode, Default: "0", Shape: "n",
		Value: rateValue(p),
		Help:  "Sampling rate of flows whose exporter announces none: N for one packet in N, 0 for none.",
	}
}

func formatOption(p *string) Option {
	return Option{
		Name: "format", Group: GroupWrite, Default: "json", Shape: "json|text|bin", Inner: "type",
		Value: ChoiceValue(p, Choices{
			Allowed: []string{"json", "text", "bin"},
			Same:    map[string]string{"pb": "bin"},
		}),
		Help: "json writes one object a line, text key=value pairs, bin (or pb) protobuf messages that begin with their length.",
	}
}

func fileOption(p *string) Option {
	return Option{
		Name: "transport.file", Group: GroupWrite, Default: "", Shape: "path", Inner: "path",
		Value: TextValue(p),
		Help:  "File to append to. Empty for standard output.",
	}
}

func sepOption(p *string) Option {
	return Option{
		Name: "transport.file.sep", Group: GroupWrite, Default: `\n`, Shape: "text",
		Value: escapedValue(p),
		Help:  `Text after every message, also after those of -format bin, where it should be empty. \n, \t, \r, \0 and \\ are understood.`,
	}
}

func levelOption(p *slog.Level) Option {
	return Option{
		Name: "loglevel", Group: GroupSee, Default: "info", Shape: "debug|info|warn|error",
		Value: levelValue(p),
		Help:  "Least level of the messages that are logged.",
	}
}

func logFormatOption(p *string) Option {
	return Option{
		Name: "logfmt", Group: GroupSee, Default: "normal", Shape: "normal|json",
		Value: ChoiceValue(p, Choices{
			Allowed: []string{"normal", "json"},
		}),
		Help: "Form of the log, which goes to standard error.",
	}
}
