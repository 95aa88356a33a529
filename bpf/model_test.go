package bpf

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// model says slowly and obviously what the program has to decide, the rate aside.
type model struct {
	cfg     Config
	listens []Listen
	sockets map[[2]uint32]bool // by queue and worker
	length  int                // of the frame
	mac     [6]byte            // it is to
}

func (m *model) verdict(frame []byte, queue uint32) Verdict {
	m.length = len(frame)
	if len(frame) < 14 {
		return PassMalformed
	}
	m.mac = [6]byte(frame)
	etherType, rest := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	tags := 0
	for slices.Contains([]uint16{0x8100, 0x88a8, 0x9100}, etherType) {
		if tags++; tags > 2 {
			return PassVLANDepth
		}
		if len(rest) < 4 {
			return PassMalformed
		}
		etherType, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	switch etherType {
	case 0x0800:
		return m.ipv4(rest, queue)
	case 0x86dd:
		return m.ipv6(rest, queue)
	}
	return PassNotIP
}

func (m *model) ipv4(ip []byte, queue uint32) Verdict {
	if len(ip) < 20 || ip[0]>>4 != 4 {
		return PassMalformed
	}
	header := int(ip[0]&15) * 4
	if header < 20 || header > len(ip) {
		return PassMalformed
	}
	moreFragments, offset := ip[6]&0x20 != 0, binary.BigEndian.Uint16(ip[6:])&0x1fff
	if moreFragments || offset > 0 {
		return PassFragment
	}
	if ip[9] != 17 {
		return PassNotUDP
	}
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if total < header || total > len(ip) {
		return PassMalformed
	}
	return m.udp(netip.AddrFrom4([4]byte(ip[12:])), netip.AddrFrom4([4]byte(ip[16:])), ip[header:total], queue)
}

func (m *model) ipv6(ip []byte, queue uint32) Verdict {
	if len(ip) < 40 || ip[0]>>4 != 6 {
		return PassMalformed
	}
	src, dst := netip.AddrFrom16([16]byte(ip[8:])), netip.AddrFrom16([16]byte(ip[24:]))
	next, left := ip[6], int(binary.BigEndian.Uint16(ip[4:]))
	rest := ip[40:]
	for headers := 0; next != 17; headers++ {
		switch next {
		case 44: // fragment
			return PassFragment
		case 51, 135, 139, 140: // authentication, mobility, HIP, shim6
			return PassExtHeaders
		case 0: // hop-by-hop
			if headers > 0 {
				return PassExtHeaders
			}
		case 43, 60: // routing, destination options
		default:
			return PassNotUDP
		}
		if headers == 4 {
			return PassExtHeaders
		}
		if len(rest) < 8 {
			return PassMalformed
		}
		if next == 43 && rest[3] > 0 {
			return PassExtHeaders
		}
		n := 8 + int(rest[1])*8
		if n > len(rest) || n > left {
			return PassMalformed
		}
		next, rest, left = rest[0], rest[n:], left-n
	}
	if left > len(rest) {
		return PassMalformed
	}
	return m.udp(src, dst, rest[:left], queue)
}

func (m *model) udp(src, dst netip.Addr, udp []byte, queue uint32) Verdict {
	if len(udp) < 8 {
		return PassMalformed
	}
	if n := int(binary.BigEndian.Uint16(udp[4:])); n < 8 || n > len(udp) {
		return PassMalformed
	}
	if !m.listening(dst, binary.BigEndian.Uint16(udp[2:])) {
		return PassOtherPort
	}
	if h := m.cfg.Host; h.onWire() {
		if m.mac != h.MAC && (m.mac != h.MasterMAC || m.mac == [6]byte{}) {
			return PassOtherMAC
		}
		if slices.Contains(h.Addrs, src) {
			return PassMartian
		}
		for _, a := range []netip.Addr{src, dst} {
			for _, p := range []string{"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/64", "ff00::/8"} {
				if netip.MustParsePrefix(p).Contains(a) {
					return PassMartian
				}
			}
		}
	}
	if src.Is4In6() {
		return PassMartian
	}
	if m.cfg.MaxFrame > 0 && m.length > int(m.cfg.MaxFrame) {
		return PassTooLong
	}
	if !m.mayOrMayNot(src) {
		return DropDenied
	}
	if queue >= m.cfg.Queues || !m.sockets[[2]uint32{queue, Worker(src, m.cfg.Workers)}] {
		return PassNoSocket
	}
	return Redirect
}

func (m *model) listening(dst netip.Addr, port uint16) bool {
	for _, l := range m.listens {
		a := l.Addr.Unmap()
		same := !a.IsValid() || a == dst || a.IsUnspecified() && a.Is4() == dst.Is4()
		if same && l.Port == port {
			return true
		}
	}
	return false
}

func (m *model) mayOrMayNot(src netip.Addr) bool {
	longest := func(list []netip.Prefix) int {
		bits := -1
		for _, p := range list {
			if p.Addr().Is4In6() && p.Bits() >= 96 {
				// IPv4 in IPv6 clothes: compare in these.
				if src.Is4() && p.Contains(netip.AddrFrom16(src.As16())) {
					bits = max(bits, p.Bits()-96)
				}
			} else if p.Contains(src) {
				bits = max(bits, p.Bits())
			}
		}
		return bits
	}
	allow, deny := longest(m.cfg.Allow), longest(m.cfg.Deny)
	if allow < 0 && deny < 0 {
		return len(m.cfg.Allow) == 0
	}
	return allow > deny
}
