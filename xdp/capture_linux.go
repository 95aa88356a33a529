package xdp

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
)

// Capture receives from one interface: a program attached to it, and a socket for
// each worker on each of its queues.
//
// Open, Detach and Close are for one goroutine at a time; Detach may run while
// workers receive, Close only when all have stopped. The other methods may be
// called by any goroutine.
type Capture struct {
	device   Interface
	cfg      Config
	mode     Mode
	passed   error
	zeroCopy bool
	busy     bool
	adopted  bool
	unfit    error // why a link was not adopted
	features Features
	layout
	program   Program
	programID uint32
	receivers []*Receiver

	mu     sync.Mutex // guards what follows
	prober *prober    // nil when closed
	link   link.Link  // nil when detached
	queues []*queue
	last   Stats // when closed: what was
}

// Open attaches a program to an interface and makes the sockets. It must be called
// by a goroutine whose thread is in the interface's network namespace; afterwards
// the capture can be used from anywhere. What the system refuses is a [*Refusal],
// and leaves nothing behind; faults of the configuration are not.
//
// The program is attached before the sockets are made: then a program that has
// the interface is found out first, and a driver that rearranges its queues for
// XDP has done so before they are bound. Until all sockets are there, the program
// passes everything to the stack.
func Open(cfg Config) (*Capture, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Capture{cfg: cfg}
	if err := c.open(); err != nil {
		c.Close() // what it says beyond is of no interest now
		return nil, err
	}
	return c, nil
}

func (c *Capture) open() (err error) {
	name := c.cfg.Interface
	if c.prober, err = newProber(); err != nil {
		return refuse(name, stepFind, err)
	}
	if c.device, err = c.prober.byName(name); err != nil {
		return refuse(name, stepFind, err)
	}
	queues := c.cfg.Queues
	if queues == 0 {
		queues = c.device.Queues
	}
	if queues > c.device.Queues {
		return refuse(name, stepFind, fmt.Errorf("%w: %d, not %d", ErrTooFewQueues, c.device.Queues, queues))
	}
	c.features = ProbeFeatures()
	if c.cfg.without != nil {
		c.cfg.without(&c.features)
	}
	c.layout = layoutFor(c.device.MTU, c.features)
	if err := c.attach(uint32(queues)); err != nil {
		return err
	}
	if err := c.openQueues(queues); err != nil {
		return err
	}
	c.makeReceivers()
	for _, q := range c.queues {
		for _, s := range q.sockets {
			if err := c.program.SetSocket(q.id, s.worker, s.fd); err != nil {
				return refuse(name, stepMap, err)
			}
		}
	}
	return nil
}

func (c *Capture) attach(queues uint32) error {
	program, err := c.cfg.Load(Target{
		Interface: c.device, Workers: uint32(c.cfg.Workers), Queues: queues,
		Frags: c.frags, MaxFrame: uint32(c.maxFrame),
	})
	if err != nil {
		return refuse(c.device.Name, stepLoad, err)
	}
	c.program = program
	mode := c.cfg.Mode
	if c.cfg.ZeroCopy == ZeroCopyOn {
		mode = Native // generic mode has none
	}
	c.unfit = c.reattach(mode)
	if c.link == nil {
		c.link, c.mode, c.passed, err = c.prober.attach(c.device, program, mode)
		if err != nil {
			return err
		}
	}
	c.keepLink()
	now, err := c.prober.byIndex(c.device.Index)
	if err != nil {
		return refuse(c.device.Name, stepFind, err)
	}
	c.programID = now.ProgramID
	return nil
}

// openQueues opens the first n queues: with zero-copy where that is asked for and can
// be had, and the frames that it needs.
func (c *Capture) openQueues(n int) error {
	plan := queuePlan{
		workers:  c.cfg.Workers,
		ringSize: c.cfg.RingSize,
		layout:   c.layout,
		zeroCopy: c.cfg.ZeroCopy,
		done:     c.cfg.Done,
	}
	if c.mode == Generic {
		plan.zeroCopy = ZeroCopyOff
	}
	if plan.zeroCopy == ZeroCopyOff || plan.chunk >= zeroCopyChunk {
		return c.openAll(n, plan, plan.zeroCopy)
	}
	large := plan
	large.chunk = zeroCopyChunk
	err := c.openAll(n, large, ZeroCopyOn) // whether the driver has it shows on the first queue
	if err == nil || plan.zeroCopy == ZeroCopyOn || errors.Is(err, unix.EBUSY) {
		return err
	}
	c.closeQueues()
	if errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM) {
		c.passed = fmt.Errorf("zero-copy, which needs frames of %d bytes, not tried: %w", zeroCopyChunk, err)
	}
	plan.zeroCopy = ZeroCopyOff
	return c.openAll(n, plan, plan.zeroCopy)
}

// openAll opens the first n queues by a plan, the very first with another choice of
// zero-copy. After an error the queues that are open are left to closeQueues.
func (c *Capture) openAll(n int, plan queuePlan, first ZeroCopy) error {
	c.chunk, c.zeroCopy, c.busy = plan.chunk, true, c.cfg.BusyPoll > 0
	for id := range n {
		one := plan
		if id == 0 {
			one.zeroCopy = first
		}
		q, err := openQueue(c.device, uint32(id), one)
		if err != nil {
			return err
		}
		c.queues = append(c.queues, q)
		c.zeroCopy = c.zeroCopy && q.zeroCopy
		for _, s := range q.sockets {
			c.busy = c.busy && s.busyPoll(c.cfg.BusyPoll, c.cfg.BusyPollBudget)
		}
	}
	return nil
}

func (c *Capture) closeQueues() {
	for _, q := range c.queues {
		q.close()
	}
	c.queues = nil
}

func (c *Capture) makeReceivers() {
	for w := range c.cfg.Workers {
		r := &Receiver{}
		if p, ok := c.program.(interface{ Bell(worker uint32) *bpf.Bell }); ok {
			r.bell = p.Bell(uint32(w))
		}
		for _, q := range c.queues {
			r.sockets = append(r.sockets, q.sockets[w])
			r.fds = append(r.fds, q.sockets[w].fd)
		}
		if c.frags {
			// A batch of chunks, and so what can be gathered from them, is never more.
			r.bounce = make([]byte, Batch*c.chunk)
		}
		c.receivers = append(c.receivers, r)
	}
}

// Worker returns the receiver of worker i, 0 <= i < Config.Workers, always the same.
func (c *Capture) Worker(i int) *Receiver { return c.receivers[i] }

// Mode returns how frames come: "native" or "generic", and whether the driver
// writes them into the UMEM by itself on every queue.
func (c *Capture) Mode() (attach string, zeroCopy bool) { return c.mode.String(), c.zeroCopy }

// PassedOver returns why a better mode was not used: what refused native mode where
// Mode Auto fell back to generic, or what kept ZeroCopyAuto from trying zero-copy.
// Otherwise, and where the driver has no zero-copy, it is nil.
func (c *Capture) PassedOver() error { return c.passed }

// MaxFrame returns the longest frame that is captured, in bytes with its Ethernet header,
// where the MTU lets longer ones pass and the kernel has no frames of several buffers:
// those are received on the kernel's sockets. 0 means that all are captured.
func (c *Capture) MaxFrame() int { return c.maxFrame }

// BusyPolling reports whether the kernel took the options of Config.BusyPoll.
func (c *Capture) BusyPolling() bool { return c.busy }

// HugePages reports whether the packet memory of all queues is on huge pages that
// were set aside (vm.nr_hugepages).
func (c *Capture) HugePages() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queues) > 0 && !slices.ContainsFunc(c.queues, func(q *queue) bool { return !q.umem.huge })
}

// Interface returns what was found of the interface when the capture was opened.
func (c *Capture) Interface() Interface { return c.device }

// Queues returns how many receive queues are read.
func (c *Capture) Queues() int {
	if len(c.receivers) == 0 {
		return 0
	}
	return len(c.receivers[0].fds)
}

// Replace has another program take the place of the one that is attached, on the same link:
// the interface is never without one. The sockets stay as they are, so the program must
// know them. Errors: [net.ErrClosed] after Detach and Close; what the kernel refuses.
func (c *Capture) Replace(program *ebpf.Program) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return net.ErrClosed
	}
	if err := c.link.Update(program); err != nil {
		return fmt.Errorf("replace xdp on %s: %w", c.device.Name, err)
	}
	now, err := c.prober.byIndex(c.device.Index)
	if err != nil {
		return fmt.Errorf("replace xdp on %s: %w", c.device.Name, err)
	}
	c.programID = now.ProgramID
	return nil
}

// Detach ends the flow of frames: all go to the stack from now on, and the program
// is taken off the interface. What the sockets hold already can still be received:
// until Receive has returned 0 to every worker. A frame in flight on another CPU
// may come a moment later.
func (c *Capture) Detach() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.detach()
}

func (c *Capture) detach() error {
	if c.link == nil {
		return nil
	}
	var errs []error
	// First away from the sockets: taking a program off makes some drivers start
	// their queues again.
	errs = append(errs, c.clear())
	if c.cfg.Links != nil {
		c.cfg.Links.Drop(c.device.Index)
	}
	errs = append(errs, c.link.Close())
	c.link = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("detach xdp from %s: %w", c.device.Name, err)
	}
	return nil
}

// Close detaches, and returns sockets and memory. No receiver may be used by
// then, and no view of a frame. Further calls do nothing.
func (c *Capture) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.prober == nil {
		return nil
	}
	err := c.detach()
	c.last = c.stats()
	for _, r := range c.receivers {
		r.sockets, r.packets, r.n, r.bell = nil, [Batch]packet{}, 0, nil
	}
	c.closeQueues()
	c.prober.close()
	c.prober = nil
	return err
}
