package producer

import "slices"

// Flow samples of the usual kind with a plain frame are read and written by one
// function in assembly, writeSamples, where the CPU has fastBits. It goes through
// the records as sampleParts.gather does, writes the fields of each as it meets it,
// and stops at the first sample that gather or a walk has to take: one with a frame
// that is not plain, with lists so long that their lengths may take two bytes, or
// without flow.

// sampleRun are samples for writeSamples, and what became of them. It lives as long
// as the call.
type sampleRun struct {
	body   *byte       // the samples, and all after them
	size   int         // bytes of that
	prefix *byte       // of all messages; may be read in pieces of 32 bytes
	w      *byte       // where messages go
	ends   *uint32     // where the messages' ends go
	facts  *SampleFact // where the samples' facts go

	prefixLen    int
	room         int // bytes at w
	need         int // bytes of the longest message, with stores beyond its end
	most         int // samples that may be taken: ends and facts have room for them
	separator    uint64
	separatorLen int    // bytes, 8 at most
	base         uint32 // offset of w in the batch, from which ends count
	forced       uint32 // the sampling rate that counts if it is not 0
	fallback     uint32 // that of samples that name none

	// Results. done, read and written are those of the last call.
	done    int    // samples
	read    int    // bytes of body
	written int    // bytes at w
	unrated uint32 // samples that name no rate
	// By encoding, SampleFlow and SampleFlowExpanded.
	samples, records [2]uint32
}

// quickLen bounds the length of a message of writeSamples after the prefix, in
// bytes: numbers, addresses, and two lists of up to 127.
const quickLen = 640

// quickSamples tells whether flow samples of a datagram are given to
// writeSamples: those that become messages of which nothing else is asked for.
func (p *Producer) quickSamples(way sampleWay) bool {
	return fastBits && allGathered && way == samplesBin && p.prog.layers == nil && p.cfg.Geo == nil &&
		(!p.prog.Keyed() || p.prog.keyShared) && p.forcedRate() < 1<<32 && len(p.cfg.Separator) <= 8
}

// writeQuickly produces the flow samples that writeSamples takes and that body
// begins with, of count that are announced, and returns what is left.
func (p *Producer) writeQuickly(body []byte, count uint32) ([]byte, uint32) {
	const least = 8 + 32 // bytes of a sample
	if count == 0 || len(body) < least {
		return body, count
	}
	b := p.batch
	most := min(int(count), len(body)/least)
	if cap(b.Ends)-len(b.Ends) < most {
		b.Ends = slices.Grow(b.Ends, most)
	}
	if f := &p.facts; cap(f.Samples)-len(f.Samples) < most {
		f.Samples = slices.Grow(f.Samples, most)
	}
	prefix := p.fused.prefix
	r := sampleRun{
		prefix: &prefix[0], prefixLen: len(prefix),
		need:   2 + len(prefix) + quickLen + storeSlack + len(p.cfg.Separator),
		forced: uint32(p.forcedRate()), fallback: uint32(p.cfg.SamplingRate),
		separator: loadLittle(p.cfg.Separator), separatorLen: len(p.cfg.Separator),
	}
	for {
		if cap(b.Buf)-len(b.Buf) < r.need {
			b.Buf = grow(b.Buf, r.need)
		}
		n, facts, ends := len(b.Buf), p.facts.Samples, b.Ends
		r.body, r.size = &body[0], len(body)
		r.w, r.room, r.base = &b.Buf[:n+1][n], cap(b.Buf)-n, uint32(n)
		r.ends, r.facts = &ends[:len(ends)+1][len(ends)], &facts[:len(facts)+1][len(facts)]
		r.done, r.most = 0, most
		writeSamples(&r)
		most -= r.done
		count -= uint32(r.done)
		b.Buf, b.Ends, p.facts.Samples = b.Buf[:n+r.written], ends[:len(ends)+r.done], facts[:len(facts)+r.done]
		body = body[r.read:]
		if most == 0 || len(body) == 0 || cap(b.Buf)-len(b.Buf) >= r.need {
			break
		}
	}
	r.count(p)
	return body, count
}

// count adds what became of samples to what is known about the datagram.
func (r *sampleRun) count(p *Producer) {
	total := r.samples[0] + r.samples[1]
	p.facts.Records += uint16(total)
	p.facts.Flows += uint16(total)
	for i, kind := range [2]int{SampleFlow, SampleFlowExpanded} {
		p.tally.Samples[kind] += r.samples[i]
		p.tally.SampleRecords[kind] += r.records[i]
	}
	p.countRates(1, SamplingRecord, int(total-r.unrated))
	p.countRates(0, SamplingRecord, int(r.unrated))
	p.useful += int(total)
	p.encoded(PathSampleAssembly, int(total))
	if p.prog.Keyed() {
		for range total {
			p.batch.Keys = append(p.batch.Keys, p.fused.key)
		}
	}
}
