package producer

import (
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
)

// Reason is why a datagram, or a piece of one, could not be decoded. Its
// names are stable: they are labels of metrics and keys of statistics.
type Reason uint8

// Reasons that a datagram or a piece of it has of its own. Those of the
// decoders follow them.
const (
	// ReasonNone: nothing was wrong.
	ReasonNone Reason = iota
	// ReasonUnknownVersion: no flow protocol begins like this.
	ReasonUnknownVersion
	// ReasonShortHeader: the datagram ends before its header does.
	ReasonShortHeader
	// ReasonAggregation: a v8 datagram of an aggregation scheme that is not known.
	ReasonAggregation
	// ReasonDatagramTruncated: the datagram was longer than the receive
	// buffer, or than what a capture kept of it.
	ReasonDatagramTruncated
	// ReasonCountMismatch: the header's count is not that of the records
	// that are there. Of v1, v5, v7 and v8 as many are decoded as the header
	// counts, of v9 all.
	ReasonCountMismatch
	// ReasonLengthMismatch: the IPFIX header's length is not the datagram's.
	ReasonLengthMismatch
	// ReasonTemplateMissing: a data set whose template is not known.
	ReasonTemplateMissing
	// ReasonSetEmpty: a data set with fewer bytes than one record.
	ReasonSetEmpty
	// ReasonSmallRecords: more data records of less than eight bytes than a datagram
	// of its length may have. Those beyond are skipped.
	ReasonSmallRecords
	// ReasonSamplerLimit: options data of more samplers than a domain may
	// have.
	ReasonSamplerLimit
	// ReasonTimeRange: a flow's time is before 1970, or beyond the range of
	// nanoseconds in 64 bits. The flow has none.
	ReasonTimeRange
	// ReasonTimeOrder: a flow's start is after its end. The flow has the end as both.
	ReasonTimeOrder
	// ReasonHeaderProtocol: a sampled header of a protocol that is not
	// decoded. The record has what the sample says itself.
	ReasonHeaderProtocol
	// ReasonSampledHeader: a sampled header that contradicts itself.
	ReasonSampledHeader
	// ReasonHeaderLayers: a sampled header with more layers than are read.
	ReasonHeaderLayers
	// ReasonHeaderUnknown: a sampled header of a frame without IP addresses ends with
	// one that is not known, and that may carry them. It is noted: the flow has what is
	// in front of it.
	ReasonHeaderUnknown
	// ReasonRecordMalformed: a record of a known sFlow format that is
	// shorter than its format.
	ReasonRecordMalformed

	reasonTemplate // of template.Fault
	reasonSFlow    = reasonTemplate + Reason(template.NumFaults)
	// NumReasons is the number of reasons.
	NumReasons = int(reasonSFlow) + int(sflow.Reasons)
)

var reasonNames = [reasonTemplate]string{
	ReasonNone:              "none",
	ReasonUnknownVersion:    "unknown_version",
	ReasonShortHeader:       "short_header",
	ReasonAggregation:       "unknown_aggregation",
	ReasonDatagramTruncated: "datagram_truncated",
	ReasonCountMismatch:     "count_mismatch",
	ReasonLengthMismatch:    "length_mismatch",
	ReasonTemplateMissing:   "template_missing",
	ReasonSetEmpty:          "set_empty",
	ReasonSmallRecords:      "small_records",
	ReasonSamplerLimit:      "sampler_limit",
	ReasonTimeRange:         "time_range",
	ReasonTimeOrder:         "time_order",
	ReasonHeaderProtocol:    "header_protocol",
	ReasonSampledHeader:     "sampled_header",
	ReasonHeaderLayers:      "header_layers",
	ReasonHeaderUnknown:     "header_unknown",
	ReasonRecordMalformed:   "record_malformed",
}

// EachReason calls yield for every reason but ReasonNone, until it returns false.
func EachReason(yield func(Reason) bool) {
	for r := ReasonNone + 1; int(r) < NumReasons; r++ {
		none := r == reasonTemplate+Reason(template.FaultNone) || r == reasonSFlow+Reason(sflow.ReasonNone)
		if !none && !yield(r) {
			return
		}
	}
}

// String returns the reason's name.
func (r Reason) String() string {
	switch {
	case r < reasonTemplate:
		return reasonNames[r]
	case r < reasonSFlow:
		return template.Fault(r - reasonTemplate).String()
	default:
		return "sflow_" + sflow.Reason(r-reasonSFlow).String()
	}
}

// TemplateReason returns a fault of package template as a reason.
func TemplateReason(f template.Fault) Reason { return templateReason(f) }

// SFlowReason returns a reason of package sflow as one of this package.
func SFlowReason(f sflow.Reason) Reason { return sflowReason(f) }

func templateReason(f template.Fault) Reason {
	if f == template.FaultNone {
		return ReasonNone
	}
	return reasonTemplate + Reason(f)
}

func sflowReason(f sflow.Reason) Reason {
	if f == sflow.ReasonNone {
		return ReasonNone
	}
	return reasonSFlow + Reason(f)
}
