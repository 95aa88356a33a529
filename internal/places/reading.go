package places

import (
	"net/netip"
	"sync/atomic"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/sink"
)

// A Reading is what weir has counted at a moment, since its start.
type Reading struct {
	// Received datagrams and Produced records; Written are the records that the output
	// acknowledged or the spool took.
	Received, Produced, Written uint64
	// Socket counts datagrams that the kernel dropped, Limited those over the rate.
	Socket, Limited uint64
	// Ring counts frames that were lost before a worker had them.
	Ring []Count
	// Dropped counts records, Faults pieces of datagrams, by reason.
	Dropped, Faults []Count
	Lost            [sequence.NumPlaces][sequence.NumUnits]uint64

	SetsWithoutTemplate, Replaced, SamplingUnknown uint64

	Exporters collector.Troubles
	// LastError returns the output's last error for a reason, or nil.
	LastError func(reason string) error
}

// Source is where a [Reading] is taken. Its parts may be used by any goroutine.
type Source struct {
	Workers   []*collector.Worker
	Sink      *sink.Counters
	Exporters *collector.Exporters
	// Captures points to nil unless interfaces are captured.
	Captures *atomic.Pointer[collector.Captures]
}

// Read takes a reading.
func (s *Source) Read() *Reading {
	l := collector.NewLedger(s.Workers, s.Sink)
	d := &l.Workers.Decode
	r := &Reading{
		Received:            l.Received(),
		Produced:            l.Produced(),
		Written:             l.Acknowledged + l.Spooled,
		Socket:              l.Workers.SocketDropped,
		Limited:             l.Workers.Limited,
		Lost:                s.Exporters.Lost(),
		SetsWithoutTemplate: d.SetsWithoutTemplate,
		Replaced:            d.TemplatesReplaced,
		SamplingUnknown:     d.Sampling[producer.SamplingUnknown],
		Exporters:           s.Exporters.Troubles(),
		LastError:           s.Sink.LastError,
	}
	for _, drop := range l.Dropped {
		r.Dropped = append(r.Dropped, Count{drop.Reason, drop.Records})
	}
	for reason := range producer.EachReason {
		r.Faults = append(r.Faults, Count{reason.String(), d.Faults[reason]})
	}
	captures := s.Captures.Load()
	if captures == nil {
		return r
	}
	sums := map[string]uint64{"malformed": l.Workers.FramesMalformed}
	order := []string{"malformed"}
	for _, one := range captures.Stats() {
		for _, c := range one.Dropped {
			if _, ok := sums[c.Label]; !ok {
				order = append(order, c.Label)
			}
			sums[c.Label] += c.N
		}
		for _, c := range one.Verdicts {
			if c.Label == verdictRate {
				r.Limited += c.N
			}
		}
	}
	for _, label := range order {
		r.Ring = append(r.Ring, Count{label, sums[label]})
	}
	return r
}

// verdictRate is the label of the verdict on frames over the rate.
const verdictRate = "drop_rate"

// texts returns addresses as text.
func texts(list []netip.Addr) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return out
}
