package xdp

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/weirflow/weir/ringbuf"
)

// calm is how many batches in a row must have found the fill ring well filled before
// it is given less.
const calm = 1 << 12

// chunks are those of a queue that no worker holds: some wait in the fill ring for
// the kernel, the others are spare.
//
// The kernel takes from the fill ring in the order of its entries, so all chunks
// that are in it get their turn, and a frame is copied into memory that was not
// touched for as long as that takes: the fewer there are, the more of it is still
// in the caches. So the ring is kept filled up to a level only, and of the spare chunks
// those with the lowest addresses are used first: then few are in use, and those
// that follow each other in the ring are mostly neighbours, which saves address
// translation. But the ring must last for as long as no worker gives any back: the
// level is never below leastReady, and twice as high for a while, up to mostReady,
// whenever three quarters were used up at once.
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
	shift  uint     // log2 of the size of a chunk
	spare  []uint64 // a bit for each chunk, in the order of addresses
	from   int      // no bit is set in the words before this one
	level  int      // of the fill ring
	quiet  int      // batches since it was less than a quarter full

	least, most int // bounds of level; written before there are workers
	// left is how many bits are set in spare; anyone may read it.
	left atomic.Int32
}

// add gives all n chunks of the packet memory; least and most bound the level.
func (c *chunks) add(u *umem, n, least, most int) {
	c.ledger, c.least, c.level, c.most = u.ledger, least, least, most
	c.shift = uint(bits.TrailingZeros64(u.chunk))
	c.spare = make([]uint64, (n+63)/64)
	for i := range uint64(n) {
		c.ledger.Return(i << c.shift)
		c.spare[i/64] |= 1 << (i % 64)
	}
	c.left.Store(int32(n))
	c.top()
}

// put takes chunks back from a worker, and fills the fill ring up. It reports whether
// the kernel wants to be woken. It panics if one is there already.
func (c *chunks) put(addrs []uint64) (wake bool) {
	if ringbuf.Poisoned {
		for _, addr := range addrs {
			c.ledger.Return(addr)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free(addrs)
	c.left.Store(c.left.Load() + int32(len(addrs)))
	c.adapt(c.fill.Len())
	c.top()
	return c.fill.NeedWakeup()
}

// free sets the bits of chunks. Those of a batch are mostly neighbours: a word of
// bits is written when the next one's turn comes. c.mu is held.
func (c *chunks) free(addrs []uint64) {
	at, word := uint64(0), c.spare[0]
	for _, addr := range addrs {
		i := addr >> c.shift
		if i/64 != at {
			c.spare[at] = word
			at = i / 64
			word = c.spare[at]
			c.from = min(c.from, int(at))
		}
		if word&(1<<(i%64)) != 0 {
			panic("xdp: chunk returned twice")
		}
		word |= 1 << (i % 64)
	}
	c.spare[at] = word
	if c.spare[0] != 0 {
		c.from = 0
	}
}

// low reports whether the fill ring has less than it must last for.
func (c *chunks) low() bool { return c.left.Load() > 0 && c.fill.Len() < c.least/2 }

// adapt sets the level by how many chunks the fill ring has before it is filled up.
// c.mu is held.
func (c *chunks) adapt(have int) {
	switch {
	case have < c.level/4:
		c.level, c.quiet = min(2*c.level, c.most), 0
	case c.quiet < calm:
		c.quiet++
	default:
		c.level, c.quiet = max(c.level-c.level/4, c.least), 0
	}
}

// top fills the fill ring up to its level. c.mu is held.
//
// The kernel publishes a packet before it publishes that it took the chunk from the
// fill ring (xsk_flush in net/xdp/xsk.c): for a moment a chunk that came back may
// still be counted there. Then the ring gets fewer than it could, until the next time.
func (c *chunks) top() {
	left := int(c.left.Load())
	want := min(c.level-c.fill.Len(), left)
	if want <= 0 {
		return
	}
	if c.fill.Reserve(want) != want {
		panic("xdp: more chunks in the fill ring than there are")
	}
	for n := 0; n < want; {
		word := c.spare[c.from]
		if word == 0 {
			c.from++
			continue
		}
		for ; word != 0 && n < want; n++ {
			addr := (uint64(c.from)*64 + uint64(bits.TrailingZeros64(word))) << c.shift
			word &= word - 1
			if ringbuf.Poisoned {
				c.ledger.Submit(addr)
			}
			c.fill.Set(n, addr)
		}
		c.spare[c.from] = word
	}
	c.fill.Submit(want)
	c.left.Store(int32(left - want))
}
