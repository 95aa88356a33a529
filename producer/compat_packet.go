package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/packet"
)

// compatWalk reads a sampled header as goflow2 does: lengths are taken to be
// those of headers without options, fields are not masked, and a layer that is
// cut adds a size of zero and no layer.
type compatWalk struct {
	p     *Producer
	f     *Flow
	b     []byte
	off   int
	encap bool
	// What announced the layer at off, as in packet.Headers.LayerType, and the
	// key of the port that did.
	number uint16
	port   uint32
}

// compatNone ends the walk.
const compatNone = packet.Start(0)

// compatLevel orders headers: one that does not have a higher level than the
// one before it is carried by a tunnel.
func compatLevel(s packet.Start) int {
	switch s {
	case packet.StartEthernet:
		return 20
	case packet.StartVLAN, packet.StartMPLS:
		return 25
	case packet.StartIPv4, packet.StartIPv6:
		return 30
	case packet.StartIPv6Routing, packet.StartIPv6Fragment:
		return 35
	case packet.StartICMP, packet.StartICMPv6:
		return 70
	}
	return 40
}

// compatHeader adds what a sampled Ethernet frame says to the flow.
func (p *Producer) compatHeader(b []byte, f *Flow) {
	w := compatWalk{p: p, f: f, b: b}
	// Each layer takes bytes, but those that end the walk and Teredo, which has
	// IPv6 after it.
	for s := packet.StartEthernet; s != compatNone && w.off <= len(b); {
		number, port := w.number, w.port
		w.number, w.port = 0, 0
		kind, size, next := w.layer(s, b[w.off:])
		w.mapLayer(kind, number, port)
		f.LayerSize = append(f.LayerSize, uint32(size))
		if next != packet.StartVLAN && next != packet.StartMPLS && next != packet.StartIPv6Fragment && compatLevel(next) <= compatLevel(s) {
			w.encap = true
		}
		s = next
		w.off += size
	}
}

// mapLayer maps the layer that was just read.
func (w *compatWalk) mapLayer(kind uint8, number uint16, port uint32) {
	l := w.p.prog.layers
	if l == nil {
		return
	}
	for i := range l.kinds[kind] {
		if r := &l.kinds[kind][i]; r.encap == w.encap {
			w.p.mapBits(r, w.b, w.off, w.f)
		}
	}
	switch {
	case number >= 256:
		w.p.mapNumbered(l.etypes, uint32(number), w.encap, w.b, w.off, w.f)
	case number > 0:
		w.p.mapNumbered(l.protos, uint32(number), w.encap, w.b, w.off, w.f)
	}
	if port != 0 {
		w.p.mapNumbered(l.byPort, port, w.encap, w.b, w.off, w.f)
	}
}

// layer reads one header from d and returns its kind, its size and what follows.
func (w *compatWalk) layer(s packet.Start, d []byte) (kind uint8, size int, next packet.Start) {
	switch s {
	case packet.StartEthernet, packet.StartVLAN, packet.StartMPLS:
		return w.link(s, d)
	case packet.StartIPv4, packet.StartIPv6, packet.StartIPv6Routing, packet.StartIPv6Fragment:
		return w.network(s, d)
	}
	return w.transport(s, d)
}

// add notes a layer that is there.
func (w *compatWalk) add(kind uint8) { w.f.LayerStack = append(w.f.LayerStack, uint32(kind)) }

// etype returns what an EtherType announces.
func (w *compatWalk) etype(t uint16) packet.Start {
	w.number = t
	switch t {
	case 0x199e, 0x6558:
		return packet.StartEthernet
	case 0x8847:
		return packet.StartMPLS
	case 0x8100:
		return packet.StartVLAN
	case etherTypeIPv4:
		return packet.StartIPv4
	case etherTypeIPv6:
		return packet.StartIPv6
	}
	return compatNone
}

// proto returns what an IP protocol number announces.
func (w *compatWalk) proto(n uint8) packet.Start {
	w.number = uint16(n)
	switch n {
	case 1:
		return packet.StartICMP
	case 4:
		return packet.StartIPv4
	case 6:
		return packet.StartTCP
	case 17:
		return packet.StartUDP
	case 41:
		return packet.StartIPv6
	case 43:
		return packet.StartIPv6Routing
	case 44:
		return packet.StartIPv6Fragment
	case 47:
		return packet.StartGRE
	case 58:
		return packet.StartICMPv6
	}
	return compatNone
}

func (w *compatWalk) link(s packet.Start, d []byte) (kind uint8, size int, next packet.Start) {
	f := w.f
	switch s {
	case packet.StartEthernet:
		if len(d) < 14 {
			return packet.LayerEthernet, 0, compatNone
		}
		w.add(packet.LayerEthernet)
		t := binary.BigEndian.Uint16(d[12:])
		if !w.encap {
			f.DstMAC = uint64(binary.BigEndian.Uint16(d))<<32 | uint64(binary.BigEndian.Uint32(d[2:]))
			f.SrcMAC = uint64(binary.BigEndian.Uint16(d[6:]))<<32 | uint64(binary.BigEndian.Uint32(d[8:]))
			f.Etype = uint32(t)
		}
		return packet.LayerEthernet, 14, w.etype(t)
	case packet.StartVLAN:
		if len(d) < 4 {
			return packet.LayerDot1Q, 0, compatNone
		}
		w.add(packet.LayerDot1Q)
		t := binary.BigEndian.Uint16(d[2:])
		if !w.encap {
			f.VLANID, f.Etype = uint32(binary.BigEndian.Uint16(d)), uint32(t)
		}
		return packet.LayerDot1Q, 4, w.etype(t)
	}
	if len(d) < 4 {
		return packet.LayerMPLS, 0, compatNone
	}
	w.add(packet.LayerMPLS)
	if !w.encap {
		f.MPLSLabel, f.MPLSTTL = f.MPLSLabel[:0], f.MPLSTTL[:0]
	}
	bottom := false
	for !bottom && len(d) >= size+4 {
		entry := binary.BigEndian.Uint32(d[size:])
		size += 4
		bottom = entry>>8&1 != 0 || entry>>12 <= 15 // a label with a meaning of its own
		if !w.encap {
			f.MPLSLabel, f.MPLSTTL = append(f.MPLSLabel, entry>>12), append(f.MPLSTTL, entry&0xff)
		}
	}
	if !bottom || len(d) == size {
		return packet.LayerMPLS, size, compatNone
	}
	t := uint16(0)
	switch d[size] >> 4 {
	case 4:
		t = etherTypeIPv4
	case 6:
		t = etherTypeIPv6
	default:
		return packet.LayerMPLS, size, compatNone
	}
	if !w.encap {
		f.Etype = uint32(t)
	}
	return packet.LayerMPLS, size, w.etype(t)
}

func (w *compatWalk) network(s packet.Start, d []byte) (kind uint8, size int, next packet.Start) {
	f := w.f
	switch s {
	case packet.StartIPv4:
		if len(d) < 20 {
			return packet.LayerIPv4, 0, compatNone
		}
		w.add(packet.LayerIPv4)
		if !w.encap {
			f.SrcAddr, f.DstAddr = d[12:16:16], d[16:20:20]
			f.IPTOS, f.IPTTL, f.Proto = uint32(d[1]), uint32(d[8]), uint32(d[9])
			f.FragmentID = uint32(binary.BigEndian.Uint16(d[4:]))
			word := uint32(binary.BigEndian.Uint16(d[6:]))
			f.FragmentOffset, f.IPFlags = word&0x1fff, word>>13
		}
		return packet.LayerIPv4, 20, w.proto(d[9])
	case packet.StartIPv6:
		if len(d) < 40 {
			return packet.LayerIPv6, 0, compatNone
		}
		w.add(packet.LayerIPv6)
		if !w.encap {
			f.SrcAddr, f.DstAddr = d[8:24:24], d[24:40:40]
			word := binary.BigEndian.Uint32(d)
			f.IPTOS, f.IPv6FlowLabel = word>>20&0xff, word&0xfffff
			f.IPTTL, f.Proto = uint32(d[7]), uint32(d[6])
		}
		return packet.LayerIPv6, 40, w.proto(d[6])
	case packet.StartIPv6Fragment:
		if len(d) < 8 {
			return packet.LayerIPv6Fragment, 0, compatNone
		}
		w.add(packet.LayerIPv6Fragment)
		if !w.encap {
			word := uint32(binary.BigEndian.Uint16(d[2:]))
			f.FragmentOffset, f.IPFlags = word>>3, word&7
			f.FragmentID = binary.BigEndian.Uint32(d[4:])
		}
		return packet.LayerIPv6Fragment, 8, w.proto(d[0])
	}
	if len(d) < 8 {
		return packet.LayerIPv6Routing, 0, compatNone
	}
	w.add(packet.LayerIPv6Routing)
	size = 8 + 8*int(d[1])
	if !w.encap {
		f.RoutingSegLeft = uint32(d[3])
		if d[2] == 4 {
			n := 0
			for 8+n < size && 8+n+16 <= len(d) && n/16 <= int(d[4]) {
				n += 16
			}
			f.RoutingAddresses = d[8 : 8+n : 8+n]
		}
	}
	return packet.LayerIPv6Routing, size, w.proto(d[0])
}

func (w *compatWalk) transport(s packet.Start, d []byte) (kind uint8, size int, next packet.Start) {
	f := w.f
	switch s {
	case packet.StartTCP:
		if len(d) < 20 {
			return packet.LayerTCP, 0, compatNone
		}
		w.add(packet.LayerTCP)
		if !w.encap {
			f.SrcPort, f.DstPort = uint32(binary.BigEndian.Uint16(d)), uint32(binary.BigEndian.Uint16(d[2:]))
			f.TCPFlags = uint32(d[13])
		}
		return packet.LayerTCP, 20 + int(d[13]>>4)*4, w.behind(true, d)
	case packet.StartUDP:
		if len(d) < 8 {
			return packet.LayerUDP, 0, compatNone
		}
		w.add(packet.LayerUDP)
		if !w.encap {
			f.SrcPort, f.DstPort = uint32(binary.BigEndian.Uint16(d)), uint32(binary.BigEndian.Uint16(d[2:]))
		}
		return packet.LayerUDP, 8, w.behind(false, d)
	case packet.StartGRE:
		if len(d) < 4 {
			return packet.LayerGRE, 0, compatNone
		}
		w.add(packet.LayerGRE)
		return packet.LayerGRE, 4, w.etype(binary.BigEndian.Uint16(d[2:]))
	case packet.StartTeredo:
		w.add(packet.LayerTeredo)
		return packet.LayerTeredo, 0, packet.StartIPv6
	case packet.StartGeneve:
		if len(d) < 8 {
			return packet.LayerGeneve, 0, compatNone
		}
		w.add(packet.LayerGeneve)
		return packet.LayerGeneve, int(d[0]&0x3f)*4 + 8, w.etype(binary.BigEndian.Uint16(d[2:]))
	}
	kind = packet.LayerICMP
	if s == packet.StartICMPv6 {
		kind = packet.LayerICMPv6
	}
	if len(d) < 2 || s != packet.StartICMP && s != packet.StartICMPv6 {
		return kind, 0, compatNone
	}
	w.add(kind)
	return kind, 8, compatNone
}

// behind returns what the ports of a transport header announce.
func (w *compatWalk) behind(tcp bool, d []byte) packet.Start {
	l := w.p.prog.layers
	if l == nil {
		return compatNone
	}
	start, key, ok := l.portAt(tcp, d)
	if !ok {
		return compatNone
	}
	w.port = key
	return start
}
