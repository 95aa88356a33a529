package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// socket is a connected, blocking UDP socket. One goroutine at a time uses it.
type socket struct{ fd int }

// openSocket opens a socket to send from local, which may be invalid, to to.
func openSocket(local, to netip.AddrPort) (*socket, error) {
	domain := unix.AF_INET
	if to.Addr().Is6() {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, socketError(local, to, os.NewSyscallError("socket", err))
	}
	if err := connect(fd, local, to); err != nil {
		unix.Close(fd)
		return nil, socketError(local, to, err)
	}
	return &socket{fd: fd}, nil
}

func connect(fd int, local, to netip.AddrPort) error {
	if local.Addr().IsValid() {
		sa, err := sockaddr(local)
		if err != nil {
			return err
		}
		if err := unix.Bind(fd, sa); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	sa, err := sockaddr(to)
	if err != nil {
		return err
	}
	return os.NewSyscallError("connect", unix.Connect(fd, sa))
}

func sockaddr(a netip.AddrPort) (unix.Sockaddr, error) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone := a.Addr().Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("find zone %s: %w", zone, err)
		}
		sa.ZoneId = uint32(link.Index)
	}
	return sa, nil
}

// errStopped stands for an error whose number the kernel keeps to itself: when
// sendmmsg(2) fails after the first datagram of a batch, it only says how many
// were sent.
var errStopped = errors.New("batch stopped and resumed (most often: connection refused, no buffer space)")

// send sends the payloads in order and counts them. After an error within a
// batch the datagram it struck is tried again, since the error may tell of an
// earlier one (ECONNREFUSED). A datagram that fails as the first of a batch
// (ENOBUFS, EMSGSIZE) is left behind.
func (s *socket) send(b *batch, payloads [][]byte, c *counters) {
	for len(payloads) > 0 {
		n, bytes, errno := b.send(s.fd, payloads)
		switch {
		case errno == 0:
			c.sent(n, bytes)
			if n < min(len(payloads), len(b.headers)) {
				c.failed(errStopped)
			}
			payloads = payloads[n:]
		case errno != unix.EINTR:
			c.failed(errno)
			c.skipped.Add(1)
			payloads = payloads[1:]
		}
	}
}

// checkPending counts an error that came back for the last datagrams sent.
func (s *socket) checkPending(c *counters) {
	if n, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && n != 0 {
		c.failed(unix.Errno(n))
	}
}

func (s *socket) close() { unix.Close(s.fd) }
