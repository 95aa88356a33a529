package corpus

// differences are the fields in which weir and the reference differ, in some
// record of a capture, and why. The field "records" is the number of records of
// a datagram.
var differences = []struct{ capture, field, reason string }{
	{"nf9-h3c", "records", "tshark stops at the first data set: the template has a field of variable length (65535), which RFC 3954 does not know; H3C means it as IPFIX does"},
	{"nf9-graylog", "records", "tshark stops reading the datagram where its header's count says so; exporters count sets, or some of the records, and weir goes by the bytes"},
	{"nf9-nprobe", "time_flow_start_ns", "tshark prints an uptime of 0 as the Unix epoch; it is the time at which the exporter booted"},
	{"nf9-two-exporters-same-template-ids", "time_flow_start_ns", "tshark prints an uptime of 0 as the Unix epoch; it is the time at which the exporter booted"},
	{"nf9-cisco-101", "mpls_label", "tshark lists all sections, as numbers; weir ends the stack at the bit of its bottom or at the first section that is not used"},
	{"ipfix-cisco-401-mpls-bmp", "mpls_label", "tshark lists all sections, as numbers; weir ends the stack at the bit of its bottom or at the first section that is not used"},
	{"ipfix-cisco-100", "mpls_label", "tshark lists all sections, as numbers; weir ends the stack at the bit of its bottom or at the first section that is not used"},
	{"nf9-fluent-mpls", "mpls_label", "tshark lists all sections, as numbers; weir ends the stack at the bit of its bottom or at the first section that is not used"},
	{"nf9-softflowd-ether-mpls-real", "mpls_label", "tshark lists all sections, as numbers; weir ends the stack at the bit of its bottom or at the first section that is not used"},
	{"nf9-pmacctd-synth", "mpls_label", "tshark lists all sections, as numbers; weir ends the stack at the bit of its bottom or at the first section that is not used"},
	{"sflow5-telegraf-flow-counters", "out_if", "sflowtool prints the word of the output; the top bits say that it is no interface, but a number of interfaces (out_if_count)"},
	{"sflow5-tcpdump-ipv6-agent", "out_if", "sflowtool prints the word of the output; the top bits say that it is no interface, but a number of interfaces (out_if_count)"},
	{"sflow5-ovs", "out_if", "sflowtool prints the word of the output; the top bits say that it is no interface, but a number of interfaces (out_if_count)"},
	{"sflow5-pmacctd-real", "out_if", "sflowtool prints 0x3fffffff, which is the agent itself and no interface"},
	{"sflow5-pmacctd-real", "in_if", "sflowtool prints 0x3fffffff, which is the agent itself and no interface"},
}
