package enrich

import (
	"encoding/binary"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

// A parser reads protobuf messages into a Flow. It keeps its memory from
// message to message.
type parser struct {
	flow    producer.Flow
	routing []byte
}

// reset empties the flow and keeps the memory of its lists.
func (p *parser) reset() {
	f := &p.flow
	p.routing = p.routing[:0]
	*f = producer.Flow{
		BGPCommunities: f.BGPCommunities[:0], ASPath: f.ASPath[:0],
		MPLSTTL: f.MPLSTTL[:0], MPLSLabel: f.MPLSLabel[:0], MPLSIP: f.MPLSIP[:0],
		LayerStack: f.LayerStack[:0], LayerSize: f.LayerSize[:0],
	}
}

// parse reads a message, given without its length. The flow's addresses are views
// into it. Fields that a Flow has no place for are left out. It reports false for
// bytes that are no message.
func (p *parser) parse(msg []byte) bool {
	p.reset()
	for len(msg) > 0 {
		tag, n := binary.Uvarint(msg)
		if n <= 0 || tag>>3 == 0 {
			return false
		}
		msg = msg[n:]
		switch tag & 7 {
		case wireVarint:
			v, n := binary.Uvarint(msg)
			if n <= 0 {
				return false
			}
			msg = msg[n:]
			p.number(tag>>3, v)
		case wireBytes:
			size, n := binary.Uvarint(msg)
			if n <= 0 || size > uint64(len(msg)-n) {
				return false
			}
			if !p.bytes(tag>>3, msg[n:n+int(size)]) {
				return false
			}
			msg = msg[n+int(size):]
		case wireFixed4, wireFixed8:
			size := 4
			if tag&7 == wireFixed8 {
				size = 8
			}
			if len(msg) < size {
				return false
			}
			msg = msg[size:]
		default:
			return false
		}
	}
	p.flow.RoutingAddresses = p.routing
	return true
}

// number puts an integer in its place.
func (p *parser) number(field, v uint64) {
	f := &p.flow
	switch field {
	case 3:
		f.SamplingRate = v
	case 9:
		f.Bytes = v
	case 10:
		f.Packets = v
	case 27:
		f.SrcMAC = v
	case 28:
		f.DstMAC = v
	case 110:
		f.TimeReceivedNs = v
	case 111:
		f.TimeFlowStartNs = v
	case 112:
		f.TimeFlowEndNs = v
	case 80, 81, 101, 102, 103, 104: // lists that are not packed
		list := p.list(field)
		*list = append(*list, uint32(v))
	default:
		if at := p.number32(field); at != nil {
			*at = uint32(v)
		}
	}
}

// number32 returns the place of an integer of 32 bits, nil for others.
func (p *parser) number32(field uint64) *uint32 {
	f := &p.flow
	switch field {
	case 1:
		return &f.Type
	case 4:
		return &f.SequenceNum
	case 13:
		return &f.NextHopAS
	case 14:
		return &f.SrcAS
	case 15:
		return &f.DstAS
	case 16:
		return &f.SrcNet
	case 17:
		return &f.DstNet
	case 18:
		return &f.InIf
	case 19:
		return &f.OutIf
	case 20:
		return &f.Proto
	case 21:
		return &f.SrcPort
	case 22:
		return &f.DstPort
	case 23:
		return &f.IPTOS
	case 24:
		return &f.ForwardingStatus
	case 25:
		return &f.IPTTL
	case 26:
		return &f.TCPFlags
	case 29:
		return &f.VLANID
	case 30:
		return &f.Etype
	case 31:
		return &f.ICMPType
	case 32:
		return &f.ICMPCode
	case 33:
		return &f.SrcVLAN
	case 34:
		return &f.DstVLAN
	case 35:
		return &f.FragmentID
	case 36:
		return &f.FragmentOffset
	case 37:
		return &f.IPv6FlowLabel
	case 38:
		return &f.IPFlags
	case 70:
		return &f.ObservationDomainID
	case 71:
		return &f.ObservationPointID
	case 106:
		return &f.RoutingSegLeft
	}
	return nil
}

// list returns the place of a list of integers.
func (p *parser) list(field uint64) *[]uint32 {
	f := &p.flow
	switch field {
	case 80:
		return &f.MPLSTTL
	case 81:
		return &f.MPLSLabel
	case 101:
		return &f.BGPCommunities
	case 102:
		return &f.ASPath
	case 103:
		return &f.LayerStack
	}
	return &f.LayerSize
}

// bytes puts an address, a country or a packed list in its place.
func (p *parser) bytes(field uint64, v []byte) bool {
	f := &p.flow
	switch field {
	case 6:
		f.SrcAddr = v
	case 7:
		f.DstAddr = v
	case 11:
		f.SamplerAddress = v
	case 12:
		f.NextHop = v
	case 82:
		f.MPLSIP = append(f.MPLSIP, v)
	case 100:
		f.BGPNextHop = v
	case 105:
		if len(v) == 16 {
			p.routing = append(p.routing, v...)
		}
	case fieldSrcCountry:
		f.SrcCountry, _ = geo.ParseCountry(v)
	case fieldDstCountry:
		f.DstCountry, _ = geo.ParseCountry(v)
	case 80, 81, 101, 102, 103, 104:
		list := p.list(field)
		for len(v) > 0 {
			x, n := binary.Uvarint(v)
			if n <= 0 {
				return false
			}
			*list = append(*list, uint32(x))
			v = v[n:]
		}
	}
	return true
}
