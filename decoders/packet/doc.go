// Package packet reads the sampled packet headers that flow exporters send:
// the header of an sFlow raw header record and the frame of IPFIX information
// element 315 (dataLinkFrameSection).
//
// A sampled header is the first bytes of a packet, usually 64 to 256, cut
// anywhere. Its journey through [Parse]:
//
//	bytes ─▶ link.go       Ethernet, VLAN tags, LLC/SNAP, PPPoE, MPLS
//	      ─▶ ip.go         IPv4, IPv6 and the extension headers behind it
//	      ─▶ transport.go  TCP, UDP, ICMP, SCTP...: ports, flags, types
//	      ─▶ tunnel.go     GRE, EtherIP and others: back to link.go or ip.go
//
// Every header met adds one entry to the layer stack of [Headers]. Standard
// fields (addresses, ports, VLAN...) come from the outer packet alone, called
// the base stack: what a tunnel carries only adds layers, and ICMP type and
// code where no ICMP was met before. IP directly behind VLAN tags, PPPoE or
// MPLS is not a tunnel.
//
// The parser is pure: it allocates nothing, keeps nothing and does no I/O.
// Byte slices in [Headers] are views into the input. The work is bounded by
// [MaxLayers] and by the number of bytes that are there, whatever the bytes
// say. Functions of this package may be called concurrently as long as each
// caller has a [Headers] of its own.
package packet
