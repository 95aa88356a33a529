package sflow

// Formats of flow records of enterprise 0. Those of drop samples are flow
// records as well.
const (
	FlowRawHeader = 1
	FlowEthernet  = 2
	FlowIPv4      = 3
	FlowIPv6      = 4

	FlowExtendedSwitch     = 1001
	FlowExtendedRouter     = 1002
	FlowExtendedGateway    = 1003
	FlowExtendedMPLS       = 1006
	FlowExtendedVLANTunnel = 1012

	FlowEgressQueue = 1036 // drop samples
	FlowACL         = 1037 // drop samples
	FlowFunction    = 1038 // drop samples
)

// Formats of counter records of enterprise 0.
const (
	CounterInterface = 1
	CounterEthernet  = 2
)

// Record is one record of a sample. The same format numbers mean different
// things in flow (or drop) and in counter samples, and for each enterprise.
type Record struct {
	Enterprise, Format uint32
	Data               []byte // view of the body, without padding
}

// Records walks the records of one sample.
type Records struct {
	Record Record // the record that Next found

	rest  []byte
	left  uint32 // records announced and not met
	cause Reason
}

// Init begins a walk over b, which is what lies after a sample's fixed part.
// count is the number of records that the sample announces.
func (r *Records) Init(b []byte, count uint32) {
	r.Record = Record{}
	r.rest = b
	r.left = count
	r.cause = ReasonNone
}

// Next moves to the next record that is whole. After false the walk is over,
// and Err says why if the records do not end where the sample says.
func (r *Records) Next() bool {
	if r.left == 0 || len(r.rest) < 8 {
		if r.cause == ReasonNone {
			switch {
			case r.left > 0:
				r.cause = ErrRecordCount
			case len(r.rest) > 0:
				r.cause = ErrRecordTrailing
			}
		}
		r.Record = Record{}
		return false
	}
	r.left--
	word, data, rest, whole := tlv(r.rest)
	r.rest = rest
	if !whole {
		r.cause = ErrRecordTruncated
		r.Record = Record{}
		return false
	}
	r.Record = Record{Enterprise: word >> 12, Format: word & 0xfff, Data: data}
	return true
}

// Err returns, after Next returned false, [ReasonNone], [ErrRecordTruncated],
// [ErrRecordCount] or [ErrRecordTrailing].
func (r *Records) Err() Reason { return r.cause }

// Rest returns a view of what is not read yet, and how many records the sample
// announces in it: before the first Next, all of them.
func (r *Records) Rest() (b []byte, count uint32) { return r.rest, r.left }
