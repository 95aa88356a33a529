package main

import (
	"slices"
	"strconv"
	"strings"

	flowpb "github.com/netsampler/goflow2/v2/pb"

	"github.com/weirflow/weir/producer/schema"
)

// A cause is why weir and goflow2 differ on purpose. Differences go by cause, not
// by capture: one that no cause explains fails the test, and so does a cause that
// explains nothing.
type cause struct {
	name string
	// reason says what goflow2 does and what weir does instead.
	reason string
	// always: the difference is there with -compat goflow2 too.
	always   bool
	explains func(d *difference) bool
}

var causes = []cause{
	{"error", "goflow2 drops the whole datagram where it cannot read a part of it: version 1 and 7, an unknown template beside a known one; weir reads the rest", true,
		func(d *difference) bool { return d.form == "records" && d.err != nil }},
	{"both directions", "a record that counts both directions is two flows; goflow2 has the first", false,
		func(d *difference) bool {
			return d.form == "records" && d.err == nil && version(d) == 10 && number(d.weir) > number(d.their)
		}},
	{"count", "goflow2 stops a v9 datagram at its header's count, and makes a v5 datagram's count of records out of zeros; weir goes by the bytes", true,
		func(d *difference) bool {
			return d.form == "records" && d.err == nil && (version(d) == 9 || version(d) == 5)
		}},
	{"after count", "what goflow2 did not read of a datagram it does not know later: a sampling rate", true,
		func(d *difference) bool { return d.damaged && d.field == "sampling_rate" }},

	{"escapes", "goflow2 loses a message as JSON, and what follows it in the datagram, where a text has quotation marks or control characters, and writes bytes that are no UTF-8; weir escapes them", true,
		func(d *difference) bool {
			return d.form == "json" && (d.their == "(no JSON)" || strings.Contains(d.weir, `\ufffd`))
		}},
	{"quotes in text", "a text with spaces or other characters with a meaning is quoted in the text format; goflow2 writes it bare", true,
		func(d *difference) bool { return d.form == "text" && strings.Contains(d.weir, `"`) }},

	{"fields of weir", "fields that goflow2 does not have: docs/fields.md marks them", false,
		func(d *difference) bool {
			return slices.ContainsFunc(schema.Fields, func(f schema.Field) bool { return f.Extra && f.Name == d.field }) &&
				(d.their == "" || d.their == "(no column)")
		}},

	{"rate", "the sampling rate is that of the record (34, 50, 305, 309, 311, 396), of its sampler, selector or sequence (48, 302, 301), interface, line card or template, or of the exporter's domain 0 or only table, and counts the space between samples (306); goflow2 has the last interval that the domain announced, for the flows in front of it in the datagram too", false,
		func(d *difference) bool { return d.field == "sampling_rate" && (version(d) == 9 || version(d) == 10) }},
	{"interfaces", "in_if and out_if of sFlow are indexes of interfaces: what is discarded, goes out by several or is of the agent itself has 0; goflow2 writes the word as it is sent", false,
		func(d *difference) bool {
			return version(d) != 9 && version(d) != 10 && (d.field == "in_if" || d.field == "out_if") && number(d.weir) == 0 && number(d.their) >= 1<<30-1
		}},
	{"end of labels", "the label stack of elements 70 to 79 ends at the bit of its bottom, or at the first section that is not used; goflow2 has a label 0 for those, and three at most", false,
		func(d *difference) bool { return d.field == "mpls_label" && (version(d) == 9 || version(d) == 10) }},
	{"uptime clock", "the uptime of v9 and v5 wraps after 49.7 days; goflow2 is off by that for v9 flows that began before, and for v5 flows that end after their export", false,
		func(d *difference) bool {
			delta := int64(number(d.weir) - number(d.their))
			return isTime(d) && (version(d) == 9 || version(d) == 5) && delta != 0 && delta%(1<<32*1_000_000) == 0
		}},
	{"precedence", "goflow2 has the last of several elements of a field, and none of those that weir knows beside; weir has the first one that is not zero by rank (docs/fields.md), 12 bits of VLANs, and ICMP of the destination port", false,
		func(d *difference) bool {
			fields := []string{"bytes", "packets", "src_addr", "dst_addr", "src_net", "dst_net", "etype", "proto", "src_port", "dst_port", "in_if", "out_if",
				"src_mac", "dst_mac", "src_vlan", "dst_vlan", "vlan_id", "ip_tos", "ip_ttl", "forwarding_status", "icmp_type", "icmp_code", "icmp_name", "icmp",
				"next_hop", "next_hop_as", "bgp_next_hop", "octets"} // the last is what mapping 01 calls bytes
			return !sampled(d) && slices.Contains(fields, d.field)
		}},
	{"times in order", "goflow2 has times as they are sent: 0, weeks back where the exporter's uptime is 0, and starts after the end; weir reads those of NTP era 1 and of events", false,
		func(d *difference) bool { return isTime(d) && (version(d) == 5 || version(d) == 9 || version(d) == 10) }},
	{"absolute times in v9", "goflow2 takes elements 150 to 159 for unknown in v9", false,
		func(d *difference) bool { return isTime(d) && version(d) == 9 && number(d.their)%1_000_000_000 == 0 }},
	{"relative times in IPFIX", "goflow2 takes elements 21 and 22 for unknown in IPFIX; weir knows the uptime by 160, or the duration", false,
		func(d *difference) bool { return isTime(d) && version(d) == 10 && number(d.their)%1_000_000_000 == 0 }},
	{"NTP", "goflow2 converts fractions of NTP times by floating point, and those before 1970 to times beyond all ages", false,
		func(d *difference) bool {
			delta := int64(number(d.weir) - number(d.their))
			return isTime(d) && version(d) == 10 && (delta >= -1 && delta <= 1 || number(d.weir) == 0)
		}},
	{"no prefix", "without an address, or with more bits than it has, there is no prefix; goflow2 writes \"invalid Prefix\"", false,
		func(d *difference) bool {
			return (d.field == "src_net" || d.field == "dst_net") && strings.Trim(d.their, `"`) == "invalid Prefix" && strings.Trim(d.weir, `"`) == ""
		}},
	{"VLAN", "vlan_id has the 12 bits of the id; goflow2 leaves priority and DEI in it", false,
		func(d *difference) bool {
			return d.field == "vlan_id" && sampled(d) && number(d.weir) == number(d.their)&0xfff
		}},
	{"ICMP", "goflow2 does not set ICMP type and code of sampled packets", false,
		func(d *difference) bool {
			return (d.field == "icmp_type" || d.field == "icmp_code" || d.field == "icmp_name" || d.field == "icmp") && sampled(d) && d.g.IcmpType|d.g.IcmpCode == 0
		}},
	{"fragments", "a later fragment has no ports, and no header behind IP; goflow2 reads them from the payload", false,
		func(d *difference) bool { return sampled(d) && d.w.FragmentOffset != 0 }},
	{"header lengths", "layers have the length that they say: IPv4 options, GRE flags, MPLS labels with a meaning of their own; goflow2 takes fixed ones, and reads what follows at the wrong place", false,
		func(d *difference) bool {
			return sampled(d) && (options(d.datagram.payload) || len(d.w.MplsLabel) != len(d.g.MplsLabel))
		}},
	{"TCP length", "goflow2 takes the length of a TCP header from its flags", false,
		func(d *difference) bool {
			return d.field == "layer_size" && sampled(d) && stack(d.w, flowpb.FlowMessage_TCP)
		}},
	{"other frames", "goflow2 reads sampled headers that begin with Ethernet alone; weir those that begin with IPv4, IPv6 and MPLS too", false,
		func(d *difference) bool {
			return sampled(d) && len(d.g.LayerStack) == 0 && len(d.g.SrcAddr) == 0 && d.g.SrcMac == 0
		}},
	{"more headers", "weir goes on where goflow2 stops: 0x88a8, LLC and SNAP, PPPoE, AH, hop-by-hop and destination options, SCTP", false,
		func(d *difference) bool {
			return sampled(d) && slices.Contains(d.w.LayerStack, flowpb.FlowMessage_Custom)
		}},
	{"cut header", "the last layer of a header that is cut has its fields as far as they are there, and its size; goflow2 adds a size of 0 and no layer", false,
		func(d *difference) bool {
			return sampled(d) && (len(d.w.LayerStack) != len(d.g.LayerStack) || len(d.g.LayerSize) != len(d.g.LayerStack))
		}},
	{"padding", "goflow2 reads the bytes that fill up a sampled header to a multiple of four as if they were sampled", false,
		func(d *difference) bool { return sampled(d) && padded(d.datagram.payload) }},
	{"tags in tunnels", "what a tag or label in a tunnel carries is carried; goflow2 takes it for the outer packet", false,
		func(d *difference) bool { return sampled(d) && (d.w.DstPort == 5002 || d.w.DstPort == 5004) }},
	{"extension headers", "proto is that behind the extension headers of IPv6; goflow2's is that of the first of them", false,
		func(d *difference) bool {
			return d.field == "proto" && sampled(d) && slices.Contains([]uint32{0, 43, 44, 60}, d.g.Proto)
		}},

	{"names of destinations", "a mapping may name a destination as flow.proto does (in_if); goflow2 takes that for nothing", false,
		func(d *difference) bool {
			return strings.HasPrefix(d.mapping, "06") || d.mapping == sampleMapping && d.field == "sampling_rate"
		}},
	{"part of a byte", "a mapped number of more than 8 bits, not a multiple of 8, has the value of these bits; goflow2 puts the last of them into a byte of their own", false,
		func(d *difference) bool { return strings.HasPrefix(d.mapping, "08") && d.custom }},
	{"layers of the documentation", "the layers 0, 7, arp and icmp6, and names in capitals, are found; goflow2 has them in its documentation alone", false,
		func(d *difference) bool { return strings.HasPrefix(d.mapping, "11") && d.custom }},
}

// version is that of the datagram, 5 for sFlow too.
func version(d *difference) int { return int(d.datagram.payload[0])<<8 | int(d.datagram.payload[1]) }

func sampled(d *difference) bool {
	return d.w != nil && (d.w.Type == flowpb.FlowMessage_SFLOW_5 || d.w.Type == flowpb.FlowMessage_IPFIX && len(d.w.LayerStack)+len(d.g.LayerSize) > 0)
}

func isTime(d *difference) bool {
	return d.field == "time_flow_start_ns" || d.field == "time_flow_end_ns"
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64) // absent is 0
	return n
}

func stack(m *flowpb.FlowMessage, layer flowpb.FlowMessage_LayerStack) bool {
	return slices.Contains(m.LayerStack, layer)
}

// padded tells whether the sampled header of a crafted datagram is filled up.
func padded(payload []byte) bool {
	const at = 28 + 8 + 32 + 8 + 12 // datagram, sample, flow sample, record, its fields
	return len(payload) > at+4 && payload[3] == 5 && payload[at+3]%4 != 0
}

// options tells whether a crafted frame has headers of unusual length.
func options(payload []byte) bool {
	s := string(payload)
	return strings.Contains(s, "\x08\x00\x46\x10") || strings.Contains(s, "\x20\x00\x08\x00\x00\x00\x00\x07")
}
