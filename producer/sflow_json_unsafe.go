//go:build (amd64 || arm64) && !weirsafe

package producer

import (
	"cmp"
	"encoding/binary"
	"strconv"
	"strings"
	"unsafe"

	"github.com/weirflow/weir/decoders/packet"
	"github.com/weirflow/weir/decoders/sflow"
	"github.com/weirflow/weir/producer/geo"
)

// sampleTexts are what plain samples of a stack of headers have in common:
// between two values that differ, one piece of text.
type sampleTexts struct {
	etype  jsonSpan // after dst_addr, up to the value of src_port
	middle jsonSpan // after as_path, up to the size of the last layer
}

// sampleText is the text of all stacks in a notation, and jsonSlack, with its pieces.
type sampleText struct {
	text   []byte
	stacks [numStacks]sampleTexts
	tail   jsonSpan // after the size of the last layer
	// What stands after that: the end, or the countries.
	end, src, dst, countriesEnd jsonSpan
}

// samplePieces are those of both notations.
var samplePieces = [2]sampleText{newSampleText(notationJSON), newSampleText(notationText)}

func newSampleText(n notation) (t sampleText) {
	piece := func(s string) jsonSpan {
		t.text = append(t.text, s...)
		return jsonSpan{uint32(len(t.text) - len(s)), uint32(len(s))}
	}
	word := func(s string) string { return n.mark() + s + n.mark() }
	for i := range t.stacks {
		etype, ip := uint32(etherTypeIPv4), "IPv4"
		size := "20,"
		if i&stackV6 != 0 {
			etype, ip, size = etherTypeIPv6, "IPv6", "40,"
		}
		names, sizes := word("Ethernet")+",", "14,"
		if i&stackVLAN != 0 {
			names, sizes = names+word("Dot1Q")+",", sizes+"4,"
		}
		transport := [...]uint8{packet.LayerTCP, packet.LayerUDP, packet.LayerICMP, packet.LayerICMPv6}[i&3]
		names += word(ip) + "," + word(layerName(uint32(transport)))
		t.stacks[i].etype = piece(n.before(fieldEtype) + etypeName(etype) + n.before(fieldProto) +
			ProtocolName(uint32(stackProtos[i&3])) + n.before(fieldSrcPort))
		middle := ""
		for m := fieldMPLSTTL; m <= fieldLayerStack; m++ {
			middle += n.before(m)
			if m == fieldObservationDomainID || m == fieldObservationPointID {
				middle += "0"
			}
		}
		t.stacks[i].middle = piece(middle + names + n.before(fieldLayerSize) + sizes + size)
	}
	t.tail = piece(n.before(fieldRoutingAddresses) + n.before(fieldRoutingSegLeft) + "0" + strings.TrimSuffix(n.before(numCore), n.end()))
	t.end = piece(n.end())
	t.src = piece(n.sign() + n.key("src_country") + n.mark())
	t.dst = piece(n.mark() + n.sign() + n.key("dst_country") + n.mark())
	t.countriesEnd = piece(n.mark() + n.end())
	t.text = append(t.text, make([]byte, jsonSlack)...)
	return t
}

// put writes a piece.
func (t *sampleText) put(w unsafe.Pointer, s *jsonSpan) unsafe.Pointer {
	return putText(w, unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.text)), s.pos), uintptr(s.n))
}

// sflowTextPrefix encodes what all flow samples of a datagram share: in prefix
// up to the value of sampling_rate, in between from there to that of bytes.
func (p *Producer) sflowTextPrefix(h *sflow.Header) {
	received := uint64(p.meta.ReceivedNs)
	m := &memberTexts[p.notation()]
	b := append(append(p.fused.prefix[:0], m.before(fieldType)...), typeNames[TypeSFlow5]...)
	b = strconv.AppendUint(append(b, m.before(fieldTimeReceivedNs)...), received, 10)
	b = strconv.AppendUint(append(b, m.before(fieldSequenceNum)...), uint64(h.Sequence), 10)
	p.fused.prefix = append(b, m.before(fieldSamplingRate)...)
	b = append(p.fused.between[:0], m.before(fieldSamplerAddress)...)
	b = notationText.bytes(b, h.Agent, RenderIP)
	b = strconv.AppendUint(append(b, m.before(fieldTimeFlowStartNs)...), received, 10)
	b = strconv.AppendUint(append(b, m.before(fieldTimeFlowEndNs)...), received, 10)
	p.fused.between = append(b, m.before(fieldBytes)...)
}

// writeSampleText appends the JSON object, or the text, of a plain sample that gather
// took.
func (p *Producer) writeSampleText(s *sampleParts) {
	c, m, pieces := &p.fused, &memberTexts[p.notation()], &samplePieces[p.notation()]
	b := p.batch
	const fixed = 1300 + 34*20 + 8*50 // text and values: less
	need := len(c.prefix) + len(c.between) + fixed + 11*(len(s.communities)/4+s.pathLen) + jsonSlack + len(p.cfg.Separator)
	if cap(b.Buf)-len(b.Buf) < need {
		b.Buf = grow(b.Buf, need)
	}
	var src, dst geo.Answer
	if p.cfg.Geo != nil {
		src, dst = p.whereabouts(s)
		s.numbers[numSrcAS], s.numbers[numDstAS] = cmp.Or(src.AS, s.numbers[numSrcAS]), cmp.Or(dst.AS, s.numbers[numDstAS])
	}
	out := b.Buf[len(b.Buf) : len(b.Buf)+need : len(b.Buf)+need]
	begin := unsafe.Pointer(unsafe.SliceData(out))
	w := unsafe.Add(begin, copy(out, c.prefix))
	w = putNumber(w, s.rate)
	w = unsafe.Add(w, copy(unsafe.Slice((*byte)(w), len(c.between)), c.between))
	w = putNumber(w, uint64(s.bytes))
	w = m.put(w, fieldPackets)
	*(*byte)(w) = '1' // a packet
	w = unsafe.Add(w, 1)
	w = putIP(m.put(w, fieldSrcAddr), s.src)
	w = putIP(m.put(w, fieldDstAddr), s.dst)
	texts := &pieces.stacks[s.stack&(numStacks-1)]
	w = pieces.put(w, &texts.etype)
	w = s.putNumbers(w, m, numSrcPort, fieldSrcPort, 4)
	w = putMACText(m.put(w, fieldSrcMAC), s.srcMAC)
	w = putMACText(m.put(w, fieldDstMAC), s.dstMAC)
	w = s.putNumbers(m.put(w, fieldSrcVLAN), m, numSrcVLAN, fieldSrcVLAN, int(fieldNextHop-fieldSrcVLAN))
	w = putIP(m.put(w, fieldNextHop), s.nextHop)
	w = s.putNumbers(m.put(w, fieldNextHopAS), m, numNextHopAS, fieldNextHopAS, 1)
	w = putNet(m.put(w, fieldSrcNet), s.src, s.numbers[numSrcLen])
	w = putNet(m.put(w, fieldDstNet), s.dst, s.numbers[numDstLen])
	w = putIP(m.put(w, fieldBGPNextHop), s.bgpNextHop)
	w = m.put(w, fieldBGPCommunities)
	w = endNumbers(w, putWordTexts(w, s.communities))
	w = s.putPathTexts(m.put(w, fieldASPath))
	w = pieces.put(w, &texts.middle)
	size := &octets[8]
	if s.plain.Proto == 6 {
		size = &octets[s.plain.TCPSize]
	}
	*(*uint32)(w) = size.text
	w = pieces.put(unsafe.Add(w, size.n-1), &pieces.tail)
	if p.cfg.Geo == nil {
		w = pieces.put(w, &pieces.end)
	} else {
		w = putLetters(pieces.put(w, &pieces.src), src.Country)
		w = putLetters(pieces.put(w, &pieces.dst), dst.Country)
		w = pieces.put(w, &pieces.countriesEnd)
	}
	o := int(uintptr(w) - uintptr(begin))
	o += copy(out[o:], p.cfg.Separator)
	b.Buf = b.Buf[:len(b.Buf)+o]
	b.Ends = append(b.Ends, uint32(len(b.Buf)))
	p.useful++
}

// putNumbers writes n numbers from a place, with the text of the members from
// member on between them.
func (s *sampleParts) putNumbers(w unsafe.Pointer, m *memberText, place int, member fieldID, n int) unsafe.Pointer {
	for i := range n {
		if i > 0 {
			w = m.put(w, member+fieldID(i))
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

// putWordTexts writes big-endian words of 4 bytes, each with a comma after it.
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
