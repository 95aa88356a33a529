//go:build !udpportable

package udp

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Adopt makes a Socket of a descriptor that another process opened and bound: a
// predecessor, or the service manager. The socket takes the descriptor over, and what
// waits in its queue is received. An error that wraps [ErrUnfit] says that Listen would
// not have made this socket from cfg: another address, another port (any port fits port
// 0), or not a UDP socket. Then, and on any other error, the descriptor stays open and
// is the caller's.
//
// The receive buffer is made larger if cfg asks for that, and never smaller. Drops that
// the kernel counted before are in [Socket.KernelDrops] unless [Socket.DropsFrom] says
// otherwise.
func Adopt(fd int, cfg Config) (*Socket, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := fits(fd, cfg.Addr); err != nil {
		return nil, fmt.Errorf("adopt socket for %s: %w", addrText(cfg.Addr), err)
	}
	if err := prepare(fd, cfg); err != nil {
		return nil, fmt.Errorf("adopt socket for %s: %w", addrText(cfg.Addr), err)
	}
	// A descriptor of its own, so that the caller's is untouched by an error.
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("adopt socket for %s: duplicate: %w", addrText(cfg.Addr), err)
	}
	s, err := newSocket(own, cfg, true)
	if err != nil {
		return nil, fmt.Errorf("adopt socket for %s: %w", addrText(cfg.Addr), err)
	}
	unix.Close(fd)
	return s, nil
}

// Fits returns an error that wraps [ErrUnfit] if Adopt would.
func Fits(fd int, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	return fits(fd, cfg.Addr)
}

// AdoptAny makes a Socket of a descriptor, whatever it is bound to, to receive what waits
// in its queue. It takes the descriptor over unless it returns an error.
func AdoptAny(fd int) (*Socket, error) {
	cfg, err := Config{}.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := isUDP(fd); err != nil {
		return nil, err
	}
	if err := prepare(fd, cfg); err != nil {
		return nil, err
	}
	return newSocket(fd, cfg, true)
}

// fits compares a socket with the one that bindSocket makes for addr.
func fits(fd int, addr netip.AddrPort) error {
	if err := isUDP(fd); err != nil {
		return err
	}
	local, err := localAddr(fd)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	if addr.Port() != 0 && local.Port() != addr.Port() {
		return fmt.Errorf("%w: it has port %d", ErrUnfit, local.Port())
	}
	dual := false
	if local.Addr().Is6() {
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		if err != nil {
			return fmt.Errorf("%w: get IPV6_V6ONLY: %w", ErrUnfit, err)
		}
		dual = only == 0
	}
	want := addr.Addr()
	switch {
	case !wildcard(want):
		if local.Addr() != want.WithZone("") || !sameZone(fd, want.Zone()) {
			return fmt.Errorf("%w: it is bound to %s", ErrUnfit, local)
		}
	case dual && local.Addr() == netip.IPv6Unspecified():
	case local.Addr() == netip.IPv4Unspecified() && !hasIPv6():
	default:
		return fmt.Errorf("%w: it is bound to %s, not to all addresses of both families", ErrUnfit, local)
	}
	return nil
}

// sameZone reports whether a socket is bound in the zone of that name; "" is any.
func sameZone(fd int, zone string) bool {
	if zone == "" {
		return true
	}
	link, err := net.InterfaceByName(zone)
	if err != nil {
		return false
	}
	sa, err := unix.Getsockname(fd)
	six, ok := sa.(*unix.SockaddrInet6)
	return err == nil && ok && six.ZoneId == uint32(link.Index)
}

// hasIPv6 reports whether this host has sockets of IPv6, which listen for both families.
func hasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet6{}) == nil
}

// prepare sets what bindOne sets, as far as it can be set later.
func prepare(fd int, cfg Config) error {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("set O_NONBLOCK: %w", err)
	}
	// A weir that did not know that the socket is kept may have refused what arrives.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil && err != unix.ENOENT {
		return fmt.Errorf("detach filter: %w", err)
	}
	options := []struct {
		name          string
		option, value int
	}{
		{"SO_TIMESTAMPNS", unix.SO_TIMESTAMPNS, 1},
		{"SO_RXQ_OVFL", unix.SO_RXQ_OVFL, 1},
	}
	if cfg.ReusePort {
		options = append(options, struct {
			name          string
			option, value int
		}{"SO_REUSEPORT", unix.SO_REUSEPORT, 1})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, o.option, o.value); err != nil {
			return fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	return nil
}

// Keep marks the socket as one of which another process holds a descriptor too, and will
// receive what waits: a stop leaves that alone.
func (s *Socket) Keep() { s.kept.Store(true) }

// Kept reports whether Keep was called.
func (s *Socket) Kept() bool { return s.kept.Load() }

// CookieOf returns [Socket.Cookie] of a descriptor, 0 if it is no socket.
func CookieOf(fd int) uint64 {
	n, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return 0
	}
	return n
}

// Cookie returns a number by which the kernel tells this socket from all others since the
// boot, in whichever process it is open; 0 if it does not say.
func (s *Socket) Cookie() uint64 { return s.cookie }

// DropsFrom says that drops up to this value of the kernel's counter were counted
// before, by another process. It is called before the first Receive.
func (s *Socket) DropsFrom(seen uint32) { s.drops.last.Store(seen) }

// DropsSeen returns the value of the kernel's counter up to which drops are in
// KernelDrops. Any goroutine may call it.
func (s *Socket) DropsSeen() uint32 { return s.drops.last.Load() }

// isUDP returns ErrUnfit unless the descriptor is a UDP socket.
func isUDP(fd int) error {
	for _, want := range []struct {
		name          string
		option, value int
	}{
		{"type", unix.SO_TYPE, unix.SOCK_DGRAM},
		{"protocol", unix.SO_PROTOCOL, unix.IPPROTO_UDP},
	} {
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, want.option); err != nil || got != want.value {
			return fmt.Errorf("%w: it is no UDP socket (%s %d)", ErrUnfit, want.name, got)
		}
	}
	return nil
}

// SharePort lets other sockets of this user share the port from now on, as Config.ReusePort
// does when a socket is opened.
func (s *Socket) SharePort() error {
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return fmt.Errorf("share port of udp %s: %w", s.local, err)
	}
	return nil
}

// Detach has the kernel choose another socket of the port for what arrives from now on, or none
// if there is no other: it connects the socket to a peer that sends nothing (port 9 of this
// host). What is in its queue can still be received.
func (s *Socket) Detach() error {
	local, err := unix.Getsockname(s.fd)
	if err != nil {
		return fmt.Errorf("detach udp %s: %w", s.local, err)
	}
	switch a := local.(type) {
	case *unix.SockaddrInet4:
		peer := &unix.SockaddrInet4{Port: discardPort, Addr: a.Addr}
		if a.Addr == [4]byte{} {
			peer.Addr = [4]byte{127, 0, 0, 1}
		}
		err = unix.Connect(s.fd, peer)
	case *unix.SockaddrInet6:
		peer := &unix.SockaddrInet6{Port: discardPort, Addr: a.Addr, ZoneId: a.ZoneId}
		if a.Addr == [16]byte{} { // both families, as Listen opens it: IPv6 may be switched off
			peer.Addr = netip.MustParseAddr("::ffff:127.0.0.1").As16()
		}
		if err = unix.Connect(s.fd, peer); err != nil {
			peer.Addr = netip.IPv6Loopback().As16()
			err = unix.Connect(s.fd, peer)
		}
	}
	if err != nil {
		return fmt.Errorf("detach udp %s: %w", s.local, err)
	}
	return nil
}

// discardPort is that of RFC 863.
const discardPort = 9
