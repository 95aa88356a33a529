package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/sflow"
)

// A flow sample of the usual kind with a plain frame is read and written by one
// function in assembly, sampleMessage, where the CPU has fastBits. It takes the
// records as sampleParts.gather does, and leaves what is rare to it: lists so long
// that their lengths may take two bytes, and frames that are not plain.

// quickSamples tells whether flow samples of a datagram are given to
// sampleMessage: those that become messages of which nothing else is asked for.
func (p *Producer) quickSamples(way sampleWay) bool {
	return fastBits && way == samplesBin && p.prog.layers == nil && p.cfg.Geo == nil &&
		(!p.prog.Keyed() || p.prog.keyShared) && p.forcedRate() < 1<<32
}

// writeQuickly produces the flow samples that sampleMessage takes and that body
// begins with, of count that are announced, and returns what is left.
func (p *Producer) writeQuickly(body []byte, count uint32) ([]byte, uint32) {
	c := &p.fused
	b := p.batch
	buf, ends, facts := b.Buf, b.Ends, p.facts.Samples
	before := len(ends)
	need := p.quickRoom()
	announced, records := 0, uint32(0)
	for {
		d, n, rest := nextUsual(body, count)
		if len(d) <= sampleFixed {
			break
		}
		if cap(buf)-len(buf) < need {
			buf = grow(buf, need)
		}
		source, rate := binary.BigEndian.Uint32(d[4:]), binary.BigEndian.Uint32(d[8:])
		end := p.quickMessage(buf[len(buf):len(buf)+need], d[sampleFixed:], n, rate,
			binary.BigEndian.Uint32(d[20:]), binary.BigEndian.Uint32(d[24:]))
		if end == 0 {
			break
		}
		buf = buf[:len(buf)+end]
		ends = append(ends, uint32(len(buf)))
		facts = append(facts, SampleFact{
			Kind: sequence.FlowSample, Sequence: binary.BigEndian.Uint32(d), Source: uint64(source>>24)<<32 | uint64(source&0xffffff), Rate: rate,
		})
		if rate != 0 {
			announced++
		}
		records += min(n, uint32(len(d)/8))
		body, count = rest, count-1
	}
	done := len(ends) - before
	b.Buf, b.Ends, p.facts.Samples = buf, ends, facts
	if p.prog.Keyed() {
		for range done {
			b.Keys = append(b.Keys, c.key)
		}
	}
	p.facts.Records += uint16(done)
	p.facts.Flows += uint16(done)
	p.tally.Samples[SampleFlow] += uint32(done)
	p.tally.SampleRecords[SampleFlow] += records
	p.countRates(1, SamplingRecord, announced)
	p.countRates(0, SamplingRecord, done-announced)
	p.useful += done
	return body, count
}

// quickSample appends the message of a sample by sampleMessage; false if it is
// of another kind, nothing has changed then.
func (p *Producer) quickSample(records []byte, count uint32, s *sflow.Sample) bool {
	b := p.batch
	need := p.quickRoom()
	if cap(b.Buf)-len(b.Buf) < need {
		b.Buf = grow(b.Buf, need)
	}
	if len(records) == 0 {
		return false
	}
	end := p.quickMessage(b.Buf[len(b.Buf):len(b.Buf)+need], records, count, s.SamplingRate, s.Input, s.Output)
	if end == 0 {
		return false
	}
	b.Buf = b.Buf[:len(b.Buf)+end]
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	if p.prog.Keyed() {
		b.Keys = append(b.Keys, p.fused.key)
	}
	p.countRates(uint64(s.SamplingRate), SamplingRecord, 1)
	p.useful++
	return true
}

// quickRoom bounds the bytes that quickMessage writes.
func (p *Producer) quickRoom() int {
	return prefixRoom + 1 + len(p.fused.prefix) + usualLen + storeSlack + len(p.cfg.Separator)
}

// quickMessage writes the message of a sample with its length and separator, and
// returns how many bytes that were; 0 if sampleMessage does not take it. There is at
// least a byte of records.
func (p *Producer) quickMessage(msg, records []byte, count, rate, in, out uint32) int {
	c := &p.fused
	room := 1
	if c.long {
		room = 2
	}
	n := sampleMessage(&msg[room], &records[0], len(records), c, count, uint32(p.samplingOr(uint64(rate))), in, out)
	if n == 0 {
		return 0
	}
	end := putLength(msg, room, room+n, c)
	if len(p.cfg.Separator) > 0 {
		end += copy(msg[end:], p.cfg.Separator)
	}
	return end
}
