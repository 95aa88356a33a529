package producer

import (
	"math/bits"
	"sync/atomic"

	"github.com/weirflow/weir/decoders/template"
)

// opcode says where a field's value goes.
type opcode uint8

const (
	opSkip opcode = iota
	opBytes
	opPackets
	opProto
	opTOS
	opTCPFlags
	opSrcPort
	opDstPort
	opSrcAddr4
	opDstAddr4
	opSrcAddr6
	opDstAddr6
	opSrcNet
	opDstNet
	opInIf
	opOutIf
	opNextHop
	opBGPNextHop
	opSrcAS
	opDstAS
	opFlowLabel
	opICMPTypeCode
	opICMPType
	opICMPCode
	opMPLSIP
	opLabel1
	opLabel2
	opLabel3
	opTTL
	opFragmentID
	opFragmentOffset
	opIPFlags
	opSrcMAC
	opDstMAC
	opVLAN
	opDstVLAN
	opIPVersion
	opForwardingStatus
	opObservationPoint
	opSamplingInterval
	opSamplerID
	opStartUptime
	opEndUptime
	opStartSeconds
	opEndSeconds
	opStartMillis
	opEndMillis
	opStartNTP
	opEndNTP
	opStartDelta
	opEndDelta
	opBootMillis
	opFrameSize
	opFrameSection
	opIPSection
	opMapped // by the mapping: see target
	// As goflow2 converts them: see compat.go.
	opStartNTPFloat
	opEndNTPFloat
)

// elements maps the information elements of IANA's registry to opcodes. Their
// numbers up to 127 are those of NetFlow v9 too (RFC 7012, RFC 3954 section
// 8).
var elements = map[uint16]opcode{
	1: opBytes, 23: opBytes,
	2: opPackets, 24: opPackets,
	4:  opProto,
	5:  opTOS,
	6:  opTCPFlags,
	7:  opSrcPort,
	11: opDstPort,
	8:  opSrcAddr4, 27: opSrcAddr6,
	12: opDstAddr4, 28: opDstAddr6,
	9: opSrcNet, 29: opSrcNet,
	13: opDstNet, 30: opDstNet,
	10: opInIf,
	14: opOutIf,
	15: opNextHop, 62: opNextHop,
	18: opBGPNextHop, 63: opBGPNextHop,
	16: opSrcAS,
	17: opDstAS,
	31: opFlowLabel,
	32: opICMPTypeCode, 139: opICMPTypeCode,
	176: opICMPType, 178: opICMPType,
	177: opICMPCode, 179: opICMPCode,
	47: opMPLSIP, 140: opMPLSIP,
	70: opLabel1, 71: opLabel2, 72: opLabel3,
	52: opTTL,
	54: opFragmentID, 88: opFragmentOffset, 197: opIPFlags,
	56: opSrcMAC, 81: opSrcMAC,
	57: opDstMAC, 80: opDstMAC,
	58: opVLAN, 59: opDstVLAN,
	60:  opIPVersion,
	89:  opForwardingStatus,
	138: opObservationPoint,
	34:  opSamplingInterval,
	48:  opSamplerID, 302: opSamplerID,
	21: opEndUptime, 22: opStartUptime,
	150: opStartSeconds, 151: opEndSeconds,
	152: opStartMillis, 153: opEndMillis,
	154: opStartNTP, 155: opEndNTP,
	156: opStartNTP, 157: opEndNTP,
	158: opStartDelta, 159: opEndDelta,
	160: opBootMillis,
	312: opFrameSize,
	313: opIPSection,
	315: opFrameSection,
}

// A plan is what a data template became: the fields that a Flow has a place
// for, where they stand in a record, and what to do with each. It is
// immutable and shared by all workers.
type plan struct {
	// ops are in template order. A template with fields of variable length
	// has one for each of its fields that can have bytes, as the walk needs
	// all lengths; one of fixed length has those that are used.
	ops      []op
	variable bool
	fields   []template.Field // all of the template's
	// fused writes protobuf without a Flow; nil where the template does not
	// allow it.
	fused *fusedPlan
	// json does the same for JSON; made when it is first wanted, by any worker.
	json atomic.Pointer[jsonPlan]
	// columns does it for the columns of a mapping; nil where that does not have
	// any, or the template does not allow it.
	columns *jsonPlan
	// keys makes the keys of records that are written without a Flow; nil where
	// they have none, or those of the messages are needed.
	keys *keyPlan
	// targets are those of the opMapped, in their order.
	targets []target
	// mapped is the plan under a mapping, made when it is first needed.
	mapped atomic.Pointer[mappedPlan]
}

type op struct {
	code   opcode
	length uint16 // bytes, or template.VariableLength
	offset uint32 // in the record; of no meaning if the plan is variable
}

// compilePlan makes the plan of a data template.
func compilePlan(t *template.Template) *plan { return compileMapped(t, nil, false) }

// compileMapped makes the plan of a data template under a mapping, which may be
// nil.
func compileMapped(t *template.Template, mapping map[elementKey]target, compat bool) *plan {
	p := &plan{variable: t.Variable, fields: t.Fields}
	offset := uint32(0)
	for _, f := range t.Fields {
		code := opSkip
		if f.PEN == 0 {
			code = elements[f.ID]
		}
		if compat {
			code = compatCode(code, t.Version)
		}
		if to, ok := mapping[elementKey{f.PEN, f.ID}]; ok && f.Length > 0 {
			to.then = code
			p.targets = append(p.targets, to)
			code = opMapped
		}
		if f.Length > 0 && (t.Variable || code != opSkip) {
			p.ops = append(p.ops, op{code: code, length: f.Length, offset: offset})
		}
		offset += uint32(f.Length)
	}
	if !compat {
		p.fused = fuse(p, t)
	}
	return p
}

// recordContext is what a plan needs to know of the message around a record,
// and what a record says about itself beside its flow.
type recordContext struct {
	exportNs uint64 // the exporter's clock at export
	uptimeMs uint32 // and its uptime then; v9 only
	v9       bool
	bootMs   uint64 // when the exporter booted, by IE 160; 0 if it did not say

	compat               bool   // see compat.go
	mappedRate           uint64 // what the mapping says is the sampling rate
	samplingInterval     uint64 // IE 34
	samplerID            uint64 // IE 48 or 302
	hasSampler           bool
	startUptime          uint32
	endUptime            uint32
	hasStartUp, hasEndUp bool
	timeLost             bool // a time that it has is out of range
	// The record has an absolute time, so that one relative to the exporter's
	// uptime is not needed.
	absStart, absEnd bool
}

// fill sets f's fields from a record that the plan's template describes.
func (p *Producer) fill(pl *plan, rec []byte, f *Flow, c *recordContext) {
	mapped := 0
	if !pl.variable {
		for i := range pl.ops {
			o := &pl.ops[i]
			v := rec[o.offset : o.offset+uint32(o.length)]
			if o.code == opMapped {
				p.applyMapped(&pl.targets[mapped], v, f, c)
				mapped++
				continue
			}
			p.apply(o.code, v, f, c)
		}
	} else {
		pos := 0
		for i := range pl.ops {
			o := &pl.ops[i]
			field := template.Field{Length: o.length}
			off, n := template.FieldSpan(&field, rec, pos)
			pos = off + n
			if o.code == opMapped {
				p.applyMapped(&pl.targets[mapped], rec[off:pos], f, c)
				mapped++
			} else if o.code != opSkip && n > 0 {
				p.apply(o.code, rec[off:pos], f, c)
			}
		}
	}
	c.times(f)
}

// times sets the flow times that the record gave relative to the exporter's
// uptime, where it gave no absolute ones.
func (c *recordContext) times(f *Flow) {
	start := c.hasStartUp && !c.absStart
	end := c.hasEndUp && !c.absEnd
	uptimeMs := c.uptimeMs
	switch {
	case !start && !end:
		return
	case c.compat:
		c.compatTimes(f)
		return
	case c.v9:
	case c.bootMs != 0:
		// The uptime clock has 32 bits and may have wrapped since the boot.
		uptimeMs = uint32(c.exportNs/1e6 - c.bootMs)
	case start && end:
		// An IPFIX header has no uptime: with nothing to say when the
		// exporter booted, only the duration is known. The flow ends when
		// it was exported.
		uptimeMs = c.endUptime
	default:
		return
	}
	if start {
		f.TimeFlowStartNs = uptimeToUnix(c.exportNs, uptimeMs, c.startUptime)
		c.timeLost = c.timeLost || f.TimeFlowStartNs == 0
	}
	if end {
		f.TimeFlowEndNs = uptimeToUnix(c.exportNs, uptimeMs, c.endUptime)
		c.timeLost = c.timeLost || f.TimeFlowEndNs == 0
	}
}

// maxAheadMs is how far ahead of the exporter's uptime a flow's time may be
// before it is read as one from before the uptime counter wrapped.
const maxAheadMs = 3600 * 1000

// uptimeToUnix converts at, a time on the exporter's 32-bit millisecond uptime
// clock, to Unix nanoseconds. The clock showed uptime when the exporter's real
// clock was exportNs. Both may have wrapped in between. Times before 1970 give 0.
func uptimeToUnix(exportNs uint64, uptimeMs, at uint32) uint64 {
	if ahead := at - uptimeMs; ahead > 0 && ahead <= maxAheadMs {
		return exportNs + uint64(ahead)*1e6
	}
	return since(exportNs, uint64(uptimeMs-at), 1e6)
}

// scaleTime converts n units of so many nanoseconds. What is beyond the range of
// 64 bits gives 0, no time.
func scaleTime(n, unit uint64) uint64 {
	hi, ns := bits.Mul64(n, unit)
	if hi != 0 {
		return 0
	}
	return ns
}

// since returns the time that is n units of so many nanoseconds before exportNs,
// 0 if that is before 1970.
func since(exportNs, n, unit uint64) uint64 {
	hi, ns := bits.Mul64(n, unit)
	if hi != 0 || ns > exportNs {
		return 0
	}
	return exportNs - ns
}

// ntpEpoch is the Unix epoch in seconds of the NTP era 0 (RFC 5905).
const ntpEpoch = 2208988800

// ntpToUnix converts a 64-bit NTP timestamp to Unix nanoseconds (RFC 7011
// sections 6.1.9 and 6.1.10). Times before 1970, such as 0 for unknown, give
// 0.
func ntpToUnix(v uint64) uint64 {
	secs := v >> 32
	if secs < ntpEpoch {
		return 0
	}
	return (secs-ntpEpoch)*1e9 + (v&0xffffffff)*1e9>>32
}

// number reads a big-endian number of 1 to 8 bytes: exporters may shorten
// integers (RFC 7011 section 6.2). Longer values are no numbers and give false.
func number(v []byte) (uint64, bool) {
	if len(v) > 8 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range v {
		n = n<<8 | uint64(c)
	}
	return n, true
}
