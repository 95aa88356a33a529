package metrics

import "github.com/prometheus/client_golang/prometheus"

// renamed has the old descriptions of metrics that have another name since this version, by
// the new ones. Both are exported for one version.
var renamed = map[*prometheus.Desc]*prometheus.Desc{
	exporterSeen: old("exporter_last_seen_seconds", "exporter_last_seen_timestamp_seconds", "exporter"),
	stateSaved:   old("state_saved_seconds", "state_saved_timestamp_seconds"),
	enrichBuilt:  old("enrich_database_built_seconds", "enrich_database_built_timestamp_seconds", "database"),
	enrichLoaded: old("enrich_database_loaded_seconds", "enrich_database_loaded_timestamp_seconds", "database"),
}

func old(name, now string, labels ...string) *prometheus.Desc {
	return desc(name, "The old name of weir_"+now+", which goes with the next version.", labels...)
}
