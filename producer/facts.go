package producer

import (
	"github.com/weirflow/weir/decoders/ipfix"
	"github.com/weirflow/weir/decoders/netflow"
	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/decoders/template"
)

// Facts is what the last datagram says about its sequence and sampling. It is
// valid until the next call of the producer's; so are its slices.
type Facts struct {
	// Numbered says that the datagram has a sequence number, and so that Kind,
	// Domain and Observation are set.
	Numbered bool
	Kind     sequence.Kind
	// Domain is the observation domain, the source id or the engine; Agent and
	// SubAgent stand for it in sFlow. Agent is a view of the datagram.
	Domain   uint64
	Agent    []byte
	SubAgent uint32
	// Port is the source port where it belongs to the exporter: see template.Ports.
	Port uint16
	sequence.Observation
	// Samples are the numbered samples of an sFlow datagram.
	Samples []SampleFact
	// Change is a sampling rate that options data changed.
	Change RateChange
	// Faults are the reasons of all that was wrong.
	Faults Reasons
}

// SampleFact is what a sample says about its sequence.
type SampleFact struct {
	Kind     sequence.Kind
	Sequence uint32
	Source   uint64 // class and index
	Rate     uint32
}

// RateChange is a sampling rate that was announced again, Before 0 if there is
// none.
type RateChange struct {
	Domain        uint32
	Sampler       uint64
	HasSampler    bool
	Before, After uint64
}

// Reasons is a set of reasons.
type Reasons [(NumReasons + 63) / 64]uint64

// Add adds a reason.
func (r *Reasons) Add(reason Reason) { r[reason/64] |= 1 << (reason % 64) }

// Any says whether there is one.
func (r *Reasons) Any() bool { return *r != Reasons{} }

// Each calls f for each of them.
func (r *Reasons) Each(f func(Reason)) {
	for i := range NumReasons {
		if r[i/64]>>(i%64)&1 != 0 {
			f(Reason(i))
		}
	}
}

// Facts returns what the last datagram says about its sequence and sampling.
func (p *Producer) Facts() *Facts { return &p.facts }

// unsure are the reasons that leave open how many records a datagram has.
var unsure = [NumReasons]bool{
	ReasonDatagramTruncated: true,
	ReasonTemplateMissing:   true,

	reasonTemplate + Reason(template.FaultSetLength):         true,
	reasonTemplate + Reason(template.FaultSetOverrun):        true,
	reasonTemplate + Reason(template.FaultTrailingBytes):     true,
	reasonTemplate + Reason(template.FaultReservedSet):       true,
	reasonTemplate + Reason(template.FaultTemplateTruncated): true,
	reasonTemplate + Reason(template.FaultRecordTruncated):   true,

	reasonSFlow + Reason(sflow.ErrSampleTruncated): true,
	reasonSFlow + Reason(sflow.ErrSampleShort):     true,
	reasonSFlow + Reason(sflow.ErrSampleCount):     true,
}

// ownPort returns the source port of the datagram in work where it belongs to the
// exporter, else 0.
func (p *Producer) ownPort() uint16 {
	if p.store.PortPolicy() == template.PortsOff {
		return 0
	}
	return p.meta.Source.Port()
}

// fixedFacts notes the sequence of a datagram of n records of a fixed layout. The
// aggregation schemes of v8 are numbered each for itself.
func (p *Producer) fixedFacts(h *netflow.Fixed, n int) {
	if h.Format.Sequence == 0 {
		return
	}
	f := &p.facts
	f.Numbered, f.Kind, f.Port = true, h.Format.Counts, p.ownPort()
	f.Domain = uint64(h.Aggregation)<<16 | uint64(h.EngineType)<<8 | uint64(h.EngineID)
	f.Sequence, f.UptimeMs, f.HasUptime = h.Sequence, h.UptimeMs, true
	f.ExportNs = int64(h.UnixSecs)*1e9 + int64(h.UnixNsecs)
	f.Records, f.Flows = h.Count, h.Count
	f.Uncertain = n != int(h.Count)
	f.Rate = uint32(h.SamplingInterval())
}

// messageFacts notes the sequence of a v9 or IPFIX message that was walked.
func (p *Producer) messageFacts(kind sequence.Kind, m *message) {
	f := &p.facts
	f.Numbered, f.Port = true, p.ownPort()
	f.Kind, f.Domain = kind, uint64(m.key.Domain)
	f.Sequence, f.UptimeMs, f.HasUptime = m.sequence, m.uptimeMs, kind == sequence.NetFlow9
	f.ExportNs = int64(m.exportNs)
	f.Templates = uint16(m.templates)
	f.Records = uint16(m.records - m.templates)
	f.Flows = uint16(m.records - m.templates - m.options)
}

// sflowFacts notes the sequence of an sFlow datagram, before its samples.
func (p *Producer) sflowFacts(h *sflow.Header) {
	f := &p.facts
	f.Numbered = true
	f.Kind, f.Agent, f.SubAgent = sequence.SFlow, h.Agent, h.SubAgentID
	f.Sequence, f.UptimeMs, f.HasUptime = h.Sequence, h.UptimeMs, true
}

// sampleFacts notes the sequence of a sample.
func (p *Producer) sampleFacts(s *sflow.Sample) {
	if s.Kind == sflow.Flow {
		p.flowSampleFacts(s.Sequence, s.SourceClass, s.SourceIndex, s.SamplingRate)
		return
	}
	f := &p.facts
	f.Records++
	f.Flows++
	fact := SampleFact{Sequence: s.Sequence, Source: uint64(s.SourceClass)<<32 | uint64(s.SourceIndex)}
	switch s.Kind {
	case sflow.Counter:
		fact.Kind = sequence.CounterSample
	case sflow.Drop:
		fact.Kind = sequence.DropSample
	default:
		return
	}
	f.Samples = append(f.Samples, fact)
}

// rateChange notes that options data is about to set another rate than it did.
func (p *Producer) rateChange(domain *TemplateDomain, scope template.Scope, id, rate uint64) {
	before := domain.Sampling().OwnScope(scope, id)
	if before == 0 || before == rate {
		return
	}
	p.Counters.SamplingChanges++
	p.facts.Change = RateChange{domain.Key().Domain, id, scope == template.ScopeSampler, before, rate}
}

// wholeChange is rateChange for the rate of a domain as a whole.
func (p *Producer) wholeChange(domain *TemplateDomain, rate uint64) {
	before := domain.Sampling().Own()
	if before == 0 || before == rate {
		return
	}
	p.Counters.SamplingChanges++
	p.facts.Change = RateChange{Domain: domain.Key().Domain, Before: before, After: rate}
}

// flowSampleFacts notes the sequence of a flow sample.
func (p *Producer) flowSampleFacts(number, class, index, rate uint32) {
	f := &p.facts
	f.Records++
	f.Flows++
	f.Samples = append(f.Samples, SampleFact{
		Kind: sequence.FlowSample, Sequence: number, Source: uint64(class)<<32 | uint64(index), Rate: rate,
	})
}

// Peek returns what a datagram's header says about its sequence, for one that is
// not decoded. How many records a v9 or IPFIX message has is left open. The
// result is that of [Producer.Facts].
func (p *Producer) Peek(meta Meta, data []byte) *Facts {
	p.start(&meta, meta.Source.Addr().As16(), nil)
	switch Detect(data) {
	case ProtocolNetFlowV5, ProtocolNetFlowV7, ProtocolNetFlowV8:
		if h, _, err := netflow.ParseFixed(data); err == nil {
			p.fixedFacts(&h, int(h.Count))
		}
	case ProtocolNetFlowV9:
		if h, _, err := netflow.ParseHeader(data); err == nil {
			p.messageFacts(sequence.NetFlow9, &message{
				key: p.key(template.V9, h.SourceID), sequence: h.Sequence,
				exportNs: uint64(h.UnixSecs) * 1e9, uptimeMs: h.UptimeMs,
			})
			p.facts.Uncertain = true
		}
	case ProtocolIPFIX:
		if h, _, err := ipfix.ParseHeader(data); err == nil {
			p.messageFacts(sequence.IPFIX, &message{
				key: p.key(template.IPFIX, h.DomainID), sequence: h.Sequence, exportNs: uint64(h.ExportTime) * 1e9,
			})
			p.facts.Uncertain = true
		}
	case ProtocolSFlow:
		if h, body, err := sflow.ParseHeader(data); err == nil {
			p.sflowFacts(&h)
			var samples sflow.Samples
			for samples.Init(body, h.SampleCount); samples.Next(); {
				if samples.Err() != sflow.ErrSampleShort {
					p.sampleFacts(&samples.Sample)
				}
			}
			p.facts.Uncertain = samples.Err() != sflow.ReasonNone
		}
	}
	return &p.facts
}
