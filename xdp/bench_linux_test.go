package xdp

import (
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/ringbuf"
)

// threadTime returns the CPU time of the calling thread.
func threadTime(b *testing.B) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// BenchmarkReceive compares what it costs to receive a datagram of 1400 bytes by
// AF_XDP and by recvmmsg: one thread sends a batch over veth, whose receiving end
// runs in the sender's context, and then receives it. alone-ns/packet is the CPU
// time of receiving, without what the kernel did before. cpu-ns/packet is that of
// all: sending is most of it, which the run "dropped" has alone, where the program
// drops each datagram as from a denied exporter. Of several runs the least is the
// one least disturbed.
func BenchmarkReceive(b *testing.B) {
	const batch = 64
	run := func(b *testing.B, l *lab, receive func(n int)) {
		frames := make([][]byte, batch)
		for i := range frames {
			frames[i] = l.from(4*i, 0, 1400)
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var used, alone time.Duration
		rounds := 0
		for b.Loop() {
			start := threadTime(b)
			for _, f := range frames {
				l.send(f)
			}
			sent := threadTime(b)
			receive(batch)
			end := threadTime(b)
			used += end - start
			alone += end - sent
			rounds++
		}
		b.ReportMetric(float64(used.Nanoseconds())/float64(rounds*batch), "cpu-ns/packet")
		b.ReportMetric(float64(alone.Nanoseconds())/float64(rounds*batch), "alone-ns/packet")
	}
	b.Run("dropped", func(b *testing.B) {
		l := newLab(b, 1, 0)
		l.open(Config{Mode: Native, Load: func(target Target) (Program, error) {
			p, err := bpf.Load(bpf.Config{Workers: target.Workers, Queues: target.Queues,
				Deny: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, []bpf.Listen{{Port: port}})
			if err == nil {
				b.Cleanup(func() { p.Close() })
			}
			return p, err
		}})
		run(b, l, func(int) {})
	})
	for _, mode := range []Mode{Native, Generic} {
		b.Run("xdp-"+mode.String(), func(b *testing.B) {
			l := newLab(b, 1, 0)
			r := l.open(Config{Mode: mode}).Worker(0)
			run(b, l, func(n int) {
				for idle := 0; n > 0; {
					got := r.Receive()
					if got == 0 {
						if idle++; idle == 1000 {
							b.Fatalf("%d datagrams did not come", n)
						}
						wait(r)
					}
					for i := range got {
						if r.Frame(i).Payload == nil {
							b.Error("no payload")
						}
					}
					r.Release()
					n -= got
				}
			})
		})
	}
	b.Run("recvmmsg", func(b *testing.B) {
		l := newLab(b, 1, 0)
		var s *udp.Socket
		err := l.collector.Do(func() (err error) {
			s, err = udp.Listen(udp.Config{Addr: netip.MustParseAddrPort("0.0.0.0:2055"), Batch: batch, ReceiveBuffer: 8 << 20})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		l.route()
		run(b, l, func(n int) {
			for n > 0 {
				got, err := s.Receive(time.Second)
				if err != nil || got == 0 {
					b.Fatalf("%d datagrams did not come: %v", n, err)
				}
				for i := range got {
					if s.Datagram(i).Payload == nil {
						b.Error("no payload")
					}
				}
				n -= got
			}
		})
	})
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
		q := &queue{fill: newFill(b)}
		var done sync.WaitGroup
		for range workers {
			done.Go(func() {
				var batch [Batch]uint64
				for range b.N {
					q.mu.Lock()
					q.fill.Push(batch[:])
					consume()
					q.mu.Unlock()
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
