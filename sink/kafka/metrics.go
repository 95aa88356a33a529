package kafka

import (
	"strconv"
	"time"

	"github.com/weirflow/weir/sink/output"
	"github.com/weirflow/weir/sink/spool"
)

var (
	kafkaAvailable      = output.NewMetric("kafka_available", "Whether the Kafka cluster can be reached.")
	kafkaErrors         = output.NewMetric("kafka_errors_total", "Errors of Kafka by kind.", "kind")
	kafkaMessages       = output.NewMetric("kafka_messages_total", "Kafka messages that the cluster acknowledged.")
	kafkaRequests       = output.NewMetric("kafka_requests_total", "Produce requests that were sent.")
	kafkaBytes          = output.NewMetric("kafka_bytes_total", "Bytes of acknowledged sets, as sent and before compression.", "form")
	kafkaRetried        = output.NewMetric("kafka_retried_records_total", "Records in sets that were sent again.")
	kafkaRepeated       = output.NewMetric("kafka_maybe_repeated_records_total", "Records that may be in the topic twice.")
	kafkaBrokerRequests = output.NewMetric("kafka_broker_requests_total", "Produce requests that were sent, by broker.", "broker")
	kafkaBrokerBytes    = output.NewMetric("kafka_broker_request_bytes_total", "Bytes of produce requests, by broker.", "broker")
	kafkaBrokerInFlight = output.NewMetric("kafka_broker_requests_in_flight", "Produce requests that wait for their response, by broker.", "broker")
	kafkaBrokerSeconds  = output.NewMetric("kafka_broker_request_seconds", "Time from sending a produce request to its response, by broker.", "broker")

	kafkaControlRequests  = output.NewMetric("kafka_control_requests_total", "Requests for API versions, authentication, metadata and producer ids.")
	kafkaControlResponses = output.NewMetric("kafka_control_responses_total", "Responses to them.")
	kafkaControlBytes     = output.NewMetric("kafka_control_bytes_total", "Bytes of them.", "direction")
	kafkaControlSeconds   = output.NewMetric("kafka_control_seconds_total", "Time that the responses took, all together.")
	kafkaHeld             = output.NewMetric("kafka_held_bytes", "Bytes of the batches that the Kafka output holds.")

	kafkaLatency = output.NewMetric("kafka_delivery_seconds", "Time from handing a batch over to its acknowledgement, an observation a record.")

	spoolBytes     = output.NewMetric("spool_bytes", "Size of the spool on disk.")
	spoolOldest    = output.NewMetric("spool_oldest_seconds", "How long the oldest record in the spool has waited.")
	spoolDamages   = output.NewMetric("spool_damages_total", "Places at which the spool was damaged.")
	spoolErrors    = output.NewMetric("spool_errors_total", "Failed operations on the spool.", "operation")
	spoolRecovered = output.NewMetric("spool_recovered_records", "Records that were found in the spool at the start.")
	spoolRecords   = output.NewMetric("records_spooled", "Records that wait in the spool.")
)

// kindMetrics lists what collect and collectSpool emit.
var kindMetrics = []*output.Metric{
	kafkaAvailable, kafkaErrors, kafkaMessages, kafkaRequests, kafkaBytes, kafkaRetried, kafkaRepeated, kafkaLatency,
	kafkaBrokerRequests, kafkaBrokerBytes, kafkaBrokerInFlight, kafkaBrokerSeconds,
	kafkaControlRequests, kafkaControlResponses, kafkaControlBytes, kafkaControlSeconds, kafkaHeld,
	spoolBytes, spoolOldest, spoolDamages, spoolErrors, spoolRecovered, spoolRecords,
}

// collect emits what the sink did.
func collect(e output.Emitter, k *Sink) {
	available := 0.0
	if k.Available() {
		available = 1
	}
	n := k.Counters()
	e.Gauge(kafkaAvailable, available)
	n.EachError(func(kind string, count uint64) { e.Count(kafkaErrors, count, kind) })
	e.Count(kafkaMessages, n.Messages())
	e.Count(kafkaRequests, n.Requests())
	e.Count(kafkaBytes, n.Bytes(), "sent")
	e.Count(kafkaBytes, n.RawBytes(), "uncompressed")
	e.Count(kafkaRetried, n.Retried())
	e.Count(kafkaRepeated, n.MaybeRepeated())
	e.Histogram(kafkaLatency, output.Histogram(n.Latency()))
	e.Gauge(kafkaHeld, float64(n.HeldBytes()))
	for _, b := range n.Brokers() {
		id := strconv.Itoa(int(b.ID))
		if b.ID == OtherBrokers {
			id = "other"
		}
		e.Count(kafkaBrokerRequests, b.Requests, id)
		e.Count(kafkaBrokerBytes, b.Bytes, id)
		e.Gauge(kafkaBrokerInFlight, float64(b.UnderWay), id)
		e.Histogram(kafkaBrokerSeconds, output.Histogram(b.Latency), id)
	}
	control := k.Control()
	e.Count(kafkaControlRequests, control.Requests())
	e.Count(kafkaControlResponses, control.Responses())
	e.Count(kafkaControlBytes, control.Sent(), "sent")
	e.Count(kafkaControlBytes, control.Received(), "received")
	e.Total(kafkaControlSeconds, control.Seconds())
}

// collectSpool emits what the spool did.
func collectSpool(e output.Emitter, s *spool.Log, spooled, recovered uint64) {
	st := s.Stats()
	age := 0.0
	if !st.Oldest.IsZero() {
		age = time.Since(st.Oldest).Seconds()
	}
	e.Gauge(spoolBytes, float64(st.Bytes))
	e.Gauge(spoolOldest, age)
	e.Count(spoolDamages, st.Damages)
	e.Count(spoolErrors, st.AppendErrors, "append")
	e.Count(spoolErrors, st.AckErrors, "acknowledge")
	e.Count(spoolErrors, st.SyncErrors, "sync")
	e.Gauge(spoolRecovered, float64(recovered))
	e.Gauge(spoolRecords, float64(spooled))
}
