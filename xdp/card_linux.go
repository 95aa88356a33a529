package xdp

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Card is what a network card and its driver have counted.
type Card struct {
	// Frames is how many frames the driver received, and Missed how many were dropped
	// since it had no buffers.
	Frames, Missed uint64
	// Whole is the number of valid frames that the hardware counted, including those
	// that the driver dropped later. 0 if unknown.
	Whole uint64
}

// wholeFrames are the names in the driver's own statistics (ethtool -S) of a counter of
// the card's that does not count what the card filtered out: of igb, ixgbe, e1000e, i40e,
// igc and others.
var wholeFrames = []string{"rx_packets", "rx_good_packets"}

// Card asks the driver of the interface. It makes a few system calls, some of which take
// long with some drivers: ask once a second, not much more. Other methods do not wait for
// them, but for Close. After Detach and Close it returns [net.ErrClosed].
func (c *Capture) Card() (Card, error) {
	c.mu.Lock()
	p, attached := c.prober, c.link != nil
	c.mu.Unlock()
	if !attached {
		return Card{}, net.ErrClosed
	}
	return p.card(c.device.Index)
}

// card asks for the counters of an interface. It returns an error if the driver's own
// statistics could be read before and cannot be now.
func (p *prober) card(index int) (card Card, err error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	if p.closed {
		return card, net.ErrClosed
	}
	link, err := p.links.LinkByIndex(index)
	if err != nil {
		return card, fmt.Errorf("ask for counters of the interface: %w", err)
	}
	a := link.Attrs()
	if s := a.Statistics; s != nil {
		card.Frames, card.Missed = s.RxPackets, s.RxMissedErrors+s.RxOverErrors+s.RxFifoErrors
	}
	card.Whole, err = p.wholeOf(a)
	return card, err
}

// wholeOf returns Card.Whole of an interface. It is unknown if the card has virtual
// functions: with igb for one, the counter is then of the whole port.
func (p *prober) wholeOf(a *netlink.LinkAttrs) (uint64, error) {
	i := p.statistic(a.Name)
	if i < 0 || len(a.Vfs) > 0 {
		return 0, nil
	}
	values, err := p.statistics(a.Name)
	switch {
	case err == nil && i < len(values):
		p.answered = true
		return values[i], nil
	case p.answered:
		return 0, fmt.Errorf("ask for counters of the card: %w", cmp.Or(err, io.ErrUnexpectedEOF))
	}
	return 0, nil
}

// statistic returns the index in statistics of the first of wholeFrames, -1 if there is
// none or if the driver does not answer at the moment.
func (p *prober) statistic(name string) int {
	if p.whole == nil {
		names, err := ethtoolNames(p.ethtool, name)
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
			return -1
		}
		i := slices.IndexFunc(names, func(s string) bool { return slices.Contains(wholeFrames, s) })
		p.whole = &i
	}
	return *p.whole
}

func (p *prober) statistics(name string) ([]uint64, error) {
	info, err := unix.IoctlGetEthtoolDrvinfo(p.ethtool, name)
	if err != nil {
		return nil, fmt.Errorf("ask for the driver: %w", err)
	}
	return ethtoolValues(p.ethtool, name, int(info.N_stats))
}
