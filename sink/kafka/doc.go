// Package kafka is the output to Apache Kafka.
//
// A batch that [Sink.Submit] takes goes to one goroutine, the loop, which owns
// all state. The loop copies the batch's messages into record sets: in flow
// shape one Kafka record a message, in batch shape one record for as many as
// fit. Without hashing there is one open set and any partition that can take
// it will; with it every partition has a set of its own, so that equal keys
// stay in order. A set that is full, or has lingered, is sealed: compressed by
// a packer if it is to be, and queued. The loop gives queued sets to the
// connection of their partition's leader, at most five requests at once; the
// connection's writer numbers and checksums them and sends, its reader turns
// each response into an event for the loop. When all of a batch's messages are
// acknowledged or given up, the batch comes back over [Sink.Done].
//
// What is from sarama, and what is not: sarama opens connections (API
// versions, SASL; TLS is ours, so that its errors are clear), asks for
// metadata and for producer ids. Produce requests are written here, because
// neither of sarama's ways takes ready-made record sets: against the same
// broker, uncompressed, a flow of 180 bytes in a message of its own costs
// 3000 ns of CPU through its AsyncProducer, 410 ns through Broker.AsyncProduce,
// and 210 ns here, headers included; in batch shape 270, 290 and 140 ns.
// bench/results/measured-once.md has figures.
//
// # Order and duplicates
//
// The sets of a partition carry sequence numbers (KIP-98) and go out in order,
// several at once. A set that fails is sent again, before anything newer,
// when all others of its partition under way have come back; the broker drops
// what it has already. Without idempotence one set a partition is under way.
// A set that may or may not have been written, because its connection broke,
// stays with the sink through an outage of any length, since only the sink can
// send it again under the same number. All others are handed back with
// [sink.ErrUnavailable] when an outage has lasted for a second. That a broker is
// not the leader is such an uncertain answer too, when acks are all.
//
// Only two things can repeat a message: resending without idempotence, and a
// broker that has lost its memory of the numbers. Both are counted
// ([Counters.MaybeRepeated]).
package kafka
