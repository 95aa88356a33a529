package xdp

import (
	"errors"
	"net"
	"testing"
	"time"
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
		if i := p.statistic("veth0"); i != -1 {
			t.Errorf("a veth has no counter of a card: %s", names[i])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Chunks of 4 KiB carry what chunks of 2 KiB do.
func TestLargeChunks(t *testing.T) {
	l := newLab(t, 1, 0)
	c := l.open(Config{Workers: 2, LargeChunks: true})
	if c.chunk != largeChunk || c.frags || c.MaxFrame() != 0 {
		t.Errorf("layout %+v", c.layout)
	}
	for number, size := range []int{8, 1000, 1472} {
		wantSize(t, l, c, 0, 2*number, size)
	}
	checkOwnership(t, c)
}
