package app

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/places"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/internal/web"
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

// page is what the page at / shows.
func (c *collection) page() web.PageSource {
	return web.PageSource{Version: build().Version, Totals: c.totals, Facts: c.facts}
}

// totals are the counts of which the page draws the rates.
func (c *collection) totals() web.Totals {
	l := c.ledger()
	t := web.Totals{
		Datagrams: l.Received(), Records: l.Produced(), Written: l.Acknowledged,
		LostDatagrams: l.Workers.SocketDropped + producer.Sum(l.Workers.Decode.Failed[:]) + l.Workers.Limited + l.Workers.Shutdown,
		LostRecords:   l.DroppedRecords(),
	}
	for _, n := range l.Workers.ReceivedBytes {
		t.Bytes += n
	}
	return t
}

// facts are about sockets, captures, workers and the output.
func (c *collection) facts() (list [][2]string) {
	add := func(name, format string, args ...any) {
		list = append(list, [2]string{name, fmt.Sprintf(format, args...)})
	}
	cfg, l, o := c.config.Load(), c.ledger(), c.outlet.Load()
	add("Running since", "%s UTC (%s)", c.started.UTC().Format(time.DateTime), time.Since(c.started).Round(time.Second))
	for _, one := range c.listeners() {
		asked, granted := one.sock.ReceiveBuffer()
		add("Listens on", "%s: %s, receive buffer %d KiB of %d asked for, %d dropped by the kernel", one.uri, one.sock.LocalAddr(), granted>>10, asked>>10, one.sock.KernelDrops())
	}
	if captures := c.captures.Load(); captures != nil {
		for _, s := range captures.Stats() {
			if s.Removed {
				continue
			}
			var parts []string
			for _, v := range s.Verdicts {
				if v.N > 0 {
					parts = append(parts, fmt.Sprintf("%s %d", v.Label, v.N))
				}
			}
			for _, d := range s.Dropped {
				if d.N > 0 {
					parts = append(parts, fmt.Sprintf("lost by %s %d", d.Label, d.N))
				}
			}
			add("Capture of "+s.Interface, "%s; %s", s.Mode, strings.Join(parts, ", "))
		}
	}
	add("Workers", "%d", len(c.workers))
	name := cfg.Transport
	if o.out.Sink != nil {
		name = o.out.Sink.Name()
	}
	add("Output", "%s, format %s: %d records written, %d dropped, %d in flight, %d in the spool", name, cfg.Format, l.Acknowledged, l.DroppedRecords(), l.InFlight, l.Spooled)
	reloads := c.stats()
	add("Reloads", "%d, %d refused", reloads.OK, reloads.Refused)
	return list
}
