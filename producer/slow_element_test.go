package producer_test

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/producer/flowpb"
)

// Notes in the map of what a record says aside, at numbers of no element.
const (
	absoluteStart = 65001
	absoluteEnd   = 65002
	hasSampler    = 65003
	duration      = 65005 // ns
	startLate     = 65006
	hasSequence   = 65007
)

// slowID is an element.
type slowID struct {
	pen uint32
	id  uint16
}

// slowPrecedence are the elements of a field, by rank.
var slowPrecedence = map[string][][]slowID{
	"bytes":   {ids(1), ids(85), ids(352), ids(353), ids(231), ids(312), ids(190, 224)},
	"packets": {ids(2), ids(86), ids(298)},
	"src":     {ids(8, 27), ids(44, 170), ids(366)}, "dst": {ids(12, 28), ids(45, 169), ids(366)},
	"etype": {ids(60), ids(256)}, "proto": {ids(4), ids(32, 139, 176, 178, 180, 181, 182, 183)},
	"sport": {ids(7), ids(180, 182)}, "dport": {ids(11), ids(181, 183)},
	"in": {ids(10), ids(252)}, "out": {ids(14), ids(253)},
	"smac": {ids(56), ids(81), ids(365)}, "dmac": {ids(80), ids(57), ids(365)},
	"svlan": {ids(58), ids(243), ids(245)}, "dvlan": {ids(59), ids(254), ids(255)},
	"flags": {ids(6), {{6871, 14}, {6871, 15}}},
	"tos":   {ids(5), ids(195)}, "status": {ids(89), {{2636, 137}}}, "ttl": {ids(52), ids(192)},
	"type": {ids(32, 139), ids(176, 178)}, "code": {ids(32, 139), ids(177, 179)},
	"snet": {ids(9, 29)}, "dnet": {ids(13, 30)}, "hop": {ids(15, 62)}, "bgp": {ids(18, 63)},
	"start": {ids(22, 150, 152, 154, 156, 158), ids(161, 162, 322, 323, 324, 325)},
	"end":   {ids(21, 151, 153, 155, 157, 159), ids(161, 162, 322, 323, 324, 325)},
}

func ids(all ...uint16) (list []slowID) {
	for _, id := range all {
		list = append(list, slowID{0, id})
	}
	return list
}

// slowRank are the elements that fill a field, in template order.
type slowRank map[string][]slowID

// slowRanks finds the elements of a template that fill each field.
func slowRanks(t *slowTemplate, values [][]byte) slowRank {
	all := slowRank{}
	for name, ranks := range slowPrecedence {
		for _, rank := range ranks {
			for _, f := range t.fields {
				if f.length != 0 && slices.Contains(rank, slowID{f.pen, f.id}) {
					all[name] = append(all[name], slowID{f.pen, f.id})
				}
			}
			if all[name] != nil {
				break
			}
		}
	}
	return all
}

// slowReverse returns the template of the other direction: RFC 5103. What is not of
// that has the enterprise number 1.
func slowReverse(t *slowTemplate) *slowTemplate {
	back, any := &slowTemplate{}, false
	for _, f := range t.fields {
		switch {
		case f.pen == 29305 && slowKnown(f.id):
			f.pen = 0
		case f.pen == 0 && f.id == 232 && f.length != 0:
			f.id = 231
		case f.pen == 0 && f.id == 299 && f.length != 0:
			f.id = 298
		case f.pen == 6871 && (f.id == 16398 || f.id == 16399) && f.length != 0:
			f.id -= 16384
		case f.pen == 3054 && (f.id == 176 || f.id == 177) && f.length != 0:
			f.pen, f.id = 0, map[uint16]uint16{176: 231, 177: 298}[f.id]
		default:
			f.pen = 1
		}
		any = any || f.pen == 0 || f.pen == 6871
		back.fields = append(back.fields, f)
	}
	if !any {
		return nil
	}
	return back
}

// slowKnown tells whether an element fills a field.
func slowKnown(id uint16) bool {
	return id != 232 && id != 299
}

func slowTurn(f *flowpb.FlowMessage) {
	f.SrcAddr, f.DstAddr = f.DstAddr, f.SrcAddr
	f.SrcPort, f.DstPort = f.DstPort, f.SrcPort
	f.InIf, f.OutIf = f.OutIf, f.InIf
	f.SrcMac, f.DstMac = f.DstMac, f.SrcMac
	f.SrcVlan, f.DstVlan = f.DstVlan, f.SrcVlan
	f.SrcAs, f.DstAs = f.DstAs, f.SrcAs
	f.SrcNet, f.DstNet = f.DstNet, f.SrcNet
	f.VlanId = f.SrcVlan
	f.Bytes, f.Packets, f.IpTos, f.IpTtl, f.TcpFlags, f.IpFlags, f.Ipv6FlowLabel = 0, 0, 0, 0, 0, 0, 0
	f.FragmentId, f.FragmentOffset, f.NextHop, f.BgpNextHop, f.NextHopAs = 0, 0, nil, nil, 0
	f.MplsLabel, f.MplsTtl, f.MplsIp = nil, nil, nil
	if d := f.FlowDirection; d != nil && *d < 2 {
		f.FlowDirection = proto.Uint32(1 - *d)
	}
	if d := f.BiFlowDirection; d != nil && (*d == 1 || *d == 2) {
		f.BiFlowDirection = proto.Uint32(3 - *d)
	}
	f.FlowReverse = 1
}

// slowElements puts all elements of a record in their places.
func slowElements(m *slowMessage, t *slowTemplate, values [][]byte, f *flowpb.FlowMessage, aside map[uint16]uint64) {
	for i, field := range t.fields {
		if len(values[i]) > 0 {
			slowElement(m, slowRanks(t, values), field, values[i], f, aside)
		}
	}
	slowLate(t, values, f)
	slowSides(t, values, f)
}

// slowSides puts the station of a wireless controller where the direction says, and
// what follows the IP header of a packet.
func slowSides(t *slowTemplate, values [][]byte, f *flowpb.FlowMessage) {
	ranks := slowRanks(t, values)
	directed, egress := slowDirection(t, values)
	for i, field := range t.fields {
		v := values[i]
		if field.pen != 0 || len(v) == 0 {
			continue
		}
		name, addr, to := "s", &f.SrcAddr, &f.SrcMac
		if directed && egress {
			name, addr, to = "d", &f.DstAddr, &f.DstMac
		}
		n, ok := slowNumber(v)
		switch {
		case field.id == 365 && ok && slices.Contains(ranks[name+"mac"], slowID{0, 365}) && *to == 0:
			*to = n & 0xffffffffffff
		case field.id == 366 && len(v) == 4 && slices.Contains(ranks[map[string]string{"s": "src", "d": "dst"}[name]], slowID{0, 366}) && (len(*addr) == 0 || isZero(*addr) && !isZero(v)):
			*addr, f.Etype = v, 0x800
		case field.id == 314:
			slowPayload(v, f)
		}
	}
}

func slowPayload(v []byte, f *flowpb.FlowMessage) {
	start, known := map[uint32]packet.Start{6: packet.StartTCP, 17: packet.StartUDP, 1: packet.StartICMP, 58: packet.StartICMPv6}[f.Proto]
	if !known {
		return
	}
	var h packet.Headers
	packet.Parse(v, start, &h)
	if f.SrcPort == 0 && f.DstPort == 0 {
		f.SrcPort, f.DstPort = h.SrcPort, h.DstPort
	}
	if f.TcpFlags == 0 {
		f.TcpFlags = h.TCPFlags
	}
	if h.HasICMP {
		f.IcmpType, f.IcmpCode = h.ICMPType, h.ICMPCode
	}
	slowTunnel(&h, f)
}

// slowLate puts what left the device where nothing else is known.
func slowLate(t *slowTemplate, values [][]byte, f *flowpb.FlowMessage) {
	ranks := slowRanks(t, values)
	octets, packets := 0, 0
	for i, field := range t.fields {
		n, ok := slowNumber(values[i])
		if field.pen != 0 || !ok {
			continue
		}
		if slices.Contains([]uint16{23, 171, 417, 418}, field.id) {
			if octets++; f.Bytes == 0 || ranks["bytes"] == nil && octets == 1 {
				f.Bytes = n
			}
		}
		if field.id == 24 || field.id == 172 {
			if packets++; f.Packets == 0 || ranks["packets"] == nil && packets == 1 {
				f.Packets = n
			}
		}
	}
}

// slowICMP reads types and codes, and the protocol, of what does not say so itself.
func slowICMP(t *slowTemplate, values [][]byte, f *flowpb.FlowMessage) {
	has := func(id uint16) (there bool, v uint64) {
		for i, field := range t.fields {
			if field.pen == 0 && field.id == id && len(values[i]) > 0 {
				n, ok := slowNumber(values[i])
				there, v = there || ok, v|n
			}
		}
		return there, v
	}
	any := func(all ...uint16) (there, set bool) {
		for _, id := range all {
			x, v := has(id)
			there, set = there || x, set || v != 0
		}
		return there, set
	}
	declared := func(all ...uint16) bool {
		return slices.ContainsFunc(t.fields, func(f slowField) bool { return f.pen == 0 && f.length != 0 && slices.Contains(all, f.id) })
	}
	if !declared(4) {
		four, fourSet := any(32, 176)
		six, sixSet := any(139, 178)
		if fourSet || sixSet {
			four, six = fourSet, sixSet
		} else if declared(7, 11, 180, 181, 182, 183) {
			four, six = false, false
		}
		_, udp := any(180, 181)
		_, tcp := any(182, 183)
		switch {
		case four && (!six || f.Etype != 0x86dd):
			f.Proto = 1
		case six:
			f.Proto = 58
		case udp && !tcp:
			f.Proto = 17
		case tcp && !udp:
			f.Proto = 6
		}
	}
	if f.Proto == 1 || f.Proto == 58 {
		if declared(11) && (!declared(32, 139, 176, 178) || !declared(32, 139, 177, 179)) {
			f.IcmpType, f.IcmpCode = f.DstPort>>8&0xff, f.DstPort&0xff
		}
	}
}

// slowOrder: an end is never before its start.
func slowOrder(f *flowpb.FlowMessage, aside map[uint16]uint64) {
	start, end := aside[absoluteStart] != 0, aside[absoluteEnd] != 0
	long, timed := aside[duration]
	switch {
	case timed && end && (!start || f.TimeFlowStartNs == f.TimeFlowEndNs):
		f.TimeFlowStartNs = f.TimeFlowEndNs
		if long < f.TimeFlowEndNs {
			f.TimeFlowStartNs -= long
		}
	case timed && !start && !end:
		if long < f.TimeFlowEndNs {
			f.TimeFlowStartNs = f.TimeFlowEndNs - long
		}
	case timed && start && !end:
		if f.TimeFlowStartNs+long > f.TimeFlowStartNs {
			f.TimeFlowEndNs = f.TimeFlowStartNs + long
		}
	case end && !start:
		f.TimeFlowStartNs = f.TimeFlowEndNs
	case f.TimeFlowStartNs > f.TimeFlowEndNs && start && !end:
		f.TimeFlowEndNs = f.TimeFlowStartNs
	case f.TimeFlowStartNs > f.TimeFlowEndNs:
		f.TimeFlowStartNs = f.TimeFlowEndNs
		aside[startLate] = 1
	}
}

// slowElement puts one information element in its place: IANA's registry of
// IPFIX information elements; RFC 3954 section 8.
func slowElement(m *slowMessage, ranks slowRank, field slowField, v []byte, f *flowpb.FlowMessage, aside map[uint16]uint64) {
	// Of the elements of one field the first one counts that is not zero.
	uses := func(name string, empty bool) bool {
		list := ranks[name]
		return slices.Contains(list, slowID{field.pen, field.id}) && (len(list) == 1 || empty)
	}
	put := func(name string, to *uint32, v uint32) {
		if uses(name, *to == 0) {
			*to = v
		}
	}
	put64 := func(name string, to *uint64, v uint64) {
		if uses(name, *to == 0) {
			*to = v
		}
	}
	if field.pen != 0 {
		if field.pen == 2636 && field.id == 137 && len(v) == 2 && v[0]>>2 == 2 && len(ranks["status"]) > 0 && ranks["status"][0].pen == 2636 {
			if f.ForwardingStatus = 64; v[0]&3 != 0 || v[1] != 0 {
				f.ForwardingStatus = 128
			}
		}
		if n, ok := slowNumber(v); ok && slices.Contains(ranks["flags"], slowID{6871, field.id}) && field.pen == 6871 {
			f.TcpFlags |= uint32(n)
		}
		return
	}
	id := field.id
	addr := func(name string, to *[]byte, size int, etype uint32) {
		if len(v) == size && slices.Contains(ranks[name], slowID{0, id}) && (len(*to) == 0 || isZero(*to) && !isZero(v)) {
			*to, f.Etype = v, etype
		}
	}
	hop := func(name string, to *[]byte) {
		if (len(v) == 4 || len(v) == 16) && uses(name, isZero(*to)) {
			*to = v
		}
	}
	switch id {
	case 8, 44:
		addr("src", &f.SrcAddr, 4, 0x800)
		return
	case 12, 45:
		addr("dst", &f.DstAddr, 4, 0x800)
		return
	case 27, 170:
		addr("src", &f.SrcAddr, 16, 0x86dd)
		return
	case 28, 169:
		addr("dst", &f.DstAddr, 16, 0x86dd)
		return
	case 15, 62:
		hop("hop", &f.NextHop)
		return
	case 18, 63:
		hop("bgp", &f.BgpNextHop)
		return
	case 47, 140:
		if len(v) == 4 || len(v) == 16 {
			f.MplsIp = append(f.MplsIp, v)
		}
		return
	case 483:
		if n, ok := slowNumber(v); ok {
			f.BgpCommunities = append(f.BgpCommunities, uint32(n))
		}
		return
	case 485:
		for _, value := range slowList(v) {
			if n, _ := slowNumber(value); len(value) <= 4 {
				f.BgpCommunities = append(f.BgpCommunities, uint32(n))
			}
		}
		return
	case 494, 497:
		for ; len(v) >= 16; v = v[16:] {
			f.Ipv6RoutingHeaderAddresses = append(f.Ipv6RoutingHeaderAddresses, v[:16])
		}
		return
	case 496:
		for _, value := range slowList(v) {
			if len(value) == 16 {
				f.Ipv6RoutingHeaderAddresses = append(f.Ipv6RoutingHeaderAddresses, value)
			}
		}
		return
	case 499:
		if len(v) < 8 || v[2] != 4 {
			return
		}
		f.Ipv6RoutingHeaderSegLeft = uint32(v[3])
		flags, tag := uint32(v[5]), uint32(v[6])<<8|uint32(v[7])
		f.SrhFlagsIpv6, f.SrhTagIpv6 = &flags, &tag
		for list := v[8:]; len(list) >= 16 && len(v)-len(list) < 8+16*(int(v[4])+1); list = list[16:] {
			f.Ipv6RoutingHeaderAddresses = append(f.Ipv6RoutingHeaderAddresses, list[:16])
		}
		return
	case 313, 315, 104, 316, 317:
		start := packet.StartEthernet
		if id == 316 {
			start = packet.StartMPLS
		}
		if id == 313 || id == 317 {
			if start = packet.StartIPv4; v[0]>>4 == 6 {
				start = packet.StartIPv6
			}
		}
		sampledHeader(v, start, f)
		f.Packets = 1
		if f.Bytes == 0 {
			f.Bytes = max(uint64(len(v)), slowLength(v, f))
		}
		return
	}
	n, ok := slowNumber(v)
	wide := uint64(0)
	switch id {
	case 150, 151, 152, 153, 154, 155, 322, 323, 324:
		wide = slowWide(v, false)
	case 156, 157, 325:
		wide = slowWide(v, true)
	}
	if !ok && wide == 0 {
		return
	}
	w := uint32(n)
	switch id {
	case 1, 85, 352, 353, 231:
		put64("bytes", &f.Bytes, n)
	case 312, 190, 224:
		if slices.Contains(ranks["bytes"], slowID{0, id}) {
			f.Bytes, f.Packets = n, max(f.Packets, 1)
		}
	case 200:
		f.MplsTtl = append(f.MplsTtl, w)
	case 2, 86, 298:
		put64("packets", &f.Packets, n)
	case 4:
		put("proto", &f.Proto, w)
	case 5:
		put("tos", &f.IpTos, w)
	case 195:
		if slices.Contains(ranks["tos"], slowID{0, id}) && f.IpTos == 0 {
			f.IpTos = w * 4 & 0xff
		}
	case 6:
		slowOnce(m, &f.TcpFlags, w, aside, id)
	case 7, 180, 182:
		put("sport", &f.SrcPort, w)
	case 11, 181, 183:
		put("dport", &f.DstPort, w)
	case 9, 29:
		put("snet", &f.SrcNet, w)
	case 13, 30:
		put("dnet", &f.DstNet, w)
	case 10, 252:
		put("in", &f.InIf, w)
	case 14, 253:
		put("out", &f.OutIf, w)
	case 16:
		slowOnce(m, &f.SrcAs, w, aside, id)
	case 17:
		slowOnce(m, &f.DstAs, w, aside, id)
	case 128:
		slowOnce(m, &f.NextHopAs, w, aside, id)
	case 31:
		slowOnce(m, &f.Ipv6FlowLabel, w, aside, id)
	case 32, 139:
		put("type", &f.IcmpType, w>>8&0xff)
		put("code", &f.IcmpCode, w&0xff)
	case 176, 178:
		put("type", &f.IcmpType, w)
	case 177, 179:
		put("code", &f.IcmpCode, w)
	case 52, 192:
		put("ttl", &f.IpTtl, w)
	case 498:
		slowOnce(m, &f.Ipv6RoutingHeaderSegLeft, w, aside, id)
	case 54:
		slowOnce(m, &f.FragmentId, w, aside, id)
	case 88:
		slowOnce(m, &f.FragmentOffset, w, aside, id)
	case 197:
		slowOnce(m, &f.IpFlags, w>>5, aside, id)
	case 56, 81:
		put64("smac", &f.SrcMac, n&0xffffffffffff)
	case 57, 80:
		put64("dmac", &f.DstMac, n&0xffffffffffff)
	case 58, 243, 245:
		put("svlan", &f.VlanId, w&0xfff)
		put("svlan", &f.SrcVlan, w&0xfff)
	case 59, 254, 255:
		put("dvlan", &f.DstVlan, w&0xfff)
	case 60:
		if n == 4 {
			f.Etype = 0x800
		}
		if n == 6 {
			f.Etype = 0x86dd
		}
	case 256:
		if slices.Contains(ranks["etype"], slowID{0, id}) && f.Etype == 0 {
			f.Etype = w
		}
	case 70, 71, 72, 73, 74, 75, 76, 77, 78, 79:
		aside[id] = n
	case 89:
		put("status", &f.ForwardingStatus, w)
	case 138:
		slowOnce(m, &f.ObservationPointId, w, aside, id)

	case 21, 22:
		if aside[id] == 0 {
			aside[id] = n
		}
	case 311:
		aside[id] = slowProbability(v)
	case 34, 50, 305, 306, 309, 310, 396, 397, 141, 160:
		aside[id] = n
	case 48, 302:
		aside[48], aside[hasSampler] = n, 1
	case 301:
		aside[id], aside[hasSequence] = n, 1

	case 161, 162:
		unit := int64(1_000_000)
		if id == 162 {
			unit = 1_000
		}
		if !slices.Contains(ranks["start"], slowID{0, id}) && !slices.Contains(ranks["end"], slowID{0, id}) {
			return
		}
		if _, known := aside[duration]; !known && slowTime(0, n, unit) != 0 {
			aside[duration] = slowTime(0, n, unit)
		}
	default:
		ns := uint64(0)
		switch id {
		case 150, 151, 322:
			ns = slowTime(0, n, 1_000_000_000)
		case 152, 153, 323:
			ns = slowTime(0, n, 1_000_000)
		case 154, 155, 156, 157, 324, 325:
			if len(v) >= 8 {
				ns = slowNTP(n)
			}
		case 158, 159:
			ns = slowTime(m.now, n, -1_000)
		}
		if wide != 0 {
			ns = wide
		}
		if ns == 0 {
			return
		}
		finer := func(than uint64) bool { return than%1_000_000_000 == 0 && than == ns-ns%1_000_000_000 }
		if slices.Contains(ranks["start"], slowID{0, id}) && (aside[absoluteStart] == 0 || finer(f.TimeFlowStartNs)) {
			f.TimeFlowStartNs, aside[absoluteStart] = ns, 1
		}
		if slices.Contains(ranks["end"], slowID{0, id}) && (aside[absoluteEnd] == 0 || finer(f.TimeFlowEndNs)) {
			f.TimeFlowEndNs, aside[absoluteEnd] = ns, 1
		}
	}
}

// slowOnce sets a field of one element; where that comes again, the first one counts
// that is not zero.
func slowOnce(_ *slowMessage, to *uint32, v uint32, aside map[uint16]uint64, id uint16) {
	note := 60000 + id
	if aside[note] == 0 || *to == 0 {
		*to = v
	}
	aside[note]++
}

// relativeTimes reads times on the uptime clock, where there is no absolute one.
func (s *slow) relativeTimes(m *slowMessage, f *flowpb.FlowMessage, aside map[uint16]uint64) {
	start, hasStart := aside[22]
	end, hasEnd := aside[21]
	hasStart = hasStart && aside[absoluteStart] == 0
	hasEnd = hasEnd && aside[absoluteEnd] == 0
	boot := aside[160]
	if boot == 0 {
		boot = s.boot[m.slowDomain]
	}
	uptime := m.uptime
	switch {
	case m.version == 9 && uptime != 0:
	case m.version != 9 && boot != 0:
		// The boot time says what the uptime is at export; it is a clock of
		// 32 bits, so the boot time alone is not enough.
		uptime = uint32(m.now/1_000_000 - boot)
	case hasStart && hasEnd:
		// Only the duration is known: the flow ended at export.
		uptime = uint32(end)
	default:
		return
	}
	if ns := slowUptime(m.now, uptime, uint32(start)); hasStart && ns != 0 {
		f.TimeFlowStartNs, aside[absoluteStart] = ns, 1
	}
	if ns := slowUptime(m.now, uptime, uint32(end)); hasEnd && ns != 0 {
		f.TimeFlowEndNs, aside[absoluteEnd] = ns, 1
	}
}
