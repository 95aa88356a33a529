package xdp

import (
	"sync/atomic"
	"testing"
)

// Whoever counts what waits and then what was received, while a worker takes frames, never
// misses one: it would look lost.
func TestStatsMissNothing(t *testing.T) {
	q := newFakeQueue(t, 0)
	r := fakeReceiver(false, q)
	c := &Capture{receivers: []*Receiver{r}, queues: []*queue{q.queue}}
	const rounds, some = 4_000, 50
	var put, looks atomic.Uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; n < rounds || looks.Load() < 100; n++ {
			for range some {
				q.put(q.chunk()+chunkHeadroom, 60, 0)
			}
			put.Add(some)
			for got := 0; got < some; r.Release() {
				got += r.Receive()
			}
		}
	}()
	missed := 0
	for running := true; running; looks.Add(1) {
		before := put.Load()
		if s := c.stats(); s.Received+uint64(s.Waiting) < before {
			missed++
		}
		select {
		case <-done:
			running = false
		default:
		}
	}
	if missed > 0 {
		t.Errorf("%d looks of %d missed datagrams", missed, looks.Load())
	}
	if s := c.stats(); s.Received != put.Load() || s.Waiting != 0 {
		t.Errorf("%+v of %d", s, put.Load())
	}
}
