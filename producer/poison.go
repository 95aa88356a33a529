//go:build weirpoison

package producer

import "github.com/weirflow/weir/decoders/packet"

// poison overwrites what a recycled batch held, so that a reader that kept a
// slice of it fails in tests instead of seeing stale or mixed messages.
func poison(b *Batch) {
	fill(b.Buf[:cap(b.Buf)], 0xdb)
	fill(b.Ends[:cap(b.Ends)], 0xdbdbdbdb)
}

// fill sets all of list to v. It copies, which is fast in builds that count what
// is executed too.
func fill[T any](list []T, v T) {
	if len(list) == 0 {
		return
	}
	list[0] = v
	for done := 1; done < len(list); done *= 2 {
		copy(list[done:], list[:done])
	}
}

var poisonText = []byte{0xdb, 0xdb, 0xdb, 0xdb}

// poison overwrites what the datagram before left in the memory, so that a
// datagram that reads it fails in tests. The memory itself stays.
func (m *memory) poison() {
	const b, w = 0xdb, 0xdbdbdbdb
	text := poisonText
	m.flow.poison(text)
	m.hdr = packet.Headers{
		SrcMAC: w, DstMAC: w, EtherType: b, VLANID: b, SrcAddr: text, DstAddr: text, Proto: b, TOS: b, TTL: b, FlowLabel: w,
		FragmentID: w, FragmentOffset: w, IPFlags: b, SrcPort: b, DstPort: b, TCPFlags: b, HasICMP: true, ICMPType: b, ICMPCode: b,
		MPLS: text, HasRouting: true, RoutingAddrs: text, RoutingSegLeft: b, Layers: 3,
	}
	c := &m.fused
	c.sharedValues = sharedValues{
		rate: w, exportNs: w, uptimeMs: w, rateKnown: true, rateAsked: true, flowType: w, sequence: w, domain: w, prefixRate: w, samplerID: w,
		samplerRate: w, samplerSource: SamplingRecord, samplerLooked: true, fallback: w, key: w, keyFields: keyFields{missing: 1},
	}
	c.prefix, c.between, c.shared, c.ends = poisoned(c.prefix, b), poisoned(c.between, b), poisoned(c.shared, b), poisoned(c.ends, w)
	parts := sampleParts{rate: w, bytes: w, srcMAC: w, dstMAC: w, src: text, dst: text, nextHop: text, bgpNextHop: text,
		communities: text, segments: text, pathLen: 1, frame: text, stack: 1, has: b}
	fill(parts.numbers[:], w)
	fill(m.keyless.parts[:], parts)
	fill(m.keyless.keys[:], w)
	fill(m.rates[:], w)
	fill(m.sections[:], w)
	m.scratch = poisoned(m.scratch, b)
	m.values = poisoned(m.values, text)
	m.portLayers = w
	fill(m.portLayer[:], w)
}

// poisoned returns all that list has memory for, set to v.
func poisoned[T any](list []T, v T) []T {
	list = list[:cap(list)]
	fill(list, v)
	return list
}
