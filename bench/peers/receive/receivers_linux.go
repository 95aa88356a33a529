package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	asavie "github.com/asavie/xdp"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/bpf"
	"github.com/weirflow/weir/internal/udp"
	"github.com/weirflow/weir/xdp"
)

const (
	ringSize      = 2048
	receiveBatch  = xdp.Batch // of recvmmsg, too
	receiveBuffer = 32 << 20
	// napLimit is how long a receiver with nothing to do sleeps at most.
	napLimit = 20 * time.Millisecond
)

// receiver is a way to receive, set up on a cable. One goroutine uses it.
type receiver interface {
	// receive takes what is there, up to a ring or so, in batches of the way's own, and
	// returns how many. If there is nothing it waits, at most for napLimit. What it
	// returns is told to the sender, whose CPU then waits for that: as often for
	// receivers of small batches as for those of large ones.
	receive() (int, error)
}

// sum keeps the compiler from leaving out what receivers do with datagrams.
type sum uint64

func (s *sum) look(src netip.AddrPort, payload []byte) {
	*s += sum(src.Port()) + sum(payload[0])
}

// pause is how a receiver waits when there is nothing, the same for all: as
// the collector does, where datagrams come often it lets them gather
// for latency, or until there are about gather of them, and otherwise has poll wake it.
type pause struct {
	latency time.Duration
	woken   time.Time // by poll, with something
	napped  time.Time // when the last nap began, or a longer wait ended
	since   int       // datagrams from then on
}

// gather is a quarter of a ring.
const gather = ringSize / 4

func (p *pause) rest(fd int) error {
	now := time.Now()
	if p.latency == 0 || now.Sub(p.woken) >= 2*p.latency {
		return p.poll(fd)
	}
	p.woken = time.Time{} // once
	d := p.latency
	if before := now.Sub(p.napped); p.since > 0 && before < d*time.Duration(p.since)/gather {
		d = before * gather / time.Duration(p.since)
	}
	p.napped, p.since = now, 0
	napFor(d)
	if ready(fd) {
		p.woken = time.Now()
	}
	return nil
}

func (p *pause) poll(fd int) error {
	set := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(set[:], int(napLimit/time.Millisecond))
	if err != nil && err != unix.EINTR {
		return os.NewSyscallError("poll", err)
	}
	if n > 0 {
		p.woken = time.Now()
		p.napped, p.since = p.woken, 0
	}
	return nil
}

// dropAll is a baseline: a program drops all.
type dropAll struct{ link link.Link }

// newDropInDriver has an XDP program in native mode drop frames.
func newDropInDriver(c *cable, recv *side, g *generator) (receiver, error) {
	p, err := dropper(g, ebpf.XDP, xdpDrop)
	if err != nil {
		return nil, err
	}
	return newDropAll(recv, func() (link.Link, error) {
		return link.AttachXDP(link.XDPOptions{Program: p, Interface: c.recvIndex, Flags: link.XDPDriverMode})
	})
}

// newDropBuffers has a traffic classifier drop socket buffers, the first that could: what
// has cost until then is the driver's. Before Linux 6.6 an XDP program in generic mode
// does, whose own cost then counts as the driver's.
func newDropBuffers(c *cable, recv *side, g *generator) (receiver, error) {
	if err := c.offload(recv); err != nil {
		return nil, err
	}
	p, err := dropper(g, ebpf.SchedCLS, tcShot)
	if err != nil {
		return nil, err
	}
	r, err := newDropAll(recv, func() (link.Link, error) {
		return link.AttachTCX(link.TCXOptions{Program: p, Interface: c.recvIndex, Attach: ebpf.AttachTCXIngress})
	})
	if !errors.Is(err, ebpf.ErrNotSupported) {
		return r, err
	}
	if p, err = dropper(g, ebpf.XDP, xdpDrop); err != nil {
		return nil, err
	}
	return newDropAll(recv, func() (link.Link, error) {
		return link.AttachXDP(link.XDPOptions{Program: p, Interface: c.recvIndex, Flags: link.XDPGenericMode})
	})
}

func newDropAll(recv *side, attach func() (link.Link, error)) (receiver, error) {
	d := &dropAll{}
	err := recv.do(func() (err error) {
		d.link, err = attach()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("attach dropper: %w", err)
	}
	return d, nil
}

func (d *dropAll) receive() (int, error) {
	ts := unix.NsecToTimespec(int64(napLimit))
	_ = unix.Nanosleep(&ts, nil) // a signal makes it shorter
	return 0, nil
}

// ours is this project's AF_XDP receiver.
type ours struct {
	capture *xdp.Capture
	r       *xdp.Receiver
	pause   pause
	sum     sum
}

func loadWhole(t xdp.Target) (xdp.Program, error) {
	return bpf.Load(bpf.Config{Workers: t.Workers, Queues: t.Queues, Host: t.Interface.Host, Frags: t.Frags, MaxFrame: t.MaxFrame}, []bpf.Listen{{Port: port}})
}

func newOurs(mode xdp.Mode, p pause) func(*cable, *side, *generator) (receiver, error) {
	return func(c *cable, recv *side, _ *generator) (receiver, error) {
		o := &ours{pause: p}
		if mode == xdp.Generic {
			if err := c.offload(recv); err != nil {
				return nil, err
			}
		}
		err := recv.do(func() (err error) {
			o.capture, err = xdp.Open(xdp.Config{
				Interface: c.name,
				Workers:   1,
				Mode:      mode,
				RingSize:  ringSize,
				Load:      loadWhole,
			})
			return err
		})
		if err != nil {
			return nil, err
		}
		o.r = o.capture.Worker(0)
		return o, nil
	}
}

func (o *ours) receive() (all int, err error) {
	n := o.r.Receive()
	if n == 0 {
		return 0, o.pause.rest(o.r.Fds()[0])
	}
	for n > 0 {
		for i := range n {
			src, payload := o.r.Datagram(i)
			if payload == nil {
				return all, errors.New("a frame without payload")
			}
			o.sum.look(src, payload)
		}
		o.r.Release()
		if all += n; n < xdp.Batch || all >= ringSize {
			break
		}
		n = o.r.Receive()
	}
	o.pause.since += all
	return all, nil
}

// theirs is github.com/asavie/xdp, used as its documentation has it, but that it
// waits only when there is nothing.
type theirs struct {
	sock  *asavie.Socket
	pause pause
	sum   sum
}

func newTheirs(p pause) func(*cable, *side, *generator) (receiver, error) {
	return func(c *cable, recv *side, _ *generator) (receiver, error) { return openTheirs(c, recv, p) }
}

func openTheirs(c *cable, recv *side, p pause) (*theirs, error) {
	t := &theirs{pause: p}
	err := recv.do(func() error {
		program, err := asavie.NewProgram(1)
		if err != nil {
			return err
		}
		if err := program.Attach(c.recvIndex); err != nil {
			return err
		}
		t.sock, err = asavie.NewSocket(c.recvIndex, 0, &asavie.SocketOptions{
			NumFrames:              2 * ringSize,
			FrameSize:              2048,
			FillRingNumDescs:       ringSize,
			CompletionRingNumDescs: 64,
			RxRingNumDescs:         ringSize,
			TxRingNumDescs:         64,
		})
		if err != nil {
			return err
		}
		return program.Register(0, t.sock.FD())
	})
	if err != nil {
		return nil, fmt.Errorf("open asavie/xdp: %w", err)
	}
	t.fill()
	return t, nil
}

func (t *theirs) fill() { t.sock.Fill(t.sock.GetDescs(t.sock.NumFreeFillSlots(), true)) }

func (t *theirs) receive() (int, error) {
	n := t.sock.NumReceived()
	if n == 0 {
		return 0, t.pause.rest(t.sock.FD())
	}
	descs := t.sock.Receive(n)
	for i := range descs {
		b := t.sock.GetFrame(descs[i])
		if len(b) < etherHeader+ipHeader+udpHeader+1 {
			return 0, errors.New("a frame that is too short")
		}
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[26:])), uint16(b[34])<<8|uint16(b[35]))
		t.sum.look(src, b[etherHeader+ipHeader+udpHeader:])
	}
	n = len(descs)
	t.pause.since += n
	t.fill()
	return n, nil
}

// batched is recvmmsg.
type batched struct {
	sock  *udp.Socket
	pause pause
	sum   sum
}

func newBatched(p pause) func(*cable, *side, *generator) (receiver, error) {
	return func(c *cable, recv *side, _ *generator) (receiver, error) { return openBatched(c, recv, p) }
}

func openBatched(c *cable, recv *side, p pause) (*batched, error) {
	b := &batched{pause: p}
	if err := c.offload(recv); err != nil {
		return nil, err
	}
	err := recv.do(func() (err error) {
		b.sock, err = udp.Listen(udp.Config{Addr: netip.AddrPortFrom(netip.AddrFrom4(c.recvAddr), port), Batch: receiveBatch, ReceiveBuffer: receiveBuffer})
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (b *batched) receive() (all int, err error) {
	n, err := b.sock.TryReceive()
	if n == 0 && err == nil {
		return 0, b.pause.rest(b.sock.Fd())
	}
	for n > 0 {
		for i := range n {
			d := b.sock.Datagram(i)
			b.sum.look(d.Src, d.Payload)
		}
		if all += n; err != nil || n < receiveBatch || all >= ringSize {
			break
		}
		n, err = b.sock.TryReceive()
	}
	b.pause.since += all
	return all, err
}
