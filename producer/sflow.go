package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/sflow"
)

// sflow produces a flow for each flow sample of an sFlow datagram, and with Config.Discards
// for each notice of a discarded packet. Counter samples are counted.
func (p *Producer) sflow(data []byte) {
	h, body, err := sflow.ParseHeader(data)
	if err != nil {
		reason, _ := err.(sflow.Reason) // ParseHeader returns no other kind
		p.fault(sflowReason(reason))
		return
	}
	p.sflowFacts(&h)
	if len(h.Agent) == 0 || !p.prog.compat && allZero(h.Agent) {
		h.Agent = p.samplerAddress()
	}
	p.tally.Agent = h.Agent
	p.fused.renew()
	p.sampleSet(h.Agent, h.Sequence)
	count := h.SampleCount
	before, walked := len(p.batch.Ends), 0
	way := p.sampleWay()
	if way != samplesWalked {
		if way > samplesColumns {
			p.sflowPrefix(&h)
		}
		if way == samplesBin && !p.prog.keyShared { // else sampleSet knows it
			p.shareKey()
		}
		body, count = p.usualSamples(way, &h, body, count)
	}
	var samples sflow.Samples
	samples.Init(body, count)
	for p.nextSample(way, &samples) {
		reason := samples.Err()
		p.fault(sflowReason(reason))
		if reason == sflow.ErrSampleShort {
			continue
		}
		p.sampleFacts(&samples.Sample)
		p.tally.sample(&samples.Sample)
		switch samples.Sample.Kind {
		case sflow.Flow:
			if way != samplesWalked && p.usualSample(way, &h, &samples) {
				continue
			}
			ends := len(p.batch.Ends)
			p.flowSample(&h, &samples, reason == sflow.ErrSampleTruncated)
			walked += len(p.batch.Ends) - ends
		case sflow.Counter:
			p.Counters.CounterSamples++
			p.useful++
		case sflow.Drop:
			p.Counters.DropSamples++
			if !p.cfg.Discards || p.prog.compat {
				p.useful++
				continue
			}
			ends := len(p.batch.Ends)
			p.dropSample(&h, &samples, reason == sflow.ErrSampleTruncated)
			walked += len(p.batch.Ends) - ends
		default:
			p.Counters.UnknownSamples++
		}
	}
	p.keySamples()
	p.encoded(samplePaths[way], len(p.batch.Ends)-before-walked-p.counted)
	p.fault(sflowReason(samples.Err()))
}

// nextSample moves a walk to the next sample, after those that are produced
// without it.
func (p *Producer) nextSample(way sampleWay, samples *sflow.Samples) bool {
	if count := samples.Missing(); p.quickSamples(way) && count > 0 {
		if rest, left := p.writeQuickly(samples.Rest(), count); left != count {
			samples.Init(rest, left)
		}
	}
	return samples.Next()
}

// usualSamples produces the flow samples of the usual kind that body begins
// with, of count that are announced, and returns what is left for a walk.
func (p *Producer) usualSamples(way sampleWay, h *sflow.Header, body []byte, count uint32) ([]byte, uint32) {
	quick := p.quickSamples(way)
	for {
		if quick {
			body, count = p.writeQuickly(body, count)
		}
		d, records, rest := nextUsual(body, count)
		if d == nil {
			return body, count
		}
		s := p.keyless.sample()
		if in, out := binary.BigEndian.Uint32(d[20:]), binary.BigEndian.Uint32(d[24:]); max(in, out) >= sflow.InterfaceInternal {
			return body, count // no interfaces
		}
		if !p.gathers(s, way, d[sampleFixed:], records) {
			return body, count
		}
		source, rate := binary.BigEndian.Uint32(d[4:]), binary.BigEndian.Uint32(d[8:])
		p.flowSampleFacts(binary.BigEndian.Uint32(d), source>>24, source&0xffffff, rate)
		s.numbers[numInIf], s.numbers[numOutIf] = binary.BigEndian.Uint32(d[20:]), binary.BigEndian.Uint32(d[24:])
		p.putSample(way, h, s, rate)
		p.tally.Samples[SampleFlow]++
		p.tally.SampleRecords[SampleFlow] += min(records, uint32(len(d)/8))
		body, count = rest, count-1
	}
}

// sampleFixed are the bytes of a flow sample before its records.
const sampleFixed = 32

// nextUsual returns the flow sample that body begins with, how many records it
// says it has, and what follows; nil if there is none that is whole.
func nextUsual(body []byte, count uint32) (sample []byte, records uint32, rest []byte) {
	if count == 0 || len(body) < 8+sampleFixed {
		return nil, 0, nil
	}
	n := uint64(binary.BigEndian.Uint32(body[4:]))
	if binary.BigEndian.Uint32(body) != sflow.SampleFlow || n < sampleFixed || n > uint64(len(body)-8) {
		return nil, 0, nil
	}
	sample = body[8 : 8+n]
	return sample, binary.BigEndian.Uint32(sample[28:]), body[8+min((n+3)&^3, uint64(len(body)-8)):]
}

// usualSample produces the flow sample that a walk is at; false if it is not of
// the usual kind.
func (p *Producer) usualSample(way sampleWay, h *sflow.Header, samples *sflow.Samples) bool {
	s := p.keyless.sample()
	if !usualInterface(samples.Sample.In()) || !usualInterface(samples.Sample.Out()) {
		return false
	}
	if b, count := samples.Records.Rest(); !p.gathers(s, way, b, count) {
		return false
	}
	s.numbers[numInIf], s.numbers[numOutIf] = samples.Sample.Input, samples.Sample.Output
	p.putSample(way, h, s, samples.Sample.SamplingRate)
	return true
}

// usualInterface tells whether an interface of a sample is an index.
func usualInterface(format, value uint32) bool {
	return format == sflow.InterfaceIndex && value < sflow.InterfaceInternal
}

// interfaces sets the interfaces of a sample. What is none is 0.
func (p *Producer) interfaces(s *sflow.Sample, f *Flow) {
	if p.prog.compat {
		f.InIf, f.OutIf = s.Input, s.Output
		return
	}
	format, value := s.In()
	if format == sflow.InterfaceIndex && value != sflow.InterfaceInternal {
		f.InIf = value
	}
	switch format, value = s.Out(); format {
	case sflow.InterfaceIndex:
		if value != sflow.InterfaceInternal {
			f.OutIf = value
		}
	case sflow.InterfaceDiscard:
		f.setNumber(fieldDropReason, uint64(value))
	case sflow.InterfaceMultiple:
		f.setNumber(fieldOutIfCount, uint64(value))
	}
}

// sampleWay is how flow samples of the usual kind are produced.
type sampleWay uint8

const (
	samplesWalked  sampleWay = iota // as all others
	samplesByFlow                   // gathered into a Flow, with a plain frame
	samplesColumns                  // gathered and written, with a plain frame, as columns of a mapping
	samplesText                     // the same, as JSON or text without
	samplesBin                      // gathered and written
)

// sampleWay returns the way of the flow samples of a datagram.
func (p *Producer) sampleWay() sampleWay {
	straight := p.cfg.SamplingRate < 1<<32 && !p.perInterface()
	switch {
	case !fusedSamples || !p.prog.fusesSamples() || p.cfg.Format == FormatLine:
		return samplesWalked
	case p.cfg.Format == FormatColumns:
		return samplesByFlow
	case straight && p.cfg.Format == FormatBin:
		return samplesBin
	case !straight || p.cfg.Format == FormatBin:
		return samplesByFlow
	case p.prog.plain && (p.cfg.Geo == nil || p.prog.keysByParts()):
		return samplesText
	case p.cfg.Geo != nil:
		return samplesByFlow
	case p.prog.samples[p.notation()] != nil:
		return samplesColumns
	}
	return samplesByFlow
}

// keysByParts tells whether the keys of enriched plain samples need no Flow.
func (p *Program) keysByParts() bool {
	return !p.Keyed() || p.keyShared || p.keyParts && !p.keyASes
}

// gathers takes the records of a sample of the usual kind.
func (p *Producer) gathers(s *sampleParts, way sampleWay, b []byte, count uint32) bool {
	if !s.gather(b, count) {
		return false
	}
	if l := p.prog.layers; l != nil && s.stack >= 0 && l.goesOn(s) {
		s.stack = -1 // the mapping knows more of it
	}
	return way == samplesBin || s.stack >= 0
}

// putSample appends the message of a sample that gathers took.
func (p *Producer) putSample(way sampleWay, h *sflow.Header, s *sampleParts, rate uint32) {
	if way == samplesByFlow {
		f := p.plainFlow(h.Agent, h.Sequence, s)
		f.SamplingRate = p.rateOf(f, uint64(rate), SamplingRecord)
		p.emit(f)
		return
	}
	p.countRates(uint64(rate), SamplingRecord, 1)
	s.rate = p.samplingOr(uint64(rate))
	switch way {
	case samplesBin:
		p.writeSample(s)
	case samplesText:
		p.writeSampleText(s)
	default:
		p.writeSampleColumns(s, p.notation())
	}
	if p.prog.Keyed() {
		p.sampleKey(h, s)
	}
}

// sampleKey adds the key of a sample that was written without a Flow.
func (p *Producer) sampleKey(h *sflow.Header, s *sampleParts) {
	b := p.batch
	switch {
	case p.prog.keyShared:
		b.Keys = append(b.Keys, p.fused.key)
	case s.stack >= 0 && p.prog.keyParts && (p.cfg.Geo == nil || !p.prog.keyASes):
		p.keep()
	case s.stack >= 0 && p.cfg.Geo == nil:
		p.keySamples()
		f := p.plainFlow(h.Agent, h.Sequence, s)
		f.SamplingRate = s.rate
		b.Keys = append(b.Keys, p.prog.keyOf(f))
	default:
		p.keySamples()
		p.fusedKeys(b, len(b.Ends)-1)
	}
}

// flowSample produces one flow sample. A sample that is cut is produced only if
// all of its records are there.
func (p *Producer) flowSample(h *sflow.Header, s *sflow.Samples, cut bool) {
	f := p.beginSample(h)
	p.interfaces(&s.Sample, f)
	f.Packets = 1
	if p.sampleRecords(s, cut, f) {
		f.SamplingRate = p.rateOf(f, uint64(s.Sample.SamplingRate), SamplingRecord)
		p.emit(f)
	}
}

// dropSample produces the flow of a notice of a discarded packet (sFlow Dropped Packet
// Notification Structures). The packet is no traffic of the interfaces, for which flow
// samples stand: its length and number are dropped_bytes and dropped_packets. All
// discarded packets are reported, so the sampling rate is 1, whatever is configured for
// samples.
func (p *Producer) dropSample(h *sflow.Header, s *sflow.Samples, cut bool) {
	f := p.beginSample(h)
	p.interfaces(&s.Sample, f)
	f.setNumber(fieldDropReason, uint64(s.Sample.DropReason))
	if !p.sampleRecords(s, cut, f) {
		return
	}
	f.setNumber(fieldDroppedBytes, f.Bytes)
	f.setNumber(fieldDroppedPackets, 1)
	f.Bytes, f.Packets, f.SamplingRate = 0, 0, 1
	p.Counters.Sampling[SamplingRecord]++
	p.setSource(f, SamplingRecord)
	p.emit(f)
}

// beginSample begins the flow of a sample.
func (p *Producer) beginSample(h *sflow.Header) *Flow {
	p.keySamples()
	f := p.begin(TypeSFlow5)
	f.SamplerAddress = h.Agent
	f.SequenceNum = h.Sequence
	f.TimeFlowStartNs, f.TimeFlowEndNs = f.TimeReceivedNs, f.TimeReceivedNs
	return f
}

// sampleRecords adds what the records of a sample say. It reports false for a sample that
// is cut and has not all of its records.
func (p *Producer) sampleRecords(s *sflow.Samples, cut bool, f *Flow) bool {
	r := sampleRecords{flow: f}
	for s.Records.Next() {
		if rec := &s.Records.Record; !p.flowRecord(rec.Enterprise<<12|rec.Format, rec.Data, &r) {
			p.fault(ReasonRecordMalformed)
		}
	}
	r.end()
	reason := s.Records.Err()
	p.fault(sflowReason(reason))
	return !cut || reason == sflow.ReasonNone
}
