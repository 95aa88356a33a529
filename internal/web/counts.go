package web

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// register exports what the server refused and cut off, by page. Requests of all
// pages share the connections, whose page is "connection".
func register(r prometheus.Registerer, pages map[string]*works, c *conns) error {
	refused := map[string]*atomic.Uint64{"connection": &c.refused}
	cuts := make([]*atomic.Uint64, 0, len(pages))
	for page, w := range pages {
		refused[page] = &w.refused
		cuts = append(cuts, &w.cut)
	}
	var errs []error
	for page, n := range refused {
		errs = append(errs, r.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "weir_http_refused_total", Help: "Requests and connections answered 503 because too many were in progress, by page.",
			ConstLabels: prometheus.Labels{"page": page},
		}, func() float64 { return float64(n.Load()) })))
	}
	errs = append(errs, r.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "weir_http_cut_total", Help: "Responses cut off, because the client was slow, to make room for other requests.",
	}, func() float64 {
		sum := uint64(0)
		for _, n := range cuts {
			sum += n.Load()
		}
		return float64(sum)
	})))
	return errors.Join(errs...)
}
