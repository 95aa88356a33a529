package producer

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/decoders/packet"
)

// Bounds of what a rule may ask of a layer, in bits.
const (
	// MaxLayerOffset is the largest offset in a layer.
	MaxLayerOffset = 65535 * 8
	// MaxLayerLength is the largest number of bits.
	MaxLayerLength = 8192
)

// layerProgram is the part of a program that looks at sampled headers.
type layerProgram struct {
	// kinds are the rules of the layers that packet has a name for, by place;
	// custom layers are behind the others.
	kinds [kindLayer + 1][]layerRule
	any   uint32 // bit of each place that has rules
	// whole are the rules of the header as such, payload those of what lies
	// after the transport layer.
	whole, payload []layerRule
	// Rules of layers by what announces them. The numbers are EtherTypes, IP
	// protocols, and keys of ports.
	etypes, protos, byPort []numberedRule

	ports    []portRule
	portBits [16]uint64 // of the low ten bits of the ports
	numbered bool       // there are some of these
	// fused says that no rule sets a field of FlowMessage.
	fused bool
	// plain are the rules for plain frames, by their stack of headers.
	plain [numStacks][]plainRule
}

// kindLayer is the place of the layers that packet calls custom.
const kindLayer = int(packet.LayerTeredo) + 1

type layerRule struct {
	target         target
	encap          bool
	offset, length int // bits
}

type numberedRule struct {
	number uint32
	layerRule
}

type namedRule struct {
	name string
	layerRule
}

type portRule struct {
	key   uint32
	start packet.Start
}

// portKey is a port with its protocol and direction.
func portKey(tcp, dst bool, port uint16) uint32 {
	key := uint32(port)
	if tcp {
		key |= 1 << 17
	}
	if dst {
		key |= 1 << 16
	}
	return key
}

// layerNamed are the layers by the names that goflow2 has for them.
var layerNamed = []struct {
	name  string
	kinds []uint8
}{
	{"ethernet", []uint8{packet.LayerEthernet}},
	{"2", []uint8{packet.LayerEthernet}},
	{"dot1q", []uint8{packet.LayerDot1Q}},
	{"mpls", []uint8{packet.LayerMPLS}},
	{"ipv4", []uint8{packet.LayerIPv4}},
	{"ipv6", []uint8{packet.LayerIPv6}},
	{"ip", []uint8{packet.LayerIPv4, packet.LayerIPv6}},
	{"3", []uint8{packet.LayerIPv4, packet.LayerIPv6}},
	{"ipv6eh_routing", []uint8{packet.LayerIPv6Routing}},
	{"ipv6eh_fragment", []uint8{packet.LayerIPv6Fragment}},
	{"ipv6-route", []uint8{packet.LayerIPv6Routing}},
	{"ipv6-frag", []uint8{packet.LayerIPv6Fragment}},
	{"ipv6eh", []uint8{packet.LayerIPv6Routing, packet.LayerIPv6Fragment}},
	{"tcp", []uint8{packet.LayerTCP}},
	{"udp", []uint8{packet.LayerUDP}},
	{"4", []uint8{packet.LayerTCP, packet.LayerUDP}},
	{"icmp", []uint8{packet.LayerICMP}},
	{"icmpv6", []uint8{packet.LayerICMPv6}},
	{"icmp6", []uint8{packet.LayerICMPv6}},
	{"ipv6-icmp", []uint8{packet.LayerICMPv6}},
	{"gre", []uint8{packet.LayerGRE}},
	{"teredo-dst", []uint8{packet.LayerTeredo}},
	{"teredo", []uint8{packet.LayerTeredo}},
	{"geneve", []uint8{packet.LayerGeneve}},
}

// Layers that are no header of their own, or none that packet reads.
const (
	layerWhole   = "0"
	layerPayload = "7"
	layerARP     = "arp"
	etherTypeARP = 0x0806
)

// LayerNames describes what LayerRule.Layer may be, for messages.
func LayerNames() string {
	names := []string{layerWhole, layerPayload, layerARP}
	for _, l := range layerNamed {
		names = append(names, l.name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ") + "; etype and a number such as etype2048 or etype0x0800, proto, udp or tcp and a number such as proto17, udp53"
}

// parsers are the names that PortRule.Parser may have.
var parsers = []struct {
	name  string
	start packet.Start
}{
	{"dot1q", packet.StartVLAN}, {"ethernet", packet.StartEthernet}, {"geneve", packet.StartGeneve}, {"gre", packet.StartGRE},
	{"icmp", packet.StartICMP}, {"ipv4", packet.StartIPv4}, {"ipv6", packet.StartIPv6}, {"ipv6-frag", packet.StartIPv6Fragment},
	{"ipv6-icmp", packet.StartICMPv6}, {"ipv6-route", packet.StartIPv6Routing}, {"mpls", packet.StartMPLS}, {"tcp", packet.StartTCP},
	{"teredo-dst", packet.StartTeredo}, {"udp", packet.StartUDP}, {"vxlan", packet.StartVXLAN},
}

// ParserNames returns the names that PortRule.Parser may have.
func ParserNames() []string {
	var names []string
	for _, p := range parsers {
		names = append(names, p.name)
	}
	return names
}

// layers compiles the rules of sampled headers.
func (c *compiler) layers() {
	m := c.mapping
	if len(m.Layers)+len(m.Ports) == 0 {
		return
	}
	l := &layerProgram{fused: true}
	for i := range m.Layers {
		c.layer(l, fmt.Sprintf("sflow.mapping[%d]", i), &m.Layers[i])
	}
	l.sort(c.named)
	l.numbered = len(l.etypes)+len(l.protos)+len(l.byPort) > 0
	for i := range m.Ports {
		c.port(l, fmt.Sprintf("sflow.ports[%d]", i), &m.Ports[i])
	}
	l.compilePlain()
	c.program.layers = l
}

func (c *compiler) layer(l *layerProgram, path string, r *LayerRule) {
	t, ok := c.target(path, r.Destination, r.Little, r.Quiet)
	if ok && t.custom == nil {
		l.fused = false
	}
	rule := layerRule{target: t, encap: r.Encap, offset: r.Offset, length: r.Length}
	if r.Offset < 0 || r.Offset > MaxLayerOffset {
		c.fault(path+".offset", fmt.Sprint(r.Offset), "not an offset in a layer", fmt.Sprintf("0 to %d bits", MaxLayerOffset))
	}
	number := t.number()
	switch {
	case r.Length < 1 || r.Length > MaxLayerLength:
		c.fault(path+".length", fmt.Sprint(r.Length), "not a length in a layer", fmt.Sprintf("1 to %d bits", MaxLayerLength))
	case ok && number && r.Length > 64:
		c.fault(path+".length", fmt.Sprint(r.Length), "longer than the number "+r.Destination+" can be", "1 to 64 bits, or a destination of type bytes or string")
	case r.Little && r.Length%8 != 0:
		c.fault(path+".length", fmt.Sprint(r.Length), "part of a byte in little-endian order", "whole bytes, or endian big")
	}
	name := strings.ToLower(r.Layer)
	if c.program.compat && (name != r.Layer || name == layerWhole || name == layerPayload || name == layerARP || name == "icmp6") {
		ok = false // goflow2 does not find it
	}
	if name == layerWhole && r.Encap {
		c.fault(path+".encap", "true", "layer 0 is the whole header, which no tunnel carries", "false")
	}
	for _, n := range layerNamed {
		if n.name == name {
			if ok {
				c.named = append(c.named, namedRule{name, rule})
			}
			return
		}
	}
	if !l.place(name, rule, ok) {
		c.fault(path+".layer", r.Layer, "unknown layer", LayerNames())
	}
}

// number tells whether the target takes a number.
func (t *target) number() bool {
	if t.custom != nil {
		return t.custom.varint
	}
	return t.field != fieldCustom && fieldTable[t.field].kind != kindBytes && fieldTable[t.field].kind != kindBytesList
}

// place adds a rule where its layer will be met; false if there is no such
// layer. Without use it only looks.
func (l *layerProgram) place(name string, rule layerRule, use bool) bool {
	add := func(list *[]layerRule) {
		if use {
			*list = append(*list, rule)
		}
	}
	numbered := func(list *[]numberedRule, number uint32) {
		if use {
			*list = append(*list, numberedRule{number, rule})
		}
	}
	switch name {
	case layerWhole:
		add(&l.whole)
		return true
	case layerPayload:
		add(&l.payload)
		return true
	case layerARP:
		numbered(&l.etypes, etherTypeARP)
		return true
	}
	text, etype := strings.CutPrefix(name, "etype")
	digits, hex := strings.CutPrefix(text, "0x")
	base := 10
	if hex {
		base = 16
	}
	if etype {
		n, err := strconv.ParseUint(digits, base, 16)
		numbered(&l.etypes, uint32(n))
		return err == nil
	}
	if text, ok := strings.CutPrefix(name, "proto"); ok {
		n, err := strconv.ParseUint(text, 10, 8)
		numbered(&l.protos, uint32(n))
		return err == nil
	}
	for _, proto := range []string{"udp", "tcp"} {
		if text, ok := strings.CutPrefix(name, proto); ok {
			n, err := strconv.ParseUint(text, 10, 16)
			numbered(&l.byPort, portKey(proto == "tcp", false, uint16(n)))
			return err == nil
		}
	}
	return false
}

// sort places the rules of layers with a name, in the order in which goflow2
// looks them up: name by name, then as they stand in the file.
func (l *layerProgram) sort(rules []namedRule) {
	for _, n := range layerNamed {
		for _, r := range rules {
			if r.name != n.name {
				continue
			}
			for _, kind := range n.kinds {
				l.kinds[kind] = append(l.kinds[kind], r.layerRule)
				l.any |= 1 << kind
			}
		}
	}
}

func (c *compiler) port(l *layerProgram, path string, r *PortRule) {
	if r.Proto != "udp" && r.Proto != "tcp" {
		c.fault(path+".proto", r.Proto, "unknown protocol", "udp, tcp")
	}
	if !r.Src && !r.Dst {
		c.fault(path+".dir", "", "no direction", "src, dst, both")
	}
	at := slices.IndexFunc(parsers, func(p struct {
		name  string
		start packet.Start
	}) bool {
		return p.name == r.Parser
	})
	if at < 0 {
		c.fault(path+".parser", r.Parser, "unknown parser", strings.Join(ParserNames(), ", "))
		return
	}
	for _, dst := range []bool{false, true} {
		if dst && !r.Dst || !dst && !r.Src {
			continue
		}
		key := portKey(r.Proto == "tcp", dst, r.Port)
		if slices.ContainsFunc(l.ports, func(p portRule) bool { return p.key == key }) {
			c.fault(path+".port", fmt.Sprint(r.Port), "port has a parser already", "each port and direction once")
			continue
		}
		l.ports = append(l.ports, portRule{key, parsers[at].start})
		l.portBits[r.Port>>6&15] |= 1 << (r.Port & 63)
	}
}

// portAt returns what a port of a transport header says lies after it, and the
// key of that port. The destination counts first.
func (l *layerProgram) portAt(tcp bool, header []byte) (start packet.Start, key uint32, ok bool) {
	src, dst := binary.BigEndian.Uint16(header), binary.BigEndian.Uint16(header[2:])
	if l.portBits[dst>>6&15]>>(dst&63)&1 != 0 {
		if start, ok := l.portStart(portKey(tcp, true, dst)); ok {
			return start, portKey(tcp, false, dst), true
		}
	}
	if l.portBits[src>>6&15]>>(src&63)&1 != 0 {
		if start, ok := l.portStart(portKey(tcp, false, src)); ok {
			return start, portKey(tcp, false, src), true
		}
	}
	return 0, 0, false
}

func (l *layerProgram) portStart(key uint32) (packet.Start, bool) {
	for i := range l.ports {
		if l.ports[i].key == key {
			return l.ports[i].start, true
		}
	}
	return 0, false
}
