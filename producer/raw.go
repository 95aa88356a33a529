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
// Strings of bytes are in base64. The object grows with the bytes that are there,
// by some 60 bytes for each at most: fields without bytes are left out of data
// records.

// raw appends the message of a datagram.
func (p *Producer) raw(protocol Protocol, data []byte) {
	b := p.batch
	begin := len(b.Buf)
	w := rawWriter{b: append(b.Buf, `{"type":"`...)}
	ok := false
	switch protocol {
	case ProtocolNetFlowV1, ProtocolNetFlowV5, ProtocolNetFlowV7:
		ok = p.rawFixed(&w, data)
	case ProtocolNetFlowV9:
		ok = p.rawNetFlow9(&w, data)
	case ProtocolIPFIX:
		ok = p.rawIPFIX(&w, data)
	case ProtocolSFlow:
		ok = p.rawSFlow(&w, data)
	default:
		p.fault(ReasonUnknownVersion)
	}
	if !ok {
		b.Buf = w.b[:begin]
		return
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
}

// rawWriter appends JSON. comma says that a value stands before the next one.
type rawWriter struct {
	b     []byte
	comma bool
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
	w.b = append(base64.StdEncoding.AppendEncode(append(w.b, '"'), v), '"')
}

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

// rawFixed writes a v1, v5 or v7 datagram.
func (p *Producer) rawFixed(w *rawWriter, data []byte) bool {
	h, body, err := netflow.ParseFixed(data)
	if err != nil {
		p.fault(ReasonShortHeader)
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
	if h.Version != netflow.V1 {
		w.number("flow-sequence", uint64(h.Sequence))
	}
	if h.Version == netflow.V5 {
		w.number("engine-type", uint64(h.EngineType))
		w.number("engine-id", uint64(h.EngineID))
		w.number("sampling-interval", uint64(h.Sampling))
	}
	w.open("records", '[')
	for range n {
		w.rawRecord(&h, body[:h.RecordLen])
		body = body[h.RecordLen:]
	}
	w.close(']')
	w.close('}')
	return true
}

// rawRecord writes a fixed record: see netflow for its form.
func (w *rawWriter) rawRecord(h *netflow.Fixed, rec []byte) {
	var r netflow.Record
	h.ParseRecord(rec, &r)
	w.open("", '{')
	w.addr("src-addr", r.SrcAddr)
	w.addr("dst-addr", r.DstAddr)
	w.addr("next-hop", r.NextHop)
	w.number("input", uint64(r.Input))
	w.number("output", uint64(r.Output))
	w.number("dpkts", uint64(r.Packets))
	w.number("doctets", uint64(r.Bytes))
	w.number("first", uint64(r.FirstMs))
	w.number("last", uint64(r.LastMs))
	w.number("src-port", uint64(r.SrcPort))
	w.number("dst-port", uint64(r.DstPort))
	if h.Version != netflow.V1 {
		w.number("pad1", uint64(rec[36]))
	}
	w.number("tcp-flags", uint64(r.TCPFlags))
	w.number("proto", uint64(r.Protocol))
	w.number("tos", uint64(r.TOS))
	if h.Version != netflow.V1 {
		w.number("src-as", uint64(r.SrcAS))
		w.number("dst-as", uint64(r.DstAS))
		w.number("src-mask", uint64(r.SrcMask))
		w.number("dst-mask", uint64(r.DstMask))
		w.number("pad2", uint64(binary.BigEndian.Uint16(rec[46:])))
	}
	if h.Version == netflow.V7 {
		w.addr("router", rec[48:52])
	}
	w.close('}')
}

// rawNetFlow9 writes a v9 datagram.
func (p *Producer) rawNetFlow9(w *rawWriter, data []byte) bool {
	h, body, err := netflow.ParseHeader(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return false
	}
	w.begin("netflowv9")
	w.number("version", netflow.V9)
	w.number("count", uint64(h.Count))
	w.number("system-uptime", uint64(h.UptimeMs))
	w.number("unix-seconds", uint64(h.UnixSecs))
	w.number("sequence-number", uint64(h.Sequence))
	w.number("source-id", uint64(h.SourceID))
	m := message{key: template.Key{Exporter: p.source, Domain: h.SourceID, Port: p.meta.Source.Port(), Version: template.V9}}
	p.rawSets(w, &m, body, netflow.SetTemplates, netflow.SetOptionsTemplates)
	w.close('}')
	return true
}

// rawIPFIX writes an IPFIX message.
func (p *Producer) rawIPFIX(w *rawWriter, data []byte) bool {
	h, body, err := ipfix.ParseHeader(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return false
	}
	if int(h.Length) != len(data) {
		p.fault(ReasonLengthMismatch)
	}
	w.begin("ipfix")
	w.number("version", ipfix.Version)
	w.number("length", uint64(h.Length))
	w.number("export-time", uint64(h.ExportTime))
	w.number("sequence-number", uint64(h.Sequence))
	w.number("observation-domain-id", uint64(h.DomainID))
	m := message{key: template.Key{Exporter: p.source, Domain: h.DomainID, Port: p.meta.Source.Port(), Version: template.IPFIX}}
	p.rawSets(w, &m, body, ipfix.SetTemplates, ipfix.SetOptionsTemplates)
	w.close('}')
	return true
}

// rawSets writes the sets of a message, and learns its templates.
func (p *Producer) rawSets(w *rawWriter, m *message, body []byte, idTemplates, idOptions uint16) {
	var sets template.Sets
	sets.Init(body)
	domain := p.store.Lookup(&m.key)
	w.open("flow-sets", '[')
	for sets.Next() {
		p.fault(templateReason(sets.Fault))
		w.open("", '{')
		w.number("id", uint64(sets.ID))
		w.number("length", uint64(len(sets.Body))+4)
		switch {
		case sets.ID == idTemplates || sets.ID == idOptions:
			w.rawTemplates(sets.Body, m.key.Version, sets.ID == idOptions)
			domain = p.templateSet(m, domain, sets.Body, sets.ID == idOptions)
		case sets.ID >= 256:
			p.rawData(w, domain, sets.ID, sets.Body)
		default:
			p.fault(templateReason(template.FaultReservedSet))
			w.base64("records", sets.Body)
		}
		w.close('}')
	}
	w.close(']')
	if sets.Fault == template.FaultTrailingZeros {
		p.note(templateReason(sets.Fault))
		return
	}
	p.fault(templateReason(sets.Fault))
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
func (p *Producer) rawData(w *rawWriter, domain *template.Domain, id uint16, body []byte) {
	var t *template.Template
	if domain != nil {
		t = domain.Template(id)
	}
	if t == nil {
		p.Counters.SetsWithoutTemplate++
		p.fault(ReasonTemplateMissing)
		w.base64("records", body)
		return
	}
	var recs template.Records
	recs.Init(body, t)
	w.open("records", '[')
	for recs.Next() {
		w.open("", '{')
		if t.Options {
			p.Counters.OptionsRecords++
			pos := w.rawValues("scope-values", t, recs.Record, true, 0)
			w.rawValues("option-values", t, recs.Record, false, pos)
		} else {
			w.rawValues("values", t, recs.Record, false, 0)
		}
		w.close('}')
	}
	w.close(']')
	p.fault(templateReason(recs.Fault))
}

// rawValues writes the values of the scope fields, or of the others, from
// offset pos of the record on, and returns where they end.
func (w *rawWriter) rawValues(name string, t *template.Template, rec []byte, scope bool, pos int) int {
	w.open(name, '[')
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Scope != scope || f.Length == 0 {
			continue
		}
		off, n := template.FieldSpan(f, rec, pos)
		pos = off + n
		w.open("", '{')
		w.truth("pen-provided", f.PEN != 0)
		w.number("type", uint64(f.ID))
		w.number("pen", uint64(f.PEN))
		w.base64("value", rec[off:pos])
		w.close('}')
	}
	w.close(']')
	return pos
}
