package producer_test

import (
	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
)

// sflow reads sFlow version 5: sFlow Version 5, section 5 (July 2004).
func (s *slow) sflow(meta producer.Meta, data []byte) []*flowpb.FlowMessage {
	r := slowReader{b: data}
	r.u32() // version
	var agent []byte
	switch r.u32() {
	case 1:
		agent = r.bytes(4)
	case 2:
		agent = r.bytes(16)
	default:
		return nil
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
			f.InIf, f.OutIf = sample.u32(), sample.u32()
		case 3: // flow_sample_expanded
			sample.u32()
			sample.u32()
			sample.u32()
			f.SamplingRate = uint64(sample.u32())
			sample.u32()
			sample.u32()
			sample.u32() // format of the input
			f.InIf = sample.u32()
			sample.u32() // format of the output
			f.OutIf = sample.u32()
		default:
			continue
		}
		if f.SamplingRate == 0 {
			f.SamplingRate = s.rate
		}
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
			slowFlowRecord(format, record, f)
			s.extraRecord(format, record, f)
			sample.pad(int(length))
		}
		if cut && (records > 0 || len(sample.b) > 0) {
			continue // some of its records are not there
		}
		flows = append(flows, f)
	}
	return flows
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
func slowFlowRecord(format uint32, b []byte, f *flowpb.FlowMessage) {
	r := slowReader{b: b}
	switch format {
	case 1: // sampled_header
		protocol, frame := r.u32(), r.u32()
		r.u32() // stripped
		length := uint64(r.u32())
		if r.short {
			return
		}
		f.Bytes = uint64(frame)
		header := r.b[:min(length, uint64(len(r.b)))]
		switch protocol {
		case 1:
			sampledHeader(header, packet.StartEthernet, f)
		case 11:
			sampledHeader(header, packet.StartIPv4, f)
		case 12:
			sampledHeader(header, packet.StartIPv6, f)
		case 13:
			sampledHeader(header, packet.StartMPLS, f)
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
		if f.Bytes == 0 {
			f.Bytes = uint64(length)
		}
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
		f.Bytes, f.Proto, f.Etype = uint64(length), proto, etype
		f.SrcAddr, f.DstAddr = src, dst
		f.SrcPort, f.DstPort, f.TcpFlags, f.IpTos = srcPort, dstPort, flags, tos
	case 1001: // extended_switch
		src := r.u32()
		r.u32() // priority
		dst := r.u32()
		r.u32()
		if !r.short {
			f.SrcVlan, f.DstVlan = src, dst
		}
	case 1002: // extended_router
		hop, ok := r.xdrAddress()
		src, dst := r.u32(), r.u32()
		if ok && !r.short {
			f.NextHop, f.SrcNet, f.DstNet = hop, src, dst
		}
	case 1003: // extended_gateway
		slowGateway(&r, f)
	}
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
