package app

import (
	"sync"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
)

// newExporters returns the exporter table that the configuration asks for.
func (c *collection) newExporters() *collector.Exporters {
	w := &c.cfg.Watch
	return collector.NewExporterTable(collector.ExportersConfig{
		Max:         w.MaxExporters,
		SilentAfter: w.SilentAfter,
		Sampling:    samplingRules(w.Sampling),
		Logger:      c.log,
	})
}

// newErrorSamples returns nil if none are to be kept.
func (c *collection) newErrorSamples(store *template.Store) *collector.ErrorSamples {
	w := &c.cfg.Watch
	if w.ErrorsDir == "" {
		return nil
	}
	return collector.NewErrorSamples(w.ErrorsDir, w.ErrorsCount, store, c.log)
}

func samplingRules(list []config.Sampling) []collector.SamplingRule {
	rules := make([]collector.SamplingRule, len(list))
	for i, s := range list {
		rules[i] = collector.SamplingRule{
			Exporters: s.Exporters, Interface: s.Interface, HasInterface: s.HasInterface, Rate: s.Rate,
		}
	}
	return rules
}

// blameFor is for how long after datagrams were lost here what is missing is
// taken to be them.
const blameFor = 5 * time.Second

// watcher looks after the exporters once a second.
type watcher struct {
	c     *collection
	quit  chan struct{}
	ended sync.WaitGroup

	socket, ring     uint64 // lost here at the last look
	socketAt, ringAt time.Time
}

func (c *collection) watchExporters() *watcher {
	w := &watcher{c: c, quit: make(chan struct{})}
	w.ended.Go(w.run)
	return w
}

func (w *watcher) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-w.quit:
			return
		case now := <-tick.C:
			w.c.source.Exporters.Sweep(now, w.place(now))
		}
	}
}

// place returns where what is found missing now was lost.
func (w *watcher) place(now time.Time) sequence.Place {
	lost := w.c.lostHere()
	if lost.Socket != w.socket {
		w.socket, w.socketAt = lost.Socket, now
	}
	if lost.Ring != w.ring {
		w.ring, w.ringAt = lost.Ring, now
	}
	switch {
	case now.Sub(w.socketAt) < blameFor:
		return sequence.Socket
	case now.Sub(w.ringAt) < blameFor:
		return sequence.Ring
	}
	return sequence.Network
}

// stop ends the watch. Workers have ended: all that is missing is lost.
func (w *watcher) stop() {
	close(w.quit)
	w.ended.Wait()
	w.c.source.Exporters.Finish(w.place(time.Now()))
}

// lostHere returns the datagrams that were lost on this host before a worker had
// them.
func (c *collection) lostHere() collector.LostHere {
	var l collector.LostHere
	for _, worker := range c.workers {
		s := worker.Snapshot()
		l.Socket += s.SocketDropped
		l.Ring += s.FramesMalformed
	}
	if captures := c.captures.Load(); captures != nil {
		for _, s := range captures.Stats() {
			for _, d := range s.Dropped {
				l.Ring += d.N
			}
		}
	}
	return l
}
