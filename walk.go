package weir

import (
	"net/netip"
	"time"

	"github.com/weirflow/weir/decoders/elements"
	"github.com/weirflow/weir/decoders/ipfix"
	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// RecordKind is the kind of a Record.
type RecordKind uint8

// The kinds of records.
const (
	// DataRecord is a flow record of NetFlow or IPFIX.
	DataRecord RecordKind = iota
	// OptionsRecord is a record of options data: it describes the exporter, its interfaces
	// or its samplers.
	OptionsRecord
	// SampleRecord is a record of an sFlow sample, of packets or of counters.
	SampleRecord
)

// A Record is a record as it is on the wire. It is valid, with all that it refers to, until
// the visit function returns.
type Record struct {
	Kind     RecordKind
	Protocol producer.Protocol
	// Domain is the observation domain of IPFIX, or the source id of v9.
	Domain uint32
	// Template is the id of the template.
	Template uint16
	// Fields are in the order of the record. A SampleRecord has none.
	Fields []Field
	// Sample is the sample that contains a SampleRecord.
	Sample *sflow.Sample
	// Enterprise and Format identify the structure of a SampleRecord.
	Enterprise, Format uint32
	// Bytes is the whole record.
	Bytes []byte
}

// A Field is a value of a record.
type Field struct {
	// PEN and ID are the enterprise, 0 for IANA's elements, and the number of the
	// information element. They are 0 in versions with a fixed layout.
	PEN uint32
	ID  uint16
	// Scope marks a scope field of options data. In v9, ID is then a scope type (RFC 3954
	// section 6.1).
	Scope bool
	// Value is in network byte order, of the length that the exporter chose.
	Value []byte

	column string
}

// Name returns the name of the information element, or of the column of a fixed layout. It
// is empty if the element is unknown.
func (f *Field) Name() string {
	if f.column != "" || f.ID == 0 && f.PEN == 0 {
		return f.column
	}
	e, _ := elements.Lookup(f.PEN, f.ID)
	return e.Name
}

// Uint returns the value as an unsigned integer. It returns false for more than 8 bytes.
func (f *Field) Uint() (v uint64, ok bool) {
	if len(f.Value) > 8 {
		return 0, false
	}
	for _, b := range f.Value {
		v = v<<8 | uint64(b)
	}
	return v, true
}

// Addr returns the value as an address. It returns false unless there are 4 or 16 bytes.
func (f *Field) Addr() (netip.Addr, bool) { return netip.AddrFromSlice(f.Value) }

// Walk calls visit for each record of a datagram, in order, until visit returns false. Walk
// and Decode share templates, and both learn them, so a datagram can be passed to both. In
// sFlow, Walk visits the records of all samples.
//
// The error is an *Error for the first fault. Walk visits all records that it can read, with
// or without an error. Data whose template is unknown causes ErrTemplateMissing.
func (d *Decoder) Walk(source netip.AddrPort, received time.Time, payload []byte, visit func(*Record) bool) error {
	source = netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
	w := walk{
		d: d, source: source, nowNs: received.UnixNano(), visit: visit,
		record: Record{Protocol: producer.Detect(payload)},
	}
	switch w.record.Protocol {
	case producer.ProtocolNetFlowV9:
		h, body, err := netflow.ParseHeader(payload)
		if err != nil {
			w.fault(producer.ReasonShortHeader)
			break
		}
		w.sets(template.V9, h.SourceID, body, netflow.SetTemplates, netflow.SetOptionsTemplates)
	case producer.ProtocolIPFIX:
		h, body, err := ipfix.ParseHeader(payload)
		if err != nil {
			w.fault(producer.ReasonShortHeader)
			break
		}
		if int(h.Length) != len(payload) {
			w.fault(producer.ReasonLengthMismatch)
			body = body[:min(len(body), max(int(h.Length)-ipfix.HeaderLen, 0))]
		}
		w.sets(template.IPFIX, h.DomainID, body, ipfix.SetTemplates, ipfix.SetOptionsTemplates)
	case producer.ProtocolSFlow:
		w.samples(payload)
	case producer.ProtocolUnknown:
		w.fault(producer.ReasonUnknownVersion)
	default:
		w.fixed(payload)
	}
	if w.reason == producer.ReasonNone {
		return nil
	}
	return &Error{Source: source, Protocol: w.record.Protocol, Reason: w.reason, Decoded: w.visited > 0}
}

// walk is a walk through one datagram.
type walk struct {
	d       *Decoder
	source  netip.AddrPort
	nowNs   int64
	visit   func(*Record) bool
	record  Record
	reason  producer.Reason // the first
	visited int
	ended   bool // visit returned false
}

func (w *walk) fault(r producer.Reason) {
	if w.reason == producer.ReasonNone {
		w.reason = r
	}
}

func (w *walk) give() {
	w.visited++
	w.ended = !w.visit(&w.record)
}

// sets walks the sets of a v9 or IPFIX message.
func (w *walk) sets(version uint16, domain uint32, body []byte, idTemplates, idOptions uint16) {
	w.record.Domain = domain
	key := template.Key{Exporter: w.source.Addr().As16(), Port: w.source.Port(), Version: version, Domain: domain}
	var sets template.Sets
	sets.Init(body)
	for !w.ended && sets.Next() {
		w.fault(producer.TemplateReason(sets.Fault))
		switch {
		case sets.ID == idTemplates || sets.ID == idOptions:
			w.learn(&key, sets.Body, sets.ID == idOptions)
		case sets.ID >= 256:
			w.data(&key, sets.ID, sets.Body)
		default:
			w.fault(producer.TemplateReason(template.FaultReservedSet))
		}
	}
	if sets.Fault != template.FaultTrailingZeros && !w.ended {
		w.fault(producer.TemplateReason(sets.Fault))
	}
}

// learn stores the templates of a set. Withdrawals are ignored: RFC 7011 section 8.4.
func (w *walk) learn(key *template.Key, body []byte, options bool) {
	var defs template.Definitions
	for defs.Init(body, key.Version, options); ; {
		more, ok := defs.Next()
		w.fault(producer.TemplateReason(defs.Fault))
		if !more {
			return
		}
		if !ok || defs.Def.Withdrawal {
			continue
		}
		domain := w.d.store.Domain(key, w.nowNs)
		if domain == nil {
			w.fault(producer.TemplateReason(template.FaultDomainLimit))
			return
		}
		_, fault := domain.Put(&defs.Def, w.source.Port(), w.nowNs)
		w.fault(producer.TemplateReason(fault))
	}
}

// data visits the records of a data set.
func (w *walk) data(key *template.Key, id uint16, body []byte) {
	var t *producer.Template
	if domain := w.d.store.Lookup(key); domain != nil {
		t = domain.Template(id)
	}
	if t == nil {
		w.fault(producer.ReasonTemplateMissing)
		return
	}
	w.record.Template, w.record.Kind = id, DataRecord
	if t.Options {
		w.record.Kind = OptionsRecord
	}
	records := recordsOf(t)
	for records.Init(body, t); !w.ended && records.Next(); {
		w.record.Bytes, w.record.Fields = records.Record, w.record.Fields[:0]
		for i, pos := 0, 0; i < len(t.Fields); i++ {
			f := &t.Fields[i]
			off, n := template.FieldSpan(f, records.Record, pos)
			if n < 0 {
				break
			}
			w.record.Fields = append(w.record.Fields, Field{PEN: f.PEN, ID: f.ID, Scope: f.Scope, Value: records.Record[off : off+n]})
			pos = off + n
		}
		w.give()
	}
	w.fault(producer.TemplateReason(records.Fault))
}

// recordsOf returns an empty walk over records of a template. It exists to infer C.
func recordsOf[C comparable](*template.Template[C]) (r template.Records[C]) { return r }

// fixed visits the records of a version with a fixed layout.
func (w *walk) fixed(payload []byte) {
	h, body, err := netflow.ParseFixed(payload)
	if err != nil {
		w.fault(producer.ReasonShortHeader)
		return
	}
	n := h.Records(body)
	if n != int(h.Count) {
		w.fault(producer.ReasonCountMismatch)
	}
	w.record.Kind = DataRecord
	for ; n > 0 && !w.ended; n-- {
		w.record.Bytes, w.record.Fields = body[:h.Layout.Len], w.record.Fields[:0]
		for _, c := range h.Layout.Columns {
			w.record.Fields = append(w.record.Fields, Field{Value: body[c.Offset : c.Offset+c.Len], column: c.Name})
		}
		body = body[h.Layout.Len:]
		w.give()
	}
}

// samples visits the records of the samples of an sFlow datagram.
func (w *walk) samples(payload []byte) {
	h, body, err := sflow.ParseHeader(payload)
	if err != nil {
		w.fault(producer.ReasonShortHeader)
		return
	}
	w.record.Kind = SampleRecord
	var s sflow.Samples
	for s.Init(body, h.SampleCount); !w.ended && s.Next(); {
		w.fault(producer.SFlowReason(s.Err()))
		w.record.Sample = &s.Sample
		for !w.ended && s.Records.Next() {
			r := &s.Records.Record
			w.record.Enterprise, w.record.Format, w.record.Bytes = r.Enterprise, r.Format, r.Data
			w.give()
		}
		w.fault(producer.SFlowReason(s.Records.Err()))
	}
	if !w.ended {
		w.fault(producer.SFlowReason(s.Err()))
	}
}
