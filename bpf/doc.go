// Package bpf holds the XDP program that takes flow datagrams off the ordinary
// path of an interface, and what user space needs to load and to read it.
//
// A frame's way through the program (weir.bpf.c): Ethernet and up to two VLAN
// tags, IPv4 with options or IPv6 with up to four extension headers, UDP; is
// its destination one of the collector's [Listen] addresses; may its exporter
// send ([Config] Allow and Deny); is the exporter within its rate; which worker
// is it for ([Worker]); has that worker a socket on this receive queue. Then it
// is redirected to that AF_XDP socket. A frame that fails at any of the steps is
// passed to the kernel network stack, where the ordinary UDP socket receives what is
// the collector's; only datagrams of denied exporters and those over the rate
// are dropped. Each frame ends in exactly one [Verdict], counted per CPU.
//
// What the program takes for the collector's:
//
//   - No fragment, not even the first: the stack reassembles.
//   - No IPv6 packet with an authentication, mobility or unknown header, with
//     hop-by-hop options not in the first place, or on a source route that has
//     not ended.
//   - Only whole datagrams: lengths in the IP and UDP headers must fit each
//     other and the frame. Bytes beyond the IP length (Ethernet padding) are
//     left for the reader to cut off.
//   - Checksums are not verified, neither of the IP header nor of UDP: a reader
//     that does not trust its network card has to.
//   - The destination MAC address is not looked at, and a Listen without an
//     address takes the port for all destinations, also of datagrams that this
//     host would forward or bridge. On such a host, listen on its addresses.
//   - The headers of Ethernet and IP must lie in the linear part of a
//     multi-buffer frame, where drivers put far more than that.
//
// The program is immutable: other rules or addresses need another [Load] and the
// replacement of the program on the interface. [Load] needs CAP_BPF and
// CAP_NET_ADMIN, no more, from Linux 5.18 on; with CAP_PERFMON and without
// [Config] Frags the program needs one call less for a frame. From Linux 5.6 on it loads a twin
// of the program that knows no multi-buffer frames and needs CAP_PERFMON too. The
// program is built for little-endian machines.
//
// On other systems than Linux only the declarations without the kernel are here.
package bpf
