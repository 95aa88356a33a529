package producer

import (
	"strings"

	"github.com/weirflow/weir/producer/schema"
)

// A jsonPlan writes the JSON object of a record, or its text, straight from the record's
// bytes, for the templates that a fusedPlan serves. The members that a template
// has no field for are constant, so that what stands between two values that
// are not is one piece of text, which is copied.
//
// The members before time_flow_start_ns are the same for all records of a set,
// but for the sampling rate where records name one: they are encoded once.
type jsonPlan struct {
	ops  []jsonOp
	text []byte // of all ops, and jsonSlack after it
	// maxLen bounds the length of an object, without its prefix.
	maxLen int
	// tail is the text after the last value.
	tail jsonSpan
}

// jsonSlack is how far copies of text may read or write beyond its end.
const jsonSlack = 64

// jsonSpan is a piece of text.
type jsonSpan struct {
	pos, n uint32
}

// jsonKind says what a jsonOp writes.
type jsonKind uint8

const (
	writesNumber jsonKind = iota
	writesOctet           // a number below 256
	writesAddr4
	writesAddr16
	writesNet4
	writesNet16
	writesMAC
	writesProto
	writesStart
	writesEnd
	writesDomain // the observation domain, which a set gives

	// Of the columns of a mapping: see json_columns.go.
	writesShared // a value that the set's records share, by its number in shift
	writesRate   // the sampling rate
	writesLittle // a number in little-endian order; shift is its width
	writesHex    // bytes, as many as bits says
	writesICMP   // the name of an ICMP type: load is the protocol, bits the type

	// writesPort is a byte of the destination port if the protocol, in bits, is ICMP or
	// ICMPv6. writesPorts are both of them: the text before has zeros in their places,
	// which are the last byte and the one that is shift bytes before it.
	writesPort
	writesPorts

	// writesValue is a member that is left out if it is zero: bits has its text.
	writesValue

	// writesSome4 and writesSome16 are addresses that are left out if they are zero:
	// bits has the text in front of them, after which in text are the shift bytes that
	// follow them.
	writesSome4
	writesSome16

	// What databases know about the record's addresses: see fusedContext.
	writesSrcAS
	writesDstAS
	writesSrcCountry
	writesDstCountry
)

var jsonKindNames = [...]string{"number", "octet", "addr4", "addr16", "net4", "net16", "mac", "proto", "start", "end", "domain",
	"shared", "rate", "little", "hex", "icmp", "port", "ports", "value", "some4", "some16", "src_as", "dst_as", "src_country", "dst_country"}

// jsonOp copies text and writes the value after it.
type jsonOp struct {
	text  jsonSpan
	kind  jsonKind
	shift uint8
	bits  jsonLoad // of a prefix: its length
	// load is the value; of an address, its offset alone.
	load jsonLoad
	// member is what the op writes, for people.
	member fieldID
}

// jsonLoad says how an integer is read: as the 8 bytes that end where it ends,
// whatever its width.
type jsonLoad struct {
	end  uint32 // after the integer, from the record's beginning
	mask uint64
}

// jsonMax are the lengths of the longest values.
var jsonMax = [...]int{writesICMP: 32, writesPort: 4, writesPorts: 4, writesValue: 20, writesSome4: 15, writesSome16: 45, writesSrcAS: 20, writesDstAS: 20, writesSrcCountry: 20, writesDstCountry: 20, writesNumber: 20, writesOctet: 4, writesAddr4: 15, writesAddr16: 45, writesNet4: 18, writesNet16: 49, writesMAC: 17,
	writesProto: 32, writesStart: 20, writesEnd: 20, writesDomain: 20}

// jsonFirst is the first member that is not in the prefix of a set.
const jsonFirst = fieldTimeFlowStartNs

// textForm is what a jsonPlan depends on in addition to the template: one of the first forms
// of its JSON and text, with and without enrichment.
type textForm struct {
	notation
	enriched bool
}

// numTextForms is the number of forms.
const numTextForms = 4

// index is the form's place in a list of all.
func (t textForm) index() int {
	if t.enriched {
		return 2 + int(t.notation)
	}
	return int(t.notation)
}

// jsonFused makes the plan of JSON or text of a plan that is fused.
func jsonFused(pl *plan, version uint16, form textForm) *jsonPlan {
	b := newFuser()
	n := form.notation
	b.collect(pl, version)
	j := &jsonPlan{}
	text := ""
	put := func(o jsonOp, member fieldID) {
		o.text = jsonSpan{uint32(len(j.text)), uint32(len(text))}
		o.member = member
		j.text = append(j.text, text...)
		j.ops = append(j.ops, o)
		j.maxLen += jsonMax[o.kind]
		text = ""
	}
	for id := jsonFirst; id < numCore; id++ {
		text += n.before(id)
		if o, ok := enrichedOp(form, id); ok {
			put(o, id)
			continue
		}
		if id == fieldICMPType && b.plan.icmp {
			between := n.before(fieldICMPCode)
			text += "0" + between + "0"
			put(jsonOp{kind: writesPorts, shift: uint8(len(between)), load: jsonLoad{end: b.plan.port}}, id)
			id = fieldICMPCode
			continue
		}
		if o, ok := b.jsonOp(id); ok {
			put(o, id)
			continue
		}
		text += b.jsonDefault(id)
	}
	text += strings.TrimSuffix(n.before(numCore), n.end())
	for id := fieldID(numCore); id < numFields; id++ {
		o, ok := b.extraOp(id)
		if !ok {
			continue
		}
		before, behind := n.quotes(fieldTable[id].form)
		member := n.sign() + n.key(fieldTable[id].name) + before
		if fieldTable[id].ZeroIsNone {
			put(o, id)
			j.some(member, behind)
			continue
		}
		if o.kind != writesValue {
			text += member
			put(o, id)
			text = behind
			continue
		}
		// The member is written with its value, if it has one.
		put(o, id)
		own := &j.ops[len(j.ops)-1]
		own.bits = jsonLoad{end: uint32(len(j.text)), mask: uint64(len(member))}
		j.text = append(j.text, member...)
		j.maxLen += len(member)
	}
	if form.enriched {
		for _, c := range []struct {
			name string
			kind jsonKind
		}{{"src_country", writesSrcCountry}, {"dst_country", writesDstCountry}} {
			text += n.sign() + n.key(c.name) + n.mark()
			put(jsonOp{kind: c.kind}, 0)
			text = n.mark()
		}
	}
	text += n.end()
	j.tail = jsonSpan{uint32(len(j.text)), uint32(len(text))}
	j.text = append(j.text, text...)
	j.maxLen += len(j.text)
	j.text = append(j.text, make([]byte, jsonSlack)...)
	return j
}

// some makes the last op, of an address, that of a member that is left out if it is zero.
func (j *jsonPlan) some(before, behind string) {
	o := &j.ops[len(j.ops)-1]
	o.kind += writesSome4 - writesAddr4
	o.bits, o.shift = jsonLoad{end: uint32(len(j.text)), mask: uint64(len(before))}, uint8(len(behind))
	j.text = append(append(j.text, before...), behind...)
	j.maxLen += len(before) + len(behind)
}

// enrichedOp returns the op of a member that enrichment may change.
func enrichedOp(form textForm, id fieldID) (jsonOp, bool) {
	switch {
	case form.enriched && id == fieldSrcAS:
		return jsonOp{kind: writesSrcAS}, true
	case form.enriched && id == fieldDstAS:
		return jsonOp{kind: writesDstAS}, true
	}
	return jsonOp{}, false
}

// netAddr returns the address that a prefix length belongs to.
func netAddr(id fieldID) fieldID {
	if id == fieldSrcNet {
		return fieldSrcAddr
	}
	return fieldDstAddr
}

// jsonOp returns the op of a member; false if it is the same in all records.
func (b *fuser) jsonOp(id fieldID) (jsonOp, bool) {
	load := func(i fusedInt) jsonOp {
		mask := i.mask
		if i.width < 8 {
			mask &= 1<<(8*i.width-i.shift) - 1
		}
		return jsonOp{shift: i.shift, load: jsonLoad{i.offset + uint32(i.width), mask}}
	}
	switch id {
	case fieldObservationDomainID:
		return jsonOp{kind: writesDomain}, true
	case fieldTimeFlowStartNs:
		return jsonOp{kind: writesStart}, true
	case fieldTimeFlowEndNs:
		return jsonOp{kind: writesEnd}, true
	case fieldICMPType, fieldICMPCode:
		if b.plan.icmp {
			o := load(fusedInt{offset: b.plan.port, width: 2, mask: 1<<8 - 1})
			o.kind, o.bits = writesPort, loadOf(b.ints[fieldProto])
			if id == fieldICMPType {
				o.shift = 8
			}
			return o, true
		}
	}
	switch fieldTable[id].form {
	case schema.Address:
		a, ok := b.addrs[id]
		kind := writesAddr4
		if a.length == 16 {
			kind = writesAddr16
		}
		return jsonOp{kind: kind, load: jsonLoad{end: a.offset}}, ok
	case schema.Prefix:
		a, ok := b.addrs[netAddr(id)]
		kind := writesNet4
		if a.length == 16 {
			kind = writesNet16
		}
		if !ok {
			return jsonOp{}, false
		}
		o := jsonOp{kind: kind, load: jsonLoad{end: a.offset}}
		if i, known := b.ints[id]; known {
			o.bits = load(i).load
			return o, true
		}
		return jsonOp{}, false
	}
	i, ok := b.ints[id]
	if !ok {
		return jsonOp{}, false
	}
	o := load(i)
	switch fieldTable[id].form {
	case schema.MAC:
		o.kind = writesMAC
	case schema.Protocol:
		o.kind = writesProto
	default:
		o.kind = numberKind(o.load.mask)
	}
	return o, true
}

// extraOp returns the op of an extra field; false if the template does not have it.
func (b *fuser) extraOp(id fieldID) (jsonOp, bool) {
	info := &fieldTable[id]
	o, ok := b.jsonOp(id)
	if ok && info.kind != kindBytes && !info.ZeroIsValue {
		o.kind = writesValue
	}
	return o, ok
}

// numberKind returns how a number of these bits is written.
func numberKind(mask uint64) jsonKind {
	if mask <= 0xff {
		return writesOctet
	}
	return writesNumber
}

// jsonDefault returns the value of a member that the template has no field for.
func (b *fuser) jsonDefault(id fieldID) string {
	switch fieldTable[id].form {
	case schema.Number:
		return "0"
	case schema.MAC:
		return "00:00:00:00:00:00"
	case schema.EtherType:
		return etypeName(b.plan.etype)
	case schema.Protocol:
		return ProtocolName(0)
	case schema.Prefix:
		switch b.addrs[netAddr(id)].length {
		case 4:
			return "0.0.0.0/0"
		case 16:
			return "::/0"
		}
	}
	return ""
}
