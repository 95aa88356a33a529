package metrics

import "github.com/prometheus/client_golang/prometheus"

// Reloads is what became of reloads of the configuration since the start, which is not
// one.
type Reloads struct {
	OK, Refused uint64
	LastRefused bool  // the last one was refused
	LastSuccess int64 // when the configuration in force was read, in Unix seconds
}

var (
	reloadsTotal  = desc("config_reloads_total", "Reloads of the configuration, by outcome.", "outcome")
	reloadSuccess = desc("config_last_reload_successful", "1 if the last reload of the configuration was put into force, or there was none; 0 if it was refused.")
	reloadAt      = desc("config_last_reload_success_timestamp_seconds", "When the configuration in force was read, in Unix seconds.")

	reloadDescs = []*prometheus.Desc{reloadsTotal, reloadSuccess, reloadAt}
)

func (c *Collector) reloads(e emitter) {
	r := c.src.Reloads()
	e.count(reloadsTotal, r.OK, "success")
	e.count(reloadsTotal, r.Refused, "refused")
	successful := 1.0
	if r.LastRefused {
		successful = 0
	}
	e.gauge(reloadSuccess, successful)
	e.gauge(reloadAt, float64(r.LastSuccess))
}
