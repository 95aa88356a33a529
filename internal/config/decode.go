package config

import (
	"io"
	"log/slog"
)

// A Decode is how weir decode is told to run: capture files in, messages out.
// Nothing writes to it after ParseDecode.
type Decode struct {
	// Version is true if only the version was asked for.
	Version bool

	Files               []string // capture files, in the order given; at least one
	Port                int      // UDP destination port to decode; 0 is all
	Repeat              int      // times that the files are decoded, at least 1
	SamplingRateDefault uint64   // as in Config
	Produce             string   // as in Config
	Mapping             Mapping
	Format              string // "json", "text" or "bin"
	TransportFile       string // path; "" is standard output
	TransportFileSep    string // bytes after every message
	DumpPlans           bool   // write what templates became in place of the messages
	Stats               string // path of the statistics; "-" is standard error, "" is none
	LogLevel            slog.Level
	LogFormat           string // "normal" or "json"

	// Sources, Warnings and Notes are as in Config.
	Sources  map[string]string
	Warnings []string
	Notes    []string
}

// ParseDecode builds the configuration of weir decode from defaults,
// environment and arguments. Flags may stand before, between and behind the
// files. It returns like Parse.
//
// The output file is taken from the flag alone, not from the environment: in
// the environment of a running collector, WEIR_TRANSPORT_FILE names the
// collector's own output.
func ParseDecode(args []string, environ []string, w io.Writer) (*Decode, error) {
	d := &Decode{}
	t := &Table{
		Command: "weir decode",
		Usage:   "weir decode [flags] file.pcap ...",
		About:   "weir decode reads flow datagrams from pcap files and writes the messages that weir would have made of them.",
		Options: d.options(),
		Others:  (&Config{}).options(),
		Files:   true,
		Examples: []Example{
			{"weir decode flows.pcap", "Write the flows as JSON lines to standard output."},
			{`weir decode flows.pcap -port 2055 -format bin -transport.file.sep "" -transport.file flows.bin -stats -`, "Write what was sent to port 2055 as protobuf messages to a file, and counts to standard error."},
		},
	}
	res, faults, err := t.load(args, environ, w)
	if err != nil {
		return nil, err
	}
	d.Version, d.Files = res.Version, res.Files
	d.Sources, d.Warnings, d.Notes = res.Sources, res.Warnings, res.Notes
	if d.Version {
		return d, nil
	}
	// An unknown flag may have taken the file for its value.
	if len(d.Files) == 0 && !concerns(faults, "") {
		faults = append(faults, Fault{Problem: "no capture file given", Allowed: "one or more pcap files, such as weir decode flows.pcap"})
	}
	if !concerns(faults, "format") && !concerns(faults, "produce") {
		faults = append(faults, rawFaults(d.Produce, d.Format, func(option string, err error) []Fault {
			return res.origins[option].faults(err)
		})...)
	}
	if len(faults) > 0 {
		return nil, usageError(faults)
	}
	if note := sepNote(d.Format, d.TransportFileSep, d.Sources["transport.file.sep"]); note != "" {
		d.Notes = append(d.Notes, note)
	}
	return d, nil
}

// Settings returns the effective configuration in the order of the help.
func (d *Decode) Settings() []Setting { return settingsOf(d.options(), d.Sources) }

// options declares the options of weir decode; those that weir has too are
// declared there.
func (d *Decode) options() []Option {
	file := fileOption(&d.TransportFile)
	file.NoEnv = true
	options := []Option{
		{
			Name: "port", Group: GroupReceive, Default: "0", Shape: "n", NoEnv: true,
			Value: IntValue(&d.Port, 0, 65535),
			Help:  "UDP destination port of the datagrams to decode. 0 decodes all ports.",
		},
		{
			Name: "repeat", Group: GroupReceive, Default: "1", Shape: "n", NoEnv: true,
			Value: IntValue(&d.Repeat, 1, 1_000_000_000),
			Help:  "How many times to decode the files, to measure speed.",
		},
		produceOption(&d.Produce),
		samplingOption(&d.SamplingRateDefault),
		formatOption(&d.Format),
		file,
		sepOption(&d.TransportFileSep),
		{
			Name: "dump-plans", Group: GroupSee, Default: "false", Shape: "true|false", NoEnv: true,
			Value: SwitchValue(&d.DumpPlans),
			Help:  "Write to standard output what each template became, in place of the flows: fields, offsets, and how they are written.",
		},
		{
			Name: "stats", Group: GroupSee, Default: "", Shape: "path", NoEnv: true,
			Value: TextValue(&d.Stats),
			Help:  "File to write counts of what was decoded, produced and wrong to at the end, as one JSON object; - for standard error. Empty writes none.",
		},
		levelOption(&d.LogLevel),
		logFormatOption(&d.LogFormat),
	}
	options = append(options, d.Mapping.options()...)
	for i := range options {
		options[i].NoFile = true
	}
	return options
}
