package producer_test

import (
	"slices"

	"github.com/weirflow/weir/producer/flowpb"
)

// slowFamily makes an unspecified address one of the other's family, where the template
// has elements of both.
func slowFamily(t *slowTemplate, values [][]byte, f *flowpb.FlowMessage) {
	ranks := slowRanks(t, values)
	all := slices.Concat(ranks["src"], ranks["dst"])
	four := slices.ContainsFunc(all, func(e slowID) bool { return slices.Contains([]uint16{8, 12, 44, 45, 366}, e.id) })
	six := slices.ContainsFunc(all, func(e slowID) bool { return slices.Contains([]uint16{27, 28, 169, 170}, e.id) })
	if !four || !six || len(f.SrcAddr) == len(f.DstAddr) || len(f.SrcAddr) == 0 || len(f.DstAddr) == 0 {
		return
	}
	if isZero(f.SrcAddr) {
		f.SrcAddr = make([]byte, len(f.DstAddr))
	} else if isZero(f.DstAddr) {
		f.DstAddr = make([]byte, len(f.SrcAddr))
	} else {
		return
	}
	if f.Etype == 0x800 || f.Etype == 0x86dd {
		f.Etype = map[int]uint32{4: 0x800, 16: 0x86dd}[len(f.SrcAddr)]
	}
}

// slowLength returns what the first IP header of a packet says of its length.
func slowLength(v []byte, f *flowpb.FlowMessage) uint64 {
	at := 0
	for i, layer := range f.LayerStack {
		switch layer {
		case flowpb.FlowMessage_IPv4:
			if at+4 <= len(v) {
				return uint64(at) + uint64(v[at+2])<<8 + uint64(v[at+3])
			}
			return 0
		case flowpb.FlowMessage_IPv6:
			if at+6 <= len(v) {
				return uint64(at) + 40 + uint64(v[at+4])<<8 + uint64(v[at+5])
			}
			return 0
		}
		at += int(f.LayerSize[i])
	}
	return 0
}
