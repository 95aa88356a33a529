// Package packet reads the sampled packet headers that flow exporters send:
// the header of an sFlow raw header record and the frame of IPFIX information
// element 315 (dataLinkFrameSection).
//
// A sampled header is the first bytes of a packet, usually 64 to 256, cut
// anywhere. Its journey through [Parse]:
//
//	bytes ─▶ link.go       Ethernet, VLAN tags
//	      ─▶ shim.go       802.1BR, VN-Tag, PBB, TrustSec, MACsec, LLC/SNAP...
//	         serial.go     PPPoE, PPP, HDLC, frame relay, 802.11
//	         mpls.go       label stacks, Ethernet pseudowires
//	      ─▶ ip.go         IPv4, IPv6 and the extension headers after it
//	      ─▶ transport.go  TCP, UDP, ICMP, SCTP...: ports, flags, types
//	      ─▶ tunnel.go     GRE, EtherIP and others: back to link.go or ip.go
//	         inner.go      what tunnels carry: Headers.Tunnel, Headers.Inner
//	         peek.go       tunnels that add no layers: VXLAN, GTP-U, ERSPAN...
//
// Every header met adds one entry to the layer stack of [Headers]. Standard
// fields (addresses, ports, VLAN...) come from the outer packet alone, called
// the base stack: what a tunnel carries only adds layers, and ICMP type and
// code where no ICMP was met before. Headers in front of the first IP header
// are not tunnels, even if they carry whole frames, as an Ethernet pseudowire
// or PBB: the addresses are those of the first IP header. The MAC addresses are
// those of the outermost frame.
//
// The first tunnel after an IP header fills Headers.Inner. Tunnels on UDP
// ports, and others that Parse reads for this alone, add no layers.
//
// A frame without an IP header that the package could find has
// Headers.Unknown, so that flows without addresses can be counted by what they
// are.
//
// The parser is pure: it allocates nothing, keeps nothing and does no I/O.
// Byte slices in [Headers] are views into the input. The work is bounded by
// [MaxLayers] and by the number of bytes that are there, whatever the bytes
// say. Functions of this package may be called concurrently as long as each
// caller has a [Headers] of its own.
package packet
