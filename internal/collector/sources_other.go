//go:build !linux

package collector

import (
	"errors"
	"net/netip"
	"time"

	"github.com/weirflow/weir/internal/udp"
)

// sources is where a worker's datagrams come from: here, one UDP socket.
type sources struct{ sock *udp.Socket }

func newSources(socks []*udp.Socket, _ time.Duration, _ bool) (*sources, error) {
	return &sources{sock: socks[0]}, nil
}

// listen is not called: there is one socket.
func (s *sources) listen([]place) {}

func (s *sources) drain(*Worker, *udp.Socket, time.Time)   {}
func (s *sources) exhaust(*Worker, *udp.Socket, time.Time) {}

func (s *sources) wake()  { s.sock.Wake() }
func (s *sources) close() {}

// localAddr returns where the current datagram was sent to, as far as is known.
func (s *sources) localAddr() netip.AddrPort { return s.sock.LocalAddr() }

// next takes what there is, waiting for it at most for limit, and returns how
// much it was.
func (s *sources) next(w *Worker, limit time.Duration) (int, error) {
	n, err := s.sock.Receive(limit)
	if n == 0 {
		return 0, err
	}
	w.goflow2.from(0)
	decode := w.ready()
	for i := range n {
		d := s.sock.Datagram(i)
		if decode {
			w.datagram(&d)
		} else {
			w.discard(PathUDP, len(d.Payload))
		}
	}
	return n, err
}

// sweep is next for a worker that stops.
func (s *sources) sweep(w *Worker) (int, error) { return s.next(w, 0) }

// finish takes all that is in the socket, for at most drainTime: it cannot be
// told to receive no more.
func (s *sources) finish(w *Worker) {
	end := time.Now().Add(drainTime)
	for n, err := 1, error(nil); n > 0 && err == nil && time.Now().Before(end); {
		n, err = s.next(w, 0)
	}
	w.pollDrops()
}

func pinThread(int) error { return errors.New("set cpu affinity: only on linux") }
