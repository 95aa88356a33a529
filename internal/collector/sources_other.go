//go:build !linux

package collector

import (
	"net/netip"
	"time"

	"github.com/weirflow/weir/internal/udp"
)

// sources is where a worker's datagrams come from: here, one UDP socket.
type sources struct{ sock *udp.Socket }

func newSources(socks []*udp.Socket, _ time.Duration, _ bool) (*sources, error) {
	return &sources{sock: socks[0]}, nil
}

func (s *sources) wake()  { s.sock.Wake() }
func (s *sources) close() {}

// localAddr returns where the datagram in hand was sent to, as far as is known.
func (s *sources) localAddr() netip.AddrPort { return s.sock.LocalAddr() }

// next takes what there is, waiting for it at most for limit, and returns how
// much it was.
func (s *sources) next(w *Worker, limit time.Duration) (int, error) {
	n, err := s.sock.Receive(limit)
	w.goflow2.from(0)
	for i := range n {
		d := s.sock.Datagram(i)
		w.datagram(&d)
	}
	return n, err
}
