package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirflow/weir/sink/output"
)

// outputDesc returns the description of a metric of an output. Equal descriptions need not
// be the same value.
func outputDesc(m *output.Metric) *prometheus.Desc { return desc(m.Name, m.Help, m.Labels...) }

// outputEmitter sends the metrics of an output.
type outputEmitter struct{ to emitter }

func (e outputEmitter) Count(m *output.Metric, n uint64, labels ...string) {
	e.to.count(outputDesc(m), n, labels...)
}

func (e outputEmitter) Total(m *output.Metric, v float64, labels ...string) {
	e.to <- prometheus.MustNewConstMetric(outputDesc(m), prometheus.CounterValue, v, labels...)
}

func (e outputEmitter) Gauge(m *output.Metric, v float64, labels ...string) {
	e.to.gauge(outputDesc(m), v, labels...)
}

func (e outputEmitter) Histogram(m *output.Metric, h output.Histogram, labels ...string) {
	e.to <- prometheus.MustNewConstHistogram(outputDesc(m), h.Count, h.Sum, h.Buckets, labels...)
}
