package xdp

import (
	"sync"
	"sync/atomic"

	"github.com/weirflow/weir/ringbuf"
)

// calm is how many batches in a row must have found the fill ring well filled before
// fewer chunks are used.
const calm = 1 << 12

// chunks are those of a queue. Some are in use: they are in the fill ring, hold frames in
// RX rings or are in the hands of workers. The others are spare.
//
// The kernel takes from the fill ring in the order of its entries, so all chunks that are
// in use get their turn, and a frame is copied into memory that was not touched for
// as long as that takes: the fewer there are, the more of it is still in the caches. So
// only a level of them is in use, and a worker's go straight back into the ring. But they
// must last for as long as no worker gives any back: the level is never below leastUsed,
// and twice as high for a while, up to mostUsed, whenever half were out of the ring at
// once: so a worker that rests with a full ring leaves the others one.
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
	spare  []uint64 // a stack: what was used last is used first
	used   int      // all others
	quiet  int      // batches since half of the level was out of the fill ring

	least, most int // bounds of level

	// level is how many are to be used, and left is how many more may ever be; anyone may
	// read them.
	level, left atomic.Int32
}

// add gives all n chunks of the packet memory; least and most bound the level.
func (c *chunks) add(u *umem, n, least, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ledger, c.least, c.most = u.ledger, least, most
	c.level.Store(int32(least))
	c.spare = make([]uint64, n)
	for i := range c.spare {
		c.spare[i] = uint64(i) * u.chunk
		c.ledger.Return(c.spare[i])
	}
	c.top()
}

// raise moves the level and its bounds by n, for what a driver keeps.
func (c *chunks) raise(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.least, c.most = c.least+n, c.most+n
	c.level.Add(int32(n))
	c.top()
}

// put takes chunks back from a worker, and sees to it that as many are in use as the level
// says. It reports whether the kernel wants to be woken.
func (c *chunks) put(addrs []uint64) (wake bool) {
	if ringbuf.Poisoned {
		for _, addr := range addrs {
			c.ledger.Return(addr)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used -= len(addrs); c.used < 0 {
		panic("xdp: more chunks returned than were given")
	}
	if c.least != c.most {
		c.adapt(c.fill.Len())
	}
	n := c.give(addrs)
	c.spare = append(c.spare, addrs[n:]...) // it had them before: there is room
	c.top()
	return c.fill.NeedWakeup()
}

// give puts the first ones of addrs into the fill ring, as many as the level allows, and
// returns how many. c.mu is held.
//
// The kernel publishes a packet before it publishes that it took the chunk from the fill
// ring (xsk_flush in net/xdp/xsk.c): for a moment there may be too little room for one
// that came back. Then it is spare until the next time.
func (c *chunks) give(addrs []uint64) int {
	want := min(int(c.level.Load())-c.used, len(addrs))
	if want <= 0 {
		return 0
	}
	if ringbuf.Poisoned {
		want = c.fill.Reserve(want)
		for _, addr := range addrs[:want] {
			c.ledger.Submit(addr)
		}
	}
	n := c.fill.Push(addrs[:want])
	c.used += n
	return n
}

// top has spare chunks used, up to the level. c.mu is held.
func (c *chunks) top() {
	if want := int(c.level.Load()) - c.used; want > 0 && len(c.spare) > 0 {
		from := max(len(c.spare)-want, 0)
		n := c.give(c.spare[from:])
		c.spare = append(c.spare[:from], c.spare[from+n:]...)
	}
	c.left.Store(int32(c.most - c.used))
}

// adapt sets the level by how many chunks the fill ring has. c.mu is held.
func (c *chunks) adapt(have int) {
	level := int(c.level.Load())
	switch {
	case have < level/2:
		level, c.quiet = min(2*level, c.most), 0
	case c.quiet < calm:
		c.quiet++
		return
	default:
		level, c.quiet = max(level-level/4, c.least), 0
	}
	c.level.Store(int32(level))
}

// low reports whether half of what is in use is out of the fill ring, and more could be used.
func (c *chunks) low() bool {
	level := int(c.level.Load())
	return level < c.most && c.fill.Len() < level/2
}
