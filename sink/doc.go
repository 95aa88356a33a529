// Package sink is the passage from the workers to an output.
//
// A worker seals a batch of encoded messages, pushes it into the Full ring of
// its [Lane] and rings the [Hub]'s bell. The hub's goroutine takes sealed
// batches from all lanes in turn, hands each to its one [Sink], counts what
// became of every record in it, empties the batch and sends it home over the
// lane's Empty ring. A worker that finds Empty empty knows that the output is
// behind; nothing here ever makes it wait.
//
// Every record that enters a lane ends in exactly one counter of [Counters]:
// acknowledged, or dropped by one of a small fixed set of reasons. A sink's
// fault costs the messages of the batch at hand that could not be written and
// is reported once when it begins and once when it ends; each later batch is
// tried again.
//
// The end follows the data: the workers stop, then [Hub.Stop] has the hub
// drain the lanes, flush and close the sink within a deadline, and counts
// what is left as dropped by shutdown.
package sink
