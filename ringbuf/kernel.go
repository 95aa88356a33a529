package ringbuf

import (
	"fmt"
	"sync/atomic"
)

// Layout says where in its mapping the parts of a kernel ring lie, in bytes:
// struct xdp_ring_offset, as the socket option XDP_MMAP_OFFSETS gives it.
type Layout struct {
	Producer, Consumer, Flags, Desc uint64
}

// Desc is a descriptor of the RX and TX rings: struct xdp_desc of
// linux/if_xdp.h, in the byte order of this machine.
type Desc struct {
	Addr    uint64 // of the packet's first byte, from the start of the UMEM
	Len     uint32 // bytes
	Options uint32 // XDP_PKT_CONTD: the packet goes on in the next descriptor
}

// needWakeup is XDP_RING_NEED_WAKEUP.
const needWakeup = 1

// ends are the words that a ring shares with the kernel.
type ends struct {
	producer, consumer, flags *atomic.Uint32
	mask                      uint32
}

func newEnds(mem []byte, at Layout, size uint32) (e ends, err error) {
	if size == 0 || size&(size-1) != 0 {
		return e, fmt.Errorf("size %d is not a power of two", size)
	}
	e.mask = size - 1
	if e.producer, err = cell(mem, at.Producer); err != nil {
		return e, fmt.Errorf("producer index: %w", err)
	}
	if e.consumer, err = cell(mem, at.Consumer); err != nil {
		return e, fmt.Errorf("consumer index: %w", err)
	}
	if e.flags, err = cell(mem, at.Flags); err != nil {
		return e, fmt.Errorf("flags: %w", err)
	}
	return e, nil
}

// mark is the most of something that was seen. One goroutine raises it, anyone
// may read it.
type mark struct{ most atomic.Uint32 }

func (m *mark) raise(n uint32) {
	if n > m.most.Load() {
		m.most.Store(n)
	}
}

// producing is this side of a ring that the kernel consumes.
type producing struct {
	ends        // producer is written by this side only, consumer and flags by the kernel only
	next uint32 // the producer index as last stored; only this side uses it
	seen uint32 // the last look at the consumer index; only this side uses it
	high mark
}

func (p *producing) open(mem []byte, at Layout, size uint32) (err error) {
	if p.ends, err = newEnds(mem, at, size); err != nil {
		return err
	}
	p.next, p.seen = p.producer.Load(), p.consumer.Load()
	return nil
}

// room returns how many of n more entries fit. The kernel's index is looked at
// again only when those known to be free do not do.
func (p *producing) room(n int) int {
	if n <= 0 {
		return 0
	}
	size := p.mask + 1
	used := p.next - p.seen
	if used > size || uint64(n) > uint64(size-used) {
		p.seen = p.consumer.Load()
		used = p.next - p.seen
		if used > size { // no index of a working kernel
			return 0
		}
		p.high.raise(used)
	}
	return min(n, int(size-used))
}

// submit hands the next n entries to the kernel.
func (p *producing) submit(n int) {
	p.next += uint32(n)
	p.producer.Store(p.next)
}

// NeedWakeup reports whether the kernel wants a system call to go on with this
// ring (poll, or recvfrom for the fill ring and sendto for the TX ring). It has
// a meaning for sockets bound with XDP_USE_NEED_WAKEUP; ask after handing over.
func (p *producing) NeedWakeup() bool { return p.flags.Load()&needWakeup != 0 }

// Len returns how many entries the kernel has not taken yet. Anyone may call it.
func (p *producing) Len() int {
	// consumer first: it never overtakes a producer that is read later.
	consumer := p.consumer.Load()
	return int(min(p.producer.Load()-consumer, p.mask+1))
}

// Cap returns the number of entries of the ring. Anyone may call it.
func (p *producing) Cap() int { return int(p.mask) + 1 }

// HighWater returns the most entries that were waiting for the kernel whenever
// its index was looked at, which is when the room known of before did not do.
// Anyone may call it.
func (p *producing) HighWater() int { return int(p.high.most.Load()) }

// consuming is this side of a ring that the kernel produces.
type consuming struct {
	ends        // consumer is written by this side only, producer and flags by the kernel only
	next uint32 // the consumer index as last stored; only this side uses it
	seen uint32 // the last look at the producer index; only this side uses it
	high mark
}

func (c *consuming) open(mem []byte, at Layout, size uint32) (err error) {
	if c.ends, err = newEnds(mem, at, size); err != nil {
		return err
	}
	c.next = c.consumer.Load()
	c.seen = c.next
	return nil
}

// Peek returns how many of up to n entries there are to be read by At, the
// oldest first. The kernel's index is looked at again only when the entries
// known of are less than n.
func (c *consuming) Peek(n int) int {
	if n <= 0 {
		return 0
	}
	known := c.seen - c.next
	if uint64(known) < uint64(n) {
		seen := c.producer.Load()
		if seen-c.next > c.mask+1 { // no index of a working kernel
			return int(known)
		}
		c.seen = seen
		known = seen - c.next
		c.high.raise(known)
	}
	return int(min(uint64(known), uint64(n)))
}

// Release gives the n oldest entries back to the kernel; At must not be asked
// for them again. It panics if Peek did not show that many.
func (c *consuming) Release(n int) {
	if n < 0 || uint64(n) > uint64(c.seen-c.next) {
		panic("ringbuf: release of entries that were not peeked")
	}
	c.next += uint32(n)
	c.consumer.Store(c.next)
}

// Len returns how many entries wait to be read. Anyone may call it.
func (c *consuming) Len() int {
	consumer := c.consumer.Load()
	return int(min(c.producer.Load()-consumer, c.mask+1))
}

// Cap returns the number of entries of the ring. Anyone may call it.
func (c *consuming) Cap() int { return int(c.mask) + 1 }

// HighWater returns the most entries that were waiting whenever the kernel's
// index was looked at. Anyone may call it.
func (c *consuming) HighWater() int { return int(c.high.most.Load()) }
