package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// node is a JSON value whose members keep their order.
type node struct {
	text    string // of a string, number or bool
	members []member
	items   []node
}

type member struct {
	key   string
	value node
}

// get returns the member of that key, an empty node if there is none.
func (n node) get(key string) node {
	for _, m := range n.members {
		if m.key == key {
			return m.value
		}
	}
	return node{}
}

// first returns the text of a value, or that of its first item.
func (n node) first() string {
	if len(n.items) > 0 {
		return n.items[0].first()
	}
	return n.text
}

// last returns the text of a value, or that of its last item.
func (n node) last() string {
	if len(n.items) > 0 {
		return n.items[len(n.items)-1].last()
	}
	return n.text
}

// texts returns the texts of a list, or that of a single value.
func (n node) texts() []string {
	if n.items == nil {
		return []string{n.text}
	}
	var all []string
	for _, item := range n.items {
		all = append(all, item.first())
	}
	return all
}

func parseNode(d *json.Decoder) (node, error) {
	tok, err := d.Token()
	if err != nil {
		return node{}, err
	}
	switch tok {
	case json.Delim('{'):
		n := node{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return n, err
			}
			value, err := parseNode(d)
			if err != nil {
				return n, err
			}
			n.members = append(n.members, member{key.(string), value})
		}
		_, err := d.Token()
		return n, err
	case json.Delim('['):
		n := node{items: []node{}}
		for d.More() {
			item, err := parseNode(d)
			if err != nil {
				return n, err
			}
			n.items = append(n.items, item)
		}
		_, err := d.Token()
		return n, err
	}
	return node{text: fmt.Sprint(tok)}, nil
}

// reference reads what another decoder made of a capture, a line a datagram;
// nil if there is no such file.
func reference(t *testing.T, dir, name, ending string) []node {
	t.Helper()
	path := filepath.Join(dir, "reference", name+ending)
	f, err := os.Open(path)
	var in io.Reader = f
	if err != nil {
		if f, err = os.Open(path + ".gz"); err != nil {
			return nil
		}
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	defer f.Close()
	var all []node
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			d := json.NewDecoder(bytes.NewReader(line))
			d.UseNumber()
			n, err := parseNode(d)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			all = append(all, n)
		}
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// clock is what a reference says about an exporter's clock.
type clock struct {
	v9       bool
	exportNs int64
	uptimeMs uint32
	bootNs   int64 // 0 if unknown
}

// tsharkClock reads the clock from the header of a NetFlow or IPFIX message.
func tsharkClock(h node) clock {
	c := clock{v9: h.get("version").text != "10"}
	secs := h.get("exporttime").text
	if secs == "" {
		secs = h.get("unix_secs").text
	}
	nsecs, _ := strconv.ParseInt(h.get("unix_nsecs").text, 10, 64)
	s, _ := strconv.ParseInt(secs, 10, 64)
	c.exportNs = s*1e9 + nsecs
	c.uptimeMs = uint32(seconds(h.get("sysuptime").text) / 1e6)
	return c
}

// seconds reads seconds with decimals as nanoseconds.
func seconds(s string) int64 {
	whole, decimals, _ := strings.Cut(s, ".")
	n, _ := strconv.ParseInt(whole, 10, 64)
	f, _ := strconv.ParseInt((decimals + "000000000")[:9], 10, 64)
	return n*1e9 + f
}

// date reads a date as tshark prints it, as Unix nanoseconds.
func date(s string) (int64, bool) {
	at, err := time.Parse("Jan _2, 2006 15:04:05.000000000 MST", s)
	if err != nil {
		return 0, false
	}
	return at.UnixNano(), true
}

// onClock turns a time on the exporter's uptime clock into Unix nanoseconds.
func (c clock) onClock(s string) int64 {
	at := uint32(seconds(s) / 1e6)
	up := c.uptimeMs
	if c.bootNs != 0 {
		up = uint32(c.exportNs/1e6 - c.bootNs/1e6)
	}
	if ahead := at - up; ahead <= 3600_000 {
		return c.exportNs + int64(ahead)*1e6
	}
	return c.exportNs - int64(up-at)*1e6
}

// expected are field values by the names of the JSON output.
type expected map[string]string

// plain maps tshark's names of fields to those of the JSON output, where the
// value is a number or an address and needs no more than another notation.
var plain = map[string]string{
	"protocol": "proto", "tos": "ip_tos", "tcpflags": "tcp_flags",
	"octets": "bytes", "packets": "packets", "post_octets": "bytes", "post_packets": "packets",
	"srcport": "src_port", "dstport": "dst_port", "inputint": "in_if", "outputint": "out_if",
	"srcas": "src_as", "dstas": "dst_as", "srcmask": "src_net", "dstmask": "dst_net",
	"srcmaskv6": "src_net", "dstmaskv6": "dst_net", "nexthop": "next_hop", "nexthopv6": "next_hop",
	"bgpnexthop": "bgp_next_hop", "bgpnexthopv6": "bgp_next_hop",
	"srcmac": "src_mac", "dstmac": "dst_mac", "post_srcmac": "src_mac", "post_dstmac": "dst_mac",
	"post_vlanid": "dst_vlan", "ipv6flowlabel": "ipv6_flow_label",
	"icmp_ipv4_type": "icmp_type", "icmp_ipv4_code": "icmp_code",
	"icmp_ipv6_type": "icmp_type", "icmp_ipv6_code": "icmp_code",
	"ttl_min": "ip_ttl", "frag_ident": "fragment_id", "observation_point_id": "observation_point_id",
}

// fromTshark says which values a data record should have. A field that is twice
// in a template has the last of its values; but where the capture has reverse
// elements (RFC 5103), which tshark does not tell from the others and which
// come after them, the first.
func fromTshark(rec node, c clock, reverse bool) expected {
	e := expected{}
	if at, ok := date(rec.get("sys_init_time").first()); ok {
		c.bootNs = at
	}
	var start, end, absStart, absEnd string
	for _, m := range rec.members {
		value := m.value.last()
		if reverse {
			value = m.value.first()
		}
		if to := plain[m.key]; to != "" {
			e[to] = decimal(value)
			continue
		}
		switch m.key {
		case "srcaddr", "srcaddrv6":
			e.address("src_addr", value)
		case "dstaddr", "dstaddrv6":
			e.address("dst_addr", value)
		case "vlanid":
			e["vlan_id"], e["src_vlan"] = value, value
		case "icmp_type_code_ipv4", "icmp_type_code_ipv6":
			n, _ := strconv.ParseUint(value, 0, 32)
			e["icmp_type"], e["icmp_code"] = fmt.Sprint(n>>8&0xff), fmt.Sprint(n&0xff)
		case "toplabeladdr", "toplabeladdr_v6":
			e["mpls_ip"] = strings.TrimPrefix(e["mpls_ip"]+","+value, ",")
		case "ip_version":
			e["etype"] = map[string]string{"4": "IPv4", "6": "IPv6"}[value]
		case "mpls_label":
			e["mpls_label"] = strings.Join(m.value.texts(), ",")
		case "sampling_interval":
			if value != "0" {
				e["sampling_rate"] = value
			}
		case "timestart":
			start = value
		case "timeend":
			end = value
		case "abstimestart":
			absStart = value
		case "abstimeend":
			absEnd = value
		}
	}
	if at, ok := date(absStart); ok {
		e["time_flow_start_ns"] = fmt.Sprint(at)
	}
	if at, ok := date(absEnd); ok {
		e["time_flow_end_ns"] = fmt.Sprint(at)
	}
	switch {
	case c.v9 || c.bootNs != 0:
		if start != "" && absStart == "" {
			e["time_flow_start_ns"] = fmt.Sprint(c.onClock(start))
		}
		if end != "" && absEnd == "" {
			e["time_flow_end_ns"] = fmt.Sprint(c.onClock(end))
		}
	case start != "" && end != "":
		e["duration"] = fmt.Sprint(int64(uint32(seconds(end)/1e6)-uint32(seconds(start)/1e6)) * 1e6)
	}
	return e
}

// address sets an address, unless it is zero and there is one already.
func (e expected) address(field, value string) {
	if _, ok := e[field]; ok && (value == "::" || value == "0.0.0.0") {
		return
	}
	e[field] = value
}

// decimal rewrites hexadecimal numbers.
func decimal(s string) string {
	if strings.HasPrefix(s, "0x") {
		if n, err := strconv.ParseUint(s, 0, 64); err == nil {
			return fmt.Sprint(n)
		}
	}
	return s
}

// fromSflowtool says which values a flow sample should have.
func fromSflowtool(datagram, sample node) expected {
	e := expected{
		"sampler_address": shortest(datagram.get("agent").text),
		"sequence_num":    datagram.get("packetSequenceNo").text,
		"sampling_rate":   sample.get("meanSkipCount").text,
		"in_if":           sample.get("inputPort").text,
		"out_if":          interfaces(sample.get("outputPort").text),
		"packets":         "1",
	}
	names := map[string]string{
		"sampledPacketSize": "bytes", "decodedVLAN": "vlan_id", "IPProtocol": "proto", "IPTOS": "ip_tos", "IPTTL": "ip_ttl",
		"srcIP": "src_addr", "dstIP": "dst_addr", "TCPSrcPort": "src_port", "TCPDstPort": "dst_port", "TCPFlags": "tcp_flags",
		"UDPSrcPort": "src_port", "UDPDstPort": "dst_port", "ICMPType": "icmp_type", "ICMPCode": "icmp_code",
		"IPFragmentOffset": "fragment_offset", "in_vlan": "src_vlan", "out_vlan": "dst_vlan",
		"nextHop": "next_hop", "srcSubnetMask": "src_net", "dstSubnetMask": "dst_net",
		"src_as": "src_as", "dst_as": "dst_as", "dst_peer_as": "next_hop_as", "bgp_nexthop": "bgp_next_hop",
	}
	for _, element := range sample.get("elements").items {
		for _, m := range element.members {
			value := m.value.first()
			if to := names[m.key]; to != "" {
				e[to] = value
				continue
			}
			switch m.key {
			case "srcMAC", "dstMAC":
				e[map[string]string{"srcMAC": "src_mac", "dstMAC": "dst_mac"}[m.key]] = colons(value)
			case "srcIP6", "dstIP6":
				e[map[string]string{"srcIP6": "src_addr", "dstIP6": "dst_addr"}[m.key]] = shortest(value)
			case "IPID": // printed as it stands in memory, on a little-endian machine
				n, _ := strconv.ParseUint(value, 10, 16)
				e["fragment_id"] = fmt.Sprint(bits.ReverseBytes16(uint16(n)))
			case "ethernet_type":
				e["etype"] = map[string]string{"2048": "IPv4", "34525": "IPv6", "2054": "ARP"}[value]
			case "IP6_label":
				e["ipv6_flow_label"] = decimal(value)
			case "dst_as_path":
				e["as_path"] = strings.ReplaceAll(value, "-", ",")
			case "BGP_communities":
				e["bgp_communities"] = strings.ReplaceAll(value, "-", ",")
			}
		}
	}
	return e
}

// interfaces reads an interface; several are a number with the upper bits 10.
func interfaces(s string) string {
	if n, ok := strings.CutPrefix(s, "multiple "); ok {
		several, _ := strconv.ParseUint(n, 10, 30)
		return fmt.Sprint(1<<31 | several)
	}
	return s
}
