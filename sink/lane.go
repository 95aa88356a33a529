package sink

import (
	"math/bits"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/ringbuf"
)

// A Lane is one worker's way to the hub and back.
//
// The worker alone pushes into Full and pops from Empty; the hub alone pops
// from Full and pushes into Empty. A batch belongs to whoever popped it.
type Lane struct {
	Full  *ringbuf.SPSC[*producer.Batch] // sealed batches, worker to hub
	Empty *ringbuf.SPSC[*producer.Batch] // emptied batches, hub to worker

	depth int // how many batches there are
}

// NewLane returns a lane for the worker of that index with depth batches (at
// least one) of batchSize bytes waiting in Empty. These are all there ever
// are, so a push to either ring always finds room.
func NewLane(worker, depth, batchSize int) *Lane {
	depth = max(depth, 1)
	l := &Lane{Full: newRing(depth), Empty: newRing(depth), depth: depth}
	for range depth {
		l.Empty.Push(producer.NewBatch(worker, batchSize))
	}
	return l
}

// newRing returns a ring for at least depth batches.
func newRing(depth int) *ringbuf.SPSC[*producer.Batch] {
	r, err := ringbuf.NewSPSC[*producer.Batch](1 << bits.Len(uint(depth-1)))
	if err != nil {
		panic(err) // a power of two by construction
	}
	return r
}
