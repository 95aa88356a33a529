// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

//go:build ignore

/*
 * Chooses, for each frame that an interface receives, between the AF_XDP socket
 * of a worker, the kernel's stack and nothing. Only an unfragmented UDP datagram
 * to a port of the collector, of an exporter that may send, leaves the ordinary
 * path; everything else, and whatever is in doubt, is passed to the stack.
 *
 * Functions stand in the order in which a frame meets them. Each takes what it
 * reads off the cursor. To a loader without CAP_PERFMON the verifier allows little
 * with pointers into the frame: to add constants, and to compare with data_end.
 * So what lies behind headers of variable length is loaded by a helper, no length
 * is the difference of pointers, and no such pointer is ever NULL.
 */
#include "kernel.h"
#include "maps.h"
#include "net.h"

#define MAX_VLAN_TAGS 2
#define MAX_EXT_HEADERS 4

/* How far the frame is parsed. */
struct cursor {
	struct xdp_md *ctx;
	void *data;
	void *end;   /* of the linear part */
	void *pos;   /* data + off while off is constant, and stays behind then */
	__u64 off;   /* of what comes next */
	__u64 total; /* length of the frame, unless old */
	int old;     /* the kernel is before 5.18; known to the compiler */
};

struct datagram {
	__be64 src[2]; /* IPv4 in the first 4 bytes, zeros after it */
	__be64 dst[2];
	__u64 family;
	__u64 port; /* destination, a __be16 */
	__u64 mac;  /* destination, as ETHER_ADDR */
};

/* Moves past the next n bytes, while all were constant; the caller may read them at
 * the old position then. Returns 0 if they are not all in the linear part. */
static __always_inline int take(struct cursor *c, __u64 n)
{
	if (c->pos + n > c->end)
		return 0;
	c->pos += n;
	c->off += n;
	return 1;
}

/* Whether n bytes, below 65536, follow, in the linear part or not. */
static __always_inline int holds(const struct cursor *c, __u64 n)
{
	if (c->old)
		return c->data + c->off + n <= c->end;
	return c->off + n <= c->total;
}

/* Copies the next n bytes, which are 8, and moves past them, or returns 0 if they are not all there. */
static __always_inline int load(struct cursor *c, void *to, const __u32 n)
{
	_Static_assert(sizeof(struct ip6ext) == 8 && sizeof(struct udphdr) == 8, "what is loaded has 8 bytes");
	if (c->old) {
		void *p = c->data + c->off;

		if (p + n > c->end)
			return 0;
		__builtin_memcpy(to, __builtin_assume_aligned(p, 8), n); /* in one load: the verifier needs no alignment here */
	} else if (bpf_xdp_load_bytes(c->ctx, c->off, to, n)) {
		return 0;
	}
	c->off += n;
	return 1;
}

static __always_inline int is_vlan(__be16 proto)
{
	return proto == HTONS(ETH_P_8021Q) || proto == HTONS(ETH_P_8021AD) || proto == HTONS(ETH_P_QINQ1);
}

/* The receiving functions return the verdict on a frame that is not for us, and
 * this of one that may be. */
#define GO_ON NUM_VERDICTS

/* Takes Ethernet and up to two tags. Hardware may have stripped tags before. */
static __always_inline enum verdict receive_ethernet(struct cursor *c, __be16 *proto, struct datagram *d)
{
	struct ethhdr *eth = c->pos;
	struct vlanhdr *vlan;
	int i;

	if (!take(c, sizeof(*eth)))
		return VERDICT_PASS_MALFORMED;
	*proto = eth->proto;
	d->mac = ETHER_ADDR(eth);
#pragma unroll
	for (i = 0; i < MAX_VLAN_TAGS; i++) {
		if (!is_vlan(*proto))
			return GO_ON;
		vlan = c->pos;
		if (!take(c, sizeof(*vlan)))
			return VERDICT_PASS_MALFORMED;
		*proto = vlan->proto;
	}
	return is_vlan(*proto) ? VERDICT_PASS_VLAN_DEPTH : GO_ON;
}

/* Takes UDP. space is how many bytes the IP header left for it, constant whether
 * the cursor's position is still good. */
static __always_inline enum verdict receive_udp(struct cursor *c, __u64 space, int constant, struct datagram *d)
{
	struct udphdr *here = c->pos;
	struct udphdr udp;
	__be16 wire;
	__u64 len;

	if (space < sizeof(udp) || !holds(c, space))
		return VERDICT_PASS_MALFORMED;
	if (constant && (void *)(here + 1) <= c->end) {
		wire = here->len;
		d->port = here->dest;
	} else {
		if (!load(c, &udp, sizeof(udp)))
			return VERDICT_PASS_MALFORMED;
		wire = udp.len;
		d->port = udp.dest;
	}
	len = ntohs(wire);
	if (len < sizeof(udp) || len > space)
		return VERDICT_PASS_MALFORMED;
	return GO_ON;
}

static __always_inline enum verdict receive_ipv4(struct cursor *c, struct datagram *d)
{
	struct iphdr *ip = c->pos;
	__u64 total, options;

	if (!take(c, sizeof(*ip)) || ip->version_ihl >> 4 != 4 || (ip->version_ihl & 15) < 5)
		return VERDICT_PASS_MALFORMED;
	options = (ip->version_ihl & 15) * 4 - sizeof(*ip);
	if (!holds(c, options))
		return VERDICT_PASS_MALFORMED;
	c->off += options;
	/* Every fragment, the first too: the stack puts them together. */
	if (ip->frag_off & HTONS(IP_FRAGMENT))
		return VERDICT_PASS_FRAGMENT;
	if (ip->protocol != NEXT_UDP)
		return VERDICT_PASS_NOT_UDP;
	total = ntohs(ip->tot_len);
	if (total < sizeof(*ip) + options)
		return VERDICT_PASS_MALFORMED;

	d->family = FAMILY_V4;
	d->src[0] = WORDS(ip->saddr, 0);
	d->dst[0] = WORDS(ip->daddr, 0);
	return receive_udp(c, total - sizeof(*ip) - options, options == 0, d);
}

static __always_inline enum verdict receive_ipv6(struct cursor *c, struct datagram *d)
{
	struct ip6hdr *ip = c->pos;
	struct ip6ext ext;
	__u64 space, more;
	__u8 next;
	int i;

	if (!take(c, sizeof(*ip)) || ip->version_class >> 4 != 6)
		return VERDICT_PASS_MALFORMED;
	space = ntohs(ip->payload_len);
	next = ip->nexthdr;
#pragma unroll
	for (i = 0; i < 2; i++) {
		d->src[i] = ip->saddr[i];
		d->dst[i] = ip->daddr[i];
	}
	d->family = FAMILY_V6;
	if (next == NEXT_UDP)
		return receive_udp(c, space, 1, d);

#pragma unroll
	for (i = 0; i <= MAX_EXT_HEADERS; i++) {
		if (next == NEXT_UDP)
			break;
		if (next == NEXT_FRAGMENT)
			return VERDICT_PASS_FRAGMENT;
		if (next == NEXT_AH || next == NEXT_MOBILITY || next == NEXT_HIP || next == NEXT_SHIM6)
			return VERDICT_PASS_EXT_HEADERS;
		if (next != NEXT_HOPOPTS && next != NEXT_ROUTING && next != NEXT_DSTOPTS)
			return VERDICT_PASS_NOT_UDP;
		/* One too many, or hop-by-hop options not in the first place (RFC 8200, 4.1). */
		if (i == MAX_EXT_HEADERS || (next == NEXT_HOPOPTS && i > 0))
			return VERDICT_PASS_EXT_HEADERS;
		if (!load(c, &ext, sizeof(ext)))
			return VERDICT_PASS_MALFORMED;
		/* The address is not the last one of the route: the stack forwards. */
		if (next == NEXT_ROUTING && ext.segments_left)
			return VERDICT_PASS_EXT_HEADERS;
		next = ext.nexthdr;
		more = ext.len * 8;
		if (space < sizeof(ext) + more || !holds(c, more))
			return VERDICT_PASS_MALFORMED;
		c->off += more;
		space -= sizeof(ext) + more;
	}
	return receive_udp(c, space, 0, d);
}

/* Whether the collector listens there: at any address of the family, or at this one. */
static __always_inline int listening(const struct datagram *d, __u64 on)
{
	const int v4 = d->family == FAMILY_V4;
	const __u8 how = ports.how[d->port];
	struct listen_key key;

	if (how & (v4 ? PORT_ANY_V4 : PORT_ANY_V6))
		return 1;
	if (!(on & HAS_BOUND) || !(how & (v4 ? PORT_BOUND_V4 : PORT_BOUND_V6)))
		return 0;
	key = (struct listen_key){ .addr = { d->dst[0], d->dst[1] }, .where = WORDS(d->port, d->family) };
	return bpf_map_lookup_elem(&listens, &key) != NULL;
}

/* Whether no host on a wire has this IPv4 address: 0/8, 127/8, and all from 224/4 on.
 * Of these the stack takes multicast, broadcast and 240/4 in some cases. */
static __always_inline int odd4(__be32 addr)
{
	__u32 first = FIRST_BYTE(addr);

	return first == 0 || first == 127 || first >= 224;
}

/* Whether an IPv4 address, or one of IPv6 folded, may be one of the host's: each of these
 * has a bit in two words, so that few others are looked up. hostBits in types_linux.go is
 * its twin. */
#define FOLD(x) (FIRST_WORD(x) ^ SECOND_WORD(x))
static __always_inline int may_be_own(__be32 word)
{
	__u32 h = word * 0x9e3779b1;

	return own_first >> (h >> 26) & own_second >> (h >> 20 & 63) & 1;
}

/* Whether the stack refuses such addresses (RFC 1812 section 5.3.7, RFC 4291), or may:
 * then it decides. */
static __always_inline int martian(const struct datagram *d, __u64 on)
{
	struct listen_key key;

	if (d->family == FAMILY_V4) {
		if (on & HAS_WIRE && (odd4(FIRST_WORD(d->src[0])) || odd4(FIRST_WORD(d->dst[0]))))
			return 1;
	} else {
		/* ::ffff:a.b.c.d does not occur on a wire (RFC 4038). To the rules it would be
		 * another exporter than a.b.c.d: the sockets, where both are one, decide. */
		if (!d->src[0] && FIRST_WORD(d->src[1]) == WORD(0xffff))
			return 1;
		/* ::/64 has ::, ::1 and what RFC 4291 gave up; ff00::/8 is multicast. */
		if (on & HAS_WIRE && (!d->src[0] || !d->dst[0] || FIRST_BYTE(d->src[0]) == 0xff || FIRST_BYTE(d->dst[0]) == 0xff))
			return 1;
	}
	if (!(on & HAS_WIRE))
		return 0;
	if (!may_be_own(d->family == FAMILY_V4 ? FIRST_WORD(d->src[0]) : FOLD(d->src[0] ^ d->src[1])))
		return 0;
	key = (struct listen_key){ .addr = { d->src[0], d->src[1] }, .where = WORDS(0, d->family) };
	return bpf_map_lookup_elem(&listens, &key) != NULL;
}

/* Whether the longest prefix that holds the exporter denies it. */
static __always_inline int denied(const struct datagram *d, __u64 on)
{
	__u32 *rule;

	if (!(on & HAS_RULES))
		return 0;
	if (d->family == FAMILY_V4) {
		/* struct rule4_key: 32, address */
		__u64 key = WORDS(32, FIRST_WORD(d->src[0]));

		rule = bpf_map_lookup_elem(&rules4, &key);
	} else {
		/* struct rule6_key: 128, address */
		__u64 key[3] = {
			WORDS(128, FIRST_WORD(d->src[0])),
			WORDS(SECOND_WORD(d->src[0]), FIRST_WORD(d->src[1])),
			WORDS(SECOND_WORD(d->src[1]), 0),
		};

		rule = bpf_map_lookup_elem(&rules6, key);
	}
	if (!rule)
		return !!(on & HAS_ALLOW);
	return *rule == RULE_DENY;
}

/*
 * Whether the exporter is over its cap, counted if so.
 *
 * A token bucket told by time: each datagram moves `next` on by its cost, from
 * now at the earliest, and is refused if it is more than the burst ahead. The
 * state is one aligned word, read and written whole, so it is never torn, and
 * no lock is taken (an LRU map could not hold one). CPUs that charge the same
 * exporter at the same moment may pay once for all of them: each such race lets
 * at most one datagram more than the cap pass per CPU. `dropped` is added to
 * atomically and exact while the exporter keeps its entry.
 */
static __always_inline int over_rate(const struct datagram *d, __u64 on)
{
	struct rate_key key;
	struct rate first = {};
	struct rate *r;
	__u64 now, next;

	if (!(on & HAS_RATE))
		return 0;
	key = (struct rate_key){ .addr = { d->src[0], d->src[1] }, .family = d->family };
	now = bpf_ktime_get_ns();
	r = bpf_map_lookup_elem(&rates, &key);
	if (!r) {
		/* Another CPU may have been first, then this datagram is free. */
		first.next = now + rate_cost;
		bpf_map_update_elem(&rates, &key, &first, BPF_NOEXIST);
		return 0;
	}
	next = *(volatile __u64 *)&r->next;
	if (next < now)
		next = now;
	if (next - now > rate_burst) {
		__sync_fetch_and_add(&r->dropped, 1);
		return 1;
	}
	*(volatile __u64 *)&r->next = next + rate_cost;
	return 0;
}

/* Mixes 64 bits so that each of them changes about half of the result's
 * (the finalizer of MurmurHash3, public domain). */
static __always_inline __u64 mix(__u64 h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	h ^= h >> 33;
	return h;
}

/* The worker of an exporter, the same on each queue. Worker in worker.go is its twin. */
static __always_inline __u64 worker_of(const struct datagram *d, __u64 each)
{
	__u64 h;

	if (each == 1)
		return 0;
	if (d->family == FAMILY_V4) {
		h = mix(ntohl(FIRST_WORD(d->src[0])));
	} else {
		h = mix(ntohll(d->src[0]));
		h = mix(h ^ ntohll(d->src[1]));
	}
	return ((h >> 32) * each) >> 32;
}

/* Reads the datagram that nearly all are: neither tags nor options, no fragment. It
 * takes one check against the end and, where lengths may be added to pointers, no
 * call. Returns 0 for all else, and for what is malformed: the others tell these apart. */
static __always_inline int receive_plain(struct xdp_md *ctx, int old, __u64 on, struct datagram *d)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct udphdr *udp = data + sizeof(*eth) + sizeof(*ip);
	__u64 total, len;

	if ((void *)(udp + 1) > end)
		return 0;
	/* Two words: EtherType, version and length, type of service; fragment, time to live, protocol. */
	if ((*(const __u32 *)&eth->proto & WORD(0xffffff00)) != WORD(ETH_P_IP << 16 | 0x4500) ||
	    (*(const __u32 *)&ip->frag_off & WORD(IP_FRAGMENT << 16 | 0xff)) != WORD(NEXT_UDP))
		return 0;
	total = ntohs(ip->tot_len);
	len = ntohs(udp->len);
	if (len < sizeof(*udp) || sizeof(*ip) + len > total)
		return 0;
	if (old || on & HAS_LINEAR) {
		if (data + sizeof(*eth) + total > end)
			return 0;
	} else if (sizeof(*eth) + total > bpf_xdp_get_buff_len(ctx)) {
		return 0;
	}
	d->family = FAMILY_V4;
	d->src[0] = WORDS(ip->saddr, 0);
	d->dst[0] = WORDS(ip->daddr, 0);
	d->port = udp->dest;
	d->mac = ETHER_ADDR(eth);
	return 1;
}

static __always_inline enum verdict receive_any(struct xdp_md *ctx, int old, struct datagram *d)
{
	void *data = (void *)(long)ctx->data;
	struct cursor c = {
		.ctx = ctx,
		.data = data,
		.end = (void *)(long)ctx->data_end,
		.pos = data,
		.old = old,
	};
	enum verdict v;
	__be16 proto;

	if (!old)
		c.total = bpf_xdp_get_buff_len(ctx);
	v = receive_ethernet(&c, &proto, d);
	if (v != GO_ON)
		return v;
	if (proto == HTONS(ETH_P_IP))
		return receive_ipv4(&c, d);
	if (proto == HTONS(ETH_P_IPV6))
		return receive_ipv6(&c, d);
	return VERDICT_PASS_NOT_IP;
}

/*
 * Counts down to when a worker that sleeps is to be woken up, and does so.
 *
 * left is read and written whole, and what both sides write at the same moment
 * only wakes a worker that need not be, or one frame later: what the worker has
 * set last is never raised. Once at 0 it stays there until the worker sets it.
 */
static __always_inline void count_down(__u64 slot, __u64 worker)
{
	__u64 key = KEY(slot), bell_key = KEY(worker);
	struct countdown *c = bpf_map_lookup_elem(&countdowns, &key);
	__u32 left;
	void *bell;

	if (!c)
		return;
	left = *(volatile __u32 *)&c->left;
	if (!left)
		return;
	*(volatile __u32 *)&c->left = --left;
	if (left)
		return;
	bell = bpf_map_lookup_elem(&bells, &bell_key);
	if (bell)
		bpf_ringbuf_output(bell, &key, sizeof(key), BPF_RB_FORCE_WAKEUP);
}

/* Whether a frame is longer than n bytes. If old, it is of one buffer. */
static __always_inline int longer(struct xdp_md *ctx, int old, __u64 n)
{
	if (old)
		return (void *)(long)ctx->data + n < (void *)(long)ctx->data_end;
	return bpf_xdp_get_buff_len(ctx) > n;
}

/* Decides about a datagram, and redirects it if it may. */
static __always_inline enum verdict admit(struct xdp_md *ctx, int old, __u64 on, const struct datagram *d)
{
	const __u64 each = workers;
	__u64 slot, worker;

	if (!listening(d, on))
		return VERDICT_PASS_OTHER_PORT;
	if (on & HAS_WIRE && d->mac != host_mac && d->mac != master_mac)
		return VERDICT_PASS_OTHER_MAC;
	if (martian(d, on))
		return VERDICT_PASS_MARTIAN;
	if (on & HAS_MAX_FRAME && longer(ctx, old, max_frame))
		return VERDICT_PASS_TOO_LONG;
	if (denied(d, on))
		return VERDICT_DROP_DENIED;
	if (over_rate(d, on))
		return VERDICT_DROP_RATE;
	if (ctx->rx_queue_index >= queues)
		return VERDICT_PASS_NO_SOCKET;
	worker = worker_of(d, each);
	slot = (__u64)ctx->rx_queue_index * each + worker;
	/* To the stack if the slot has no socket. */
	if (bpf_redirect_map(&xsks, slot, XDP_PASS) != XDP_REDIRECT)
		return VERDICT_PASS_NO_SOCKET;
	if (!old)
		count_down(slot, worker);
	return VERDICT_REDIRECT;
}

/* Counts a verdict and returns its action. */
static __always_inline int act(enum verdict v)
{
	/* Each CPU has its own count, and the program does not nest. */
	__u64 which = v, key, *n;

	/* Hides from the compiler where v comes from: it would carry what follows from it
	 * along, in parts of words of the stack (see maps.h). */
	asm("" : "+r"(which));
	key = KEY(which);
	n = bpf_map_lookup_elem(&verdicts, &key);

	if (n)
		(*n)++;
	if (which == VERDICT_REDIRECT)
		return XDP_REDIRECT;
	if (which == VERDICT_DROP_DENIED || which == VERDICT_DROP_RATE)
		return XDP_DROP;
	return XDP_PASS;
}

static __always_inline int handle(struct xdp_md *ctx, int old)
{
	__u64 on = has;
	struct datagram d = {};
	enum verdict v;

	asm("" : "+r"(on)); /* else the compiler may keep it in half a word of the stack */

	if (receive_plain(ctx, old, on, &d))
		return act(admit(ctx, old, on, &d)); /* its own copy: the compiler knows the family */
	v = receive_any(ctx, old, &d);
	asm("" : "+r"(d.family)); /* and this as a condition in half a word */
	if (v == GO_ON) {
		/* A call for the verifier, which forgets its registers by it: on 6.1 and without
		 * CAP_PERFMON it would look at seven times as many instructions of what follows. */
		bpf_get_smp_processor_id();
		v = admit(ctx, old, on, &d);
	}
	return act(v);
}

/* From Linux 5.18 on, with or without frames of several buffers. */
SEC("xdp")
int weir(struct xdp_md *ctx)
{
	return handle(ctx, 0);
}

/* Before that, for frames of one buffer. Adds lengths to pointers, for which the
 * loader needs CAP_PERFMON. */
SEC("xdp")
int weir_before_518(struct xdp_md *ctx)
{
	return handle(ctx, 1);
}

/* The helpers in use need no GPL; the licence says what the source says. */
char _license[] SEC("license") = "Dual BSD/GPL";
