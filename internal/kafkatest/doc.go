// Package kafkatest gives tests something to deliver to: a real Apache Kafka
// that scripts/kafka runs, and, where there is no Java for that, a fake broker
// that speaks as much of the protocol as a producer needs, checks sequence
// numbers and checksums as Kafka does, and fails on demand.
package kafkatest
