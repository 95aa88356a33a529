package collector

import (
	"context"
	"slices"

	"github.com/weirflow/weir/bpf"
)

// begin has captures be opened until halt.
func (c *Captures) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	c.until, c.stop = ctx, cancel
}

// supervise looks after the interfaces until halt.
func (c *Captures) supervise() {
	ctx := c.until
	watch := newLinkWatch(ctx, c.cfg.Logger, c.cfg.Interfaces)
	c.ended.Go(func() { watch.run(ctx) })
	for _, one := range c.list {
		c.ended.Go(func() { c.lookAfter(ctx, one, watch.pokes[one.name]) })
	}
}

// halt ends what supervise began, and leaves the captures as they are.
func (c *Captures) halt() {
	c.stop()
	c.ended.Wait()
}

// Prepare makes what another configuration needs: programs with other rules, another rate
// and other listen addresses for the captures that stay. commit puts all into force: these
// programs take the place of the present ones on the same links, so that no frame is decided
// on by both or none; interfaces that are new are attached, others detached after their rings
// were emptied; where mode, queues or rings differ all are attached again, and what comes
// meanwhile goes to the sockets. undo closes what was made. One of the two must be called,
// also after an error; until then no capture is opened or closed. Require, Links and Logger
// stay as they are. One goroutine at a time may call Prepare, commit, undo and Stop.
func (c *Captures) Prepare(next CaptureConfig) (commit, undo func(), err error) {
	c.change.Lock()
	next.Require, next.Links, next.Logger = c.cfg.Require, c.cfg.Links, c.cfg.Logger
	again := !alike(&c.cfg, &next)
	made := map[*capture]*bpf.Replacement{}
	drop := func() {
		for _, r := range made {
			_ = r.Close() // nothing uses it
		}
	}
	undo = func() {
		drop()
		c.change.Unlock()
	}
	for _, one := range c.list {
		if one.open == nil || again || !slices.Contains(next.Interfaces, one.name) {
			continue
		}
		r, err := one.program.Replacement(next.Allow, next.Deny, uint32(next.Rate), listens(next.Listens))
		if err != nil {
			return undo, undo, err
		}
		made[one] = r
	}
	commit = func() {
		lost := c.replace(next, made)
		c.change.Unlock()
		c.follow(again)
		for _, one := range lost {
			c.detach(one, false) // lookAfter opens it
		}
	}
	return commit, undo, nil
}

// alike reports whether captures of both configurations are opened in the same way.
func alike(a, b *CaptureConfig) bool {
	return a.Mode == b.Mode && a.ZeroCopy == b.ZeroCopy && a.Queues == b.Queues && a.RingSize == b.RingSize && a.BusyPoll == b.BusyPoll
}

// replace puts the programs into force, and returns the captures that did not take theirs.
// c.change is held.
func (c *Captures) replace(next CaptureConfig, made map[*capture]*bpf.Replacement) (lost []*capture) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg = next
	for one, r := range made {
		if err := one.open.Replace(r.XDP()); err != nil {
			one.log.Warn("new rules not taken over in place: capturing again with them", "error", err)
			_ = r.Close() // nothing uses it
			lost = append(lost, one)
			continue
		}
		one.program.Adopt(r)
	}
	return lost
}

// follow attaches the interfaces of the configuration that are not, and detaches those that
// it does not have; all of them before that if they are to be attached again.
func (c *Captures) follow(again bool) {
	had := make([]string, 0, len(c.list))
	for _, one := range c.list {
		had = append(had, one.name)
	}
	if !again && sameSet(had, c.cfg.Interfaces) {
		return
	}
	c.halt()
	for _, one := range slices.Clone(c.list) {
		gone := !slices.Contains(c.cfg.Interfaces, one.name)
		if gone || again {
			c.detach(one, false)
		}
		if gone {
			c.mu.Lock()
			c.list = slices.DeleteFunc(c.list, func(o *capture) bool { return o == one })
			c.gone = append(c.gone, one)
			c.mu.Unlock()
			one.log.Info("not captured any more: its datagrams are received on the sockets")
		}
	}
	for _, name := range c.cfg.Interfaces {
		if !slices.Contains(had, name) {
			c.add(name)
		}
	}
	c.begin()
	for _, one := range c.list {
		if one.open == nil {
			_ = c.attach(one) // which logs why; lookAfter tries again
		}
	}
	c.supervise()
}

// add takes an interface into the list. Its counts go on where it was there before.
func (c *Captures) add(name string) {
	one := &capture{name: name, log: c.cfg.Logger.With("interface", name)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.gone, func(o *capture) bool { return o.name == name }); i >= 0 {
		one = c.gone[i]
		c.gone = slices.Delete(c.gone, i, i+1)
		one.supervisor, one.lastFail = supervisor{}, ""
	}
	c.list = append(c.list, one)
}

func sameSet(a, b []string) bool {
	x, y := slices.Clone(a), slices.Clone(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
