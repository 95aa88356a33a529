package app

import (
	"sync"
	"time"

	"github.com/weirflow/weir/internal/life"
	"github.com/weirflow/weir/internal/udp"
)

const (
	// lifeEvery is how often the output's counts are stored for a successor. Workers
	// store theirs at once, so that an older count of the output only raises what the
	// successor says was lost at most.
	lifeEvery = 100 * time.Millisecond
	// unpublished is how many datagrams a worker that is killed may have received and
	// not counted: a batch of each source.
	unpublished = udp.DefaultBatch
)

// lives is what the last process left of its counts, and where this one keeps its own.
type lives struct {
	c        *collection
	previous life.Previous
	page     *life.Page // nil where nothing is kept
	crashed  bool       // the last process ended without a stop
	// atMost is how many records and datagrams it had in memory then.
	records, datagrams uint64

	quit chan struct{}
	done sync.WaitGroup
}

// openLives reads what the last process left in a file next to the file of state.
func (c *collection) openLives() *lives {
	l := &lives{c: c}
	path := statePath(c.cfg)
	if path == "" {
		return l
	}
	var err error
	if l.previous, l.page, err = life.Open(path + ".life"); err != nil {
		c.log.Warn("a successor will not know how far this process came", "error", err)
	}
	p := &l.previous
	if c.keeper.took || !p.Found || p.Stopped {
		return l
	}
	l.crashed = true
	sockets := 0
	for _, listen := range c.cfg.Listen {
		sockets += listen.Count
	}
	l.records, l.datagrams = p.InMemory, p.Held+p.Rings+uint64(unpublished*sockets)
	c.log.Warn("the last weir ended without a stop: what it had in memory is lost",
		"records_at_most", l.records, "datagrams_at_most", l.datagrams,
		"datagrams_received", p.Received, "records_produced", p.Produced, "same_boot", p.SameBoot)
	return l
}

// restore tells an adopted socket how many of its drops were counted before. Where that
// is not known all count again, so that none is missing.
func (l *lives) restore(s *udp.Socket) {
	if drops, ok := l.previous.Drops(s.Cookie()); ok {
		s.DropsFrom(drops)
	}
}

// run stores what the output counts until stop.
func (l *lives) run() {
	l.quit = make(chan struct{})
	l.done.Go(func() {
		tick := time.NewTicker(lifeEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.store()
			case <-l.quit:
				return
			}
		}
	})
}

func (l *lives) store() {
	if l.page == nil {
		return
	}
	n := l.c.counters().Ledger()
	ended := n.Acked + n.Spooled + n.Dropped
	l.page.Output().Ended.Store(max(ended, n.Recovered) - n.Recovered)
	for i, s := range l.c.sockets() {
		l.page.SetDrops(i, s.Cookie(), s.DropsSeen())
	}
}

// end stores what was counted last of sockets.
func (l *lives) end() {
	if l.quit != nil {
		close(l.quit)
		l.done.Wait()
		l.quit = nil
	}
	l.store()
}

// stop stores that nothing is lost: all is written, or counted as dropped.
func (l *lives) stop() {
	l.end()
	if l.c.ledger().InFlight == 0 {
		l.page.Stop()
	}
}
