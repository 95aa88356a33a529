package xdp

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/ringbuf"
)

// queue is a receive queue of the interface with its packet memory and a socket
// for each worker. The first socket owns the memory and the fill ring for the
// kernel; the others share them.
type queue struct {
	id       uint32
	device   Interface
	umem     *umem
	sockets  []*socket // by worker
	mapping  []byte    // of the fill ring
	zeroCopy bool

	_ [128]byte // what follows is written by all workers

	chunks chunks
}

// queuePlan is what all queues of a capture have in common.
type queuePlan struct {
	workers, ringSize int
	layout
	zeroCopy ZeroCopy
	done     <-chan struct{} // Config.Done
}

// openQueue makes the sockets of a queue and binds them. No frame reaches them
// before the program knows about them.
func openQueue(device Interface, id uint32, plan queuePlan) (*queue, error) {
	q := &queue{id: id, device: device}
	if err := q.open(plan); err != nil {
		q.close()
		return nil, err
	}
	return q, nil
}

func (q *queue) open(plan queuePlan) (err error) {
	chunks := chunksFor(plan.workers, plan.ringSize)
	if q.umem, err = newUMEM(chunks, plan.chunk); err != nil {
		return refuse(q.device.Name, stepMemory, err)
	}
	for w := range plan.workers {
		s, err := newSocket(q, uint32(w), plan.ringSize)
		if err != nil {
			return err
		}
		q.sockets = append(q.sockets, s)
		if w == 0 {
			err = q.openFirst(s, chunks, plan)
		} else {
			err = s.bind(unix.XDP_SHARED_UMEM, q.sockets[0].fd, plan.done)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openFirst registers the UMEM with the first socket, fills its fill ring, and binds
// it.
func (q *queue) openFirst(s *socket, chunks int, plan queuePlan) error {
	reg := umemReg(q.umem.mem, plan.chunk)
	if err := setOption(s.fd, unix.XDP_UMEM_REG, &reg); err != nil {
		return refuse(q.device.Name, stepUMEM, fmt.Errorf("%d bytes: %w", reg.Len, err))
	}
	least, most := leastUsed(plan.workers, plan.ringSize), mostUsed(plan.workers, plan.ringSize)
	size, completion := uint32(1), uint32(completionSize)
	for size < uint32(most) {
		size *= 2
	}
	if err := setOption(s.fd, unix.XDP_UMEM_FILL_RING, &size); err != nil {
		return refuse(q.device.Name, stepRings, fmt.Errorf("fill ring of %d: %w", size, err))
	}
	if err := setOption(s.fd, unix.XDP_UMEM_COMPLETION_RING, &completion); err != nil {
		return refuse(q.device.Name, stepRings, fmt.Errorf("completion ring of %d: %w", completion, err))
	}
	if err := q.mapFill(s, size); err != nil {
		return err
	}
	q.chunks.add(q.umem, chunks, least, most)
	if err := q.bindFirst(s, plan); err != nil {
		return err
	}
	if q.zeroCopy {
		q.chunks.raise(driverKeeps(plan.ringSize))
	}
	return nil
}

func (q *queue) mapFill(s *socket, size uint32) error {
	o, err := s.offsets()
	if err != nil {
		return err
	}
	const addressSize = 8
	if q.mapping, err = s.mapRing(unix.XDP_UMEM_PGOFF_FILL_RING, o.Fr, size, addressSize); err != nil {
		return err
	}
	if q.chunks.fill, err = ringbuf.NewFill(q.mapping, layoutOf(o.Fr), size); err != nil {
		return refuse(q.device.Name, stepRings, err)
	}
	return nil
}

// bindFirst binds the first socket. With neither XDP_ZEROCOPY nor XDP_COPY the
// kernel tries the one and then the other.
func (q *queue) bindFirst(s *socket, plan queuePlan) error {
	flags := uint16(unix.XDP_USE_NEED_WAKEUP)
	switch plan.zeroCopy {
	case ZeroCopyOn:
		flags |= unix.XDP_ZEROCOPY
	case ZeroCopyOff:
		flags |= unix.XDP_COPY
	}
	if plan.frags {
		flags |= unix.XDP_USE_SG
	}
	if err := s.bind(flags, -1, plan.done); err != nil {
		return err
	}
	var options uint32 // struct xdp_options
	if getOption(s.fd, unix.XDP_OPTIONS, &options) == nil {
		q.zeroCopy = options&unix.XDP_OPTIONS_ZEROCOPY != 0
	}
	return nil
}

// giveBack returns the chunks that a socket's worker holds, all at once. Only that
// worker calls it for the socket.
func (q *queue) giveBack(s *socket) {
	wake := q.chunks.put(s.held[:s.n])
	s.n = 0
	if wake {
		s.kick()
	}
}

// close releases the queue: the first socket last, then the memory. Nothing may
// use it any more.
func (q *queue) close() {
	if q.mapping != nil {
		_ = unix.Munmap(q.mapping)
	}
	q.mapping, q.chunks.fill = nil, nil
	for i := len(q.sockets) - 1; i >= 0; i-- {
		q.sockets[i].close()
	}
	if q.umem != nil {
		q.umem.close()
	}
}
