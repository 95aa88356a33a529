package producer_test

import (
	"math/big"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/producer/flowpb"
)

// slowNumber reads an unsigned number, whose encoding may be shortened: RFC
// 7011 section 6.2. What does not fit into 64 bits is no number.
func slowNumber(v []byte) (uint64, bool) {
	n := new(big.Int).SetBytes(v)
	if len(v) == 0 || !n.IsUint64() {
		return 0, false
	}
	return n.Uint64(), true
}

// slowWide reads a time of two halves of 8 bytes: seconds, and what part of a second.
func slowWide(v []byte, nanos bool) uint64 {
	if len(v) != 16 {
		return 0
	}
	secs, _ := slowNumber(v[:8])
	rest, _ := slowNumber(v[8:])
	if !nanos && rest < 1_000_000 {
		rest *= 1000
	} else if !nanos {
		return 0
	}
	if secs == 0 || secs >= 1<<33 || rest >= 1_000_000_000 {
		return 0
	}
	return secs*1_000_000_000 + rest
}

// dataRecord makes the flows of a data record: one, or one for each direction.
func (s *slow) dataRecord(m *slowMessage, t *slowTemplate, values [][]byte) []*flowpb.FlowMessage {
	f := s.direction(m, t, values)
	back := slowReverse(t)
	if back == nil {
		return []*flowpb.FlowMessage{f}
	}
	g := proto.Clone(f).(*flowpb.FlowMessage)
	slowTurn(g)
	aside := map[uint16]uint64{}
	slowElements(m, back, values, g, aside)
	slowStack(g, aside)
	if aside[absoluteStart]|aside[absoluteEnd] == 0 {
		s.relativeTimes(m, g, aside)
	}
	if aside[absoluteStart]|aside[absoluteEnd] != 0 {
		slowOrder(g, aside)
	}
	if g.Bytes == 0 && g.Packets == 0 {
		return []*flowpb.FlowMessage{f}
	}
	return []*flowpb.FlowMessage{f, g}
}

// direction makes the flow of the forward direction.
func (s *slow) direction(m *slowMessage, t *slowTemplate, values [][]byte) *flowpb.FlowMessage {
	f := newSlowFlow(m.meta, m.kind)
	f.SequenceNum = m.sequence
	f.ObservationDomainId = m.domain
	f.TimeFlowStartNs, f.TimeFlowEndNs = m.now, m.now

	// What the record says in addition to its flow: IE to number.
	aside := map[uint16]uint64{}
	for i, field := range t.fields {
		s.mapElement(m, field, values[i], f, aside)
		if len(values[i]) > 0 {
			slowElement(m, slowRanks(t, values), field, values[i], f, aside)
		}
	}
	slowLate(t, values, f)
	s.extraElements(t, values, f)
	slowSides(t, values, f)
	slowFamily(t, values, f)
	slowStack(f, aside)
	slowICMP(t, values, f)
	s.relativeTimes(m, f, aside)
	slowOrder(f, aside)

	f.SamplingRate = s.recordRate(m, t, aside, f)
	if f.SamplingRate == 0 {
		f.SamplingRate = s.rate
	}
	return f
}

// slowStack sets the label stack (RFC 3032, IE 70 to 79): as far as it is there without a
// gap, and to its bottom. A stack of which the top is 0 is not used.
func slowStack(f *flowpb.FlowMessage, aside map[uint16]uint64) {
	var stack []uint32
	for section := uint16(70); section < 80; section++ {
		entry := uint32(aside[section])
		if entry == 0 || section == 70 && entry>>4 == 0 {
			break
		}
		stack = append(stack, entry>>4)
		if entry%2 == 1 {
			break
		}
	}
	if stack != nil {
		f.MplsLabel = stack
	}
}

// slowTime returns base plus n units of so many nanoseconds, 0 if that is before
// 1970 or beyond 64 bits.
func slowTime(base, n uint64, unit int64) uint64 {
	t := new(big.Int).SetUint64(n)
	t.Mul(t, big.NewInt(unit))
	t.Add(t, new(big.Int).SetUint64(base))
	if !t.IsUint64() {
		return 0
	}
	return t.Uint64()
}

// slowNTP converts seconds since 1900 and 2^-32 fractions to Unix nanoseconds:
// RFC 7011 section 6.1.10 and 5.2. What is before 1970 gives 0.
func slowNTP(v uint64) uint64 {
	secs, fraction := v>>32, v&0xffffffff
	if v == 0 || secs >= 1<<31 && secs < 2208988800 {
		return 0
	}
	if secs < 1<<31 { // era 1
		secs += 1 << 32
	}
	ns := new(big.Int).SetUint64(fraction)
	ns.Mul(ns, big.NewInt(1_000_000_000))
	ns.Rsh(ns, 32)
	return (secs-2208988800)*1_000_000_000 + ns.Uint64()
}
