package metrics

import "github.com/prometheus/client_golang/prometheus"

var (
	enrichBuilt   = desc("enrich_database_built_timestamp_seconds", "When the database in use was made, in Unix seconds.", "database")
	enrichLoaded  = desc("enrich_database_loaded_timestamp_seconds", "When the database in use was read, in Unix seconds.", "database")
	enrichReloads = desc("enrich_database_reloads_total", "New database files, by whether they were taken or refused.", "database", "outcome")
)

var enrichDescs = []*prometheus.Desc{enrichBuilt, enrichLoaded, enrichReloads}

// databases exports how the databases stand, where there are any.
func (c *Collector) databases(e emitter) {
	if c.src.Databases == nil {
		return
	}
	for _, s := range c.src.Databases.Status() {
		e.gauge(enrichBuilt, float64(s.Built.Unix()), s.Kind.String())
		e.gauge(enrichLoaded, float64(s.Loaded.Unix()), s.Kind.String())
		e.count(enrichReloads, s.Reloads, s.Kind.String(), "taken")
		e.count(enrichReloads, s.Refused, s.Kind.String(), "refused")
	}
}
