package ringbuf

import (
	"fmt"
	"sync/atomic"
)

// falseSharing is the distance, in bytes, that keeps two fields from being
// fetched together: two cache lines of 64 bytes, because amd64 prefetches
// lines in pairs and some arm64 cores have lines of 128.
const falseSharing = 128

// SPSC is a bounded ring for exactly one producer and one consumer.
//
// One goroutine at a time may call [SPSC.Push], one goroutine at a time may
// call [SPSC.Pop]; the two may be different and run at the same time. Either
// role may move to another goroutine only through something that orders the
// two (a channel, a mutex, a WaitGroup). [SPSC.Len] and [SPSC.Cap] may be
// called by anyone.
//
// Everything that the producer wrote before Push is visible to the consumer
// after the Pop that returned the value: the loads and stores of sync/atomic
// on tail and head are sequentially consistent, which includes the release
// and acquire that this needs.
type SPSC[T any] struct {
	// slots and mask are written by NewSPSC only. A slot itself is written
	// by the producer while it lies in [tail, head+cap), and by the consumer
	// while it lies in [head, tail).
	slots []T
	mask  uint64

	_ [falseSharing]byte

	// head counts the values popped. Only the consumer writes it.
	head atomic.Uint64
	// seenTail is the consumer's last look at tail. Only the consumer
	// reads and writes it.
	seenTail uint64

	_ [falseSharing]byte

	// tail counts the values pushed. Only the producer writes it.
	tail atomic.Uint64
	// seenHead is the producer's last look at head. Only the producer
	// reads and writes it.
	seenHead uint64

	_ [falseSharing]byte
}

// NewSPSC returns an empty ring for capacity values, all of whose memory is
// allocated here. The capacity must be a power of two.
func NewSPSC[T any](capacity int) (*SPSC[T], error) {
	if capacity < 1 || capacity&(capacity-1) != 0 {
		return nil, fmt.Errorf("make ring: capacity %d is not a power of two", capacity)
	}
	return &SPSC[T]{slots: make([]T, capacity), mask: uint64(capacity - 1)}, nil
}

// Push appends v and reports whether there was room. Producer only.
func (r *SPSC[T]) Push(v T) bool {
	tail := r.tail.Load()
	if tail-r.seenHead > r.mask {
		r.seenHead = r.head.Load()
		if tail-r.seenHead > r.mask {
			return false
		}
	}
	r.slots[tail&r.mask] = v
	r.tail.Store(tail + 1)
	return true
}

// Pop removes the oldest value and reports whether there was one. The slot is
// zeroed: the ring keeps nothing alive that was popped. Consumer only.
func (r *SPSC[T]) Pop() (T, bool) {
	var zero T
	head := r.head.Load()
	if head == r.seenTail {
		r.seenTail = r.tail.Load()
		if head == r.seenTail {
			return zero, false
		}
	}
	slot := &r.slots[head&r.mask]
	v := *slot
	*slot = zero
	r.head.Store(head + 1)
	return v, true
}

// Len returns the number of values in the ring, between 0 and Cap. While the
// other side is at work it is a moment's view: the producer may rely on it as
// an upper bound, the consumer as a lower one. Anyone may call it.
func (r *SPSC[T]) Len() int {
	// head first: it never overtakes a tail that is read later.
	head := r.head.Load()
	n := r.tail.Load() - head
	return int(min(n, r.mask+1))
}

// Cap returns the number of values that the ring can hold. Anyone may call it.
func (r *SPSC[T]) Cap() int { return len(r.slots) }
