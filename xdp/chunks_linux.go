package xdp

import (
	"sync"
	"sync/atomic"

	"github.com/weirflow/weir/ringbuf"
)

// calm is how many batches in a row must have found the fill ring well filled before
// it is given less.
const calm = 1 << 12

// chunks are those of a queue that no worker holds: some wait in the fill ring for
// the kernel, the others on a stack.
//
// The kernel takes from the fill ring in the order of its entries, so all chunks
// that are in it get their turn, and a frame is copied into memory that was not
// touched for as long as that takes: the fewer there are, the more of it is still
// in the caches. But they must last for as long as no worker gives any back. So the
// ring is kept filled up to a level: at least a few more than one worker's RX ring
// holds, and twice as many whenever half of them were used up at once.
//
// Rings from each worker to one that alone fills would need no lock, but cost a push
// and a pop for each chunk, and a filler that rests would starve the others; a worker
// that waits here waits for a copy of at most a few batches of addresses.
type chunks struct {
	// mu makes one producer of all workers, as the kernel wants it, and guards what
	// follows. A worker takes it once for all the chunks of a batch.
	mu     sync.Mutex
	fill   *ringbuf.Fill
	ledger *ringbuf.Ledger
	spare  []uint64 // the one that was returned last is used first; never grows
	level  int      // of the fill ring
	quiet  int      // batches since it was less than half full

	least, all int // bounds of level; written before there are workers
	// left is the length of spare, for anyone to read.
	left atomic.Int32
}

// add gives all n chunks of the packet memory; least is the lowest level.
func (c *chunks) add(u *umem, n, least int) {
	c.ledger, c.least, c.level, c.all = u.ledger, least, least, n
	c.spare = make([]uint64, 0, n)
	for i := n - 1; i >= 0; i-- { // the first is used first
		addr := uint64(i) * u.chunk
		c.ledger.Return(addr)
		c.spare = append(c.spare, addr)
	}
	c.top()
}

// put takes chunks back from a worker, and fills the fill ring up. It reports whether
// the kernel wants to be woken.
func (c *chunks) put(addrs []uint64) (wake bool) {
	if ringbuf.Poisoned {
		for _, addr := range addrs {
			c.ledger.Return(addr)
		}
	}
	c.mu.Lock()
	if len(c.spare)+len(addrs) > c.all {
		c.mu.Unlock()
		panic("xdp: more chunks returned than there are")
	}
	c.spare = append(c.spare, addrs...)
	c.adapt(c.fill.Len())
	c.top()
	wake = c.fill.NeedWakeup()
	c.mu.Unlock()
	return wake
}

// low reports whether the fill ring has less than it must last for.
func (c *chunks) low() bool { return c.left.Load() > 0 && c.fill.Len() < c.least/2 }

// adapt sets the level by how many chunks the fill ring has before it is filled up.
// c.mu is held.
func (c *chunks) adapt(have int) {
	switch {
	case have < c.level/4:
		c.level, c.quiet = min(2*c.level, c.all), 0
	case c.quiet < calm:
		c.quiet++
	default:
		c.level, c.quiet = max(c.level-c.level/4, c.least), 0
	}
}

// top fills the fill ring up to its level, from the stack. c.mu is held.
//
// The kernel publishes a packet before it publishes that it took the chunk from the
// fill ring (xsk_flush in net/xdp/xsk.c): for a moment a chunk that came back may
// still be counted there. Then the ring gets fewer than it could, until the next time.
func (c *chunks) top() {
	rest := max(len(c.spare)-max(c.level-c.fill.Len(), 0), 0)
	give := c.spare[rest:]
	if ringbuf.Poisoned {
		for _, addr := range give {
			c.ledger.Submit(addr)
		}
	}
	if c.fill.Push(give) != len(give) {
		panic("xdp: more chunks in the fill ring than there are")
	}
	c.spare = c.spare[:rest]
	c.left.Store(int32(rest))
}
