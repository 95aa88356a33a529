/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the program needs of the kernel's interface, and no more: fixed-width
 * types, the XDP context and actions, map types and flags, eight helpers. The
 * numbers are those of the kernel's include/uapi/linux/bpf.h; they never change.
 */
#ifndef WEIR_KERNEL_H
#define WEIR_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef __u16 __be16; /* in network byte order */
typedef __u32 __be32;
typedef __u64 __be64;

_Static_assert(sizeof(__u16) == 2 && sizeof(__u32) == 4 && sizeof(__u64) == 8, "width of integers");

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))

/* BTF-defined maps: the loader reads these members' types. */
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]

#define NULL ((void *)0)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ntohl(x) ((__u32)__builtin_bswap32(x))
#define ntohll(x) __builtin_bswap64(x)
/* Two words as they follow in memory, in one number, and each of them. */
#define WORDS(first, second) ((__u64)(first) | (__u64)(second) << 32)
#define FIRST_WORD(x) ((__u32)(x))
#define SECOND_WORD(x) ((__u32)((x) >> 32))
/* The first byte in memory of a number. */
#define FIRST_BYTE(x) ((__u8)(x))
#define WORD(x) ((__be32)__builtin_bswap32(x)) /* of a constant */
#define HTONS(x) ((__be16)((((x)&0xff) << 8) | (((x)&0xff00) >> 8))) /* of a constant */
#else
#define ntohl(x) (x)
#define ntohll(x) (x)
#define WORDS(first, second) ((__u64)(first) << 32 | (__u64)(second))
#define FIRST_WORD(x) ((__u32)((x) >> 32))
#define SECOND_WORD(x) ((__u32)(x))
#define FIRST_BYTE(x) ((__u8)((x) >> (8 * sizeof(x) - 8)))
#define WORD(x) ((__be32)(x))
#define HTONS(x) (x)
#endif

/* The verifiers of Linux 6.17 and before take what a byte swap leaves for any 64-bit
 * number, and so neither for an offset nor for an index. The mask bounds it: of the
 * compiler, it would be somewhere else, or not there as it changes nothing. */
static __always_inline __u64 ntohs(__be16 x)
{
	__u64 v = x;

	asm("%0 = be16 %0\n\t%0 &= 0xffff" : "+r"(v));
	return v;
}

/* The key of an entry of an array: the word is the first of a number. */
#define KEY(index) WORDS(index, 0)

enum xdp_action {
	XDP_ABORTED = 0,
	XDP_DROP = 1,
	XDP_PASS = 2,
	XDP_TX = 3,
	XDP_REDIRECT = 4,
};

/* The verifier turns loads of data and data_end into 64-bit pointers. */
struct xdp_md {
	__u32 data;
	__u32 data_end; /* end of the linear part */
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_LPM_TRIE 11
#define BPF_MAP_TYPE_ARRAY_OF_MAPS 12
#define BPF_MAP_TYPE_XSKMAP 17
#define BPF_MAP_TYPE_RINGBUF 27

#define BPF_F_NO_PREALLOC (1U << 0)
#define BPF_F_RDONLY_PROG (1U << 7)
#define BPF_F_MMAPABLE (1U << 10)

#define BPF_NOEXIST 1
#define BPF_RB_FORCE_WAKEUP (1ULL << 1)

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static __u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static long (*bpf_redirect_map)(void *map, __u64 key, __u64 flags) = (void *)51;
static long (*bpf_ringbuf_output)(void *ringbuf, void *data, __u64 size, __u64 flags) = (void *)130;
static __u64 (*bpf_xdp_get_buff_len)(struct xdp_md *ctx) = (void *)188;
static long (*bpf_xdp_load_bytes)(struct xdp_md *ctx, __u32 offset, void *buf, __u32 len) = (void *)189;

#endif
