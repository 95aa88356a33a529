package config

import (
	"io"
	"log/slog"
	"strings"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink/file"
	"github.com/weirflow/weir/sink/output"
)

// A Decode is how weir decode is told to run: capture files in, messages out.
// Nothing writes to it after ParseDecode.
type Decode struct {
	// Version is true if only the version was asked for.
	Version bool

	Files               []string // capture files, in the order given; at least one
	Port                int      // UDP destination port to decode; 0 is all
	Repeat              int      // times that the files are decoded, at least 1
	KeyPort             string   // as in Templates
	Pending             Pending
	Records             Records
	SamplingRateDefault uint64 // as in Config
	Produce             string // as in Config
	Mapping             Mapping
	Format              string        // "json", "text" or "bin"
	File                file.Settings // where to write; nothing is rotated
	DumpPlans           bool          // write what templates became in place of the messages
	Stats               string        // path of the statistics; "-" is standard error, "" is none
	LogLevel            slog.Level
	LogFormat           string // "normal" or "json"

	// Sources, Warnings and Notes are as in Config.
	Sources  map[string]string
	Warnings []string
	Notes    []string
}

// ParseDecode builds the configuration of weir decode from defaults,
// environment and arguments. Flags may stand before, between and after the
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
		Others:  newConfig().options(),
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
	d.Notes = append(d.Notes, d.File.Notes(&output.Given{
		Chosen: true, Format: d.Format, Source: func(option string) string { return d.Sources[option] },
	})...)
	return d, nil
}

// Settings returns the effective configuration in the order of the help.
func (d *Decode) Settings() []Setting { return settingsOf(d.options(), d.Sources) }

// options declares the options of weir decode; those that weir has too are
// declared there.
func (d *Decode) options() []option.Option {
	destination := d.File.DestinationOptions()
	destination[0].NoEnv = true
	keyPort, pending := keyPortOption(&d.KeyPort), pendingOption(&d.Pending)
	keyPort.NoEnv, pending.NoEnv = true, true
	options := []option.Option{
		{
			Name: "port", Group: option.GroupReceive, Default: "0", Shape: "n", NoEnv: true,
			Value: option.IntValue(&d.Port, 0, 65535),
			Help:  "UDP destination port of the datagrams to decode. 0 decodes all ports.",
		},
		{
			Name: "repeat", Group: option.GroupReceive, Default: "1", Shape: "n", NoEnv: true,
			Value: option.IntValue(&d.Repeat, 1, 1_000_000_000),
			Help:  "How many times to decode the files, to measure speed.",
		},
		produceOption(&d.Produce),
		samplingOption(&d.SamplingRateDefault),
		keyPort, pending,
		formatOption(&d.Format),
		destination[0],
		destination[1],
		{
			Name: "dump-plans", Group: option.GroupSee, Default: "false", Shape: "true|false", NoEnv: true,
			Value: option.SwitchValue(&d.DumpPlans),
			Help:  "Write the decoding plan of each template to standard output instead of the flows: fields, offsets, and how they are written.",
		},
		{
			Name: "stats", Group: option.GroupSee, Default: "", Shape: "path", NoEnv: true,
			Value: option.TextValue(&d.Stats),
			Help:  "File for the counts at the end (decoded, produced, faults), as one JSON object; - for standard error. Empty writes none.",
		},
		levelOption(&d.LogLevel),
		logFormatOption(&d.LogFormat),
	}
	options = append(append(options, d.Records.options()...), d.Mapping.options()...)
	for i := range options {
		options[i].NoFile = true
	}
	return options
}

// Records says what messages have beyond what records and samples say.
type Records struct {
	Join     []string // kinds of names that are added to flows
	Discards bool     // messages of discarded packets of sFlow
}

// joinable are the kinds of names that -options.join knows.
var joinable = []string{"interface", "vrf", "application", "sampler"}

// options declares the options that weir and weir decode share.
func (r *Records) options() []option.Option {
	return []option.Option{
		{
			Name: "options.join", Live: true, Group: option.GroupDecode, Default: "", Shape: "kind,...",
			Value: joinValue(&r.Join),
			Help:  "Names from options data to add to flows: interface (in_if_name, out_if_name), vrf (ingress_vrf_name, egress_vrf_name), application (application_name), sampler (sampler_name, sampler_mode). What a record says itself stays. Records of exporters that announce names take the generic path, which costs several times as much. Empty adds none.",
		},
		{
			Name: "sflow.discards", Live: true, Group: option.GroupDecode, Default: "false", Shape: "true|false",
			Value: option.SwitchValue(&r.Discards),
			Help:  "Make a message of each discarded packet that sFlow agents report (samples of format 5): drop_reason, dropped_bytes and dropped_packets, with bytes and packets 0. goflow2 makes none.",
		},
	}
}

// joinValue is a list of kinds of names.
func joinValue(p *[]string) option.Value {
	allowed := strings.Join(joinable, ", ")
	return option.Value{
		List: true,
		Set:  func(s string) error { *p = option.Split(s); return nil },
		Get:  func() string { return strings.Join(*p, ",") },
		Check: func() error {
			var faults option.Problems
			seen := map[string]bool{}
			for i, kind := range *p {
				known := false
				for _, name := range joinable {
					known = known || name == kind
				}
				switch {
				case !known:
					faults = append(faults, &option.Problem{Part: option.Show(kind), Index: i, Text: "unknown kind of names", Allowed: allowed})
				case seen[kind]:
					faults = append(faults, &option.Problem{Part: option.Show(kind), Index: i, Text: "kind is there twice", Allowed: "each kind once"})
				}
				seen[kind] = true
			}
			if len(faults) > 0 {
				return faults
			}
			return nil
		},
	}
}
