package app

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/udp"
)

// listening are the sockets that are open. A reload changes them.
type listening struct {
	mu   sync.Mutex
	list []listener
}

// A listener is a socket of a listen address.
type listener struct {
	sock *udp.Socket
	addr netip.AddrPort // as configured: port 0 is any
	uri  string
}

// listeners returns what is open now.
func (l *listening) listeners() []listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// sockets returns those that are open now.
func (l *listening) sockets() []*udp.Socket {
	var list []*udp.Socket
	for _, one := range l.listeners() {
		list = append(list, one.sock)
	}
	return list
}

// addresses returns what the sockets are bound to.
func (l *listening) addresses() []netip.AddrPort { return boundTo(l.listeners()) }

func boundTo(list []listener) []netip.AddrPort {
	addrs := make([]netip.AddrPort, len(list))
	for i, one := range list {
		addrs[i] = one.sock.LocalAddr()
	}
	return addrs
}

func (l *listening) set(list []listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = list
}

// listen opens the sockets of all listen addresses.
func (c *collection) listen() error {
	for _, l := range c.cfg.Listen {
		list, adopted, err := c.openListen(&l, 0, l.Addr)
		c.set(append(c.listeners(), list...))
		if err != nil {
			return err
		}
		for i := range list {
			c.adopted = append(c.adopted, i < adopted)
		}
	}
	return nil
}

// openListen opens the sockets of a listen address but for the first have, which are open
// already at addr. It returns those that it has opened also with an error, and how many of
// them were left by a process before.
func (c *collection) openListen(l *config.Listen, have int, addr netip.AddrPort) (list []listener, adopted int, err error) {
	for n := have; n < l.Count; n++ {
		s, took, err := c.keeper.open(c.socketConfig(addr, l.Count))
		if err != nil {
			return list, adopted, fmt.Errorf("open %s: %w", l.RawURI, err)
		}
		if took {
			c.life.restore(s)
			adopted++
		}
		list = append(list, listener{s, l.Addr, l.RawURI})
		c.keeper.keep(socketName(s), s.Fd())
		// Port 0 is one port for all sockets of the address.
		addr = netip.AddrPortFrom(addr.Addr(), s.LocalAddr().Port())
	}
	if len(list) > 0 {
		s := list[len(list)-1].sock
		asked, granted := s.ReceiveBuffer()
		c.log.Info("listening", "uri", l.RawURI, "address", s.LocalAddr(), "sockets", l.Count,
			"adopted", adopted, "receive_buffer_asked", asked, "receive_buffer", granted)
	}
	return list, adopted, nil
}

func (c *collection) closeSockets() {
	for _, s := range c.sockets() {
		if err := s.Close(); err != nil {
			c.log.Debug("close socket", "error", err)
		}
	}
}

// listenChange is what a reload changes of the listen addresses.
type listenChange struct {
	stay, opened, leave []listener
}

// prepareListen opens the sockets that other listen addresses need. What is open and asked for
// stays.
func (c *collection) prepareListen(cfg *config.Config) (ch *listenChange, err error) {
	ch = &listenChange{leave: c.listeners()}
	for _, l := range cfg.Listen {
		have, addr := 0, l.Addr
		for have < l.Count {
			i := slices.IndexFunc(ch.leave, func(one listener) bool { return one.addr == l.Addr && one.uri == l.RawURI })
			if i < 0 {
				i = slices.IndexFunc(ch.leave, func(one listener) bool { return one.addr == l.Addr && l.Addr.Port() != 0 })
			}
			if i < 0 {
				break
			}
			one := ch.leave[i]
			ch.leave = slices.Delete(ch.leave, i, i+1)
			ch.stay = append(ch.stay, one)
			addr = netip.AddrPortFrom(addr.Addr(), one.sock.LocalAddr().Port())
			have++
		}
		if have > 0 && l.Count > 1 {
			for _, one := range ch.stay[len(ch.stay)-have:] {
				if err := one.sock.SharePort(); err != nil {
					c.undoListen(ch)
					return nil, fmt.Errorf("open %s: %w", l.RawURI, err)
				}
			}
		}
		opened, _, err := c.openListen(&l, have, addr)
		ch.opened = append(ch.opened, opened...)
		if err != nil {
			c.undoListen(ch)
			return nil, err
		}
	}
	return ch, nil
}

// undoListen closes what prepareListen has opened. Sockets that share a port may have something
// already: a worker takes it.
func (c *collection) undoListen(ch *listenChange) {
	c.join(ch.opened)
	c.leave(ch.opened)
}

// join gives the workers sockets to read.
func (c *collection) join(list []listener) {
	for _, one := range list {
		w := slices.MinFunc(c.workers, func(a, b *collector.Worker) int { return a.Sockets() - b.Sockets() })
		if err := w.Listen(context.Background(), one.sock, one.uri); err != nil { // workers run, and a stop waits for a reload
			c.log.Warn("socket not read", "error", err)
		}
	}
}

// leave has the workers empty and close sockets.
func (c *collection) leave(list []listener) {
	for _, one := range list {
		c.keeper.drop(socketName(one.sock))
		for _, w := range c.workers {
			if own, err := w.Leave(context.Background(), one.sock); err != nil {
				c.log.Warn("socket not emptied", "error", err)
			} else if own {
				break
			}
		}
	}
}

// after returns the listeners that there are with the change.
func (ch *listenChange) after() []listener { return slices.Concat(ch.stay, ch.opened) }

// commitListen gives the workers the sockets that were opened, and has them empty those that
// no listen address asks for.
func (c *collection) commitListen(ch *listenChange) {
	c.join(ch.opened)
	c.leave(ch.leave)
	for _, one := range ch.leave {
		c.log.Info("socket closed: no -listen asks for it any more", "uri", one.uri, "address", one.sock.LocalAddr())
	}
	c.set(ch.after())
}
