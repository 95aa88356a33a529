// Package cases reads flow exports that are written as text, for tests: what a
// device sends, by the names of elements, and the flows that are right.
//
//	case out counters of 0
//	exporter 192.0.2.1:2055
//	v9 7 uptime=60000 time=1700000000
//	template 256 sourceIPv4Address/4 destinationIPv4Address/4 IN_BYTES/4 OUT_BYTES/4
//	data 256 203.0.113.1 203.0.113.2 1500 0
//	flow src_addr=203.0.113.1 bytes=1500
//
// A line "v9" (source id), "ipfix" (domain) or "sflow" (agent) begins a datagram;
// "hex" is a whole one. Lines that follow add sets or samples:
//
//	template ID FIELD...
//	options ID SCOPE... : FIELD...
//	data ID VALUE...
//	set ID HEX                             the body of a set
//	sample NAME=VALUE...                   in, out, rate, expanded
//	discard NAME=VALUE...                  in, out, reason: a sample of format 5
//	header PROTOCOL FRAME HEX              raw header record of the sample
//	record ENTERPRISE:FORMAT HEX           any other record of the sample
//
// A field is NAME/LENGTH or NUMBER/LENGTH, with a vendor or enterprise in front
// where need be (cert:initialTCPFlags/2, 2636/137/4); a length of v is variable.
// Values are written by the element's type: numbers, addresses, MAC addresses,
// text in quotes, anything as x0a0b. Lines "data" with the id of the line before
// go into the same set. The header of v9 counts its records, or has count=N; behind=1 puts
// a message into the datagram before it. "wait 2s" lets time pass, and "fault NAME" is a
// reason that has to be counted. Lines "flow" are the flows that the case must give, in
// order, with the fields that count. "# " begins a comment.
package cases
