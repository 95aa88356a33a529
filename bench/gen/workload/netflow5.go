package workload

import "encoding/binary"

const (
	v5HeaderLen = 24
	v5RecordLen = 48
	v5Records   = 30 // the most that the format allows
)

// netflow5 makes a NetFlow v5 datagram (Cisco, NetFlow Export Datagram Format).
func (g *Generator) netflow5(s *stream) {
	n := min(v5Records, (g.limit()-v5HeaderLen)/v5RecordLen)
	b := binary.BigEndian.AppendUint16(g.payload, 5)
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	b = binary.BigEndian.AppendUint32(b, s.uptimeMs(g.nowNs))
	b = binary.BigEndian.AppendUint32(b, uint32(g.nowNs/1e9))
	b = binary.BigEndian.AppendUint32(b, uint32(g.nowNs%1e9))
	b = binary.BigEndian.AppendUint32(b, s.sequence)
	b = append(b, 0, uint8(s.domain))                                 // engine type and id
	b = binary.BigEndian.AppendUint16(b, 1<<14|uint16(s.rate&0x3fff)) // every n-th packet
	for range n {
		f := g.addFlow(s, false)
		b = append(b, f.Src[:4]...)
		b = append(b, f.Dst[:4]...)
		b = append(b, f.NextHop[:4]...)
		b = binary.BigEndian.AppendUint16(b, uint16(f.InIf))
		b = binary.BigEndian.AppendUint16(b, uint16(f.OutIf))
		b = binary.BigEndian.AppendUint32(b, uint32(f.Packets))
		b = binary.BigEndian.AppendUint32(b, uint32(f.Bytes))
		b = binary.BigEndian.AppendUint32(b, s.uptimeMs(f.StartNs))
		b = binary.BigEndian.AppendUint32(b, s.uptimeMs(f.EndNs))
		b = binary.BigEndian.AppendUint16(b, f.SrcPort)
		b = binary.BigEndian.AppendUint16(b, f.DstPort)
		b = append(b, 0, f.TCPFlags, f.Proto, f.TOS)
		b = binary.BigEndian.AppendUint16(b, uint16(f.SrcAS))
		b = binary.BigEndian.AppendUint16(b, uint16(f.DstAS))
		b = append(b, f.SrcMask, f.DstMask, 0, 0)
	}
	s.sequence += uint32(n)
	g.payload = b
}
