package corpus

// differences are the fields in which weir and the reference differ, in some
// record of a capture, and why. The field "records" is the number of records of
// a datagram.
var differences = []struct{ capture, field, reason string }{
	{"nf9-h3c", "records", "tshark stops at the first data set: the template has a field of variable length (65535), which RFC 3954 does not know; H3C means it as IPFIX does"},
	{"nf9-graylog", "records", "tshark stops reading the datagram where its header's count says so; exporters count sets, or some of the records, and weir goes by the bytes"},
	{"nf9-nprobe", "time_flow_start_ns", "tshark prints an uptime of 0 as the Unix epoch; it is the time at which the exporter booted"},
	{"nf9-two-exporters-same-template-ids", "time_flow_start_ns", "tshark prints an uptime of 0 as the Unix epoch; it is the time at which the exporter booted"},
	{"nf9-cisco-101", "mpls_label", "tshark lists the elements 70 to 75; FlowMessage has the labels of 70 to 72"},
	{"ipfix-cisco-401-mpls-bmp", "mpls_label", "tshark lists the elements 70 to 75; FlowMessage has the labels of 70 to 72"},
}
