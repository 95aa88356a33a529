package xdp

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// In steady state few chunks are in use, however many there are; a burst that uses
// up the fill ring makes it deeper, and quiet makes it as before.
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
	if n, want := q.chunks.fill.Len(), mostReady(1, fakeRing); n != want {
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

// The fill ring lasts until every RX ring is full, and there are chunks enough for that
// however many the workers hold.
func TestBoundsOfLevel(t *testing.T) {
	for _, ring := range []int{Batch, 2048} {
		for workers := 1; workers <= 16; workers++ {
			least, most, all := leastReady(workers, ring), mostReady(workers, ring), chunksFor(workers, ring)
			if least > most || most < workers*ring || most+workers*Batch > all {
				t.Errorf("%d workers, rings of %d: from %d to %d of %d chunks", workers, ring, least, most, all)
			}
		}
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
	if n := q.chunks.fill.Len(); n != fakeChunks-fakeRing {
		t.Errorf("%d chunks wait, want all %d that nobody holds", n, fakeChunks-fakeRing)
	}
	for _, addr := range resting {
		q.umem.ledger.Take(addr)
	}
	q.chunks.put(resting)
	q.wantAll(t, 0)
}

func (f *fakeQueue) isSpare(addr uint64) bool {
	i := addr / smallChunk
	return f.chunks.spare[i/64]&(1<<(i%64)) != 0
}

func (f *fakeQueue) spareLen() (n int) {
	for _, word := range f.chunks.spare {
		n += bits.OnesCount64(word)
	}
	return n
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
				if slices.Contains(held, addr) || q.isSpare(addr) {
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
	defer func() {
		if recover() == nil {
			t.Error("a chunk was returned twice, and nobody noticed")
		}
	}()
	for range 2 {
		q.chunks.put([]uint64{0})
	}
}
