package producer_test

import (
	"math/big"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/producer/flowpb"
)

// slowNumber reads an unsigned number, whose encoding may be shortened: RFC
// 7011 section 6.2. More than 8 bytes are no number.
func slowNumber(v []byte) (uint64, bool) {
	if len(v) == 0 || len(v) > 8 {
		return 0, false
	}
	return new(big.Int).SetBytes(v).Uint64(), true
}

// dataRecord makes a flow of a data record.
func (s *slow) dataRecord(m *slowMessage, t *slowTemplate, values [][]byte) *flowpb.FlowMessage {
	f := newSlowFlow(m.meta, m.kind)
	f.SequenceNum = m.sequence
	f.ObservationDomainId = m.domain
	f.TimeFlowStartNs, f.TimeFlowEndNs = m.now, m.now

	// What the record says beside its flow: IE to number.
	aside := map[uint16]uint64{}
	for i, field := range t.fields {
		s.mapElement(m, field, values[i], f, aside)
		s.extraElement(field, values[i], f)
		if field.pen == 0 && len(values[i]) > 0 {
			slowElement(m, field.id, values[i], f, aside)
		}
	}

	// The label stack (RFC 3032, IE 70 to 79): as far as it is there without a gap, and
	// to its bottom. A stack of which the top is 0 is not used.
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

	// Times on the uptime clock, where there is no absolute one.
	start, hasStart := aside[22]
	end, hasEnd := aside[21]
	hasStart = hasStart && aside[absoluteStart] == 0
	hasEnd = hasEnd && aside[absoluteEnd] == 0
	boot := aside[160]
	if boot == 0 {
		boot = s.boot[m.slowDomain]
	}
	switch {
	case m.version == 9:
		if hasStart {
			f.TimeFlowStartNs = slowUptime(m.now, m.uptime, uint32(start))
		}
		if hasEnd {
			f.TimeFlowEndNs = slowUptime(m.now, m.uptime, uint32(end))
		}
	case boot != 0:
		// The boot time says what the uptime is at export; it is a clock of
		// 32 bits, so the boot time alone is not enough.
		uptime := uint32(m.now/1_000_000 - boot)
		if hasStart {
			f.TimeFlowStartNs = slowUptime(m.now, uptime, uint32(start))
		}
		if hasEnd {
			f.TimeFlowEndNs = slowUptime(m.now, uptime, uint32(end))
		}
	case hasStart && hasEnd:
		// Only the duration is known: the flow ended at export.
		f.TimeFlowStartNs = slowUptime(f.TimeFlowEndNs, uint32(end), uint32(start))
	}

	f.SamplingRate = s.recordRate(m, t, aside, f)
	if f.SamplingRate == 0 {
		f.SamplingRate = s.rate
	}
	return f
}

// Notes in the map of what a record says aside, at numbers of no element.
const (
	absoluteStart = 65001
	absoluteEnd   = 65002
	hasSampler    = 65003
	hasSequence   = 65005
)

// slowElement puts one information element in its place: IANA's registry of
// IPFIX information elements; RFC 3954 section 8.
func slowElement(m *slowMessage, id uint16, v []byte, f *flowpb.FlowMessage, aside map[uint16]uint64) {
	switch id {
	case 8, 12:
		if len(v) != 4 {
			return
		}
	case 27, 28:
		if len(v) != 16 {
			return
		}
	case 15, 18, 47, 62, 63, 140:
		if len(v) != 4 && len(v) != 16 {
			return
		}
	}
	// A zero address does not replace one that is there.
	replaces := func(old []byte) bool { return len(old) == 0 || !isZero(v) }
	switch id {
	case 8:
		if replaces(f.SrcAddr) {
			f.SrcAddr, f.Etype = v, 0x800
		}
		return
	case 12:
		if replaces(f.DstAddr) {
			f.DstAddr, f.Etype = v, 0x800
		}
		return
	case 27:
		if replaces(f.SrcAddr) {
			f.SrcAddr, f.Etype = v, 0x86dd
		}
		return
	case 28:
		if replaces(f.DstAddr) {
			f.DstAddr, f.Etype = v, 0x86dd
		}
		return
	case 15, 62:
		f.NextHop = v
		return
	case 18, 63:
		f.BgpNextHop = v
		return
	case 47, 140:
		f.MplsIp = append(f.MplsIp, v)
		return
	case 313, 315:
		start := packet.StartEthernet
		if id == 313 {
			if start = packet.StartIPv4; v[0]>>4 == 6 {
				start = packet.StartIPv6
			}
		}
		sampledHeader(v, start, f)
		f.Packets = 1
		if f.Bytes == 0 {
			f.Bytes = uint64(len(v))
		}
		return
	}
	n, ok := slowNumber(v)
	if !ok {
		return
	}
	w := uint32(n)
	switch id {
	case 1, 23:
		f.Bytes = n
	case 2, 24:
		f.Packets = n
	case 4:
		f.Proto = w
	case 5:
		f.IpTos = w
	case 6:
		f.TcpFlags = w
	case 7:
		f.SrcPort = w
	case 11:
		f.DstPort = w
	case 9, 29:
		f.SrcNet = w
	case 13, 30:
		f.DstNet = w
	case 10:
		f.InIf = w
	case 14:
		f.OutIf = w
	case 16:
		f.SrcAs = w
	case 17:
		f.DstAs = w
	case 31:
		f.Ipv6FlowLabel = w
	case 32, 139:
		f.IcmpType, f.IcmpCode = w>>8&0xff, w&0xff
	case 176, 178:
		f.IcmpType = w
	case 177, 179:
		f.IcmpCode = w
	case 52:
		f.IpTtl = w
	case 54:
		f.FragmentId = w
	case 88:
		f.FragmentOffset = w
	case 197:
		f.IpFlags = w >> 5
	case 56, 81:
		f.SrcMac = n & 0xffffffffffff
	case 57, 80:
		f.DstMac = n & 0xffffffffffff
	case 58:
		f.VlanId, f.SrcVlan = w, w
	case 59:
		f.DstVlan = w
	case 60:
		if n == 4 {
			f.Etype = 0x800
		}
		if n == 6 {
			f.Etype = 0x86dd
		}
	case 70, 71, 72, 73, 74, 75, 76, 77, 78, 79:
		aside[id] = n
	case 89:
		f.ForwardingStatus = w
	case 138:
		f.ObservationPointId = w
	case 312:
		f.Bytes, f.Packets = n, 1

	case 311:
		aside[id] = slowProbability(v)
	case 34, 50, 305, 306, 309, 310, 396, 397, 21, 22, 141, 160:
		aside[id] = n
	case 48, 302:
		aside[48], aside[hasSampler] = n, 1
	case 301:
		aside[id], aside[hasSequence] = n, 1

	case 150:
		f.TimeFlowStartNs = slowTime(0, n, 1_000_000_000)
		aside[absoluteStart] = 1
	case 151:
		f.TimeFlowEndNs = slowTime(0, n, 1_000_000_000)
		aside[absoluteEnd] = 1
	case 152:
		f.TimeFlowStartNs = slowTime(0, n, 1_000_000)
		aside[absoluteStart] = 1
	case 153:
		f.TimeFlowEndNs = slowTime(0, n, 1_000_000)
		aside[absoluteEnd] = 1
	case 154, 156:
		if len(v) == 8 {
			f.TimeFlowStartNs = slowNTP(n)
			aside[absoluteStart] = 1
		}
	case 155, 157:
		if len(v) == 8 {
			f.TimeFlowEndNs = slowNTP(n)
			aside[absoluteEnd] = 1
		}
	case 158:
		f.TimeFlowStartNs = slowTime(m.now, n, -1_000)
		aside[absoluteStart] = 1
	case 159:
		f.TimeFlowEndNs = slowTime(m.now, n, -1_000)
		aside[absoluteEnd] = 1
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
// RFC 7011 section 6.1.10. What is before 1970 gives 0.
func slowNTP(v uint64) uint64 {
	secs, fraction := v>>32, v&0xffffffff
	if secs < 2208988800 {
		return 0
	}
	ns := new(big.Int).SetUint64(fraction)
	ns.Mul(ns, big.NewInt(1_000_000_000))
	ns.Rsh(ns, 32)
	return (secs-2208988800)*1_000_000_000 + ns.Uint64()
}
