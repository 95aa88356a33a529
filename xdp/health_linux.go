package xdp

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// What Health finds, to be told apart by errors.Is. Of ErrDown there is nothing to
// do but to wait; after ErrChanged, ErrDetached and other errors the capture must
// be closed and may be opened again; after ErrNoInterface so, once the interface is
// back.
var (
	// ErrDown: the interface is set down or has no carrier.
	ErrDown = errors.New("network interface is down")
	// ErrChanged: the interface has other queues, another hardware address or name, or
	// an MTU that the chunks are too small for.
	ErrChanged = errors.New("network interface has changed")
	// ErrDetached: the program is not on the interface any more.
	ErrDetached = errors.New("XDP program is detached")
)

// Health looks whether frames can come: nil if so. It makes a few system calls;
// once a second is often enough. After Detach and Close it returns [net.ErrClosed].
func (c *Capture) Health() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return net.ErrClosed
	}
	if err := c.health(); err != nil {
		return fmt.Errorf("watch xdp on %s: %w", c.device.Name, err)
	}
	return nil
}

func (c *Capture) health() error {
	// By index: an interface created again under the same name is not the one that the
	// sockets are bound to.
	now, err := c.prober.byIndex(c.device.Index)
	if err != nil {
		return err
	}
	switch {
	case now.ProgramID != c.programID:
		return fmt.Errorf("program %d instead of %d: %w", now.ProgramID, c.programID, ErrDetached)
	case now.Name != c.device.Name:
		return fmt.Errorf("name %s instead of %s: %w", now.Name, c.device.Name, ErrChanged)
	case now.Queues != c.device.Queues:
		return fmt.Errorf("%d queues instead of %d: %w", now.Queues, c.device.Queues, ErrChanged)
	case now.Host.MAC != c.device.Host.MAC || now.Host.MasterMAC != c.device.Host.MasterMAC:
		return fmt.Errorf("hardware address %x (master %x) instead of %x (%x): %w", now.Host.MAC, now.Host.MasterMAC,
			c.device.Host.MAC, c.device.Host.MasterMAC, ErrChanged)
	case !c.layout.holds(layoutFor(now.MTU, c.features)):
		return fmt.Errorf("MTU %d instead of %d: %w", now.MTU, c.device.MTU, ErrChanged)
	}
	// A device that went away says so at the sockets.
	for _, q := range c.queues {
		for _, s := range q.sockets {
			errno, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && errno != 0 {
				err = unix.Errno(errno)
			}
			if err != nil {
				return fmt.Errorf("socket of queue %d worker %d: %w", q.id, s.worker, err)
			}
		}
	}
	if !now.Up {
		return ErrDown
	}
	return nil
}
