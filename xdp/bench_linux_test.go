package xdp

import (
	"runtime"
	"sync"
	"testing"

	"github.com/weirflow/weir/ringbuf"
)

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
		c := &chunks{fill: newFill(b), shift: 11, spare: make([]uint64, 64), level: 2048, least: 2048, most: 4096}
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
