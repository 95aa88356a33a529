package xdp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/ringbuf"
)

// TestDelivery sends from 256 sources and wants each datagram once, each source on
// one worker, and its datagrams in order.
func TestDelivery(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		for _, queues := range []int{1, 4} {
			for _, workers := range []int{1, 2, 4, 8} {
				t.Run(fmt.Sprintf("%v/%dqueues/%dworkers", mode, queues, workers), func(t *testing.T) {
					deliver(t, newLab(t, queues, 0), Config{Mode: mode, Workers: workers}, 10_000, 64, nil)
				})
			}
		}
	}
}

// Workers that rest at random, with rings so small that they fill up unless the
// sender waits for them: chunks are neither lost nor returned twice.
func TestDeliveryWithStalls(t *testing.T) {
	stall := func(rng *rand.Rand) {
		if rng.IntN(50) == 0 {
			time.Sleep(time.Duration(rng.IntN(4000)) * time.Microsecond)
		}
	}
	datagrams := 20_000
	if text := os.Getenv("WEIR_XDP_DATAGRAMS"); text != "" { // for a long run
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("WEIR_XDP_DATAGRAMS: %v", err)
		}
		datagrams = n
	}
	deliver(t, newLab(t, 2, 0), Config{Workers: 4, RingSize: 128}, datagrams, 700, stall)
}

func deliver(t *testing.T, l *lab, cfg Config, datagrams, size int, stall func(*rand.Rand)) {
	const sources = 256
	var program *bpf.Program
	cfg.Load = loader(t, &program)
	c := l.open(cfg)
	if name, zeroCopy := c.Mode(); name != cfg.Mode.String() && cfg.Mode != Auto || zeroCopy {
		t.Errorf("Mode = %s, zero-copy %v", name, zeroCopy)
	}
	win := newWindow(inFlight)
	var got, wrong atomic.Int64
	complain := func(format string, args ...any) {
		if wrong.Add(1) < 10 {
			t.Errorf(format, args...)
		}
	}
	var last [sources]atomic.Int64 // the next number of a source
	var owner [sources]atomic.Int32
	var queuesSeen [16]atomic.Bool
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for w := range cfg.Workers {
		workers.Go(func() {
			r := c.Worker(w)
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for {
				n := r.Receive()
				if stall != nil {
					stall(rng) // while it holds the frames
				}
				for i := range n {
					f := r.frame(i)
					source, number, err := identify(l, f)
					if err != nil {
						complain("worker %d: %v", w, err)
						continue
					}
					queuesSeen[f.Queue].Store(true)
					if before := owner[source].Swap(int32(w + 1)); before != 0 && before != int32(w+1) {
						complain("source %d on workers %d and %d", source, before-1, w)
					}
					if want := last[source].Swap(int64(number + 1)); want != int64(number) {
						complain("source %d: datagram %d, want %d", source, number, want)
					}
				}
				r.Release()
				if n > 0 {
					got.Add(int64(n))
					win.give(n)
					continue
				}
				select {
				case <-stop:
					return
				default:
					wait(r)
				}
			}
		})
	}
	watched := make(chan struct{})
	go func() { // gives up when nothing has come for a while
		for before := int64(-1); before != got.Load(); {
			before = got.Load()
			select {
			case <-watched:
				return
			case <-time.After(patience):
			}
		}
		win.end()
	}()
	for i := range datagrams {
		if !win.take() {
			break
		}
		l.send(l.from(i%sources, i/sources, size))
	}
	// Until nothing has come for patience.
	for last := time.Now(); got.Load() < int64(datagrams) && time.Since(last) < patience; {
		before := got.Load()
		if time.Sleep(time.Millisecond); got.Load() != before {
			last = time.Now()
		}
	}
	close(watched)
	time.Sleep(5 * time.Millisecond) // for more than were sent
	close(stop)
	workers.Wait()
	if got.Load() != int64(datagrams) {
		verdicts, _ := program.Verdicts()
		t.Errorf("%d datagrams of %d came: %+v, verdicts %v", got.Load(), datagrams, c.Stats(), verdicts)
	}
	for source := range sources {
		want := int64(datagrams+sources-1-source) / sources
		if n := last[source].Load(); n != want {
			t.Errorf("source %d: %d datagrams, want %d", source, n, want)
		}
		address := l.spec(source, 0, 0).src.Addr()
		if w := owner[source].Load() - 1; uint32(w) != bpf.Worker(address, uint32(cfg.Workers)) {
			t.Errorf("source %d on worker %d, want %d", source, w, bpf.Worker(address, uint32(cfg.Workers)))
		}
	}
	seen := 0
	for i := range queuesSeen {
		if queuesSeen[i].Load() {
			seen++
		}
	}
	want := c.Queues()
	if cfg.Mode == Generic && want > 1 {
		want-- // veth takes transmit queue n for receive queue n-1 there, and 0 for 0
	}
	if seen < want {
		t.Errorf("datagrams came by %d queues of %d", seen, c.Queues())
	}
	checkOwnership(t, c)
	s := c.Stats()
	if s.RXDropped+s.RXRingFull+s.RXInvalidDescs+s.RXFillRingEmpty != 0 || s.RXHighWater == 0 {
		t.Errorf("%+v", s)
	}
}

// checkOwnership wants all chunks back in the fill rings or on the stacks. In copy mode the kernel
// keeps none for itself.
func checkOwnership(t *testing.T, c *Capture) {
	t.Helper()
	for _, q := range c.queues {
		spare := len(q.chunks.spare)
		fill, want := q.chunks.fill.Len(), chunksFor(c.cfg.Workers, c.cfg.RingSize)
		if fill+spare != want || fill != q.chunks.used {
			t.Errorf("queue %d: %d chunks are in the fill ring (counted: %d), %d spare, want %d", q.id, fill, q.chunks.used, spare, want)
		}
		if ringbuf.Poisoned && q.umem.ledger.Out() != 0 {
			t.Errorf("queue %d: %d chunks were not returned", q.id, q.umem.ledger.Out())
		}
	}
}

// What a view shows is mangled in test builds as soon as it is released.
func TestReleasedFramesArePoisoned(t *testing.T) {
	if !ringbuf.Poisoned {
		t.Skip("needs the build tag weirpoison")
	}
	l := newLab(t, 1, 0)
	c := l.open(Config{})
	l.send(l.from(1, 2, 100))
	r := c.Worker(0)
	for deadline := time.Now().Add(patience); r.Receive() == 0 && time.Now().Before(deadline); {
		wait(r)
	}
	payload := r.frame(0).Payload
	r.Release()
	for i, b := range payload {
		if b != 0xdb {
			t.Fatalf("byte %d is %#x after Release", i, b)
		}
	}
}
