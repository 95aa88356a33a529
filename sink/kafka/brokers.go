package kafka

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metrics "github.com/rcrowley/go-metrics"
)

// maxBrokers is how many brokers are counted one by one. The others, should a
// cluster say that it has more, share the id OtherBrokers.
const (
	maxBrokers   = 256
	OtherBrokers = int32(-1)
)

// A histogram counts durations by latencyBounds. Anyone may use it at any time.
type histogram struct {
	counts [len(latencyBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // microseconds
}

func (h *histogram) observe(d time.Duration, n int) {
	i := 0
	for i < len(latencyBounds) && d > latencyBounds[i] {
		i++
	}
	h.counts[i].Add(uint64(n))
	h.sum.Add(d.Microseconds() * int64(n))
}

// A Histogram holds durations: cumulative counts for each upper bound in
// seconds, their number, and the sum in seconds.
type Histogram struct {
	Buckets map[float64]uint64
	Count   uint64
	Sum     float64
}

func (h *histogram) read() Histogram {
	out := Histogram{Buckets: make(map[float64]uint64, len(latencyBounds)), Sum: float64(h.sum.Load()) / 1e6}
	for i, bound := range latencyBounds {
		out.Count += h.counts[i].Load()
		out.Buckets[bound.Seconds()] = out.Count
	}
	out.Count += h.counts[len(latencyBounds)].Load()
	return out
}

// brokerCounters count the produce requests to one broker. The connection and
// the loop add to them.
type brokerCounters struct {
	requests atomic.Uint64
	bytes    atomic.Uint64
	underWay atomic.Int64
	latency  histogram
}

// BrokerStats are the produce requests to one broker.
type BrokerStats struct {
	ID       int32
	Requests uint64    // sent
	Bytes    uint64    // of them, after compression
	UnderWay int64     // that wait for their response now
	Latency  Histogram // from sending a request to its response
}

// brokerTable has the counters of all brokers that were ever connected to.
type brokerTable struct {
	mu   sync.Mutex
	byID map[int32]*brokerCounters
}

func (t *brokerTable) get(id int32) *brokerCounters {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = make(map[int32]*brokerCounters)
	}
	if t.byID[id] == nil && len(t.byID) >= maxBrokers {
		id = OtherBrokers
	}
	if t.byID[id] == nil {
		t.byID[id] = new(brokerCounters)
	}
	return t.byID[id]
}

// Brokers returns what was sent to each broker, by id.
func (c *Counters) Brokers() []BrokerStats {
	c.brokers.mu.Lock()
	defer c.brokers.mu.Unlock()
	list := make([]BrokerStats, 0, len(c.brokers.byID))
	for id, b := range c.brokers.byID {
		list = append(list, BrokerStats{
			ID: id, Requests: b.requests.Load(), Bytes: b.bytes.Load(), UnderWay: b.underWay.Load(), Latency: b.latency.read(),
		})
	}
	slices.SortFunc(list, func(a, b BrokerStats) int { return int(a.ID) - int(b.ID) })
	return list
}

// Control counts the requests that sarama makes for the sink: API versions,
// authentication, metadata, producer ids. They are taken from sarama's metrics
// when a connection is ready, or at its end. Anyone may read them at any time.
type Control struct {
	requests, responses, sent, received atomic.Uint64
	micros                              atomic.Uint64
}

// Requests returns the number of requests.
func (c *Control) Requests() uint64 { return c.requests.Load() }

// Responses returns the number of responses.
func (c *Control) Responses() uint64 { return c.responses.Load() }

// Sent returns the bytes of the requests.
func (c *Control) Sent() uint64 { return c.sent.Load() }

// Received returns the bytes of the responses.
func (c *Control) Received() uint64 { return c.received.Load() }

// Seconds returns how long the responses took, all together.
func (c *Control) Seconds() float64 { return float64(c.micros.Load()) / 1e6 }

// take adds what sarama has measured on a connection, of which nothing was
// taken before.
func (c *Control) take(r metrics.Registry) {
	r.Each(func(name string, metric any) {
		switch m := metric.(type) {
		case metrics.Meter:
			n := uint64(m.Count())
			switch name {
			case "request-rate":
				c.requests.Add(n)
			case "response-rate":
				c.responses.Add(n)
			case "outgoing-byte-rate":
				c.sent.Add(n)
			case "incoming-byte-rate":
				c.received.Add(n)
			}
		case metrics.Histogram:
			if name == "request-latency-in-ms" {
				c.micros.Add(uint64(m.Sum()) * 1000)
			}
		}
	})
}
