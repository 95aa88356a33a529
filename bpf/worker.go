package bpf

import (
	"encoding/binary"
	"net/netip"
)

// Worker returns which of workers, which must not be 0, the program gives the
// datagrams of an exporter to, on each receive queue. An IPv4-mapped IPv6
// address is an IPv6 address, as it is on the wire.
func Worker(exporter netip.Addr, workers uint32) uint32 {
	var h uint64
	if exporter.Is4() {
		a := exporter.As4()
		h = mix(uint64(binary.BigEndian.Uint32(a[:])))
	} else {
		a := exporter.As16()
		h = mix(binary.BigEndian.Uint64(a[:8]))
		h = mix(h ^ binary.BigEndian.Uint64(a[8:]))
	}
	return uint32((h >> 32) * uint64(workers) >> 32)
}

// mix is the finalizer of MurmurHash3 (public domain): each bit of h changes about half
// of the result's, so that addresses in sequence spread.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
