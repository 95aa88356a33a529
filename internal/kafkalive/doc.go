// Package kafkalive tests the weir binary against real Kafka clusters.
//
// A test starts a cluster by scripts/kafka, builds and starts weir as a process
// that listens on UDP and writes to a topic, has bench/gen send flows each of
// which carries a number, does something to the cluster, the network, the disk
// or weir meanwhile, and in the end reads the topic and accounts for every
// number: there once, there more than once, or missing. While it runs, weir's
// metrics are read twice a second, and the sum of its ledger must be right each
// time.
//
// KAFKA_TEST=off skips all of it. KAFKA_TEST_FAULTS=full has each fault last for
// 20 seconds under a load of 60; without, some of them last for seconds.
// KAFKA_TEST_RESULTS names a file to which a line is appended for each run.
package kafkalive
