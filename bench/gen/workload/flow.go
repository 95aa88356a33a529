package workload

import (
	"encoding/binary"
	"net/netip"
)

// Flow is what a flow record says. Formats have a place for some of it only.
type Flow struct {
	// ID is a running number over all flows of a generator, from 1 or
	// Config.FirstID. It wraps after 4294967295.
	ID uint32

	StartNs, EndNs   int64 // Unix nanoseconds; of a sampled packet both the export time
	Bytes, Packets   uint64
	SamplingRate     uint32
	V6               bool
	Proto, TOS       uint8
	TCPFlags         uint8
	SrcPort, DstPort uint16 // of ICMP, DstPort has type and code
	SrcMask, DstMask uint8  // prefix lengths
	SrcAS, DstAS     uint32
	InIf, OutIf      uint32
	FlowLabel        uint32
	VLAN             uint16 // 0: untagged
	SrcMAC, DstMAC   uint64

	// IPv4 addresses are in the first four bytes.
	Src, Dst, NextHop [16]byte

	// Template is the id of the template that the record was written by, 0 in
	// v5 and sFlow.
	Template uint16
}

// SrcAddr returns the source address.
func (f *Flow) SrcAddr() netip.Addr { return f.addr(&f.Src) }

// DstAddr returns the destination address.
func (f *Flow) DstAddr() netip.Addr { return f.addr(&f.Dst) }

func (f *Flow) addr(a *[16]byte) netip.Addr {
	if f.V6 {
		return netip.AddrFrom16(*a)
	}
	return netip.AddrFrom4([4]byte(a[:4]))
}

// addrBytes returns the bytes of one of f's addresses.
func (f *Flow) addrBytes(a *[16]byte) []byte {
	if f.V6 {
		return a[:]
	}
	return a[:4]
}

const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58

	interfaces = 48 // of an exporter, from 1

	firstAS   = 64496 // 16 numbers for documentation, RFC 5398
	firstAS32 = 65536 // 16 more, above 16 bits
)

var (
	tcpPorts = [16]uint16{443, 443, 443, 443, 443, 443, 80, 80, 22, 25, 53, 993, 3306, 5432, 8080, 8443}
	udpPorts = [8]uint16{53, 53, 443, 443, 123, 161, 5060, 51820}
	tcpFlags = [8]uint8{0x02, 0x10, 0x12, 0x18, 0x1a, 0x1b, 0x1b, 0x1f}
	tosBytes = [8]uint8{0, 0, 0, 0, 0, 0x28, 0xb8, 0xc0}
)

// addFlow draws a flow and returns it. It is valid until the next call.
//
// Clients of 198.18.0.0/16 talk with servers of 192.0.2.0/24, or both are in
// 2001:db8::/32.
func (g *Generator) addFlow(s *stream, v6 bool) *Flow {
	g.flows = append(g.flows, Flow{})
	f := &g.flows[len(g.flows)-1]
	r1, r2, r3 := g.rnd.Uint64(), g.rnd.Uint64(), g.rnd.Uint64()

	f.ID = g.nextID
	if g.nextID++; g.nextID == 0 {
		g.nextID = 1
	}
	f.V6 = v6
	f.SamplingRate = s.rate

	client, server := &f.Src, &f.Dst
	down := r1&1 != 0
	if down {
		client, server = server, client
	}
	clientHost, serverHost := uint16(r1>>1), uint8(r1>>17)
	if v6 {
		*client = [16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(clientHost >> 8), 0, byte(clientHost)}
		binary.BigEndian.PutUint64(client[8:], r2|1)
		*server = [16]byte{0x20, 0x01, 0x0d, 0xb8, 0xff, byte(serverHost & 7), 15: serverHost}
		f.NextHop = [16]byte{0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 15: byte(1 + r1>>25&7)}
		f.SrcMask, f.DstMask = 48, 48
		f.FlowLabel = uint32(r3>>40) & 0xfffff
	} else {
		*client = [16]byte{198, 18, byte(clientHost >> 8), byte(clientHost)}
		*server = [16]byte{192, 0, 2, serverHost}
		f.NextHop = [16]byte{198, 19, 255, byte(1 + r1>>25&7)}
		f.SrcMask, f.DstMask = 24, 24
	}
	clientAS, serverAS := firstAS+uint32(clientHost>>8&15), firstAS+uint32(serverHost&15)
	if s.Protocol != NetFlow5 && clientHost&0x3000 == 0 {
		clientAS += firstAS32 - firstAS
	}

	port, clientPort := uint16(0), uint16(32768+r1>>48&0x7fff)
	switch kind := r1 >> 28 & 31; {
	case kind == 0 && s.Protocol != SFlow:
		f.Proto, clientPort = protoICMP, 0
		if v6 {
			f.Proto = protoICMPv6
		}
	case kind < 7:
		f.Proto, port = protoUDP, udpPorts[r1>>33&7]
	default:
		f.Proto, port = protoTCP, tcpPorts[r1>>33&15]
		f.TCPFlags = tcpFlags[r1>>37&7]
	}
	f.TOS = tosBytes[r1>>40&7]
	f.InIf, f.OutIf = 1+uint32(r1>>43)%(interfaces/2), interfaces/2+1+uint32(r3)%(interfaces/2)
	f.SrcPort, f.DstPort, f.SrcAS, f.DstAS = clientPort, port, clientAS, serverAS
	if down {
		f.SrcPort, f.DstPort, f.SrcAS, f.DstAS = port, clientPort, serverAS, clientAS
		f.InIf, f.OutIf = f.OutIf, f.InIf
	}
	switch f.Proto {
	case protoICMP:
		f.DstPort = 8 << 8
		if down {
			f.DstPort = 0
		}
	case protoICMPv6:
		f.DstPort = 128 << 8
		if down {
			f.DstPort = 129 << 8
		}
	}
	// Locally administered addresses.
	f.SrcMAC, f.DstMAC = 0x020000000000|uint64(f.InIf)<<8|uint64(clientHost&0xff), 0x020000010000|uint64(f.OutIf)
	if r3>>60&3 == 0 {
		f.VLAN = 100 + uint16(r3>>32&63)
	}
	g.draw(f, r2, r3)
	return f
}

// draw sets the counts and times of a flow of the cache.
func (g *Generator) draw(f *Flow, r2, r3 uint64) {
	// Pareto with exponent 1: half of the flows have one packet, one of n has
	// n packets or more.
	f.Packets = min(1<<32/(r2&0xffffffff+1), 1<<20)
	f.Bytes = f.Packets * packetSize(r2>>32)
	if g.cfg.IDs {
		f.Bytes = uint64(f.ID)
	}
	// The flow ended 1 to 9 seconds ago, and took a minute at most.
	f.EndNs = g.nowNs - 1e9 - int64(r2>>40&0x1fff)*1e6
	f.StartNs = f.EndNs - int64(min((f.Packets-1)*(r3>>48&0xfff)*100, 60e6))*1e3
}

// packetSize returns a packet's length in bytes: small, middle or full.
func packetSize(r uint64) uint64 {
	switch kind := r & 15; {
	case kind < 6:
		return 40 + r>>4&63
	case kind < 9:
		return 200 + r>>4&511
	default:
		return 1372 + r>>4&127
	}
}
