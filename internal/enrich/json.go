package enrich

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/flowpb"
	"github.com/weirflow/weir/producer/geo"
)

// member is one member of a JSON object: where its key and its value stand.
type member struct {
	key        string // without its quotes; escapes are not resolved
	start, end int    // of the value
}

// members walks the members of the object that text is, and calls f for each. It
// reports false if text is no object.
func members(text []byte, f func(member)) bool {
	i := space(text, 0)
	if i == len(text) || text[i] != '{' {
		return false
	}
	i = space(text, i+1)
	if i < len(text) && text[i] == '}' {
		return space(text, i+1) == len(text)
	}
	for {
		keyEnd := skipString(text, i)
		if keyEnd < 0 {
			return false
		}
		m := member{key: string(text[i+1 : keyEnd-1])}
		i = space(text, keyEnd)
		if i == len(text) || text[i] != ':' {
			return false
		}
		m.start = space(text, i+1)
		if m.end = skipValue(text, m.start); m.end < 0 {
			return false
		}
		f(m)
		if i = space(text, m.end); i == len(text) {
			return false
		}
		switch text[i] {
		case ',':
			i = space(text, i+1)
		case '}':
			return space(text, i+1) == len(text)
		default:
			return false
		}
	}
}

func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// skipString returns where the string that begins at i ends, or -1.
func skipString(text []byte, i int) int {
	if i >= len(text) || text[i] != '"' {
		return -1
	}
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// skipValue returns where the value that begins at i ends, or -1.
func skipValue(text []byte, i int) int {
	begin, depth := i, 0
	for i < len(text) {
		switch text[i] {
		case '"':
			if i = skipString(text, i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of what the value is in
				return endOfWord(i, begin)
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return endOfWord(i, begin)
			}
		}
		i++
	}
	return -1
}

func endOfWord(i, begin int) int {
	if i == begin {
		return -1
	}
	return i
}

// appendJSON appends a JSON object with what is known of its addresses in it, and
// all other members as they were. It returns dst and ErrObject for what is no
// object.
func (r *Rewriter) appendJSON(dst, text []byte) ([]byte, error) {
	var src, to geo.Answer
	if !members(text, func(m member) {
		if r.cache == nil || m.end-m.start < 2 || text[m.start] != '"' {
			return
		}
		switch m.key {
		case "src_addr":
			src = r.findText(text[m.start+1 : m.end-1])
		case "dst_addr":
			to = r.findText(text[m.start+1 : m.end-1])
		}
	}) {
		return dst, ErrObject
	}
	type change struct {
		key, value string
		have       bool
	}
	changes := make([]change, 0, 5)
	number := func(key string, v uint64) {
		if v != 0 {
			changes = append(changes, change{key: key, value: strconv.FormatUint(v, 10)})
		}
	}
	number("sampling_rate", r.rate)
	number("src_as", uint64(src.AS))
	number("dst_as", uint64(to.AS))
	changes = append(changes,
		change{key: "src_country", value: `"` + src.Country.String() + `"`},
		change{key: "dst_country", value: `"` + to.Country.String() + `"`})

	at, any := 0, false
	members(text, func(m member) {
		any = true
		for i := range changes {
			c := &changes[i]
			if c.key != m.key {
				continue
			}
			c.have = true
			if c.value != `""` { // what is not known stays as it was
				dst = append(append(dst, text[at:m.start]...), c.value...)
				at = m.end
			}
		}
	})
	end := len(text)
	for text[end-1] != '}' {
		end--
	}
	dst = append(dst, text[at:end-1]...)
	for _, c := range changes {
		if c.have {
			continue
		}
		if any {
			dst = append(dst, ',')
		}
		any = true
		dst = append(append(append(append(dst, '"'), c.key...), `":`...), c.value...)
	}
	return append(dst, '}'), nil
}

func (r *Rewriter) findText(text []byte) geo.Answer {
	addr, err := netip.ParseAddr(string(text))
	if err != nil {
		return geo.Answer{}
	}
	b := addr.As16() // mapped or not is the same to the cache
	if addr.Is4() {
		return r.cache.Find(b[12:])
	}
	return r.cache.Find(b[:])
}

// jsonFlow has what is in a flow as JSON.
type jsonFlow struct {
	Type            string   `json:"type"`
	TimeReceivedNs  uint64   `json:"time_received_ns"`
	SequenceNum     uint32   `json:"sequence_num"`
	SamplingRate    uint64   `json:"sampling_rate"`
	SamplerAddress  string   `json:"sampler_address"`
	TimeFlowStartNs uint64   `json:"time_flow_start_ns"`
	TimeFlowEndNs   uint64   `json:"time_flow_end_ns"`
	Bytes           uint64   `json:"bytes"`
	Packets         uint64   `json:"packets"`
	SrcAddr         string   `json:"src_addr"`
	DstAddr         string   `json:"dst_addr"`
	Etype           string   `json:"etype"`
	Proto           string   `json:"proto"`
	SrcPort         uint32   `json:"src_port"`
	DstPort         uint32   `json:"dst_port"`
	InIf            uint32   `json:"in_if"`
	OutIf           uint32   `json:"out_if"`
	SrcMAC          string   `json:"src_mac"`
	DstMAC          string   `json:"dst_mac"`
	SrcVLAN         uint32   `json:"src_vlan"`
	DstVLAN         uint32   `json:"dst_vlan"`
	VLANID          uint32   `json:"vlan_id"`
	IPTOS           uint32   `json:"ip_tos"`
	Forwarding      uint32   `json:"forwarding_status"`
	IPTTL           uint32   `json:"ip_ttl"`
	IPFlags         uint32   `json:"ip_flags"`
	TCPFlags        uint32   `json:"tcp_flags"`
	ICMPType        uint32   `json:"icmp_type"`
	ICMPCode        uint32   `json:"icmp_code"`
	FlowLabel       uint32   `json:"ipv6_flow_label"`
	FragmentID      uint32   `json:"fragment_id"`
	FragmentOffset  uint32   `json:"fragment_offset"`
	SrcAS           uint32   `json:"src_as"`
	DstAS           uint32   `json:"dst_as"`
	NextHop         string   `json:"next_hop"`
	NextHopAS       uint32   `json:"next_hop_as"`
	SrcNet          string   `json:"src_net"`
	DstNet          string   `json:"dst_net"`
	BGPNextHop      string   `json:"bgp_next_hop"`
	BGPCommunities  []uint32 `json:"bgp_communities"`
	ASPath          []uint32 `json:"as_path"`
	MPLSTTL         []uint32 `json:"mpls_ttl"`
	MPLSLabel       []uint32 `json:"mpls_label"`
	MPLSIP          []string `json:"mpls_ip"`
	Domain          uint32   `json:"observation_domain_id"`
	Point           uint32   `json:"observation_point_id"`
	LayerStack      []string `json:"layer_stack"`
	LayerSize       []uint32 `json:"layer_size"`
	RoutingAddrs    []string `json:"ipv6_routing_header_addresses"`
	RoutingSegLeft  uint32   `json:"ipv6_routing_header_seg_left"`
	SrcCountry      string   `json:"src_country"`
	DstCountry      string   `json:"dst_country"`
}

// parseJSON reads a flow that goflow2 or weir wrote as JSON. Names that it does
// not know become 0; an EtherType without a name is not in the JSON at all.
func (p *parser) parseJSON(text []byte) error {
	var j jsonFlow
	if err := json.Unmarshal(text, &j); err != nil {
		return fmt.Errorf("%w: %w", ErrObject, err)
	}
	p.reset()
	f := &p.flow
	f.Type = uint32(flowpb.FlowMessage_FlowType_value[j.Type])
	f.TimeReceivedNs, f.TimeFlowStartNs, f.TimeFlowEndNs = j.TimeReceivedNs, j.TimeFlowStartNs, j.TimeFlowEndNs
	f.SequenceNum, f.SamplingRate, f.SamplerAddress = j.SequenceNum, j.SamplingRate, addrBytes(j.SamplerAddress)
	f.Bytes, f.Packets = j.Bytes, j.Packets
	f.SrcAddr, f.DstAddr = addrBytes(j.SrcAddr), addrBytes(j.DstAddr)
	f.Etype = map[string]uint32{"IPv4": 0x800, "IPv6": 0x86dd, "ARP": 0x806}[j.Etype]
	f.Proto = protocolNumber(j.Proto)
	f.SrcPort, f.DstPort, f.InIf, f.OutIf = j.SrcPort, j.DstPort, j.InIf, j.OutIf
	f.SrcMAC, f.DstMAC = macNumber(j.SrcMAC), macNumber(j.DstMAC)
	f.SrcVLAN, f.DstVLAN, f.VLANID = j.SrcVLAN, j.DstVLAN, j.VLANID
	f.IPTOS, f.ForwardingStatus, f.IPTTL, f.IPFlags, f.TCPFlags = j.IPTOS, j.Forwarding, j.IPTTL, j.IPFlags, j.TCPFlags
	f.ICMPType, f.ICMPCode, f.IPv6FlowLabel = j.ICMPType, j.ICMPCode, j.FlowLabel
	f.FragmentID, f.FragmentOffset = j.FragmentID, j.FragmentOffset
	f.SrcAS, f.DstAS, f.NextHopAS = j.SrcAS, j.DstAS, j.NextHopAS
	f.NextHop, f.BGPNextHop = addrBytes(j.NextHop), addrBytes(j.BGPNextHop)
	f.SrcNet, f.DstNet = prefixLength(j.SrcNet), prefixLength(j.DstNet)
	f.BGPCommunities = append(f.BGPCommunities, j.BGPCommunities...)
	f.ASPath = append(f.ASPath, j.ASPath...)
	f.MPLSTTL = append(f.MPLSTTL, j.MPLSTTL...)
	f.MPLSLabel = append(f.MPLSLabel, j.MPLSLabel...)
	for _, ip := range j.MPLSIP {
		f.MPLSIP = append(f.MPLSIP, addrBytes(ip))
	}
	f.ObservationDomainID, f.ObservationPointID = j.Domain, j.Point
	for _, name := range j.LayerStack {
		f.LayerStack = append(f.LayerStack, uint32(flowpb.FlowMessage_LayerStack_value[name]))
	}
	f.LayerSize = append(f.LayerSize, j.LayerSize...)
	for _, ip := range j.RoutingAddrs {
		if b := addrBytes(ip); len(b) == 16 {
			p.routing = append(p.routing, b...)
		}
	}
	f.RoutingAddresses, f.RoutingSegLeft = p.routing, j.RoutingSegLeft
	f.SrcCountry, _ = geo.ParseCountry([]byte(j.SrcCountry))
	f.DstCountry, _ = geo.ParseCountry([]byte(j.DstCountry))
	return nil
}

func addrBytes(s string) []byte {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return nil
	}
	return addr.AsSlice()
}

func prefixLength(s string) uint32 {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return 0
	}
	return uint32(p.Bits())
}

func macNumber(s string) (mac uint64) {
	for i := 0; i+2 <= len(s); i += 3 {
		b, err := strconv.ParseUint(s[i:i+2], 16, 8)
		if err != nil {
			return 0
		}
		mac = mac<<8 | b
	}
	return mac
}

func protocolNumber(name string) uint32 {
	if name == "TCP" {
		return 6
	}
	for n := uint32(1); n < 146; n++ {
		if producer.ProtocolName(n) == name {
			return n
		}
	}
	return 0
}
