package producer

import (
	"bytes"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer/columns"
	"github.com/weirflow/weir/producer/schema"
)

// A fused plan writes the protobuf message of a record straight from the
// record's bytes, without a Flow in between. It exists for records of fixed
// length whose fields can be written independently of each other; all others,
// and other formats, take the generic path, which is the oracle of this path.
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
	// Those that are left out if they are zero, after a tag of two bytes.
	some4, some16 []fusedOp

	// Whole integers of 1, 2 and 4 bytes, by the length of their tag.
	int1Tag1, int1Tag2 []fusedOp
	int2Tag1, int2Tag2 []fusedOp
	int4Tag1, int4Tag2 []fusedOp
	int8Tag1           []fusedOp  // counters of 8 bytes
	other              []fusedInt // integers of other widths, or of a part of their bits

	// Those of which zero is a value too: whole ones after a tag of two bytes, by
	// width, and all others.
	flag1, flag2, flag4 []fusedOp
	vlans               []fusedOp // of 2 bytes, 12 bits of them, after a tag of two
	otherFlags          []fusedInt
	texts               []fusedText
	// formed says that extra numbers are not written as numbers in JSON and text.
	formed bool

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
	// exceptions are the records that take the generic path.
	exceptions []exception
	// fixed: the records have the fields of v5 in the same places.
	fixed bool
	// icmp: type and code of ICMP stand in the destination port, if the protocol
	// says so.
	icmp        bool
	proto, port uint32 // where they stand then, of 1 and 2 bytes

	// The rate of a record: by IE 34, else by sampler id. Width 0: not there.
	interval, sampler fusedInt
	samplerSource     SamplingSource // of the rate of a sampler

	enrich fusedEnrich
	custom []fusedCustom // fields that a mapping adds

	columns     *columns.Plan // nil: columns take the generic path
	columnTexts []columnText  // what that leaves out
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

// fusedText is a text.
type fusedText struct {
	number int // of its field
	fusedSource
}

// timeKind is how a record says a time.
type timeKind uint8

const (
	timeExport  timeKind = iota // not at all: the export time holds
	timeUptime                  // milliseconds on the uptime clock of a v9 or fixed header
	timeBoot                    // milliseconds since the boot, whose time the record has too
	timeSeconds                 // Unix seconds
	timeMillis                  // Unix milliseconds
	timeNTP                     // NTP, 64 bits
	timeDelta                   // microseconds before the export
)

type fusedTime struct {
	kind      timeKind
	width     uint8
	bootWidth uint8
	offset    uint32
	boot      uint32 // where the time of the boot stands, of a timeBoot
}

// timeKinds are those of the opcodes.
var timeKinds = map[opcode]timeKind{
	opUptime: timeUptime, opSeconds: timeSeconds, opMillis: timeMillis, opNTP: timeNTP, opBefore: timeDelta,
}

// fuse makes the fused plan of the template that pl was compiled from, or nil
// if its records have to take the generic path.
func fuse(pl *plan, t *Template) *fusedPlan {
	if t.Variable {
		return nil
	}
	b := newFuser()
	b.plan.recordLen = t.Length
	if pl.late != nil || pl.nat != 0 || !b.collect(pl, t.Version) || (b.version || b.etherType) && b.families == 0 {
		return nil
	}
	if pl.reverse != nil && !b.plan.addReverse(pl.reverse) {
		return nil
	}
	if (b.plan.start.kind == timeExport) != (b.plan.end.kind == timeExport) {
		return nil // one is made of the other
	}
	for id := range b.ints {
		b.plan.formed = b.plan.formed || isExtra(id) && fieldTable[id].form != schema.Number
	}
	return b.finish()
}

// usePort notes where type and code of ICMP stand if they are in the destination port.
// Records of ICMP are exceptions if that is not in a common form.
func (b *fuser) usePort(pl *plan) {
	proto, known := b.ints[fieldProto]
	if !pl.icmpPort || !known {
		return
	}
	_, hasType := b.ints[fieldICMPType]
	_, hasCode := b.ints[fieldICMPCode]
	port := b.ints[fieldDstPort]
	if hasType || hasCode || proto.width != 1 || port.width != 2 || !proto.whole() || !port.whole() {
		b.plan.exceptions = append(b.plan.exceptions, exception{number: proto, icmp: true})
		return
	}
	b.plan.icmp, b.plan.proto, b.plan.port = true, proto.offset, port.offset
	b.plan.maxLen += 2 * 4
}

// fusedSource is where an address stands.
type fusedSource struct {
	offset uint32
	length uint16
}

// fuser collects the last source of each field, in template order.
type fuser struct {
	plan     *fusedPlan
	ints     map[fieldID]fusedInt
	addrs    map[fieldID]fusedSource
	texts    map[fieldID]fusedSource
	families int  // bit 0: IPv4, bit 1: IPv6
	version  bool // the record says its IP version itself

	etherType bool // and its EtherType, which counts without addresses

	boot fusedInt // when the exporter booted, in Unix milliseconds; width 0: not there
}

func newFuser() fuser {
	return fuser{plan: &fusedPlan{}, ints: map[fieldID]fusedInt{}, addrs: map[fieldID]fusedSource{}, texts: map[fieldID]fusedSource{}}
}

// add notes one op; false if the template cannot be fused.
func (b *fuser) add(o op, version uint16) bool {
	if kind, ok := timeKinds[o.code]; ok {
		return b.setTime(kind, o, version)
	}
	switch o.code {
	case opNumber:
		bits := o.bits
		if fieldTable[o.field].kind == kindUint32 {
			bits = min(bits, 32)
		}
		if o.length > 8 {
			return false
		}
		b.setInt(o.field, o.offset, o.length, o.shift, 1<<bits-1)
	case opApplication:
		if o.length > 8 {
			return false // see applicationID
		}
		b.setInt(o.field, o.offset, o.length, 0, 1<<64-1)
	case opAddress, opAddr4, opAddr6:
		return b.setAddr(o)
	case opText:
		b.texts[o.field] = fusedSource{o.offset, o.length}
	case opIPVersion:
		// An address after it decides; one before it would not.
		b.version = true
		return b.families == 0
	case opInterval:
		if b.plan.interval.width != 0 || !ratePart(o.place).alone() {
			return false // several make the rate
		}
		if o.length > 8 {
			return false
		}
		b.plan.interval = newFusedInt(fieldSamplingRate, o.offset, o.length, 0, 1<<64-1)
	case opSampler:
		if o.place == placeSequence || o.length > 8 {
			return false
		}
		if o.place == placeSampler || o.place == placeSelector {
			b.plan.samplerSource = samplerSources[o.place]
			b.plan.sampler = newFusedInt(fieldSamplingRate, o.offset, o.length, 0, 1<<64-1)
		}
	case opEtherType:
		b.etherType = true
	case opBoot:
		b.boot = fusedInt{}
		if o.length <= 8 {
			b.boot = newFusedInt(o.field, o.offset, o.length, 0, 1<<64-1)
		}
	default:
		return false
	}
	return true
}

func (b *fuser) setInt(field fieldID, offset uint32, length uint16, shift uint8, mask uint64) {
	if length <= 8 { // longer ones are no numbers
		b.ints[field] = newFusedInt(field, offset, length, shift, mask)
	}
}

func newFusedInt(field fieldID, offset uint32, length uint16, shift uint8, mask uint64) fusedInt {
	i := fusedInt{offset: offset, width: uint8(length), shift: shift, mask: mask}
	tag := appendTag(nil, fieldTable[field].number, wireVarint)
	i.tagLen = uint8(len(tag))
	for j, c := range tag {
		i.tag |= uint16(c) << (8 * j)
	}
	return i
}

// setAddr notes an address. Both families in one template depend on values.
func (b *fuser) setAddr(o op) bool {
	want := o.length
	switch o.code {
	case opAddr4:
		want = 4
	case opAddr6:
		want = 16
	}
	if o.length != want || want != 4 && want != 16 {
		return true // as in apply: left out
	}
	switch o.code {
	case opAddr4:
		b.families |= 1
		b.plan.etype = etherTypeIPv4
	case opAddr6:
		b.families |= 2
		b.plan.etype = etherTypeIPv6
	}
	if _, twice := b.addrs[o.field]; twice && o.code != opAddress {
		return false
	}
	b.addrs[o.field] = fusedSource{o.offset, o.length}
	return b.families != 3
}

func (b *fuser) setTime(kind timeKind, o op, version uint16) bool {
	t := &b.plan.end
	if o.field == fieldTimeFlowStartNs {
		t = &b.plan.start
	}
	relative := kind == timeUptime
	if relative && version != template.V9 {
		kind = timeBoot // see setBoot
	}
	switch {
	case t == &b.plan.end && o.field != fieldTimeFlowEndNs:
		return false
	case o.length > 8:
		return false
	case kind == timeNTP && o.length != 8:
		return true // no number
	case kind == t.kind, !relative && t.kind > timeBoot:
		return false // the first one counts that is not zero
	case relative && t.kind > timeBoot:
		return true // the absolute one counts
	}
	*t = fusedTime{kind: kind, width: uint8(o.length), offset: o.offset}
	return true
}

// setBoot tells the times that need it where the record has the time of the boot;
// false if it has none.
func (b *fuser) setBoot() bool {
	for _, t := range []*fusedTime{&b.plan.start, &b.plan.end} {
		if t.kind == timeBoot {
			if b.boot.width == 0 {
				return false
			}
			t.boot, t.bootWidth = b.boot.offset, b.boot.width
		}
	}
	return true
}

// finish sorts the fields into their tables. It returns nil if a field does not fit into
// any.
func (b *fuser) finish() *fusedPlan {
	p := b.plan
	p.columns = b.columnPlan()
	for _, field := range byNumber(b.addrs) {
		src := b.addrs[field]
		head := appendVarint(appendTag(nil, fieldTable[field].number, wireBytes), uint64(src.length))
		a := fusedAddr{offset: src.offset, tagLen: uint8(len(head) - 1)}
		for j, c := range head {
			a.head |= uint32(c) << (8 * j)
		}
		// Loads of addresses are of their own width, so the last field of a
		// record is as good as any.
		op := fusedOp{offset: uint16(src.offset), tag: uint16(a.head)}
		switch none := fieldTable[field].ZeroIsNone; {
		case none && (a.tagLen != 2 || src.offset > 1<<16-1):
			return nil
		case none && src.length == 4:
			p.some4 = append(p.some4, op)
		case none:
			p.some16 = append(p.some16, op)
		case src.length == 4:
			p.addr4 = append(p.addr4, a)
		default:
			p.addr16 = append(p.addr16, a)
		}
		p.maxLen += len(head) + int(src.length)
	}
	for _, field := range byNumber(b.ints) {
		i := b.ints[field]
		p.maxLen += 2 + 10
		if fieldTable[field].ZeroIsValue {
			p.addFlag(i)
			continue
		}
		if i.vlan() {
			p.vlans = append(p.vlans, fusedOp{offset: uint16(i.offset), tag: i.tag})
		} else if table := p.table(&i); table != nil {
			*table = append(*table, fusedOp{offset: uint16(i.offset), tag: i.tag})
		} else {
			p.other = append(p.other, i)
		}
	}
	for _, field := range byNumber(b.texts) {
		src := b.texts[field]
		p.texts = append(p.texts, fusedText{fieldTable[field].number, src})
		p.maxLen += 5 + 5 + utf8.UTFMax*int(src.length)
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
	p.fuseCustom()
	others := len(p.other)+len(p.otherFlags)+len(p.texts)+len(p.custom) > 0 || timed && p.times == timesNone
	sampled := p.interval.width != 0 || p.sampler.width != 0
	p.rest = others || sampled
	p.rates = sampled && !others
	p.enrich = b.enrich()
	p.pack()
	p.enrich.plan.pack()
	return p
}

// addFlag adds a number of which zero is a value.
func (p *fusedPlan) addFlag(i fusedInt) {
	tables := map[uint8]*[]fusedOp{1: &p.flag1, 2: &p.flag2, 4: &p.flag4}
	if table := tables[i.width]; table != nil && i.tagLen == 2 && i.whole() {
		*table = append(*table, fusedOp{offset: uint16(i.offset), tag: i.tag})
		return
	}
	p.otherFlags = append(p.otherFlags, i)
}

// whole tells whether the integer is all of its bytes, in their order, at a place
// that an op can have.
func (i *fusedInt) whole() bool {
	return i.shift == 0 && !i.little && i.offset <= 1<<16-1 && i.mask >= 1<<(8*i.width)-1
}

// vlan tells whether the integer is 12 bits of two bytes, at a place that an op can
// have.
func (i *fusedInt) vlan() bool {
	return i.width == 2 && i.mask == 1<<vlanBits-1 && i.shift == 0 && !i.little && i.offset <= 1<<16-1 && i.tagLen == 2
}

// fuseCustom moves the numbers that the mapping adds to the tables where they fit:
// they are written where the template has them, zero too.
func (p *fusedPlan) fuseCustom() {
	kept := p.custom
	p.custom = nil
	for _, c := range kept {
		i := c.src
		i.tag, i.tagLen = uint16(c.head), c.headLen
		if c.field.varint && !c.field.array && c.headLen == 2 && i.whole() && (i.width == 1 || i.width == 2 || i.width == 4) {
			p.maxLen += c.maxLen()
			p.addFlag(i)
		} else {
			p.custom = append(p.custom, c)
		}
	}
}

// table returns the table that integer i belongs to, nil if it is none of the
// plain ones.
func (p *fusedPlan) table(i *fusedInt) *[]fusedOp {
	if !i.whole() {
		return nil
	}
	tables := map[uint8][2]*[]fusedOp{
		1: {&p.int1Tag1, &p.int1Tag2},
		2: {&p.int2Tag1, &p.int2Tag2},
		4: {&p.int4Tag1, &p.int4Tag2},
		8: {&p.int8Tag1, nil},
	}
	t, ok := tables[i.width]
	if !ok {
		return nil
	}
	return t[i.tagLen-1]
}

// byNumber returns the fields in the order of their numbers.
func byNumber[V any](m map[fieldID]V) []fieldID {
	return slices.SortedFunc(maps.Keys(m), func(a, b fieldID) int { return fieldTable[a].number - fieldTable[b].number })
}

// write writes a text, as Producer.text reads it, or nothing if it is empty.
func (t *fusedText) write(rec, out []byte, o int) int {
	v := bytes.TrimRight(rec[t.offset:t.offset+uint32(t.length)], "\x00")
	if len(v) == 0 {
		return o
	}
	size := len(v)
	valid := utf8.Valid(v)
	if !valid {
		size = 0
		for i := 0; i < len(v); {
			r, n := utf8.DecodeRune(v[i:])
			size += utf8.RuneLen(r)
			i += n
		}
	}
	b := appendVarint(appendTag(out[:o], t.number, wireBytes), uint64(size))
	if valid {
		return len(append(b, v...))
	}
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		b = utf8.AppendRune(b, r)
		v = v[n:]
	}
	return len(b)
}
