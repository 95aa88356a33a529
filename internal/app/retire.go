package app

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/weirflow/weir/internal/udp"
)

// retiredBytes is how much of what waits in sockets that are not listened on any more is
// decoded. The rest is counted as dropped by shutdown.
const retiredBytes = 64 << 20

// retired is what waited in sockets that a predecessor left and that no listen address
// asks for any more.
type retired struct {
	datagrams []udp.Datagram
	dropped   []int  // payload bytes of those beyond retiredBytes
	drops     uint64 // what the kernel dropped
	bytes     int
}

// socketConfig says how to open a socket of a listen address with count sockets.
func (c *collection) socketConfig(addr netip.AddrPort, count int) udp.Config {
	return udp.Config{Addr: addr, ReceiveBuffer: c.cfg.ReceiveBuffer, ReusePort: count > 1, Logger: c.log}
}

// retire empties and closes the sockets that a predecessor left and that no listen
// address asks for, before their ports are bound again.
func (c *collection) retire() {
	var wanted []udp.Config
	for _, l := range c.cfg.Listen {
		for range l.Count {
			if l.Addr.Port() != 0 {
				wanted = append(wanted, c.socketConfig(l.Addr, l.Count))
			}
		}
	}
	for _, s := range c.keeper.unfit(wanted) {
		c.life.restore(s)
		before := len(c.retired.datagrams) + len(c.retired.dropped)
		c.retired.take(s)
		c.retired.drops += s.PollDrops()
		n := len(c.retired.datagrams) + len(c.retired.dropped) - before
		c.log.Info("socket of an earlier weir closed: no -listen asks for it", "address", s.LocalAddr(), "datagrams", n)
		if err := s.Close(); err != nil {
			c.log.Debug("close socket", "error", err)
		}
	}
}

// take receives what waits in a socket, for a second at most.
func (r *retired) take(s *udp.Socket) {
	// Where the kernel goes on queueing, the time ends it.
	_ = s.Refuse()
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		n, err := s.Receive(0)
		if n == 0 || err != nil {
			return
		}
		for i := range n {
			d := s.Datagram(i)
			if r.bytes += len(d.Payload); r.bytes > retiredBytes {
				r.dropped = append(r.dropped, len(d.Payload))
				continue
			}
			d.Payload = bytes.Clone(d.Payload)
			r.datagrams = append(r.datagrams, d)
		}
	}
}
