package sequence

// Unit is what an exporter counts, and so what is lost.
type Unit uint8

// Units.
const (
	Flows     Unit = iota // records of flows
	Datagrams             // export datagrams
	Records               // data records, those of options included
	Samples               // sFlow samples
	// NumUnits is the number of units.
	NumUnits = int(iota)
)

// String returns the unit's name, as it appears in metrics.
func (u Unit) String() string {
	return [NumUnits]string{"flows", "datagrams", "records", "samples"}[u]
}

// Kind says what is numbered, and so which habits are looked for.
type Kind uint8

// Kinds.
const (
	NetFlow5 Kind = iota
	NetFlow7
	NetFlow8
	NetFlow9
	IPFIX
	SFlow         // datagrams of an agent
	FlowSample    // flow samples of a source
	CounterSample // counter samples of a source
	DropSample    // notices of discarded packets of a source
	// NumKinds is the number of kinds.
	NumKinds = int(iota)
)

// String returns the kind's name.
func (k Kind) String() string {
	return [NumKinds]string{
		"netflow_v5", "netflow_v7", "netflow_v8", "netflow_v9", "ipfix", "sflow_5",
		"sflow_5_flow_samples", "sflow_5_counter_samples", "sflow_5_drop_samples",
	}[k]
}

// What a hypothesis takes for the count of a datagram.
const (
	byDatagram = iota // 1
	byRecord          // data records and options, flows of v5, samples of sFlow
	byAll             // the same and templates
	byFlow            // data records without options
	numMeasures
)

// hypothesis is a way to number datagrams.
type hypothesis struct {
	name    string
	unit    Unit
	measure uint8
	own     uint32 // 1: the number counts the datagram that bears it too
}

// maxHypotheses is the most that a kind has.
const maxHypotheses = 7

// hypotheses has those of each kind: what the protocol says first. Of two that
// explain the same, the first counts.
var hypotheses = [NumKinds][]hypothesis{
	NetFlow5: fixedHabits,
	NetFlow7: fixedHabits,
	NetFlow8: fixedHabits,
	NetFlow9: {
		{"datagrams", Datagrams, byDatagram, 0},
		{"records", Records, byRecord, 0},
		{"records_with_own", Records, byRecord, 1},
		{"records_and_templates", Records, byAll, 0},
		{"records_and_templates_with_own", Records, byAll, 1},
		{"flows", Flows, byFlow, 0},
		{"flows_with_own", Flows, byFlow, 1},
	},
	IPFIX: {
		{"records", Records, byRecord, 0},
		{"records_with_own", Records, byRecord, 1},
		{"records_and_templates", Records, byAll, 0},
		{"records_and_templates_with_own", Records, byAll, 1},
		{"datagrams", Datagrams, byDatagram, 0},
		{"flows", Flows, byFlow, 0},
		{"flows_with_own", Flows, byFlow, 1},
	},
	SFlow: {
		{"datagrams", Datagrams, byDatagram, 0},
		{"samples", Samples, byRecord, 0},
		{"samples_with_own", Samples, byRecord, 1},
	},
	FlowSample:    sampleHabits,
	CounterSample: sampleHabits,
	DropSample:    sampleHabits,
}

var fixedHabits = []hypothesis{
	{"flows", Flows, byRecord, 0},
	{"flows_with_own", Flows, byRecord, 1},
	{"datagrams", Datagrams, byDatagram, 0},
}

var sampleHabits = []hypothesis{{"samples", Samples, byDatagram, 0}}

// Unknown is the name of a habit that no hypothesis explains, or none yet.
const Unknown = "unknown"

// Observation is what one datagram, or one sample, says about its stream.
type Observation struct {
	// NowNs is the receive time in Unix nanoseconds.
	NowNs int64
	// ExportNs is the exporter's own time in Unix nanoseconds, 0 where the
	// protocol has none.
	ExportNs int64
	// Sequence is the number in the header.
	Sequence uint32
	// UptimeMs is the exporter's uptime in milliseconds, if HasUptime.
	UptimeMs uint32
	// Records counts data records, those of options included; the flows of a
	// v5 or v7 datagram; the samples of an sFlow datagram. Flows leaves the
	// options out, Templates are template records and withdrawals.
	Records, Flows, Templates uint16
	// Rate is the sampling rate that the datagram or sample names, 0 for none.
	Rate uint32
	// HasUptime says that UptimeMs is there.
	HasUptime bool
	// Uncertain: not all of the datagram could be read, so that the counts are
	// too low.
	Uncertain bool
}

// held is an observation that waits to be settled.
type held struct {
	sequence uint32
	uptimeMs uint32
	atMs     uint32 // receive time since the stream began
	count    [numMeasures]uint16
	flags    uint8
}

const (
	flagUptime    = 1 << iota
	flagUncertain // counts but that of datagrams are too low
	flagSpecial   // has more than flows: templates or options
)

func (o *Observation) hold(firstNs int64) held {
	h := held{
		sequence: o.Sequence,
		uptimeMs: o.UptimeMs,
		atMs:     uint32((o.NowNs - firstNs) / 1e6),
		count:    [numMeasures]uint16{byDatagram: 1, byRecord: o.Records, byAll: o.Records + o.Templates, byFlow: o.Flows},
	}
	if o.HasUptime {
		h.flags |= flagUptime
	}
	if o.Uncertain {
		h.flags |= flagUncertain
	}
	if o.Templates > 0 || o.Flows != o.Records {
		h.flags |= flagSpecial
	}
	return h
}

// doubt is how far a number may be from the expected one where nobody knows how the
// exporter counts templates and options: what is further away is not explained by
// that. 0 for a datagram without them.
func (h *held) doubt() uint32 { return 2 * uint32(h.count[byAll]-h.count[byFlow]) }

// within says whether two numbers are no further apart than doubt.
func within(a, b, doubt uint32) bool { return a-b <= doubt || b-a <= doubt }

// uncertain says whether the count of a measure is not known.
func (h *held) uncertain(hy *hypothesis) bool {
	return h.flags&flagUncertain != 0 && hy.measure != byDatagram
}

// start and end are the numbers that a datagram covers under a hypothesis.
func (h *held) start(hy *hypothesis) uint32 {
	return h.sequence - uint32(h.count[hy.measure])*hy.own
}

func (h *held) end(hy *hypothesis) uint32 {
	return h.start(hy) + uint32(h.count[hy.measure])
}
