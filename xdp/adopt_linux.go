package xdp

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Links keeps the links of programs to interfaces over the end of a process, by the index
// of the interface: another process, such as the service manager, holds their descriptors
// too. Methods may be called by any goroutine.
type Links interface {
	// Take returns the descriptor of the link that an earlier process left, -1 if there
	// is none. It is the caller's.
	Take(index int) (fd int)
	// Keep has a link outlive this process. Drop takes that back, and returns before
	// the other process has closed its descriptor.
	Keep(index, fd int)
	Drop(index int)
	// Outlives reports whether the link stays if this process ends now.
	Outlives(index int) bool
}

const (
	// dropPatience is how long the other process may take to close a link.
	dropPatience = 2 * time.Second
	// settleTime is how long a frame may be on its way to a socket that the program does
	// not know any more: the rest of a NAPI poll.
	settleTime = 2 * time.Millisecond
)

// errUnfit says that a link cannot be used for the program.
var errUnfit = errors.New("link does not fit")

// adopt has an earlier process's link run the program, without a moment in which the
// interface has none. fd is closed on error.
func (p *prober) adopt(device Interface, program Program, mode Mode, fd int) (l link.Link, used Mode, err error) {
	if l, err = link.NewFromFD(fd); err != nil {
		unix.Close(fd)
		return nil, 0, fmt.Errorf("open link: %w", err)
	}
	defer func() {
		if err != nil {
			l.Close()
			l = nil
		}
	}()
	info, err := l.Info()
	if err != nil {
		return l, 0, fmt.Errorf("look at link: %w", err)
	}
	if x := info.XDP(); x == nil || int(x.Ifindex) != device.Index {
		return l, 0, fmt.Errorf("%w: it is not of this interface", errUnfit)
	}
	now, err := p.byIndex(device.Index)
	if err != nil {
		return l, 0, err
	}
	if now.ProgramID != uint32(info.Program) {
		return l, 0, fmt.Errorf("%w: the interface has another program", errUnfit)
	}
	if mode != Auto && now.attached != mode {
		return l, 0, fmt.Errorf("%w: it is in %s mode", errUnfit, now.attached)
	}
	if err := l.Update(program.XDP()); err != nil {
		return l, 0, fmt.Errorf("update link: %w", err)
	}
	return l, now.attached, nil
}

// reattach adopts the link that an earlier process left, if there is one and it fits. If
// it does not, the link is given up, and the error says why.
func (c *Capture) reattach(mode Mode) error {
	if c.cfg.Links == nil {
		return nil
	}
	fd := c.cfg.Links.Take(c.device.Index)
	if fd < 0 {
		return nil
	}
	var err error
	if c.link, c.mode, err = c.prober.adopt(c.device, c.program, mode, fd); err != nil {
		c.cfg.Links.Drop(c.device.Index)
		c.released(dropPatience)
		return err
	}
	c.adopted = true
	return nil
}

// released waits until the interface has no program any more.
func (c *Capture) released(patience time.Duration) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(bindPause) {
		if now, err := c.prober.byIndex(c.device.Index); err != nil || now.ProgramID == 0 {
			return
		}
	}
}

// keepLink has the link outlive this process, where Config.Links can.
func (c *Capture) keepLink() {
	if l, ok := c.link.(interface{ FD() int }); ok && c.cfg.Links != nil {
		c.cfg.Links.Keep(c.device.Index, l.FD())
	}
}

// Adopted reports whether the program took the place of an earlier process's on the same
// link.
func (c *Capture) Adopted() bool { return c.adopted }

// NotAdopted returns why the link that an earlier process left was not used, nil if it was
// or there was none.
func (c *Capture) NotAdopted() error { return c.unfit }

// Leave is Detach for the end of the process, where the link outlives that (Config.Links):
// the program stays on the interface and passes everything to the stack, so that no driver
// sets up its queues again for the next process. It reports whether the link stays.
// Otherwise it has detached.
func (c *Capture) Leave() (stays bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil || c.cfg.Links == nil || !c.cfg.Links.Outlives(c.device.Index) {
		return false, c.detach()
	}
	errs := []error{c.clear()}
	time.Sleep(settleTime)
	errs = append(errs, c.link.Close()) // one descriptor of two
	c.link = nil
	if err := errors.Join(errs...); err != nil {
		return true, fmt.Errorf("leave xdp on %s: %w", c.device.Name, err)
	}
	return true, nil
}

// clear has the program pass everything to the stack.
func (c *Capture) clear() error {
	var errs []error
	for _, q := range c.queues {
		for _, s := range q.sockets {
			errs = append(errs, c.program.ClearSocket(q.id, s.worker))
		}
	}
	return errors.Join(errs...)
}
