package collector

import (
	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/producer"
)

// follow hands what the datagram says about its sequence to the exporter's streams.
func (w *Worker) follow(s *sender, f *producer.Facts) {
	if s.Exporter == w.parts.Exporters.other {
		return // numbers of many exporters
	}
	notices := w.parts.Exporters.notices
	if f.Change.Before != 0 && notices.may(noticeRate, f.NowNs) {
		w.tellRate(s, f)
	}
	if !f.Numbered {
		return
	}
	t := w.parts.Exporters.table
	key := sequence.Key{Kind: f.Kind, Domain: f.Domain, Port: f.Port}
	if f.Kind == sequence.SFlow {
		key.Domain = t.Agent(f.Agent, f.SubAgent)
	}
	if before := s.streams.Observe(t, key, &f.Observation); before != 0 && notices.may(noticeRate, f.NowNs) {
		notices.tell(noticeRate, s.addr, "from", before, "to", f.Rate)
	}
	o := sequence.Observation{NowNs: f.NowNs, UptimeMs: f.UptimeMs, HasUptime: true}
	for i := range f.Samples {
		sample := &f.Samples[i]
		key.Kind, key.Source = sample.Kind, sample.Source
		o.Sequence, o.Rate = sample.Sequence, sample.Rate
		if before := s.streams.Observe(t, key, &o); before != 0 && notices.may(noticeRate, f.NowNs) {
			notices.tell(noticeRate, s.addr, "source", sample.Source&(1<<32-1), "from", before, "to", sample.Rate)
		}
	}
}

// tellRate logs a rate that options data changed.
func (w *Worker) tellRate(s *sender, f *producer.Facts) {
	c := &f.Change
	attrs := []any{"domain", c.Domain, "from", c.Before, "to", c.After}
	if c.HasSampler {
		attrs = append(attrs, "sampler", c.Sampler)
	}
	w.parts.Exporters.notices.tell(noticeRate, s.addr, attrs...)
}

// limited counts a datagram that is over its exporter's rate. It was not lost on
// the network.
func (w *Worker) limited(s *sender, meta producer.Meta, payload []byte) {
	w.counters.Limited++
	s.limited.Add(1)
	w.follow(s, w.prod.Peek(meta, payload))
	w.keep(s)
}
