//go:build !udpportable

package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// bindSocket opens and binds a socket for cfg.Addr and returns its descriptor.
func bindSocket(cfg Config, open func(domain, typ, proto int) (int, error)) (int, error) {
	addr, port := cfg.Addr.Addr(), cfg.Addr.Port()
	if !wildcard(addr) {
		return bindOne(cfg, open, addr, port, false)
	}
	fd, err := bindOne(cfg, open, netip.IPv6Unspecified(), port, true)
	// A kernel without IPv6 knows no such family; one that has it switched off on
	// every interface may refuse the address.
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		cfg.Logger.Info("host has no IPv6: listening on IPv4 only", "addr", addrText(cfg.Addr), "reason", err)
		return bindOne(cfg, open, netip.IPv4Unspecified(), port, false)
	}
	return fd, err
}

func bindOne(cfg Config, open func(domain, typ, proto int) (int, error), addr netip.Addr, port uint16, dual bool) (_ int, err error) {
	domain := unix.AF_INET
	if addr.Is6() {
		domain = unix.AF_INET6
	}
	fd, err := open(domain, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	set := func(name string, level, option, value int) {
		if err == nil {
			if e := unix.SetsockoptInt(fd, level, option, value); e != nil {
				err = fmt.Errorf("set %s: %w", name, e)
			}
		}
	}
	if domain == unix.AF_INET6 {
		only := 1
		if dual {
			only = 0
		}
		set("IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if cfg.ReusePort {
		set("SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	// Before bind, so that the first datagram has both.
	set("SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	set("SO_RXQ_OVFL", unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	if err != nil {
		return -1, err
	}
	sockaddr, err := sockaddrOf(addr, port)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, sockaddr); err != nil {
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

func sockaddrOf(addr netip.Addr, port uint16) (unix.Sockaddr, error) {
	if addr.Is4() {
		return &unix.SockaddrInet4{Port: int(port), Addr: addr.As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(port), Addr: addr.As16()}
	if zone := addr.Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("find zone %s: %w", zone, err)
		}
		sa.ZoneId = uint32(link.Index)
	}
	return sa, nil
}

func localAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("getsockname: not an IP address")
}

// setReceiveBuffer sizes the kernel's queue and returns what was granted, in the
// measure of what was asked. SO_RCVBUFFORCE (needs CAP_NET_ADMIN) goes over the
// system's limit, SO_RCVBUF is silently capped by it. Both store twice the value,
// and that is what is read back: socket(7). The queue of an adopted socket stays if it is
// larger already, as one that a service manager made.
func setReceiveBuffer(fd int, cfg Config, adopted bool) (granted int, err error) {
	have := 0
	if adopted {
		if have, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil {
			return 0, fmt.Errorf("get SO_RCVBUF: %w", err)
		}
	}
	if asked := cfg.ReceiveBuffer; asked > have/2 {
		err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, asked)
		if err != nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, asked)
		}
		if err != nil {
			return 0, fmt.Errorf("set SO_RCVBUF to %d: %w", asked, err)
		}
	}
	doubled, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0, fmt.Errorf("get SO_RCVBUF: %w", err)
	}
	granted = doubled / 2
	if granted < cfg.ReceiveBuffer {
		cfg.Logger.Warn(fmt.Sprintf("receive buffer capped: asked %d granted %d; set net.core.rmem_max=%d or give CAP_NET_ADMIN",
			cfg.ReceiveBuffer, granted, cfg.ReceiveBuffer), "addr", addrText(cfg.Addr))
	}
	return granted, nil
}
