package output

// A Metric describes a metric of an output.
type Metric struct {
	Name   string // without the prefix weir_
	Help   string
	Labels []string
}

// NewMetric returns a metric.
func NewMetric(name, help string, labels ...string) *Metric {
	return &Metric{Name: name, Help: help, Labels: labels}
}

// A Histogram is a snapshot of a distribution.
type Histogram struct {
	Buckets map[float64]uint64 // observations up to each bound, cumulative
	Count   uint64
	Sum     float64
}

// An Emitter takes the values of metrics. labels are the values of the metric's labels, in
// their order.
type Emitter interface {
	Count(m *Metric, n uint64, labels ...string)
	Total(m *Metric, v float64, labels ...string) // a counter that is no whole number
	Gauge(m *Metric, v float64, labels ...string)
	Histogram(m *Metric, h Histogram, labels ...string)
}
