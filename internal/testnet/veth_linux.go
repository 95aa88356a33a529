package testnet

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// linkPatience is how long an interface may take to come up.
const linkPatience = 5 * time.Second

// Veth joins two hosts by a pair of interfaces, each with its name, IPv4 and IPv6
// prefix ("10.1.0.1/24", "fd00:1::1/64"; empty for none) and queues receive and
// transmit queues (0 is one). When it returns both are up, carry traffic, and
// their addresses can be used.
func Veth(t testing.TB, a *Host, nameA, v4A, v6A string, b *Host, nameB, v4B, v6B string, queues int) {
	t.Helper()
	if err := addVeth(a, nameA, b, nameB, max(queues, 1)); err != nil {
		t.Fatalf("join %s %s and %s %s: %v", a.Name, nameA, b.Name, nameB, err)
	}
	t.Cleanup(func() {
		// One end takes the other along. It is gone already if the test removed it.
		if link, err := a.links.LinkByName(nameA); err == nil {
			_ = a.links.LinkDel(link)
		}
	})
	for _, end := range []struct {
		host *Host
		name string
		addr [2]string
	}{{a, nameA, [2]string{v4A, v6A}}, {b, nameB, [2]string{v4B, v6B}}} {
		if err := end.host.configure(end.name, end.addr[:]); err != nil {
			t.Fatalf("configure %s %s: %v", end.host.Name, end.name, err)
		}
	}
	for _, end := range []struct {
		host *Host
		name string
	}{{a, nameA}, {b, nameB}} {
		if err := end.host.waitUp(end.name); err != nil {
			t.Fatalf("configure %s %s: %v", end.host.Name, end.name, err)
		}
	}
}

func addVeth(a *Host, nameA string, b *Host, nameB string, queues int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.NumTxQueues, attrs.NumRxQueues = nameA, queues, queues
	veth := netlink.NewVeth(attrs)
	veth.PeerName = nameB
	veth.PeerNamespace = netlink.NsFd(int(b.ns))
	return a.links.LinkAdd(veth)
}

// configure gives an interface its addresses and sets it up.
func (h *Host) configure(name string, prefixes []string) error {
	link, err := h.links.LinkByName(name)
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		if prefix == "" {
			continue
		}
		ip, network, err := net.ParseCIDR(prefix)
		if err != nil {
			return err
		}
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: network.Mask}}
		if ip.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.links.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("add %s: %w", prefix, err)
		}
	}
	return h.links.LinkSetUp(link)
}

// waitUp waits until an interface has its queueing discipline: before that, which
// is a moment after both ends are up, it silently drops what is sent.
func (h *Host) waitUp(name string) error {
	for deadline := time.Now().Add(linkPatience); ; time.Sleep(time.Millisecond) {
		link, err := h.links.LinkByName(name)
		if err != nil {
			return err
		}
		state := link.Attrs().OperState
		if state == netlink.OperUp {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("still %s after %v", state, linkPatience)
		}
	}
}
