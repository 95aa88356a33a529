package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirflow/weir/decoders/sequence"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/producer"
)

var (
	exporterLost       = desc("exporter_lost_total", "What was lost according to the exporter's sequence numbers, in the unit that the exporter counts.", "exporter", "unit")
	exporterReordered  = desc("exporter_reordered_total", "Datagrams that came after later ones, by exporter.", "exporter")
	exporterDuplicates = desc("exporter_duplicates_total", "Datagrams that came twice, by exporter.", "exporter")
	exporterRestarts   = desc("exporter_restarts_total", "How often the exporter's sequence numbers started again.", "exporter")

	exportersMax      = desc("exporters_max", "Exporters that can have entries of their own.")
	exportersEvicted  = desc("exporters_evicted_total", "Exporter entries that were evicted for others.")
	exportersOverflow = desc("exporters_overflow_total", "Look-ups of exporters that found no room for an entry.")
	exportersNew      = desc("exporters_new_total", "Exporters that began to send.")
	exportersSilent   = desc("exporters_silent", "Exporters that have sent nothing for -exporters.silent-after.")
	exportersChanges  = desc("exporters_silent_changes_total", "How often exporters became silent, and sent again.", "change")

	exportersClockOff = desc("exporters_clock_off", "Exporters whose clock is more than a minute off, by a datagram of the last ten minutes.")

	sequenceLost     = desc("sequence_lost_total", "What all exporters lost according to their sequence numbers, by where (network, or on this host: socket, ring, restart) and in the unit that the exporter counts.", "place", "unit")
	sequenceStreams  = desc("sequence_streams", "Streams of sequence numbers that weir follows.")
	sequenceEvicted  = desc("sequence_streams_evicted_total", "Streams of sequence numbers that were evicted for others.")
	sequenceOverflow = desc("sequence_streams_overflow_total", "Sequence numbers that belong to a stream for which there was no room.")

	recordsSampling = desc("records_sampling_total", "Flow records by where their sampling rate came from.", "source")
	samplingChanges = desc("sampling_changes_total", "Sampling rates that options data changed.")
	errorSamples    = desc("error_samples_total", "Datagrams for -errors.sample, by outcome.", "outcome")
	errorDeleted    = desc("error_captures_deleted_total", "Captures of -errors.sample that weir deleted, by the limit of -errors.sample.keep.* that they were beyond.", "reason")
)

var exporterDescs = []*prometheus.Desc{
	exporterLost, exporterReordered, exporterDuplicates, exporterRestarts,
	exportersMax, exportersEvicted, exportersOverflow, exportersNew, exportersSilent, exportersChanges, exportersClockOff,
	sequenceLost, sequenceStreams, sequenceEvicted, sequenceOverflow, recordsSampling, samplingChanges, errorSamples, errorDeleted,
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
	e.gauge(exportersClockOff, float64(st.ClockOff))
	for place, lost := range c.src.Exporters.Lost() {
		for unit, n := range lost {
			e.count(sequenceLost, n, sequence.Place(place).String(), sequence.Unit(unit).String())
		}
	}
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
		for _, why := range []retain.Reason{retain.Bytes, retain.Age} {
			e.count(errorDeleted, n.Deleted[why], why.String())
		}
	}
}

// emitSequence exports what an exporter's sequence numbers tell. All units are there from
// the start, since a rate needs the value before the first loss.
func emitSequence(e emitter, name string, s *collector.ExporterStats) {
	for u := range sequence.NumUnits {
		lost := uint64(0)
		for p := range s.Sequence.Lost {
			lost += s.Sequence.Lost[p][u]
		}
		e.count(exporterLost, lost, name, sequence.Unit(u).String())
	}
	e.count(exporterReordered, s.Sequence.Reordered, name)
	e.count(exporterDuplicates, s.Sequence.Duplicates, name)
	e.count(exporterRestarts, s.Sequence.Restarts, name)
}
