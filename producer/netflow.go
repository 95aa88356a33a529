package producer

import (
	"github.com/weirflow/weir/decoders/ipfix"
	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/template"
)

// fixedHeader reads the header of a datagram of a version with a fixed layout. ok is
// false if that fails, and the reason is counted.
func (p *Producer) fixedHeader(data []byte) (h netflow.Fixed, body []byte, ok bool) {
	h, body, err := netflow.ParseFixed(data)
	switch err {
	case nil:
		return h, body, true
	case netflow.ErrAggregation:
		p.fault(ReasonAggregation)
	default:
		p.fault(ReasonShortHeader)
	}
	return h, nil, false
}

// fixed produces the records of a datagram of a version with a fixed layout.
func (p *Producer) fixed(protocol Protocol, data []byte) {
	h, body, ok := p.fixedHeader(data)
	if !ok {
		return
	}
	n := h.Records(body)
	size := h.Layout.Len
	rest := len(body) - n*size
	switch {
	case n != int(h.Count):
		p.fault(ReasonCountMismatch)
	case rest == 0 || allZero(body[n*size:]): // padding
	case rest >= size: // there are more than the header counts
		p.fault(ReasonCountMismatch)
	default:
		p.fault(templateReason(template.FaultTrailingBytes))
	}
	p.fixedFacts(&h, n)
	exportNs := uint64(h.UnixSecs)*1e9 + uint64(h.UnixNsecs)
	p.tally.set(SetData, n)
	body = body[:n*size]
	pl, flowType := p.prog.fixedPlan(h.Layout), fixedTypes[protocol]
	if !p.writesFused(pl) || len(pl.fused.exceptions) > 0 || p.prog.compat || !pl.fused.timesFused(exportNs, h.UptimeMs) {
		p.noteTimes(p.fixedRecords(&h, pl, flowType, exportNs, body))
		return
	}
	c := p.beginFused(pl.fused, flowType, h.Sequence, 0, exportNs, h.UptimeMs, h.SamplingInterval(), nil)
	p.countRates(c.rate, SamplingRecord, p.writeRecords(pl, template.V9, c, body, n))
	p.tally.fusedEnd(pl.fused, c, body, n)
	p.noteTimes(c.timeLost, c.startLate)
}

// fixedRecords produces fixed records by the generic path. It reports whether a time is
// out of range, and whether a flow starts after its end.
func (p *Producer) fixedRecords(h *netflow.Fixed, pl *plan, flowType uint32, exportNs uint64, body []byte) (lost, late bool) {
	for ; len(body) > 0; body = body[h.Layout.Len:] {
		f := p.begin(flowType)
		f.SequenceNum = h.Sequence
		c := recordContext{exportNs: exportNs, uptimeMs: h.UptimeMs, v9: true, compat: p.prog.compat}
		if pl.fused.fixed {
			fillV5(body, f, &c)
		} else {
			p.fill(pl, body, f, &c)
		}
		if c.compat {
			compatFixedTimes(f, &c)
		}
		lost, late = lost || c.timeLost, late || c.startLate
		f.SamplingRate = p.rateOf(f, h.SamplingInterval(), SamplingRecord)
		p.emit(f)
		p.tally.FlowEndNs = f.TimeFlowEndNs
	}
	return lost, late
}

// noteTimes counts a set of records of which one has a time that is out of range, or
// starts after its end.
func (p *Producer) noteTimes(lost, late bool) {
	if lost {
		p.note(ReasonTimeRange)
	}
	if late {
		p.note(ReasonTimeOrder)
	}
}

// message is what the sets of a v9 or IPFIX message have in common.
type message struct {
	key      template.Key
	flowType uint32
	sequence uint32
	exportNs uint64
	uptimeMs uint32 // v9 only
	count    int    // of records, as the header of v9 says; 0 if it does not
	records  int    // templates, options and data records that were read
	sets     int
	held     int // sets that wait for their template

	templates, options int // of records
}

// netflow9 produces the records of a v9 datagram.
func (p *Producer) netflow9(data []byte) {
	next := p.message9(data)
	for second := next != nil; next != nil; p.facts.Uncertain = second { // it has one number, the datagram several
		next = p.message9(next)
	}
}

// key returns the key of an observation domain of the exporter of the datagram in work.
func (p *Producer) key(version uint16, domain uint32) template.Key {
	return template.Key{Exporter: p.source, Domain: domain, Port: p.meta.Source.Port(), Version: version}
}

// message9 produces the records of a v9 message, and returns what follows it in the
// datagram if that is another one.
func (p *Producer) message9(data []byte) (next []byte) {
	h, body, err := netflow.ParseHeader(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return nil
	}
	m := message{
		key:      p.key(template.V9, h.SourceID),
		flowType: TypeNetFlowV9,
		sequence: h.Sequence,
		exportNs: uint64(h.UnixSecs) * 1e9,
		uptimeMs: h.UptimeMs,
		count:    int(h.Count),
	}
	next = p.sets(&m, body, netflow.SetTemplates, netflow.SetOptionsTemplates)
	p.messageFacts(sequence.NetFlow9, &m)
	// Exporters count records, or sets, or some of them. Where sets could
	// not be read there is nothing to compare.
	if c := int(h.Count); c != m.records && c != m.sets && p.first == ReasonNone && m.held == 0 {
		p.note(ReasonCountMismatch)
	}
	return next
}

// followsV9 tells whether what stands in the place of a set is another message: its
// version, which is no id of a set, and a time near that of the message before.
func followsV9(m *message, b []byte) bool {
	h, _, err := netflow.ParseHeader(b)
	return err == nil && near(uint64(h.UnixSecs), m.exportNs/1e9)
}

// near tells whether two times in seconds are of one hour.
func near(a, b uint64) bool { return a-b+3600 <= 2*3600 }

// nextIPFIX returns the message that follows one of a datagram, nil for none: it has the
// version, a length that is there and a time near that of the message before.
func nextIPFIX(h *ipfix.Header, data []byte) []byte {
	if int(h.Length) < ipfix.HeaderLen || int(h.Length) > len(data)-ipfix.HeaderLen {
		return nil
	}
	next := data[h.Length:]
	n, _, err := ipfix.ParseHeader(next)
	if err != nil || int(n.Length) < ipfix.HeaderLen || int(n.Length) > len(next) || !near(uint64(n.ExportTime), uint64(h.ExportTime)) {
		return nil
	}
	return next
}

// ipfix produces the records of an IPFIX datagram.
func (p *Producer) ipfix(data []byte) {
	next := p.messageIPFIX(data)
	for next != nil {
		f := &p.facts
		domain, before := f.Domain, f.Observation
		next = p.messageIPFIX(next)
		if f.Domain != domain {
			f.Uncertain = true // it has one number, the datagram several
			continue
		}
		f.Sequence = before.Sequence // that of the datagram's first record
		f.Templates += before.Templates
		f.Records += before.Records
		f.Flows += before.Flows
	}
}

// messageIPFIX produces the records of an IPFIX message, and returns what follows it in
// the datagram if that is another one.
func (p *Producer) messageIPFIX(data []byte) (next []byte) {
	h, body, err := ipfix.ParseHeader(data)
	if err != nil {
		p.fault(ReasonShortHeader)
		return nil
	}
	if next = nextIPFIX(&h, data); next != nil {
		body = body[:int(h.Length)-ipfix.HeaderLen]
	} else if int(h.Length) != len(data) {
		p.fault(ReasonLengthMismatch)
		p.facts.Uncertain = p.facts.Uncertain || int(h.Length) > len(data)
	}
	m := message{
		key:      p.key(template.IPFIX, h.DomainID),
		flowType: TypeIPFIX,
		sequence: h.Sequence,
		exportNs: uint64(h.ExportTime) * 1e9,
	}
	p.sets(&m, body, ipfix.SetTemplates, ipfix.SetOptionsTemplates)
	p.messageFacts(sequence.IPFIX, &m)
	return next
}

// sets walks the sets of a message. It returns what follows it in the datagram if that
// is another message of v9, whose header does not say how long it is.
func (p *Producer) sets(m *message, body []byte, idTemplates, idOptions uint16) (next []byte) {
	if p.prog.compat {
		p.compatAhead(m, body, idOptions)
	}
	var sets template.Sets
	sets.Init(body)
	// What was known before a template of this message came is not asked for
	// after it.
	recent := p.held.sets == 0
	changes := p.store.Changes() // before anything is looked up
	var domain *TemplateDomain
	looked := false
	for sets.Next() {
		if sets.ID == netflow.V9 && m.key.Version == template.V9 && followsV9(m, sets.Here) {
			return sets.Here
		}
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
			domain = p.templateSet(m, domain, m.key.Version, sets.Body, sets.ID == idOptions)
			recent = false
		case m.key.Version == template.IPFIX && sets.ID <= netflow.SetOptionsTemplates:
			// IPFIX does not use the ids: an exporter that writes its sets as those of v9.
			domain = p.templateSet(m, domain, template.V9, sets.Body, sets.ID == netflow.SetOptionsTemplates)
			recent = false
		default:
			p.fault(templateReason(template.FaultReservedSet))
		}
	}
	switch {
	case sets.Fault == template.FaultTrailingZeros:
		p.note(templateReason(sets.Fault))
	case sets.Fault == template.FaultSetLength && m.key.Version == template.V9 && followsV9(m, sets.Here):
		return sets.Here // its count is less than the length of a set
	default:
		p.fault(templateReason(sets.Fault))
	}
	return nil
}

// templateSet stores the templates of a set, and returns the message's domain,
// which the first template of an exporter makes. The set is one of version.
func (p *Producer) templateSet(m *message, domain *TemplateDomain, version uint16, body []byte, options bool) *TemplateDomain {
	kind, before := SetTemplates, m.records
	if options {
		kind = SetOptionsTemplates
	}
	defer func() { p.tally.set(kind, m.records-before) }()
	var defs template.Definitions
	defs.Init(body, version, options)
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
func (p *Producer) dataSet(m *message, domain *TemplateDomain, id uint16, body []byte) (t *Template, pl *plan) {
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

// maxPadding is how many bytes fill a set up to a multiple of 4. Exporters do not always
// empty them.
const maxPadding = 3

// isPadding tells whether the last bytes of a set's body may be padding: zeros, or as few
// as fill the set up to a multiple of 4.
func isPadding(body []byte, left int) bool {
	return left <= maxPadding && len(body)%4 == 0 || allZero(body[len(body)-left:])
}

// isShortPadding tells whether the last n bytes of a set's body are padding although a
// record could be that short: they are zero and fill the set up to a multiple of 4. RFC
// 7011 section 3.3.1 forbids it, but some exporters do it.
func isShortPadding(body []byte, n int) bool {
	return n <= maxPadding && len(body)%4 == 0 && allZero(body[len(body)-n:])
}

// trimPadding returns the body of a data set of v9 without records of zeros at its end
// that the header does not count.
func (m *message) trimPadding(t *Template, body []byte) []byte {
	n := len(body) / t.Length
	if m.records+n <= m.count || !allZero(body[n*t.Length:]) {
		return body
	}
	for n > 0 && m.records+n > m.count && allZero(body[(n-1)*t.Length:n*t.Length]) {
		n--
	}
	return body[:n*t.Length]
}

// dataPlan returns the plan of a template, nil of one of options.
func (p *Producer) dataPlan(t *Template) *plan {
	if t.Options {
		return nil
	}
	return p.planOf(t)
}

// knownSet produces the records of a data set whose template is known, with its
// plan if it is not one of options.
func (p *Producer) knownSet(m *message, domain *TemplateDomain, t *Template, pl *plan, body []byte) {
	before := m.records
	left := 0
	if !t.Variable {
		if m.count > 0 {
			body = m.trimPadding(t, body)
		}
		left = len(body) % t.Length
	}
	over := 0
	if messages := pl.messages(); t.MinLength < leastRecord*messages && !t.Options {
		if body, over = p.limitSmall(t, body, messages); over > 0 {
			left = 0
		}
	}
	var recs template.Records[compiled]
	recs.Init(body, t)
	if t.Options {
		opts := t.Compiled.options
		for recs.Next() {
			m.records++
			m.options++
			p.useful++
			p.Counters.OptionsRecords++
			p.options(opts, domain, recs.Record)
			if opts.names != nil && p.cfg.Names != nil {
				p.learnNames(opts.names, m, domain, recs.Record)
			}
		}
		p.tally.set(SetOptionsData, m.records-before)
	} else if p.joins(m, domain, pl); p.joined.none() && p.writesFused(pl) && !domain.Sampling().Scoped() && pl.fused.timesFused(m.exportNs, m.uptimeMs) {
		p.fusedSet(m, domain, t, pl, body)
		p.tally.set(SetData, m.records-before)
	} else {
		lost, late := false, false
		for recs.Next() {
			if t.Variable && t.MinLength <= maxPadding && isShortPadding(body, len(recs.Record)+recs.Left()) {
				break
			}
			m.records++
			ownLost, ownLate := p.dataRecord(m, t, pl, domain, recs.Record)
			lost, late = lost || ownLost, late || ownLate
		}
		if t.Variable {
			left = recs.Left()
		}
		p.noteTimes(lost, late)
		p.tally.set(SetData, m.records-before)
		if m.records > before {
			p.tally.FlowEndNs = p.flow.TimeFlowEndNs
		}
	}
	if pl != nil {
		p.tally.ignore(pl, m.records-before)
	}
	domain.Used(t, m.records-before, p.meta.ReceivedNs)
	m.records += over // the exporter has counted them
	switch {
	case recs.Fault != template.FaultNone:
		p.fault(templateReason(recs.Fault))
	case m.records == before && !allZero(body):
		p.fault(ReasonSetEmpty)
	case left > 0 && !isPadding(body, left):
		// The records are not those of the template, or are cut.
		p.fault(templateReason(template.FaultTrailingBytes))
	}
}

// fusedSet produces the records of a data set by its fused plan, and those between
// them that are exceptions, or have not both times, by the generic path.
func (p *Producer) fusedSet(m *message, domain *TemplateDomain, t *Template, pl *plan, body []byte) {
	s := domain.Sampling()
	c := p.beginFused(pl.fused, m.flowType, m.sequence, m.key.Domain, m.exportNs, m.uptimeMs, s.Rate(), s)
	fused := 0
	for size := pl.fused.recordLen; len(body) >= size; {
		n := len(body) / size
		if pl.fused.exceptions != nil {
			n = pl.fused.ordinary(body, n)
		}
		n = p.writeRecords(pl, t.Version, c, body, n)
		p.tally.fusedEnd(pl.fused, c, body, n)
		m.records, fused, body = m.records+n, fused+n, body[n*size:]
		if len(body) < size {
			break
		}
		m.records++
		lost, late := p.dataRecord(m, t, pl, domain, body[:size:size])
		c.timeLost, c.startLate = c.timeLost || lost, c.startLate || late
		if c.rateKnown { // it was counted with the others
			c.sources[c.rateSource]--
		}
		p.tally.FlowEndNs = p.flow.TimeFlowEndNs
		body = body[size:]
	}
	p.countSampled(c, fused)
	p.noteTimes(c.timeLost, c.startLate)
}

// dataRecord produces one data record. It reports whether a time is out of range, and
// whether the flow starts after its end.
func (p *Producer) dataRecord(m *message, t *Template, pl *plan, domain *TemplateDomain, rec []byte) (lost, late bool) {
	var c recordContext
	f := p.readRecord(m, pl, domain, rec, &c)
	p.emitRecord(f, &c, t, domain)
	if pl.reverse != nil && !c.compat && pl.reverse.mayCount(rec) {
		p.reverseRecord(m, t, pl, domain, rec)
	}
	return c.timeLost, c.startLate
}

// reverseRecord produces the flow of the other direction of a record that counts
// both, if there is one.
func (p *Producer) reverseRecord(m *message, t *Template, pl *plan, domain *TemplateDomain, rec []byte) {
	var c recordContext
	f := p.readRecord(m, pl, domain, rec, &c)
	f.turn()
	start, end := f.TimeFlowStartNs, f.TimeFlowEndNs
	own := recordContext{exportNs: m.exportNs, uptimeMs: m.uptimeMs, v9: c.v9, bootMs: c.bootMs}
	p.fill(pl.reverse, rec, f, &own)
	if !own.absStart && !own.absEnd {
		f.TimeFlowStartNs, f.TimeFlowEndNs = start, end
	}
	if f.Bytes|f.Packets != 0 {
		p.emitRecord(f, &c, t, domain)
	}
}

// readRecord fills the flow from a data record. c is empty.
func (p *Producer) readRecord(m *message, pl *plan, domain *TemplateDomain, rec []byte, c *recordContext) *Flow {
	f := p.begin(m.flowType)
	f.SequenceNum = m.sequence
	f.ObservationDomainID = m.key.Domain
	f.TimeFlowStartNs, f.TimeFlowEndNs = m.exportNs, m.exportNs
	c.exportNs, c.uptimeMs = m.exportNs, m.uptimeMs
	c.v9, c.compat = m.key.Version == template.V9, p.prog.compat
	c.bootMs = domain.Sampling().BootMs()
	p.fill(pl, rec, f, c)
	return f
}

// emitRecord appends the flow of a data record to the batch, with its sampling rate.
func (p *Producer) emitRecord(f *Flow, c *recordContext, t *Template, domain *TemplateDomain) {
	if !p.joined.none() {
		p.join(f, c)
	}
	rate, src := p.recordRate(c, t, domain.Sampling(), f)
	f.SamplingRate = p.rateOf(f, rate, src)
	p.emit(f)
}
