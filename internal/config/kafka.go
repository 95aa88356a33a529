package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Kafka says which cluster to write to, and how.
type Kafka struct {
	Brokers []string // host:port
	SRV     string   // DNS name whose SRV records list the brokers; "" uses Brokers
	Topic   string
	Version string // oldest protocol version of the cluster

	TLS                              bool
	TLSCA, TLSClient, TLSKey         string // files; "" is none, or the system's authorities
	TLSInsecure                      bool
	SASL                             string // "none", "plain", "scram-sha256", "scram-sha512"
	SASLUser, SASLPassword, SASLFile string // of the environment or the file

	MaxMessageBytes  int
	FlushBytes       int
	Linger           time.Duration
	Hashing          bool
	Compression      string // "none", "gzip", "snappy", "lz4", "zstd"
	CompressionLevel int    // 0 is the codec's own
	Acks             string // "all", "1", "0"
	Idempotent       string // "auto", "on", "off"
	Message          string // "flow", "batch"
}

// Spool says where batches wait on disk that the output does not take.
type Spool struct {
	Dir      string // "" is none
	MaxBytes int64
	Mode     string // "outage", "always"
}

// kafkaOptions declares the options of writing to Kafka.
func (c *Config) kafkaOptions() []Option {
	k, s := &c.Kafka, &c.Spool
	option := func(name, def, shape string, v Value, help string) Option {
		return Option{Name: "transport.kafka." + name, Group: GroupKafka, Default: def, Shape: shape, Value: v, Help: help}
	}
	inner := func(o Option, key string) Option { o.Inner = key; return o }
	return []Option{
		option("brokers", "127.0.0.1:9092,[::1]:9092", "host:port,...", brokersValue(&k.Brokers),
			"Brokers to begin with; the cluster names the others. It need not be there at the start."),
		option("srv", "", "name", TextValue(&k.SRV),
			"DNS name whose SRV records list the brokers, instead of transport.kafka.brokers."),
		option("topic", "flow-messages", "name", TextValue(&k.Topic), "Topic to write to."),
		option("version", "2.8.0", "n.n.n", TextValue(&k.Version), "Oldest version of the cluster, 0.11.0 at least."),
		inner(option("tls", "false", "true|false", SwitchValue(&k.TLS), "Connect by TLS."), "enable"),
		option("tls.ca", "", "file", TextValue(&k.TLSCA), "Certificates of the authorities that sign the brokers', PEM. Empty for those of the system."),
		option("tls.client", "", "file", TextValue(&k.TLSClient), "Certificate to show to the brokers, PEM."),
		option("tls.key", "", "file", TextValue(&k.TLSKey), "Key of that certificate, PEM."),
		option("tls.insecure", "false", "true|false", SwitchValue(&k.TLSInsecure), "Do not look whether the brokers' certificates are good."),
		inner(option("sasl", "none", "none|plain|scram-sha256|scram-sha512",
			ChoiceValue(&k.SASL, Choices{Allowed: []string{"none", "plain", "scram-sha256", "scram-sha512"}}),
			"How to authenticate. User and password come from the environment, KAFKA_SASL_USER and KAFKA_SASL_PASS, or from transport.kafka.sasl.file."), "mechanism"),
		option("sasl.file", "", "file", TextValue(&k.SASLFile), "File with the user in its first line and the password in its second."),
		option("maxmsgbytes", "1000000", "n", IntValue(&k.MaxMessageBytes, 1000, 64<<20), "Largest message, and set of messages, in bytes before compression. The brokers' message.max.bytes must not be less."),
		option("flushbytes", "104857600", "n", IntValue(&k.FlushBytes, 1, 1<<30), "Bytes at which a set is sent, if less than transport.kafka.maxmsgbytes."),
		option("linger", "100ms", "duration", DurationValue(&k.Linger, time.Millisecond, time.Minute, ""), "Longest time that a set waits for more messages. goflow2 calls it transport.kafka.flushfreq."),
		option("hashing", "false", "true|false", SwitchValue(&k.Hashing), "Put messages of equal keys into the same partition."),
		inner(option("compression", "none", "none|gzip|snappy|lz4|zstd",
			ChoiceValue(&k.Compression, Choices{Allowed: []string{"none", "gzip", "snappy", "lz4", "zstd"}, Same: map[string]string{"": "none"}}),
			"Compression of the sets."), "type"),
		option("compression.level", "0", "n", IntValue(&k.CompressionLevel, 0, 22), "Level of the compression; 0 is the codec's own."),
		option("acks", "all", "all|1|0", ChoiceValue(&k.Acks, Choices{Allowed: []string{"all", "1", "0"}, Same: map[string]string{"-1": "all"}}),
			"Which brokers must have a set before it counts as written: all in sync, the leader, none."),
		option("idempotent", "auto", "auto|on|off", ChoiceValue(&k.Idempotent, Choices{Allowed: []string{"auto", "on", "off"}}),
			"Number the sets, so that one that is sent again is written once. auto does where the cluster can."),
		option("message", "flow", "flow|batch", ChoiceValue(&k.Message, Choices{Allowed: []string{"flow", "batch"}}),
			"What a Kafka message holds: one flow, as goflow2's do, or as many as fit, one behind the other, which costs a fraction."),
		{
			Name: "spool.dir", Group: GroupKafka, Default: "", Shape: "path", Value: TextValue(&s.Dir),
			Help: "Directory for what Kafka does not take, until it does; none is no spool. Empty is kafka-spool in the state directory that systemd gives, else in /var/lib/weir, where that can be used. -transport file has no spool.",
		},
		{
			Name: "spool.max-bytes", Group: GroupKafka, Default: "8GiB", Shape: "size",
			Value: SizeValue(&s.MaxBytes, 16<<20, 1<<50, ""),
			Help:  "Size that the spool does not exceed: the oldest is dropped, and counted, to make room.",
		},
		{
			Name: "spool.mode", Group: GroupKafka, Default: "outage", Shape: "outage|always",
			Value: ChoiceValue(&s.Mode, Choices{Allowed: []string{"outage", "always"}}),
			Help:  "Spool only what Kafka does not take, or write everything to disk before it is offered.",
		},
	}
}

// brokersValue is a list of host:port.
func brokersValue(p *[]string) Value {
	const allowed = "host:port, such as kafka1:9092,kafka2:9092"
	return Value{
		List: true,
		Set:  func(s string) error { *p = split(s); return nil },
		Get:  func() string { return strings.Join(*p, ",") },
		Check: func() error {
			var faults Problems
			for i, b := range *p {
				if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
					faults = append(faults, &Problem{Part: show(b), Index: i, Text: "not a broker's address", Allowed: allowed})
				}
			}
			if len(faults) > 0 {
				return faults
			}
			return nil
		},
	}
}

// secrets reads the user and the password of SASL, which are no options: they
// have no place in the list of processes.
func (k *Kafka) secrets(environ []string) error {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, "KAFKA_SASL_USER="); ok {
			k.SASLUser = v
		}
		if v, ok := strings.CutPrefix(e, "KAFKA_SASL_PASS="); ok {
			k.SASLPassword = v
		}
	}
	if k.SASLFile != "" {
		text, err := os.ReadFile(k.SASLFile)
		if err != nil {
			var pathErr *os.PathError
			if errors.As(err, &pathErr) {
				err = pathErr.Err // the name is not shown: see isSecret
			}
			return &Problem{Text: fmt.Sprintf("cannot read the file: %v", err), Allowed: "a file with the user and the password in two lines"}
		}
		lines := strings.SplitN(strings.TrimRight(string(text), "\r\n"), "\n", 3)
		if len(lines) != 2 {
			return &Problem{Text: "not two lines", Allowed: "a file with the user and the password in two lines"}
		}
		k.SASLUser, k.SASLPassword = strings.TrimRight(lines[0], "\r"), strings.TrimRight(lines[1], "\r")
	}
	if k.SASL != "none" && k.SASLUser == "" {
		return &Problem{Text: "no user", Allowed: "KAFKA_SASL_USER and KAFKA_SASL_PASS in the environment, or -transport.kafka.sasl.file"}
	}
	return nil
}
