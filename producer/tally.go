package producer

import "github.com/weirflow/weir/decoders/sflow"

// Kinds of sets of a v9 or IPFIX message; a fixed version's records are of
// SetData.
const (
	SetTemplates = iota
	SetOptionsTemplates
	SetOptionsData
	SetData
	NumSetKinds
)

// Kinds of sFlow samples.
const (
	SampleFlow = iota
	SampleFlowExpanded
	SampleCounter
	SampleCounterExpanded
	SampleOther
	NumSampleKinds
)

// A Tally is what was in the last datagram.
type Tally struct {
	// Sets are those that could be read, SetRecords the records in them.
	Sets, SetRecords [NumSetKinds]uint32
	// WithoutTemplate counts data sets whose template is not known.
	WithoutTemplate uint32
	// Samples are those of sFlow, SampleRecords the records that they say
	// they have, as far as there is room for them.
	Samples, SampleRecords [NumSampleKinds]uint32
	// Agent is the address in the header of an sFlow datagram: a view into
	// it.
	Agent []byte
	// FlowEndNs is when the flow of the last data record of the datagram
	// ended, in Unix nanoseconds; 0 without one, and for sFlow.
	FlowEndNs uint64
	// Ignored counts the elements of data records that are passed over, by kind.
	Ignored [NumIgnored]uint64
}

// Tally returns what was in the last datagram. It is valid until the producer's
// next call, and its Agent as long as the datagram's bytes.
func (p *Producer) Tally() *Tally { return &p.tally }

// set counts a set and its records.
func (t *Tally) set(kind, records int) {
	t.Sets[kind]++
	t.SetRecords[kind] += uint32(records)
}

// sample counts an sFlow sample.
func (t *Tally) sample(s *sflow.Sample) {
	kind := SampleOther
	switch s.Kind {
	case sflow.Flow:
		kind = SampleFlow
	case sflow.Counter:
		kind = SampleCounter
	}
	if s.Expanded && kind != SampleOther {
		kind++
	}
	t.Samples[kind]++
	t.SampleRecords[kind] += min(s.RecordCount, uint32(len(s.Data)/8))
}

// fusedEnd notes when the flow of the last of a set's records ended.
func (t *Tally) fusedEnd(pl *fusedPlan, c *fusedContext, body []byte, records int) {
	switch {
	case records == 0:
	case pl.end.kind == timeExport:
		t.FlowEndNs = c.exportNs
	default:
		last := (records - 1) * pl.recordLen
		t.FlowEndNs = pl.end.load(c, body[last:last+pl.recordLen])
	}
}
