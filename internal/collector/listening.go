package collector

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// A place is one listen address of a worker. Counts by place never go back: a place stays
// when its socket is closed, and serves the next socket of the same address.
type place struct {
	listen string         // as configured
	local  netip.AddrPort // that the last socket was bound to
	sock   *udp.Socket    // nil: none is open
	gone   uint64         // what the kernel dropped at sockets that are closed
}

// drops returns what the kernel dropped at the place's sockets, as far as is known.
func (p *place) drops() uint64 {
	if p.sock == nil {
		return p.gone
	}
	return p.gone + p.sock.KernelDrops()
}

// newPlaces returns the places of sockets that were opened for these listen addresses.
func newPlaces(socks []*udp.Socket, listens []string) []place {
	list := make([]place, len(socks))
	for i, s := range socks {
		list[i] = place{listen: listens[i], local: s.LocalAddr(), sock: s}
	}
	return list
}

// sockets returns the sockets that are open.
func (w *Worker) sockets() []*udp.Socket {
	var list []*udp.Socket
	for _, p := range *w.places.Load() {
		if p.sock != nil {
			list = append(list, p.sock)
		}
	}
	return list
}

// SocketDrops returns the listen addresses that the worker has, or has had, a socket of, each
// once, with what the kernel dropped there, as far as is known.
func (w *Worker) SocketDrops() (listens []string, drops []uint64) {
	for _, p := range *w.places.Load() {
		i := slices.Index(listens, p.listen)
		if i < 0 {
			i, listens, drops = len(listens), append(listens, p.listen), append(drops, 0)
		}
		drops[i] += p.drops()
	}
	return listens, drops
}

// Sockets returns how many sockets the worker has.
func (w *Worker) Sockets() int { return len(w.sockets()) }

// Listen has the running worker receive on one more socket, which was opened for a listen
// address. Any goroutine may call it.
func (w *Worker) Listen(ctx context.Context, s *udp.Socket, listen string) error {
	err := w.do(ctx, func() {
		next := slices.Clone(*w.places.Load())
		i := slices.IndexFunc(next, func(p place) bool { return p.sock == nil && p.listen == listen })
		if i < 0 {
			i, next = len(next), append(next, place{listen: listen})
		}
		next[i].sock, next[i].local = s, s.LocalAddr()
		w.places.Store(&next)
		w.src.listen(next)
	})
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	return nil
}

// Leave has the running worker take what waits in a socket, for a second at most, count
// what the kernel dropped there, and close it. What arrives meanwhile goes to other sockets
// of the port, if there are any. It reports whether the socket is the worker's. Any goroutine
// may call it.
func (w *Worker) Leave(ctx context.Context, s *udp.Socket) (own bool, err error) {
	if !slices.Contains(w.sockets(), s) {
		return false, nil
	}
	err = w.do(ctx, func() {
		next := slices.Clone(*w.places.Load())
		i := slices.IndexFunc(next, func(p place) bool { return p.sock == s })
		end := time.Now().Add(drainTime)
		if derr := s.Detach(); derr != nil {
			w.log.Debug("socket not detached", "error", derr)
		} else {
			w.src.exhaust(w, s, end)
		}
		w.src.drain(w, s, end)
		if cerr := s.Close(); cerr != nil {
			w.log.Debug("close socket", "error", cerr)
		}
		next[i].gone, next[i].sock = next[i].drops(), nil
		w.places.Store(&next)
		w.src.listen(next)
		w.pollDrops()
		w.publish(true)
	})
	if err != nil {
		return true, fmt.Errorf("leave %s: %w", s.LocalAddr(), err)
	}
	return true, nil
}

// errEnded says that the worker has ended.
var errEnded = errors.New("worker has ended")

// errand is something that a worker is asked to do between two receive calls.
type errand struct {
	do   func()
	done chan struct{} // closed when it is done
}

// do has the running worker call f between two receive calls, and returns when it has.
// If ctx is done before the worker begins it is not called.
func (w *Worker) do(ctx context.Context, f func()) error {
	w.asking.Lock()
	defer w.asking.Unlock()
	e := &errand{do: f, done: make(chan struct{})}
	w.errand.Store(e)
	w.src.wake()
	var err error
	select {
	case <-e.done:
		return nil
	case <-w.done:
		err = errEnded
	case <-ctx.Done():
		err = ctx.Err()
	}
	if w.errand.CompareAndSwap(e, nil) {
		return err
	}
	<-e.done // it is at work, or was just before the end
	return nil
}

// run does what the worker was asked to do.
func (w *Worker) run() {
	if e := w.errand.Swap(nil); e != nil {
		e.do()
		close(e.done)
	}
}

// A Halt is a worker that stands still, after it has sealed its batch.
type Halt struct {
	w      *Worker
	resume chan struct{}
	ended  chan struct{}
}

// Halt has the running worker seal its batch and stand still until Resume. What arrives
// waits in its sockets and rings. Any goroutine may call it.
func (w *Worker) Halt(ctx context.Context) (*Halt, error) {
	h := &Halt{w: w, resume: make(chan struct{}), ended: make(chan struct{})}
	still, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(h.ended)
		err := w.do(ctx, func() {
			w.seal()
			close(still)
			<-h.resume
		})
		failed <- err
	}()
	select {
	case <-still:
		return h, nil
	case err := <-failed:
		return nil, fmt.Errorf("halt worker %d: %w", w.index, err)
	}
}

// Lane gives the worker another lane; notify is called after each batch that is pushed. All
// batches of the lane that it had are the hub's, or nobody's.
func (h *Halt) Lane(lane *sink.Lane, notify func()) {
	w := h.w
	w.lane, w.notify = lane, notify
	w.free, w.batch, w.lent, w.behind = make([]*producer.Batch, 0, lane.Empty.Cap()), nil, 0, false
}

// Configure gives the worker and its producer another configuration.
func (h *Halt) Configure(cfg Config, records producer.Config) {
	h.w.cfg = cfg
	h.w.prod.Reconfigure(records)
}

// Resume has the worker go on. It is called once.
func (h *Halt) Resume() {
	close(h.resume)
	<-h.ended
}
