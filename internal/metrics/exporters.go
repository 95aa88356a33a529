package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
)

var (
	exporterLost       = desc("exporter_lost_total", "What is missing by the exporter's sequence numbers, in the unit that it counts.", "exporter", "unit")
	exporterReordered  = desc("exporter_reordered_total", "Datagrams that came behind later ones, by exporter.", "exporter")
	exporterDuplicates = desc("exporter_duplicates_total", "Datagrams that came twice, by exporter.", "exporter")
	exporterRestarts   = desc("exporter_restarts_total", "How often the exporter's sequence numbers began anew.", "exporter")

	exportersMax      = desc("exporters_max", "Exporters that can have entries of their own.")
	exportersEvicted  = desc("exporters_evicted_total", "Exporters that made room for others.")
	exportersOverflow = desc("exporters_overflow_total", "Look-ups of exporters for which there was no room.")
	exportersNew      = desc("exporters_new_total", "Exporters that began to send.")
	exportersSilent   = desc("exporters_silent", "Exporters that have sent nothing for -exporters.silent-after.")
	exportersChanges  = desc("exporters_silent_changes_total", "Exporters that became silent, and that came back.", "change")

	sequenceStreams  = desc("sequence_streams", "Sequences of numbers that are followed.")
	sequenceEvicted  = desc("sequence_streams_evicted_total", "Sequences that made room for others.")
	sequenceOverflow = desc("sequence_streams_overflow_total", "Numbers of sequences for which there was no room.")

	recordsSampling = desc("records_sampling_total", "Flow records by where their sampling rate came from.", "source")
	samplingChanges = desc("sampling_changes_total", "Sampling rates that options data changed.")
	errorSamples    = desc("error_samples_total", "Datagrams for -errors.sample, by what became of them.", "outcome")
)

var exporterDescs = []*prometheus.Desc{
	exporterLost, exporterReordered, exporterDuplicates, exporterRestarts,
	exportersMax, exportersEvicted, exportersOverflow, exportersNew, exportersSilent, exportersChanges,
	sequenceStreams, sequenceEvicted, sequenceOverflow, recordsSampling, samplingChanges, errorSamples,
}

// exporterTable exports how full the exporter table is, and what became of
// samples of errors.
func (c *Collector) exporterTable(e emitter, d *producer.Counters) {
	st := c.src.Exporters.TableStats()
	e.gauge(exporters, float64(st.Exporters))
	e.gauge(exportersMax, float64(st.Max))
	e.count(exportersEvicted, st.Evicted)
	e.count(exportersOverflow, st.Overflowed)
	e.count(exportersNew, st.New)
	e.gauge(exportersSilent, float64(st.SilentNow))
	e.count(exportersChanges, st.Silent, "silent")
	e.count(exportersChanges, st.Returned, "returned")
	e.gauge(sequenceStreams, float64(st.Streams.Streams))
	e.count(sequenceEvicted, st.Streams.Evicted)
	e.count(sequenceOverflow, st.Streams.Overflowed)
	for i, n := range d.Sampling {
		e.count(recordsSampling, n, producer.SamplingSource(i).String())
	}
	e.count(samplingChanges, d.SamplingChanges)
	if s := c.src.Errors; s != nil {
		n := s.Stats()
		e.count(errorSamples, n.Written, "written")
		e.count(errorSamples, n.Dropped, "dropped")
		e.count(errorSamples, n.Failed, "failed")
	}
}

// emitSequence exports what an exporter's sequence numbers tell: units that it
// counts by, once something was lost, and the rest always.
func emitSequence(e emitter, name string, s *collector.ExporterStats) {
	for u := range sequence.NumUnits {
		lost := uint64(0)
		for p := range s.Sequence.Lost {
			lost += s.Sequence.Lost[p][u]
		}
		if lost > 0 {
			e.count(exporterLost, lost, name, sequence.Unit(u).String())
		}
	}
	e.count(exporterReordered, s.Sequence.Reordered, name)
	e.count(exporterDuplicates, s.Sequence.Duplicates, name)
	e.count(exporterRestarts, s.Sequence.Restarts, name)
}
