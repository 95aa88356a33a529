//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"encoding/binary"
	"unsafe"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/sflow"
)

// sampleTexts are what plain samples of a stack of headers have in common:
// between two values that differ, one piece of text.
type sampleTexts struct {
	etype  jsonSpan // behind dst_addr, up to the value of src_port
	middle jsonSpan // behind as_path, up to the size of the last layer
	tail   jsonSpan // behind that
}

// sampleText is the text of all stacks, and jsonSlack; sampleSpans its pieces.
var sampleText, sampleSpans = func() (text []byte, spans [numStacks]sampleTexts) {
	piece := func(s string) jsonSpan {
		text = append(text, s...)
		return jsonSpan{uint32(len(text) - len(s)), uint32(len(s))}
	}
	for i := range spans {
		etype, ip := uint32(etherTypeIPv4), `"IPv4"`
		size := "20,"
		if i&stackV6 != 0 {
			etype, ip, size = etherTypeIPv6, `"IPv6"`, "40,"
		}
		names, sizes := `"Ethernet",`, "14,"
		if i&stackVLAN != 0 {
			names, sizes = names+`"Dot1Q",`, sizes+"4,"
		}
		names += ip + `,"` + layerName(uint32([...]uint8{packet.LayerTCP, packet.LayerUDP, packet.LayerICMP, packet.LayerICMPv6}[i&3])) + `"`
		spans[i].etype = piece(jsonBefore(fieldEtype) + etypeName(etype) + jsonBefore(fieldProto) +
			ProtocolName(uint32(stackProtos[i&3])) + jsonBefore(fieldSrcPort))
		middle := ""
		for m := fieldBGPCommunities + 2; m <= fieldLayerStack; m++ {
			middle += jsonBefore(m)
			if m == fieldObservationDomainID || m == fieldObservationPointID {
				middle += "0"
			}
		}
		spans[i].middle = piece(middle + names + jsonBefore(fieldLayerSize) + sizes + size)
		spans[i].tail = piece(jsonBefore(fieldRoutingAddresses) + jsonBefore(fieldRoutingSegLeft) + "0" + jsonBefore(numCore))
	}
	return append(text, make([]byte, jsonSlack)...), spans
}()

// putSpan writes a piece of sampleText.
func putSpan(w unsafe.Pointer, s *jsonSpan) unsafe.Pointer {
	return putText(w, unsafe.Add(unsafe.Pointer(unsafe.SliceData(sampleText)), s.pos), uintptr(s.n))
}

// sflowJSONPrefix encodes what all flow samples of a datagram share: in prefix
// up to the value of sampling_rate, in between from there to that of bytes.
func (p *Producer) sflowJSONPrefix(h *sflow.Header) {
	received := uint64(p.meta.ReceivedNs)
	b := append(p.fused.prefix[:0], `{"type":"SFLOW_5"`...)
	b = jsonUint(b, `,"time_received_ns":`, received)
	b = jsonUint(b, `,"sequence_num":`, uint64(h.Sequence))
	p.fused.prefix = append(b, `,"sampling_rate":`...)
	b = jsonAddr(p.fused.between[:0], `,"sampler_address":`, h.Agent)
	b = jsonUint(b, `,"time_flow_start_ns":`, received)
	b = jsonUint(b, `,"time_flow_end_ns":`, received)
	p.fused.between = append(b, `,"bytes":`...)
}

// writeSampleJSON appends the object of a plain sample that gather took.
func (p *Producer) writeSampleJSON(s *sampleParts) {
	c := &p.fused
	b := p.batch
	const fixed = 1200 + 34*20 + 8*50 // text and values: less
	need := len(c.prefix) + len(c.between) + fixed + 11*(len(s.communities)/4+s.pathLen) + jsonSlack + len(p.cfg.Separator)
	if cap(b.Buf)-len(b.Buf) < need {
		b.Buf = grow(b.Buf, need)
	}
	out := b.Buf[len(b.Buf) : len(b.Buf)+need : len(b.Buf)+need]
	begin := unsafe.Pointer(unsafe.SliceData(out))
	w := unsafe.Add(begin, copy(out, c.prefix))
	w = putNumber(w, s.rate)
	w = unsafe.Add(w, copy(unsafe.Slice((*byte)(w), len(c.between)), c.between))
	w = putNumber(w, uint64(s.bytes))
	w = putKey(w, fieldPackets)
	*(*byte)(w) = '1' // a packet
	w = unsafe.Add(w, 1)
	w = putIP(putKey(w, fieldSrcAddr), s.src)
	w = putIP(putKey(w, fieldDstAddr), s.dst)
	texts := &sampleSpans[s.stack&(numStacks-1)]
	w = putSpan(w, &texts.etype)
	w = s.putNumbers(w, numSrcPort, fieldSrcPort, 4)
	w = putMACText(putKey(w, fieldSrcMAC), s.srcMAC)
	w = putMACText(putKey(w, fieldDstMAC), s.dstMAC)
	w = s.putNumbers(putKey(w, fieldSrcVLAN), numSrcVLAN, fieldSrcVLAN, int(fieldNextHop-fieldSrcVLAN))
	w = putIP(putKey(w, fieldNextHop), s.nextHop)
	w = s.putNumbers(putKey(w, fieldNextHopAS), numNextHopAS, fieldNextHopAS, 1)
	w = putNet(putKey(w, fieldSrcNet), s.src, s.numbers[numSrcLen])
	w = putNet(putKey(w, fieldDstNet), s.dst, s.numbers[numDstLen])
	w = putIP(putKey(w, fieldBGPNextHop), s.bgpNextHop)
	w = putKey(w, fieldBGPCommunities)
	w = endNumbers(w, putWordTexts(w, s.communities))
	w = s.putPathTexts(putKey(w, fieldASPath))
	w = putSpan(w, &texts.middle)
	size := &octets[8]
	if s.plain.Proto == 6 {
		size = &octets[s.plain.TCPSize]
	}
	*(*uint32)(w) = size.text
	w = putSpan(unsafe.Add(w, size.n-1), &texts.tail)
	o := int(uintptr(w) - uintptr(begin))
	o += copy(out[o:], p.cfg.Separator)
	b.Buf = b.Buf[:len(b.Buf)+o]
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	p.useful++
}

// putNumbers writes n numbers from a place, with the text of the members from
// member on between them.
func (s *sampleParts) putNumbers(w unsafe.Pointer, place int, member fieldID, n int) unsafe.Pointer {
	for i := range n {
		if i > 0 {
			w = putKey(w, member+fieldID(i))
		}
		v := uint64(s.numbers[(place+i)&31])
		if v < 256 {
			o := &octets[v]
			*(*uint32)(w) = o.text
			w = unsafe.Add(w, o.n-1)
			continue
		}
		w = putNumber(w, v)
	}
	return w
}

// putPathTexts writes the numbers of the AS path.
func (s *sampleParts) putPathTexts(w unsafe.Pointer) unsafe.Pointer {
	begin := w
	for seg := s.segments; len(seg) >= 8; {
		n := int(binary.BigEndian.Uint32(seg[4:]))
		w = putWordTexts(w, seg[8:8+4*n])
		seg = seg[8+4*n:]
	}
	return endNumbers(begin, w)
}

// putWordTexts writes big-endian words of 4 bytes, each with a comma behind it.
func putWordTexts(w unsafe.Pointer, words []byte) unsafe.Pointer {
	for ; len(words) >= 4; words = words[4:] {
		w = putNumber(w, uint64(binary.BigEndian.Uint32(words)))
		*(*byte)(w) = ','
		w = unsafe.Add(w, 1)
	}
	return w
}

// endNumbers returns the end of a list that was written from begin to w without
// its last comma.
func endNumbers(begin, w unsafe.Pointer) unsafe.Pointer {
	if w == begin {
		return w
	}
	return unsafe.Add(w, -1)
}
