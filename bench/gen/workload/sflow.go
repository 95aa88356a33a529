package workload

import "encoding/binary"

// Structures of sFlow v5 (sflow.org, July 2004, section 5), all of enterprise 0.
const (
	sampleFlow    = 1
	sampleCounter = 2

	recordRawHeader = 1
	recordSwitch    = 1001
	recordRouter    = 1002
	recordGateway   = 1003

	counterGeneric  = 1
	counterEthernet = 2

	headerEthernet = 1
)

const (
	flowSamples  = 8  // of a datagram
	counterEvery = 16 // datagrams

	frameLen = 128 // bytes of a sampled header
	frameFCS = 4   // bytes that are stripped from a frame

	// Lengths in bytes: a datagram's header, the longest flow sample, a counter
	// sample.
	sflowHeaderLen   = 28
	maxFlowSample    = 8 + 32 + 8 + 16 + frameLen + 8 + 16 + 8 + 28 + 8 + 72
	counterSampleLen = 8 + 12 + 8 + 88 + 8 + 52
)

// appendWords appends 32-bit numbers in network order.
func appendWords(b []byte, words ...uint32) []byte {
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// begin appends the format of a sample or record; end sets the length of the one
// whose format stands at start.
func begin(b []byte, format uint32) ([]byte, int) {
	return appendWords(b, format, 0), len(b)
}

func end(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start+4:], uint32(len(b)-start-8))
	return b
}

// sflow makes an sFlow v5 datagram.
func (g *Generator) sflow(s *stream) {
	agent := ExporterAddr(s.Exporter).As4()
	b := appendWords(g.payload, 5, 1)
	b = append(b, agent[:]...)
	s.sequence++ // the first is 1
	b = appendWords(b, 0, s.sequence, s.uptimeMs(g.nowNs))

	n := flowSamples
	if limit := g.cfg.MaxPayload; limit != 0 {
		n = min(n, (limit-sflowHeaderLen-counterSampleLen)/maxFlowSample)
	}
	counters := s.sent%counterEvery == counterEvery-1
	samples := uint32(n)
	if counters {
		samples++
	}
	b = appendWords(b, samples)
	for range n {
		b = g.appendFlowSample(b, s)
	}
	if counters {
		b = g.appendCounterSample(b, s)
	}
	g.payload = b
}

// appendFlowSample appends the sample of one packet.
func (g *Generator) appendFlowSample(b []byte, s *stream) []byte {
	f := g.addFlow(s, g.rnd.Uint64()&3 == 0)
	// A sampled packet, not a flow. All are longer than the sampled header.
	size := max(packetSize(g.rnd.Uint64()), frameLen) + 18 + frameFCS
	f.Packets, f.StartNs, f.EndNs = 1, g.nowNs, g.nowNs
	if !g.cfg.IDs {
		f.Bytes = size
	}
	s.samples[f.InIf]++
	taken := s.samples[f.InIf]

	b, sample := begin(b, sampleFlow)
	b = appendWords(b, taken, f.InIf, s.rate, taken*s.rate, 0, f.InIf, f.OutIf, 4)

	b, record := begin(b, recordRawHeader)
	b = appendWords(b, headerEthernet, uint32(f.Bytes), frameFCS, frameLen)
	b = appendFrame(b, f, int(size)-frameFCS)
	b = end(b, record)

	b, record = begin(b, recordSwitch)
	b = appendWords(b, uint32(f.VLAN), 0, uint32(f.VLAN), 0)
	b = end(b, record)

	b, record = begin(b, recordRouter)
	b = appendAddress(b, f)
	b = appendWords(b, uint32(f.SrcMask), uint32(f.DstMask))
	b = end(b, record)

	// The agent's AS is the first of the range; the path has a second one
	// before the destination's; two communities.
	b, record = begin(b, recordGateway)
	b = appendAddress(b, f)
	b = appendWords(b, firstAS, f.SrcAS, f.SrcAS, 1, 2, 2, firstAS+1+f.ID%3, f.DstAS)
	b = appendWords(b, 2, firstAS<<16|100, firstAS<<16|f.InIf, 100)
	b = end(b, record)
	return end(b, sample)
}

// appendAddress appends the type and bytes of the next hop.
func appendAddress(b []byte, f *Flow) []byte {
	kind := uint32(1)
	if f.V6 {
		kind = 2
	}
	return append(appendWords(b, kind), f.addrBytes(&f.NextHop)...)
}

// appendCounterSample appends the counters of one interface.
func (g *Generator) appendCounterSample(b []byte, s *stream) []byte {
	port := 1 + s.counters%interfaces
	s.counters++
	s.countedFrames += 1000 + g.rnd.Uint64()%100000
	frames := uint32(s.countedFrames)
	octets := s.countedFrames * 700

	b, sample := begin(b, sampleCounter)
	b = appendWords(b, s.counters, port, 2)

	// Index, type (ethernetCsmacd), speed, full duplex, up and up; in: octets,
	// unicast, multicast, broadcast, discards, errors, unknown; out: the same
	// without unknown; promiscuous.
	b, record := begin(b, counterGeneric)
	b = appendWords(b, port, 6)
	b = binary.BigEndian.AppendUint64(b, 10e9)
	b = appendWords(b, 1, 3)
	b = binary.BigEndian.AppendUint64(b, octets)
	b = appendWords(b, frames, 100, 100, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, octets/2)
	b = appendWords(b, frames/2, 100, 100, 0, 0, 0)
	b = end(b, record)

	// 13 counters of errors.
	b, record = begin(b, counterEthernet)
	b = append(b, make([]byte, 13*4)...)
	b = end(b, record)
	return end(b, sample)
}
