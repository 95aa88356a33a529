// Package sink is the passage from the workers to an output.
//
// A worker seals a batch of encoded messages, pushes it into the Full ring of
// its [Lane] and rings the hub's bell. The hub's goroutine takes sealed
// batches from all lanes in turn, hands each to its one output, counts what
// became of every record in it, empties the batch and sends it home over the
// lane's Empty ring. A worker that finds Empty empty knows that the output is
// too slow; nothing here ever makes it wait.
//
// There are two kinds of output, and a hub for each. A [Hub] writes into a
// [Sink] and knows at once how much got in. A sink's fault costs the messages
// of the batch at hand that could not be written and is reported once when it
// begins and once when it ends; each later batch is tried again.
//
// An [AsyncHub] hands batches to an [AsyncSink], which gives them back when
// the output has acknowledged them. What comes back as unavailable is offered
// again, before anything newer. With a [Spool], batches go to a log on disk as
// soon as the sink is unavailable, refuses them for longer than a moment, or
// keeps so many for so long that a worker is without one; those that are with
// the sink at that time go there first, as copies, and the workers get others
// in their place. The hub then reads the log from its begin, offers what is
// there in order, appends what is new, and goes back to the direct way when
// it has read all.
//
// Every record that enters a lane, or is found in the spool at the start, is
// in exactly one place of [Counters]: acknowledged, waiting in the spool,
// dropped by one of a small fixed set of reasons, or else in flight.
//
// The end follows the data: the workers stop, then Stop has the hub
// drain the lanes, flush and close the sink within a deadline, and counts
// what is left as dropped by shutdown.
package sink
