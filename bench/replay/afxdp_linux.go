package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/asavie/xdp"
)

const (
	// xdpBatch is how many frames are filled before they are sent; the library
	// hands out no more at once than its fill ring holds.
	xdpBatch = 64
	// xdpRing is the size of the transmit and completion ring, and how many frames
	// of a lane may be on their way.
	xdpRing = 1024

	xdpSmallFrame = 2048
	xdpLargeFrame = 4096 // a page: the kernel takes no longer one

	// xdpPatience is how long to wait for room, xdpPause the time between looks
	// once a few in a row showed none.
	xdpPatience = time.Second
	xdpPause    = 20 * time.Microsecond
	xdpLooks    = 16
)

// xdpSender sends frames by AF_XDP: a socket for each transmit queue, which is a
// lane. No program is needed on the interface, and none is touched.
//
// The library's queue stays taken until the process ends: its Close leaves the
// rings mapped.
type xdpSender struct {
	all []*xdpLane
}

// xdpLane is a socket with the frames that are filled or on their way.
type xdpLane struct {
	sock  *xdp.Socket
	size  int        // of a frame's memory
	descs []xdp.Desc // frames to fill; the library's memory, valid until the next GetDescs
	n     int        // how many of them are filled

	// What is on its way, in order: marks[out%xdpRing:in%xdpRing].
	marks   [xdpRing]mark
	in, out uint32
	tally   tally
	failure string // what the last system call failed with
}

func openAFXDP(l *wireLink) (*xdpSender, error) {
	if runtime.GOARCH != "amd64" {
		return nil, errors.New("send by AF_XDP: the library orders its memory accesses on amd64 only")
	}
	size := xdpSmallFrame
	if need := etherHeader + l.path.mtu; need > xdpLargeFrame {
		return nil, fmt.Errorf("send on %s by AF_XDP: an MTU of %d is over the %d that a frame's memory holds", l.name, l.path.mtu, xdpLargeFrame-etherHeader)
	} else if need > size {
		size = xdpLargeFrame
	}
	s := &xdpSender{}
	for queue := range l.queues {
		// The frames of the fill ring are the first of the memory, those to send the
		// rest. Nothing is received, and there is no ring for it.
		sock, err := xdp.NewSocket(l.index, queue, &xdp.SocketOptions{
			NumFrames:              xdpBatch + xdpRing,
			FrameSize:              size,
			FillRingNumDescs:       xdpBatch,
			CompletionRingNumDescs: xdpRing,
			TxRingNumDescs:         xdpRing,
		})
		if err != nil {
			s.close()
			return nil, fmt.Errorf("send on %s by AF_XDP: queue %d: %w", l.name, queue, err)
		}
		s.all = append(s.all, &xdpLane{sock: sock, size: size})
	}
	return s, nil
}

func (s *xdpSender) kind() string { return sendAFXDP }
func (s *xdpSender) lanes() int   { return len(s.all) }

func (s *xdpSender) take(lane, n int, c *counters) []byte {
	l := s.all[lane]
	if l.n == len(l.descs) {
		l.flush(c)
		if !l.refill(c) {
			return nil
		}
	}
	d := &l.descs[l.n]
	d.Len = uint32(n)
	return l.sock.GetFrame(*d)
}

func (s *xdpSender) put(lane int, m mark) {
	l := s.all[lane]
	l.marks[l.in%xdpRing] = m
	l.in++
	l.n++
}

func (s *xdpSender) flush(c *counters) {
	for _, l := range s.all {
		l.flush(c)
	}
}

// drain sends all and waits until the kernel has taken it.
func (s *xdpSender) drain(c *counters) {
	for _, l := range s.all {
		l.flush(c)
		l.wait(c, func() bool { return l.in == l.out })
		for ; l.out != l.in; l.out++ { // still in the ring of a socket that is given up
			l.tally.frame(l.marks[l.out%xdpRing], false, c)
		}
	}
}

func (s *xdpSender) close() {
	for _, l := range s.all {
		_ = l.sock.Close() // nothing follows that could depend on it
	}
}

// refill gets frames to fill, and reports whether there are any.
func (l *xdpLane) refill(c *counters) bool {
	l.descs, l.n = nil, 0
	return l.wait(c, func() bool {
		// No more than there is room for: marks and ring have the same size.
		room := int(xdpRing - (l.in - l.out))
		if room > 0 {
			l.descs = l.sock.GetDescs(min(room, xdpBatch), false)
		}
		return len(l.descs) > 0
	})
}

// flush gives the filled frames to the kernel, and has it send as long as it gets
// on. The rest of the frames that were handed out is forgotten.
func (l *xdpLane) flush(c *counters) {
	if l.n == 0 && l.in == l.out {
		return
	}
	full := l.descs[:l.n]
	l.descs, l.n = nil, 0
	// As many as were handed out have room in the ring.
	l.transmit(full, c)
	for l.in != l.out {
		before := l.out
		l.transmit(nil, c)
		if l.out == before { // it is busy, or the driver takes them in its own time
			return
		}
	}
}

// wait looks until done, and reports whether it came to that.
func (l *xdpLane) wait(c *counters, done func() bool) bool {
	for start, looks := time.Now(), 0; ; looks++ {
		l.complete()
		if done() {
			return true
		}
		if looks >= xdpLooks {
			if time.Since(start) > xdpPatience {
				return false
			}
			sleepExactly(xdpPause)
		}
		l.transmit(nil, c)
	}
}

// complete takes back the frames that were sent.
func (l *xdpLane) complete() {
	if n := l.sock.NumCompleted(); n > 0 {
		l.sock.Complete(n)
	}
}

// transmit puts frames into the ring, has the kernel send some of what is there
// (32 in one system call, in copy mode), and counts what it took.
func (l *xdpLane) transmit(descs []xdp.Desc, c *counters) {
	if err := l.call(descs); err == nil {
		l.failure = ""
	} else if text := err.Error(); text != l.failure {
		l.failure = text // once, and not with every attempt
		c.failed(err)
	}
	l.complete()
	waiting := uint32(xdpRing - l.sock.NumFreeTxSlots())
	for ; l.in-l.out > waiting; l.out++ {
		l.tally.frame(l.marks[l.out%xdpRing], true, c)
	}
}

// call calls the library, which panics when the system call fails in a way that it
// does not expect: an interface that is down. The frames are in the ring then.
func (l *xdpLane) call(descs []xdp.Desc) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("send by AF_XDP: %v", r)
		}
	}()
	l.sock.Transmit(descs)
	return nil
}
