package sflow

// Reason says why a datagram, sample or record is not what it should be. It is
// an error; its zero value means that nothing is wrong.
type Reason uint8

// What can be wrong. A datagram ends at the first three; the others cost the
// piece they name.
const (
	ReasonNone Reason = iota

	ErrShortHeader  // the datagram ends within its header
	ErrVersion      // the version is not 5
	ErrAgentAddress // the agent's address is of a type that has no length

	ErrSampleTruncated // a sample's length runs beyond the datagram: its whole records can be read
	ErrSampleShort     // a sample is shorter than its fixed part: nothing of it can be read
	ErrSampleUnknown   // a sample of a format that has no reader: skipped by its length
	ErrSampleCount     // the header counts more samples than there are, or a whole one of a known format follows the last
	ErrTrailingBytes   // bytes follow the last sample counted

	ErrRecordTruncated // a record's length runs beyond its sample
	ErrRecordCount     // a sample counts more records than there are
	ErrRecordTrailing  // bytes follow the last record counted

	// Reasons is the number of reasons, for tables indexed by them.
	Reasons
)

var reasons = [Reasons]string{
	ReasonNone:         "none",
	ErrShortHeader:     "short_header",
	ErrVersion:         "version",
	ErrAgentAddress:    "agent_address",
	ErrSampleTruncated: "sample_truncated",
	ErrSampleShort:     "sample_short",
	ErrSampleUnknown:   "sample_unknown",
	ErrSampleCount:     "sample_count",
	ErrTrailingBytes:   "trailing_bytes",
	ErrRecordTruncated: "record_truncated",
	ErrRecordCount:     "record_count",
	ErrRecordTrailing:  "record_trailing",
}

// String returns a stable word of lower-case letters and underscores, fit for
// a metric's label.
func (r Reason) String() string {
	if r < Reasons {
		return reasons[r]
	}
	return "unknown"
}

// Error implements error.
func (r Reason) Error() string { return "decode sflow: " + r.String() }
