package bpf

import (
	"errors"
	"fmt"
	"net/netip"
)

const (
	// DefaultRateExporters is how many exporters have a rate unless the
	// configuration says otherwise.
	DefaultRateExporters = 100_000

	// maxSlots bounds queues times workers; 8 bytes of kernel memory each.
	maxSlots = 1 << 16
	// maxFrameLimit bounds MaxFrame: verifiers take pointers a little further than that
	// after the beginning of a frame.
	maxFrameLimit = 32768
	// minBurst is the least burst of the rate, in datagrams.
	minBurst = 64
)

// Config says what the program does with datagrams for the collector. It is
// taken over by [Load]; no later change has an effect.
type Config struct {
	// Workers is how many sockets are on each queue, at least 1.
	Workers uint32
	// Queues is how many receive queues the interface has, at least 1. Workers
	// times Queues is 65536 at most.
	Queues uint32

	// Allow and Deny say which exporters may send, by the source address of the
	// datagram. The longest prefix of either list that holds the address decides,
	// Deny if both have it. An address in none may send if Allow is empty. Bits
	// after the prefix are ignored; a prefix of IPv4-mapped addresses
	// (::ffff:0:0/96 or longer) is one of IPv4.
	Allow, Deny []netip.Prefix

	// Host says which frames are for this host. The zero value is a loopback
	// interface: frames to any hardware address and of any IP address are taken.
	Host Host

	// RatePPS is how many datagrams a second each exporter address may send, 0 for
	// any number. Bursts may have a tenth of it, or 64 if that is more. A datagram's
	// share of a second is rounded to a nanosecond, so above a million a second
	// the rate in force is only near this one.
	RatePPS uint32
	// RateExporters is how many exporters' rates are kept, 0 for
	// [DefaultRateExporters]; about 100 bytes of kernel memory each, if RatePPS is
	// not 0. With more exporters than that the least recently heard lose their
	// state and start with a full burst.
	RateExporters uint32

	// Frags lets the program take frames in several buffers (an MTU beyond about
	// 3500 bytes), from Linux 5.18 on. Without it a driver refuses the program at
	// such an MTU.
	Frags bool
	// MaxFrame is the longest frame that a socket can take, in bytes with the Ethernet
	// header; longer ones for the collector go to the stack. 0 is any length. It needs
	// frames of one buffer: not both MaxFrame and Frags.
	MaxFrame uint32
}

// Host is what the program compares frames with, to leave to the kernel network stack what the
// stack would refuse. Unless MAC is zero, the stack gets frames to other hardware
// addresses, and datagrams whose addresses cannot come from a wire: for IPv4 0/8, 127/8
// and 224/3, for IPv6 ::/64 and ff00::/8, and the addresses of the host itself as source
// (RFC 1812 section 5.3.7, RFC 4291 sections 2.5 and 2.7).
type Host struct {
	// MAC is the hardware address of the interface.
	MAC [6]byte
	// MasterMAC is that of the bridge or bond that the interface belongs to, or zero.
	MasterMAC [6]byte
	// Addrs are the IP addresses of the host when the program is loaded, without zones.
	// One that the host gets later may be a source; one that it gives up may only
	// send by way of the stack.
	Addrs []netip.Addr
}

// onWire tells whether the interface has frames of other hosts.
func (h *Host) onWire() bool { return h.MAC != [6]byte{} }

// Listen is where the collector receives.
type Listen struct {
	// Addr is the destination address. An unspecified one (0.0.0.0 or ::) is any
	// of its family, the zero Addr any of both. An IPv4-mapped address is one of
	// IPv4; a zone is ignored, since the program stands on one interface.
	Addr netip.Addr
	// Port is the destination port, not 0.
	Port uint16
}

// Validate reports all faults of the configuration at once, or nil.
func (c *Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Workers == 0 {
		fault("workers: want at least 1")
	}
	if c.Queues == 0 {
		fault("queues: want at least 1")
	}
	if n := uint64(c.Workers) * uint64(c.Queues); n > maxSlots {
		fault("workers times queues: %d is more than %d", n, maxSlots)
	}
	if c.Frags && c.MaxFrame != 0 {
		fault("max frame: %d with frames of several buffers", c.MaxFrame)
	}
	if c.MaxFrame > maxFrameLimit {
		fault("max frame: %d is more than %d", c.MaxFrame, maxFrameLimit)
	}
	for _, list := range []struct {
		name     string
		prefixes []netip.Prefix
	}{{"allow", c.Allow}, {"deny", c.Deny}} {
		for i, p := range list.prefixes {
			if !p.IsValid() {
				fault("%s: prefix %d is not valid", list.name, i)
			}
		}
	}
	return errors.Join(faults...)
}

// rules returns what each prefix, masked and of its own family, says: true allows.
func (c *Config) rules() map[netip.Prefix]bool {
	rules := make(map[netip.Prefix]bool, len(c.Allow)+len(c.Deny))
	for _, p := range c.Allow {
		rules[plain(p)] = true
	}
	for _, p := range c.Deny {
		rules[plain(p)] = false
	}
	return rules
}

// plain masks a prefix and makes one of IPv4-mapped addresses one of IPv4.
func plain(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// rate returns the cost of a datagram and how far an exporter may be ahead, in
// nanoseconds; zeros without a cap.
func (c *Config) rate() (cost, burst uint64) {
	if c.RatePPS == 0 {
		return 0, 0
	}
	pps := uint64(c.RatePPS)
	cost = max((1e9+pps/2)/pps, 1)
	return cost, (max(pps/10, minBurst) - 1) * cost
}
