package xdp

import (
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netns"
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

// generator sends a frame any number of times at little cost: an XDP program,
// run by the kernel on frames that it makes, redirects them to the exporter's
// interface. The calling thread is the exporter's until the benchmark ends.
func (l *lab) generator(b *testing.B, frame []byte) (send func(n int)) {
	b.Helper()
	var index int
	var exporter netns.NsHandle
	err := l.exporter.Do(func() error {
		i, err := Probe("veth0")
		index = i.Index
		if err == nil {
			exporter, err = netns.Get()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "generator", Type: ebpf.XDP, License: "GPL",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R1, int32(index)), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return(),
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	home, err := netns.Get()
	if err == nil {
		err = netns.Set(exporter)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if netns.Set(home) == nil { // otherwise the thread must not be used again
			runtime.UnlockOSThread()
		}
		home.Close()
		exporter.Close()
		program.Close()
	})
	return func(n int) {
		if _, err := program.Run(&ebpf.RunOptions{Data: frame, Repeat: uint32(n), Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReceive compares what it costs to receive a datagram of 1400 bytes by
// AF_XDP and by recvmmsg, kernel and all: one thread sends a batch over veth, whose
// receiving end runs in the sender's context, and then receives it. In the run
// "dropped" the program drops all, as from a denied exporter: what that costs is
// to be taken off the others. cpu-ns/packet is the figure.
func BenchmarkReceive(b *testing.B) {
	const batch = 64
	run := func(b *testing.B, l *lab, receive func(n int)) {
		send := l.generator(b, l.from(0, 0, 1400))
		var used time.Duration
		rounds := 0
		for b.Loop() {
			start := threadTime(b)
			send(batch)
			receive(batch)
			used += threadTime(b) - start
			rounds++
		}
		b.ReportMetric(float64(used.Nanoseconds())/float64(rounds*batch), "cpu-ns/packet")
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
				for n > 0 {
					got := r.Receive()
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
		l.offload()
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

// offload has the collector's interface take frames that a program redirected to
// its peer, though it has no program itself: it does with GRO.
func (l *lab) offload() {
	l.t.Helper()
	err := l.collector.Do(func() error {
		p, err := newProber()
		if err != nil {
			return err
		}
		defer p.close()
		const on = 1
		return ethtoolChannelsIoctl(p.ethtool, "veth0", &ethtoolChannels{cmd: unix.ETHTOOL_SGRO, maxRX: on})
	})
	if err != nil {
		l.t.Fatal(err)
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
