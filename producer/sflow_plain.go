package producer

import (
	"encoding/binary"

	"github.com/weirflow/weir/decoders/packet"
)

// What is known about a plain frame by its stack of headers alone: its layers, and
// so which rules of a mapping are about it and where their layers begin.

// plainRule is a rule for plain frames of a stack of headers.
type plainRule struct {
	layerRule
	base    int  // where its layer begins in the frame, in bytes
	payload bool // it begins after the transport header, of which base is the start
}

// plainLayer is a layer of a plain frame.
type plainLayer struct {
	kind  uint8
	base  int    // where it begins in the frame, in bytes
	size  uint32 // bytes; 0 for TCP, whose header says it
	named uint32 // what announces it: an EtherType or a protocol; 0 for none
}

// plainLayers returns the layers of plain frames of a stack of headers.
func plainLayers(stack int) []plainLayer {
	layers := []plainLayer{{packet.LayerEthernet, 0, 14, 0}}
	add := func(kind uint8, size uint32, named uint32) {
		last := &layers[len(layers)-1]
		layers = append(layers, plainLayer{kind, last.base + int(last.size), size, named})
	}
	if stack&stackVLAN != 0 {
		add(packet.LayerDot1Q, 4, 0x8100)
	}
	if stack&stackV6 != 0 {
		add(packet.LayerIPv6, 40, etherTypeIPv6)
	} else {
		add(packet.LayerIPv4, 20, etherTypeIPv4)
	}
	proto := uint32(stackProtos[stack&3])
	switch stack & 3 {
	case stackTCP:
		add(packet.LayerTCP, 0, proto)
	case stackUDP:
		add(packet.LayerUDP, 8, proto)
	case stackICMP:
		add(packet.LayerICMP, 8, proto)
	case stackICM6:
		add(packet.LayerICMPv6, 8, proto)
	}
	return layers
}

// stackLayers are the layers of all stacks of headers.
var stackLayers = func() (all [numStacks][]plainLayer) {
	for stack := range all {
		all[stack] = plainLayers(stack)
	}
	return all
}()

// compilePlain finds the rules that are about plain frames, in the order in which
// mapLayers applies them.
func (l *layerProgram) compilePlain() {
	for stack, layers := range stackLayers {
		var rules []plainRule
		add := func(r layerRule, base int, payload bool) {
			if !r.encap { // nothing is carried in a plain frame
				rules = append(rules, plainRule{r, base, payload})
			}
		}
		for _, r := range l.whole {
			add(r, 0, false)
		}
		for _, layer := range layers {
			for _, r := range l.kinds[layer.kind] {
				add(r, layer.base, false)
			}
			numbered := l.protos
			if layer.named >= 256 {
				numbered = l.etypes
			}
			for _, r := range numbered {
				if r.number == layer.named && layer.named != 0 {
					add(r.layerRule, layer.base, false)
				}
			}
		}
		if stack&stackICMP == 0 {
			for _, r := range l.payload {
				add(r, layers[len(layers)-1].base, true)
			}
		}
		l.plain[stack] = rules
	}
}

// goesOn tells whether the mapping reads on after the ports of a plain frame, so
// that there are more layers than its stack has.
func (l *layerProgram) goesOn(s *sampleParts) bool {
	if len(l.ports) == 0 || s.stack&stackICMP != 0 {
		return false
	}
	if s.plain.Proto == 6 && s.plain.Transport+int(s.plain.TCPSize) > len(s.frame) {
		return false // cut
	}
	_, _, ok := l.portAt(s.plain.Proto == 6, s.frame[s.plain.Transport:])
	return ok
}

// mapPlain is mapLayers for a plain frame that does not go on.
func (p *Producer) mapPlain(l *layerProgram, s *sampleParts, f *Flow) {
	rules := l.plain[s.stack&(numStacks-1)]
	for i := range rules {
		r := &rules[i]
		base := r.base
		if r.payload {
			if base += int(s.transportSize()); base >= len(s.frame) {
				continue
			}
		}
		p.mapBits(&r.layerRule, s.frame, base, f)
	}
}

// transportSize returns the bytes of a plain frame's last header, as layer_size
// says them.
func (s *sampleParts) transportSize() uint32 {
	if s.plain.Proto == 6 {
		return uint32(s.plain.TCPSize)
	}
	return 8
}

// plainFlow returns the flow of a sample with a plain frame, as flowSample makes
// it, but for its rate.
func (p *Producer) plainFlow(agent []byte, sequence uint32, s *sampleParts) *Flow {
	f := p.begin(TypeSFlow5)
	f.SamplerAddress, f.SequenceNum = agent, sequence
	f.TimeFlowStartNs, f.TimeFlowEndNs = f.TimeReceivedNs, f.TimeReceivedNs
	n := &s.numbers
	f.InIf, f.OutIf = n[numInIf], n[numOutIf]
	f.Packets, f.Bytes = 1, uint64(s.bytes)
	f.SrcMAC, f.DstMAC, f.VLANID = s.srcMAC, s.dstMAC, n[numVLAN]
	f.SrcVLAN, f.DstVLAN = n[numSrcVLAN], n[numDstVLAN]
	f.Etype, f.Proto = etherTypeIPv4, uint32(s.plain.Proto)
	if s.plain.V6 {
		f.Etype = etherTypeIPv6
	}
	f.SrcAddr, f.DstAddr = s.src, s.dst
	f.SrcPort, f.DstPort, f.TCPFlags = n[numSrcPort], n[numDstPort], n[numTCPFlags]
	f.ICMPType, f.ICMPCode = n[numICMPType], n[numICMPCode]
	f.IPTOS, f.IPTTL, f.IPFlags = n[numTOS], n[numTTL], n[numIPFlags]
	f.IPv6FlowLabel, f.FragmentID = n[numFlowLabel], n[numFragID]
	f.NextHop, f.SrcNet, f.DstNet = s.nextHop, n[numSrcLen], n[numDstLen]
	f.BGPNextHop = s.bgpNextHop
	f.SrcAS, f.DstAS, f.NextHopAS = n[numSrcAS], n[numDstAS], n[numNextHopAS]
	f.BGPCommunities = appendWords(f.BGPCommunities, s.communities)
	for seg := s.segments; len(seg) >= 8; {
		end := 8 + 4*int(binary.BigEndian.Uint32(seg[4:]))
		f.ASPath = appendWords(f.ASPath, seg[8:end])
		seg = seg[end:]
	}
	for i := range stackLayers[s.stack&(numStacks-1)] {
		layer := &stackLayers[s.stack&(numStacks-1)][i]
		f.LayerStack = append(f.LayerStack, uint32(layer.kind))
		f.LayerSize = append(f.LayerSize, layer.size)
	}
	f.LayerSize[len(f.LayerSize)-1] = s.transportSize()
	if l := p.prog.layers; l != nil {
		p.mapPlain(l, s, f)
	}
	return f
}

// appendWords appends big-endian words of 4 bytes.
func appendWords(list []uint32, words []byte) []uint32 {
	for ; len(words) >= 4; words = words[4:] {
		list = append(list, binary.BigEndian.Uint32(words))
	}
	return list
}

// partPlaces are the places of numbers by their field, from 1; 0 for others.
var partPlaces = [numFields]uint8{
	fieldSrcPort: numSrcPort + 1, fieldDstPort: numDstPort + 1, fieldInIf: numInIf + 1, fieldOutIf: numOutIf + 1,
	fieldSrcVLAN: numSrcVLAN + 1, fieldDstVLAN: numDstVLAN + 1, fieldVLANID: numVLAN + 1, fieldIPTOS: numTOS + 1,
	fieldIPTTL: numTTL + 1, fieldIPFlags: numIPFlags + 1, fieldTCPFlags: numTCPFlags + 1, fieldICMPType: numICMPType + 1,
	fieldICMPCode: numICMPCode + 1, fieldIPv6FlowLabel: numFlowLabel + 1, fieldFragmentID: numFragID + 1, fieldSrcAS: numSrcAS + 1,
	fieldDstAS: numDstAS + 1, fieldNextHopAS: numNextHopAS + 1, fieldSrcNet: numSrcLen + 1, fieldDstNet: numDstLen + 1,
}
