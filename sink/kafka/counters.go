package kafka

import (
	"sync/atomic"
	"time"
)

// latencyBounds are the upper bounds of the latency histogram.
var latencyBounds = [...]time.Duration{
	1e6, 2e6, 5e6, 10e6, 20e6, 50e6, 100e6, 200e6, 500e6, 1e9, 2e9, 5e9, 10e9, 30e9, 60e9, 300e9,
}

// Counters count what the sink does. The sink adds to them; anyone may read
// them at any time. Unless said otherwise they only grow.
type Counters struct {
	flows    atomic.Uint64
	messages atomic.Uint64
	sets     atomic.Uint64
	bytes    atomic.Uint64
	rawBytes atomic.Uint64
	requests atomic.Uint64
	retried  atomic.Uint64
	known    atomic.Uint64
	repeated atomic.Uint64
	resets   atomic.Uint64
	changes  atomic.Uint64
	held     atomic.Int64
	underWay atomic.Int64
	errors   [len(kinds)]atomic.Uint64
	latency  histogram
	brokers  brokerTable
}

// Flows returns the number of flows that the cluster has acknowledged.
func (c *Counters) Flows() uint64 { return c.flows.Load() }

// Messages returns the number of Kafka messages that it has acknowledged.
func (c *Counters) Messages() uint64 { return c.messages.Load() }

// Sets returns the number of record sets that it has acknowledged.
func (c *Counters) Sets() uint64 { return c.sets.Load() }

// Bytes returns the number of bytes of those sets as sent, that is after
// compression.
func (c *Counters) Bytes() uint64 { return c.bytes.Load() }

// RawBytes returns the number of bytes of those sets before compression.
func (c *Counters) RawBytes() uint64 { return c.rawBytes.Load() }

// Requests returns the number of produce requests that were sent.
func (c *Counters) Requests() uint64 { return c.requests.Load() }

// Retried returns the number of flows in sets that were sent again.
func (c *Counters) Retried() uint64 { return c.retried.Load() }

// Known returns the number of flows in sets that were sent again and that the
// broker said it had already.
func (c *Counters) Known() uint64 { return c.known.Load() }

// MaybeRepeated returns the number of flows that may be in the topic twice:
// they were sent again without a number, or under another than before, and it
// is not known whether they had been written.
func (c *Counters) MaybeRepeated() uint64 { return c.repeated.Load() }

// Resets returns how often sequence numbers began again because the broker
// had lost count.
func (c *Counters) Resets() uint64 { return c.resets.Load() }

// Changes returns how often the cluster became available or unavailable.
func (c *Counters) Changes() uint64 { return c.changes.Load() }

// HeldBytes returns the size of the batches that the sink holds now.
func (c *Counters) HeldBytes() int64 { return c.held.Load() }

// UnderWay returns the number of requests that wait for their response now.
func (c *Counters) UnderWay() int64 { return c.underWay.Load() }

// EachError calls f for every kind of error, those that never happened
// included, always in the same order.
func (c *Counters) EachError(f func(kind string, n uint64)) {
	for i, k := range kinds {
		f(k, c.errors[i].Load())
	}
}

// Errors returns the number of errors of a kind, one of the Kind constants.
func (c *Counters) Errors(kind string) uint64 {
	for i, k := range kinds {
		if k == kind {
			return c.errors[i].Load()
		}
	}
	return 0
}

// Latency returns the time from Submit to acknowledgement, an observation a
// flow.
func (c *Counters) Latency() Histogram { return c.latency.read() }

func (c *Counters) fail(kind string) {
	for i, k := range kinds {
		if k == kind {
			c.errors[i].Add(1)
		}
	}
}

// taken counts an acknowledged set.
func (c *Counters) taken(s *set) {
	c.sets.Add(1)
	c.messages.Add(uint64(s.records))
	c.flows.Add(uint64(s.flows))
	c.bytes.Add(uint64(len(s.wire()) - partitionHeader))
	c.rawBytes.Add(uint64(s.raw + setHeader))
}
