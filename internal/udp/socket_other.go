//go:build !linux || udpportable

package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// Socket is a UDP socket on package net, one datagram a batch. The package
// comment says who may call what.
type Socket struct {
	conn    *net.UDPConn
	local   netip.AddrPort
	asked   int
	granted int
	buffer  []byte // one byte more than is kept, to see that more was sent
	last    Datagram
	n       int
	woken   atomic.Bool
	kept    atomic.Bool
	busy    atomic.Bool
}

// Listen opens a socket. The error is a [*ListenError] where the system refused.
func Listen(cfg Config) (*Socket, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.ReusePort {
		return nil, newListenError(cfg.Addr, fmt.Errorf("reuse port: %w", errors.ErrUnsupported))
	}
	network, addr := "udp", cfg.Addr
	switch {
	case addr.Addr().Is4():
		network = "udp4"
	case !wildcard(addr.Addr()):
		network = "udp6"
	default: // package net falls back to IPv4 where there is nothing else
		addr = netip.AddrPortFrom(netip.Addr{}, addr.Port())
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, newListenError(cfg.Addr, err)
	}
	s := &Socket{conn: conn, asked: cfg.ReceiveBuffer, buffer: make([]byte, cfg.BufferSize+1)}
	if local, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		s.local = local.AddrPort()
	}
	if s.asked != 0 {
		if err := conn.SetReadBuffer(s.asked); err != nil {
			cfg.Logger.Warn("receive buffer refused: the system's default stays", "addr", addrText(cfg.Addr), "asked", s.asked, "reason", err)
		} else {
			s.granted = s.asked
		}
	}
	return s, nil
}

// Receive takes a datagram, waiting at most for timeout (0 does not wait, a
// negative one waits without end). It can be read by [Socket.Datagram] until the
// next Receive. It returns 0 and no error on timeout and when woken.
//
// After [Socket.Close] the error is [net.ErrClosed].
func (s *Socket) Receive(timeout time.Duration) (n int, err error) {
	if !s.busy.CompareAndSwap(false, true) {
		return 0, ErrBusy
	}
	defer s.busy.Store(false)
	s.n = 0
	var deadline time.Time
	if timeout >= 0 {
		// A deadline that has passed would fail even with a datagram at hand.
		deadline = time.Now().Add(max(timeout, 100*time.Microsecond))
	}
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return 0, s.receiveError(err)
	}
	// Wake sets the flag and then a deadline, so that one of the two is seen.
	if s.woken.Swap(false) {
		return 0, nil
	}
	size, _, _, src, err := s.conn.ReadMsgUDPAddrPort(s.buffer, nil)
	if err != nil {
		s.woken.Store(false)
		return 0, s.receiveError(err)
	}
	kept := min(size, len(s.buffer)-1)
	s.last = Datagram{
		Payload:    s.buffer[:kept:kept],
		Src:        netip.AddrPortFrom(src.Addr().Unmap().WithZone(""), src.Port()),
		ReceivedNs: time.Now().UnixNano(),
		Truncated:  size > kept,
	}
	s.n = 1
	return 1, nil
}

// receiveError is nil for a timeout.
func (s *Socket) receiveError(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case errors.Is(err, net.ErrClosed):
		return net.ErrClosed
	}
	return fmt.Errorf("receive udp %s: %w", s.local, err)
}

// Datagram returns datagram i, 0 <= i < n, of the last Receive.
func (s *Socket) Datagram(i int) Datagram {
	if uint(i) >= uint(s.n) {
		panic("udp: datagram index out of range of the last Receive")
	}
	return s.last
}

// Wake ends a Receive that waits, or the next one that would.
func (s *Socket) Wake() {
	s.woken.Store(true)
	// An error means that the socket is closed, which ends a Receive too.
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}

// KernelDrops returns 0: this system does not say.
func (s *Socket) KernelDrops() uint64 { return 0 }

// PollDrops returns 0: this system does not say.
func (s *Socket) PollDrops() uint64 { return 0 }

// ReceiveBuffer returns the size of the kernel's queue in bytes that was asked
// for, and the same where the system took it; granted is 0 where nothing was
// asked or the system refused.
func (s *Socket) ReceiveBuffer() (asked, granted int) { return s.asked, s.granted }

// LocalAddr returns the address and port the socket is bound to.
func (s *Socket) LocalAddr() netip.AddrPort { return s.local }

// Close closes the socket and ends a Receive in progress.
func (s *Socket) Close() error {
	if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close udp %s: %w", s.local, err)
	}
	return nil
}

// Adopt is not supported.
func Adopt(fd int, cfg Config) (*Socket, error) {
	return nil, fmt.Errorf("adopt socket: %w", errors.ErrUnsupported)
}

// Fits returns an error: no socket can be adopted.
func Fits(fd int, cfg Config) error { return ErrUnfit }

// AdoptAny is not supported.
func AdoptAny(fd int) (*Socket, error) {
	return nil, fmt.Errorf("adopt socket: %w", errors.ErrUnsupported)
}

// Keep marks the socket as one that a successor keeps.
func (s *Socket) Keep() { s.kept.Store(true) }

// Kept reports whether Keep was called.
func (s *Socket) Kept() bool { return s.kept.Load() }

// CookieOf returns 0: there is no such number.
func CookieOf(int) uint64 { return 0 }

// Cookie returns 0: there is no such number.
func (s *Socket) Cookie() uint64 { return 0 }

// DropsFrom does nothing: drops are not known.
func (s *Socket) DropsFrom(uint32) {}

// DropsSeen returns 0.
func (s *Socket) DropsSeen() uint32 { return 0 }

// Refuse is not supported: the socket receives on.
func (s *Socket) Refuse() error { return errors.ErrUnsupported }

// Fd returns -1: package net keeps the descriptor to itself.
func (s *Socket) Fd() int { return -1 }

// SharePort fails on this system.
func (s *Socket) SharePort() error { return errors.ErrUnsupported }

// Detach fails on this system.
func (s *Socket) Detach() error { return errors.ErrUnsupported }
