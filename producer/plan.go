package producer

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/names"
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

	// Those of fields that several elements fill: only where the field is zero.
	opNumberIfZero
	opAddressIfZero
	opTextIfZero

	opDurationMillis // from start to end
	opDurationMicros
	opEtherType // where there are no addresses
	opImplies   // the protocol
	opICMPPort  // see plan.icmpPort
	opCodePoint

	opBytes       // a string of bytes as it is
	opBytesIfZero //
	opApplication
	opChosen // see lookups
	opList   // of values: see lists.go
	opSegments
	opRoutingHeader
	opDirection // see op.side
	opLabels    // the beginning of a packet with its label stack
	opPayload   // what follows the IP header of a packet
	opUnion     // of TCP flags
	numOpcodes
)

// ifZero are the opcodes that do not replace a value.
var ifZero = map[opcode]opcode{opNumber: opNumberIfZero, opAddress: opAddressIfZero, opText: opTextIfZero, opBytes: opBytesIfZero}

// opcodes are those of the table's conversions; Plain depends on the field.
var opcodes = [schema.NumConversions]opcode{
	schema.IPv4: opAddr4, schema.IPv6: opAddr6, schema.Append: opAppend, schema.Label: opLabel,
	schema.Uptime: opUptime, schema.Seconds: opSeconds, schema.Millis: opMillis, schema.NTP: opNTP, schema.Before: opBefore,
	schema.BootTime: opBoot, schema.IPVersion: opIPVersion, schema.Interval: opInterval, schema.Sampler: opSampler,
	schema.FrameSize: opFrameSize, schema.Frame: opFrame, schema.Packet: opPacket,
	schema.DurationMillis: opDurationMillis, schema.DurationMicros: opDurationMicros, schema.EthernetType: opEtherType,
	schema.Implies: opImplies, schema.ICMPPort: opICMPPort, schema.CodePoint: opCodePoint,
	schema.Application: opApplication, schema.Chosen: opChosen, schema.BasicList: opList,
	schema.Segments: opSegments, schema.RoutingHeader: opRoutingHeader, schema.Labels: opLabels, schema.PacketPayload: opPayload,
	schema.Union: opUnion,
}

// An elementOp is what an element does to a field.
type elementOp struct {
	op
	rank    uint8
	length  uint8 // the only one that it may have, 0 for any
	reverse bool  // of the other direction
	isNew   bool  // goflow2 does not know it
}

// lookups are those of the table, by the place of an opChosen.
var lookups []*schema.Lookup

// elements are what the table's elements fill. Numbers of IANA's up to 127 are those
// of NetFlow v9 too (RFC 7012, RFC 3954 section 8).
var elements = func() map[elementKey][]elementOp {
	all := map[elementKey][]elementOp{}
	add := func(id fieldID, e *schema.Element) {
		key, o := elementKey{e.PEN, e.ID}, newOp(id, e)
		if e.Lookup != nil {
			o.place = uint8(len(lookups))
			lookups = append(lookups, e.Lookup)
		}
		all[key] = append(all[key], elementOp{o, e.Rank, e.Length, e.Reverse, e.New})
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
	o := op{code: opcodes[e.Conv], field: id, shift: e.Shift, bits: e.Bits, place: e.Place, side: e.Side}
	switch {
	case e.Conv == schema.Append || e.Conv == schema.BasicList:
		o.bits = e.Length
	case o.bits == 0:
		o.bits = 64
	}
	if e.Conv != schema.Plain {
		return o
	}
	switch info := &fieldTable[id]; {
	case info.form == schema.Text:
		o.code = opText
	case info.form == schema.Address:
		o.code = opAddress
	case info.kind == kindBytes:
		o.code = opBytes
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
	placeSelector = 3
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
	// late are the ops that are done after all others, in template order: those of rank
	// schema.IfZero.
	late []op
	// reverse fills the flow of the other direction, nil where records have none.
	reverse *plan
	// icmpPort says that type and code of ICMP are in the destination port, noPorts that
	// the template has none, families that it has addresses of IPv4 and of IPv6.
	icmpPort, noPorts, families bool
	// back says that it is the plan of the other direction: the protocol is known.
	back bool
	// nat says what the record is asked of address translation.
	nat natFacts
	// joins are the kinds of names that a record can need.
	joins names.Kinds
	// ignored counts the elements that fill nothing, by kind.
	ignored [NumIgnored]uint32
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
	side        schema.Side
	wide        bool   // the field has 64 bits
	index       uint16 // of the field in the template
	same        bool   // the value is that of the op before
	length      uint16
	at          uint16 // of the field in a Flow: see flowOffset
	offset      uint32 // in the record; of no meaning if the plan is variable
}

// compilePlan makes the plan of a data template.
func compilePlan(t *Template) *plan { return compileMapped(t, nil, nil) }

// compileMapped makes the plan of a data template under a program and the mapping
// that this has for the template's version; both may be nil.
func compileMapped(t *Template, mapping map[elementKey]target, prog *Program) *plan {
	compat := prog != nil && prog.compat
	p := compileElements(t, mapping, prog, elementsOf)
	if compat {
		return p
	}
	if hasReverse(t) {
		p.reverse = compileElements(t, nil, prog, reverseElements)
		p.reverse.icmpPort, p.reverse.families, p.reverse.back = false, false, true
	}
	p.fused = fuse(p, t)
	return p
}

// compileElements makes a plan of what the elements of a template fill.
func compileElements(t *Template, mapping map[elementKey]target, prog *Program, of func(elementKey) []elementOp) *plan {
	p := &plan{variable: t.Variable, fields: t.Fields}
	compat := prog != nil && prog.compat
	ranks := rank(t, of)
	directed := hasDirection(t)
	p.noPorts = ranks[fieldSrcPort].n+ranks[fieldDstPort].n == 0
	offset := uint32(0)
	for i, f := range t.Fields {
		first := len(p.ops)
		add := func(o op) {
			o.length, o.offset, o.same, o.index = f.Length, offset, len(p.ops) > first, uint16(i)
			p.ops = append(p.ops, o)
		}
		key := elementKey{f.PEN, f.ID}
		to, mapped := mapping[key]
		if mapped && f.Length > 0 {
			p.targets = append(p.targets, to)
			add(op{code: opMapped})
		}
		for _, e := range of(key) {
			if !e.usable(&f, directed) || prog != nil && isExtra(e.field) && prog.hidden.has(e.field) {
				continue
			}
			r := &ranks[e.field]
			switch {
			case compat:
				if e.code = compatCode(e.code, t.Version); e.code != opSkip && !e.isNew {
					add(compatBits(e.op))
				}
			case e.code == opPayload, e.side != schema.AnySide && directed && e.rank == r.best:
				if code, ok := ifZero[e.code]; ok && r.n > 1 {
					e.code = code
				}
				e.op.length, e.offset, e.index = f.Length, offset, uint16(i)
				p.late = append(p.late, e.op)
			case e.code == opICMPPort:
				p.icmpPort = p.icmpPort || e.rank == r.best
			case e.rank == schema.IfZero && r.best != schema.IfZero:
				e.code = ifZero[e.code]
				e.op.length, e.offset, e.index = f.Length, offset, uint16(i)
				p.late = append(p.late, e.op)
			case e.rank == r.best, e.code == opBoot:
				if code, ok := ifZero[e.code]; ok && r.n > 1 {
					e.code = code
				}
				add(e.op)
			}
		}
		if key == (elementKey{0, ieFlowDirection}) && f.Length > 0 && !compat {
			add(op{code: opDirection})
		}
		if len(p.ops) == first && f.Length > 0 && of(key) == nil && (compat || reverseElements(key) == nil) {
			p.ignore(key)
		}
		if len(p.ops) == first && t.Variable && f.Length > 0 {
			add(op{code: opSkip})
		}
		offset += uint32(f.Length)
	}
	if !compat {
		p.nat = natFactsOf(t, &ranks)
		p.families = p.has(opAddr4) && p.has(opAddr6)
		p.dropDirection()
	}
	p.joins = joinsOf(p.ops) | joinsOf(p.late)
	return p
}

// has tells whether an op of the plan has a code.
func (pl *plan) has(code opcode) bool {
	is := func(o op) bool { return o.code == code }
	return slices.ContainsFunc(pl.ops, is) || slices.ContainsFunc(pl.late, is)
}

// elementsOf returns what an element fills.
func elementsOf(key elementKey) (all []elementOp) {
	all = elements[key]
	if len(all) > 0 && all[0].reverse {
		return nil
	}
	return all
}

// reversePEN is the enterprise number of elements of the other direction: RFC 5103
// section 6.1.
const reversePEN = 29305

// reverseElements returns what an element fills of the flow of the other direction.
func reverseElements(key elementKey) []elementOp {
	if key.pen == reversePEN {
		all := elementsOf(elementKey{0, key.id})
		if len(all) > 0 && all[0].field == fieldSamplingRate {
			return nil // a rate is one of both directions
		}
		return all
	}
	if all := elements[key]; len(all) > 0 && all[0].reverse {
		return all
	}
	return nil
}

// hasReverse tells whether records of a template count both directions.
func hasReverse(t *Template) bool {
	for _, f := range t.Fields {
		if f.Length > 0 && reverseElements(elementKey{f.PEN, f.ID}) != nil {
			return true
		}
	}
	return false
}

// bootUptime returns what the uptime clock of an exporter shows, which has 32 bits and
// may have wrapped since the boot.
func bootUptime(exportNs, bootMs uint64) uint32 { return uint32(exportNs/1e6 - bootMs) }

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
// sections 6.1.9 and 6.1.10). Seconds without their highest bit are those of era 1,
// from 2036 on. Times before 1970 give 0, as 0 does, which is unknown.
func ntpToUnix(v uint64) uint64 {
	secs := v >> 32
	switch {
	case v == 0:
		return 0
	case secs < 1<<31:
		secs += 1 << 32
	case secs < ntpEpoch:
		return 0
	}
	return (secs-ntpEpoch)*1e9 + (v&0xffffffff)*1e9>>32
}

// integer is number, of values of more than 8 bytes too if those in front are zero: some
// probes give elements more bytes than they need.
func integer(v []byte) (uint64, bool) {
	for len(v) > 8 && v[0] == 0 {
		v = v[1:]
	}
	return number(v)
}

// wideTime reads a time of 16 bytes that is in two halves, as a probe sends it that calls
// this 154 or 155: Unix seconds, and the microseconds beyond them, or nanoseconds. It
// returns 0 for what is no such time.
func wideTime(v []byte, nanos bool) uint64 {
	if len(v) != 16 {
		return 0
	}
	secs, rest := binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])
	if !nanos {
		if rest >= 1e6 {
			return 0
		}
		rest *= 1e3
	}
	if secs == 0 || secs >= 1<<33 || rest >= 1e9 {
		return 0
	}
	return secs*1e9 + rest
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
