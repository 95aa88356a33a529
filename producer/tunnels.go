package producer

import (
	"github.com/weirflow/weir/decoders/packet"
)

// tunnelSTT is a kind of tunnel that only Open vSwitch names: it follows those of
// package packet.
const tunnelSTT = 30

// tunnelPorts are the UDP ports of tunnels, each at its lowest byte, in which they
// differ. All other places hold ports of another lowest byte.
var tunnelPorts = func() (all [256]uint16) {
	for i := range all {
		all[i] = uint16(i ^ 0xff)
	}
	for port := 1; port < 1<<16; port++ {
		if p := uint16(port); packet.TunnelOfPorts(p, 0)|packet.TunnelOfPorts(0, p) != packet.TunnelNone {
			all[p&0xff] = p
		}
	}
	return all
}()

// isTunnelPort tells whether packets of a UDP port may carry a tunnel.
func isTunnelPort(port uint16) bool { return tunnelPorts[port&0xff] == port }

// tunnelFacts adds what a sampled header knows about its first tunnel.
func (f *Flow) tunnelFacts(h *packet.Headers) {
	f.setNumber(fieldTunnelType, uint64(h.Tunnel))
	if h.HasTunnelID {
		f.setNumber(fieldTunnelID, uint64(h.TunnelID))
	}
	in := &h.Inner
	f.setBytes(fieldInnerSrcAddr, in.SrcAddr())
	f.setBytes(fieldInnerDstAddr, in.DstAddr())
	f.setNumber(fieldInnerEtype, uint64(in.EtherType))
	f.setNumber(fieldInnerProto, uint64(in.Proto))
	f.setNumber(fieldInnerSrcPort, uint64(in.SrcPort))
	f.setNumber(fieldInnerDstPort, uint64(in.DstPort))
}

// payload adds what follows the IP header of a packet whose protocol is known.
func (p *Producer) payload(v []byte, f *Flow) {
	var start packet.Start
	switch f.Proto {
	case 6:
		start = packet.StartTCP
	case 17:
		start = packet.StartUDP
	case protoICMP:
		start = packet.StartICMP
	case protoICMPv6:
		start = packet.StartICMPv6
	default:
		return
	}
	h := &p.hdr
	packet.Parse(v, start, h)
	if f.SrcPort|f.DstPort == 0 {
		f.SrcPort, f.DstPort = h.SrcPort, h.DstPort
	}
	if f.TCPFlags == 0 {
		f.TCPFlags = h.TCPFlags
	}
	if h.HasICMP {
		f.ICMPType, f.ICMPCode = h.ICMPType, h.ICMPCode
	}
	if h.Tunnel != packet.TunnelNone {
		f.tunnelFacts(h)
	}
}
