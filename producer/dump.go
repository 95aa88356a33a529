package producer

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/weirflow/weir/decoders/template"
)

// opcodeNotes are what people are told about an op in addition to its field.
var opcodeNotes = [numOpcodes]string{
	opSampler: ", by sampler", opUptime: ", by uptime", opSeconds: ", seconds", opMillis: ", milliseconds", opNTP: ", NTP",
	opBefore: ", microseconds before export", opNTPFloat: "", opDurationMillis: ", by the duration", opDurationMicros: ", by the duration",
	opEtherType: ", without addresses", opImplies: ", implied", opICMPPort: ", of ICMP", opCodePoint: ", code point",
	opChosen: ", looked up",
}

// String describes what becomes of an element's value.
func (o *op) String() string {
	switch o.code {
	case opFrame:
		return "sampled frame"
	case opPacket, opLabels:
		return "sampled packet"
	case opPayload:
		return "sampled payload"
	case opFrameSize:
		return "bytes, packets"
	case opBoot:
		return "boot time, for uptimes"
	case opLabel:
		return fmt.Sprintf("%s %d", fieldTable[o.field].name, o.place+1)
	}
	return fieldTable[o.field].name + opcodeNotes[o.code]
}

// AppendPlans appends a description of the plans that the store's templates
// became, for people: each plan once, with the number of templates that share
// it and the first of them, its fields, and the tables of its fused form.
func AppendPlans(dst []byte, store *TemplateStore) []byte {
	type use struct {
		first *Template
		key   template.Key
		count int
	}
	uses := map[compiled]*use{}
	var order []compiled
	for _, d := range store.Domains() {
		for _, t := range d.Templates() {
			u := uses[t.Compiled]
			if u == nil {
				u = &use{first: t, key: d.Key()}
				uses[t.Compiled] = u
				order = append(order, t.Compiled)
			}
			u.count++
		}
	}
	for i, c := range order {
		u := uses[c]
		name := "NetFlow v9"
		if u.first.Version == template.IPFIX {
			name = "IPFIX"
		}
		kind := "data"
		if u.first.Options {
			kind = "options"
		}
		length := strconv.Itoa(u.first.Length) + " bytes a record"
		if u.first.Variable {
			length = "at least " + strconv.Itoa(u.first.MinLength) + " bytes a record"
		}
		dst = fmt.Appendf(dst, "plan %d: %s, %s, %d fields, %s\n", i+1, name, kind, len(u.first.Fields), length)
		dst = fmt.Appendf(dst, "  templates: %d, the first is %d of exporter %v, domain %d\n",
			u.count, u.first.ID, netip.AddrFrom16(u.key.Exporter).Unmap(), u.key.Domain)
		if pl := c.data; pl != nil {
			dst = pl.appendFields(dst, u.first)
			dst = pl.appendFused(dst)
			dst = pl.appendJSON(dst, u.first.Version)
		} else {
			dst = append(dst, "  read for sampling rates and boot times\n"...)
		}
	}
	return dst
}

// appendFields describes what becomes of each field of the template.
func (pl *plan) appendFields(dst []byte, t *Template) []byte {
	dst = append(dst, "  offset  bytes  element       becomes\n"...)
	offset := 0
	for i := range t.Fields {
		f := &t.Fields[i]
		at, length, element := strconv.Itoa(offset), strconv.Itoa(int(f.Length)), strconv.Itoa(int(f.ID))
		if t.Variable {
			at = "-"
		}
		if f.Length == template.VariableLength {
			length = "var"
		}
		if f.PEN != 0 {
			element = fmt.Sprintf("%d/%d", f.PEN, f.ID)
		}
		becomes := "-"
		for i, e := range elements[elementKey{f.PEN, f.ID}] {
			if i == 0 {
				becomes = e.String()
			} else {
				becomes += ", " + e.String()
			}
		}
		dst = fmt.Appendf(dst, "  %6s  %5s  %-12s  %s\n", at, length, element, becomes)
		offset += int(f.Length)
	}
	return dst
}

// appendFused describes the tables of the fused plan.
func (pl *plan) appendFused(dst []byte) []byte {
	f := pl.fused
	if f == nil {
		return append(dst, "  not fused: records go by way of a Flow\n"...)
	}
	dst = append(dst, "  fused, table@offset:field of FlowMessage:"...)
	begin := len(dst)
	for _, a := range f.addr4 {
		dst = fmt.Appendf(dst, " addr4@%d", a.offset)
	}
	for _, a := range f.addr16 {
		dst = fmt.Appendf(dst, " addr16@%d", a.offset)
	}
	for _, o := range f.some4 {
		dst = fmt.Appendf(dst, " some4@%d:%d", o.offset, fieldOfTag(o.tag))
	}
	for _, o := range f.some16 {
		dst = fmt.Appendf(dst, " some16@%d:%d", o.offset, fieldOfTag(o.tag))
	}
	for _, table := range []struct {
		name string
		ops  []fusedOp
	}{
		{"int1", f.int1Tag1}, {"int1", f.int1Tag2}, {"int2", f.int2Tag1}, {"int2", f.int2Tag2},
		{"int4", f.int4Tag1}, {"int4", f.int4Tag2}, {"int8", f.int8Tag1}, {"vlan", f.vlans},
	} {
		for _, o := range table.ops {
			dst = fmt.Appendf(dst, " %s@%d:%d", table.name, o.offset, fieldOfTag(o.tag))
		}
	}
	for i := range f.other {
		o := &f.other[i]
		dst = fmt.Appendf(dst, " bits(%d bytes>>%d&%#x)@%d:%d", o.width, o.shift, o.mask, o.offset, fieldOfTag(o.tag))
	}
	for i, t := range []fusedTime{f.start, f.end} {
		if t.kind != timeExport {
			dst = fmt.Appendf(dst, " %s(%s)@%d", []string{"start", "end"}[i], timeNames[t.kind], t.offset)
		}
	}
	for _, i := range []struct {
		name string
		fusedInt
	}{{"rate", f.interval}, {"sampler", f.sampler}} {
		if i.width != 0 {
			dst = fmt.Appendf(dst, " %s@%d", i.name, i.offset)
		}
	}
	if n := len(f.custom); n > 0 {
		dst = fmt.Appendf(dst, " %d of the mapping", n)
	}
	if len(dst) == begin {
		dst = append(dst, " nothing of a record"...)
	}
	return fmt.Appendf(dst, "; at most %d bytes a message beside what a set shares\n", f.maxLen)
}

// appendJSON describes the plan of JSON: the values between constant text.
func (pl *plan) appendJSON(dst []byte, version uint16) []byte {
	if pl.fused == nil || len(pl.targets) > 0 {
		return dst
	}
	j := jsonFused(pl, version, textForm{})
	dst = append(dst, "  JSON, kind@offset:member:"...)
	for i := range j.ops {
		o := &j.ops[i]
		at := o.load.end
		switch o.kind {
		case writesNumber, writesOctet, writesMAC, writesProto:
			dst = fmt.Appendf(dst, " %s<@%d:%s", jsonKindNames[o.kind], at, fieldTable[o.member].name)
		case writesDomain, writesStart, writesEnd:
			dst = fmt.Appendf(dst, " %s", jsonKindNames[o.kind])
		default:
			dst = fmt.Appendf(dst, " %s@%d:%s", jsonKindNames[o.kind], at, fieldTable[o.member].name)
		}
	}
	return fmt.Appendf(dst, "; <@: the offset behind it; %d bytes of text between them\n", len(j.text)-jsonSlack)
}

var timeNames = [...]string{timeExport: "export", timeUptime: "uptime", timeBoot: "boot", timeSeconds: "s", timeMillis: "ms", timeNTP: "NTP", timeDelta: "us"}

// fieldOfTag returns the number of a field by its tag as it is written.
func fieldOfTag(tag uint16) int {
	if tag < 0x80 {
		return int(tag >> 3)
	}
	return int(tag&0x7f|tag>>8<<7) >> 3
}
