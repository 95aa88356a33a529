package producer_test

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// slow is the oracle of the fast path: a producer that is written from the
// specifications, reads one thing after the other, allocates at will and fills
// the generated struct. It shares with the fast path only the parser of sampled
// headers, which has an oracle of its own.
type slow struct {
	mapping   *producer.Mapping // may be nil
	rate      uint64            // of flows whose exporter announced none
	templates map[slowTemplateKey]*slowTemplate
	sampling  map[slowDomain]*slowSampling
	boot      map[slowDomain]uint64 // Unix milliseconds, of options data

	options, withoutTemplate int

	discards bool // notices of discarded packets give messages

	held *slowHeld // nil holds nothing
}

// A slowDomain is an exporter's numbering space of templates.
type slowDomain struct {
	exporter netip.Addr
	version  uint16
	domain   uint32
}

type slowTemplateKey struct {
	slowDomain
	id uint16
}

type slowTemplate struct {
	id      uint16
	options bool
	fields  []slowField
}

type slowField struct {
	id     uint16
	length int // -1 is variable
	pen    uint32
	scope  bool
}

// Limits of the store that an input of a few kilobytes can reach.
const (
	slowMaxFields   = 1024
	slowMaxSamplers = 1024
)

func newSlow(rate uint64) *slow {
	return &slow{
		rate:      rate,
		templates: map[slowTemplateKey]*slowTemplate{},
		sampling:  map[slowDomain]*slowSampling{},
		boot:      map[slowDomain]uint64{},
	}
}

// slowReader takes big-endian numbers off a slice. Reading beyond its end sets
// short and gives zeros.
type slowReader struct {
	b     []byte
	short bool
}

func (r *slowReader) bytes(n int) []byte {
	if n > len(r.b) {
		r.short = true
		r.b = nil
		return make([]byte, min(n, 16))
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *slowReader) u8() uint8   { return r.bytes(1)[0] }
func (r *slowReader) u16() uint16 { return binary.BigEndian.Uint16(r.bytes(2)) }
func (r *slowReader) u32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }

// datagram returns the flow records of a datagram.
func (s *slow) datagram(meta producer.Meta, data []byte) []*flowpb.FlowMessage {
	if len(data) < 4 {
		return nil
	}
	if binary.BigEndian.Uint32(data) == 5 {
		return s.sflow(meta, data)
	}
	switch binary.BigEndian.Uint16(data) {
	case 1, 5, 7, 8:
		return s.fixed(meta, data)
	case 9:
		return s.v9(meta, data)
	case 10:
		return s.ipfix(meta, data)
	}
	return nil
}

func newSlowFlow(meta producer.Meta, kind flowpb.FlowMessage_FlowType) *flowpb.FlowMessage {
	return &flowpb.FlowMessage{
		Type:           kind,
		TimeReceivedNs: uint64(meta.ReceivedNs),
		SamplerAddress: meta.Source.Addr().AsSlice(),
	}
}

// fixed reads NetFlow v1, v5, v7 and v8: Cisco, NetFlow Export Datagram Format.
func (s *slow) fixed(meta producer.Meta, data []byte) []*flowpb.FlowMessage {
	r := slowReader{b: data}
	version, count := r.u16(), int(r.u16())
	uptime, secs, nsecs := r.u32(), r.u32(), r.u32()
	var sequence uint32
	var rate uint64
	kind, size := flowpb.FlowMessage_NETFLOW_V1, 48
	switch version {
	case 5:
		kind, size = flowpb.FlowMessage_NETFLOW_V5, 48
		sequence = r.u32()
		r.u16() // engine
		rate = uint64(r.u16() & 0x3fff)
	case 7:
		kind, size = flowpb.FlowMessage_NETFLOW_V7, 52
		sequence = r.u32()
		r.u32() // reserved
	case 8:
		return s.aggregated(meta, data)
	default:
		// Version 1 has four reserved bytes more with some exporters. The
		// header's count tells; where it lies, the form that comes out even.
		switch n := len(r.b); {
		case n == 48*count:
		case n == 52*count && count > 0:
			size = 52
		case count > 0 && n%count == 0 && n/count > 52:
		case n%52 == 0 && n%48 != 0:
			size = 52
		}
	}
	if r.short {
		return nil
	}
	if rate == 0 {
		rate = s.rate
	}
	var records [][]byte
	for len(r.b) >= size && len(records) < count {
		records = append(records, r.bytes(size))
	}
	now := uint64(secs)*1e9 + uint64(nsecs)
	var flows []*flowpb.FlowMessage
	for _, rec := range records {
		r := slowReader{b: rec}
		f := newSlowFlow(meta, kind)
		f.SequenceNum, f.SamplingRate = sequence, rate
		f.Etype = 0x800
		f.SrcAddr, f.DstAddr, f.NextHop = r.bytes(4), r.bytes(4), r.bytes(4)
		f.InIf, f.OutIf = uint32(r.u16()), uint32(r.u16())
		f.Packets, f.Bytes = uint64(r.u32()), uint64(r.u32())
		first, last := r.u32(), r.u32()
		slowTimes(f, now, uptime, first, last)
		f.SrcPort, f.DstPort = uint32(r.u16()), uint32(r.u16())
		if version == 1 {
			r.u16()
			f.Proto, f.IpTos, f.TcpFlags = uint32(r.u8()), uint32(r.u8()), uint32(r.u8())
		} else {
			r.u8()
			f.TcpFlags, f.Proto, f.IpTos = uint32(r.u8()), uint32(r.u8()), uint32(r.u8())
			f.SrcAs, f.DstAs = uint32(r.u16()), uint32(r.u16())
			f.SrcNet, f.DstNet = uint32(r.u8()), uint32(r.u8())
		}
		if f.Proto == 1 || f.Proto == 58 {
			f.IcmpType, f.IcmpCode = f.DstPort>>8, f.DstPort&0xff
		}
		flows = append(flows, f)
	}
	return flows
}

// slowTimes sets the times of a record of a fixed layout.
func slowTimes(f *flowpb.FlowMessage, now uint64, uptime, first, last uint32) {
	if uptime == 0 {
		uptime = last
	}
	aside := map[uint16]uint64{}
	if f.TimeFlowStartNs = slowUptime(now, uptime, first); f.TimeFlowStartNs != 0 {
		aside[absoluteStart] = 1
	}
	if f.TimeFlowEndNs = slowUptime(now, uptime, last); f.TimeFlowEndNs != 0 {
		aside[absoluteEnd] = 1
	}
	slowOrder(f, aside)
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// slowUptime turns a time on a 32-bit millisecond clock into Unix nanoseconds,
// where the clock showed uptime at now. Up to one hour ahead of the clock is
// the future, everything else is the past.
func slowUptime(now uint64, uptime, at uint32) uint64 {
	const wrap, hour = int64(1) << 32, 3_600_000
	ahead := (int64(at) - int64(uptime) + wrap) % wrap
	if ahead > hour {
		ahead -= wrap
	}
	if ahead < 0 {
		return slowTime(now, uint64(-ahead), -1_000_000)
	}
	return slowTime(now, uint64(ahead), 1_000_000)
}

// slowMessage is what a v9 or IPFIX header says about the sets after it.
type slowMessage struct {
	slowDomain
	meta     producer.Meta
	kind     flowpb.FlowMessage_FlowType
	sequence uint32
	now      uint64
	uptime   uint32
	count    int // of records, as the header of v9 says
	records  int
}

// v9 reads NetFlow version 9: RFC 3954 section 5. Another message may follow.
func (s *slow) v9(meta producer.Meta, data []byte) (flows []*flowpb.FlowMessage) {
	for data != nil {
		r := slowReader{b: data}
		r.u16()
		count := int(r.u16())
		m := slowMessage{meta: meta, kind: flowpb.FlowMessage_NETFLOW_V9, count: count}
		m.uptime = r.u32()
		m.now = uint64(r.u32()) * 1e9
		m.sequence = r.u32()
		m.slowDomain = slowDomain{exporter: meta.Source.Addr(), version: 9, domain: r.u32()}
		if r.short {
			break
		}
		more, next := s.sets(&m, r.b, 0, 1)
		flows, data = append(flows, more...), next
	}
	return flows
}

// slowNear: two times in seconds that are of one hour.
func slowNear(a, b uint32) bool { return max(a, b)-min(a, b) <= 3600 }

// ipfix reads IPFIX: RFC 7011 section 3. Another message may follow.
func (s *slow) ipfix(meta producer.Meta, data []byte) (flows []*flowpb.FlowMessage) {
	for data != nil {
		r := slowReader{b: data}
		r.u16()
		length := int(r.u16())
		m := slowMessage{meta: meta, kind: flowpb.FlowMessage_IPFIX}
		seconds := r.u32()
		m.now = uint64(seconds) * 1e9
		m.sequence = r.u32()
		m.slowDomain = slowDomain{exporter: meta.Source.Addr(), version: 10, domain: r.u32()}
		if r.short {
			break
		}
		body := r.b
		rest := data[min(length, len(data)):]
		data = nil
		if length >= 16 && len(rest) >= 16 {
			next := slowReader{b: rest}
			if v, n, at := next.u16(), int(next.u16()), next.u32(); v == 10 && n >= 16 && n <= len(rest) && slowNear(at, seconds) {
				body, data = body[:length-16], rest
			}
		}
		more, _ := s.sets(&m, body, 2, 3)
		flows = append(flows, more...)
	}
	return flows
}

// slowFollows tells whether b is a message of v9, and not a set.
func (m *slowMessage) slowFollows(b []byte) bool {
	if m.version != 9 || len(b) < 20 || binary.BigEndian.Uint16(b) != 9 {
		return false
	}
	return slowNear(binary.BigEndian.Uint32(b[8:]), uint32(m.now/1e9))
}

func (s *slow) sets(m *slowMessage, b []byte, template, options uint16) (flows []*flowpb.FlowMessage, next []byte) {
	for len(b) >= 4 {
		if m.slowFollows(b) {
			return flows, b
		}
		id, length := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if length < 4 {
			break
		}
		length = min(length, len(b))
		body := b[4:length]
		b = b[length:]
		switch {
		case id == template:
			s.templateSet(m, m.version, body, false)
		case id == options && m.version == 9, id == 1 && m.version == 10:
			s.v9OptionsTemplateSet(m, body)
		case id == options:
			s.templateSet(m, m.version, body, true)
		case id == 0 && m.version == 10:
			s.templateSet(m, 9, body, false)
		case id >= 256:
			flows = append(flows, s.dataSet(m, id, body)...)
		}
	}
	return flows, nil
}

// templateSet reads template records: RFC 3954 section 5.2, RFC 7011 section
// 3.4.1, and for IPFIX with options those of section 3.4.2.2.
func (s *slow) templateSet(m *slowMessage, version uint16, b []byte, options bool) {
	r := slowReader{b: b}
	for len(r.b) >= 4 {
		if isZero(r.b[:4]) {
			if !isZero(r.b) {
				m.records++
			}
			return // padding
		}
		m.records++
		id, count := r.u16(), int(r.u16())
		if count == 0 {
			if version == 10 {
				s.withdraw(m, id)
			}
			continue
		}
		scopes := 0
		if options {
			scopes = int(r.u16())
		}
		var fields []slowField
		for range count {
			f := slowField{id: r.u16(), length: int(r.u16())}
			if f.length == 0xffff {
				f.length = -1
			}
			if version == 10 && f.id&0x8000 != 0 {
				f.id &= 0x7fff
				f.pen = r.u32()
			}
			if r.short {
				return // there are fewer bytes than fields
			}
			f.scope = len(fields) < scopes
			fields = append(fields, f)
		}
		if scopes <= count {
			s.define(m, id, &slowTemplate{options: options, fields: fields})
		}
	}
}

// v9OptionsTemplateSet reads options templates: RFC 3954 section 6.1.
func (s *slow) v9OptionsTemplateSet(m *slowMessage, b []byte) {
	r := slowReader{b: b}
	for len(r.b) >= 4 {
		if isZero(r.b[:4]) {
			if !isZero(r.b) {
				m.records++
			}
			return // padding
		}
		m.records++
		id, scope, option := r.u16(), int(r.u16()), int(r.u16())
		body := slowReader{b: r.bytes(scope + option)}
		if r.short {
			return
		}
		if scope%4 != 0 || option%4 != 0 {
			continue
		}
		t := &slowTemplate{options: true}
		for len(body.b) > 0 {
			f := slowField{id: body.u16(), length: int(body.u16()), scope: len(body.b) >= option}
			if f.length == 0xffff {
				f.length = -1
			}
			t.fields = append(t.fields, f)
		}
		s.define(m, id, t)
	}
}

// define stores a template that can describe a record.
func (s *slow) define(m *slowMessage, id uint16, t *slowTemplate) {
	if id < 256 || len(t.fields) > slowMaxFields || t.minLength() == 0 {
		return
	}
	k := slowTemplateKey{m.slowDomain, id}
	if s.templates[k] == nil {
		s.held.learn(k, t)
	}
	t.id = id
	s.templates[k] = t
}

// withdraw forgets a template, or all of a kind: RFC 7011 section 8.1.
func (s *slow) withdraw(m *slowMessage, id uint16) {
	for k, t := range s.templates {
		if k.slowDomain == m.slowDomain &&
			(k.id == id || id == 2 && !t.options || id == 3 && t.options) {
			delete(s.templates, k)
		}
	}
}

// minLength returns the length of the shortest record.
func (t *slowTemplate) minLength() int {
	n := 0
	for _, f := range t.fields {
		if f.length < 0 {
			n++
		} else {
			n += f.length
		}
	}
	return n
}

// record takes one record off r and returns the values of its fields.
func (t *slowTemplate) record(r *slowReader) [][]byte {
	var values [][]byte
	for _, f := range t.fields {
		n := f.length
		if n < 0 { // RFC 7011 section 7
			if n = int(r.u8()); n == 255 {
				n = int(r.u16())
			}
		}
		values = append(values, r.bytes(n))
	}
	return values
}

// dataSet reads the records of a data set: RFC 7011 section 3.4.3.
func (s *slow) dataSet(m *slowMessage, id uint16, b []byte) []*flowpb.FlowMessage {
	t := s.templates[slowTemplateKey{m.slowDomain, id}]
	if s.held.hold(m, id, t, b) {
		return nil
	}
	if t == nil {
		s.withoutTemplate++
		return nil
	}
	return s.knownSet(m, t, b)
}

func (s *slow) knownSet(m *slowMessage, t *slowTemplate, b []byte) []*flowpb.FlowMessage {
	var flows []*flowpb.FlowMessage
	r := slowReader{b: b}
	fixed := !slices.ContainsFunc(t.fields, func(f slowField) bool { return f.length < 0 })
	for least := t.minLength(); len(r.b) >= least; {
		if fixed && m.count > 0 && m.records >= m.count && isZero(r.b) {
			break // padding: the header counts no more
		}
		if !fixed && !t.options && least <= 3 && len(r.b) <= 3 && len(b)%4 == 0 && isZero(r.b) {
			break // padding of a set that should have none
		}
		values := t.record(&r)
		if r.short {
			break
		}
		m.records++
		if t.options {
			s.options++
			s.optionsRecord(m, t, values)
			continue
		}
		flows = append(flows, s.dataRecord(m, t, values)...)
	}
	return flows
}

// sampledHeader puts what packet.Parse reads from a sampled header into f.
// What the header does not have is left as it is.
func sampledHeader(b []byte, start packet.Start, f *flowpb.FlowMessage) {
	var h packet.Headers
	packet.Parse(b, start, &h)
	if h.SrcMAC != 0 || h.DstMAC != 0 {
		f.SrcMac, f.DstMac = h.SrcMAC, h.DstMAC
	}
	if h.EtherType != 0 {
		f.Etype = h.EtherType
	}
	if h.VLANID != 0 {
		f.VlanId = h.VLANID
	}
	if h.SrcAddr != nil {
		f.SrcAddr, f.DstAddr, f.Proto = h.SrcAddr, h.DstAddr, h.Proto
		f.IpTos, f.IpTtl, f.IpFlags = h.TOS, h.TTL, h.IPFlags
		f.FragmentId, f.FragmentOffset = h.FragmentID, h.FragmentOffset
		f.Ipv6FlowLabel = h.FlowLabel
		f.SrcPort, f.DstPort, f.TcpFlags = h.SrcPort, h.DstPort, h.TCPFlags
	}
	// An IP header that is cut before its addresses: what is there of it.
	for _, v := range []struct {
		to   *uint32
		read uint32
	}{
		{&f.Proto, h.Proto}, {&f.IpTos, h.TOS}, {&f.IpTtl, h.TTL}, {&f.IpFlags, h.IPFlags}, {&f.FragmentId, h.FragmentID},
		{&f.FragmentOffset, h.FragmentOffset}, {&f.Ipv6FlowLabel, h.FlowLabel},
	} {
		if h.SrcAddr == nil && v.read != 0 {
			*v.to = v.read
		}
	}
	if h.HasICMP {
		f.IcmpType, f.IcmpCode = h.ICMPType, h.ICMPCode
	}
	if len(h.MPLS) > 0 {
		f.MplsLabel, f.MplsTtl = nil, nil
		for i := 0; i+4 <= len(h.MPLS); i += 4 { // RFC 3032 section 2.1
			entry := binary.BigEndian.Uint32(h.MPLS[i:])
			f.MplsLabel = append(f.MplsLabel, entry>>12)
			f.MplsTtl = append(f.MplsTtl, entry&0xff)
		}
	}
	if h.HasRouting {
		f.Ipv6RoutingHeaderAddresses = nil
		for i := 0; i+16 <= len(h.RoutingAddrs); i += 16 {
			f.Ipv6RoutingHeaderAddresses = append(f.Ipv6RoutingHeaderAddresses, h.RoutingAddrs[i:i+16])
		}
		f.Ipv6RoutingHeaderSegLeft = h.RoutingSegLeft
	}
	slowTunnel(&h, f)
	for i := range h.Layers {
		f.LayerStack = append(f.LayerStack, flowpb.FlowMessage_LayerStack(h.LayerStack[i]))
		f.LayerSize = append(f.LayerSize, h.LayerSize[i])
	}
}

// slowTunnel puts what is known about the first tunnel into f.
func slowTunnel(h *packet.Headers, f *flowpb.FlowMessage) {
	if h.Tunnel == packet.TunnelNone {
		return
	}
	f.TunnelType, f.TunnelId = uint32(h.Tunnel), nil
	if h.HasTunnelID {
		f.TunnelId = &h.TunnelID
	}
	f.InnerSrcAddr, f.InnerDstAddr = h.Inner.SrcAddr(), h.Inner.DstAddr()
	f.InnerEtype, f.InnerProto = uint32(h.Inner.EtherType), uint32(h.Inner.Proto)
	f.InnerSrcPort, f.InnerDstPort = uint32(h.Inner.SrcPort), uint32(h.Inner.DstPort)
}
