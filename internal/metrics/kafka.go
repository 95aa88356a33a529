package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	kafkaAvailable = desc("kafka_available", "Whether the Kafka cluster can be reached.")
	kafkaErrors    = desc("kafka_errors_total", "Errors of Kafka by kind.", "kind")
	kafkaMessages  = desc("kafka_messages_total", "Kafka messages that the cluster acknowledged.")
	kafkaRequests  = desc("kafka_requests_total", "Produce requests that were sent.")
	kafkaBytes     = desc("kafka_bytes_total", "Bytes of acknowledged sets, as sent and before compression.", "form")
	kafkaRetried   = desc("kafka_retried_records_total", "Records in sets that were sent again.")
	kafkaRepeated  = desc("kafka_maybe_repeated_records_total", "Records that may be in the topic twice.")
	kafkaLatency   = desc("kafka_delivery_seconds", "Time from handing a batch over to its acknowledgement, an observation a record.")

	spoolBytes     = desc("spool_bytes", "Size of the spool on disk.")
	spoolOldest    = desc("spool_oldest_seconds", "How long the oldest record in the spool has waited.")
	spoolDamages   = desc("spool_damages_total", "Places at which the spool was damaged.")
	spoolErrors    = desc("spool_errors_total", "Failed operations on the spool.", "operation")
	spoolRecovered = desc("spool_recovered_records", "Records that were found in the spool at the start.")
	spoolRecords   = desc("records_spooled", "Records that wait in the spool.")
)

var kafkaDescs = []*prometheus.Desc{
	kafkaAvailable, kafkaErrors, kafkaMessages, kafkaRequests, kafkaBytes, kafkaRetried, kafkaRepeated, kafkaLatency,
	spoolBytes, spoolOldest, spoolDamages, spoolErrors, spoolRecovered, spoolRecords,
}

// kafka exports what the Kafka sink and its spool did, where there are any.
func (c *Collector) kafka(e emitter, recovered, spooled uint64) {
	if k := c.src.Kafka; k != nil {
		available := 0.0
		if k.Available() {
			available = 1
		}
		n := k.Counters()
		e.gauge(kafkaAvailable, available)
		n.EachError(func(kind string, count uint64) { e.count(kafkaErrors, count, kind) })
		e.count(kafkaMessages, n.Messages())
		e.count(kafkaRequests, n.Requests())
		e.count(kafkaBytes, n.Bytes(), "sent")
		e.count(kafkaBytes, n.RawBytes(), "uncompressed")
		e.count(kafkaRetried, n.Retried())
		e.count(kafkaRepeated, n.MaybeRepeated())
		buckets, count, sum := n.Latency()
		e <- prometheus.MustNewConstHistogram(kafkaLatency, count, sum, buckets)
	}
	if s := c.src.Spool; s != nil {
		st := s.Stats()
		e.gauge(spoolBytes, float64(st.Bytes))
		age := 0.0
		if !st.Oldest.IsZero() {
			age = time.Since(st.Oldest).Seconds()
		}
		e.gauge(spoolOldest, age)
		e.count(spoolDamages, st.Damages)
		e.count(spoolErrors, st.AppendErrors, "append")
		e.count(spoolErrors, st.AckErrors, "acknowledge")
		e.count(spoolErrors, st.SyncErrors, "sync")
		e.gauge(spoolRecovered, float64(recovered))
		e.gauge(spoolRecords, float64(spooled))
	}
}
