package xdp

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// What the driver counts grows by what came.
func TestCard(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		l := newLab(t, 1, 0)
		c := l.open(Config{Mode: mode})
		before, err := c.Card()
		if err != nil {
			t.Fatal(err)
		}
		const frames = 100
		for i := range frames {
			l.send(l.from(0, i, 100))
			gather(t, c.Worker(0), 1, func(Frame) {})
		}
		var now Card
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if now, err = c.Card(); err != nil {
				t.Fatal(err)
			}
			if now.Frames-before.Frames >= frames {
				break
			}
		}
		if came := now.Frames - before.Frames; came < frames || came > 2*frames || now.Missed != 0 {
			t.Errorf("%v: the driver counts %d frames of %d, %d missed", mode, came, frames, now.Missed)
		}
		if err := c.Detach(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Card(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v: after Detach: %v", mode, err)
		}
	}
}

// A driver that takes long to answer Card does not hold up the other methods.
func TestCardSlow(t *testing.T) {
	l := newLab(t, 1, 0)
	c := l.open(Config{})
	c.prober.asking.Lock() // as Card does while it asks
	answered := make(chan error)
	go func() {
		_, err := c.Card()
		answered <- err
	}()
	for range 100 {
		c.Stats()
		if err := c.Health(); err != nil {
			t.Error(err)
		}
	}
	c.prober.asking.Unlock()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// The driver's own statistics are read whole, and their names found.
func TestDriverStatistics(t *testing.T) {
	l := newLab(t, 1, 0)
	l.open(Config{}).Close() // or skip
	err := l.collector.Do(func() error {
		p, err := newProber()
		if err != nil {
			return err
		}
		defer p.close()
		names, err := ethtoolNames(p.ethtool, "veth0")
		if err != nil {
			return err
		}
		values, err := p.statistics("veth0")
		if err != nil {
			return err
		}
		if len(names) == 0 || len(names) != len(values) || names[0] != "peer_ifindex" {
			t.Errorf("names %q, values %v", names, values)
		}
		peer, err := l.exporter.Netlink().LinkByName("veth0")
		if err != nil {
			return err
		}
		if values[0] != uint64(peer.Attrs().Index) {
			t.Errorf("%s is %d, want %d", names[0], values[0], peer.Attrs().Index)
		}
		socket := p.ethtool
		p.ethtool = -1
		if i := p.statistic("veth0"); i != -1 || p.whole != nil {
			t.Errorf("a driver that does not answer once: index %d, kept %v", i, p.whole != nil)
		}
		p.ethtool = socket
		if i := p.statistic("veth0"); i != -1 {
			t.Errorf("a veth has no counter of a card: %s", names[i])
		}
		first := 0
		p.whole = &first // as if it had
		attrs := netlink.LinkAttrs{Name: "veth0"}
		if n, err := p.wholeOf(&attrs); err != nil || n != values[0] {
			t.Errorf("the counter is %d, want %d: %v", n, values[0], err)
		}
		attrs.Vfs = []netlink.VfInfo{{}}
		if n, err := p.wholeOf(&attrs); err != nil || n != 0 {
			t.Errorf("with virtual functions the counter is %d, want 0: %v", n, err)
		}
		attrs.Vfs, p.ethtool = nil, -1
		_, err = p.wholeOf(&attrs)
		if p.ethtool = socket; err == nil {
			t.Error("no error from a driver that answers no more")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
