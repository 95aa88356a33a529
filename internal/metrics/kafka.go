package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirflow/weir/sink/kafka"
)

var (
	kafkaAvailable      = desc("kafka_available", "Whether the Kafka cluster can be reached.")
	kafkaErrors         = desc("kafka_errors_total", "Errors of Kafka by kind.", "kind")
	kafkaMessages       = desc("kafka_messages_total", "Kafka messages that the cluster acknowledged.")
	kafkaRequests       = desc("kafka_requests_total", "Produce requests that were sent.")
	kafkaBytes          = desc("kafka_bytes_total", "Bytes of acknowledged sets, as sent and before compression.", "form")
	kafkaRetried        = desc("kafka_retried_records_total", "Records in sets that were sent again.")
	kafkaRepeated       = desc("kafka_maybe_repeated_records_total", "Records that may be in the topic twice.")
	kafkaBrokerRequests = desc("kafka_broker_requests_total", "Produce requests that were sent, by broker.", "broker")
	kafkaBrokerBytes    = desc("kafka_broker_request_bytes_total", "Bytes of produce requests, by broker.", "broker")
	kafkaBrokerInFlight = desc("kafka_broker_requests_in_flight", "Produce requests that wait for their response, by broker.", "broker")
	kafkaBrokerSeconds  = desc("kafka_broker_request_seconds", "Time from sending a produce request to its response, by broker.", "broker")

	kafkaControlRequests  = desc("kafka_control_requests_total", "Requests for API versions, authentication, metadata and producer ids.")
	kafkaControlResponses = desc("kafka_control_responses_total", "Responses to them.")
	kafkaControlBytes     = desc("kafka_control_bytes_total", "Bytes of them.", "direction")
	kafkaControlSeconds   = desc("kafka_control_seconds_total", "Time that the responses took, all together.")
	kafkaHeld             = desc("kafka_held_bytes", "Bytes of the batches that the Kafka output holds.")

	kafkaLatency = desc("kafka_delivery_seconds", "Time from handing a batch over to its acknowledgement, an observation a record.")

	spoolBytes     = desc("spool_bytes", "Size of the spool on disk.")
	spoolOldest    = desc("spool_oldest_seconds", "How long the oldest record in the spool has waited.")
	spoolDamages   = desc("spool_damages_total", "Places at which the spool was damaged.")
	spoolErrors    = desc("spool_errors_total", "Failed operations on the spool.", "operation")
	spoolRecovered = desc("spool_recovered_records", "Records that were found in the spool at the start.")
	spoolRecords   = desc("records_spooled", "Records that wait in the spool.")
)

var kafkaDescs = []*prometheus.Desc{
	kafkaAvailable, kafkaErrors, kafkaMessages, kafkaRequests, kafkaBytes, kafkaRetried, kafkaRepeated, kafkaLatency,
	kafkaBrokerRequests, kafkaBrokerBytes, kafkaBrokerInFlight, kafkaBrokerSeconds,
	kafkaControlRequests, kafkaControlResponses, kafkaControlBytes, kafkaControlSeconds, kafkaHeld,
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
		h := n.Latency()
		e <- prometheus.MustNewConstHistogram(kafkaLatency, h.Count, h.Sum, h.Buckets)
		e.gauge(kafkaHeld, float64(n.HeldBytes()))
		for _, b := range n.Brokers() {
			id := strconv.Itoa(int(b.ID))
			if b.ID == kafka.OtherBrokers {
				id = "other"
			}
			e.count(kafkaBrokerRequests, b.Requests, id)
			e.count(kafkaBrokerBytes, b.Bytes, id)
			e.gauge(kafkaBrokerInFlight, float64(b.UnderWay), id)
			e <- prometheus.MustNewConstHistogram(kafkaBrokerSeconds, b.Latency.Count, b.Latency.Sum, b.Latency.Buckets, id)
		}
		control := k.Control()
		e.count(kafkaControlRequests, control.Requests())
		e.count(kafkaControlResponses, control.Responses())
		e.count(kafkaControlBytes, control.Sent(), "sent")
		e.count(kafkaControlBytes, control.Received(), "received")
		e <- prometheus.MustNewConstMetric(kafkaControlSeconds, prometheus.CounterValue, control.Seconds())
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
