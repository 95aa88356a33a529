package config

import (
	"io"
	"slices"
	"strings"
)

// An Enricher is how the enricher is told to run: a stream of messages in, the
// same with more in them out. Nothing writes to it after ParseEnricher.
type Enricher struct {
	// Output says where to write and how: of a Config, the part that is about
	// output and the log.
	Output Config
	// Enrich names the databases.
	Enrich Enrich
	// SamplingRate is set in every message, unless it is 0.
	SamplingRate uint64

	Input       string // "stdin" or "kafka"
	InputFormat string // "auto", "bin" or "json"
	Kafka       KafkaInput

	// Version, Warnings and Notes are as in Config.
	Version  bool
	Warnings []string
	Notes    []string
}

// KafkaInput says which topic to read.
type KafkaInput struct {
	Brokers                          []string
	Topic, Group                     string
	Version                          string
	TLS                              bool
	TLSCA, TLSClient, TLSKey         string
	TLSInsecure                      bool
	SASL                             string
	SASLUser, SASLPassword, SASLFile string // of the environment or the file
}

// ParseEnricher builds the configuration of the enricher from defaults and
// arguments; of the environment only the secrets of SASL are looked at. It
// returns like Parse.
func ParseEnricher(args []string, environ []string, w io.Writer) (*Enricher, error) {
	e := &Enricher{}
	t := e.table()
	res, faults, err := t.load(args, nil, w)
	if err != nil {
		return nil, err
	}
	e.Version, e.Warnings, e.Notes = res.Version, res.Warnings, res.Notes
	if e.Version {
		return e, nil
	}
	out := &e.Output
	out.Sources, out.origins = res.Sources, res.origins
	faults = append(faults, out.together(faults)...)
	if out.Transport == "kafka" {
		if err := out.Kafka.secrets(environ); err != nil {
			faults = append(faults, out.faultsOf("transport.kafka.sasl", err)...)
		}
	}
	if e.Input == "kafka" {
		k := Kafka{SASL: e.Kafka.SASL, SASLFile: e.Kafka.SASLFile}
		if err := k.secrets(environ); err != nil {
			faults = append(faults, out.faultsOf("input.kafka.sasl", err)...)
		}
		e.Kafka.SASLUser, e.Kafka.SASLPassword = k.SASLUser, k.SASLPassword
		if e.Kafka.Topic == "" {
			faults = append(faults, out.faultsOf("input.kafka.topic", &Problem{Text: "no topic to read is named", Allowed: "the name of a topic"})...)
		}
	}
	if len(faults) > 0 {
		return nil, usageError(faults)
	}
	if note := sepNote(out.Format, out.TransportFileSep, res.Sources["transport.file.sep"]); note != "" && out.Transport == "file" {
		e.Notes = append(e.Notes, note)
	}
	if e.Enrich.ASN == "" && e.Enrich.Country == "" {
		e.Notes = append(e.Notes, "neither -db.asn nor -db.country is given: messages get no AS numbers and no countries")
	}
	return e, nil
}

func (e *Enricher) table() *Table {
	return &Table{
		Command: "enricher",
		Usage:   "weir -format=bin -transport.file.sep= | enricher [flags]",
		About:   "enricher reads the flow messages that weir or goflow2 writes, protobuf or JSON, from standard input or from Kafka, adds the AS numbers and countries of their addresses by MaxMind databases, and writes them in any format to any output.",
		Options: e.options(),
		Others:  (&Config{}).options(),
		Examples: []Example{
			{"weir -transport.file.sep= -format=bin | enricher -db.asn GeoLite2-ASN.mmdb -db.country GeoLite2-Country.mmdb", "Write flows with AS numbers and countries as JSON lines to standard output."},
			{"enricher -input kafka -input.kafka.topic flows -db.asn GeoLite2-ASN.mmdb -format bin -transport kafka -transport.kafka.topic flows-enriched", "Read a topic and write the same flows with AS numbers to another."},
		},
	}
}

// options declares the options of the enricher. Those of its output are weir's.
func (e *Enricher) options() []Option {
	k := &e.Kafka
	kafka := func(name, def, shape string, v Value, help string) Option {
		return Option{Name: "input.kafka." + name, Group: GroupKafka, Default: def, Shape: shape, Value: v, Help: help}
	}
	options := []Option{
		{
			Name: "input", Group: GroupReceive, Default: "stdin", Shape: "stdin|kafka",
			Value: ChoiceValue(&e.Input, Choices{Allowed: []string{"stdin", "kafka"}, Same: map[string]string{"-": "stdin"}}),
			Help:  "Where to read messages from.",
		},
		{
			Name: "input.format", Group: GroupReceive, Default: "auto", Shape: "auto|bin|json",
			Value: ChoiceValue(&e.InputFormat, Choices{Allowed: []string{"auto", "bin", "json"}, Same: map[string]string{"pb": "bin"}}),
			Help:  "How they are written. auto looks at the first bytes; line ends between protobuf messages are found out in any case.",
		},
		kafka("brokers", "127.0.0.1:9092,[::1]:9092", "host:port,...", brokersValue(&k.Brokers), "Brokers of the cluster to read from."),
		kafka("topic", "flow-messages", "name", TextValue(&k.Topic), "Topic to read, each message of which holds one flow or several."),
		kafka("group", "weir-enricher", "name", TextValue(&k.Group), "Consumer group: enrichers of one group share the topic's partitions. A new group begins with the oldest message."),
		kafka("version", "2.8.0", "n.n.n", TextValue(&k.Version), "Oldest version of the cluster, 0.11.0 at least."),
		kafka("tls", "false", "true|false", SwitchValue(&k.TLS), "Connect by TLS."),
		kafka("tls.ca", "", "file", TextValue(&k.TLSCA), "Certificates of the authorities that sign the brokers', PEM. Empty for those of the system."),
		kafka("tls.client", "", "file", TextValue(&k.TLSClient), "Certificate to show to the brokers, PEM."),
		kafka("tls.key", "", "file", TextValue(&k.TLSKey), "Key of that certificate, PEM."),
		kafka("tls.insecure", "false", "true|false", SwitchValue(&k.TLSInsecure), "Do not look whether the brokers' certificates are good."),
		kafka("sasl", "none", "none|plain|scram-sha256|scram-sha512",
			ChoiceValue(&k.SASL, Choices{Allowed: []string{"none", "plain", "scram-sha256", "scram-sha512"}}),
			"How to authenticate. User and password come from the environment, KAFKA_SASL_USER and KAFKA_SASL_PASS, or from input.kafka.sasl.file."),
		kafka("sasl.file", "", "file", TextValue(&k.SASLFile), "File with the user in its first line and the password in its second."),
	}
	options = append(options, e.Enrich.options("db.")...)
	options = append(options, Option{
		Name: "samplingrate", Group: GroupDecode, Default: "0", Shape: "n", Value: rateValue(&e.SamplingRate),
		Help: "Sampling rate to set in every message, whatever it had: N for one packet in N. 0 leaves it as it is.",
	})
	for _, o := range e.Output.options() {
		if isOutput(o.Name) {
			options = append(options, o)
		}
	}
	for i := range options {
		options[i].NoEnv, options[i].NoFile = true, true
	}
	return options
}

// isOutput tells the options of output and log.
func isOutput(name string) bool {
	return strings.HasPrefix(name, "transport.") || strings.HasPrefix(name, "spool.") || slices.Contains([]string{
		"format", "transport", "batch.size", "batch.linger", "sink.depth", "loglevel", "logfmt",
	}, name)
}

// Enrich says which databases to look addresses up in.
type Enrich struct {
	ASN, Country string // paths; "" is none
}

// options declares the options of the databases, by names that begin with prefix.
func (e *Enrich) options(prefix string) []Option {
	return []Option{
		{
			Name: prefix + "asn", Group: GroupDecode, Default: "", Shape: "file", Value: TextValue(&e.ASN),
			Help: "MaxMind database (mmdb) of AS numbers, for src_as and dst_as. It is read anew when the file changes. What it does not know stays as the exporter said.",
		},
		{
			Name: prefix + "country", Group: GroupDecode, Default: "", Shape: "file", Value: TextValue(&e.Country),
			Help: "MaxMind database (mmdb) of countries, for src_country and dst_country: two letters, protobuf fields 1000 and 1001. It is read anew when the file changes.",
		},
	}
}
