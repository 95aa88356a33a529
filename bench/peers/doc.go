// Command peers compares weir's decode-and-produce with goflow2's and a bare
// limit, in one process and one run: CPU time per flow record, datagram in,
// message out.
//
// The peers of a workload run in turn, round after round, so that a busy
// moment of a shared machine hits all of them; what counts is the median of the
// rounds' ratios. goflow2 is measured twice: its decoders, producer and
// formatter alone, and wrapped in its metrics as its main does. The limit is a
// hand-written encoder of the one template of the workload, which reads nothing
// that it does not need.
package main
