// Package collector is the worker loop: it takes datagrams off a receiver,
// has them decoded into the worker's open batch, and sends sealed batches to
// the sink.
//
// A [Worker] is one OS thread that runs to completion: receive, decode,
// produce, with no channel and no lock between. What it shares with the rest
// of the program is the template store (read without a lock), the exporter
// table (atomic counters), a pair of rings to the sink, and a snapshot of its
// counters that it publishes once a receive batch.
//
// The sum that holds in each snapshot: datagrams received = decoded + failed
// by reason + held for a template + dropped before decoding. Over worker and sink together: records produced = acknowledged +
// dropped by reason + in flight.
package collector
