package producer

import (
	"math/bits"
	"sync/atomic"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/schema"
)

// opcode says what is done with a field's value.
type opcode uint8

const (
	opSkip      opcode = iota
	opNumber           // of any width, or a part of its bits
	opAddress          // of 4 or 16 bytes
	opText             // a string of bytes without the zeros at its end
	opAddr4            // of the packet: sets the EtherType too
	opAddr6            //
	opAppend           // an address, to a list
	opLabel            // of the MPLS stack
	opUptime           // a time, as are those that follow
	opSeconds          //
	opMillis           //
	opNTP              //
	opBefore           //
	opBoot             //
	opIPVersion        //
	opInterval         // sampling interval
	opSampler          //
	opFrameSize        //
	opFrame            // the beginning of a frame
	opPacket           // and of a packet
	opMapped           // by the mapping: see target
	opNTPFloat         // as goflow2 converts it: see compat.go
)

// opcodes are those of the table's conversions; Plain depends on the field.
var opcodes = [schema.NumConversions]opcode{
	schema.IPv4: opAddr4, schema.IPv6: opAddr6, schema.Append: opAppend, schema.Label: opLabel,
	schema.Uptime: opUptime, schema.Seconds: opSeconds, schema.Millis: opMillis, schema.NTP: opNTP, schema.Before: opBefore,
	schema.BootTime: opBoot, schema.IPVersion: opIPVersion, schema.Interval: opInterval, schema.Sampler: opSampler,
	schema.FrameSize: opFrameSize, schema.Frame: opFrame, schema.Packet: opPacket,
}

// An elementOp is what an element does to a field.
type elementOp struct {
	op
	rank uint8
}

// elements are what the table's elements fill. Numbers of IANA's up to 127 are those
// of NetFlow v9 too (RFC 7012, RFC 3954 section 8).
var elements = func() map[elementKey][]elementOp {
	all := map[elementKey][]elementOp{}
	add := func(id fieldID, e *schema.Element) {
		key := elementKey{e.PEN, e.ID}
		all[key] = append(all[key], elementOp{newOp(id, e), e.Rank})
	}
	for i := range schema.Fields {
		for j := range schema.Fields[i].Elements {
			add(fieldID(i), &schema.Fields[i].Elements[j])
		}
	}
	for i := range schema.Headers {
		add(fieldICMPName, &schema.Headers[i]) // no one field
	}
	return all
}()

// newOp makes the op of an element that fills a field, but for where it stands.
func newOp(id fieldID, e *schema.Element) op {
	o := op{code: opcodes[e.Conv], field: id, shift: e.Shift, bits: e.Bits, place: e.Place}
	if o.bits == 0 {
		o.bits = 64
	}
	if e.Conv != schema.Plain {
		return o
	}
	switch info := &fieldTable[id]; {
	case info.form == schema.Text:
		o.code = opText
	case info.kind == kindBytes:
		o.code = opAddress
	default:
		o.code, o.wide, o.at = opNumber, info.kind == kindUint64, flowOffset(id)
	}
	return o
}

// Places of opSampler.
const (
	placeSampler  = 0
	placeSequence = 1
	placeLineCard = 2
)

// A plan is what a data template became: the fields that a Flow has a place
// for, where they stand in a record, and what to do with each. It is
// immutable and shared by all workers.
type plan struct {
	// ops are in template order, several for an element that fills several fields. A
	// template with fields of variable length has one at least for each of its fields
	// that can have bytes, as the walk needs all lengths; one of fixed length has those
	// that are used.
	ops      []op
	variable bool
	fields   []template.Field // all of the template's
	// fused writes protobuf without a Flow; nil where the template does not
	// allow it.
	fused *fusedPlan
	// json does the same for JSON and text, by form; made when it is first wanted, by
	// any worker.
	json [numTextForms]atomic.Pointer[jsonPlan]
	// columns does it for the columns of a mapping, by notation; nil where that does not
	// have any, or the template does not allow it.
	columns [2]*jsonPlan
	// keys makes the keys of records that are written without a Flow; nil where
	// they have none, or those of the messages are needed.
	keys *keyPlan
	// targets are those of the opMapped, in their order.
	targets []target
	// mapped is the plan under a mapping, made when it is first needed.
	mapped atomic.Pointer[mappedPlan]
}

type op struct {
	code        opcode
	field       fieldID
	shift, bits uint8 // of a number: bits dropped from the right, and kept of the rest
	place       uint8 // of a label
	wide        bool  // the field has 64 bits
	same        bool  // the value is that of the op before
	length      uint16
	at          uint16 // of the field in a Flow: see flowOffset
	offset      uint32 // in the record; of no meaning if the plan is variable
}

// compilePlan makes the plan of a data template.
func compilePlan(t *template.Template) *plan { return compileMapped(t, nil, nil) }

// compileMapped makes the plan of a data template under a program and the mapping
// that this has for the template's version; both may be nil.
func compileMapped(t *template.Template, mapping map[elementKey]target, prog *Program) *plan {
	p := &plan{variable: t.Variable, fields: t.Fields}
	compat := prog != nil && prog.compat
	best := bestRanks(t)
	offset := uint32(0)
	for _, f := range t.Fields {
		first := len(p.ops)
		add := func(o op) {
			o.length, o.offset, o.same = f.Length, offset, len(p.ops) > first
			p.ops = append(p.ops, o)
		}
		key := elementKey{f.PEN, f.ID}
		to, mapped := mapping[key]
		if mapped && f.Length > 0 {
			p.targets = append(p.targets, to)
			add(op{code: opMapped})
		}
		for _, e := range elements[key] {
			if compat {
				e.code = compatCode(e.code, t.Version)
			}
			hidden := prog != nil && isExtra(e.field) && prog.hidden.has(e.field)
			if e.code != opSkip && f.Length > 0 && !hidden && e.rank <= best[e.field] {
				add(e.op)
			}
		}
		if len(p.ops) == first && t.Variable && f.Length > 0 {
			add(op{code: opSkip})
		}
		offset += uint32(f.Length)
	}
	if !compat {
		p.fused = fuse(p, t)
	}
	return p
}

// bestRanks returns the lowest rank of the elements that a template has of each
// field.
func bestRanks(t *template.Template) (best [fieldCustom]uint8) {
	for i := range best {
		best[i] = 255
	}
	for _, f := range t.Fields {
		if f.Length == 0 {
			continue
		}
		for _, e := range elements[elementKey{f.PEN, f.ID}] {
			best[e.field] = min(best[e.field], e.rank)
		}
	}
	return best
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
	samplerID            uint64 // IE 48 or 302
	sequenceID           uint64 // IE 301
	lineCard             uint64 // IE 141; 0 for none
	hasSampler           bool
	hasSequence          bool
	rated                bool   // the record has parts of a rate: see memory.rates
	sections             uint16 // of the label stack, by bit: see memory.sections
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
				p.assign(&pl.targets[mapped], v, f, c)
				mapped++
				continue
			}
			p.apply(o, v, f, c)
		}
	} else {
		pos, off, n := 0, 0, 0
		for i := range pl.ops {
			o := &pl.ops[i]
			if !o.same {
				field := template.Field{Length: o.length}
				off, n = template.FieldSpan(&field, rec, pos)
				pos = off + n
			}
			if o.code == opMapped {
				p.assign(&pl.targets[mapped], rec[off:pos], f, c)
				mapped++
			} else if o.code != opSkip && n > 0 {
				p.apply(o, rec[off:pos], f, c)
			}
		}
	}
	if c.sections != 0 {
		p.stack(f, c.sections)
	}
	c.times(f)
}

// maxSections is the number of sections of a label stack.
const maxSections = 10

// stack sets the label stack from its sections, which it ends at the first that the
// record does not use or that has the bit of the bottom (RFC 3032 section 2.1). A label
// of 0 at the top is that of exporters that have none.
func (p *Producer) stack(f *Flow, sections uint16) {
	for i := range p.sections {
		entry := p.sections[i]
		if sections>>i&1 == 0 || entry == 0 || i == 0 && entry>>4 == 0 {
			return
		}
		if i == 0 {
			f.MPLSLabel = f.MPLSLabel[:0]
		}
		f.MPLSLabel = append(f.MPLSLabel, entry>>4)
		if entry&1 != 0 {
			return
		}
	}
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
