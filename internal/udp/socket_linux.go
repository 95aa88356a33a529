//go:build !udpportable

package udp

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Socket is a UDP socket that receives in batches. The package comment says who
// may call what.
type Socket struct {
	fd      int // nonblocking UDP socket
	wake    int // nonblocking eventfd, written by Wake
	local   netip.AddrPort
	cookie  uint64
	asked   int
	granted int

	vector  vector         // what recvmmsg fills
	n       int            // datagrams in vector since the last Receive
	drained bool           // the last batch was short: poll before asking again
	poll    [2]unix.PollFd // socket, eventfd
	timeout unix.Timespec  // ppoll counts it down
	drops   dropCounter

	kept atomic.Bool // see Keep

	state  atomic.Uint32 // stateBusy and stateClosed
	closed chan struct{} // closed when the descriptors are
	wakeMu sync.Mutex    // guards wake against Close
	wakeUp [8]byte       // the eventfd's counter is read into it
}

// Bits of Socket.state. Whoever has set stateBusy owns the descriptors; if
// stateClosed was set meanwhile, it closes them when it leaves.
const (
	stateBusy   = 1
	stateClosed = 2
)

// Listen opens a socket. The error is a [*ListenError] where the system refused.
func Listen(cfg Config) (*Socket, error) {
	return listen(cfg, unix.Socket)
}

// listen is Listen with the system call that opens a socket passed in.
func listen(cfg Config, open func(domain, typ, proto int) (int, error)) (*Socket, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	fd, err := bindSocket(cfg, open)
	if err != nil {
		return nil, newListenError(cfg.Addr, err)
	}
	s, err := newSocket(fd, cfg, false)
	if err != nil {
		return nil, newListenError(cfg.Addr, err)
	}
	return s, nil
}

// newSocket makes a Socket of a bound descriptor, which it closes on error.
func newSocket(fd int, cfg Config, adopted bool) (*Socket, error) {
	s := &Socket{fd: fd, wake: -1, drained: true, closed: make(chan struct{})}
	if err := s.setUp(cfg, adopted); err != nil {
		unix.Close(s.fd)
		if s.wake >= 0 {
			unix.Close(s.wake)
		}
		return nil, err
	}
	return s, nil
}

// setUp makes the rest of a bound socket.
func (s *Socket) setUp(cfg Config, adopted bool) error {
	var err error
	if s.local, err = localAddr(s.fd); err != nil {
		return err
	}
	s.cookie = CookieOf(s.fd)
	if s.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return fmt.Errorf("create eventfd: %w", err)
	}
	s.asked = cfg.ReceiveBuffer
	if s.granted, err = setReceiveBuffer(s.fd, cfg, adopted); err != nil {
		return err
	}
	s.poll = [2]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(s.wake), Events: unix.POLLIN}}
	s.vector = newVector(cfg.Batch, cfg.BufferSize)
	return nil
}

// Receive takes up to a batch of datagrams, waiting for the first at most for
// timeout (0 does not wait, a negative one waits without end). The n datagrams
// can be read by [Socket.Datagram] until the next Receive. It returns 0 and no
// error on timeout and when woken, and may do so early.
//
// After [Socket.Close] the error is [net.ErrClosed]. Other errors are the
// system's; the socket can be used on after them.
func (s *Socket) Receive(timeout time.Duration) (n int, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	s.n, err = s.receive(timeout)
	n = s.n
	s.leave()
	return n, err
}

func (s *Socket) receive(timeout time.Duration) (int, error) {
	for {
		waited := s.drained
		if s.drained {
			if ready, err := s.wait(timeout); err != nil || !ready {
				return 0, err
			}
		}
		n, errno := s.vector.receive(s.fd)
		switch errno {
		case 0:
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			s.drained = true
			if waited { // its checksum was bad: the kernel found out only now
				return 0, nil
			}
			continue
		default:
			s.drained = true
			return 0, fmt.Errorf("receive udp %s: %w", s.local, errno)
		}
		s.drained = n < s.vector.batch()
		// The count of drops grows from one datagram to the next in a queue.
		if drops, ok := s.vector.drops(n - 1); ok {
			s.drops.observe(drops)
		}
		return n, nil
	}
}

// TryReceive is Receive for a caller that has seen, by a poll of its own on
// [Socket.Fd], that there may be datagrams: it neither waits nor polls. A full
// batch says that there may be more.
func (s *Socket) TryReceive() (n int, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	s.drained = false
	s.n, err = s.tryReceive()
	n = s.n
	s.leave()
	return n, err
}

func (s *Socket) tryReceive() (int, error) {
	for {
		n, errno := s.vector.receive(s.fd)
		switch errno {
		case 0:
			if drops, ok := s.vector.drops(n - 1); ok {
				s.drops.observe(drops)
			}
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, fmt.Errorf("receive udp %s: %w", s.local, errno)
		}
	}
}

// Refuse makes the kernel drop what arrives from now on, and count it as it counts
// what finds the receive buffer full. What is in the buffer can still be received.
func (s *Socket) Refuse() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	none := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} // keeps 0 bytes of each
	program := unix.SockFprog{Len: 1, Filter: &none}
	if err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return fmt.Errorf("attach filter to udp %s: %w", s.local, err)
	}
	return nil
}

// Fd returns the socket's descriptor, for polling. It is open until Close.
func (s *Socket) Fd() int { return s.fd }

// Batch returns the number of datagrams that one call takes at most.
func (s *Socket) Batch() int { return s.vector.batch() }

// wait sleeps until the socket has something, or until woken or late.
func (s *Socket) wait(timeout time.Duration) (ready bool, err error) {
	limit := &s.timeout
	if timeout < 0 {
		limit = nil
	} else {
		s.timeout = unix.NsecToTimespec(int64(timeout))
	}
	for {
		// Linux leaves the time that remains in limit, so a signal costs none.
		_, err := unix.Ppoll(s.poll[:], limit, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return false, fmt.Errorf("poll udp %s: %w", s.local, err)
		}
	}
	if s.poll[1].Revents != 0 {
		// Nonblocking: an error means that the counter is zero already.
		_, _ = unix.Read(s.wake, s.wakeUp[:])
	}
	return s.poll[0].Revents != 0, nil
}

// Datagram returns datagram i, 0 <= i < n, of the last Receive.
func (s *Socket) Datagram(i int) Datagram {
	if uint(i) >= uint(s.n) {
		panic("udp: datagram index out of range of the last Receive")
	}
	return s.vector.datagram(i)
}

// Wake ends a Receive that waits, or the next one that would.
func (s *Socket) Wake() {
	s.wakeMu.Lock()
	defer s.wakeMu.Unlock()
	if s.wake >= 0 {
		one := [8]byte{1, 1, 1, 1, 1, 1, 1} // any number but zero, in any byte order
		// An error means that the counter is near overflow: it is set already.
		_, _ = unix.Write(s.wake, one[:])
	}
}

// KernelDrops returns how many datagrams the kernel has dropped at this socket
// since it was opened, as far as Receive and PollDrops have learned.
func (s *Socket) KernelDrops() uint64 { return s.drops.total.Load() }

// PollDrops asks the kernel for its count of drops and returns the same running
// total as [Socket.KernelDrops]. Drops come with the next datagram; when none
// comes, only PollDrops sees them. Call it about once a second.
func (s *Socket) PollDrops() uint64 {
	if s.enter() == nil {
		s.pollDrops()
		s.leave()
	}
	return s.drops.total.Load()
}

func (s *Socket) pollDrops() {
	if drops, ok := memInfoDrops(s.fd); ok {
		s.drops.observe(drops)
	}
}

// ReceiveBuffer returns the size of the kernel's queue in bytes: what was asked
// for (0 is nothing) and what the kernel grants. The kernel doubles a size to
// make room for its own bookkeeping; granted is without the doubling, so that it
// compares with asked.
func (s *Socket) ReceiveBuffer() (asked, granted int) { return s.asked, s.granted }

// LocalAddr returns the address and port the socket is bound to.
func (s *Socket) LocalAddr() netip.AddrPort { return s.local }

// Close closes the socket. A Receive in progress is woken, and Close waits until
// it has returned. The datagrams of the last Receive stay readable. What is
// still in the kernel's queue is lost unless another descriptor of the socket is
// open: receive until nothing comes before.
func (s *Socket) Close() error {
	before := s.state.Or(stateClosed)
	switch {
	case before&stateClosed != 0: // closed by an earlier call
	case before&stateBusy != 0:
		s.Wake()
	default:
		s.closeDescriptors()
	}
	<-s.closed
	return nil
}

// enter takes the descriptors for the caller's use, leave gives them back.
func (s *Socket) enter() error {
	if s.state.CompareAndSwap(0, stateBusy) {
		return nil
	}
	if s.state.Load()&stateClosed != 0 {
		return net.ErrClosed
	}
	return ErrBusy
}

func (s *Socket) leave() {
	if !s.state.CompareAndSwap(stateBusy, 0) {
		s.closeDescriptors()
	}
}

func (s *Socket) closeDescriptors() {
	s.pollDrops()
	s.wakeMu.Lock()
	defer s.wakeMu.Unlock()
	unix.Close(s.fd)
	unix.Close(s.wake)
	s.fd, s.wake = -1, -1
	close(s.closed)
}
