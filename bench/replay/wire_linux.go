package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// neighbourPatience is how long to wait for an answer to ARP or neighbour
	// discovery.
	neighbourPatience = 3 * time.Second
	neighbourPause    = 5 * time.Millisecond
	neighbourAgain    = 500 * time.Millisecond
)

// wireLink is an interface to send on.
type wireLink struct {
	path   wirePath
	name   string
	index  int
	queues int // transmit queues
	links  *netlink.Handle
	before uint64 // frames that it had dropped when it was found
}

// findLink finds the interface, in the network namespace of the calling thread,
// and all that frames need to know.
func findLink(o options) (*wireLink, error) {
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	l := &wireLink{name: o.iface, links: links}
	if err := l.find(o); err != nil {
		l.close()
		return nil, fmt.Errorf("send on %s: %w", o.iface, err)
	}
	return l, nil
}

func (l *wireLink) find(o options) error {
	link, err := l.links.LinkByName(l.name)
	if err != nil {
		return err
	}
	a := link.Attrs()
	if a.Flags&net.FlagUp == 0 {
		return errors.New("the interface is down")
	}
	l.index, l.queues = a.Index, max(a.NumTxQueues, 1)
	l.path = wirePath{to: o.to, mtu: min(max(a.MTU, minMTU), maxPacket)}
	if a.Flags&net.FlagLoopback == 0 {
		if len(a.HardwareAddr) != len(l.path.srcMAC) {
			return fmt.Errorf("want an Ethernet interface; its hardware address is %q", a.HardwareAddr)
		}
		copy(l.path.srcMAC[:], a.HardwareAddr)
		if l.path.dstMAC, err = l.target(o); err != nil {
			return err
		}
	}
	l.before, err = l.drops()
	return err
}

// target returns the hardware address to send to.
func (l *wireLink) target(o options) ([6]byte, error) {
	if o.toMAC != nil {
		return [6]byte(o.toMAC), nil
	}
	hop := o.to.Addr().WithZone("")
	routes, err := l.links.RouteGetWithOptions(hop.AsSlice(), &netlink.RouteGetOptions{OifIndex: l.index})
	if err != nil {
		return [6]byte{}, fmt.Errorf("find route to %s: %w; give the interface an address of its network, or use -to-mac", hop, err)
	}
	for _, r := range routes {
		if gateway, ok := netip.AddrFromSlice(r.Gw); ok && !gateway.IsUnspecified() {
			hop = gateway.Unmap()
		}
	}
	return l.neighbour(hop)
}

// neighbour asks the kernel for the hardware address of a neighbour, and has it
// ask the neighbour if it does not know.
func (l *wireLink) neighbour(addr netip.Addr) ([6]byte, error) {
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	const valid = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE | netlink.NUD_PERMANENT
	start := time.Now()
	asked := time.Time{}
	for time.Since(start) < neighbourPatience {
		list, err := l.links.NeighList(l.index, family)
		if err != nil {
			return [6]byte{}, fmt.Errorf("list neighbours: %w", err)
		}
		for _, n := range list {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == addr && n.State&valid != 0 && len(n.HardwareAddr) == 6 {
				return [6]byte(n.HardwareAddr), nil
			}
		}
		if time.Since(asked) >= neighbourAgain {
			asked = time.Now()
			ask := &netlink.Neigh{LinkIndex: l.index, Family: family, IP: addr.AsSlice(), Flags: netlink.NTF_USE}
			if err := l.links.NeighSet(ask); err != nil {
				return [6]byte{}, fmt.Errorf("ask for the hardware address of %s: %w; -to-mac gives it", addr, err)
			}
		}
		time.Sleep(neighbourPause)
	}
	return [6]byte{}, fmt.Errorf("find the hardware address of %s: no answer in %v; -to-mac gives it", addr, neighbourPatience)
}

// ownAddress returns the interface's address to send from.
func (l *wireLink) ownAddress(to netip.Addr) (netip.Addr, error) {
	if routes, err := l.links.RouteGetWithOptions(to.WithZone("").AsSlice(), &netlink.RouteGetOptions{OifIndex: l.index}); err == nil {
		for _, r := range routes {
			if src, ok := netip.AddrFromSlice(r.Src); ok && src.Unmap().Is4() == to.Is4() {
				return src.Unmap(), nil
			}
		}
	}
	return netip.Addr{}, fmt.Errorf("send on %s: it has no address to send to %s from: give it one, or use -keep-source or -sources", l.name, to)
}

// drops returns how many frames the interface has dropped instead of sending.
func (l *wireLink) drops() (uint64, error) {
	link, err := l.links.LinkByIndex(l.index)
	if err != nil {
		return 0, err
	}
	if s := link.Attrs().Statistics; s != nil {
		return s.TxDropped + s.TxErrors, nil
	}
	return 0, nil
}

// dropped returns how many it has dropped since it was found.
func (l *wireLink) dropped() (uint64, error) {
	now, err := l.drops()
	return now - l.before, err
}

// inject opens a way to put frames on the interface.
func (l *wireLink) inject(kind string, stderr io.Writer) (injector, error) {
	if kind != sendAFPacket {
		in, err := openAFXDP(l)
		if err == nil {
			return in, nil
		}
		if kind == sendAFXDP {
			return nil, err
		}
		fmt.Fprintf(stderr, "replay: %v: sending by AF_PACKET\n", err)
	}
	return openAFPacket(l)
}

func (l *wireLink) close() { l.links.Close() }

// sleepExactly sleeps without the help of the runtime, whose timers wake up as
// much as a millisecond late. A signal cuts it short.
func sleepExactly(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}

// timeExactly has the calling thread's sleeps end on time instead of up to 50
// microseconds late.
func timeExactly() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1000, 0, 0, 0) }
