package producer

import (
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/weirflow/weir/decoders/ipfix"
	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/template"
)

// With Config.Raw each datagram becomes one JSON object with all that is in it,
// in the names that goflow2 has for it:
//
//	{"type":"netflowv9","message":{...},"src":"192.0.2.7:2055","time_received":"..."}
//
// Data records have the names of elements, and values by their types: numbers,
// addresses, times, lists (raw_value.go). Under -compat goflow2 they have bytes in
// base64, as goflow2 writes them. The object grows with the bytes that are there,
// by some 160 bytes for each at most: fields without bytes are left out of data
// records.

// raw appends the message of a datagram, or of each message that stands in it.
func (p *Producer) raw(protocol Protocol, data []byte) {
	for data != nil {
		data = p.rawMessage(protocol, data)
	}
}

// rawMessage appends the message that data begins with, and returns what follows it in the
// datagram if that is another one: see followsV9 and nextIPFIX. goflow2 does not look.
func (p *Producer) rawMessage(protocol Protocol, data []byte) (next []byte) {
	b := p.batch
	begin := len(b.Buf)
	w := rawWriter{b: append(b.Buf, `{"type":"`...), typed: !p.prog.compat}
	ok := false
	switch protocol {
	case ProtocolNetFlowV1, ProtocolNetFlowV5, ProtocolNetFlowV7, ProtocolNetFlowV8:
		ok = p.rawFixed(&w, data)
	case ProtocolNetFlowV9:
		next, ok = p.rawNetFlow9(&w, data)
	case ProtocolIPFIX:
		next, ok = p.rawIPFIX(&w, data)
	case ProtocolSFlow:
		ok = p.rawSFlow(&w, data)
	default:
		p.fault(ReasonUnknownVersion)
	}
	if !ok {
		b.Buf = w.b[:begin]
		return nil
	}
	w.text(`,"src":"`)
	w.b = p.meta.Source.AppendTo(w.b)
	w.text(`","time_received":"`)
	secs, nanos := p.meta.ReceivedNs/1e9, p.meta.ReceivedNs%1e9
	if nanos < 0 {
		secs, nanos = secs-1, nanos+1e9
	}
	w.b = appendTime(w.b, secs, uint32(nanos))
	w.text(`"}`)
	b.Buf = append(w.b, p.cfg.Separator...)
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	if p.prog.Keyed() {
		b.Keys = append(b.Keys, fnvOffset)
	}
	p.useful++
	if p.prog.compat {
		return nil
	}
	return next
}

// rawWriter appends JSON.
type rawWriter struct {
	b     []byte
	comma bool // a value stands in front of the next one
	typed bool // names of elements, and values by their types

	domain *TemplateDomain // has the templates of lists
	depth  int             // lists around what is written
}

func (w *rawWriter) text(s string) { w.b = append(w.b, s...) }

// next separates the next value from the one before.
func (w *rawWriter) next() {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = true
}

// open begins an object or list, closing ends it.
func (w *rawWriter) open(name string, c byte) {
	w.next()
	if name != "" {
		w.name(name)
	}
	w.b = append(w.b, c)
	w.comma = false
}

func (w *rawWriter) close(c byte) {
	w.b = append(w.b, c)
	w.comma = true
}

func (w *rawWriter) name(name string) { w.b = append(append(append(w.b, '"'), name...), '"', ':') }

func (w *rawWriter) number(name string, v uint64) {
	w.next()
	w.name(name)
	w.b = strconv.AppendUint(w.b, v, 10)
}

func (w *rawWriter) truth(name string, v bool) {
	w.next()
	w.name(name)
	w.b = strconv.AppendBool(w.b, v)
}

func (w *rawWriter) base64(name string, v []byte) {
	w.next()
	w.name(name)
	w.bytes(v)
}

func appendBase64(b, v []byte) []byte { return base64.StdEncoding.AppendEncode(b, v) }

func (w *rawWriter) string(name string, v []byte) {
	w.next()
	w.name(name)
	w.b = appendJSONString(w.b, v)
}

// addr appends an address; one that is not there as goflow2 does.
func (w *rawWriter) addr(name string, v []byte) {
	w.next()
	w.name(name)
	w.b = append(w.b, '"')
	if a, ok := netip.AddrFromSlice(v); ok {
		w.b = a.AppendTo(w.b)
	} else {
		w.text("invalid IP")
	}
	w.b = append(w.b, '"')
}

// begin writes the type and opens the message.
func (w *rawWriter) begin(name string) {
	w.text(name)
	w.text(`","message":{`)
}

// rawFixed writes a datagram of a version with a fixed layout.
func (p *Producer) rawFixed(w *rawWriter, data []byte) bool {
	h, body, ok := p.fixedHeader(data)
	if !ok {
		return false
	}
	n := h.Records(body)
	if n != int(h.Count) {
		p.fault(ReasonCountMismatch)
	}
	w.begin("netflowv" + strconv.Itoa(int(h.Version)))
	w.number("version", uint64(h.Version))
	w.number("count", uint64(h.Count))
	w.number("sys-uptime", uint64(h.UptimeMs))
	w.number("unix-secs", uint64(h.UnixSecs))
	w.number("unix-nsecs", uint64(h.UnixNsecs))
	if h.Format.Sequence != 0 {
		w.number("flow-sequence", uint64(h.Sequence))
	}
	if h.Format.Engine != 0 {
		w.number("engine-type", uint64(h.EngineType))
		w.number("engine-id", uint64(h.EngineID))
	}
	if h.Format.Sampling != 0 {
		w.number("sampling-interval", uint64(h.Sampling))
	}
	if h.Format.Aggregation != 0 {
		w.number("aggregation", uint64(h.Aggregation))
		w.number("aggregation-version", uint64(h.AggregationVersion))
	}
	w.open("records", '[')
	for range n {
		w.rawRecord(h.Layout, body)
		body = body[h.Layout.Len:]
	}
	w.close(']')
	w.close('}')
	return true
}

// rawRecord writes a record of a fixed layout.
func (w *rawWriter) rawRecord(l *netflow.Layout, rec []byte) {
	w.open("", '{')
	for i := range l.Columns {
		c := &l.Columns[i]
		v := rec[c.Offset : c.Offset+c.Len]
		if c.Address {
			w.addr(c.Name, v)
			continue
		}
		n, _ := number(v)
		w.number(c.Name, n)
	}
	w.close('}')
}

// rawNetFlow9 writes a v9 datagram.
func (p *Producer) rawNetFlow9(w *rawWriter, data []byte) (next []byte, ok bool) {
	h, body, err := netflow.ParseHeader(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return nil, false
	}
	w.begin("netflowv9")
	w.number("version", netflow.V9)
	w.number("count", uint64(h.Count))
	w.number("system-uptime", uint64(h.UptimeMs))
	w.number("unix-seconds", uint64(h.UnixSecs))
	w.number("sequence-number", uint64(h.Sequence))
	w.number("source-id", uint64(h.SourceID))
	m := message{key: p.key(template.V9, h.SourceID), exportNs: uint64(h.UnixSecs) * 1e9}
	next = p.rawSets(w, &m, body, netflow.SetTemplates, netflow.SetOptionsTemplates)
	w.close('}')
	return next, true
}

// rawIPFIX writes an IPFIX message.
func (p *Producer) rawIPFIX(w *rawWriter, data []byte) (next []byte, ok bool) {
	h, body, err := ipfix.ParseHeader(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return nil, false
	}
	if !p.prog.compat {
		next = nextIPFIX(&h, data)
	}
	if next != nil {
		body = body[:int(h.Length)-ipfix.HeaderLen]
	} else if int(h.Length) != len(data) {
		p.fault(ReasonLengthMismatch)
	}
	w.begin("ipfix")
	w.number("version", ipfix.Version)
	w.number("length", uint64(h.Length))
	w.number("export-time", uint64(h.ExportTime))
	w.number("sequence-number", uint64(h.Sequence))
	w.number("observation-domain-id", uint64(h.DomainID))
	m := message{key: p.key(template.IPFIX, h.DomainID)}
	p.rawSets(w, &m, body, ipfix.SetTemplates, ipfix.SetOptionsTemplates)
	w.close('}')
	return next, true
}

// rawSets writes the sets of a message, and learns its templates. As Producer.sets does, it
// returns another message of v9 that follows, and reads sets of templates with the ids of v9
// under version 10.
func (p *Producer) rawSets(w *rawWriter, m *message, body []byte, idTemplates, idOptions uint16) (next []byte) {
	var sets template.Sets
	sets.Init(body)
	domain := p.store.Lookup(&m.key)
	w.open("flow-sets", '[')
	for sets.Next() {
		if !p.prog.compat && sets.ID == netflow.V9 && m.key.Version == template.V9 && followsV9(m, sets.Here) {
			w.close(']')
			return sets.Here
		}
		p.fault(templateReason(sets.Fault))
		w.open("", '{')
		w.number("id", uint64(sets.ID))
		w.number("length", uint64(len(sets.Body))+4)
		switch {
		case sets.ID == idTemplates || sets.ID == idOptions:
			w.rawTemplates(sets.Body, m.key.Version, sets.ID == idOptions)
			domain = p.templateSet(m, domain, m.key.Version, sets.Body, sets.ID == idOptions)
		case !p.prog.compat && m.key.Version == template.IPFIX && sets.ID <= netflow.SetOptionsTemplates:
			w.rawTemplates(sets.Body, template.V9, sets.ID == netflow.SetOptionsTemplates)
			domain = p.templateSet(m, domain, template.V9, sets.Body, sets.ID == netflow.SetOptionsTemplates)
		case sets.ID >= 256:
			p.rawData(w, domain, sets.ID, sets.Body)
		default:
			p.fault(templateReason(template.FaultReservedSet))
			w.base64("records", sets.Body)
		}
		w.close('}')
	}
	w.close(']')
	switch {
	case sets.Fault == template.FaultTrailingZeros:
		p.note(templateReason(sets.Fault))
	case !p.prog.compat && sets.Fault == template.FaultSetLength && m.key.Version == template.V9 && followsV9(m, sets.Here):
		return sets.Here // its count is less than the length of a set
	default:
		p.fault(templateReason(sets.Fault))
	}
	return nil
}

// rawTemplates writes the records of a template set.
func (w *rawWriter) rawTemplates(body []byte, version uint16, options bool) {
	var defs template.Definitions
	defs.Init(body, version, options)
	w.open("records", '[')
	for {
		more, _ := defs.Next()
		if !more {
			break
		}
		raw := defs.Def.Raw
		if len(raw) < 4 {
			continue // the set ends within it
		}
		first, second := int(binary.BigEndian.Uint16(raw[2:])), 0
		if options && len(raw) >= 6 {
			second = int(binary.BigEndian.Uint16(raw[4:]))
		}
		w.open("", '{')
		w.number("template-id", uint64(defs.Def.ID))
		switch {
		case !options:
			w.number("field-count", uint64(first))
			w.rawFields("fields", raw[4:], version, 0, first)
		case version == template.V9:
			w.number("scope-length", uint64(first))
			w.number("option-length", uint64(second))
			w.rawFields("scopes", raw[6:], version, 0, first/4)
			w.rawFields("options", raw[6:], version, first/4, (first+second)/4)
		default:
			specs := raw[min(6, len(raw)):]
			w.number("field-count", uint64(first))
			w.number("scope-field-count", uint64(second))
			w.rawFields("options", specs, version, second, first)
			w.rawFields("scopes", specs, version, 0, second)
		}
		w.close('}')
	}
	w.close(']')
}

// rawFields writes the field specifiers from place from up to to, as far as
// they are there.
func (w *rawWriter) rawFields(name string, specs []byte, version uint16, from, to int) {
	w.open(name, '[')
	for i := 0; i < to && len(specs) >= 4; i++ {
		id, length, pen := binary.BigEndian.Uint16(specs), binary.BigEndian.Uint16(specs[2:]), uint32(0)
		specs = specs[4:]
		enterprise := version == template.IPFIX && id&0x8000 != 0 && len(specs) >= 4
		if enterprise {
			id, pen, specs = id&0x7fff, binary.BigEndian.Uint32(specs), specs[4:]
		}
		if i < from {
			continue
		}
		w.open("", '{')
		w.truth("pen-provided", enterprise)
		w.number("type", uint64(id))
		w.number("length", uint64(length))
		w.number("pen", uint64(pen))
		w.close('}')
	}
	w.close(']')
}

// rawData writes the records of a data set, or its bytes if its template is not
// known.
func (p *Producer) rawData(w *rawWriter, domain *TemplateDomain, id uint16, body []byte) {
	var t *Template
	if domain != nil {
		t = domain.Template(id)
	}
	if t == nil {
		p.Counters.SetsWithoutTemplate++
		p.fault(ReasonTemplateMissing)
		w.base64("records", body)
		return
	}
	w.domain = domain
	n, fault := w.records(t, body)
	if t.Options {
		p.Counters.OptionsRecords += n
	}
	p.fault(templateReason(fault))
}

// rawValues writes the values of the scope fields, or of the others, from
// offset pos of the record on, and returns where they end.
func (w *rawWriter) rawValues(name string, t *Template, rec []byte, scope bool, pos int) int {
	w.open(name, '[')
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Scope != scope || f.Length == 0 {
			continue
		}
		off, n := template.FieldSpan(f, rec, pos)
		pos = off + n
		w.field(t, f, rec[off:pos])
	}
	w.close(']')
	return pos
}
