package ringbuf

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// starts are indices that meet the wrap of 32 bits and of the array.
var starts = []uint32{0, 3, ^uint32(0) - 5, 1 << 31}

// producer is what Fill and TX have in common.
type producer[T any] interface {
	Push([]T) int
	Reserve(int) int
	Set(int, T)
	Submit(int)
	Len() int
	Cap() int
	HighWater() int
	NeedWakeup() bool
}

func TestFillModel(t *testing.T) {
	for _, start := range starts {
		k := newKernelSide[uint64](t, 8)
		k.startAt(start)
		r, err := NewFill(k.mem, testLayout, 8)
		if err != nil {
			t.Fatal(err)
		}
		runProducer(t, r, k, func(i uint64) uint64 { return i })
	}
}

func TestTXModel(t *testing.T) {
	for _, start := range starts {
		k := newKernelSide[Desc](t, 8)
		k.startAt(start)
		r, err := NewTX(k.mem, testLayout, 8)
		if err != nil {
			t.Fatal(err)
		}
		runProducer(t, r, k, func(i uint64) Desc { return Desc{i, uint32(i) * 3, uint32(i) * 5} })
	}
}

// runProducer runs random pushes and takes against a slice.
func runProducer[T interface {
	comparable
	uint64 | Desc
}](t *testing.T, r producer[T], k *kernelSide[T], value func(uint64) T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var model []T
	var next uint64
	most := 0
	for step := range 50_000 {
		want := rng.IntN(12)
		batch := make([]T, want)
		for i := range batch {
			batch[i] = value(next + uint64(i))
		}
		fits := min(want, r.Cap()-len(model))
		switch rng.IntN(3) {
		case 0:
			if got := r.Push(batch); got != fits {
				t.Fatalf("step %d: Push(%d) = %d with %d entries", step, want, got, len(model))
			}
		case 1:
			if got := r.Reserve(want); got != fits {
				t.Fatalf("step %d: Reserve(%d) = %d with %d entries", step, want, got, len(model))
			}
			fits = rng.IntN(fits + 1) // what is not submitted was not reserved
			for i := range fits {
				r.Set(i, batch[i])
			}
			r.Submit(fits)
		default:
			fits = 0
			for range want {
				v, ok := k.take()
				if ok != (len(model) > 0) {
					t.Fatalf("step %d: the kernel's take is %v with %d entries", step, ok, len(model))
				}
				if !ok {
					break
				}
				if v != model[0] {
					t.Fatalf("step %d: the kernel took %v, want %v", step, v, model[0])
				}
				model = model[1:]
			}
		}
		model = append(model, batch[:fits]...)
		next += uint64(fits)
		most = max(most, len(model))
		if r.Len() != len(model) {
			t.Fatalf("step %d: Len = %d, want %d", step, r.Len(), len(model))
		}
		flag := uint32(rng.IntN(4))
		k.flags.Store(flag)
		if r.NeedWakeup() != (flag&1 == 1) {
			t.Fatalf("step %d: NeedWakeup = %v with flags %d", step, r.NeedWakeup(), flag)
		}
	}
	if r.HighWater() != most || most != r.Cap() {
		t.Errorf("HighWater = %d, want %d", r.HighWater(), most)
	}
	if r.Push(nil) != 0 || r.Reserve(-1) != 0 {
		t.Error("nothing was pushed, and yet something was")
	}
}

// consumer is what RX and Completion have in common.
type consumer[T any] interface {
	Peek(int) int
	At(int) T
	Release(int)
	Len() int
	Cap() int
	HighWater() int
}

func TestRXModel(t *testing.T) {
	for _, start := range starts {
		k := newKernelSide[Desc](t, 8)
		k.startAt(start)
		r, err := NewRX(k.mem, testLayout, 8)
		if err != nil {
			t.Fatal(err)
		}
		runConsumer(t, r, k, func(i uint64) Desc { return Desc{i, uint32(i) * 3, uint32(i) * 5} })
	}
}

func TestCompletionModel(t *testing.T) {
	for _, start := range starts {
		k := newKernelSide[uint64](t, 8)
		k.startAt(start)
		r, err := NewCompletion(k.mem, testLayout, 8)
		if err != nil {
			t.Fatal(err)
		}
		runConsumer(t, r, k, func(i uint64) uint64 { return i })
	}
}

func runConsumer[T interface {
	comparable
	uint64 | Desc
}](t *testing.T, r consumer[T], k *kernelSide[T], value func(uint64) T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var model []T
	var next uint64
	peeked := 0 // what the ring showed and was not released
	for step := range 50_000 {
		want := rng.IntN(12)
		if rng.IntN(2) == 0 {
			for range want {
				ok := k.give(value(next))
				if ok != (len(model) < r.Cap()) {
					t.Fatalf("step %d: the kernel's give is %v with %d entries", step, ok, len(model))
				}
				if !ok {
					break
				}
				model = append(model, value(next))
				next++
			}
		} else {
			got := r.Peek(want)
			if got != min(want, len(model)) {
				t.Fatalf("step %d: Peek(%d) = %d with %d entries", step, want, got, len(model))
			}
			peeked = max(peeked, got)
			for i := range got {
				if r.At(i) != model[i] {
					t.Fatalf("step %d: At(%d) = %v, want %v", step, i, r.At(i), model[i])
				}
			}
			if rx, ok := any(r).(*RX); ok {
				first, rest := rx.Runs(got)
				for i, d := range slices.Concat(first, rest) {
					if d != rx.At(i) {
						t.Fatalf("step %d: %v in the runs, At(%d) = %v", step, d, i, rx.At(i))
					}
				}
				if len(first)+len(rest) != got {
					t.Fatalf("step %d: runs of %d and %d, of %d", step, len(first), len(rest), got)
				}
			}
			n := rng.IntN(got + 1)
			r.Release(n)
			model = model[n:]
		}
		if r.Len() != len(model) {
			t.Fatalf("step %d: Len = %d, want %d", step, r.Len(), len(model))
		}
	}
	if r.HighWater() != r.Cap() {
		t.Errorf("HighWater = %d, want %d", r.HighWater(), r.Cap())
	}
	for _, n := range []int{-1, r.Cap() + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Release(%d) did not panic", n)
				}
			}()
			r.Release(n)
		}()
	}
}

// An index that no kernel writes leads to nothing being read or written.
func TestMadIndex(t *testing.T) {
	k := newKernelSide[Desc](t, 8)
	rx, err := NewRX(k.mem, testLayout, 8)
	if err != nil {
		t.Fatal(err)
	}
	k.producer.Store(9)
	if n := rx.Peek(64); n != 0 {
		t.Errorf("Peek = %d of a ring of 8 said to hold 9", n)
	}
	k = newKernelSide[Desc](t, 8)
	tx, err := NewTX(k.mem, testLayout, 8)
	if err != nil {
		t.Fatal(err)
	}
	if n := tx.Push(make([]Desc, 9)); n != 8 {
		t.Errorf("Push = %d to an empty ring of 8", n)
	}
	k.consumer.Store(9)
	if n := tx.Push(make([]Desc, 4)); n != 0 {
		t.Errorf("Push = %d to a ring of which more was consumed than produced", n)
	}
	if tx.Len() > 8 {
		t.Errorf("Len = %d", tx.Len())
	}
}

// TestKernelTwoGoroutines passes frames round: the kernel's side takes empty
// ones, writes packets in them and gives them, this side checks, overwrites and
// returns them. The race detector sees the rings and what they order.
func TestKernelTwoGoroutines(t *testing.T) {
	const chunk, frames, ring = 64, 256, 64
	packets := uint64(300_000)
	if testing.Short() || Poisoned {
		packets = 30_000
	}
	umem := make([]byte, frames*chunk)
	ledger := NewLedger(umem, chunk)
	fillKernel, rxKernel := newKernelSide[uint64](t, frames), newKernelSide[Desc](t, ring)
	fillKernel.startAt(^uint32(0) - 1000)
	rxKernel.startAt(^uint32(0) - 2000)
	fill, err := NewFill(fillKernel.mem, testLayout, frames)
	if err != nil {
		t.Fatal(err)
	}
	rx, err := NewRX(rxKernel.mem, testLayout, ring)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(frames) {
		ledger.Return(i * chunk)
		ledger.Submit(i * chunk)
		if fill.Push([]uint64{i * chunk}) != 1 {
			t.Fatal("the fill ring does not hold all frames")
		}
	}
	var done sync.WaitGroup
	done.Go(func() {
		for i := uint64(0); i < packets; {
			addr, ok := fillKernel.take()
			if !ok {
				runtime.Gosched()
				continue
			}
			binary.LittleEndian.PutUint64(umem[addr+16:], i)
			for !rxKernel.give(Desc{Addr: addr + 16, Len: 8}) {
				runtime.Gosched()
			}
			i++
		}
	})
	back := make([]uint64, 0, 64)
	for want := uint64(0); want < packets; {
		n := rx.Peek(64)
		if n == 0 {
			runtime.Gosched()
			continue
		}
		back = back[:0]
		for i := range n {
			d := rx.At(i)
			ledger.Take(d.Addr)
			if got := binary.LittleEndian.Uint64(umem[d.Addr:]); got != want || d.Len != 8 {
				t.Fatalf("packet %d has %d, %d bytes", want, got, d.Len)
			}
			want++
			back = append(back, d.Addr&^(chunk-1))
		}
		rx.Release(n)
		for _, addr := range back {
			binary.LittleEndian.PutUint64(umem[addr+16:], ^uint64(0))
			ledger.Return(addr)
			ledger.Submit(addr)
		}
		if fill.Push(back) != n {
			t.Fatal("the fill ring has no room for a frame that came out of it")
		}
	}
	done.Wait()
	if Poisoned && ledger.Out() != 0 {
		t.Errorf("%d frames were not returned", ledger.Out())
	}
}

func TestKernelRingAllocs(t *testing.T) {
	fillKernel, rxKernel := newKernelSide[uint64](t, 64), newKernelSide[Desc](t, 64)
	fill, err := NewFill(fillKernel.mem, testLayout, 64)
	if err != nil {
		t.Fatal(err)
	}
	rx, err := NewRX(rxKernel.mem, testLayout, 64)
	if err != nil {
		t.Fatal(err)
	}
	addrs := make([]uint64, 64)
	if n := testing.AllocsPerRun(1000, func() {
		fill.Push(addrs)
		for range 64 {
			addr, _ := fillKernel.take()
			rxKernel.give(Desc{Addr: addr})
		}
		n := rx.Peek(64)
		for i := range n {
			addrs[i] = rx.At(i).Addr
		}
		rx.Release(n)
		_ = fill.NeedWakeup()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
