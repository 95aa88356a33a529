package xdp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weirflow/weir/ringbuf"
)

// In steady state few chunks are in use, however many there are, those that wait and
// those in hands among them; a burst that uses up the fill ring makes it deeper, and quiet makes it
// as before.
func TestChunksStayWarm(t *testing.T) {
	q := newFakeQueue(t, 0)
	r := fakeReceiver(false, q)
	seen := map[uint64]bool{}
	round := func(n int) {
		for range n {
			addr := q.chunk()
			seen[addr] = true
			q.put(addr+chunkHeadroom, 60, 0)
		}
		for got := 0; got < n; r.Release() {
			got += r.Receive()
		}
	}
	for range 100 {
		round(40)
	}
	if len(seen) != fakeRing {
		t.Errorf("%d chunks of %d were used, want %d", len(seen), fakeChunks, fakeRing)
	}
	round(fakeRing - 10)
	if n, want := q.chunks.fill.Len(), mostUsed(1, fakeRing); n != want {
		t.Errorf("%d chunks wait after a burst, want %d", n, want)
	}
	for range 8 * calm {
		round(1)
	}
	if n := q.chunks.fill.Len(); n != fakeRing {
		t.Errorf("%d chunks wait long after the burst, want %d", n, fakeRing)
	}
	q.wantAll(t, 0)
}

// There are chunks enough for every RX ring and all hands to be full, and for what a
// driver keeps.
func TestBoundsOfLevel(t *testing.T) {
	for _, ring := range []int{Batch, 2048} {
		for workers := 1; workers <= 16; workers++ {
			least, most, all := leastUsed(workers, ring), mostUsed(workers, ring), chunksFor(workers, ring)
			if least < ring+Batch || least > most || most < workers*(ring+Batch) || most+driverKeeps(ring) > all {
				t.Errorf("%d workers, rings of %d: from %d to %d of %d chunks", workers, ring, least, most, all)
			}
		}
	}
}

// What a driver keeps is used besides.
func TestChunksOfDriver(t *testing.T) {
	q := newFakeQueue(t, 0)
	q.chunks.raise(20)
	if n := q.chunks.fill.Len(); n != fakeRing+20 {
		t.Errorf("%d chunks wait, want %d", n, fakeRing+20)
	}
	q.wantAll(t, 0)
}

// The kernel may still count a chunk that came back: then it is spare, until there is
// room.
func TestFillRingWithoutRoom(t *testing.T) {
	q := newFakeQueueOf(t, 0, fakeRing)
	addr := q.chunk()
	q.umem.ledger.Take(addr)
	taken := q.fillMem[64]
	q.fillMem[64]-- // not said yet
	q.chunks.put([]uint64{addr})
	if q.chunks.used != fakeRing-1 || q.chunks.fill.Len() != fakeRing {
		t.Errorf("%d chunks are in use, %d wait", q.chunks.used, q.chunks.fill.Len())
	}
	q.fillMem[64] = taken
	q.chunks.put(nil)
	q.wantAll(t, 0)
	if n := q.chunks.fill.Len(); n != fakeRing {
		t.Errorf("%d chunks wait, want %d", n, fakeRing)
	}
}

// A worker that rests with much leaves the others as much as they had: more are used as
// soon as one of them gives some back.
func TestRestingWorkerLeavesRoom(t *testing.T) {
	q := newFakeQueue(t, 0)
	const resting = fakeRing/2 + 1
	for range resting {
		q.umem.ledger.Take(q.chunk())
	}
	q.chunks.put(nil)
	if n, want := q.chunks.fill.Len(), mostUsed(1, fakeRing)-resting; n != want {
		t.Errorf("%d chunks wait, want %d", n, want)
	}
}

// Workers that rest with all that was in the fill ring do not keep the kernel from
// what is spare: whoever looks next sees to that.
func TestIdleWorkerFills(t *testing.T) {
	q := newFakeQueue(t, 0)
	idle := fakeReceiver(false, q)
	var resting []uint64
	for range fakeRing {
		resting = append(resting, q.chunk())
	}
	if idle.Receive() != 0 {
		t.Fatal("something was received")
	}
	if n, want := q.chunks.fill.Len(), mostUsed(1, fakeRing)-fakeRing; n != want {
		t.Errorf("%d chunks wait, want all %d that may be used more", n, want)
	}
	for _, addr := range resting {
		q.umem.ledger.Take(addr)
	}
	q.chunks.put(resting)
	q.wantAll(t, 0)
}

// Against a model: no chunk is in two places, none is lost.
func TestChunksModel(t *testing.T) {
	q := newFakeQueue(t, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	var held []uint64
	for range 20_000 {
		if rng.IntN(2) == 0 {
			for n := rng.IntN(Batch); n > 0 && q.chunks.fill.Len() > 0; n-- {
				addr := q.chunk()
				if slices.Contains(held, addr) || slices.Contains(q.chunks.spare, addr) {
					t.Fatalf("chunk %d is in two places", addr/smallChunk)
				}
				q.umem.ledger.Take(addr)
				held = append(held, addr)
			}
			continue
		}
		rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		n := min(rng.IntN(Batch), len(held))
		q.chunks.put(held[:n])
		held = held[n:]
		q.wantAll(t, len(held))
	}
	q.chunks.put(held)
	q.wantAll(t, 0)
	if !ringbuf.Poisoned {
		return
	}
	defer func() {
		if recover() == nil {
			t.Error("a chunk was returned twice, and nobody noticed")
		}
	}()
	addr := q.chunk()
	q.umem.ledger.Take(addr)
	for range 2 {
		q.chunks.put([]uint64{addr})
	}
}
