package template

// Fault says what was wrong with a piece of a message. The piece is skipped
// by its length and the walk goes on: a fault never ends more than the piece
// that it is found in.
type Fault uint8

// The faults that the walks of this package report.
const (
	FaultNone Fault = iota
	// FaultSetLength: a set's length field is below 4, so that the next set
	// cannot be found. What follows it is left.
	FaultSetLength
	// FaultSetOverrun: a set's length field goes beyond the message. The set
	// is cut to the bytes that are there.
	FaultSetOverrun
	// FaultTrailingZeros: four or more zero bytes follow the last set.
	FaultTrailingZeros
	// FaultTrailingBytes: bytes that are no set header follow the last set.
	FaultTrailingBytes
	// FaultReservedSet: the set id is reserved (IPFIX 0, 1 and 4-255, v9
	// 2-255).
	FaultReservedSet
	// FaultTemplateTruncated: a template record claims more fields than the
	// set has bytes for.
	FaultTemplateTruncated
	// FaultTemplateID: a template id below 256.
	FaultTemplateID
	// FaultTemplateEmpty: a template with no field, or none that has bytes:
	// its records would have no length.
	FaultTemplateEmpty
	// FaultTemplateScope: an options template whose scope count is above its
	// field count, or whose v9 lengths are no multiples of four.
	FaultTemplateScope
	// FaultTemplateFields: more fields than the store's limit.
	FaultTemplateFields
	// FaultTemplateLimit: the domain has as many templates as the store's
	// limit allows.
	FaultTemplateLimit
	// FaultDomainLimit: the store has as many domains as its limit allows.
	FaultDomainLimit
	// FaultTemplateBytes: the templates of the domain, or of all, take as much
	// memory as the store's limit allows.
	FaultTemplateBytes
	// FaultRecordTruncated: a data record ends beyond its set.
	FaultRecordTruncated

	// NumFaults is the number of faults.
	NumFaults = int(iota)
)

var faultNames = [NumFaults]string{
	FaultNone:              "none",
	FaultSetLength:         "set_length",
	FaultSetOverrun:        "set_overrun",
	FaultTrailingZeros:     "trailing_zeros",
	FaultTrailingBytes:     "trailing_bytes",
	FaultReservedSet:       "reserved_set",
	FaultTemplateTruncated: "template_truncated",
	FaultTemplateID:        "template_id",
	FaultTemplateEmpty:     "template_empty",
	FaultTemplateScope:     "template_scope",
	FaultTemplateFields:    "template_fields_limit",
	FaultTemplateLimit:     "template_limit",
	FaultDomainLimit:       "domain_limit",
	FaultTemplateBytes:     "template_bytes_limit",
	FaultRecordTruncated:   "record_truncated",
}

// String returns the fault's stable name, as it appears in metrics.
func (f Fault) String() string {
	if int(f) < len(faultNames) {
		return faultNames[f]
	}
	return "unknown"
}
