package xdp

import (
	"fmt"
	"net"
	"slices"

	"golang.org/x/sys/unix"
)

// Card is what a network card and its driver have counted.
type Card struct {
	// Frames is how many frames the driver received, and Missed how many were dropped
	// since it had no buffers.
	Frames, Missed uint64
	// Whole is how many frames came in good order according to the card itself, whatever
	// the driver then did with them; 0 if the driver does not show it.
	Whole uint64
}

// wholeFrames are the names in the driver's own statistics (ethtool -S) of a counter of
// the card's that does not count what the card filtered out: of igb, ixgbe, e1000e, i40e,
// igc and others.
var wholeFrames = []string{"rx_packets", "rx_good_packets"}

// Card asks the driver of the interface. It makes a few system calls, some of which take
// long with some drivers: ask once a second, not much more. After Detach and Close it
// returns [net.ErrClosed].
func (c *Capture) Card() (Card, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil {
		return Card{}, net.ErrClosed
	}
	return c.prober.card(c.device.Index)
}

func (p *prober) card(index int) (card Card, err error) {
	link, err := p.links.LinkByIndex(index)
	if err != nil {
		return card, fmt.Errorf("ask for counters of the interface: %w", err)
	}
	a := link.Attrs()
	if s := a.Statistics; s != nil {
		card.Frames, card.Missed = s.RxPackets, s.RxMissedErrors+s.RxOverErrors+s.RxFifoErrors
	}
	if i := p.statistic(a.Name); i >= 0 {
		if values, err := p.statistics(a.Name); err == nil && i < len(values) {
			card.Whole = values[i]
		}
	}
	return card, nil
}

// statistic returns the index in statistics of the first of wholeFrames, -1 if there is
// none.
func (p *prober) statistic(name string) int {
	if p.whole == nil {
		names, err := ethtoolNames(p.ethtool, name)
		if err != nil {
			names = nil // the driver has none
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
