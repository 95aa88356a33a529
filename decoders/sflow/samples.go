package sflow

import "encoding/binary"

// Formats of samples of enterprise 0.
const (
	SampleFlow            = 1
	SampleCounter         = 2
	SampleFlowExpanded    = 3
	SampleCounterExpanded = 4
	SampleDrop            = 5
)

// Formats of interfaces, and the one that is the agent itself.
const (
	InterfaceIndex    = 0 // ifIndex: 0 is not known, InterfaceInternal the agent itself
	InterfaceDiscard  = 1 // none: the reason of a discard
	InterfaceMultiple = 2 // several: their number, 0 if that is not known

	InterfaceInternal = 0x3fffffff
)

// Kind is what a sample is about, whichever of its encodings was used.
type Kind uint8

// Kinds of samples.
const (
	Unknown Kind = iota // a format without a reader
	Flow                // a sampled packet
	Counter             // counters of an interface or other source
	Drop                // a discarded packet
)

// String returns a stable lower-case word, fit for a metric's label.
func (k Kind) String() string {
	switch k {
	case Flow:
		return "flow"
	case Counter:
		return "counter"
	case Drop:
		return "drop"
	}
	return "unknown"
}

// Sample is one sample. Fields that its kind does not have are zero.
type Sample struct {
	Enterprise, Format uint32
	Kind               Kind
	Expanded           bool   // format 3 or 4
	Data               []byte // view of the whole body, cut if the datagram is

	Sequence    uint32 // of samples, per source
	SourceClass uint32 // type of the source's index: 0 ifIndex, 1 VLAN, 2 entity
	SourceIndex uint32 // 24 bits in formats 1 and 2

	SamplingRate uint32 // packets a sample; Flow
	SamplePool   uint32 // packets that could have been sampled; Flow
	Drops        uint32 // samples or notifications lost for want of resources; Flow, Drop

	// Input and Output are interfaces as they are sent; Flow and Drop. In formats
	// 1 and 5 they are the whole word, of which the upper 2 bits are the format. In
	// format 3 they are the value alone and the format is in a field of its own. See
	// In and Out.
	Input, Output             uint32
	InputFormat, OutputFormat uint32 // format 3

	DropReason  uint32 // Drop
	RecordCount uint32 // as the agent says, not checked
}

// Fixed parts of the samples' bodies, bytes.
const (
	flowSize            = 32
	flowExpandedSize    = 44
	counterSize         = 12
	counterExpandedSize = 16
	dropSize            = 32
)

// Samples walks the samples of one datagram.
type Samples struct {
	Sample  Sample  // the sample that Next found
	Records Records // its records, ready to walk

	rest  []byte
	left  uint32 // samples announced and not met
	cause Reason
}

// Init begins a walk over b, which is what lies after a datagram's header.
// count is the number of samples that the header announces. It is that of an XDR
// array (RFC 4506 section 4.13): what follows the last of them is no sample.
// The zero value and a Samples that walked before may be used.
func (s *Samples) Init(b []byte, count uint32) {
	*s = Samples{rest: b, left: count}
}

// Next moves to the next sample. After true, Sample and Records hold it, and
// Err says whether it is damaged or unknown. After false the walk is over, and
// Err says whether the datagram ends where its header says.
func (s *Samples) Next() bool {
	s.cause = ReasonNone
	if s.left == 0 || len(s.rest) < 8 {
		switch {
		case s.left > 0, s.uncounted():
			s.cause = ErrSampleCount
		case len(s.rest) > 0:
			s.cause = ErrTrailingBytes
		}
		s.Sample = Sample{}
		s.Records = Records{}
		return false
	}
	s.left--
	word, data, rest, whole := tlv(s.rest)
	s.rest = rest
	if !whole {
		s.cause = ErrSampleTruncated
	}
	s.Sample = Sample{Enterprise: word >> 12, Format: word & 0xfff, Data: data}
	n, known := s.Sample.parse()
	switch {
	case !known:
		if whole {
			s.cause = ErrSampleUnknown
		}
		s.Records = Records{}
	case n < 0:
		s.cause = ErrSampleShort
		s.Records = Records{}
	default:
		s.Records.Init(data[n:], s.Sample.RecordCount)
	}
	return true
}

// uncounted says whether a whole sample of a known format, and at least as long
// as that format is, follows those that the header counts.
func (s *Samples) uncounted() bool {
	if len(s.rest) < 8 {
		return false
	}
	word, data, _, whole := tlv(s.rest)
	next := Sample{Enterprise: word >> 12, Format: word & 0xfff, Data: data}
	n, known := next.parse()
	return whole && known && n > 0
}

// Err returns what is wrong with the sample that Next just found or, after
// Next returned false, with the end of the datagram. A sample is usable with
// [ReasonNone], and with [ErrSampleTruncated] if its kind is not Unknown.
func (s *Samples) Err() Reason { return s.cause }

// Missing returns, after Next returned false, how many samples the header
// announced that are not there; before, how many have not been met. It is a number
// from the wire: count it, but do not loop by it.
func (s *Samples) Missing() uint32 { return s.left }

// Rest returns a view of the bytes that no sample covered so far.
func (s *Samples) Rest() []byte { return s.rest }

// parse reads the fixed part of the body and returns its length: negative if
// it is not whole, known false if the format has no reader. The kind is set in
// either case.
func (p *Sample) parse() (n int, known bool) {
	if p.Enterprise != 0 {
		return 0, false
	}
	d := p.Data
	switch p.Format {
	case SampleFlow:
		p.Kind = Flow
		if len(d) < flowSize {
			return -1, true
		}
		p.Sequence = word(d, 0)
		p.setSource(word(d, 1))
		p.setRates(d[8:])
		p.Input = word(d, 5)
		p.Output = word(d, 6)
		p.RecordCount = word(d, 7)
		return flowSize, true
	case SampleFlowExpanded:
		p.Kind, p.Expanded = Flow, true
		if len(d) < flowExpandedSize {
			return -1, true
		}
		p.setExpanded(d)
		p.setRates(d[12:])
		p.InputFormat = word(d, 6)
		p.Input = word(d, 7)
		p.OutputFormat = word(d, 8)
		p.Output = word(d, 9)
		p.RecordCount = word(d, 10)
		return flowExpandedSize, true
	case SampleCounter:
		p.Kind = Counter
		if len(d) < counterSize {
			return -1, true
		}
		p.Sequence = word(d, 0)
		p.setSource(word(d, 1))
		p.RecordCount = word(d, 2)
		return counterSize, true
	case SampleCounterExpanded:
		p.Kind, p.Expanded = Counter, true
		if len(d) < counterExpandedSize {
			return -1, true
		}
		p.setExpanded(d)
		p.RecordCount = word(d, 3)
		return counterExpandedSize, true
	case SampleDrop:
		p.Kind = Drop
		if len(d) < dropSize {
			return -1, true
		}
		p.setExpanded(d)
		p.Drops = word(d, 3)
		p.Input = word(d, 4)
		p.Output = word(d, 5)
		p.DropReason = word(d, 6)
		p.RecordCount = word(d, 7)
		return dropSize, true
	}
	return 0, false
}

// word returns the i-th 4 bytes of d.
func word(d []byte, i int) uint32 { return binary.BigEndian.Uint32(d[4*i:]) }

// In returns the format of the input, one of the Interface constants or another
// number, and its value.
func (p *Sample) In() (format, value uint32) { return p.split(p.InputFormat, p.Input) }

// Out does the same for the output.
func (p *Sample) Out() (format, value uint32) { return p.split(p.OutputFormat, p.Output) }

func (p *Sample) split(format, word uint32) (f, value uint32) {
	if p.Expanded {
		return format, word
	}
	return word >> 30, word & InterfaceInternal
}

func (p *Sample) setSource(w uint32) {
	p.SourceClass = w >> 24
	p.SourceIndex = w & 0xffffff
}

func (p *Sample) setExpanded(d []byte) {
	p.Sequence = word(d, 0)
	p.SourceClass = word(d, 1)
	p.SourceIndex = word(d, 2)
}

func (p *Sample) setRates(d []byte) {
	p.SamplingRate = word(d, 0)
	p.SamplePool = word(d, 1)
	p.Drops = word(d, 2)
}
