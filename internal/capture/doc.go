// Package capture reads UDP datagrams out of packet captures.
//
// The journey of one datagram: a file (pcap or pcapng, plain or gzip'ed) gives
// packet records; the link layer of a record names its network protocol, VLAN
// tags are stepped over; the IP header is checked against the bytes that are
// there; fragments wait in a bounded table until their datagram is whole; what
// is UDP leaves [Reader.Next] as a [Datagram] with its capture time and
// addresses. Everything else is counted by reason in [Stats], where each packet
// record ends in exactly one counter.
//
// [Open] streams and keeps nothing; [Load] takes a whole file into memory, for
// callers that go over it many times. A capture that ends in the middle of a
// record yields all that came before it and then a [*DamagedError].
//
// Nothing here logs. A [Reader] belongs to one goroutine; two readers share
// nothing.
package capture
