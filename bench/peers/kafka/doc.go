// Command kafka measures what the output to Kafka costs compared with goflow2's Kafka
// transport, against the same brokers in one run: CPU time of the producing
// process a flow, user and system, garbage collection included.
//
// Each measurement is a process of its own, which this one starts in turns, so
// that a busy moment of a shared machine hits all peers and nobody collects
// another's garbage. It makes flows by weir's producer from the generator's
// NetFlow v9 datagrams, then begins to count, delivers them all, closes the
// output and ends counting. goflow2's transport is set up as its main does, by
// its flags, and gets every flow by Send. weir's are a lane, an AsyncHub and the
// sink, as its main sets them up; that the flows are copied into the lane's
// batches counts for weir.
//
//	eval "$(scripts/kafka up)"
//	scripts/kafka topic bench 8
//	cd bench/peers && go run ./kafka -n 7
package main
