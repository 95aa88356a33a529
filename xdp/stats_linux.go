package xdp

import "golang.org/x/sys/unix"

// Stats counts what the kernel did to frames on the way to the sockets of a
// capture since it was opened (XDP_STATISTICS, linux/if_xdp.h), and how full its
// rings have been. A frame lost on the way is in RXDropped or RXRingFull.
type Stats struct {
	// RXDropped counts frames for which there was no chunk, or that were too long.
	RXDropped uint64
	// RXRingFull counts frames lost because a worker's RX ring was full.
	RXRingFull uint64
	// RXFillRingEmpty counts how often the kernel found a fill ring empty.
	RXFillRingEmpty uint64
	// RXInvalidDescs, TXInvalidDescs and TXRingEmpty are zero unless something is
	// wrong: nothing is sent.
	RXInvalidDescs, TXInvalidDescs, TXRingEmpty uint64

	// Received counts the frames that workers have taken, and Waiting is how many
	// descriptors are in the RX rings. What is taken at the moment may be in both.
	Received uint64
	Waiting  int

	// RXHighWater is the most descriptors that waited in any RX ring when it was
	// looked at, of RXRingSize.
	RXHighWater, RXRingSize int
	// FillLen is how many chunks are in the fill ring that has the fewest, and
	// SpareLen how many more could be used on the queue that has the fewest of these.
	FillLen, SpareLen int
}

// Stats returns the counts of all sockets together. After Close it returns what
// they were then. It makes a system call a socket: ask once a second, not more.
func (c *Capture) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.prober == nil {
		return c.last
	}
	return c.stats()
}

func (c *Capture) stats() Stats {
	sum := Stats{RXRingSize: c.cfg.RingSize}
	for i, q := range c.queues {
		for _, s := range q.sockets {
			// A kernel before 5.9 knows the first three only; the rest stays zero.
			var k unix.XDPStatistics
			if getOption(s.fd, unix.XDP_STATISTICS, &k) == nil {
				sum.RXDropped += k.Rx_dropped
				sum.RXInvalidDescs += k.Rx_invalid_descs
				sum.TXInvalidDescs += k.Tx_invalid_descs
				sum.RXRingFull += k.Rx_ring_full
				sum.TXRingEmpty += k.Tx_ring_empty_descs
				// The fill ring is the queue's: each of its sockets reports the same count.
				if s.worker == 0 {
					sum.RXFillRingEmpty += k.Rx_fill_ring_empty_descs
				}
			}
			sum.Waiting += s.rx.Len()
			sum.RXHighWater = max(sum.RXHighWater, s.rx.HighWater())
		}
		fill, spare := q.chunks.fill.Len(), int(q.chunks.left.Load())
		if i == 0 {
			sum.FillLen, sum.SpareLen = fill, spare
		}
		sum.FillLen, sum.SpareLen = min(sum.FillLen, fill), min(sum.SpareLen, spare)
	}
	// After what waits: a frame that is taken meanwhile may count as both, but never as
	// neither, which would make it look lost.
	for _, r := range c.receivers {
		sum.Received += r.received.Load()
	}
	return sum
}
