package udp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"syscall"
)

// Limits of [Config].
const (
	DefaultBatch = 64
	MaxBatch     = 1024  // what recvmmsg(2) takes (UIO_MAXIOV)
	MaxDatagram  = 65535 // what the UDP length field can say
)

// Config says where and how a [Socket] listens. The zero value of every field but
// Addr is useful.
type Config struct {
	// Addr is the address and port to listen on. An invalid Addr (":2055") and
	// "[::]" listen on all addresses of both families, or of IPv4 where the host
	// has no IPv6; "0.0.0.0" on IPv4 only; an explicit address on itself. Port 0
	// lets the kernel choose.
	Addr netip.AddrPort
	// Batch is the number of datagrams taken by one system call; 0 means DefaultBatch.
	Batch int
	// BufferSize is the longest payload kept whole, in bytes; 0 means MaxDatagram.
	// A longer one is cut and marked as truncated.
	BufferSize int
	// ReceiveBuffer is the kernel's queue for this socket in bytes; 0 leaves the
	// system's default.
	ReceiveBuffer int
	// ReusePort lets several sockets of this user share the port (SO_REUSEPORT),
	// the kernel spreading the senders over them. Linux only.
	ReusePort bool
	// Logger hears of a receive buffer that was capped and of a fallback to IPv4;
	// nil is silent.
	Logger *slog.Logger
}

// withDefaults fills in what is zero and reports every fault at once.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Batch == 0 {
		c.Batch = DefaultBatch
	}
	if c.Batch < 0 || c.Batch > MaxBatch {
		errs = append(errs, fmt.Errorf("batch of %d: want 1 to %d", c.Batch, MaxBatch))
	}
	if c.BufferSize == 0 {
		c.BufferSize = MaxDatagram
	}
	if c.BufferSize < 0 || c.BufferSize > MaxDatagram {
		errs = append(errs, fmt.Errorf("buffer of %d bytes: want 1 to %d", c.BufferSize, MaxDatagram))
	}
	if c.ReceiveBuffer < 0 || c.ReceiveBuffer > 1<<30 {
		errs = append(errs, fmt.Errorf("receive buffer of %d bytes: want 0 to %d", c.ReceiveBuffer, 1<<30))
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if addr := c.Addr.Addr(); addr.Is4In6() {
		c.Addr = netip.AddrPortFrom(addr.Unmap(), c.Addr.Port())
	}
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("listen udp %s: %w", addrText(c.Addr), err)
	}
	return c, nil
}

// Datagram is one received datagram.
type Datagram struct {
	// Payload is valid until the next Receive of the socket it came from.
	Payload []byte
	// Src is the sender; an IPv4 one is an IPv4 address on dual-stack sockets too,
	// and link-local ones come without their zone.
	Src netip.AddrPort
	// ReceivedNs is when the kernel took the datagram from the network device, in
	// nanoseconds since 1970 UTC; where the kernel does not say, the time of asking.
	ReceivedNs int64
	// Truncated says that the datagram was longer than the buffer; Payload is its
	// beginning.
	Truncated bool
}

// ErrUnfit says that a socket is not one that [Listen] would have made.
var ErrUnfit = errors.New("socket does not fit")

// ErrBusy says that two goroutines called Receive at once.
var ErrBusy = errors.New("another goroutine is receiving")

// ListenError is a refused [Listen], with what the reader may do about it. It
// wraps the system's error.
type ListenError struct {
	Addr netip.AddrPort // as configured
	Hint string         // may be empty
	Err  error
}

func (e *ListenError) Error() string {
	text := fmt.Sprintf("listen udp %s: %v", addrText(e.Addr), e.Err)
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

func (e *ListenError) Unwrap() error { return e.Err }

func newListenError(addr netip.AddrPort, err error) error {
	e := &ListenError{Addr: addr, Err: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Hint = fmt.Sprintf("another socket receives on that port (ss -ulpn 'sport = :%d' names its process): "+
			"stop it, choose another port, or have all of them share the port by SO_REUSEPORT", addr.Port())
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		e.Hint = "no interface of this host has that address"
	case errors.Is(err, syscall.EACCES):
		e.Hint = "ports below 1024 need CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EAFNOSUPPORT):
		e.Hint = "this host has no such address family; listen on 0.0.0.0 for IPv4"
	}
	return e
}

// addrText writes an address as it is written in a configuration.
func addrText(addr netip.AddrPort) string {
	if !addr.Addr().IsValid() {
		return fmt.Sprintf(":%d", addr.Port())
	}
	return addr.String()
}

// wildcard reports whether both address families are asked for.
func wildcard(addr netip.Addr) bool {
	return !addr.IsValid() || addr == netip.IPv6Unspecified()
}
