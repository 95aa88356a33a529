package xdp

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/ringbuf"
)

const (
	// bindPatience is how long a queue may be held by a socket that was closed
	// before: the kernel lets go of it some time after.
	bindPatience = 5 * time.Second
	bindPause    = 5 * time.Millisecond

	// completionSize is of a ring that must be there but is never used.
	completionSize = 64
)

// socket is a worker's AF_XDP socket on a queue. Only the worker uses what is
// below the line.
type socket struct {
	fd      int
	queue   *queue
	worker  uint32
	mapping []byte // of the RX ring; holds a reference to the socket until unmapped
	rx      *ringbuf.RX

	held    [Batch]uint64 // chunks to be returned, the first n
	n       int
	skip    bool // in the middle of a packet that was too long
	polling polling
}

// polling says whether to ask the kernel to poll the network card when there is
// nothing.
type polling uint8

const (
	pollNever   polling = iota
	pollUnknown         // the socket has no NAPI instance yet: it gets one with its first frame
	pollBusily
)

// newSocket makes a socket with an RX ring. The ring is mapped before the socket is
// bound: Linux 6.1 refuses it afterwards (EBUSY).
func newSocket(q *queue, worker uint32, ringSize int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, refuse(q.device.Name, stepSocket, err)
	}
	s := &socket{fd: fd, queue: q, worker: worker}
	size := uint32(ringSize)
	if err := setOption(fd, unix.XDP_RX_RING, &size); err != nil {
		s.close()
		return nil, refuse(q.device.Name, stepRings, fmt.Errorf("rx ring of %d: %w", size, err))
	}
	if err := s.mapRX(ringSize); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// offsets asks where the parts of the rings lie.
func (s *socket) offsets() (o unix.XDPMmapOffsets, err error) {
	if err := getOption(s.fd, unix.XDP_MMAP_OFFSETS, &o); err != nil {
		return o, refuse(s.queue.device.Name, stepRings, fmt.Errorf("get offsets: %w", err))
	}
	return o, nil
}

// mapRing maps one of the socket's rings. entry is the size of an entry in bytes.
func (s *socket) mapRing(page int64, at unix.XDPRingOffset, size uint32, entry uint64) ([]byte, error) {
	length := at.Desc + uint64(size)*entry
	mem, err := unix.Mmap(s.fd, page, int(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, refuse(s.queue.device.Name, stepRings, fmt.Errorf("map %d bytes: %w", length, err))
	}
	return mem, nil
}

func layoutOf(o unix.XDPRingOffset) ringbuf.Layout {
	return ringbuf.Layout{Producer: o.Producer, Consumer: o.Consumer, Flags: o.Flags, Desc: o.Desc}
}

// mapRX maps the RX ring.
func (s *socket) mapRX(ringSize int) error {
	o, err := s.offsets()
	if err != nil {
		return err
	}
	const descSize = 16
	if s.mapping, err = s.mapRing(unix.XDP_PGOFF_RX_RING, o.Rx, uint32(ringSize), descSize); err != nil {
		return err
	}
	s.rx, err = ringbuf.NewRX(s.mapping, layoutOf(o.Rx), uint32(ringSize))
	if err != nil {
		return refuse(s.queue.device.Name, stepRings, err)
	}
	return nil
}

// bind binds the socket to its queue, sharing the UMEM of another socket on the
// same queue if shared is its descriptor and not -1. It tries again while the queue is
// busy, for bindPatience at most and until done is closed.
func (s *socket) bind(flags uint16, shared int, done <-chan struct{}) error {
	address := &unix.SockaddrXDP{
		Flags:   flags,
		Ifindex: uint32(s.queue.device.Index),
		QueueID: s.queue.id,
	}
	if shared >= 0 {
		address.SharedUmemFD = uint32(shared)
	}
	for deadline := time.Now().Add(bindPatience); ; {
		err := unix.Bind(s.fd, address)
		if err == nil {
			return nil
		}
		wait := errors.Is(err, unix.EBUSY) && time.Now().Before(deadline)
		if wait {
			select {
			case <-done:
				wait = false
			case <-time.After(bindPause):
			}
		}
		if !wait {
			return refuse(s.queue.device.Name, fmt.Sprintf("%s to queue %d", stepBind, s.queue.id), err)
		}
	}
}

// busyPoll has the socket's system calls poll the network card for the given time
// and up to budget frames; it reports whether the kernel takes that.
func (s *socket) busyPoll(spin time.Duration, budget int) bool {
	for _, option := range []struct{ name, value int }{
		{unix.SO_PREFER_BUSY_POLL, 1},
		{unix.SO_BUSY_POLL, max(int(spin/time.Microsecond), 1)},
		{unix.SO_BUSY_POLL_BUDGET, budget},
	} {
		if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, option.name, option.value) != nil {
			return false
		}
	}
	s.polling = pollUnknown
	return true
}

// pollCard polls the network card when there is nothing to receive, if the driver is
// one that can be polled; it reports whether it did.
func (s *socket) pollCard() bool {
	if s.polling == pollUnknown {
		id, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID)
		switch {
		case err == nil && id != 0:
			s.polling = pollBusily
		case err != nil || s.rx.HighWater() > 0:
			s.polling = pollNever // frames have come, and yet it has none
		}
	}
	if s.polling == pollBusily {
		s.kick()
		return true
	}
	return false
}

// kick has the kernel go on with the fill ring, or poll the network card. What it
// returns is of no use: there is no data to receive by it, and a device that is
// down is Health's to find.
func (s *socket) kick() {
	_, _, _ = unix.Syscall6(unix.SYS_RECVFROM, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
}

// close gives up the ring and the socket. The ring comes first: its mapping keeps
// the socket, and so the queue, from being released.
func (s *socket) close() {
	if s.mapping != nil {
		_ = unix.Munmap(s.mapping)
	}
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	s.mapping, s.rx, s.fd = nil, nil, -1
}
