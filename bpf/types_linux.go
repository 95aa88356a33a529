package bpf

import (
	"encoding/binary"
	"net/netip"
	"structs"
)

// The types that the program and user space share, as in headers/maps.h.
// Addresses and ports are in network byte order, all else in the machine's.

const (
	familyV4 = 4
	familyV6 = 6

	ruleDeny  uint32 = 0
	ruleAllow uint32 = 1
)

// Which parts of the program there are: the bits of has.
const (
	hasBound uint32 = 1 << iota
	hasMaxFrame
	hasWire
	hasRules
	hasAllow
	hasRate
	hasLinear
)

// How a port is listened to: the bits of struct port_table.
const (
	portAny4 uint8 = 1 << iota
	portAny6
	portBound4
	portBound6
)

// portTable is struct port_table. It is indexed by the port number in network byte
// order, read as an integer of this machine.
type portTable [1 << 16]uint8

// listenKey is struct listen_key.
type listenKey struct {
	_     structs.HostLayout
	Addr  [16]byte // IPv4 in the first four, zeros after it
	Where [8]byte  // port as the index of portTable, and family: a uint32 each
}

// rule4Key is struct rule4_key.
type rule4Key struct {
	_         structs.HostLayout
	Prefixlen uint32
	Addr      [4]byte
}

// rule6Key is struct rule6_key.
type rule6Key struct {
	_         structs.HostLayout
	Prefixlen uint32
	Addr      [16]byte
}

// rateKey is struct rate_key.
type rateKey struct {
	_      structs.HostLayout
	Addr   [16]byte
	Family uint64
}

// rateValue is struct rate. The program writes it.
type rateValue struct {
	_       structs.HostLayout
	Next    uint64 // CLOCK_MONOTONIC, ns
	Dropped uint64
}

// wire returns an address as keys hold it, and its family; zeros for none.
func wire(a netip.Addr) (addr [16]byte, family uint16) {
	if !a.IsValid() {
		return addr, 0
	}
	if a.Is4() {
		v4 := a.As4()
		copy(addr[:], v4[:])
		return addr, familyV4
	}
	return a.As16(), familyV6
}

// exporter is the opposite of wire.
func (k *rateKey) exporter() netip.Addr {
	if k.Family == familyV4 {
		return netip.AddrFrom4([4]byte(k.Addr[:4]))
	}
	return netip.AddrFrom16(k.Addr)
}

// add notes l in the table, and returns the key that listens must have besides; ok
// tells whether there is one.
func (t *portTable) add(l Listen) (key listenKey, ok bool) {
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], l.Port)
	index := binary.NativeEndian.Uint16(port[:])
	how := &t[index]
	addr, family := wire(l.Addr.Unmap())
	switch {
	case !l.Addr.IsValid():
		*how |= portAny4 | portAny6
		return key, false
	case l.Addr.Unmap().IsUnspecified() && family == familyV4:
		*how |= portAny4
		return key, false
	case l.Addr.IsUnspecified():
		*how |= portAny6
		return key, false
	case family == familyV4:
		*how |= portBound4
	default:
		*how |= portBound6
	}
	key.Addr = addr
	binary.NativeEndian.PutUint32(key.Where[:4], uint32(index))
	binary.NativeEndian.PutUint32(key.Where[4:], uint32(family))
	return key, true
}

// hostKey returns the key under which listens has an address of this host: port 0.
func hostKey(a netip.Addr) (key listenKey) {
	addr, family := wire(a.Unmap())
	key.Addr = addr
	binary.NativeEndian.PutUint32(key.Where[4:], uint32(family))
	return key
}

// ownBits returns two words that have the bits of the host's addresses set.
func (h *Host) ownBits() (first, second uint64) {
	for _, a := range h.Addrs {
		i, j := hostBits(a)
		first |= 1 << i
		second |= 1 << j
	}
	return first, second
}

// hostBits returns the bit of an address in each word of ownBits, 0 to 63. may_be_own in
// weir.bpf.c is its twin.
func hostBits(a netip.Addr) (first, second uint32) {
	var word uint32
	for s := a.Unmap().AsSlice(); len(s) > 0; s = s[4:] {
		word ^= binary.NativeEndian.Uint32(s)
	}
	word *= 0x9e3779b1
	return word >> 26, word >> 20 & 63
}

// etherAddr is ETHER_ADDR of a frame to that hardware address.
func etherAddr(mac [6]byte) uint64 {
	var b [8]byte
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		copy(b[2:], mac[:])
	} else {
		copy(b[:], mac[:])
	}
	return binary.NativeEndian.Uint64(b[:])
}

// countdown is struct countdown: a cache line.
type countdown struct {
	_      structs.HostLayout
	Left   uint32
	Unused [15]uint32
}
