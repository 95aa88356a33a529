package producer_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/weirflow/weir/producer"
)

// plainFrames returns a frame for each stack of headers that is plain, 3 bytes
// longer than its headers, with no byte that is zero where it need not be.
func plainFrames() [][]byte {
	var frames [][]byte
	for _, vlan := range [][]byte{nil, unhex("8100 a123")} {
		for _, ip := range []string{"0800 45b8 0102 1234 4000 40", "86dd 6b8a bcde 0102"} {
			for _, proto := range []byte{6, 17, 1, 58} {
				b := slices.Concat(unhex("02 66 77 88 99 aa 02 11 22 33 44 55"), vlan, unhex(ip), []byte{proto})
				if b[len(vlan)+12] == 8 {
					b = append(b, unhex("fafb c0000201 0a000001")...)
				} else {
					b = append(append(b, 64), bytes.Repeat(unhex("20010db8 89abcdef"), 4)...)
				}
				transport := unhex("01bb f400 a1a2a3a4")
				if proto == 6 {
					transport = append(transport, unhex("b1b2b3b4 8012c1c2 d1d2d3d4")...)
				}
				frames = append(frames, append(append(b, transport...), 1, 2, 3))
			}
		}
	}
	return frames
}

// TestQuickSweeps does what TestQuickSamples does with samples whose parts have
// every length, and with every byte changed.
func TestQuickSweeps(t *testing.T) {
	w := newTwoWays(t, producer.Config{Format: producer.FormatBin, SamplingRate: 77})
	try := func(d []byte) {
		t.Helper()
		if err := w.differ(producer.Meta{Source: v4source, ReceivedNs: receivedNs}, d, 8000); err != nil {
			t.Fatalf("datagram %x: %v", d, err)
		}
	}
	head := u32(nil, 5, 0x01000007, 400, 1, 0, 3, 0x80000004)
	headExpanded := u32(nil, 5, 1, 7, 400, 1, 0, 0, 3, 0, 4)
	sample := func(expanded bool, records ...[]byte) []byte {
		if expanded {
			return tagged(3, slices.Concat(headExpanded, u32(nil, uint32(len(records))), slices.Concat(records...)))
		}
		return tagged(1, slices.Concat(head, u32(nil, uint32(len(records))), slices.Concat(records...)))
	}
	hops := [][]byte{u32(nil, 1, 0xcb007101), u32(nil, 2, 0x20010db8, 1, 2, 3), u32(nil, 0)}
	for i, frame := range plainFrames() {
		if raceDetector && i%5 > 0 { // which is slow
			continue
		}
		hop := hops[i%len(hops)]
		bodies := [][]byte{
			u32(nil, 10, 0, 0x12345, 0),
			u32(slices.Clone(hop), 24, 300),
			u32(slices.Clone(hop), 64500, 64496, 64497, 1, 2, 2, 64501, 70000, 2, 0xfbf40001, 300, 100),
		}
		records := [][]byte{rawHeader(frame)}
		for j, b := range bodies {
			records = append(records, tagged(1001+uint32(j), b))
		}
		usual := sample(false, records...)

		for n := range frame { // frames that are cut, or said to be
			cut := slices.Clone(records)
			cut[0] = rawHeader(frame[:n])
			try(sflowDatagram(sample(false, cut...), usual))
			cut[0] = bytes.Clone(records[0])
			binary.BigEndian.PutUint32(cut[0][20:], uint32(n))
			try(sflowDatagram(sample(false, cut...), usual))
		}
		for j := range records { // records that are too short, twice there or missing
			for n := range len(records[j]) - 8 + 5 {
				cut := slices.Clone(records)
				cut[j] = tagged(binary.BigEndian.Uint32(cut[j]), append(bytes.Clone(cut[j][8:]), 1, 2, 3, 4)[:n])
				try(sflowDatagram(sample(false, cut...), usual))
				try(sflowDatagram(sample(true, cut...), usual))
				last := slices.Concat(cut[:j], cut[j+1:], cut[j:j+1])
				d := sflowDatagram(usual, sample(true, last...))
				for pad := range -n & 3 { // and after them no padding
					short := d[:len(d)-1-pad]
					at := 28 + len(usual) + 4
					binary.BigEndian.PutUint32(short[at:], uint32(len(short)-at-4))
					binary.BigEndian.PutUint32(short[24:], 9)
					try(short)
				}
			}
			try(sflowDatagram(sample(false, append(slices.Clone(records), records[j])...), usual))
			try(sflowDatagram(sample(false, slices.Delete(slices.Clone(records), j, j+1)...), usual))
		}
		for _, expanded := range []bool{false, true} { // samples of other lengths and counts
			s := sample(expanded, records...)
			for n := range uint32(len(s) + 8) {
				d := sflowDatagram(s, usual)
				binary.BigEndian.PutUint32(d[32:], n)
				try(d)
				if at := 28 + len(s) - len(slices.Concat(records...)) - 4; n < 60 {
					binary.BigEndian.PutUint32(d[at:], n%6)
					try(d)
				}
			}
			for n := range uint32(60) { // samples of no record at the datagram's end
				for format := range uint32(4) {
					try(sflowDatagram(s, tagged(format, make([]byte, n))))
				}
			}
			d := sflowDatagram(s)
			for n := range d {
				try(d[:n])
			}
			for at := 24; at < len(d); at++ { // bytes that change
				for _, v := range []byte{0, 1, 2, 3, 4, 5, 6, 0x0f, 0x10, 0x20, 0x7f, 0x80, 0xff, d[at] + 1, d[at] - 1, d[at] ^ 0x80} {
					changed := bytes.Clone(d)
					changed[at] = v
					try(changed)
				}
			}
		}
		for n := range uint32(60) { // lists
			for _, v := range []uint32{0, 0x7f, 0x4000, 1<<32 - 1} {
				list := u32(nil, n)
				for range n {
					list = u32(list, v)
				}
				path := slices.Concat(hop, u32(nil, 64500, 0, 64497, 2, 1), list, u32(nil, 2, 1, 64501, 0, 100))
				try(sflowDatagram(sample(false, records[0], tagged(1003, path)), usual))
				path = slices.Concat(hop, u32(nil, 64500, 0, 64497, 0), list, u32(nil, 100))
				try(sflowDatagram(sample(false, records[0], tagged(1003, path)), usual))
			}
		}
		for _, v := range edges { // numbers, and together the longest message
			all := [][]byte{records[0], tagged(1001, u32(nil, v, v, v, v)), tagged(1002, u32(slices.Clone(hop), v, v)),
				tagged(1003, u32(slices.Clone(hop), v, v, v, 1, 2, 3, v, v, v, 2, v, v, v))}
			d := sflowDatagram(sample(false, all...), sample(true, all...), usual)
			copy(d[28+8+8:], u32(nil, v))
			copy(d[28+8+20:], u32(nil, v, v))
			copy(d[28+8+32+12:], u32(nil, v))
			try(d)
		}
	}
}
