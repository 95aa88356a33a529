package ringbuf

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

func newRing[T any](t testing.TB, capacity int) *SPSC[T] {
	t.Helper()
	r, err := NewSPSC[T](capacity)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewSPSCCapacity(t *testing.T) {
	for _, tc := range []struct {
		capacity int
		ok       bool
	}{
		{-8, false}, {-1, false}, {0, false}, {1, true}, {2, true}, {3, false},
		{4, true}, {6, false}, {1000, false}, {1024, true}, {1025, false},
	} {
		r, err := NewSPSC[int](tc.capacity)
		if (err == nil) != tc.ok {
			t.Errorf("NewSPSC(%d): error %v, want ok = %v", tc.capacity, err, tc.ok)
		}
		if err == nil && r.Cap() != tc.capacity {
			t.Errorf("Cap() = %d, want %d", r.Cap(), tc.capacity)
		}
	}
}

// TestSPSCModel runs random pushes and pops against a slice.
func TestSPSCModel(t *testing.T) {
	for _, capacity := range []int{1, 2, 4, 64} {
		rng := rand.New(rand.NewPCG(1, uint64(capacity)))
		r := newRing[int](t, capacity)
		var model []int
		for i := range 200_000 {
			// Long phases that favour one side reach both full and empty.
			pushing := rng.IntN(10) < 3+4*((i/512)%2)
			if pushing {
				ok := r.Push(i)
				if ok != (len(model) < capacity) {
					t.Fatalf("cap %d step %d: Push = %v with %d values", capacity, i, ok, len(model))
				}
				if ok {
					model = append(model, i)
				}
			} else {
				v, ok := r.Pop()
				if ok != (len(model) > 0) {
					t.Fatalf("cap %d step %d: Pop = %v with %d values", capacity, i, ok, len(model))
				}
				if ok {
					if v != model[0] {
						t.Fatalf("cap %d step %d: Pop = %d, want %d", capacity, i, v, model[0])
					}
					model = model[1:]
				} else if v != 0 {
					t.Fatalf("empty Pop returned %d, want the zero value", v)
				}
			}
			if r.Len() != len(model) {
				t.Fatalf("cap %d step %d: Len = %d, want %d", capacity, i, r.Len(), len(model))
			}
		}
	}
}

// TestSPSCWrap starts the counters just below the wrap of uint64.
func TestSPSCWrap(t *testing.T) {
	r := newRing[int](t, 4)
	start := ^uint64(0) - 5
	r.head.Store(start)
	r.tail.Store(start)
	r.seenHead, r.seenTail = start, start
	for i := range 40 {
		for j := range 4 {
			if !r.Push(i*4 + j) {
				t.Fatalf("round %d: no room for value %d", i, j)
			}
		}
		if r.Push(-1) {
			t.Fatalf("round %d: a fifth value fit", i)
		}
		if r.Len() != 4 {
			t.Fatalf("round %d: Len = %d", i, r.Len())
		}
		for j := range 4 {
			if v, ok := r.Pop(); !ok || v != i*4+j {
				t.Fatalf("round %d: Pop = %d, %v", i, v, ok)
			}
		}
		if _, ok := r.Pop(); ok {
			t.Fatalf("round %d: a fifth value came out", i)
		}
	}
}

// TestSPSCTwoGoroutines passes records that the producer goes on to reuse, so
// that the race detector sees both the ring and what it orders.
func TestSPSCTwoGoroutines(t *testing.T) {
	type record struct{ seq, twice uint64 }
	items := uint64(3_000_000)
	if testing.Short() {
		items = 300_000
	}
	const depth = 64
	full, empty := newRing[*record](t, depth), newRing[*record](t, depth)
	for range depth {
		empty.Push(new(record))
	}
	go func() {
		for i := uint64(0); i < items; {
			rec, ok := empty.Pop()
			if !ok {
				runtime.Gosched()
				continue
			}
			rec.seq, rec.twice = i, 2*i
			if !full.Push(rec) {
				panic("full ring has no room for a record of its own")
			}
			i++
		}
	}()
	for want := uint64(0); want < items; {
		if n := full.Len(); n < 0 || n > depth {
			t.Fatalf("Len = %d", n)
		}
		rec, ok := full.Pop()
		if !ok {
			runtime.Gosched()
			continue
		}
		if rec.seq != want || rec.twice != 2*want {
			t.Fatalf("got %+v, want seq %d", *rec, want)
		}
		empty.Push(rec)
		want++
	}
	if full.Len() != 0 {
		t.Fatalf("%d values left", full.Len())
	}
}

func TestSPSCPopReleases(t *testing.T) {
	r := newRing[*[1 << 16]byte](t, 4)
	freed := make(chan struct{})
	func() {
		v := new([1 << 16]byte)
		runtime.AddCleanup(v, func(c chan struct{}) { close(c) }, freed)
		r.Push(v)
		r.Pop()
	}()
	deadline := time.After(5 * time.Second)
	for {
		runtime.GC()
		select {
		case <-freed:
			runtime.KeepAlive(r)
			return
		case <-deadline:
			t.Fatal("a popped value is still reachable")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestSPSCAllocs(t *testing.T) {
	r := newRing[[4]uint64](t, 8)
	if n := testing.AllocsPerRun(1000, func() {
		for i := range uint64(8) {
			r.Push([4]uint64{i})
		}
		for range 8 {
			r.Pop()
		}
		_ = r.Len()
	}); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func BenchmarkSPSCAlone(b *testing.B) {
	r := newRing[uint64](b, 1024)
	for i := range b.N {
		r.Push(uint64(i))
		r.Pop()
	}
}

func BenchmarkSPSCTwoThreads(b *testing.B) {
	r := newRing[uint64](b, 1024)
	n := b.N
	go func() {
		runtime.LockOSThread()
		for i := 0; i < n; {
			if r.Push(uint64(i)) {
				i++
			} else {
				runtime.Gosched()
			}
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ResetTimer()
	for i := 0; i < n; {
		if _, ok := r.Pop(); ok {
			i++
		} else {
			runtime.Gosched()
		}
	}
}
