// Command enrich compares the enricher with goflow2's, as processes: CPU time
// per flow, protobuf in, protobuf or JSON out.
//
// It makes databases of some hundred thousand networks and a stream of flows of
// the synthetic mix whose addresses are spread over them, and has each program
// read the same file in turn, round after round, so that a busy moment of a
// shared machine hits both. What counts is the median of user and system time per
// flow. With -write it only makes the files.
package main
