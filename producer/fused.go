package producer

import (
	"slices"

	"github.com/weirflow/weir/decoders/template"
)

// A fused plan writes the protobuf message of a record straight from the
// record's bytes, without a Flow in between. It exists for records of fixed
// length whose fields can be written independently of each other; all others,
// and other formats, go by way of a Flow, which is the oracle of this path.
//
// What all records of a set share is encoded once, into a prefix that is
// copied. The fields are grouped by width, so that each group is one tight
// loop over a table without a switch: a value of zero is left out by advancing
// the output by nothing, not by a branch. Protocol buffers allow fields in any
// order.
type fusedPlan struct {
	recordLen int
	maxLen    int // bytes of the longest message, without prefix

	addr4  []fusedAddr // addresses of 4 bytes
	addr16 []fusedAddr // addresses of 16 bytes

	// Whole integers of 1, 2 and 4 bytes, by the length of their tag.
	int1Tag1, int1Tag2 []fusedOp
	int2Tag1, int2Tag2 []fusedOp
	int4Tag1, int4Tag2 []fusedOp
	int8Tag1           []fusedOp  // counters of 8 bytes
	other              []fusedInt // integers of other widths, or of a part of their bits

	start, end fusedTime
	// times is what they are if both are of one kind and of its full width, a
	// timesX constant.
	times  uint32
	tables *fusedTables
	// rest says that writeRest has something to write, rates that it is the
	// sampling rate alone.
	rest  bool
	rates bool
	etype uint32 // 0: none
	// fixed: the records are those of v5 or v7.
	fixed bool

	// The rate of a record: by IE 34, else by sampler id. Width 0: not there.
	interval, sampler fusedInt

	enrich fusedEnrich
	custom []fusedCustom // fields that a mapping adds
}

type fusedAddr struct {
	offset uint32
	head   uint32 // tag and length as they are written, first byte lowest
	tagLen uint8  // bytes of the tag alone
}

type fusedInt struct {
	offset uint32
	width  uint8
	little bool   // in little-endian order
	shift  uint8  // bits dropped from the right
	mask   uint64 // bits kept then
	tag    uint16 // as it is written, first byte lowest
	tagLen uint8
}

// fusedOp is a whole integer of a width and tag length that its table says.
type fusedOp struct {
	offset uint16 // in the record
	tag    uint16 // as it is written, first byte lowest
}

// timeKind is how a record says a time.
type timeKind uint8

const (
	timeExport  timeKind = iota // not at all: the export time holds
	timeUptime                  // milliseconds on the uptime clock of a v9 or fixed header
	timeSeconds                 // Unix seconds
	timeMillis                  // Unix milliseconds
	timeNTP                     // NTP, 64 bits
	timeDelta                   // microseconds before the export
)

type fusedTime struct {
	kind   timeKind
	width  uint8
	offset uint32
}

// destinations of opcodes that are plain integers, by field number.
var fusedFields = map[opcode]int{
	opBytes: 9, opPackets: 10, opProto: 20, opTOS: 23, opTCPFlags: 26,
	opSrcPort: 21, opDstPort: 22, opSrcNet: 16, opDstNet: 17, opInIf: 18, opOutIf: 19,
	opSrcAS: 14, opDstAS: 15, opFlowLabel: 37, opICMPType: 31, opICMPCode: 32,
	opTTL: 25, opFragmentID: 35, opFragmentOffset: 36, opSrcMAC: 27, opDstMAC: 28,
	opDstVLAN: 34, opForwardingStatus: 24, opObservationPoint: 71,
}

var fusedAddresses = map[opcode]int{
	opSrcAddr4: 6, opSrcAddr6: 6, opDstAddr4: 7, opDstAddr6: 7, opNextHop: 12, opBGPNextHop: 100,
}

var fusedTimes = map[opcode]timeKind{
	opStartUptime: timeUptime, opEndUptime: timeUptime,
	opStartSeconds: timeSeconds, opEndSeconds: timeSeconds,
	opStartMillis: timeMillis, opEndMillis: timeMillis,
	opStartNTP: timeNTP, opEndNTP: timeNTP,
	opStartDelta: timeDelta, opEndDelta: timeDelta,
}

// fuse makes the fused plan of the template that pl was compiled from, or nil
// if its records have to go by way of a Flow.
func fuse(pl *plan, t *template.Template) *fusedPlan {
	if t.Variable {
		return nil
	}
	b := fuser{plan: &fusedPlan{recordLen: t.Length}, ints: map[int]fusedInt{}, addrs: map[int]fusedSource{}}
	if !b.collect(pl, t.Version) || b.version && b.families == 0 {
		return nil
	}
	return b.finish()
}

// fusedSource is where an address stands.
type fusedSource struct {
	offset uint32
	length uint16
}

// fuser collects the last source of each field, in template order.
type fuser struct {
	plan     *fusedPlan
	ints     map[int]fusedInt    // by field number
	addrs    map[int]fusedSource // by field number
	families int                 // bit 0: IPv4, bit 1: IPv6
	version  bool                // the record says its IP version itself
}

// add notes one op; false if the template cannot be fused.
func (b *fuser) add(o op, version uint16) bool {
	if field, ok := fusedFields[o.code]; ok {
		mask := uint64(1<<32 - 1)
		switch o.code {
		case opBytes, opPackets:
			mask = 1<<64 - 1
		case opSrcMAC, opDstMAC:
			mask = macMask
		}
		b.setInt(field, o.offset, o.length, 0, mask)
		return true
	}
	if field, ok := fusedAddresses[o.code]; ok {
		return b.setAddr(field, o)
	}
	if kind, ok := fusedTimes[o.code]; ok {
		return b.setTime(kind, o, version)
	}
	switch o.code {
	case opVLAN:
		b.setInt(29, o.offset, o.length, 0, 1<<32-1)
		b.setInt(33, o.offset, o.length, 0, 1<<32-1)
	case opICMPTypeCode:
		b.setInt(31, o.offset, o.length, 8, 0xff)
		b.setInt(32, o.offset, o.length, 0, 0xff)
	case opIPFlags:
		b.setInt(38, o.offset, o.length, 5, (1<<32-1)>>5)
	case opIPVersion:
		// An address behind it decides; one before it would not.
		b.version = true
		return b.families == 0
	case opSamplingInterval:
		if o.length <= 8 {
			b.plan.interval = newFusedInt(3, o.offset, o.length, 0, 1<<64-1)
		}
	case opSamplerID:
		if o.length <= 8 {
			b.plan.sampler = newFusedInt(3, o.offset, o.length, 0, 1<<64-1)
		}
	case opBootMillis:
		// Only of use for relative times, which are not fused with it.
	default:
		return false
	}
	return true
}

func (b *fuser) setInt(field int, offset uint32, length uint16, shift uint8, mask uint64) {
	if length <= 8 { // longer ones are no numbers
		b.ints[field] = newFusedInt(field, offset, length, shift, mask)
	}
}

func newFusedInt(field int, offset uint32, length uint16, shift uint8, mask uint64) fusedInt {
	i := fusedInt{offset: offset, width: uint8(length), shift: shift, mask: mask}
	tag := appendTag(nil, field, wireVarint)
	i.tagLen = uint8(len(tag))
	for j, c := range tag {
		i.tag |= uint16(c) << (8 * j)
	}
	return i
}

// setAddr notes an address. Both families in one template depend on values.
func (b *fuser) setAddr(field int, o op) bool {
	want := o.length
	switch o.code {
	case opSrcAddr4, opDstAddr4:
		want = 4
	case opSrcAddr6, opDstAddr6:
		want = 16
	}
	if o.length != want || want != 4 && want != 16 {
		return true // as in apply: left out
	}
	switch o.code {
	case opSrcAddr4, opDstAddr4:
		b.families |= 1
		b.plan.etype = etherTypeIPv4
	case opSrcAddr6, opDstAddr6:
		b.families |= 2
		b.plan.etype = etherTypeIPv6
	}
	if _, twice := b.addrs[field]; twice && field != 12 && field != 100 {
		return false
	}
	b.addrs[field] = fusedSource{o.offset, o.length}
	return b.families != 3
}

func (b *fuser) setTime(kind timeKind, o op, version uint16) bool {
	t := &b.plan.end
	switch o.code {
	case opStartUptime, opStartSeconds, opStartMillis, opStartNTP, opStartDelta:
		t = &b.plan.start
	}
	switch {
	case o.length > 8, kind == timeNTP && o.length != 8:
		return true // no number
	case kind == timeUptime && t.kind > timeUptime:
		return true // the absolute one counts
	case kind == timeUptime && version != template.V9:
		return false // needs what other fields say
	}
	*t = fusedTime{kind: kind, width: uint8(o.length), offset: o.offset}
	return true
}

// finish sorts the fields into their tables.
func (b *fuser) finish() *fusedPlan {
	p := b.plan
	for _, field := range sortedKeys(b.addrs) {
		src := b.addrs[field]
		head := appendVarint(appendTag(nil, field, wireBytes), uint64(src.length))
		a := fusedAddr{offset: src.offset, tagLen: uint8(len(head) - 1)}
		for j, c := range head {
			a.head |= uint32(c) << (8 * j)
		}
		// Loads of addresses are of their own width, so the last field of a
		// record is as good as any.
		if src.length == 4 {
			p.addr4 = append(p.addr4, a)
		} else {
			p.addr16 = append(p.addr16, a)
		}
		p.maxLen += len(head) + int(src.length)
	}
	for _, field := range sortedKeys(b.ints) {
		i := b.ints[field]
		if table := p.table(&i); table != nil {
			*table = append(*table, fusedOp{offset: uint16(i.offset), tag: i.tag})
		} else {
			p.other = append(p.other, i)
		}
		p.maxLen += 2 + 10
	}
	p.maxLen += 3 * 12 // times and sampling rate
	both := func(kind timeKind, width uint8) bool {
		return p.start.kind == kind && p.end.kind == kind && p.start.width == width && p.end.width == width
	}
	switch {
	case both(timeUptime, 4):
		p.times = timesUptime
	case both(timeNTP, 8):
		p.times = timesNTP
	case both(timeMillis, 8):
		p.times = timesMillis
	case both(timeSeconds, 4):
		p.times = timesSecs
	}
	timed := p.start.kind != timeExport || p.end.kind != timeExport
	for i := range p.custom {
		p.maxLen += p.custom[i].maxLen()
	}
	others := len(p.other) > 0 || len(p.custom) > 0 || timed && p.times == timesNone
	sampled := p.interval.width != 0 || p.sampler.width != 0
	p.rest = others || sampled
	p.rates = sampled && !others
	p.enrich = b.enrich()
	p.pack()
	p.enrich.plan.pack()
	return p
}

// table returns the table that integer i belongs to, nil if it is none of the
// plain ones.
func (p *fusedPlan) table(i *fusedInt) *[]fusedOp {
	if i.shift != 0 || i.little || i.offset > 1<<16-1 {
		return nil
	}
	tables := map[uint8][2]*[]fusedOp{
		1: {&p.int1Tag1, &p.int1Tag2},
		2: {&p.int2Tag1, &p.int2Tag2},
		4: {&p.int4Tag1, &p.int4Tag2},
		8: {&p.int8Tag1, nil},
	}
	t, ok := tables[i.width]
	if !ok || i.mask < 1<<(8*i.width)-1 {
		return nil
	}
	return t[i.tagLen-1]
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
