// Package sinktest is the test suite that every sink passes.
//
// [Run] drives a sink through a hub, as the collector does, from several
// workers at once, and then reads the output back: every record is there
// whole, once, in its worker's order, and the counters add up.
package sinktest
