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

// listenKey is struct listen_key.
type listenKey struct {
	_      structs.HostLayout
	Addr   [16]byte // IPv4 in the first four, zeros after it
	Port   [2]byte
	Family uint16
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
	Family uint32
}

// rateValue is struct rate. The program writes it.
type rateValue struct {
	_       structs.HostLayout
	Next    uint64 // CLOCK_MONOTONIC, ns
	Dropped uint64
}

// wire returns an address as keys hold it, and its family.
func wire(a netip.Addr) (addr [16]byte, family uint16) {
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

// keys returns the entries of the listen map for l: two for any address of both families.
func (l Listen) keys() []listenKey {
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], l.Port)
	if !l.Addr.IsValid() {
		return []listenKey{{Port: port, Family: familyV4}, {Port: port, Family: familyV6}}
	}
	addr, family := wire(l.Addr.Unmap())
	return []listenKey{{Addr: addr, Port: port, Family: family}}
}

// wildcard tells whether the key stands for any address of its family.
func (k *listenKey) wildcard() bool { return k.Addr == [16]byte{} }
