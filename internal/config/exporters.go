package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirflow/weir/internal/option"
)

// Watch says how exporters are told apart and watched.
type Watch struct {
	MaxExporters int           // exporters with entries of their own
	SilentAfter  time.Duration // an exporter that sends nothing for so long is silent; 0 for never
	Sampling     []Sampling    // rates of exporters, whatever they say themselves

	ErrorsDir   string        // folder for samples of what could not be decoded; "" for none
	ErrorsCount int           // samples of each reason
	ErrorsBytes int64         // bytes of all samples; 0 for no limit
	ErrorsAge   time.Duration // age at which samples are deleted; 0 for never
}

// Sampling is a sampling rate that the configuration sets.
type Sampling struct {
	Exporters    netip.Prefix
	Interface    uint32 // index of the one that it is for, if HasInterface
	HasInterface bool
	Rate         uint64 // one packet of so many, not 0
}

// String returns the rule as it is written in a flag.
func (s Sampling) String() string {
	text := s.Exporters.String()
	if s.Exporters.IsSingleIP() {
		text = s.Exporters.Addr().String()
	}
	if s.HasInterface {
		text += fmt.Sprintf("@%d", s.Interface)
	}
	return fmt.Sprintf("%s=%d", text, s.Rate)
}

// watchOptions declares the options of exporters and their faults.
func (c *Config) watchOptions() []option.Option {
	w := &c.Watch
	return []option.Option{
		{
			Name: "exporters.max", Group: option.GroupReceive, Default: "100000", Shape: "n",
			Value: option.IntValue(&w.MaxExporters, 1, 10_000_000),
			Help:  "Maximum number of exporters with an entry of their own. A new exporter replaces the least useful entry, never one that has sent flows for minutes. Exporters without an entry are counted together.",
		},
		{
			Name: "exporters.silent-after", Live: true, Group: option.GroupSee, Default: "5m", Shape: "duration",
			Value: option.DurationValue(&w.SilentAfter, time.Second, 366*24*time.Hour, "never"),
			Help:  "Time without a datagram after which an exporter counts as silent. weir logs this, and when the exporter sends again. 0 turns it off.",
		},
		{
			Name: "sampling", Live: true, Group: option.GroupDecode, Default: "", Shape: "rule,...",
			Value: samplingValue(&w.Sampling),
			Help:  "Sampling rates of exporters, in place of those that they announce, as PREFIX=RATE or PREFIX@INTERFACE=RATE, such as 192.0.2.0/24=1000,192.0.2.1@3=500. The interface is an index; that of a flow's input counts first. The longest prefix counts. In the file a list of {exporter: PREFIX, interface: N, rate: N}.",
		},
		{
			Name: "errors.sample", Group: option.GroupSee, Default: "", Shape: "folder", Inner: "dir",
			Value: option.TextValue(&w.ErrorsDir),
			Help:  "Folder for samples of datagrams that weir could not decode, or only in part: one capture per reason, which weir decode reads. Empty keeps none.",
		},
		{
			Name: "errors.sample.count", Group: option.GroupSee, Default: "16", Shape: "n",
			Value: option.IntValue(&w.ErrorsCount, 1, 1000),
			Help:  "Datagrams to keep per reason with -errors.sample.",
		},
		{
			Name: "errors.sample.keep.bytes", Live: true, Group: option.GroupSee, Default: "0", Shape: "size",
			Value: option.SizeValue(&w.ErrorsBytes, 1<<20, 1<<60, "any size"),
			Help:  "Bytes of all captures of -errors.sample. weir deletes the oldest beyond that, and samples its reason again at the next start. 0 sets no limit.",
		},
		{
			Name: "errors.sample.keep.age", Live: true, Group: option.GroupSee, Default: "0", Shape: "duration",
			Value: option.DurationValue(&w.ErrorsAge, time.Minute, 100*366*24*time.Hour, "for good"),
			Help:  "Delete a capture of -errors.sample this long after its last datagram, and sample its reason again. 0 never does.",
		},
	}
}

// faults returns what is wrong with options that need -errors.sample.
func (w *Watch) faults(at func(option string, err error) []Fault) (faults []Fault) {
	if w.ErrorsDir != "" {
		return nil
	}
	none := &option.Problem{Text: "no samples are kept", Allowed: "this option together with -errors.sample"}
	if w.ErrorsBytes != 0 {
		faults = append(faults, at("errors.sample.keep.bytes", none)...)
	}
	if w.ErrorsAge != 0 {
		faults = append(faults, at("errors.sample.keep.age", none)...)
	}
	return faults
}

const allowedSampling = "PREFIX=RATE or PREFIX@INTERFACE=RATE with a rate from 1 to 4294967295, such as 192.0.2.0/24=1000,192.0.2.1@3=500"

// samplingValue is a list of sampling rates. In the file each may be a mapping.
func samplingValue(p *[]Sampling) option.Value {
	return option.Value{
		List:  true,
		Entry: samplingEntry,
		Set: func(s string) error {
			var list []Sampling
			var faults option.Problems
			for i, part := range option.Split(s) {
				rule, problem := parseSampling(part)
				if problem == "" && slices.ContainsFunc(list, func(o Sampling) bool {
					return o.Exporters == rule.Exporters && o.HasInterface == rule.HasInterface && o.Interface == rule.Interface
				}) {
					problem = "a second rate for the same"
				}
				if problem != "" {
					faults = append(faults, &option.Problem{Part: option.Show(part), Index: i, Text: problem, Allowed: allowedSampling})
					continue
				}
				list = append(list, rule)
			}
			if len(faults) > 0 {
				return faults
			}
			*p = list
			return nil
		},
		Get: func() string {
			parts := make([]string, len(*p))
			for i, rule := range *p {
				parts[i] = rule.String()
			}
			return strings.Join(parts, ",")
		},
		Check: func() error { return nil },
	}
}

// parseSampling reads a rule, or says what is wrong with it.
func parseSampling(s string) (rule Sampling, problem string) {
	who, rate, ok := strings.Cut(s, "=")
	if !ok {
		return rule, "no rate"
	}
	var err error
	if rule.Rate, err = strconv.ParseUint(strings.TrimSpace(rate), 10, 32); err != nil || rule.Rate == 0 {
		return rule, "not a sampling rate"
	}
	who, iface, ok := strings.Cut(strings.TrimSpace(who), "@")
	if ok {
		n, err := strconv.ParseUint(iface, 10, 32)
		if err != nil {
			return rule, "not an index of an interface"
		}
		rule.Interface, rule.HasInterface = uint32(n), true
	}
	rule.Exporters, err = netip.ParsePrefix(who)
	if addr, aerr := netip.ParseAddr(who); aerr == nil && addr.Zone() == "" {
		rule.Exporters, err = addr.Prefix(addr.BitLen())
	}
	if err != nil {
		return rule, "not an address or prefix"
	}
	rule.Exporters = rule.Exporters.Masked()
	return rule, ""
}

// samplingEntry is a rule that the file has as a mapping, as text.
func samplingEntry(fields map[string]string) (string, error) {
	for name := range fields {
		if name != "exporter" && name != "interface" && name != "rate" {
			return "", &option.Problem{Part: option.Show(name), Text: "unknown key of a sampling rate", Allowed: "exporter, interface, rate"}
		}
	}
	for _, name := range []string{"exporter", "rate"} {
		if fields[name] == "" {
			return "", &option.Problem{Text: "a sampling rate without " + name, Allowed: "{exporter: 192.0.2.0/24, interface: 3, rate: 1000}, interface may be left out"}
		}
	}
	text := fields["exporter"]
	if iface, ok := fields["interface"]; ok {
		text += "@" + iface
	}
	return text + "=" + fields["rate"], nil
}
