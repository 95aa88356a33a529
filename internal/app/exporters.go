package app

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/places"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/producer"
)

// newExporters returns the exporter table that the configuration asks for.
func (c *collection) newExporters(store *producer.TemplateStore) *collector.Exporters {
	w := &c.cfg.Watch
	return collector.NewExporterTable(collector.ExportersConfig{
		Max:         w.MaxExporters,
		Named:       c.cfg.MetricsExporters,
		SilentAfter: w.SilentAfter,
		Sampling:    samplingRules(w.Sampling),
		Templates:   store,
		Logger:      c.log,
	})
}

// newErrorSamples returns nil if none are to be kept.
func (c *collection) newErrorSamples(store *producer.TemplateStore) *collector.ErrorSamples {
	w := &c.cfg.Watch
	if w.ErrorsDir == "" {
		return nil
	}
	return collector.NewErrorSamples(w.ErrorsDir, w.ErrorsCount, retain.Limits{Bytes: w.ErrorsBytes, Age: w.ErrorsAge}, store, c.log)
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

// watcher looks after the exporters, and for what is lost, once a second.
type watcher struct {
	c     *collection
	loss  *places.Watcher
	from  places.Source
	quit  chan struct{}
	ended sync.WaitGroup
	// atStop is what sockets had dropped when the stop began; nil before that.
	atStop atomic.Pointer[uint64]

	socket, ring     uint64 // lost here at the last look
	socketAt, ringAt time.Time
}

func (c *collection) watchExporters() *watcher {
	w := &watcher{c: c, loss: c.loss, quit: make(chan struct{}), from: places.Source{
		Workers: c.workers, Sink: c.counters(), Exporters: c.source.Exporters, Captures: &c.captures,
	}}
	w.ended.Go(w.run)
	w.ended.Go(func() {
		w.loss.Run(w.quit, w.read, func(line string) { notifySystemd(c.log, "STATUS="+line) })
	})
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

// read takes a reading. What sockets refuse while weir stops is in their drops too, and no
// receive buffer was full for it.
func (w *watcher) read() *places.Reading {
	r := w.from.Read()
	if most := w.atStop.Load(); most != nil {
		r.Socket = min(r.Socket, *most)
	}
	return r
}

// beginStop has drops of sockets from now on no longer reported as loss.
func (w *watcher) beginStop() {
	n := w.from.Read().Socket
	w.atStop.Store(&n)
}

// stop ends the watch. Workers have ended: all that is missing is lost.
func (w *watcher) stop() {
	close(w.quit)
	w.ended.Wait()
	w.c.source.Exporters.Finish(w.place(time.Now()))
}

// finish logs what was lost that no line has said yet. The output has ended.
func (w *watcher) finish() { w.loss.Finish(w.read(), time.Now()) }

// health is what /health answers.
func (c *collection) health() (ok bool, page any) {
	h := c.loss.Health(time.Now())
	return h.Status != places.Failing, h
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
