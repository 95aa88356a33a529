// Command soak runs a collector under a mixed load for long, and tells whether
// its memory stays flat, its goroutines and files stay as many, and its books
// balance.
//
// The journey: the load makes datagrams of thousands of exporters of all
// protocols (package workload), redefines templates in a domain of its own,
// restarts exporters, and mixes in garbage from forged addresses; one socket
// sends them from addresses in 127.0.0.0/8 to a collector that it has started.
// Every few seconds the watch reads the collector's /proc files and metrics. At
// the end, what was sent is compared with where the collector says it ended.
// Memory is judged from when the collector's tables are full: by what is live after a
// collection of garbage, and by what is resident and no free part of the heap.
//
// With -adversary, soak also sends the most expensive known datagrams from forged
// addresses, one kind after another. An exporter that is good
// sends flows meanwhile that soak waits for at the collector's output: none may be
// missing, and all but a hundredth have to be there within 200 ms.
//
// With -day, soak runs a day in the life of a collector in the duration, an hour in a 24th of
// it: rotation, retention, reloads, restarts by a signal and by -handover, a kill, exporters that
// come and go, and an outage of a real Kafka that the output is for four hours. The ledgers of
// all processes together must be what was sent.
//
// Linux only. It writes a table while it runs and a verdict at the end; the exit
// code is 0 if all is as it should be, 1 if not, 2 for wrong usage.
package main
