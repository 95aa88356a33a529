package config

import (
	"io"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink/kafka"
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

	Input       string        // "stdin" or "kafka"
	InputFormat string        // "auto", "bin" or "json"
	Kafka       kafka.Cluster // which topic to read
	Group       string        // consumer group

	// Version, Warnings and Notes are as in Config.
	Version  bool
	Warnings []string
	Notes    []string
}

// inputPrefix begins the names of the options of the topic to read.
const inputPrefix = "input.kafka."

func newEnricher() *Enricher { return &Enricher{Output: *newConfig()} }

// ParseEnricher builds the configuration of the enricher from defaults and
// arguments; of the environment only the secrets of SASL are looked at. It
// returns like Parse.
func ParseEnricher(args []string, environ []string, w io.Writer) (*Enricher, error) {
	e := newEnricher()
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
	faults = append(faults, out.secrets(environ)...)
	if out.Format == "human" {
		faults = append(faults, out.faultsOf("format", &option.Problem{Text: "the enricher writes for programs", Allowed: "json, text, bin"})...)
	}
	if e.Input == "kafka" {
		faults = append(faults, out.at(e.Kafka.Secrets(environ, inputPrefix))...)
		if e.Kafka.Topic == "" {
			faults = append(faults, out.faultsOf("input.kafka.topic", &option.Problem{Text: "no topic to read is named", Allowed: "the name of a topic"})...)
		}
	}
	if len(faults) > 0 {
		return nil, usageError(faults)
	}
	e.Notes = append(e.Notes, out.outputNotes()...)
	if e.Enrich.ASN == "" && e.Enrich.Country == "" {
		e.Notes = append(e.Notes, "neither -db.asn nor -db.country is given: messages get no AS numbers and no countries")
	}
	return e, nil
}

// EnricherTable returns the table of the enricher, for manuals.
func EnricherTable() *Table { return newEnricher().table() }

func (e *Enricher) table() *Table {
	return &Table{
		Command: "enricher",
		Usage:   "weir -format=bin -transport.file.sep= | enricher [flags]",
		About:   "enricher reads the flow messages that weir or goflow2 writes, protobuf or JSON, from standard input or from Kafka, adds the AS numbers and countries of their addresses by MaxMind databases, and writes them in any format to any output.",
		Options: e.options(),
		Others:  newConfig().options(),
		Examples: []Example{
			{"weir -transport.file.sep= -format=bin | enricher -db.asn GeoLite2-ASN.mmdb -db.country GeoLite2-Country.mmdb", "Write flows with AS numbers and countries as JSON lines to standard output."},
			{"enricher -input kafka -input.kafka.topic flows -db.asn GeoLite2-ASN.mmdb -format bin -transport kafka -transport.kafka.topic flows-enriched", "Read a topic and write the same flows with AS numbers to another."},
		},
	}
}

// options declares the options of the enricher. Those of its output are weir's.
func (e *Enricher) options() []option.Option {
	options := []option.Option{
		{
			Name: "input", Group: option.GroupReceive, Default: "stdin", Shape: "stdin|kafka",
			Value: option.ChoiceValue(&e.Input, option.Choices{Allowed: []string{"stdin", "kafka"}, Same: map[string]string{"-": "stdin"}}),
			Help:  "Where to read messages from.",
		},
		{
			Name: "input.format", Group: option.GroupReceive, Default: "auto", Shape: "auto|bin|json",
			Value: option.ChoiceValue(&e.InputFormat, option.Choices{Allowed: []string{"auto", "bin", "json"}, Same: map[string]string{"pb": "bin"}}),
			Help:  "Format of the messages. auto detects it from the first bytes. Line ends between protobuf messages are detected in any case.",
		},
	}
	options = append(options, e.Kafka.Options(inputPrefix,
		"Brokers of the cluster to read from.", "Topic to read, each message of which holds one flow or several.")...)
	options = append(options, option.Option{
		Name: inputPrefix + "group", Group: kafka.Group, Default: "weir-enricher", Shape: "name", Value: option.TextValue(&e.Group),
		Help: "Consumer group: enrichers of one group share the topic's partitions. A new group begins with the oldest message.",
	})
	options = append(options, e.Enrich.options("db.")...)
	options = append(options, option.Option{
		Name: "samplingrate", Group: option.GroupDecode, Default: "0", Shape: "n", Value: rateValue(&e.SamplingRate),
		Help: "Sampling rate to set in every message, in place of the one in it: N for one packet in N. 0 changes nothing.",
	})
	options = append(options, e.Output.writeOptions()...)
	options = append(options, e.Output.logOptions()...)
	for i := range options {
		options[i].NoEnv, options[i].NoFile = true, true
	}
	return options
}

// Enrich says which databases to look addresses up in.
type Enrich struct {
	ASN, Country string // paths; "" is none
}

// options declares the options of the databases, by names that begin with prefix.
func (e *Enrich) options(prefix string) []option.Option {
	return []option.Option{
		{
			Name: prefix + "asn", Group: option.GroupDecode, Default: "", Shape: "file", Value: option.TextValue(&e.ASN),
			Help: "MaxMind database (mmdb) of AS numbers, for src_as and dst_as. weir reads it again when the file changes. AS numbers that it does not contain stay as the exporter sent them.",
		},
		{
			Name: prefix + "country", Group: option.GroupDecode, Default: "", Shape: "file", Value: option.TextValue(&e.Country),
			Help: "MaxMind database (mmdb) of countries, for src_country and dst_country: two letters, protobuf fields 1000 and 1001. weir reads it again when the file changes.",
		},
	}
}
