// Package workload makes flow export datagrams: NetFlow v5 and v9, IPFIX and
// sFlow v5 as a number of exporters would send them.
//
// The journey of one datagram: [Generator.Next] takes the streams (an exporter
// and its protocol) in turn; the stream's headers say the time of the generator's
// clock, the exporter's uptime and the next sequence number; flows are drawn one
// after the other, with addresses of documentation and benchmark ranges, heavy
// tailed counts and times shortly before the export; the protocol's encoder
// appends them to the payload. Beside the bytes a [Datagram] has the flows that
// went in, so that what a collector makes of them can be compared.
//
// The workloads:
//
//	nf5    30 records a datagram
//	nf9    24 records of 21 fields, 59 bytes; every 20th datagram of an exporter
//	       begins with the template and sampling options, and has 22 records
//	ipfix  12 IPv4 records of 18 fields and 4 IPv6 records of 19, times in NTP
//	       nanoseconds; every 20th datagram of an exporter begins with the
//	       templates and sampling options
//	sflow  8 flow samples with 128 bytes of header (TCP and UDP over IPv4 and
//	       IPv6, some with a VLAN tag), switch, router and gateway records; every
//	       16th datagram of an exporter has a counter sample too
//	mix    exporters of all four in turn. Those of v9 and IPFIX send 10 further
//	       templates each, with fields of variable length, enterprise fields,
//	       MPLS, NAT, MAC addresses, shortened integers and every form of time;
//	       every 20th datagram of theirs has templates and options alone
//
// Sequence numbers count what their protocol says: flows (v5), datagrams (v9,
// sFlow), data records, those of options included (IPFIX, RFC 7011 section 3.1).
//
// NetFlow and IPFIX datagrams are at most 1472 bytes long, so that none is
// fragmented on an Ethernet by IPv4. sFlow datagrams of 8 samples are longer; see
// [Config.MaxPayload].
//
// The same [Config] gives the same datagrams, byte by byte, as long as the clock
// is set the same way. A [Generator] does no I/O and belongs to one goroutine.
package workload
