//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"math/bits"
	"unsafe"
)

// flowText is the text before each member's value and behind the last, by
// member, and jsonSlack; flowSpans are its pieces.
var flowText, flowSpans = func() (text []byte, spans [len(jsonMembers) + 1]jsonSpan) {
	for i := range spans {
		s := jsonBefore(i)
		spans[i] = jsonSpan{uint32(len(text)), uint32(len(s))}
		text = append(text, s...)
	}
	return append(text, make([]byte, jsonSlack)...), spans
}()

// Members that are not next to those before them.
const (
	memberStart       = 5
	memberSrcAddr     = 9
	memberEtype       = 11
	memberSrcPort     = 13
	memberSrcMAC      = 17
	memberSrcVLAN     = 19
	memberNextHop     = 34
	memberSrcNet      = 36
	memberCommunities = 39
	memberDomain      = 44
	memberLayerStack  = 46
	memberRouting     = 48
)

// flowPorts and flowPacket are the places of runs of members that are numbers
// of 32 bits: from src_port, and from src_vlan.
var (
	flowPorts = [...]uintptr{
		unsafe.Offsetof(Flow{}.SrcPort), unsafe.Offsetof(Flow{}.DstPort), unsafe.Offsetof(Flow{}.InIf), unsafe.Offsetof(Flow{}.OutIf),
	}
	flowPacket = [...]uintptr{
		unsafe.Offsetof(Flow{}.SrcVLAN), unsafe.Offsetof(Flow{}.DstVLAN), unsafe.Offsetof(Flow{}.VLANID),
		unsafe.Offsetof(Flow{}.IPTOS), unsafe.Offsetof(Flow{}.ForwardingStatus), unsafe.Offsetof(Flow{}.IPTTL),
		unsafe.Offsetof(Flow{}.IPFlags), unsafe.Offsetof(Flow{}.TCPFlags), unsafe.Offsetof(Flow{}.ICMPType), unsafe.Offsetof(Flow{}.ICMPCode),
		unsafe.Offsetof(Flow{}.IPv6FlowLabel), unsafe.Offsetof(Flow{}.FragmentID), unsafe.Offsetof(Flow{}.FragmentOffset),
		unsafe.Offsetof(Flow{}.SrcAS), unsafe.Offsetof(Flow{}.DstAS),
	}
)

// appendJSON is AppendJSON by words, the same byte for byte.
func appendJSON(dst []byte, f *Flow) []byte {
	const (
		text    = 1200 // all keys and signs: less
		values  = 24 * 50
		perItem = 48 // the longest of a list: an address in quotes
	)
	items := len(f.BGPCommunities) + len(f.ASPath) + len(f.MPLSTTL) + len(f.MPLSLabel) + len(f.MPLSIP) +
		len(f.LayerStack) + len(f.LayerSize) + len(f.RoutingAddresses)/16
	need := text + values + perItem*items + jsonSlack
	if cap(dst)-len(dst) < need {
		dst = grow(dst, need)
	}
	begin := unsafe.Pointer(unsafe.SliceData(dst[:cap(dst)]))
	begin = unsafe.Add(begin, len(dst))
	w := writeFlow(f, begin)
	return dst[:len(dst)+int(uintptr(w)-uintptr(begin))]
}

// putKey writes the text before a member's value.
func putKey(w unsafe.Pointer, member int) unsafe.Pointer {
	s := &flowSpans[member]
	return putText(w, unsafe.Add(unsafe.Pointer(unsafe.SliceData(flowText)), s.pos), uintptr(s.n))
}

// writeFlow writes f's object at w and returns its end.
func writeFlow(f *Flow, w unsafe.Pointer) unsafe.Pointer {
	w = putKey(w, 0)
	w = putName(w, typeName(f.Type))
	w = putNumber(putKey(w, 1), f.TimeReceivedNs)
	w = putNumber(putKey(w, 2), uint64(f.SequenceNum))
	w = putNumber(putKey(w, 3), f.SamplingRate)
	w = putIP(putKey(w, 4), f.SamplerAddress)
	w = putNumber(putKey(w, memberStart), f.TimeFlowStartNs)
	w = putNumber(putKey(w, memberStart+1), f.TimeFlowEndNs)
	w = putNumber(putKey(w, memberStart+2), f.Bytes)
	w = putNumber(putKey(w, memberStart+3), f.Packets)
	w = putIP(putKey(w, memberSrcAddr), f.SrcAddr)
	w = putIP(putKey(w, memberSrcAddr+1), f.DstAddr)
	w = putName(putKey(w, memberEtype), etypeName(f.Etype))
	w = putProtocol(putKey(w, memberEtype+1), f.Proto)
	for i, offset := range &flowPorts {
		w = putKey(w, memberSrcPort+i)
		w = putNumber(w, uint64(*(*uint32)(unsafe.Add(unsafe.Pointer(f), offset))))
	}
	w = putMACText(putKey(w, memberSrcMAC), f.SrcMAC)
	w = putMACText(putKey(w, memberSrcMAC+1), f.DstMAC)
	for i, offset := range &flowPacket {
		w = putKey(w, memberSrcVLAN+i)
		v := uint64(*(*uint32)(unsafe.Add(unsafe.Pointer(f), offset)))
		if v < 10 { // most are zero
			*(*byte)(w) = byte('0' + v)
			w = unsafe.Add(w, 1)
			continue
		}
		w = putNumber(w, v)
	}
	w = putIP(putKey(w, memberNextHop), f.NextHop)
	w = putNumber(putKey(w, memberNextHop+1), uint64(f.NextHopAS))
	w = putNet(putKey(w, memberSrcNet), f.SrcAddr, f.SrcNet)
	w = putNet(putKey(w, memberSrcNet+1), f.DstAddr, f.DstNet)
	w = putIP(putKey(w, memberSrcNet+2), f.BGPNextHop)
	w = putNumbers(putKey(w, memberCommunities), f.BGPCommunities)
	w = putNumbers(putKey(w, memberCommunities+1), f.ASPath)
	w = putNumbers(putKey(w, memberCommunities+2), f.MPLSTTL)
	w = putNumbers(putKey(w, memberCommunities+3), f.MPLSLabel)
	w = putKey(w, memberCommunities+4)
	for i, ip := range f.MPLSIP {
		w = putIP(putQuote(w, i), ip)
		*(*byte)(w) = '"'
		w = unsafe.Add(w, 1)
	}
	w = putNumber(putKey(w, memberDomain), uint64(f.ObservationDomainID))
	w = putNumber(putKey(w, memberDomain+1), uint64(f.ObservationPointID))
	w = putKey(w, memberLayerStack)
	for i, l := range f.LayerStack {
		w = putName(putQuote(w, i), layerName(l))
		*(*byte)(w) = '"'
		w = unsafe.Add(w, 1)
	}
	w = putNumbers(putKey(w, memberLayerStack+1), f.LayerSize)
	w = putKey(w, memberRouting)
	for i, a := 0, f.RoutingAddresses; len(a) >= 16; i, a = i+1, a[16:] {
		w = putIP(putQuote(w, i), a[:16])
		*(*byte)(w) = '"'
		w = unsafe.Add(w, 1)
	}
	w = putNumber(putKey(w, memberRouting+1), uint64(f.RoutingSegLeft))
	return putKey(w, memberRouting+2)
}

// putQuote begins string i of an array.
func putQuote(w unsafe.Pointer, i int) unsafe.Pointer {
	if i > 0 {
		*(*byte)(w) = ','
		w = unsafe.Add(w, 1)
	}
	*(*byte)(w) = '"'
	return unsafe.Add(w, 1)
}

// putName copies a name of our own tables.
func putName(w unsafe.Pointer, name string) unsafe.Pointer {
	return unsafe.Add(w, copy(unsafe.Slice((*byte)(w), 32), name))
}

// putNumbers writes the numbers of an array.
func putNumbers(w unsafe.Pointer, v []uint32) unsafe.Pointer {
	for i, x := range v {
		if i > 0 {
			*(*byte)(w) = ','
			w = unsafe.Add(w, 1)
		}
		w = putNumber(w, uint64(x))
	}
	return w
}

// putIP writes an address of 4 or 16 bytes, or nothing.
func putIP(w unsafe.Pointer, addr []byte) unsafe.Pointer {
	p := unsafe.Pointer(unsafe.SliceData(addr))
	switch len(addr) {
	case 4:
		return putAddr4(w, bits.ReverseBytes32(*(*uint32)(p)))
	case 16:
		return putAddr16(w, load64(p), load64(unsafe.Add(p, 8)))
	}
	return w
}

// putNet writes the prefix of so many bits of an address, or nothing if there
// is none.
func putNet(w unsafe.Pointer, addr []byte, length uint32) unsafe.Pointer {
	p := unsafe.Pointer(unsafe.SliceData(addr))
	switch len(addr) {
	case 4:
		return putNet4(w, load32(p), uint64(length))
	case 16:
		return putNet16(w, load64(p), load64(unsafe.Add(p, 8)), uint64(length))
	}
	return w
}
