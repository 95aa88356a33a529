package xdp

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/ringbuf"
)

// Batch is the most frames that one Receive takes.
const Batch = 64

// Receiver is a worker's end of a capture: its sockets on all queues. One
// goroutine at a time may use it.
type Receiver struct {
	sockets []*socket // by queue; nil when closed
	fds     []int
	first   int // index of the socket to look at first, for fairness

	bell *bpf.Bell // nil if there is none

	packets [Batch]packet
	n       int
	taken   int // chunks taken since the last Release

	received atomic.Uint64 // frames, those that were no good too; only the worker writes

	bounce []byte // room for packets of several chunks; nil if there are none
	used   int    // bytes of bounce in use

	_ [128]byte // apart from the next worker's
}

// packet is a frame as it was received, or nil if its descriptors were no good.
type packet struct {
	data  []byte
	queue uint32
}

// Fds returns the descriptors of the sockets, by queue, to wait for with poll
// (POLLIN). They are open until the capture is closed.
func (r *Receiver) Fds() []int { return r.fds }

// RingSize returns how many frames can wait on each queue.
func (r *Receiver) RingSize() int { return r.sockets[0].rx.Cap() }

// Waiting returns how many frames wait on the queue that has the most. It is the
// price of a look at memory that the kernel writes to.
func (r *Receiver) Waiting() int {
	most := 0
	for _, s := range r.sockets {
		most = max(most, s.rx.Len())
	}
	return most
}

// BellFd returns a descriptor to wait for with poll (POLLIN): it is ready when so many
// frames have come as were said by SetBell. It is -1 where the kernel cannot do that.
func (r *Receiver) BellFd() int {
	if r.bell == nil {
		return -1
	}
	return r.bell.Fd()
}

// SetBell has the bell ring when n frames more have come on one of the queues, and ends
// its ringing; 0 has it not ring. There must be one.
func (r *Receiver) SetBell(n int) { r.bell.Set(n) }

// Receive takes frames from the sockets, up to Batch in all, and returns how many;
// it does not wait. Datagram and Read read them until Release, which must be called before
// the next Receive if there were any, and is by Receive if not. The order of
// frames from one queue is that in which they came.
func (r *Receiver) Receive() int {
	if r.taken != 0 {
		r.Release()
	}
	r.n, r.used = 0, 0
	for i := range r.sockets {
		at := r.first + i
		if at >= len(r.sockets) {
			at -= len(r.sockets)
		}
		r.take(r.sockets[at])
		if r.taken == Batch {
			break
		}
	}
	if r.first++; r.first >= len(r.sockets) {
		r.first = 0
	}
	if r.n == 0 {
		r.idle()
	}
	return r.n
}

// idle sees to it that workers that rest with full hands do not leave the kernel
// without chunks while there are some.
func (r *Receiver) idle() {
	for _, s := range r.sockets {
		if s.queue.chunks.low() {
			s.queue.giveBack(s)
		}
	}
}

// take takes whole packets from a socket, as many as the batch has room for.
func (r *Receiver) take(s *socket) {
	n := s.rx.Peek(Batch - r.taken)
	if n == 0 && s.polling != pollNever && s.pollCard() {
		n = s.rx.Peek(Batch - r.taken)
	}
	if n == 0 {
		return
	}
	done, before := 0, r.n
	if !s.skip {
		first, rest := s.rx.Runs(n)
		if done = r.takePlain(s, first); done == len(first) {
			done += r.takePlain(s, rest)
		}
	}
	if done < n {
		done = r.takeAny(s, done, n)
	}
	// Before the ring is told, so that a frame is in it or counted at any time (Stats).
	r.received.Store(r.received.Load() + uint64(r.n-before))
	// The beginning of a packet whose end has not come yet, or has no room, stays.
	s.rx.Release(done)
}

// takePlain takes packets of one descriptor each, as nearly all are, and returns how many
// it took: there are others from the first of another kind on.
func (r *Receiver) takePlain(s *socket, descs []ringbuf.Desc) int {
	if len(descs) == 0 {
		return 0
	}
	u := s.queue.umem
	mem, inside := u.mem, u.chunk-1
	// What another CPU has written must be fetched from there, which takes a while.
	fetchHeads(&mem[0], &descs[0], len(descs))
	packets, held := r.packets[r.n:], s.held[s.n:]
	n := 0
	for n < len(packets) && n < len(held) && n < len(descs) {
		d := &descs[n]
		length := uint64(d.Len)
		if d.Options&unix.XDP_PKT_CONTD != 0 || d.Addr >= uint64(len(mem)) || d.Addr&inside+length > inside+1 {
			break
		}
		u.ledger.Take(d.Addr)
		held[n] = d.Addr &^ inside
		p := &packets[n]
		p.data, p.queue = mem[d.Addr:d.Addr+length:d.Addr+length], s.queue.id
		n++
	}
	r.n += n
	s.n += n
	r.taken += n
	return n
}

// takeAny takes packets of any kind from descriptor start on, of n, and returns up to where
// it did.
func (r *Receiver) takeAny(s *socket, start, n int) int {
	fresh := start == 0
	for i := start; i < n; i++ { // start is that of the packet that the descriptor belongs to
		d := s.rx.At(i)
		if d.Options&unix.XDP_PKT_CONTD != 0 {
			continue
		}
		if i == start && !s.skip {
			r.add(s, r.own(s, d))
		} else {
			r.gather(s, start, i+1)
		}
		start = i + 1
	}
	if fresh && start == 0 && n == Batch {
		// No end within a batch: longer than any packet of the kernel's, and not
		// gathered. It counts as one that is no good; the rest of it is skipped.
		r.gather(s, 0, n)
		s.skip = true
		start = n
	}
	return start
}

// own takes the chunk of a descriptor from the kernel and returns the bytes in it,
// nil if there is none.
func (r *Receiver) own(s *socket, d ringbuf.Desc) []byte {
	u := s.queue.umem
	r.taken++
	if d.Addr >= uint64(len(u.mem)) { // no chunk of ours: nothing to return
		return nil
	}
	u.ledger.Take(d.Addr)
	s.held[s.n] = d.Addr &^ (u.chunk - 1)
	s.n++
	return u.view(d)
}

// add puts a frame into the batch.
func (r *Receiver) add(s *socket, data []byte) {
	r.packets[r.n] = packet{data: data, queue: s.queue.id}
	r.n++
}

// gather copies a packet of descriptors [from, to) into the bounce buffer, or
// skips it if it is the rest of one that was too long.
func (r *Receiver) gather(s *socket, from, to int) {
	start, whole := r.used, r.bounce != nil && to-from < Batch
	for i := from; i < to; i++ {
		data := r.own(s, s.rx.At(i))
		if data == nil {
			whole = false
		} else if whole {
			r.used += copy(r.bounce[r.used:], data)
		}
	}
	switch {
	case s.skip:
		s.skip = false
		r.used = start
	case whole:
		r.add(s, r.bounce[start:r.used:r.used])
	default:
		r.used = start
		r.add(s, nil)
	}
}

// Read reads the headers of frame i, 0 <= i < n, of the last Receive, into f. Its
// payload is valid until Release.
//
// The frame is the caller's and not returned: copying it, by loads wider than the
// stores just made, would take longer than the reading.
func (r *Receiver) Read(i int, f *Frame) {
	if uint(i) >= uint(r.n) {
		panic("xdp: frame index out of range of the last Receive")
	}
	p := &r.packets[i]
	f.Queue = p.queue
	f.parse(p.data)
}

// Datagram returns where frame i, 0 <= i < n, of the last Receive was sent from, and its
// payload, nil if it holds no whole UDP datagram. The payload is valid until Release. It is
// quicker than Read, which tells of all headers.
func (r *Receiver) Datagram(i int) (src netip.AddrPort, payload []byte) {
	if uint(i) >= uint(r.n) {
		panic("xdp: frame index out of range of the last Receive")
	}
	b := r.packets[i].data
	if end := plainEnd(b); end != 0 {
		h := (*[plainHeaders]byte)(b)
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(h[plainSource:])), binary.BigEndian.Uint16(h[plainUDP:])), b[plainHeaders:end:end]
	}
	f := parseFrame(b)
	return f.Src, f.Payload
}

// Fetch has the CPU fetch frame i of the last Receive, if there is one, while it does
// something else. Another CPU has written it: whoever decodes frames of many records would
// wait for each line of it.
func (r *Receiver) Fetch(i int) {
	if i < r.n {
		if data := r.packets[i].data; len(data) > 0 {
			fetch(&data[0], len(data))
		}
	}
}

// Release gives the frames of the last Receive back to the kernel, a batch at a
// time, and wakes it if it asks for that.
func (r *Receiver) Release() {
	for _, s := range r.sockets {
		if s.n != 0 {
			s.queue.giveBack(s)
		}
	}
	r.n, r.taken = 0, 0
}
