package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	packetBatch = 64
	// packetTries bounds how often a frame is offered that the interface has no
	// room for, packetPause the time between.
	packetTries = 50
	packetPause = 20 * time.Microsecond
	// packetBuffer is how many bytes may be on their way.
	packetBuffer = 4 << 20
)

// packetSocket sends frames by an AF_PACKET socket, many to a system call and past
// the queueing discipline. There is one lane: the kernel chooses the transmit
// queue by the addresses in the frame.
type packetSocket struct {
	fd    int
	batch *batch
	slots [packetBatch][]byte // memory of frames
	used  [packetBatch][]byte // the first n of them, at their lengths
	marks [packetBatch]mark
	n     int
	tally tally
}

func openAFPacket(l *wireLink) (*packetSocket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // 0: receive nothing
	if err != nil {
		err = os.NewSyscallError("socket", err)
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: CAP_NET_RAW is missing: try as root", err)
		}
		return nil, fmt.Errorf("send on %s by AF_PACKET: %w", l.name, err)
	}
	p := &packetSocket{fd: fd, batch: newBatch(packetBatch)}
	if err := p.setUp(l); err != nil {
		p.close()
		return nil, fmt.Errorf("send on %s by AF_PACKET: %w", l.name, err)
	}
	return p, nil
}

func (p *packetSocket) setUp(l *wireLink) error {
	if err := unix.Bind(p.fd, &unix.SockaddrLinklayer{Ifindex: l.index}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if err := unix.SetsockoptInt(p.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return fmt.Errorf("set PACKET_QDISC_BYPASS: %w", err)
	}
	// Without CAP_NET_ADMIN the system's limit counts, and sends wait more often.
	if unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, packetBuffer) != nil {
		_ = unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, packetBuffer)
	}
	for i := range p.slots {
		p.slots[i] = make([]byte, etherHeader+l.path.mtu)
	}
	return nil
}

func (p *packetSocket) kind() string { return sendAFPacket }
func (p *packetSocket) lanes() int   { return 1 }

func (p *packetSocket) take(_, n int, c *counters) []byte {
	if p.n == packetBatch {
		p.flush(c)
	}
	p.used[p.n] = p.slots[p.n][:n]
	return p.used[p.n]
}

func (p *packetSocket) put(_ int, m mark) {
	p.marks[p.n] = m
	p.n++
}

// flush sends what was put. When a frame within a batch fails, sendmmsg(2) says
// only how many were sent; that frame is the first of the next call.
func (p *packetSocket) flush(c *counters) {
	tries := 0
	for at := 0; at < p.n; {
		n, _, errno := p.batch.send(p.fd, p.used[at:p.n])
		switch {
		case errno == 0:
			for _, m := range p.marks[at : at+n] {
				p.tally.frame(m, true, c)
			}
			at, tries = at+n, 0
		case errno == unix.EINTR:
		case (errno == unix.ENOBUFS || errno == unix.EAGAIN) && tries < packetTries:
			tries++
			sleepExactly(packetPause)
		default:
			c.failed(errno)
			p.tally.frame(p.marks[at], false, c)
			at, tries = at+1, 0
		}
	}
	p.n = 0
}

func (p *packetSocket) drain(c *counters) { p.flush(c) }

func (p *packetSocket) close() { unix.Close(p.fd) }
