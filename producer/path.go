package producer

// A Path is a way in which records become messages. Which one a data set takes follows
// from its plan, the program in force, the format, and whether addresses are enriched;
// that of an sFlow sample from what it holds too. Records are counted by path, so that
// the loss of a fast one shows.
type Path uint8

// Paths, of the generic ones first.
const (
	// PathGeneric: a Flow is filled, and appended field by field.
	PathGeneric Path = iota
	// PathRaw: a datagram becomes one message as it is.
	PathRaw
	// PathPlan: a plan copies from the record to the message.
	PathPlan
	// PathPlanAssembly: the same, for all records of a data set in assembly.
	PathPlanAssembly
	// PathPlanColumns: the same, to the columns of a mapping.
	PathPlanColumns
	// PathPlanEnriched: the same, with what databases know about the addresses.
	PathPlanEnriched
	// PathSampleFlow: what a sample with a plain frame holds is gathered, and put into a
	// Flow.
	PathSampleFlow
	// PathSample: it is gathered and written.
	PathSample
	// PathSampleColumns: it is gathered and written to the columns of a mapping.
	PathSampleColumns
	// PathSampleAssembly: all samples of a datagram are written in assembly.
	PathSampleAssembly
	// PathPlanBatch: a plan copies from all records of a data set to the columns of a batch.
	PathPlanBatch
	// NumPaths is the number of paths.
	NumPaths = int(iota)
)

// String returns the path's name, as it appears in metrics.
func (p Path) String() string {
	return [NumPaths]string{
		"generic", "raw", "plan", "plan_assembly", "plan_columns", "plan_enriched",
		"sample_flow", "sample", "sample_columns", "sample_assembly", "plan_batch",
	}[p]
}

// samplePaths are the paths of the samples of the usual kind.
var samplePaths = [...]Path{
	samplesWalked: PathGeneric, samplesByFlow: PathSampleFlow, samplesColumns: PathSampleColumns,
	samplesText: PathSample, samplesBin: PathSample,
}

// encoded counts n records of the datagram in work by their path. Those that are not
// counted when the datagram ends took the generic one.
func (p *Producer) encoded(path Path, n int) {
	p.Counters.Encoded[path] += uint64(n)
	p.counted += n
}

// encodedRest counts the records that are not counted yet, of so many in all.
func (p *Producer) encodedRest(records int) {
	path := PathGeneric
	if p.cfg.Raw {
		path = PathRaw
	}
	p.Counters.Encoded[path] += uint64(records - p.counted)
}
