/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the program shares with user space: verdicts, constants, maps. The Go
 * side of each type is in types_linux.go, of the verdicts in verdict.go; a test
 * compares them with the BTF of the object.
 */
#ifndef WEIR_MAPS_H
#define WEIR_MAPS_H

#include "kernel.h"

/* What became of a frame. The names after VERDICT_ are the labels of the metric. */
enum verdict {
	VERDICT_REDIRECT = 0,
	VERDICT_PASS_NOT_IP,
	VERDICT_PASS_FRAGMENT,
	VERDICT_PASS_NOT_UDP,
	VERDICT_PASS_OTHER_PORT,
	VERDICT_PASS_MALFORMED,
	VERDICT_PASS_EXT_HEADERS,
	VERDICT_PASS_VLAN_DEPTH,
	VERDICT_PASS_NO_SOCKET,
	VERDICT_PASS_TOO_LONG,
	VERDICT_PASS_OTHER_MAC,
	VERDICT_PASS_MARTIAN,
	VERDICT_DROP_DENIED,
	VERDICT_DROP_RATE,
	NUM_VERDICTS,
};

/*
 * Constants, written by the loader before the program is verified: branches
 * that they rule out are not in the program that runs.
 */
volatile const __u32 workers = 1;     /* sockets on each queue, at least 1 */
volatile const __u32 queues = 1;      /* receive queues that have sockets */
volatile const __u32 max_frame = 0;   /* the longest frame, which is of one buffer, that a socket can take */
volatile const __u32 has = 0;         /* bits of what follows */
volatile const __u64 own_first = 0;   /* bits of the host's addresses, which are in listens at port 0: see own */
volatile const __u64 own_second = 0;
volatile const __u64 host_mac = 0;    /* the interface's ETHER_ADDR */
volatile const __u64 master_mac = 0;  /* another that is taken too, or the same */
volatile const __u64 rate_cost = 0;   /* ns a datagram costs its exporter */
volatile const __u64 rate_burst = 0;  /* ns an exporter may be ahead */

#define HAS_BOUND 1     /* listens has entries of addresses to listen at */
#define HAS_MAX_FRAME 2 /* longer frames go to the stack */
#define HAS_WIRE 4      /* frames come from outside: what is not for this host goes to the stack */
#define HAS_RULES 8     /* rules4 or rules6 has entries */
#define HAS_ALLOW 16    /* one of them allows: whom none matches is denied */
#define HAS_RATE 32     /* exporters have a cap */
#define HAS_LINEAR 64   /* frames are of one buffer, and the loader has CAP_PERFMON */

#define FAMILY_V4 4
#define FAMILY_V6 6

/* What listens to a port: bits for each family. */
#define PORT_ANY_V4 1 /* at any address */
#define PORT_ANY_V6 2
#define PORT_BOUND_V4 4 /* at addresses that are in listens */
#define PORT_BOUND_V6 8

/* By port number as it is on the wire: the program need not swap its bytes. */
struct port_table {
	__u8 how[65536];
};

/*
 * Keys are written to the stack in words of 8 bytes. Before Linux 6.8 and without
 * CAP_PERFMON, the verifier rejects a partial write to a stack slot that holds a
 * spilled scalar with known bounds ("attempt to corrupt spilled pointer").
 */

/* An IPv4 address is in the first 4 bytes of addr, the rest zero. */
struct listen_key {
	__be64 addr[2];
	__u64 where; /* __be32 port, __u32 family */
};

struct rule4_key {
	__u32 prefixlen;
	__be32 addr;
};

struct rule6_key {
	__u32 prefixlen;
	__be32 addr[4];
};

#define RULE_DENY 0
#define RULE_ALLOW 1

struct rate_key {
	__be64 addr[2];
	__u64 family;
};

struct rate {
	__u64 next;    /* bpf_ktime_get_ns() up to which the exporter has spent */
	__u64 dropped; /* datagrams over the cap */
};

/* Sizes that depend on the configuration are set by the loader. */

/* Read by user space, written by the program: each CPU its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, enum verdict);
	__type(value, __u64);
	__uint(max_entries, NUM_VERDICTS);
} verdicts SEC(".maps");

/* Written by user space alone, as are the listens and the rules. A variable, whose map the
 * loader fills: the address of it is known to the program, so that no look-up is needed. */
struct port_table ports;

/* Asked about a port that has bound listens, and, at port 0, about a source that may be
 * an address of this host. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct listen_key);
	__type(value, __u32);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
} listens SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct rule4_key);
	__type(value, __u32);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
} rules4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct rule6_key);
	__type(value, __u32);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
} rules6 SEC(".maps");

/* Written by the program on any CPU: see over_rate. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct rate_key);
	__type(value, struct rate);
	__uint(max_entries, 1);
} rates SEC(".maps");

/* Slot queue * workers + worker. Written by user space; the kernel clears the
 * slot of a socket that is closed. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} xsks SEC(".maps");

/* A line of its own for each, as both sides write it. */
struct countdown {
	__u32 left; /* frames until the worker's bell is rung, 0: it is awake */
	__u32 unused[15];
};

/* By slot. A worker that is going to sleep sets left, the program counts it down. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct countdown);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} countdowns SEC(".maps");

struct bell {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* By worker. What is written to a bell says nothing: it wakes who polls it. Not
 * before Linux 5.18. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__type(key, __u32);
	__uint(max_entries, 1);
	__array(values, struct bell);
} bells SEC(".maps");

#endif
