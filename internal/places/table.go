package places

import (
	"slices"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// Severity is how grave it is that something is lost at a place.
type Severity string

// Severities, as the alerts have them.
const (
	// Critical: flows are lost here, and somebody has to act now.
	Critical Severity = "critical"
	// Warning: flows are lost, or an exporter has to be looked at.
	Warning Severity = "warning"
	// Info: flows are less exact than they could be.
	Info Severity = "info"
)

// side is what stands still if all is lost at a place.
type side uint8

const (
	neither side = iota
	receiving
	writing
)

// A Count is a number with the label value that tells it from the others of its place.
type Count struct {
	Label string
	N     uint64
}

// Counter says which metric counts what is lost at a place.
type Counter struct {
	// Metric is the full name.
	Metric string
	// Label and Values select series of it: those that have one of the values, or, with
	// Except, none of them. Label is empty for all series.
	Label  string
	Values []string
	Except bool
	// By is the label that tells series apart, "" for none.
	By string
}

// A Place is a row of the table.
type Place struct {
	// Name is that of the place in the log, in /health and in the rules.
	Name string
	// What is what happens, a clause without a full stop.
	What string
	// Unit is what is counted, in the plural: the name of the number in the log.
	Unit string
	// Action is what to do.
	Action string

	Severity Severity
	// Alert is the name of the alert, and of its section of the runbook.
	Alert string
	// For is for how long the condition has to hold before the alert fires.
	For time.Duration
	// Counters are the metrics. They count since the start; Now says that they are gauges
	// of how many are in trouble at present.
	Counters []Counter
	Now      bool
	// Lossless: no flow is lost by it.
	Lossless bool

	read  func(*Reading) []Count
	names func(*Reading) []string // of a few that are in trouble; nil: no such
	// all reports whether nothing is received, because all that could send are in trouble.
	all  func(*Reading) bool
	side side
	// reasons are those of the output's errors.
	reasons []string
}

// dropped is a place of records that the output or the way to it loses for these reasons.
func dropped(p Place, reasons ...string) Place {
	p.Unit, p.Severity, p.side, p.reasons = "records", Critical, writing, reasons
	p.Counters = []Counter{{Metric: "weir_records_dropped_total", Label: "reason", Values: reasons, By: "reason"}}
	p.read = func(r *Reading) []Count { return only(r.Dropped, reasons) }
	return p
}

// only returns the counts with these labels.
func only(counts []Count, labels []string) []Count {
	var list []Count
	for _, c := range counts {
		if slices.Contains(labels, c.Label) {
			list = append(list, c)
		}
	}
	return list
}

// one is a count without a label.
func one(n uint64) []Count { return []Count{{N: n}} }

// Faults that cost no records: the flow lacks a detail, or nothing.
var harmless = []string{
	"count_mismatch", "header_layers", "header_protocol", "header_unknown", "reserved_set", "sampled_header",
	"sflow_record_trailing", "sflow_sample_unknown", "sflow_trailing_bytes", "time_order", "time_range", "trailing_zeros",
}

// missing and contradicted are faults of data without a template, and with the wrong one.
var (
	missing      = []string{producer.ReasonTemplateMissing.String()}
	contradicted = []string{producer.ReasonSetEmpty.String(), "trailing_bytes"}
)

// faultsBut returns the faults that no other place counts and that cost records.
func faultsBut(r *Reading, not []string) []Count {
	return slices.DeleteFunc(slices.Clone(r.Faults), func(c Count) bool { return slices.Contains(not, c.Label) })
}

// long is how long a warning lasts before its alert fires: longer than the window of the
// rules, so that once is not enough.
const long = 10 * time.Minute

// Table has every place, in the order in which a flow comes by them.
var Table = []Place{
	{
		Name: "network", Unit: "units", Severity: Warning, Alert: "WeirNetworkLoss",
		What:     "datagrams of exporters are missing by their sequence numbers",
		Action:   "look at /exporters for who misses what (lost.network), and at the drops of the exporter and of the switches and firewalls between",
		Counters: []Counter{{Metric: "weir_sequence_lost_total", Label: "place", Values: []string{"network", "restart"}, By: "unit"}},
		read: func(r *Reading) []Count {
			var list []Count
			for u := range sequence.NumUnits {
				list = append(list, Count{sequence.Unit(u).String(), r.Lost[sequence.Network][u] + r.Lost[sequence.Restart][u]})
			}
			return list
		},
	},
	{
		Name: "socket", Unit: "datagrams", Severity: Critical, Alert: "WeirSocketDrops", side: receiving,
		What:     "the kernel drops datagrams because a socket's receive buffer is full",
		Action:   "raise -receive.buffer and net.core.rmem_max; then add sockets (?count= in -listen), give weir more CPU, or use -xdp.interface",
		Counters: []Counter{{Metric: "weir_socket_dropped_total", By: "listen"}},
		read:     func(r *Reading) []Count { return one(r.Socket) },
	},
	{
		Name: "ring", Unit: "frames", Severity: Critical, Alert: "WeirRingDrops", side: receiving,
		What:     "frames that the XDP program redirected are lost before a worker has them",
		Action:   "rx_ring_full: raise -xdp.ring or -xdp.workers; others: see docs/capture.md",
		Counters: []Counter{{Metric: "weir_xdp_dropped_total", By: "reason"}},
		read:     func(r *Reading) []Count { return r.Ring },
	},
	{
		Name: "rate", Unit: "datagrams", Severity: Warning, Alert: "WeirRateLimited",
		What:   "exporters send more than -exporters.rate, and the rest is dropped",
		Action: "raise -exporters.rate, or have the exporters named in /exporters (lost.here.limit_datagrams) sample more coarsely",
		Counters: []Counter{
			{Metric: "weir_datagrams_total", Label: "reason", Values: []string{"rate"}},
			{Metric: "weir_xdp_verdicts_total", Label: "verdict", Values: []string{"drop_rate"}},
		},
		read: func(r *Reading) []Count { return one(r.Limited) },
	},
	{
		Name: "decode", Unit: "faults", Severity: Warning, Alert: "WeirDecodeFaults", For: long,
		What:   "datagrams have pieces that cannot be decoded",
		Action: "look the reasons up in docs/errors.md; /exporters says who sends them, -errors.sample keeps some",
		Counters: []Counter{{
			Metric: "weir_decode_faults_total", Label: "reason", Values: slices.Concat(harmless, missing, contradicted), Except: true, By: "reason",
		}},
		read: func(r *Reading) []Count { return faultsBut(r, slices.Concat(harmless, missing, contradicted)) },
	},
	{
		Name: "template_missing", Unit: "sets", Severity: Warning, Alert: "WeirTemplatesMissing", For: long,
		What:     "data sets are lost because their template does not come",
		Action:   "shorten the template refresh of the exporter (a minute), and see that templates and data take the same way; raise -templates.pending to wait for longer",
		Counters: []Counter{{Metric: "weir_sets_without_template_total"}},
		read:     func(r *Reading) []Count { return one(r.SetsWithoutTemplate) },
	},
	{
		Name: "template_contradicted", Unit: "contradictions", Severity: Warning, Alert: "WeirTemplatesContradicted", For: long,
		What:   "data or announcements contradict the template that is known",
		Action: "replaced: have the exporter keep one layout for each template id; with -templates.key-port off, two exporters may share an address: set auto. set_empty, trailing_bytes: have the exporter send its templates again",
		Counters: []Counter{
			{Metric: "weir_templates_announced_total", Label: "change", Values: []string{"replaced"}},
			{Metric: "weir_decode_faults_total", Label: "reason", Values: contradicted, By: "reason"},
		},
		read: func(r *Reading) []Count {
			return append(only(r.Faults, contradicted), Count{"replaced", r.Replaced})
		},
	},
	{
		Name: "sampling", Unit: "records", Severity: Info, Alert: "WeirSamplingUnknown", For: long, Lossless: true,
		What:     "records have no sampling rate: exporter and configuration name none",
		Action:   "set -sampling for the exporters of which /exporters names no rate, or -samplingrate.default (1 if they do not sample)",
		Counters: []Counter{{Metric: "weir_records_sampling_total", Label: "source", Values: []string{producer.SamplingUnknown.String()}}},
		read:     func(r *Reading) []Count { return one(r.SamplingUnknown) },
	},
	dropped(Place{
		Name: "queue", Alert: "WeirQueueDrops",
		What:   "the output is slower than the workers, and all batches wait for it",
		Action: "see why the output is slow (disk, reader, Kafka); raise -sink.depth for bursts; with Kafka set -spool.dir",
	}, collector.ReasonSinkBehind),
	dropped(Place{
		Name: "output", Alert: "WeirOutputDrops",
		What:   "the output does not take records",
		Action: "see the error; restart the reader of a pipe, check Kafka's limits and permissions",
	}, sink.ReasonWriteError, sink.ReasonClosed, sink.ReasonRefused, sink.ReasonShutdown),
	dropped(Place{
		Name: "spool", Alert: "WeirSpoolDrops",
		What:   "the spool loses records",
		Action: "spool_full: repair the cluster, or raise -spool.max-bytes; spool_error, spool_corrupt: check the disk of -spool.dir",
	}, sink.ReasonSpoolFull, sink.ReasonSpoolError, sink.ReasonSpoolCorrupt),
	dropped(Place{
		Name: "disk", Alert: "WeirDiskFull",
		What:   "the disk of the output is full",
		Action: "make space: weir continues by itself; -transport.file.keep.free has it delete old files in time",
	}, sink.ReasonDiskFull),
	{
		Name: "exporter_silent", Unit: "exporters", Severity: Warning, Alert: "WeirExporterSilent", Now: true,
		What:     "exporters have sent nothing for -exporters.silent-after",
		Action:   "look at the exporters (/exporters, silent) and at the way to them",
		Counters: []Counter{{Metric: "weir_exporters_silent"}},
		read:     func(r *Reading) []Count { return one(uint64(r.Exporters.Silent)) },
		names:    func(r *Reading) []string { return texts(r.Exporters.Lately) },
		all:      func(r *Reading) bool { return r.Exporters.Silent == r.Exporters.Announced },
	},
	{
		Name: "clock", Unit: "exporters", Severity: Warning, Alert: "WeirExporterClock", For: long, Now: true,
		What:     "exporters have a clock that is more than a minute off",
		Action:   "set up NTP on the exporters (/exporters, clock_skew_seconds) and on this host: times of flows are wrong",
		Counters: []Counter{{Metric: "weir_exporters_clock_off"}},
		read:     func(r *Reading) []Count { return one(uint64(r.Exporters.ClockOff)) },
		names:    func(r *Reading) []string { return texts(r.Exporters.Clocks) },
	},
}
