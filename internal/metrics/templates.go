package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirflow/weir/internal/state"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/names"
)

// Kept is what is known about saved state and about memory.
type Kept struct {
	State  *state.File // nil where nothing is saved
	Memory func() *Memory
}

// Memory is what the process may take of the memory.
type Memory struct {
	Max  int64 // bytes; 0 for no limit
	Caps []Cap
}

// Cap is what a part of the process may take of the memory.
type Cap struct {
	Part  string
	Bytes int64
}

var (
	templates        = desc("templates", "Templates that are known.")
	templateDomains  = desc("templates_domains", "Exporters, times their observation domains, of which templates are known.")
	templateBytes    = desc("templates_bytes", "Memory of all templates, as -templates.max-bytes counts it.")
	templateSamplers = desc("templates_samplers", "Sampling rates that are known by sampler.")
	templatesEvicted = desc("templates_evicted_total", "What made room for others because a limit of -templates was reached.", "what")
	templatesExpired = desc("templates_expired_total", "Templates that were forgotten because of -templates.ttl.")
	templatesSplit   = desc("templates_split_total", "Observation domains of which two source ports of an address were found to send at one time, with -templates.key-port auto.")
	templatesTaken   = desc("templates_taken_over_total", "Templates that a new source port of an address took over from others that had been silent, with -templates.key-port auto.")

	optionNames        = desc("options_names", "Names that options data announced, by kind: see -options.join.", "kind")
	optionNamesRefused = desc("options_names_refused_total", "Names in options data that found no room.")

	heldDatagrams   = desc("datagrams_held", "Datagrams that wait for a template, and are neither decoded nor failed yet.")
	heldSets        = desc("sets_held", "Data sets that wait for their template.")
	heldBytes       = desc("sets_held_bytes", "Bytes of the data sets that wait for their template.")
	heldEnded       = desc("sets_held_total", "Data sets that had to wait for their template, by what became of them: released when it came, or expired; overflow found no room to wait.", "outcome")
	exporterIgnored = desc("elements_ignored_total", "Elements of data records that weir passes over, by exporter and kind: reverse (of the other direction, without a field), list (structured data), unknown (without a name).", "exporter", "kind")
	exporterExpired = desc("exporter_sets_expired_total", "Data sets that waited for a template that did not come, by exporter.", "exporter")

	stateSaves  = desc("state_saves_total", "How often state was saved, by outcome.", "outcome")
	stateAside  = desc("state_set_aside_total", "Files of saved state that could not be used at the start.")
	stateBytes  = desc("state_bytes", "Size of the file of saved state.")
	stateSaved  = desc("state_saved_timestamp_seconds", "When state was saved last, in Unix seconds.")
	memoryMax   = desc("memory_max_bytes", "The limit of -memory.max; 0 for none.")
	memoryParts = desc("memory_cap_bytes", "What parts of the process may take of the memory at most.", "part")
)

var templateDescs = []*prometheus.Desc{
	templates, templateDomains, templateBytes, templateSamplers, optionNames, optionNamesRefused, templatesEvicted, templatesExpired, templatesSplit, templatesTaken,
	heldDatagrams, heldSets, heldBytes, heldEnded, exporterExpired, exporterIgnored,
	stateSaves, stateAside, stateBytes, stateSaved, memoryMax, memoryParts,
}

// templates exports what the template store holds, what waits for it, what is
// saved of it, and the memory that there is for all.
func (c *Collector) templates(e emitter, h *producer.HeldCounters) {
	t := c.src.Templates.Totals()
	e.gauge(templates, float64(t.Templates))
	e.gauge(templateDomains, float64(t.Domains))
	e.gauge(templateBytes, float64(t.Bytes))
	e.gauge(templateSamplers, float64(t.Samplers))
	e.count(templatesEvicted, t.Evicted, "domains")
	e.count(templatesEvicted, t.EvictedTemplates, "templates")
	if table := c.src.OptionNames; table != nil {
		for k := range names.Kind(names.NumKinds) {
			e.gauge(optionNames, float64(table.Len(k)), k.String())
		}
		e.count(optionNamesRefused, table.Refused())
	}
	e.count(templatesExpired, t.Expired)
	e.count(templatesSplit, t.Split)
	e.count(templatesTaken, t.TakenOver)

	e.gauge(heldDatagrams, float64(h.Datagrams))
	e.gauge(heldSets, float64(h.Sets))
	e.gauge(heldBytes, float64(h.Bytes))
	e.count(heldEnded, h.Released, "released")
	e.count(heldEnded, h.Expired, "expired")
	e.count(heldEnded, h.Overflow, "overflow")

	if f := c.src.Kept.State; f != nil {
		s := f.Stats()
		e.count(stateSaves, s.Saves, "saved")
		e.count(stateSaves, s.Failures, "failed")
		e.count(stateAside, s.SetAside)
		e.gauge(stateBytes, float64(s.Bytes))
		if !s.Saved.IsZero() {
			e.gauge(stateSaved, float64(s.Saved.UnixMilli())/1e3)
		}
	}
	memory := c.src.Kept.Memory()
	e.gauge(memoryMax, float64(memory.Max))
	for _, m := range memory.Caps {
		e.gauge(memoryParts, float64(m.Bytes), m.Part)
	}
}
