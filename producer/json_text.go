package producer

// jsonForm is how a member of a JSON record is written.
type jsonForm uint8

const (
	formNumber jsonForm = iota
	formAddr            // a string, "" where there is none
	formNet             // the prefix of the address before it, as a string
	formMAC             // a string
	formName            // a string of our own tables
	formList            // an array of numbers
	formNames           // an array of strings
)

// jsonMember is a member of a JSON record: its key, its form, and the field of
// flowpb.FlowMessage that it shows.
type jsonMember struct {
	key   string
	form  jsonForm
	field int
}

// jsonMembers are the members in their order, which AppendJSON writes too.
var jsonMembers = [...]jsonMember{
	{"type", formName, 1},
	{"time_received_ns", formNumber, 110},
	{"sequence_num", formNumber, 4},
	{"sampling_rate", formNumber, 3},
	{"sampler_address", formAddr, 11},
	{"time_flow_start_ns", formNumber, 111},
	{"time_flow_end_ns", formNumber, 112},
	{"bytes", formNumber, 9},
	{"packets", formNumber, 10},
	{"src_addr", formAddr, 6},
	{"dst_addr", formAddr, 7},
	{"etype", formName, 30},
	{"proto", formName, 20},
	{"src_port", formNumber, 21},
	{"dst_port", formNumber, 22},
	{"in_if", formNumber, 18},
	{"out_if", formNumber, 19},
	{"src_mac", formMAC, 27},
	{"dst_mac", formMAC, 28},
	{"src_vlan", formNumber, 33},
	{"dst_vlan", formNumber, 34},
	{"vlan_id", formNumber, 29},
	{"ip_tos", formNumber, 23},
	{"forwarding_status", formNumber, 24},
	{"ip_ttl", formNumber, 25},
	{"ip_flags", formNumber, 38},
	{"tcp_flags", formNumber, 26},
	{"icmp_type", formNumber, 31},
	{"icmp_code", formNumber, 32},
	{"ipv6_flow_label", formNumber, 37},
	{"fragment_id", formNumber, 35},
	{"fragment_offset", formNumber, 36},
	{"src_as", formNumber, 14},
	{"dst_as", formNumber, 15},
	{"next_hop", formAddr, 12},
	{"next_hop_as", formNumber, 13},
	{"src_net", formNet, 16},
	{"dst_net", formNet, 17},
	{"bgp_next_hop", formAddr, 100},
	{"bgp_communities", formList, 101},
	{"as_path", formList, 102},
	{"mpls_ttl", formList, 80},
	{"mpls_label", formList, 81},
	{"mpls_ip", formNames, 82},
	{"observation_domain_id", formNumber, 70},
	{"observation_point_id", formNumber, 71},
	{"layer_stack", formNames, 103},
	{"layer_size", formList, 104},
	{"ipv6_routing_header_addresses", formNames, 105},
	{"ipv6_routing_header_seg_left", formNumber, 106},
}

// quotes returns what stands before and behind a value of the form.
func (f jsonForm) quotes() (before, behind string) {
	switch f {
	case formAddr, formNet, formMAC, formName:
		return `"`, `"`
	case formList, formNames:
		return "[", "]"
	}
	return "", ""
}

// jsonBefore returns the text between the value of member i-1 and that of
// member i; with the number of members, what stands behind the last value.
func jsonBefore(i int) string {
	text := "{"
	if i > 0 {
		_, text = jsonMembers[i-1].form.quotes()
		if i == len(jsonMembers) {
			return text + "}"
		}
		text += ","
	}
	before, _ := jsonMembers[i].form.quotes()
	return text + `"` + jsonMembers[i].key + `":` + before
}
