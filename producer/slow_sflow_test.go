package producer_test

import (
	"bytes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
	"github.com/weirflow/weir/producer/schema"
)

// sflow reads sFlow version 5: sFlow Version 5, section 5 (July 2004).
func (s *slow) sflow(meta producer.Meta, data []byte) []*flowpb.FlowMessage {
	r := slowReader{b: data}
	r.u32() // version
	var agent []byte
	switch r.u32() {
	case 0:
	case 1:
		agent = r.bytes(4)
	case 2:
		agent = r.bytes(16)
	default:
		return nil
	}
	if isZero(agent) { // it does not know itself
		agent = newSlowFlow(meta, flowpb.FlowMessage_SFLOW_5).SamplerAddress
	}
	r.u32() // sub-agent
	sequence := r.u32()
	r.u32() // uptime
	count := r.u32()
	if r.short {
		return nil
	}
	var flows []*flowpb.FlowMessage
	for ; count > 0 && len(r.b) >= 8; count-- {
		format, length := r.u32(), uint64(r.u32())
		cut := length > uint64(len(r.b))
		length = min(length, uint64(len(r.b)))
		sample := slowReader{b: r.bytes(int(length))}
		r.pad(int(length))
		f := newSlowFlow(meta, flowpb.FlowMessage_SFLOW_5)
		f.SamplerAddress, f.SequenceNum = agent, sequence
		f.TimeFlowStartNs, f.TimeFlowEndNs = f.TimeReceivedNs, f.TimeReceivedNs
		f.Packets = 1
		switch format {
		case 1: // flow_sample
			sample.u32() // sequence
			sample.u32() // source
			f.SamplingRate = uint64(sample.u32())
			sample.u32() // pool
			sample.u32() // drops
			in, out := sample.u32(), sample.u32()
			s.interfaces(in>>30, in<<2>>2, out>>30, out<<2>>2, f)
		case 3: // flow_sample_expanded
			sample.u32()
			sample.u32()
			sample.u32()
			f.SamplingRate = uint64(sample.u32())
			sample.u32()
			sample.u32()
			inFormat, in := sample.u32(), sample.u32()
			outFormat, out := sample.u32(), sample.u32()
			s.interfaces(inFormat, in, outFormat, out, f)
		case 5: // discarded_packet
			if !s.discards {
				continue
			}
			sample.u32() // sequence
			sample.u32() // source class
			sample.u32() // source index
			sample.u32() // drops
			in, out := sample.u32(), sample.u32()
			s.interfaces(in>>30, in<<2>>2, out>>30, out<<2>>2, f)
			reason := uint64(sample.u32())
			s.extras(func(row *schema.Field, d protoreflect.FieldDescriptor) {
				if row.Name == "drop_reason" {
					setExtraNumber(row, d, reason, f)
				}
			})
			f.SamplingRate = 1
		default:
			continue
		}
		if f.SamplingRate == 0 {
			f.SamplingRate = s.rate
		}
		aside := slowAside{}
		records := sample.u32()
		if sample.short {
			continue
		}
		for ; records > 0 && len(sample.b) >= 8; records-- {
			format, length := sample.u32(), uint64(sample.u32())
			if length > uint64(len(sample.b)) {
				break
			}
			record := sample.bytes(int(length))
			slowFlowRecord(format, record, f, &aside)
			s.extraRecord(format, record, f)
			sample.pad(int(length))
		}
		if cut && (records > 0 || len(sample.b) > 0) {
			continue // some of its records are not there
		}
		aside.end(f)
		if format == 5 {
			s.extras(func(row *schema.Field, d protoreflect.FieldDescriptor) {
				if value := map[string]uint64{"dropped_bytes": f.Bytes, "dropped_packets": 1}[row.Name]; value != 0 {
					setExtraNumber(row, d, value, f)
				}
			})
			f.Bytes, f.Packets = 0, 0
		}
		flows = append(flows, f)
	}
	return flows
}

// slowAside is what records of a sample say that counts only where others are not
// there.
type slowAside struct {
	lengths [5]uint32 // of records 1 to 4
	seen    [5]bool
	addrs   bool // of a sampled header
	labels  []uint32
	hop     []byte // of the first label stack with one
}

func (a *slowAside) end(f *flowpb.FlowMessage) {
	if len(bytes.Trim(f.NextHop, "\x00")) == 0 && len(bytes.Trim(a.hop, "\x00")) > 0 {
		f.NextHop = a.hop
	}
	// The frame's length, else that of the Ethernet record, else of the last IP record
	// of a length.
	for _, record := range []int{1, 2, 3} {
		if f.Bytes == 0 && a.seen[record] {
			f.Bytes = uint64(a.lengths[record])
		}
	}
	if len(f.MplsLabel) > 0 {
		return
	}
	for _, entry := range a.labels {
		f.MplsLabel, f.MplsTtl = append(f.MplsLabel, entry>>12), append(f.MplsTtl, entry&0xff)
		if entry>>8&1 == 1 || len(f.MplsLabel) == 16 {
			break
		}
	}
}

// length notes the length that a record says: the last that is not 0 counts.
func (a *slowAside) length(record int, n uint32) {
	a.seen[record] = true
	if n != 0 {
		a.lengths[record] = n
	}
}

// interfaces sets the interfaces by format and value: section 5.3 of the specification.
func (s *slow) interfaces(inFormat, in, outFormat, out uint32, f *flowpb.FlowMessage) {
	const internal = 1<<30 - 1
	if inFormat == 0 && in != internal {
		f.InIf = in
	}
	if outFormat == 0 && out != internal {
		f.OutIf = out
	}
	s.extras(func(row *schema.Field, d protoreflect.FieldDescriptor) {
		if row.Name == "drop_reason" && outFormat == 1 || row.Name == "out_if_count" && outFormat == 2 {
			setExtraNumber(row, d, uint64(out), f)
		}
	})
}

// pad skips the bytes that fill up an opaque of n bytes to a multiple of four.
func (r *slowReader) pad(n int) {
	r.b = r.b[min((4-n%4)%4, len(r.b)):]
}

// xdrAddress reads an address union; ok is false for types that do not exist.
func (r *slowReader) xdrAddress() (addr []byte, ok bool) {
	switch r.u32() {
	case 0:
		addr = nil
	case 1:
		addr = r.bytes(4)
	case 2:
		addr = r.bytes(16)
	default:
		return nil, false
	}
	if r.short { // no address, not one of zeros
		return nil, false
	}
	return addr, true
}

// slowFlowRecord adds one flow record. A record that is too short for its
// format adds nothing, but for a gateway record, which adds what is there.
func slowFlowRecord(format uint32, b []byte, f *flowpb.FlowMessage, aside *slowAside) {
	r := slowReader{b: b}
	switch format {
	case 1: // sampled_header
		protocol, frame := r.u32(), r.u32()
		r.u32() // stripped
		length := uint64(r.u32())
		if r.short {
			return
		}
		aside.length(1, frame)
		header := r.b[:min(length, uint64(len(r.b)))]
		switch protocol {
		case 1, 5, 7, 11, 12, 13, 14, 15, 17:
			var h packet.Headers
			packet.Parse(header, packet.Start(protocol), &h)
			aside.addrs = aside.addrs || h.SrcAddr != nil
			sampledHeader(header, packet.Start(protocol), f)
		}
	case 2: // sampled_ethernet
		length := r.u32()
		padding := 2
		if len(b) == 20 { // agents that do not pad the addresses
			padding = 0
		}
		src, _ := slowNumber(r.bytes(6))
		r.bytes(padding)
		dst, _ := slowNumber(r.bytes(6))
		r.bytes(padding)
		etype := r.u32()
		if r.short {
			return
		}
		// A sampled header says more than this record.
		if f.SrcMac == 0 && f.DstMac == 0 {
			f.SrcMac, f.DstMac = src, dst
		}
		if f.Etype == 0 {
			f.Etype = etype
		}
		aside.length(2, length)
	case 3, 4: // sampled_ipv4, sampled_ipv6
		size, etype := 4, uint32(0x800)
		if format == 4 {
			size, etype = 16, 0x86dd
		}
		length, proto := r.u32(), r.u32()
		src, dst := r.bytes(size), r.bytes(size)
		srcPort, dstPort, flags, tos := r.u32(), r.u32(), r.u32(), r.u32()
		if r.short {
			return
		}
		aside.length(3, length)
		if aside.addrs {
			return // the header says the same, and more
		}
		f.Proto, f.Etype = proto, etype
		f.SrcAddr, f.DstAddr = src, dst
		f.SrcPort, f.DstPort, f.TcpFlags, f.IpTos = srcPort, dstPort, flags, tos
	case 1001: // extended_switch
		src := r.u32()
		r.u32() // priority
		dst := r.u32()
		r.u32()
		if !r.short {
			f.SrcVlan, f.DstVlan = slowVLAN(src), slowVLAN(dst)
		}
	case 1002: // extended_router
		hop, ok := r.xdrAddress()
		src, dst := r.u32(), r.u32()
		if ok && !r.short {
			f.NextHop, f.SrcNet, f.DstNet = hop, src, dst
		}
	case 1003: // extended_gateway
		slowGateway(&r, f)
	case 1006: // extended_mpls
		hop, ok := r.xdrAddress()
		if aside.hop == nil {
			aside.hop = hop
		}
		if !ok {
			return
		}
		for range 2 { // the stack as it came in, or else as it went out
			n := r.u32()
			if r.short || uint64(n) > uint64(len(r.b)/4) {
				return
			}
			stack := []uint32{}
			for range n {
				stack = append(stack, r.u32())
			}
			if len(aside.labels) == 0 {
				aside.labels = stack
			}
		}
	}
}

// slowVLAN returns a VLAN of 12 bits, 0 for the number that is none.
func slowVLAN(n uint32) uint32 {
	if n == 1<<32-1 {
		return 0
	}
	return n % 4096
}

func slowGateway(r *slowReader, f *flowpb.FlowMessage) {
	hop, ok := r.xdrAddress()
	f.BgpNextHop, f.BgpCommunities, f.AsPath = hop, nil, nil
	var own, src uint32
	if ok && len(r.b) >= 16 {
		own, src = r.u32(), r.u32()
		r.u32() // peer
		segments := r.u32()
		for ; segments > 0 && len(r.b) >= 8; segments-- {
			r.u32() // set or sequence
			n := r.u32()
			if uint64(n)*4 > uint64(len(r.b)) {
				break
			}
			for range n {
				f.AsPath = append(f.AsPath, r.u32())
			}
		}
		if segments == 0 && len(r.b) >= 4 {
			if n := r.u32(); uint64(n)*4 <= uint64(len(r.b)) {
				for range n {
					f.BgpCommunities = append(f.BgpCommunities, r.u32())
				}
			}
		}
	}
	f.SrcAs, f.DstAs = src, own
	if src == 0 {
		f.SrcAs = own
	}
	if n := len(f.AsPath); n > 0 {
		f.NextHopAs, f.DstAs = f.AsPath[0], f.AsPath[n-1]
	}
}
