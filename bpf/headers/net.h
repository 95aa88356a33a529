/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The headers on the wire, as far as the program reads them. */
#ifndef WEIR_NET_H
#define WEIR_NET_H

#include "kernel.h"

#define ETH_P_IP 0x0800
#define ETH_P_8021Q 0x8100
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021AD 0x88a8
#define ETH_P_QINQ1 0x9100 /* QinQ before 802.1ad */

struct ethhdr {
	__u8 dst[6];
	__u8 src[6];
	__be16 proto;
};

/* The destination, in one load with what follows it shifted out: the verifier knows that
 * the whole header is there. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ETHER_ADDR(eth) (*(const __u64 *)(eth) << 16)
#else
#define ETHER_ADDR(eth) (*(const __u64 *)(eth) >> 16 << 16)
#endif

struct vlanhdr {
	__be16 tci;
	__be16 proto; /* of what follows the tag */
};

#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */

struct iphdr {
	__u8 version_ihl;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__be16 check;
	__be32 saddr;
	__be32 daddr;
};

struct ip6hdr {
	__u8 version_class;
	__u8 flow[3];
	__be16 payload_len;
	__u8 nexthdr;
	__u8 hop_limit;
	__be64 saddr[2];
	__be64 daddr[2];
};

/* The first 8 bytes of a hop-by-hop, destination options or routing header. */
struct ip6ext {
	__u8 nexthdr;
	__u8 len; /* in units of 8 bytes, not counting the first 8 */
	__u8 type;
	__u8 segments_left; /* of a routing header */
	__u8 data[4];
};

struct udphdr {
	__be16 source;
	__be16 dest;
	__be16 len;
	__be16 check;
};

/* IPv4 protocols and IPv6 next headers. */
#define NEXT_HOPOPTS 0
#define NEXT_UDP 17
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_AH 51
#define NEXT_DSTOPTS 60
#define NEXT_MOBILITY 135
#define NEXT_HIP 139
#define NEXT_SHIM6 140

_Static_assert(sizeof(struct ethhdr) == 14, "Ethernet header");
_Static_assert(sizeof(struct iphdr) == 20, "IPv4 header");
_Static_assert(sizeof(struct ip6hdr) == 40, "IPv6 header");
_Static_assert(sizeof(struct ip6ext) == 8, "IPv6 extension header");
_Static_assert(sizeof(struct udphdr) == 8, "UDP header");

#endif
