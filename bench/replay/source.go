package main

import (
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"slices"
)

var loopback4 = netip.MustParsePrefix("127.0.0.0/8")

// maxSources bounds the sockets that -keep-source opens.
const maxSources = 16384

// assignSources gives every source the address to bind to. own are the addresses
// of this host. An address of this host is kept, but one in 127.0.0.0/8 only if
// the target is this host too. The outcome depends on the sources and not on
// their order.
func assignSources(sources []source, to netip.Addr, own []netip.Addr) error {
	if len(sources) > maxSources {
		return fmt.Errorf("keep source: %d source addresses and ports, at most %d are supported", len(sources), maxSources)
	}
	toLoopback := loopback4.Contains(to)
	toSelf := to.IsLoopback() || slices.Contains(own, to)
	taken := map[netip.Addr]bool{}       // addresses kept or given
	given := map[netip.Addr]netip.Addr{} // captured to bound
	var others []netip.Addr
	for _, s := range sources {
		addr := s.captured.Addr()
		switch {
		case given[addr].IsValid():
		case addr.Is4() == to.Is4() && (addr.IsLoopback() && toSelf || !addr.IsLoopback() && slices.Contains(own, addr)):
			given[addr] = addr
			taken[addr] = true
		case !toLoopback:
			return fmt.Errorf("keep source: %s cannot send to %s: it is not an address of this host for that target; "+
				"assign it to an interface, or send to 127.0.0.1, where it becomes an address in 127.0.0.0/8", addr, to)
		default:
			others = append(others, addr)
		}
	}
	slices.SortFunc(others, netip.Addr.Compare)
	for _, addr := range slices.Compact(others) {
		given[addr] = mapToLoopback(addr, taken)
		taken[given[addr]] = true
	}
	for i := range sources {
		s := &sources[i]
		s.local = netip.AddrPortFrom(given[s.captured.Addr()], s.captured.Port())
	}
	return nil
}

// mapToLoopback gives an IPv4 address 127 in place of its first byte, an IPv6 one
// a hash, and takes the next free address if that is taken or reserved.
func mapToLoopback(addr netip.Addr, taken map[netip.Addr]bool) netip.Addr {
	var low uint32
	if addr.Is4() {
		b := addr.As4()
		low = uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	} else {
		h := fnv.New32a()
		b := addr.As16()
		h.Write(b[:])
		low = h.Sum32()
	}
	for ; ; low++ {
		low &= 0xffffff
		mapped := netip.AddrFrom4([4]byte{127, byte(low >> 16), byte(low >> 8), byte(low)})
		// 127.0.0.0 and .1 are the host's own, 127.255.255.255 is a broadcast.
		if low > 1 && low != 0xffffff && !taken[mapped] {
			return mapped
		}
	}
}

// ownAddresses returns the addresses assigned to this host.
func ownAddresses() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses of this host: %w", err)
	}
	var own []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				own = append(own, addr.Unmap())
			}
		}
	}
	return own, nil
}
