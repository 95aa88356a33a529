package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// How frames are put on an interface.
const (
	sendAuto     = "auto"
	sendAFXDP    = "afxdp"
	sendAFPacket = "afpacket"
)

const (
	// wirePort is the source port where none is kept.
	wirePort = 50000
	// maxSynthetic is how many synthetic addresses there are.
	maxSynthetic = 100_000
)

// Synthetic addresses are in the networks that are set aside for benchmarks:
// RFC 2544 and RFC 5180.
var (
	synthetic4 = netip.MustParsePrefix("198.18.0.0/15")
	synthetic6 = netip.MustParsePrefix("2001:2::/48")
)

// syntheticAddr returns address i, 0 <= i < maxSynthetic, of a family.
func syntheticAddr(i int, is6 bool) netip.Addr {
	n := uint32(i) + 1
	if is6 {
		b := synthetic6.Addr().As16()
		b[13], b[14], b[15] = byte(n>>16), byte(n>>8), byte(n)
		return netip.AddrFrom16(b)
	}
	b := synthetic4.Addr().As4()
	b[1] |= byte(n >> 16)
	b[2], b[3] = byte(n>>8), byte(n)
	return netip.AddrFrom4(b)
}

// assignWireSources gives every source the address that its frames come from: the
// captured one, whatever it is, or a synthetic one where it is of the other family
// than the target. The outcome depends on the sources and not on their order.
func assignWireSources(sources []source, to netip.Addr) error {
	var others []netip.Addr
	kept := map[netip.Addr]bool{}
	for _, s := range sources {
		if addr := s.captured.Addr(); addr.Is4() == to.Is4() {
			kept[addr] = true
		} else {
			others = append(others, addr)
		}
	}
	slices.SortFunc(others, netip.Addr.Compare)
	others = slices.Compact(others)
	given, next := map[netip.Addr]netip.Addr{}, 0
	for _, addr := range others {
		for kept[syntheticAddr(next, to.Is6())] {
			next++
		}
		if next >= maxSynthetic {
			return fmt.Errorf("keep source: %d addresses are of the other family than %s, at most %d are supported", len(others), to, maxSynthetic)
		}
		given[addr] = syntheticAddr(next, to.Is6())
		next++
	}
	for i := range sources {
		s := &sources[i]
		s.local = s.captured
		if addr, ok := given[s.captured.Addr()]; ok {
			s.local = netip.AddrPortFrom(addr, s.captured.Port())
		}
	}
	return nil
}

// injector puts frames on an interface. One goroutine uses it.
type injector interface {
	// kind is sendAFXDP or sendAFPacket.
	kind() string
	// lanes is how many ways there are that keep the order of their frames.
	lanes() int
	// take returns memory for a frame of n bytes on a lane. It may send what was
	// put before, and is nil if that did not make room in time.
	take(lane, n int, c *counters) []byte
	// put has the frame sent that take returned the memory of.
	put(lane int, m mark)
	flush(c *counters)
	// drain sends all, and waits until it is gone or patience is over.
	drain(c *counters)
	close()
}

// mark says what a frame completes.
type mark struct {
	last    bool // frame of its datagram
	payload int  // bytes of UDP payload in the datagram
}

// tally counts datagrams by what became of their frames.
type tally struct{ broken bool }

// frame counts a frame that was sent or not; frames come in order.
func (t *tally) frame(m mark, sent bool, c *counters) {
	t.broken = t.broken || !sent
	if sent {
		c.frames.Add(1)
	}
	switch {
	case !m.last:
		return
	case t.broken:
		c.skipped.Add(1)
	default:
		c.sent(1, m.payload)
	}
	t.broken = false
}

// errNoRoom says that an interface took nothing for a while.
var errNoRoom = errors.New("interface takes no frames")

// wire sends frames on an interface.
type wire struct {
	load        *workload
	rewriteTime bool
	synthetic   int // addresses to spread over; 0 is none
	is6         bool
	datagrams   []wireDatagram // by index in load
	link        *wireLink
	injector    injector
}

// newWire builds the frames and opens the interface.
func newWire(o options, load *workload, stderr io.Writer) (*wire, error) {
	w := &wire{load: load, rewriteTime: o.rewriteTime, synthetic: o.sources, is6: o.to.Addr().Is6()}
	var err error
	if w.link, err = findLink(o); err != nil {
		return nil, err
	}
	if err := w.assign(o); err != nil {
		w.link.close()
		return nil, err
	}
	if w.injector, err = w.link.inject(o.send, stderr); err != nil {
		w.link.close()
		return nil, err
	}
	if err := w.build(stderr); err != nil {
		w.close()
		return nil, err
	}
	fmt.Fprintf(stderr, "replay: sending frames on %s by %s from %s to %s\n", o.iface, w.injector.kind(), macText(w.link.path.srcMAC), macText(w.link.path.dstMAC))
	return w, nil
}

// assign gives the sources their addresses.
func (w *wire) assign(o options) error {
	sources := w.load.sources
	switch {
	case o.keepSource:
		return assignWireSources(sources, o.to.Addr())
	case o.sources > 0:
		for i := range sources {
			sources[i].local = netip.AddrPortFrom(syntheticAddr(i%o.sources, w.is6), sources[i].captured.Port())
		}
	default:
		own, err := w.link.ownAddress(o.to.Addr())
		if err != nil {
			return err
		}
		for i := range sources {
			sources[i].local = netip.AddrPortFrom(own, wirePort)
		}
	}
	return nil
}

// build makes the frames of all datagrams, and leaves out what cannot be sent.
func (w *wire) build(stderr io.Writer) error {
	kept, tooLong := w.load.datagrams[:0], 0
	for i, d := range w.load.datagrams {
		frames, err := w.link.path.build(w.load.sources[d.source].local, d.payload, uint32(i))
		if err != nil {
			tooLong++
			continue
		}
		w.datagrams = append(w.datagrams, frames)
		kept = append(kept, d)
	}
	w.load.datagrams = kept
	if tooLong > 0 {
		fmt.Fprintf(stderr, "replay: warning: %d datagrams are too long for an IP packet and not sent\n", tooLong)
	}
	if len(kept) == 0 {
		return errors.New("build frames: no datagram is left")
	}
	return nil
}

func (w *wire) put(i, pass int, now time.Time, c *counters) {
	d, from := &w.datagrams[i], w.load.datagrams[i].source
	addr := netip.Addr{}
	if w.synthetic > 0 && pass > 0 {
		// Each pass gives a source the next address that is its own in that pass: what
		// one captured exporter sent in a pass, templates and data, stays together.
		from = (from + pass%w.synthetic*len(w.load.sources)) % w.synthetic
		addr = syntheticAddr(from, w.is6)
	}
	lane := from % w.injector.lanes()
	for k, frame := range d.frames {
		m := mark{last: k == len(d.frames)-1, payload: d.payload}
		b := w.injector.take(lane, len(frame), c)
		if b == nil {
			c.failed(errNoRoom)
			c.skipped.Add(1)
			return
		}
		copy(b, frame)
		if addr.IsValid() {
			d.setSource(b, k, addr)
		}
		d.setNumbers(b, k, w.load.datagrams[i].numbers, pass)
		if k == 0 && w.rewriteTime {
			d.setTime(b, func(payload []byte) bool { return rewriteTime(payload, now) })
		}
		w.injector.put(lane, m)
	}
}

func (w *wire) flush(c *counters) { w.injector.flush(c) }

func (w *wire) finish(c *counters) {
	w.injector.drain(c)
	if dropped, err := w.link.dropped(); err == nil {
		c.dropped.Store(dropped)
	}
}

// sleep sleeps in small pieces, on time: a queue that a burst must fit in may
// hold no more than some hundred frames.
func (w *wire) sleep(ctx context.Context, d time.Duration) {
	const most = 20 * time.Millisecond
	for d > 0 && ctx.Err() == nil {
		nap := min(d, most)
		sleepExactly(nap)
		d -= nap
	}
}

func (w *wire) close() {
	w.injector.close()
	w.link.close()
}

func macText(mac [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
}
