package collector

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/xdp"
)

const (
	// lookAgain is how many rounds a busy worker makes over its frames before
	// it looks at its sockets again without having been told.
	lookAgain = 16
	// spins is how often a worker that had something looks again before it
	// waits. More of it would take the CPU from the kernel's receive path.
	spins = 2
	// fewSockets is how many sockets a worker reads rather than asks which of
	// them have something.
	fewSockets = 2
)

// sources is where a worker's datagrams come from: its UDP sockets, and its
// ends of the captures that are attached at present. It belongs to the worker's
// thread, but for what is marked.
type sources struct {
	socks   []*udp.Socket
	at      []int // by socket: index of its place
	latency time.Duration
	wakeFd  int // eventfd; written by any goroutine

	// Where the current datagram is from: a frame, or a socket of that address.
	reading *xdp.Receiver
	frame   int
	local   netip.AddrPort

	frames []*xdp.Receiver
	// wanted is written by whoever attaches and detaches captures; the worker
	// takes it over, and closes its taken.
	wanted atomic.Pointer[frameSet]
	had    *frameSet

	fds    []unix.PollFd // eventfd, sockets, frames
	ready  []bool        // by socket: may have something
	rounds int           // since the sockets were looked at for sure
	idle   int           // rounds in a row without a datagram
	took   time.Time     // when a round last had a datagram
	often  bool          // the one before it was less than two latencies ago
	gather gathering
}

// frameSet is a set of receivers on its way to a worker.
type frameSet struct {
	receivers []*xdp.Receiver
	taken     chan struct{}
}

// newSources returns sources without frames. roams tells that the worker need not
// stay on its thread.
func newSources(socks []*udp.Socket, latency time.Duration, roams bool) (*sources, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create eventfd: %w", err)
	}
	s := &sources{latency: latency, wakeFd: fd, gather: gathering{roams: roams}}
	for i, sock := range socks {
		s.socks, s.at = append(s.socks, sock), append(s.at, i)
	}
	s.layOut()
	return s, nil
}

// listen has the sockets of these places read from now on.
func (s *sources) listen(places []place) {
	s.socks, s.at = s.socks[:0], s.at[:0]
	for i, p := range places {
		if p.sock != nil {
			s.socks, s.at = append(s.socks, p.sock), append(s.at, i)
		}
	}
	s.layOut()
}

// layOut builds the poll set again.
func (s *sources) layOut() {
	s.fds = append(s.fds[:0], unix.PollFd{Fd: int32(s.wakeFd), Events: unix.POLLIN})
	s.ready = s.ready[:0]
	for _, sock := range s.socks {
		s.fds = append(s.fds, unix.PollFd{Fd: int32(sock.Fd()), Events: unix.POLLIN})
		s.ready = append(s.ready, true)
	}
	for _, r := range s.frames {
		for _, fd := range r.Fds() {
			s.fds = append(s.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
	}
	s.gather.limit(s.latency, s.socks, s.frames)
}

// SetFrames gives the worker the receivers to read from now on, and returns when
// it has emptied and let go of those that are not among them. The worker must be
// running, or not have been started yet with nothing to let go of.
func (w *Worker) SetFrames(receivers []*xdp.Receiver) {
	set := &frameSet{receivers: receivers, taken: make(chan struct{})}
	w.src.wanted.Store(set)
	w.src.wake()
	select {
	case <-set.taken:
	case <-w.done:
	}
}

// wake ends a wait, or the next one.
func (s *sources) wake() {
	one := [8]byte{1, 1, 1, 1, 1, 1, 1}
	// An error means that the counter is set already.
	_, _ = unix.Write(s.wakeFd, one[:])
}

// close releases the descriptors. The worker has ended.
func (s *sources) close() {
	_ = unix.Close(s.wakeFd)
	s.gather.close()
}

// adopt takes over a new set of receivers, after emptying those that go.
func (s *sources) adopt(w *Worker) {
	set := s.wanted.Load()
	if set == s.had {
		return
	}
	for _, r := range s.frames {
		w.empty(r)
	}
	s.frames, s.had = set.receivers, set
	s.layOut()
	if l := w.parts.Life; l != nil {
		frames := 0
		for _, r := range s.frames {
			frames += r.RingSize() * len(r.Fds())
		}
		l.Rings.Store(uint64(frames))
	}
	close(set.taken)
}

// next takes what there is, once over all sources, and returns how much it was.
// If it was nothing it waits for something, at most for limit, before it
// returns.
func (s *sources) next(w *Worker, limit time.Duration) (int, error) {
	n, err := s.turn(w)
	if err != nil {
		return n, err
	}
	return n, s.rest(n, limit)
}

// turn takes what there is, once over all sources.
func (s *sources) turn(w *Worker) (int, error) {
	s.adopt(w)
	total := 0
	for _, r := range s.frames {
		total += w.takeFrames(r)
	}
	if s.rounds++; s.rounds >= lookAgain {
		s.rounds = 0
		for i := range s.ready {
			s.ready[i] = true
		}
	}
	for i := range s.socks {
		if !s.ready[i] {
			continue
		}
		n, err := s.take(w, i)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// take takes a batch from socket i.
func (s *sources) take(w *Worker, i int) (int, error) {
	w.goflow2.from(s.at[i])
	sock := s.socks[i]
	if sock.Kept() && w.late() { // it is left to the successor
		s.ready[i] = false
		return 0, nil
	}
	n, err := sock.TryReceive()
	if err != nil {
		return 0, err
	}
	s.ready[i] = n == sock.Batch()
	if n == 0 {
		return 0, nil
	}
	s.local = sock.LocalAddr()
	decode := w.ready()
	for j := range n {
		d := sock.Datagram(j)
		if decode && !w.late() { // a datagram may take tens of milliseconds
			w.datagram(&d)
		} else {
			w.discard(PathUDP, len(d.Payload))
		}
	}
	return n, nil
}

// sweep is turn for a worker that stops: it looks at every source, but for sockets
// that a successor keeps.
func (s *sources) sweep(w *Worker) (int, error) {
	s.rounds = 0 // turn sets no socket ready by itself
	for i, sock := range s.socks {
		s.ready[i] = !sock.Kept()
	}
	return s.turn(w)
}

// finish refuses what arrives from now on and takes all that is in the rings and
// sockets, but leaves alone sockets that a successor keeps. A source that fails has
// nothing more to give.
func (s *sources) finish(w *Worker) {
	for _, r := range s.frames {
		w.empty(r)
	}
	// The time begins here: detaching the captures may have taken longer than the drain time.
	end := time.Now().Add(drainTime)
	for _, sock := range s.socks {
		if !sock.Kept() {
			s.drain(w, sock, end)
		}
	}
	w.pollDrops()
}

// drain refuses what arrives at a socket from now on and takes all that is in it. After
// that the queue is finite: end is a bound for systems that cannot refuse.
func (s *sources) drain(w *Worker, sock *udp.Socket, end time.Time) {
	if err := sock.Refuse(); err != nil {
		w.log.Debug("socket still receives", "listen", sock.LocalAddr(), "error", err)
	}
	s.exhaust(w, sock, end)
}

// exhaust takes what is in a socket, and what arrives before that is done, until end.
func (s *sources) exhaust(w *Worker, sock *udp.Socket, end time.Time) {
	i := slices.Index(s.socks, sock)
	for n, err := 1, error(nil); n > 0 && err == nil && time.Now().Before(end); {
		n, err = s.take(w, i)
	}
}

// rest waits for a datagram, at most for limit, unless there may be one, after a
// round that had n.
//
// Where datagrams come often, it lets them gather for a moment of at most the
// latency, and no longer than rings and buffers bear: one wake-up then serves many.
func (s *sources) rest(n int, limit time.Duration) error {
	s.gather.since += n
	for _, ready := range s.ready {
		if ready {
			return nil
		}
	}
	if n > 0 { // first what is due after them
		now := time.Now()
		s.idle, s.often, s.took = 0, now.Sub(s.took) < 2*s.latency, now
		return nil
	}
	if s.idle++; len(s.frames) > 0 && s.idle <= spins {
		return nil
	}
	if s.often {
		s.often = false // until a round has something again
		s.gather.pause(time.Now())
		if len(s.socks) > fewSockets {
			return s.poll(0)
		}
		for i := range s.ready {
			s.ready[i] = true
		}
		return nil
	}
	return s.poll(limit)
}

// poll waits for any source to have something.
func (s *sources) poll(limit time.Duration) error {
	timeout := unix.NsecToTimespec(int64(max(limit, 0)))
	n, err := unix.Ppoll(s.fds, &timeout, nil)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("poll: %w", err)
	}
	if err != nil || n == 0 {
		return nil
	}
	if s.fds[0].Revents != 0 {
		var counter [8]byte
		_, _ = unix.Read(s.wakeFd, counter[:]) // nonblocking: empty already
	}
	for i := range s.socks {
		s.ready[i] = s.fds[1+i].Revents != 0
	}
	if limit > 0 { // after a pause: how often they come is to be seen
		s.gather.napped, s.gather.since = time.Now(), 0
	}
	return nil
}

// empty takes all that is in the rings of a receiver.
func (w *Worker) empty(r *xdp.Receiver) {
	for range drainRounds {
		if w.takeFrames(r) == 0 {
			return
		}
	}
}

// takeFrames takes a batch from a receiver and returns its size.
func (w *Worker) takeFrames(r *xdp.Receiver) int {
	n := r.Receive()
	if n == 0 {
		return 0
	}
	w.goflow2.from(fromFrames)
	decode := w.ready()
	now := time.Now().UnixNano()
	w.src.reading = r
	for i := range n {
		r.Fetch(i + 1) // while this one is decoded
		src, payload := r.Datagram(i)
		if payload == nil {
			w.counters.FramesMalformed++
			continue
		}
		if !decode || w.late() {
			w.discard(PathXDP, len(payload))
			continue
		}
		w.src.frame = i
		w.frame(src, payload, now)
	}
	r.Release()
	w.src.reading = nil
	return n
}

// localAddr returns where the current datagram was sent to, as far as is known.
func (s *sources) localAddr() netip.AddrPort {
	if s.reading == nil {
		return s.local
	}
	var f xdp.Frame
	s.reading.Read(s.frame, &f)
	return f.Dst
}

// pinThread binds the calling thread to one CPU.
func pinThread(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("set cpu affinity: %w", err)
	}
	return nil
}
