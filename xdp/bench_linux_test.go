package xdp

import (
	"runtime"
	"sync"
	"testing"

	"github.com/weirflow/weir/ringbuf"
)

// BenchmarkReceive is a receiver's time for a datagram, with all rings and headers in
// the cache, and the time of the fake kernel.
func BenchmarkReceive(b *testing.B) {
	q := newFakeQueue(b, 0)
	r := fakeReceiver(false, q)
	frame := packetSpec{src: src4, dst: dst4, payload: make([]byte, 1400)}.frame()
	for i := range fakeChunks {
		copy(q.umem.mem[i*smallChunk+chunkHeadroom:], frame)
	}
	b.ResetTimer()
	for left := b.N; left > 0; left -= Batch {
		for range Batch {
			q.put(q.chunk()+chunkHeadroom, uint32(len(frame)), 0)
		}
		for i := range r.Receive() {
			if _, payload := r.Datagram(i); payload == nil {
				b.Fatal("no payload")
			}
		}
		r.Release()
	}
}

// BenchmarkReturn compares ways for two workers to bring chunks back to a fill
// ring with one producer, a batch of 64 at a time: by a lock around the push, and
// by a ring from each worker to one of them, which alone pushes.
func BenchmarkReturn(b *testing.B) {
	const workers = 2
	mem := make([]byte, 192+8*4096)
	newFill := func(b *testing.B) *ringbuf.Fill {
		f, err := ringbuf.NewFill(mem, fakeLayout, 4096)
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	// consume empties the fill ring, as the kernel would.
	consume := func() { copy(mem[64:68], mem[0:4]) }
	b.Run("lock", func(b *testing.B) {
		c := &chunks{fill: newFill(b), used: workers * Batch, least: 2048, most: 4096}
		c.level.Store(2048)
		var done sync.WaitGroup
		for w := range workers {
			done.Go(func() {
				var batch [Batch]uint64
				for i := range batch {
					batch[i] = uint64(w*Batch+i) << 11
				}
				for range b.N {
					c.put(batch[:])
					c.mu.Lock()
					consume()
					c.mu.Unlock()
				}
			})
		}
		done.Wait()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*Batch), "ns/chunk")
	})
	b.Run("rings", func(b *testing.B) {
		fill := newFill(b)
		back, err := ringbuf.NewSPSC[uint64](4096)
		if err != nil {
			b.Fatal(err)
		}
		var done sync.WaitGroup
		done.Go(func() {
			for range b.N {
				for i := range uint64(Batch) {
					for !back.Push(i) {
						runtime.Gosched()
					}
				}
			}
		})
		done.Go(func() {
			var own, theirs [Batch]uint64
			for got := 0; got < b.N*Batch; {
				fill.Push(own[:])
				n := 0
				for n < Batch {
					v, ok := back.Pop()
					if !ok {
						break
					}
					theirs[n] = v
					n++
				}
				if n == 0 {
					runtime.Gosched()
				}
				fill.Push(theirs[:n])
				consume()
				got += n
			}
		})
		done.Wait()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*Batch), "ns/chunk")
	})
}
