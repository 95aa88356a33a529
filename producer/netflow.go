package producer

import (
	"github.com/weirflow/weir/decoders/ipfix"
	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/template"
)

// fixed produces the records of a v1, v5 or v7 datagram.
func (p *Producer) fixed(data []byte) {
	h, body, err := netflow.ParseFixed(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return
	}
	n := h.Records(body)
	rest := len(body) - n*h.RecordLen
	switch {
	case n != int(h.Count):
		p.fault(ReasonCountMismatch)
	case rest == 0 || allZero(body[n*h.RecordLen:]): // padding
	case rest >= h.RecordLen: // there are more than the header counts
		p.fault(ReasonCountMismatch)
	default:
		p.fault(templateReason(template.FaultTrailingBytes))
	}
	p.fixedFacts(&h, n)
	exportNs := uint64(h.UnixSecs)*1e9 + uint64(h.UnixNsecs)
	if pl := p.prog.fixedPlan(&h); p.writesFused(pl) && !p.prog.compat {
		c := p.beginFused(pl.fused, flowType(h.Version), h.Sequence, 0, exportNs, h.UptimeMs, h.SamplingInterval(), nil)
		p.countRates(c.rate, SamplingRecord, p.writeRecords(pl, template.V9, c, body[:n*h.RecordLen]))
		p.tally.set(SetData, n)
		p.tally.fusedEnd(pl.fused, c, body, n)
		p.noteTimes(c.timeLost)
		return
	}
	p.fixedRecords(&h, exportNs, body[:n*h.RecordLen])
	p.tally.set(SetData, n)
	if n > 0 {
		p.tally.FlowEndNs = p.flow.TimeFlowEndNs
	}
}

// flowType returns the type of the flows of a fixed version.
func flowType(version uint16) uint32 {
	switch version {
	case netflow.V1:
		return TypeNetFlowV1
	case netflow.V7:
		return TypeNetFlowV7
	}
	return TypeNetFlowV5
}

// fixedRecords produces fixed records by way of a Flow.
func (p *Producer) fixedRecords(h *netflow.Fixed, exportNs uint64, body []byte) {
	var r netflow.Record
	lost := false
	for ; len(body) > 0; body = body[h.RecordLen:] {
		h.ParseRecord(body, &r)
		f := p.begin(flowType(h.Version))
		f.SequenceNum = h.Sequence
		f.TimeFlowStartNs = uptimeToUnix(exportNs, h.UptimeMs, r.FirstMs)
		f.TimeFlowEndNs = uptimeToUnix(exportNs, h.UptimeMs, r.LastMs)
		if p.prog.compat {
			compatFixedTimes(f, h, &r, exportNs)
		}
		lost = lost || f.TimeFlowStartNs == 0 || f.TimeFlowEndNs == 0
		f.Bytes, f.Packets = uint64(r.Bytes), uint64(r.Packets)
		f.SrcAddr, f.DstAddr, f.NextHop = r.SrcAddr, r.DstAddr, r.NextHop
		f.Etype, f.Proto = etherTypeIPv4, uint32(r.Protocol)
		f.SrcPort, f.DstPort = uint32(r.SrcPort), uint32(r.DstPort)
		f.InIf, f.OutIf = uint32(r.Input), uint32(r.Output)
		f.IPTOS, f.TCPFlags = uint32(r.TOS), uint32(r.TCPFlags)
		f.SrcAS, f.DstAS = uint32(r.SrcAS), uint32(r.DstAS)
		f.SrcNet, f.DstNet = uint32(r.SrcMask), uint32(r.DstMask)
		f.SamplingRate = p.rateOf(f, h.SamplingInterval(), SamplingRecord)
		p.emit(f)
	}
	p.noteTimes(lost)
}

// noteTimes counts a set of records of which one has a time that is out of range.
func (p *Producer) noteTimes(lost bool) {
	if lost {
		p.note(ReasonTimeRange)
	}
}

// message is what the sets of a v9 or IPFIX message have in common.
type message struct {
	key      template.Key
	flowType uint32
	sequence uint32
	exportNs uint64
	uptimeMs uint32 // v9 only
	records  int    // templates, options and data records that were read
	sets     int
	held     int // sets that wait for their template

	templates, options int // of records
}

// netflow9 produces the records of a v9 datagram.
func (p *Producer) netflow9(data []byte) {
	h, body, err := netflow.ParseHeader(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return
	}
	m := message{
		key:      template.Key{Exporter: p.source, Domain: h.SourceID, Port: p.meta.Source.Port(), Version: template.V9},
		flowType: TypeNetFlowV9,
		sequence: h.Sequence,
		exportNs: uint64(h.UnixSecs) * 1e9,
		uptimeMs: h.UptimeMs,
	}
	p.sets(&m, body, netflow.SetTemplates, netflow.SetOptionsTemplates)
	p.messageFacts(sequence.NetFlow9, &m)
	// Exporters count records, or sets, or some of them. Where sets could
	// not be read there is nothing to compare.
	if c := int(h.Count); c != m.records && c != m.sets && p.first == ReasonNone && m.held == 0 {
		p.note(ReasonCountMismatch)
	}
}

// ipfix produces the records of an IPFIX message.
func (p *Producer) ipfix(data []byte) {
	h, body, err := ipfix.ParseHeader(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return
	}
	if int(h.Length) != len(data) {
		p.fault(ReasonLengthMismatch)
		p.facts.Uncertain = int(h.Length) > len(data)
	}
	m := message{
		key:      template.Key{Exporter: p.source, Domain: h.DomainID, Port: p.meta.Source.Port(), Version: template.IPFIX},
		flowType: TypeIPFIX,
		sequence: h.Sequence,
		exportNs: uint64(h.ExportTime) * 1e9,
	}
	p.sets(&m, body, ipfix.SetTemplates, ipfix.SetOptionsTemplates)
	p.messageFacts(sequence.IPFIX, &m)
}

// sets walks the sets of a message.
func (p *Producer) sets(m *message, body []byte, idTemplates, idOptions uint16) {
	if p.prog.compat {
		p.compatAhead(m, body, idOptions)
	}
	var sets template.Sets
	sets.Init(body)
	// What was known before a template of this message came is not asked for
	// behind it.
	recent := p.held.sets == 0
	changes := p.store.Changes() // before anything is looked up
	var domain *template.Domain
	looked := false
	for sets.Next() {
		p.fault(templateReason(sets.Fault))
		m.sets++
		if recent && sets.ID >= 256 {
			if r := p.recent.find(&m.key, sets.ID, changes); r != nil {
				p.knownSet(m, r.domain, r.template, r.plan, sets.Body)
				continue
			}
		}
		if !looked {
			domain, looked = p.store.Lookup(&m.key), true
		}
		switch {
		case sets.ID >= 256:
			t, pl := p.dataSet(m, domain, sets.ID, sets.Body)
			if recent && t != nil {
				p.recent.release(p.store.Released())
				p.recent.put(&m.key, sets.ID, changes, domain, t, pl)
			}
		case sets.ID == idTemplates || sets.ID == idOptions:
			domain = p.templateSet(m, domain, sets.Body, sets.ID == idOptions)
			recent = false
		default:
			p.fault(templateReason(template.FaultReservedSet))
		}
	}
	if sets.Fault == template.FaultTrailingZeros {
		p.note(templateReason(sets.Fault))
		return
	}
	p.fault(templateReason(sets.Fault))
}

// templateSet stores the templates of a set, and returns the message's domain,
// which the first template of an exporter makes.
func (p *Producer) templateSet(m *message, domain *template.Domain, body []byte, options bool) *template.Domain {
	kind, before := SetTemplates, m.records
	if options {
		kind = SetOptionsTemplates
	}
	defer func() { p.tally.set(kind, m.records-before) }()
	var defs template.Definitions
	defs.Init(body, m.key.Version, options)
	for {
		more, ok := defs.Next()
		if !more {
			return domain
		}
		m.records++
		m.templates++
		if !ok {
			p.fault(templateReason(defs.Fault))
			continue
		}
		if defs.Def.Withdrawal && p.cfg.IgnoreWithdrawals {
			p.Counters.WithdrawalsIgnored++
			p.useful++
			continue
		}
		if domain == nil && defs.Def.Withdrawal {
			// There is nothing to withdraw, and nothing to remember.
			p.Counters.TemplatesWithdrawn++
			p.useful++
			continue
		}
		change, fault := template.Moved, template.FaultNone
		for tries := 0; change == template.Moved; tries++ {
			if domain == nil || tries > 0 {
				domain = p.store.Domain(&m.key, p.meta.ReceivedNs)
			}
			if domain == nil || tries > maxMoves {
				change, fault = template.Refused, template.FaultDomainLimit
				break
			}
			change, fault = domain.Put(&defs.Def, m.key.Port, p.meta.ReceivedNs)
		}
		p.fault(templateReason(fault))
		switch change {
		case template.Added:
			p.Counters.TemplatesAdded++
			p.learn(m, domain, defs.Def.ID)
		case template.Replaced:
			p.Counters.TemplatesReplaced++
		case template.Unchanged:
			p.Counters.TemplatesUnchanged++
		case template.Withdrawn:
			p.Counters.TemplatesWithdrawn++
		case template.Refused:
			continue
		}
		p.useful++
	}
}

// maxMoves is how often a template may find that its domain is no longer there,
// because others need the room.
const maxMoves = 4

// dataSet produces the records of one data set, or holds it until its template
// is known. It returns the template, nil if the set is held or lost, and its plan.
func (p *Producer) dataSet(m *message, domain *template.Domain, id uint16, body []byte) (t *template.Template, pl *plan) {
	if domain != nil {
		t = domain.Template(id)
	}
	if t == nil || p.held.sets != 0 && p.held.waits(p.waitKey(m, id)) {
		if p.hold(m, t, id, body) {
			p.tally.WithoutTemplate++
			m.held++
			p.facts.Uncertain = true
			return nil, nil
		}
	}
	if t == nil {
		p.Counters.SetsWithoutTemplate++
		p.facts.Uncertain = true
		p.tally.WithoutTemplate++
		p.fault(ReasonTemplateMissing)
		return nil, nil
	}
	pl = p.dataPlan(t)
	p.knownSet(m, domain, t, pl, body)
	return t, pl
}

// dataPlan returns the plan of a template, nil of one of options.
func (p *Producer) dataPlan(t *template.Template) *plan {
	if t.Options {
		return nil
	}
	return p.planOf(t)
}

// knownSet produces the records of a data set whose template is known, with its
// plan if it is not one of options.
func (p *Producer) knownSet(m *message, domain *template.Domain, t *template.Template, pl *plan, body []byte) {
	var recs template.Records
	recs.Init(body, t)
	before := m.records
	if t.Options {
		opts := t.Compiled.(*optionsPlan)
		for recs.Next() {
			m.records++
			m.options++
			p.useful++
			p.Counters.OptionsRecords++
			p.options(opts, domain, recs.Record)
		}
		p.tally.set(SetOptionsData, m.records-before)
	} else if s := domain.Sampling(); p.writesFused(pl) && !s.Scoped() {
		c := p.beginFused(pl.fused, m.flowType, m.sequence, m.key.Domain, m.exportNs, m.uptimeMs, s.Rate(), s)
		n := p.writeRecords(pl, t.Version, c, body)
		m.records += n
		p.countSampled(c, n)
		p.tally.set(SetData, n)
		p.tally.fusedEnd(pl.fused, c, body, n)
		p.noteTimes(c.timeLost)
	} else {
		lost := false
		for recs.Next() {
			m.records++
			lost = p.dataRecord(m, t, pl, domain, recs.Record) || lost
		}
		p.noteTimes(lost)
		p.tally.set(SetData, m.records-before)
		if m.records > before {
			p.tally.FlowEndNs = p.flow.TimeFlowEndNs
		}
	}
	domain.Used(t, m.records-before, p.meta.ReceivedNs)
	switch {
	case recs.Fault != template.FaultNone:
		p.fault(templateReason(recs.Fault))
	case m.records == before && !allZero(body):
		p.fault(ReasonSetEmpty)
	}
}

// dataRecord produces one data record. It reports whether a time of the record is
// out of range.
func (p *Producer) dataRecord(m *message, t *template.Template, pl *plan, domain *template.Domain, rec []byte) (timeLost bool) {
	f := p.begin(m.flowType)
	f.SequenceNum = m.sequence
	f.ObservationDomainID = m.key.Domain
	f.TimeFlowStartNs, f.TimeFlowEndNs = m.exportNs, m.exportNs
	c := recordContext{
		exportNs: m.exportNs,
		uptimeMs: m.uptimeMs,
		v9:       m.key.Version == template.V9,
		compat:   p.prog.compat,
		bootMs:   domain.Sampling().BootMs(),
	}
	p.fill(pl, rec, f, &c)

	rate, src := p.recordRate(&c, t, domain.Sampling(), f)
	f.SamplingRate = p.rateOf(f, rate, src)
	p.emit(f)
	return c.timeLost
}
